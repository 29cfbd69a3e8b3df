//! What was seen of the process: of each part the first look, the latest, and the one that the mark keeps. What is
//! compared with is decided here alone.

use std::sync::Arc;

use super::since::Looks;
use crate::model::inspect::{Inspection, Part};
use crate::model::key::ProcessKey;
use crate::model::mark::Mark;
use crate::model::reading::Reading;
use crate::session::inspect::Looked;
use crate::tui::finding::span;
use crate::tui::theme::Theme;

/// Two looks at one part, and what the mark keeps of it.
#[derive(Clone, Debug, Default)]
struct LooksAt {
    first: Option<Arc<Inspection>>,
    latest: Option<Arc<Inspection>>,
    marked: Option<Arc<Inspection>>,
}

/// So much later than a mark a look is still one at the mark, milliseconds.
const AT_MARK_MS: u64 = 2_000;

/// The looks at every part, and the latest look of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    latest: Option<Arc<Inspection>>,
    /// Why the last look gave nothing.
    refusal: Option<Arc<str>>,
    parts: [LooksAt; Part::ALL.len()],
    /// The mark that is compared with.
    mark: Option<Arc<Mark>>,
}

impl Seen {
    /// Takes what came of a look. True where something new was seen.
    pub(super) fn take(&mut self, looked: &Looked) -> bool {
        match looked {
            Ok(inspection) => self.take_inspection(inspection),
            Err(why) => {
                self.refusal = Some(Arc::clone(why));
                false
            }
        }
    }

    /// Takes a look. Parts that it does not hold stay as they were, with their age. True where it is a new one.
    fn take_inspection(&mut self, inspection: &Arc<Inspection>) -> bool {
        if self.latest.as_ref().is_some_and(|latest| Arc::ptr_eq(latest, inspection)) {
            return false;
        }
        (self.latest, self.refusal) = (Some(Arc::clone(inspection)), None);
        for part in Part::ALL {
            if is_told(inspection, part) {
                let looks = &mut self.parts[part as usize];
                if looks.first.is_none() && is_known(inspection, part) {
                    looks.first = Some(Arc::clone(inspection));
                }
                looks.latest = Some(Arc::clone(inspection));
            }
        }
        true
    }

    /// The latest look of all: its overview.
    pub(super) fn latest(&self) -> Option<&Inspection> {
        self.latest.as_deref()
    }

    /// The same, to be kept.
    pub(super) fn look(&self) -> Option<&Arc<Inspection>> {
        self.latest.as_ref()
    }

    /// Compares the process of this key with a mark, or with none. True where what is compared with became another.
    pub(super) fn compare(&mut self, key: ProcessKey, mark: Option<&Arc<Mark>>, kept: &mut Looks) -> bool {
        let mut is_other = self.mark.as_ref().map(Arc::as_ptr) != mark.map(Arc::as_ptr);
        self.mark = mark.cloned();
        for part in Part::ALL {
            let looks = &mut self.parts[part as usize];
            let marked = mark.and_then(|mark| {
                // The first that was seen is nearer to the mark, unless it was before it.
                looks.first.iter().chain(&looks.latest).for_each(|look| kept.take(mark.at, part, look));
                kept.of(mark.at, key, part).cloned()
            });
            is_other |= marked.as_ref().map(Arc::as_ptr) != looks.marked.as_ref().map(Arc::as_ptr);
            looks.marked = marked;
        }
        is_other
    }

    /// The latest look at a part.
    pub(super) fn part(&self, part: Part) -> Option<&Inspection> {
        self.parts[part as usize].latest.as_deref()
    }

    /// What is said in place of a part that was not seen yet: that it is being read, or why it can't be.
    pub(super) fn unseen(&self, part: Part, theme: &Theme) -> String {
        let what = word(part);
        let gone = || self.latest.as_ref().and_then(|latest| explain_gone(latest, part));
        match self.refusal.as_deref().map(str::to_owned).or_else(gone) {
            Some(why) => tr!("The {what} can't be read: {why}.", what, why),
            None => tr!("reading the {what} {dots}", what, dots = theme.pick("…", "...")),
        }
    }

    /// What a part is compared with: the look that the mark keeps, else the first look, when its tab was first shown;
    /// `None` while there is no later one.
    pub(super) fn baseline(&self, part: Part) -> Option<&Inspection> {
        let looks = &self.parts[part as usize];
        let base = looks.marked.as_ref().or(looks.first.as_ref())?;
        (!Arc::ptr_eq(base, looks.latest.as_ref()?)).then_some(base)
    }

    /// What the change of a part is measured from: `in 3m since first shown`, `in 3m since mark 14:02:11`.
    pub(super) fn since(&self, part: Part) -> Option<String> {
        let base = self.baseline(part)?;
        let looks = &self.parts[part as usize];
        let ago = span(looks.latest.as_ref()?.at.since(base.at) as f64);
        Some(match self.mark.as_ref().filter(|_| looks.marked.is_some()) {
            None => tr!("in {ago} since first shown", ago),
            Some(mark) => match base.at.since(mark.at) {
                0..=AT_MARK_MS => tr!("in {ago} since mark {name}", ago, name = mark.name),
                late => tr!(
                    "in {ago}, first seen {late} after mark {name}",
                    ago,
                    late = span(late as f64),
                    name = mark.name
                ),
            },
        })
    }
}

