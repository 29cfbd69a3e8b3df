//! The list drawn: only what is in the window is formatted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::list::Line;
use super::{LineKey, Processes};
use crate::model::field::{Aggregate, ProcessField, Unit, Value};
use crate::model::group::Bound;
use crate::model::judgement::Verdict;
use crate::model::reading::Reading;
use crate::model::snapshot::{Row, Snapshot};
use crate::session::update::Update;
use crate::tui::finding;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::graph::{self, Scale};
use crate::tui::widget::line::{columns, fill, put, put_right, skip_columns};

/// The last column never falls below this while others can go: enough to recognise a program.
fn least_command(width: u16) -> u16 {
    (width / 4).clamp(12, 18)
}

/// The columns that fit, with their widths.
pub(super) fn layout(columns: &[&'static ProcessField], width: u16) -> Vec<(&'static ProcessField, u16)> {
    let mut chosen: Vec<&'static ProcessField> = columns.to_vec();
    let least = least_command(width);
    let needed = |chosen: &[&'static ProcessField]| -> u16 {
        chosen.iter().map(|field| if field.width == 0 { least } else { field.width } + 1).sum()
    };
    while needed(&chosen) > width && chosen.len() > 1 {
        // The one that takes what is left goes last.
        let rank = |(place, field): &(usize, &&ProcessField)| (field.width > 0, field.dispensable, *place);
        let goes = chosen.iter().enumerate().max_by_key(|entry| rank(entry)).map_or(0, |(place, _)| place);
        chosen.remove(goes);
    }
    let fixed: u16 = chosen.iter().map(|field| if field.width == 0 { 0 } else { field.width + 1 }).sum();
    let flexible = chosen.iter().filter(|field| field.width == 0).count().max(1) as u16;
    let rest = width.saturating_sub(fixed) / flexible;
    // Histories gain from what a wide terminal has to spare.
    let spare = rest.saturating_sub(60).min(48);
    let has_history = chosen.iter().any(|field| field.unit == Unit::Series);
    chosen
        .into_iter()
        .map(|field| match (field.width, field.unit) {
            (0, _) => (field, if has_history { rest - spare } else { rest }),
            (own, Unit::Series) => (field, own + spare),
            (own, _) => (field, own),
        })
        .collect()
}

/// Width of the history column, which is how many points are asked for.
pub(super) fn history_width(columns: &[&'static ProcessField], width: u16) -> u16 {
    layout(columns, width).iter().find(|(field, _)| field.unit == Unit::Series).map_or(0, |(_, width)| *width)
}

pub(super) fn draw(panel: &Processes, buf: &mut Buffer, update: &Update, theme: &Theme) {
    let area = panel.area;
    if area.height == 0 {
        return;
    }
    let columns = layout(&panel.shown, area.width);
    draw_head(panel, buf, &columns, theme);
    let snapshot = &*update.snapshot;
    let window = panel.list.lines.iter().skip(panel.offset).take(panel.rows());
    for (line, y) in window.zip(area.y + 1..area.bottom().saturating_sub(1)) {
        let row_area = Rect::new(area.x, y, area.width, 1);
        let key = panel.list.key(snapshot, line);
        let is_tagged = matches!(&key, LineKey::Process(key) if panel.tagged.contains(key));
        let style = if panel.selected.as_ref() == Some(&key) {
            fill(buf, row_area, theme.style(Role::Selected));
            Some(theme.style(Role::Selected))
        } else {
            is_tagged.then(|| theme.style(Role::Tagged))
        };
        let painter = Painter { buf, theme, style, scroll: panel.scroll };
        draw_line(painter, panel, row_area, line, update, &columns, is_tagged);
    }
    if panel.list.lines.is_empty() {
        let text = match &panel.filter {
            Some(filter) => tr!(" no process matches `{filter}`: press / and clear it", filter),
            None => tr!(" no processes").into(),
        };
        put(buf, area.x, area.y + 1, area.width, &text, theme.style(Role::Muted));
    }
    draw_foot(panel, buf, snapshot, theme);
}

fn draw_head(panel: &Processes, buf: &mut Buffer, columns: &[(&'static ProcessField, u16)], theme: &Theme) {
    let head = Rect::new(panel.area.x, panel.area.y, panel.area.width, 1);
    fill(buf, head, theme.style(Role::Header));
    let mut x = head.x;
    for (field, width) in columns {
        let (mut title, mut role) = (tr!(of field.title).to_owned(), Role::Header);
        if *field == panel.order.by {
            role = Role::HeaderSorted;
            title.push_str(if panel.order.is_descending { theme.pick("▼", "v") } else { theme.pick("▲", "^") });
        }
        let width = (*width).min(head.right().saturating_sub(x));
        if is_right_aligned(field) {
            put_right(buf, x, head.y, width, &title, theme.style(role));
        } else {
            put(buf, x, head.y, width, &title, theme.style(role));
        }
        x += width + 1;
    }
}

fn is_right_aligned(field: &ProcessField) -> bool {
    field.unit.is_number() && field.unit != Unit::Series
}

/// What a line is painted with.
struct Painter<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    /// The style of the whole line, where it has one.
    style: Option<Style>,
    scroll: u16,
}

fn draw_line(
    mut painter: Painter<'_>,
    panel: &Processes,
    area: Rect,
    line: &Line,
    update: &Update,
    columns: &[(&'static ProcessField, u16)],
    is_tagged: bool,
) {
    let snapshot = &*update.snapshot;
    let mut x = area.x;
    for (field, width) in columns {
        let width = (*width).min(area.right().saturating_sub(x));
        let cell = Rect::new(x, area.y, width, 1);
        match line {
            Line::Process { index, follows, fold } => {
                let row = snapshot.row(*index as usize);
                if field.unit == Unit::Series {
                    painter.history(cell, update, &row);
                } else if field.width == 0 {
                    painter.command(cell, &row, follows, *fold, is_tagged);
                } else {
                    painter.value(
                        cell,
                        field,
                        &(field.get)(&row),
                        Bound::Exact,
                        row.judged().map(|judged| judged.verdict),
                    );
                }
            }
            Line::Group { group, is_folded } => {
                let group = panel.list.group(*group);
                if field.width == 0 {
                    let mark = if *is_folded { "[+]" } else { "[-]" };
                    let text = format!("{mark} {} ({})", named(&group.name), group.members.len());
                    painter.text(cell, &text, painter.theme.style(Role::Title));
                } else if field.unit != Unit::Series && field.aggregate != Aggregate::None {
                    let (reading, bound) = group.total(snapshot, field);
                    painter.value(cell, field, &reading, bound, None);
                }
            }
        }
        x += width + 1;
    }
}

/// A group's name; of those without a container it is no name that somebody chose.
fn named(name: &str) -> &str {
    if name.starts_with('(') { tr!(of name) } else { name }
}

impl Painter<'_> {
    fn style(&self, role: Role) -> Style {
        self.style.unwrap_or_else(|| self.theme.style(role))
    }

    fn text(&mut self, cell: Rect, text: &str, style: Style) {
        put(self.buf, cell.x, cell.y, cell.width, text, self.style.unwrap_or(style));
    }

    fn value(
        &mut self,
        cell: Rect,
        field: &ProcessField,
        reading: &Reading<Value<'_>>,
        bound: Bound,
        verdict: Option<Verdict>,
    ) {
        let (text, role) = match reading {
            Reading::Value(value) => (value.to_string(), role_of(field, value, verdict)),
            Reading::Stale(value, _) => (value.to_string(), Role::Stale),
            Reading::Pending => (self.theme.pick("·", ".").to_owned(), Role::Muted),
            _ => ("-".to_owned(), Role::Muted),
        };
        let text = match reading.as_ref().value() {
            // A number cut in its middle would be another number.
            Some(Value::Count(count)) if columns(&text) > cell.width => short_count(*count),
            _ => text,
        };
        let text = if bound == Bound::Exact { text } else { format!("{}{text}", bound.mark(self.theme.is_ascii)) };
        let style = self.style(role);
        if is_right_aligned(field) {
            put_right(self.buf, cell.x, cell.y, cell.width, &text, style);
        } else {
            put(self.buf, cell.x, cell.y, cell.width, &text, style);
        }
    }

    fn history(&mut self, cell: Rect, update: &Update, row: &Row<'_>) {
        let Some(points) = update.series.get(&row.process.key) else { return };
        let is_growing = row.growth().value().is_some_and(|rate| rate > GROWING);
        let style = self.style(if is_growing { Role::Growing } else { Role::Graph });
        let scale = Scale::of(points, LEAST_SCALE);
        graph::draw(self.buf, cell, points, scale, self.theme.is_ascii, style);
    }

    fn command(&mut self, cell: Rect, row: &Row<'_>, follows: &[bool], fold: Option<bool>, is_tagged: bool) {
        let mut x = cell.x;
        let muted = self.style(Role::Muted);
        let guides = self.theme.pick(["│  ", "   ", "├─ ", "└─ "], ["|  ", "   ", "|- ", "`- "]);
        let own = follows.len().saturating_sub(1);
        for (level, follows) in follows.iter().enumerate() {
            let guide = guides[usize::from(!follows) + if level == own { 2 } else { 0 }];
            x += put(self.buf, x, cell.y, cell.right().saturating_sub(x), guide, muted);
        }
        if fold == Some(true) {
            x += put(self.buf, x, cell.y, cell.right().saturating_sub(x), "[+] ", muted);
        }
        if is_tagged {
            x += put(
                self.buf,
                x,
                cell.y,
                cell.right().saturating_sub(x),
                self.theme.pick("● ", "* "),
                self.style(Role::Tagged),
            );
        }
        let command = row.process.identity.shown_command();
        let room = cell.right().saturating_sub(x);
        let whole = if self.scroll == 0 && cell.width < ROOMY { without_folder(&command) } else { &command };
        let shown = skip_columns(whole, self.scroll);
        let style = self.style(if row.process.is_zombie() { Role::Warn } else { Role::Text });
        put(self.buf, x, cell.y, room, shown, style);
    }
}

/// A command column of at least so many columns shows command lines whole.
const ROOMY: u16 = 40;

/// More than this, in bytes per minute, is drawn as growth.
const GROWING: f64 = 262_144.0;

/// The least that a history's height stands for, in bytes.
const LEAST_SCALE: f32 = 262_144.0;

fn role_of(field: &ProcessField, value: &Value<'_>, verdict: Option<Verdict>) -> Role {
    match (field.key, value) {
        ("growth", Value::BytesPerMinute(rate)) if *rate > 0.0 && verdict == Some(Verdict::Leaking) => Role::Danger,
        ("verdict", Value::Ranked(rank, _)) => finding::role(Verdict::of_rank(*rank / 100)),
        ("growth", Value::BytesPerMinute(rate)) if *rate > GROWING => Role::Growing,
        ("fd_percent", Value::Percent(share)) if *share >= 80.0 => Role::Danger,
        ("swap" | "swap_pss" | "locked" | "hugetlb", Value::Bytes(0)) => Role::Muted,
        ("pss", _) => Role::Title,
        (_, Value::BytesChange(by)) if *by > GROWING => Role::Growing,
        (_, Value::CountChange(by)) if *by > 0.0 => Role::Growing,
        (_, Value::BytesChange(by) | Value::CountChange(by)) if *by == 0.0 => Role::Muted,
        (_, Value::New(_)) => Role::Past,
        _ => Role::Text,
    }
}

/// A count in at most four columns: `65K`, `4.3G`.
fn short_count(count: u64) -> String {
    let (mut scaled, mut unit) = (count as f64, "");
    for larger in ["K", "M", "G", "T", "P", "E"] {
        if scaled < 999.5 {
            break;
        }
        (scaled, unit) = (scaled / 1000.0, larger);
    }
    if scaled < 9.95 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") }
}

/// A command line where there is little room: without the folder of its program.
fn without_folder(command: &str) -> &str {
    let program = command.split(' ').next().unwrap_or_default();
    match program.rfind('/') {
        Some(slash) if program.starts_with('/') && slash + 1 < program.len() => &command[slash + 1..],
        _ => command,
    }
}

/// The line below the table: what the selected line's unknown cells mean, what was tagged, what could not be seen.
fn draw_foot(panel: &Processes, buf: &mut Buffer, snapshot: &Snapshot, theme: &Theme) {
    let y = panel.area.bottom().saturating_sub(1);
    if y <= panel.area.y {
        return;
    }
    let mut parts = Vec::new();
    if !panel.tagged.is_empty() {
        parts.push(tr!("{tagged} tagged", tagged = panel.tagged.len()));
    }
    if let Some(filter) = &panel.filter {
        parts.push(tr!(
            "filter: {filter} ({count} of {processes})",
            filter,
            count = panel.list.processes().count(),
            processes = snapshot.sample.processes.len()
        ));
    }
    if let Some(mark) = &snapshot.mark {
        let (new, ended) = (mark.started(&snapshot.sample), mark.ended(&snapshot.sample).count());
        parts.push(tr!("since {name}: {new} new, {ended} ended", name = mark.name, new, ended));
    }
    if panel.is_following {
        parts.push(tr!("following").into());
    }
    if let Some(reason) =
        panel.selected().and_then(|key| snapshot.row_of(key)).and_then(|row| first_reason(panel, &row))
    {
        parts.push(reason);
    } else if snapshot.sample.scan.pending > 0 {
        let pending = snapshot.sample.scan.pending;
        parts.push(if pending == 1 {
            tr!("1 process still to be read").to_owned()
        } else {
            tr!("{pending} processes still to be read", pending)
        });
    }
    put(buf, panel.area.x, y, panel.area.width, &format!(" {}", parts.join("  ")), theme.style(Role::Muted));
}

fn first_reason(panel: &Processes, row: &Row<'_>) -> Option<String> {
    panel.shown.iter().find_map(|field| {
        let reason = field.explain(&(field.get)(row))?;
        (field.unit != Unit::Text && field.unit != Unit::Series)
            .then(|| tr!("{title} of {pid}: {reason}", title = tr!(of field.title), pid = row.process.key.pid, reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field::process_field;
    use crate::tui::screen::processes::DEFAULT_COLUMNS;

    fn keys(width: u16) -> Vec<&'static str> {
        let columns: Vec<_> = DEFAULT_COLUMNS.iter().filter_map(|key| process_field(key)).collect();
        layout(&columns, width).into_iter().map(|(field, _)| field.key).collect()
    }

    #[test]
    fn what_tells_who_grows_stays_longest() {
        assert_eq!(keys(120).len(), DEFAULT_COLUMNS.len());
        let at_100 = ["pid", "user", "pss", "rss", "swap", "fds", "history", "growth", "verdict", "command"];
        assert_eq!((keys(92)[7], keys(100)), ("verdict", at_100.to_vec()));
        assert_eq!(keys(80), ["pid", "user", "pss", "rss", "fds", "history", "growth", "command"]);
        assert_eq!(keys(50), ["pid", "pss", "rss", "growth", "command"]);
        assert_eq!(keys(3), ["command"]);
    }

    #[test]
    fn the_columns_fill_the_line_and_no_more() {
        for width in 30..240 {
            let columns: Vec<_> = DEFAULT_COLUMNS.iter().filter_map(|key| process_field(key)).collect();
            let used: u16 = layout(&columns, width).iter().map(|(_, own)| own + 1).sum();
            assert!((width..=width + 1).contains(&used), "{width}: {used}");
        }
    }

    #[test]
    fn a_long_count_is_shortened_and_not_cut() {
        assert_eq!([0, 1_048_576, 65_000, 4_294_967_295].map(short_count), ["0.0", "1.0M", "65K", "4.3G"]);
        assert_eq!(short_count(u64::MAX), "18E");
    }

    #[test]
    fn only_a_programs_own_folder_is_left_out() {
        assert_eq!(without_folder("/usr/bin/node /srv/app.js"), "node /srv/app.js");
        assert_eq!(without_folder("nginx: worker process"), "nginx: worker process");
        assert_eq!(without_folder("postgres: a/b"), "postgres: a/b");
        assert_eq!(without_folder("/odd/ x"), "/odd/ x");
    }
}
