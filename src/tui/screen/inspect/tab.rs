//! The parts of a process that are shown one at a time.

use crate::model::inspect::{Part, PartSet};
use crate::tui::action::Action;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// All in short, and how it grows.
    Overview,
    /// What is mapped.
    Mappings,
    /// What is open.
    Descriptors,
    /// Its threads.
    Threads,
    /// What runs it, and the limit that it keeps to.
    Runtime,
}

/// What a tab is called, and what leads to it.
#[derive(Debug)]
pub struct TabSpec {
    /// The tab.
    pub tab: Tab,
    /// Its name.
    pub title: &'static str,
    /// Its name where there is little room.
    pub short: &'static str,
    /// What shows it: its key stands beside its name.
    pub action: Action,
    /// The part that it shows; the overview is in every inspection.
    pub part: Option<Part>,
    /// What else has to be read for it.
    beside: Option<Part>,
}

/// Every tab, from the left.
pub const TABS: [TabSpec; 5] = [
    TabSpec {
        tab: Tab::Overview,
        title: key!("Overview"),
        short: key!("All"),
        action: Action::ShowOverview,
        part: None,
        beside: None,
    },
    TabSpec {
        tab: Tab::Mappings,
        title: key!("Mappings"),
        short: key!("Maps"),
        action: Action::ShowMappings,
        part: Some(Part::Mappings),
        beside: None,
    },
    TabSpec {
        tab: Tab::Descriptors,
        title: key!("Descriptors"),
        short: "FDs",
        action: Action::ShowDescriptors,
        part: Some(Part::Descriptors),
        beside: None,
    },
    TabSpec {
        tab: Tab::Threads,
        title: key!("Threads"),
        short: key!("Thr"),
        action: Action::ShowThreads,
        part: Some(Part::Threads),
        // A stack is a mapping.
        beside: Some(Part::Mappings),
    },
    TabSpec {
        tab: Tab::Runtime,
        title: key!("Runtime"),
        short: key!("Run"),
        action: Action::ShowRuntime,
        part: Some(Part::Runtime),
        // Its heap is known by its mappings.
        beside: Some(Part::Mappings),
    },
];

impl Tab {
    /// Its row.
    pub fn spec(self) -> &'static TabSpec {
        &TABS[self as usize]
    }

    /// What has to be read for it.
    pub fn parts(self) -> PartSet {
        let spec = self.spec();
        spec.part.into_iter().chain(spec.beside).collect()
    }

    /// The tab beside it, around the ends.
    #[must_use]
    pub fn beside(self, step: isize) -> Self {
        TABS[(self as isize + step).rem_euclid(TABS.len() as isize) as usize].tab
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tab_stands_at_its_place() {
        for spec in &TABS {
            assert_eq!(spec.tab.spec().title, spec.title);
            assert_eq!(spec.tab.beside(1).beside(-1), spec.tab);
        }
        assert_eq!(Tab::Overview.beside(-1), Tab::Runtime);
    }
}
