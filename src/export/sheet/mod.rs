//! Sheets: what is known of the machine's memory in sentences and columns, for the view of the machine and for
//! `memtide free --full` alike. A face decides how a tone looks and which columns there is room for.

mod ram;
mod setting;
mod shared;
mod slab;
mod swap;

use crate::model::account::Layer;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::survey::{Survey, Surveyed};

pub use self::ram::{parts, reclaim, remainder};
pub use self::setting::{settings, zones};
pub use self::shared::{loose, posix, segments, shmem, tmpfs};
pub use self::slab::slab;
pub use self::swap::{devices, processes};

/// How what is said is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Plainly.
    #[default]
    Plain,
    /// By the way.
    Muted,
    /// All is well.
    Good,
    /// Worth attention.
    Warn,
    /// Bad.
    Bad,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SheetColumn {
    /// Its head.
    pub title: &'static str,
    /// Numbers stand at the right.
    pub is_right: bool,
    /// How soon it is left out where there is no room: the larger, the sooner; 0 never.
    pub goes: u8,
}

/// A line of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SheetRow {
    /// A cell a column.
    pub cells: Vec<String>,
    /// How it is meant.
    pub tone: Tone,
    /// The layer of RAM that it tells of, if it is one.
    pub layer: Option<Layer>,
}

/// A titled list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What it lists.
    pub title: String,
    /// What is said of it, in sentences.
    pub notes: Vec<(String, Tone)>,
    /// Its columns; of the last one as much is shown as there is room for.
    pub columns: Vec<SheetColumn>,
    /// Its lines.
    pub rows: Vec<SheetRow>,
}

/// What sheets are made from.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The moment.
    pub snapshot: &'a Snapshot,
    /// The last survey.
    pub survey: Option<&'a Survey>,
    /// Why there is none, where there is none.
    pub without: &'a str,
    /// How sizes are written.
    pub size: &'a dyn Fn(u64) -> String,
    /// Whether ages and costs of what was surveyed are told.
    pub tells_age: bool,
}

/// Lines of a list that are shown: more would not be read.
const MOST_ROWS: usize = 500;

fn column(title: &'static str, is_right: bool, goes: u8) -> SheetColumn {
    SheetColumn { title, is_right, goes }
}

impl SheetRow {
    fn new(cells: Vec<String>, tone: Tone) -> Self {
        Self { cells, tone, layer: None }
    }
}

impl Sheet {
    fn new(title: impl Into<String>, columns: Vec<SheetColumn>) -> Self {
        Self { title: title.into(), columns, ..Self::default() }
    }

    fn note(&mut self, text: impl Into<String>, tone: Tone) {
        self.notes.push((text.into(), tone));
    }

    /// Adds lines, and says how many are left out.
    fn fill(&mut self, rows: impl ExactSizeIterator<Item = SheetRow>) {
        let count = rows.len();
        self.rows.extend(rows.take(MOST_ROWS));
        if count > MOST_ROWS {
            self.note(tr!("{count} more are not listed.", count = count - MOST_ROWS), Tone::Muted);
        }
    }
}

impl<'a> About<'a> {
    fn size(&self, bytes: u64) -> String {
        (self.size)(bytes)
    }

