//! The looks that marks keep: what a process was like when a mark was set, or when it was first looked at after that.

use std::sync::Arc;

use super::seen::is_known;
use crate::model::inspect::{Inspection, Part};
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;

/// So many looks at parts are kept; the oldest go first.
const MOST: usize = 32;

/// A look at a part that a mark keeps. A mark is told from others by its moment: two of one moment keep the same.
#[derive(Clone, Debug)]
struct Kept {
    mark: BootMs,
    part: Part,
    look: Arc<Inspection>,
}

/// The looks of all marks, whichever process they are of.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    kept: Vec<Kept>,
}

impl Looks {
    /// Keeps the look that was shown as a mark was set.
    pub fn keep(&mut self, mark: BootMs, look: &Arc<Inspection>) {
        for part in Part::ALL.into_iter().filter(|part| is_known(look, *part)) {
            self.kept.retain(|kept| !kept.is(mark, look.key, part));
            self.push(mark, part, look);
        }
    }

    /// Keeps a look at a part if it is the first since the mark.
    pub(super) fn take(&mut self, mark: BootMs, part: Part, look: &Arc<Inspection>) {
        if look.at >= mark && is_known(look, part) && self.of(mark, look.key, part).is_none() {
            self.push(mark, part, look);
        }
    }

    fn push(&mut self, mark: BootMs, part: Part, look: &Arc<Inspection>) {
        self.kept.push(Kept { mark, part, look: Arc::clone(look) });
        self.kept.drain(..self.kept.len().saturating_sub(MOST));
    }

    /// What a mark keeps of a part of a process.
    pub(super) fn of(&self, mark: BootMs, key: ProcessKey, part: Part) -> Option<&Arc<Inspection>> {
        self.kept.iter().find(|kept| kept.is(mark, key, part)).map(|kept| &kept.look)
    }

    /// Forgets what was kept for marks that are no more.
    pub fn retain(&mut self, is_kept: impl Fn(BootMs) -> bool) {
        self.kept.retain(|kept| is_kept(kept.mark));
    }
}

impl Kept {
    fn is(&self, mark: BootMs, key: ProcessKey, part: Part) -> bool {
        self.mark == mark && self.look.key == key && self.part == part
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::look;
    use super::*;
    use crate::model::inspect::mapping::Mappings;
    use crate::model::reading::Reading;

    fn second(looks: &Looks, mark: u64, pid: u32) -> Option<u64> {
        let key = ProcessKey { pid, start_time: 1 };
        looks.of(BootMs(mark * 1000), key, Part::Mappings).map(|look| look.at.0 / 1000)
    }

    #[test]
    fn a_mark_keeps_the_look_that_was_shown_else_the_first_after_it() {
        let known = |second| look(second, Reading::Value(Mappings::default()), Reading::Pending);
        let mut looks = Looks::default();
        let take = |looks: &mut Looks, mark: u64, at| looks.take(BootMs(mark * 1000), Part::Mappings, &known(at));
        take(&mut looks, 5, 4);
        assert_eq!(second(&looks, 5, 7), None, "it was before the mark");
        looks.take(BootMs(5000), Part::Mappings, &look(6, Reading::Gone, Reading::Pending));
        assert_eq!(second(&looks, 5, 7), None, "nothing is known by it");
        take(&mut looks, 5, 7);
        take(&mut looks, 5, 9);
        assert_eq!((second(&looks, 5, 7), second(&looks, 5, 8), second(&looks, 6, 7)), (Some(7), None, None));
        looks.keep(BootMs(10_000), &known(9));
        take(&mut looks, 10, 11);
        assert_eq!((second(&looks, 5, 7), second(&looks, 10, 7)), (Some(7), Some(9)));
        looks.retain(|mark| mark.0 > 5000);
        assert_eq!((second(&looks, 5, 7), second(&looks, 10, 7)), (None, Some(9)));
        (20..20 + MOST as u64).for_each(|mark| take(&mut looks, mark, mark));
        assert_eq!((looks.kept.len(), second(&looks, 10, 7), second(&looks, 20, 7)), (MOST, None, Some(20)));
    }
}
