//! Which processes or groups are worth their labels: a bounded number, and few changes in who they are.
//!
//! Each new name costs a database a new series. So half of the places go to the largest, and in the other half who is
//! there stays while it is among twice as many: two of one size do not take turns.

use std::collections::HashSet;
use std::hash::Hash;

use crate::model::field::{ProcessField, SourceSet, process_field};
use crate::model::group::{Group, GroupBy, group};
use crate::model::key::ProcessKey;
use crate::model::query::Query;
use crate::model::snapshot::{Row, Snapshot};

/// What is to be exported of processes.
#[derive(Debug)]
pub struct Wish {
    /// How many processes or groups, and how many findings.
    pub top: usize,
    /// Groups instead of processes.
    pub group: Option<GroupBy>,
    /// The fields of each.
    pub fields: Vec<&'static ProcessField>,
    /// The field by which they are ranked.
    pub sort: &'static ProcessField,
    /// Who is meant at all.
    pub filter: Option<Query>,
}

/// Fields that are exported unless others are chosen.
pub const FIELDS: [&str; 13] = [
    "pss",
    "rss",
    "uss",
    "swap",
    "private",
    "fds",
    "fd_limit",
    "fd_percent",
    "threads",
    "major_faults",
    "age",
    "growth",
    "verdict",
];

impl Default for Wish {
    fn default() -> Self {
        let field = |key| process_field(key).unwrap_or(&crate::model::field::PROCESS_FIELDS[0]);
        Self { top: 20, group: None, fields: FIELDS.into_iter().map(field).collect(), sort: field("pss"), filter: None }
    }
}

impl Wish {
    /// What must be read for it; findings need descriptors and their limits whatever is exported.
    pub fn sources(&self) -> SourceSet {
        let judged = ["name", "private", "swap", "fds", "fd_percent", "threads"].into_iter().filter_map(process_field);
        let mut all = SourceSet::default();
        for field in self.fields.iter().copied().chain([self.sort]).chain(judged) {
            all.extend(field.sources());
        }
        if let Some(filter) = &self.filter {
            all.extend(filter.sources());
        }
        all
    }
}

/// Who is exported now.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Processes, the largest first; empty where there are groups.
    processes: Vec<ProcessKey>,
    /// Groups, the largest first.
    groups: Vec<Group>,
}

/// Who has opened so many percent of the files that it may is exported however small it is.
const NEAR_LIMIT: f64 = 80.0;

impl Choice {
    /// Processes, the largest first; empty where there are groups.
    pub fn processes(&self) -> &[ProcessKey] {
        &self.processes
    }

    /// Groups, the largest first; empty where there are processes.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Chooses anew.
    #[must_use]
    pub fn renew(&self, snapshot: &Snapshot, wish: &Wish) -> Self {
        let is_meant = |row: &Row<'_>| {
            !row.process.identity.is_kernel_thread && wish.filter.as_ref().is_none_or(|filter| filter.matches(row))
        };
        let meant = snapshot.rows().filter(is_meant);
        let Some(by) = wish.group else {
            let mut ranked: Vec<Ranked<ProcessKey>> = meant
                .map(|row| Ranked { of: row.process.key, weight: weight(&row, wish), fd_percent: fd_percent(&row) })
                .collect();
            let before: HashSet<ProcessKey> = self.processes.iter().copied().collect();
            return Self { processes: choose(&mut ranked, &before, wish.top), groups: Vec::new() };
        };
        let all = group(snapshot, by, meant.map(|row| row.index as u32));
        let rank = |(place, group): (usize, &Group)| {
            let rows = || group.members.iter().map(|member| snapshot.row(*member as usize));
            let nearest = rows().map(|row| fd_percent(&row)).fold(0.0, f64::max);
            // An index in place of the name, which is compared below.
            Ranked { of: place, weight: rows().map(|row| weight(&row, wish)).sum(), fd_percent: nearest }
        };
        let mut ranked: Vec<Ranked<usize>> = all.iter().enumerate().map(rank).collect();
        let names: HashSet<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        let before = (0..all.len()).filter(|place| names.contains(all[*place].name.as_str())).collect();
        let places = choose(&mut ranked, &before, wish.top);
        Self { processes: Vec::new(), groups: places.into_iter().map(|place| all[place].clone()).collect() }
    }
}

