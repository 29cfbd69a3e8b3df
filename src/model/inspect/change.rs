//! What changed between two inspections of one process: lines of both, matched by what they are.
//! Without an earlier one every line is new.

use std::collections::HashMap;
use std::hash::Hash;

use super::descriptor::{Descriptors, KindCount, Target};
use super::mapping::{MappingGroup, Mappings};
use super::thread::{Thread, Threads};

/// A line of now beside the same line of before. One of them may be missing, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<'a, T> {
    line: &'a T,
    /// As it is; `None` where it is no more.
    pub now: Option<&'a T>,
    /// As it was; `None` where it is new.
    pub before: Option<&'a T>,
}

impl<'a, T> Changed<'a, T> {
    /// The line that there is, that of now first.
    pub fn line(&self) -> &'a T {
        self.line
    }

    /// By how much a quantity rose, or, negative, fell.
    pub fn change(&self, get: impl Fn(&T) -> u64) -> i64 {
        let of = |line: Option<&T>| i64::try_from(line.map_or(0, &get)).unwrap_or(i64::MAX);
        of(self.now) - of(self.before)
    }
}

impl Changed<'_, MappingGroup> {
    /// Whether the memory of all its mappings was read, now and before.
    pub fn is_read(&self) -> bool {
        self.now.into_iter().chain(self.before).all(|group| group.unread == 0)
    }
}

/// The earlier descriptors where both were read whole: samples of two moments are of different descriptors.
pub fn whole<'a>(now: &Descriptors, before: Option<&'a Descriptors>) -> Option<&'a Descriptors> {
    before.filter(|before| before.coverage.is_whole() && now.coverage.is_whole())
}

/// Groups of mappings, in the order of now; those that are no more come last.
pub fn mappings<'a>(now: &'a Mappings, before: Option<&'a Mappings>) -> Vec<Changed<'a, MappingGroup>> {
    matched(&now.groups, before.map(|before| &*before.groups), |group| (group.kind, &group.name, group.is_deleted))
}

/// Targets of descriptors, in the order of now; those that are no more come last. Where either was read in part, or
/// had more targets than are kept, a line that is new may have been there before.
pub fn targets<'a>(now: &'a Descriptors, before: Option<&'a Descriptors>) -> Vec<Changed<'a, Target>> {
    matched(&now.targets, before.map(|before| &*before.targets), |target| {
        (target.kind, &target.name, target.is_deleted, &target.socket)
    })
}

/// Kinds of descriptors, in the order of now; those that are no more come last.
pub fn kinds<'a>(now: &'a Descriptors, before: Option<&'a Descriptors>) -> Vec<Changed<'a, KindCount>> {
    matched(&now.kinds, before.map(|before| &*before.kinds), |count| count.kind)
}

/// Threads, by id; those that have ended come last.
pub fn threads<'a>(now: &'a Threads, before: Option<&'a Threads>) -> Vec<Changed<'a, Thread>> {
    matched(&now.threads, before.map(|before| &*before.threads), |thread| thread.tid)
}

fn matched<'a, T, K: Eq + Hash>(
    now: &'a [T],
    before: Option<&'a [T]>,
    key: impl Fn(&'a T) -> K,
) -> Vec<Changed<'a, T>> {
    let before = before.unwrap_or_default();
    let mut old: HashMap<K, &T> = before.iter().map(|line| (key(line), line)).collect();
    let mut lines: Vec<Changed<'a, T>> =
        now.iter().map(|line| Changed { line, now: Some(line), before: old.remove(&key(line)) }).collect();
    // In the order that they had, not that of the map.
    let ended = before.iter().filter(|line| old.contains_key(&key(*line)));
    lines.extend(ended.map(|line| Changed { line, now: None, before: Some(line) }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inspect::mapping::MappingKind;
    use crate::model::inspect::memory::Memory;

    fn group(name: &str, rss: u64) -> MappingGroup {
        MappingGroup {
            kind: MappingKind::File,
            name: name.into(),
            is_deleted: false,
            count: 1,
            unread: 0,
            memory: Memory { rss, ..Memory::default() },
        }
    }

    #[test]
    fn lines_are_matched_by_what_they_are() {
        let before = Mappings { groups: vec![group("/a", 10), group("/b", 20)], ..Mappings::default() };
        let now = Mappings { groups: vec![group("/c", 5), group("/a", 4)], ..Mappings::default() };
        let changes: Vec<(String, i64)> = mappings(&now, Some(&before))
            .iter()
            .map(|line| (line.line().shown(), line.change(|group| group.memory.rss)))
            .collect();
        assert_eq!(changes, [("/c".to_owned(), 5), ("/a".to_owned(), -6), ("/b".to_owned(), -20)]);
        assert!(mappings(&now, None).iter().all(|line| line.before.is_none()));
    }
}
