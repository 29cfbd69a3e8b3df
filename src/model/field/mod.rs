//! FIELDS: every quantity that can be shown, sorted, filtered, exported or guarded, declared once.
//!
//! Columns, the sort menu, filter words, JSON keys, CSV headers, the page of columns and what the
//! collector must read are derived from these two tables ([`process::PROCESS_FIELDS`] and
//! [`system::SYSTEM_FIELDS`]).

mod cgroup;
mod process;
mod system;
mod value;

pub use cgroup::{CGROUP_FIELDS, CgroupField, cgroup_field};
pub use process::{PROCESS_FIELDS, ProcessField, process_field};
pub use system::{SYSTEM_FIELDS, SystemField};
pub use value::Value;

/// What a quantity is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// A change in bytes, signed.
    BytesChange,
    /// A change in a number of things, signed.
    CountChange,
    /// Bytes per minute, signed.
    BytesPerMinute,
    /// Bytes per second.
    BytesPerSecond,
    /// A number of things.
    Count,
    /// Events per second.
    PerSecond,
    /// 0 to 100.
    Percent,
    /// Milliseconds.
    Milliseconds,
    /// Words.
    Text,
    /// A history, drawn as a sparkline; its sort value is the growth.
    Series,
}

impl Unit {
    /// Whether values of this unit are numbers.
    pub fn is_number(self) -> bool {
        self != Self::Text
    }
}

/// The kernel file a process field comes from: what the collector must read where the field is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Known from finding the process, or computed from what is.
    Key,
    /// comm, cmdline, status' Uid, cgroup: read when found, and in turn.
    Identity,
    /// `/proc/PID/statm`, read in every sample.
    Statm,
    /// `/proc/PID/stat`.
    Stat,
    /// `/proc/PID/status`.
    Status,
    /// `/proc/PID/smaps_rollup`.
    Rollup,
    /// `/proc/PID/fd`.
    Fds,
    /// `/proc/PID/limits`.
    Limits,
    /// `/proc/PID/oom_score`.
    OomScore,
    /// The history of the samples so far.
    History,
    /// A mark, and what the field it is the change of is read from.
    Mark,
}

impl Source {
    /// The kernel file, as shown to a person.
    pub fn file(self) -> &'static str {
        match self {
            Self::Key => "/proc/PID",
            Self::Identity => "/proc/PID/{comm,cmdline,status,cgroup}",
            Self::Statm => "/proc/PID/statm",
            Self::Stat => "/proc/PID/stat",
            Self::Status => "/proc/PID/status",
            Self::Rollup => "/proc/PID/smaps_rollup",
            Self::Fds => "/proc/PID/fd",
            Self::Limits => "/proc/PID/limits",
            Self::OomScore => "/proc/PID/oom_score",
            Self::History => "history",
            Self::Mark => "mark",
        }
    }
}

/// A set of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceSet(u16);

impl SourceSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// Adds a source.
    pub fn insert(&mut self, source: Source) {
        self.0 |= 1 << source as u16;
    }

    /// Adds every source of another set.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The set without the sources of another.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the source is in the set.
    pub fn contains(self, source: Source) -> bool {
        self.0 & (1 << source as u16) != 0
    }
}

impl FromIterator<Source> for SourceSet {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        let mut set = Self::default();
        sources.into_iter().for_each(|source| set.insert(source));
        set
    }
}

/// How a quantity of several processes becomes one of their group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The sum is exact: nothing is counted twice.
    Sum,
    /// Pages shared by members are counted once for each: the sum is an upper bound.
    UpperBound,
    /// The largest member's.
    Max,
    /// The worst member's, or that of the services they make up.
    Worst,
    /// Nothing to say of a group.
    None,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_unique_snake_case_words() {
        let mut seen = HashSet::new();
        let keys = PROCESS_FIELDS.iter().map(|field| field.key);
        for key in keys {
            assert!(seen.insert(key), "{key} twice");
            assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{key}");
        }
        seen.clear();
        for field in SYSTEM_FIELDS {
            assert!(seen.insert(field.key), "{} twice", field.key);
        }
    }

    #[test]
    fn every_help_is_one_sentence() {
        let helps = PROCESS_FIELDS.iter().map(|field| field.help).chain(SYSTEM_FIELDS.iter().map(|field| field.help));
        for help in helps {
            assert!(help.ends_with('.') && help.len() > 5, "{help}");
        }
    }

    #[test]
    fn no_two_columns_go_at_once() {
        let mut goes: Vec<u8> = PROCESS_FIELDS.iter().map(|field| field.dispensable).filter(|goes| *goes > 0).collect();
        goes.sort_unstable();
        assert!(!goes.is_empty() && goes.windows(2).all(|pair| pair[0] < pair[1]), "{goes:?}");
    }

    #[test]
    fn titles_fit_their_columns() {
        for field in PROCESS_FIELDS {
            // One column is kept for the sort mark.
            assert!(field.width == 0 || field.title.len() < usize::from(field.width), "{}", field.key);
        }
    }
}