/// Somebody and its size.
struct Ranked<T> {
    of: T,
    weight: f64,
    fd_percent: f64,
}

/// How large somebody is. Where the PSS can't be known RSS stands for it.
fn weight(row: &Row<'_>, wish: &Wish) -> f64 {
    let number = |field: &ProcessField| (field.get)(row).value().and_then(|value| value.number());
    number(wish.sort).or_else(|| process_field("rss").and_then(number)).unwrap_or(0.0)
}

fn fd_percent(row: &Row<'_>) -> f64 {
    process_field("fd_percent").and_then(|field| (field.get)(row).value()?.number()).unwrap_or(0.0)
}

/// At most `top` of them, the largest first.
fn choose<T: Copy + Eq + Hash>(ranked: &mut [Ranked<T>], before: &HashSet<T>, top: usize) -> Vec<T> {
    let descending = |a: f64, b: f64| b.total_cmp(&a);
    ranked.sort_by(|a, b| descending(a.weight, b.weight));
    let mut near: Vec<&Ranked<T>> = ranked.iter().filter(|one| one.fd_percent >= NEAR_LIMIT).collect();
    near.sort_by(|a, b| descending(a.fd_percent, b.fd_percent));
    let mut chosen: HashSet<T> = near.into_iter().take(top / 4).map(|one| one.of).collect();
    let largest = ranked.iter().take(top.div_ceil(2));
    let stay = ranked.iter().take(2 * top).filter(|one| before.contains(&one.of));
    for one in largest.chain(stay).chain(ranked.iter()) {
        if chosen.len() == top {
            break;
        }
        chosen.insert(one.of);
    }
    let mut order: Vec<T> = ranked.iter().map(|one| one.of).filter(|of| chosen.contains(of)).collect();
    order.truncate(top);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(weights: &[(u32, f64, f64)]) -> Vec<Ranked<u32>> {
        weights
            .iter()
            .map(|(of, weight, fd_percent)| Ranked { of: *of, weight: *weight, fd_percent: *fd_percent })
            .collect()
    }

    #[test]
    fn the_largest_half_is_right_and_the_other_half_stays() {
        let mut now =
            ranked(&[(1, 100.0, 0.0), (2, 90.0, 0.0), (3, 51.0, 0.0), (4, 50.0, 0.0), (5, 49.0, 0.0), (6, 1.0, 0.0)]);
        assert_eq!(choose(&mut now, &HashSet::new(), 4), [1, 2, 3, 4]);
        assert_eq!(choose(&mut now, &HashSet::from([4, 5]), 4), [1, 2, 4, 5], "who is there is only a little smaller");
        let small: Vec<(u32, f64, f64)> = (0..30).map(|nth| (nth, f64::from(100 - nth), 0.0)).collect();
        assert_eq!(choose(&mut ranked(&small), &HashSet::from([25, 7]), 4), [0, 1, 2, 7], "25 is far below");
    }

    #[test]
    fn who_is_near_its_limit_of_files_has_a_place_however_small() {
        let mut now =
            ranked(&[(1, 9.0, 0.0), (2, 8.0, 0.0), (3, 7.0, 0.0), (4, 6.0, 0.0), (5, 0.1, 95.0), (6, 0.2, 85.0)]);
        assert_eq!(choose(&mut now, &HashSet::new(), 4), [1, 2, 3, 5], "one place in four");
        assert_eq!(choose(&mut now, &HashSet::new(), 0), [0; 0]);
    }

    #[test]
    fn every_default_field_exists() {
        let wish = Wish::default();
        assert_eq!(wish.fields.iter().map(|field| field.key).collect::<Vec<_>>(), FIELDS);
        assert_eq!(wish.sort.key, "pss");
    }
}