    /// A signed size.
    fn signed(&self, bytes: i128) -> String {
        let size = self.size(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX));
        if bytes < 0 { format!("-{size}") } else { size }
    }

    /// A size, or `-` where it is not known.
    fn known(&self, reading: &Reading<u64>) -> String {
        reading.value().map_or_else(|| "-".to_owned(), |bytes| self.size(bytes))
    }

    /// `node[1234]`, or the pid alone where nobody is known by it.
    fn process(&self, pid: u32) -> String {
        let processes = &self.snapshot.sample.processes;
        match processes.binary_search_by_key(&pid, |process| process.key.pid) {
            Ok(place) => format!("{}[{pid}]", processes[place].identity.comm.escaped()),
            Err(_) => pid.to_string(),
        }
    }

    fn user(&self, uid: u32) -> String {
        self.snapshot.sample.host.user(uid).into_owned()
    }

    /// How long ago a moment by the wall clock was, seconds since the epoch: `3 h`.
    fn ago(&self, epoch_s: i64) -> String {
        let seconds = (self.snapshot.sample.wall_ms / 1000).saturating_sub(epoch_s).max(0).cast_unsigned();
        match seconds {
            0..120 => tr!("{seconds} s", seconds),
            120..7200 => tr!("{minutes} min", minutes = seconds / 60),
            7200..172_800 => tr!("{hours} h", hours = seconds / 3600),
            _ => tr!("{days} d", days = seconds / 86_400),
        }
    }

    /// A part of the survey, or says in the sheet why there is none.
    fn part<T>(&self, sheet: &mut Sheet, part: fn(&Survey) -> &Surveyed<T>) -> Option<&'a T> {
        let Some(survey) = self.survey else {
            sheet.note(tr!("{why}.", why = self.without), Tone::Muted);
            return None;
        };
        let surveyed = part(survey);
        match surveyed.reading.as_ref() {
            Reading::Value(value) => {
                if self.tells_age {
                    let age = self.snapshot.sample.at.since(surveyed.at) / 1000;
                    let cost = surveyed.cost_us as f64 / 1000.0;
                    sheet.note(
                        tr!("Read {age} s ago in {cost} ms.", age, cost = format_args!("{cost:.1}")),
                        Tone::Muted,
                    );
                }
                if surveyed.left_out > 0 {
                    sheet.note(tr!("{left_out} more are not recorded.", left_out = surveyed.left_out), Tone::Muted);
                }
                Some(value)
            }
            Reading::Pending => {
                sheet.note(tr!("Not read yet."), Tone::Muted);
                None
            }
            other => {
                sheet.note(sentence(&other.explain().unwrap_or_default()), Tone::Warn);
                None
            }
        }
    }
}

/// A reason as a sentence.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    letters.next().map_or_else(String::new, |first| {
        tr!("{why}.", why = format_args!("{}{}", first.to_uppercase(), letters.as_str()))
    })
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", part as f64 * 100.0 / whole.max(1) as f64)
}

/// `1 segment`, `2 segments`.
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::units::Bytes;

    pub(crate) fn human(bytes: u64) -> String {
        Bytes(bytes).to_string()
    }

    pub(crate) fn about<'a>(snapshot: &'a Snapshot, survey: Option<&'a Survey>) -> About<'a> {
        About { snapshot, survey, without: "not surveyed", size: &human, tells_age: false }
    }

    /// All that a sheet says.
    pub(crate) fn text(sheet: &Sheet) -> String {
        let notes = sheet.notes.iter().map(|(note, _)| note.clone());
        let rows = sheet.rows.iter().map(|row| row.cells.join(" | "));
        std::iter::once(sheet.title.clone()).chain(notes).chain(rows).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::testing::about;
    use super::*;
    use crate::model::reading::Denial;
    use crate::model::testing::snapshot;

    #[test]
    fn what_can_t_be_had_says_why_and_what_would_grant_it() {
        let snapshot = snapshot(Vec::new());
        let mut survey = Survey::default();
        assert!(testing::text(&slab(&about(&snapshot, None))).contains("not surveyed."));
        assert!(testing::text(&slab(&about(&snapshot, Some(&survey)))).contains("Not read yet."));
        survey.slab.reading = Reading::Denied(Denial::Root);
        let sheet = slab(&about(&snapshot, Some(&survey)));
        assert!(sheet.rows.is_empty() && sheet.notes.contains(&("Needs root.".into(), Tone::Warn)), "{sheet:?}");
    }

    #[test]
    fn a_long_list_says_what_it_leaves_out() {
        let mut sheet = Sheet::new("x", Vec::new());
        let rows: Vec<SheetRow> = (0..MOST_ROWS + 7).map(|_| SheetRow::default()).collect();
        sheet.fill(rows.into_iter());
        assert_eq!(sheet.rows.len(), MOST_ROWS);
        assert!(testing::text(&sheet).contains("7 more are not listed."));
    }
}