/// What a part is called in a sentence.
fn word(part: Part) -> &'static str {
    match part {
        Part::Mappings => tr!("mappings"),
        Part::Descriptors => tr!("descriptors"),
        Part::Threads => tr!("threads"),
        Part::Runtime => tr!("runtime"),
    }
}

/// Why a part was gone when it was looked for.
fn explain_gone(inspection: &Inspection, part: Part) -> Option<String> {
    fn why<T>(reading: &Reading<T>) -> Option<String> {
        reading.explain().filter(|_| matches!(reading, Reading::Gone))
    }
    match part {
        Part::Mappings => why(&inspection.mappings),
        Part::Descriptors => why(&inspection.descriptors),
        Part::Threads => why(&inspection.threads),
        Part::Runtime => why(&inspection.runtime),
    }
}

/// Whether a look says anything of a part: that it has ended meanwhile is no reason to forget what was seen.
fn is_told(inspection: &Inspection, part: Part) -> bool {
    fn told<T>(reading: &Reading<T>) -> bool {
        !matches!(reading, Reading::Pending | Reading::Gone)
    }
    match part {
        Part::Mappings => told(&inspection.mappings),
        Part::Descriptors => told(&inspection.descriptors),
        Part::Threads => told(&inspection.threads),
        Part::Runtime => told(&inspection.runtime),
    }
}

/// Whether a part was read.
pub(super) fn is_known(inspection: &Inspection, part: Part) -> bool {
    match part {
        Part::Mappings => inspection.mappings.as_ref().value().is_some(),
        Part::Descriptors => inspection.descriptors.as_ref().value().is_some(),
        Part::Threads => inspection.threads.as_ref().value().is_some(),
        Part::Runtime => inspection.runtime.as_ref().value().is_some(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::inspect::mapping::Mappings;
    use crate::model::inspect::overview::Overview;
    use crate::model::inspect::thread::Threads;
    use crate::model::key::ProcessKey;
    use crate::model::process::{Identity, ProcessSample};
    use crate::model::reading::{BootMs, Denial};

    pub(in super::super) fn look(
        second: u64,
        mappings: Reading<Mappings>,
        threads: Reading<Threads>,
    ) -> Arc<Inspection> {
        let key = ProcessKey { pid: 7, start_time: 1 };
        Arc::new(Inspection {
            key,
            at: BootMs(second * 1000),
            wall_ms: 0,
            took_us: 0,
            overview: Overview {
                process: ProcessSample::found(key, Arc::new(Identity::default())),
                user: "app".into(),
                age_ms: 0,
                program: Reading::Pending,
                totals: Reading::Pending,
                limit: Reading::Pending,
                fd_limit: Reading::Pending,
                oom_score_adj: Reading::Pending,
            },
            mappings,
            descriptors: Reading::Pending,
            threads,
            runtime: Reading::Pending,
        })
    }

    fn seconds(seen: &Seen, part: Part) -> (Option<u64>, Option<u64>) {
        let second = |look: Option<&Inspection>| look.map(|look| look.at.0 / 1000);
        (second(seen.part(part)), second(seen.baseline(part)))
    }

    #[test]
    fn each_part_keeps_its_last_look_and_is_compared_with_its_first() {
        let known = || Reading::Value(Mappings::default());
        let mut seen = Seen::default();
        assert!(seen.take(&Ok(look(1, Reading::Denied(Denial::Ptrace), Reading::Pending))));
        assert_eq!(seconds(&seen, Part::Mappings), (Some(1), None));
        for second in 2..5 {
            seen.take(&Ok(look(second, known(), Reading::Pending)));
        }
        seen.take(&Ok(look(5, Reading::Pending, Reading::Value(Threads::default()))));
        assert_eq!(seconds(&seen, Part::Mappings), (Some(4), Some(2)));
        assert_eq!(seconds(&seen, Part::Threads), (Some(5), None), "one look is not compared with itself");
        assert_eq!(seconds(&seen, Part::Descriptors), (None, None));
        seen.take(&Ok(look(6, Reading::Gone, Reading::Pending)));
        assert_eq!(seconds(&seen, Part::Mappings), (Some(4), Some(2)), "an end takes nothing away");
    }

    #[test]
    fn a_refusal_is_told_until_something_is_seen() {
        let theme = Theme::load("dark", crate::tui::theme::Depth::True, true).unwrap();
        let mut seen = Seen::default();
        assert_eq!(seen.unseen(Part::Threads, &theme), "reading the threads ...");
        assert!(!seen.take(&Err("it is secret".into())));
        assert_eq!(seen.unseen(Part::Threads, &theme), "The threads can't be read: it is secret.");
        let first = Ok(look(1, Reading::Pending, Reading::Pending));
        assert!(seen.take(&first) && !seen.take(&first), "the same look is nothing new");
        assert_eq!(seen.unseen(Part::Threads, &theme), "reading the threads ...");
        seen.take(&Ok(look(2, Reading::Pending, Reading::Gone)));
        assert!(seen.unseen(Part::Threads, &theme).contains("ended before it could be read"));
    }
}
