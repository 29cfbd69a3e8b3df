//! Which lines the list has and in what order. Nothing is formatted here but what sorts by text.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::LineKey;
use crate::model::field::{ProcessField, Value};
use crate::model::group::{Group, GroupBy, group};
use crate::model::key::ProcessKey;
use crate::model::query::Query;
use crate::model::snapshot::Snapshot;
use crate::model::tree::{Kin, forest};

/// What sorts the list, and which way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// The field.
    pub by: &'static ProcessField,
    /// The largest first.
    pub is_descending: bool,
}

/// What the list is to hold.
pub struct Wish<'a> {
    /// What sorts it.
    pub order: Order,
    /// Who is in it.
    pub filter: Option<&'a Query>,
    /// Whether it is grouped.
    pub group: Option<GroupBy>,
    /// Whether it is a tree.
    pub is_tree: bool,
    /// Whether kernel threads are in it.
    pub shows_kernel_threads: bool,
    /// Branches that are folded; groups that are unfolded.
    pub folded: &'a HashSet<LineKey>,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A process.
    Process {
        /// Its place in the sample.
        index: u32,
        /// For each ancestor below the root, whether another of its brothers follows.
        follows: Vec<bool>,
        /// Children, if it has any: whether they are hidden.
        fold: Option<bool>,
    },
    /// A group.
    Group {
        /// Its place in the list's groups.
        group: u32,
        /// Whether its members are hidden.
        is_folded: bool,
    },
}

/// The lines.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// From the top.
    pub lines: Vec<Line>,
    groups: Vec<Group>,
    /// Where the selected line was seen last.
    pub last_place: usize,
    order: Vec<u32>,
}

impl List {
    /// Builds the lines anew.
    pub fn build(&mut self, snapshot: &Snapshot, wish: &Wish<'_>) {
        let is_wanted = |index: &u32| {
            let row = snapshot.row(*index as usize);
            (wish.shows_kernel_threads || !row.process.identity.is_kernel_thread)
                && wish.filter.is_none_or(|filter| filter.matches(&row))
        };
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend((0..snapshot.sample.processes.len() as u32).filter(is_wanted));
        if let Some(what) = wish.order.by.marked() {
            // Among those that changed by the same the largest comes first.
            let by_size = Order { by: what.field(), is_descending: true };
            sort(&mut order, by_size, |index, field| (field.get)(&snapshot.row(index as usize)).value());
        }
        sort(&mut order, wish.order, |index, field| (field.get)(&snapshot.row(index as usize)).value());
        self.groups.clear();
        match wish.group {
            Some(by) => self.build_groups(snapshot, wish, by, &order),
            None if wish.is_tree => self.build_tree(snapshot, wish, &order),
            None => {
                let plain = |index: &u32| Line::Process { index: *index, follows: Vec::new(), fold: None };
                self.lines.clear();
                self.lines.extend(order.iter().map(plain));
            }
        }
        self.order = order;
    }

    fn build_tree(&mut self, snapshot: &Snapshot, wish: &Wish<'_>, order: &[u32]) {
        let kin: Vec<Kin> = order
            .iter()
            .map(|index| {
                let process = &snapshot.sample.processes[*index as usize];
                Kin {
                    item: *index,
                    pid: process.key.pid,
                    parent: process.stat.reading.value().map_or(0, |stat| stat.ppid),
                    is_folded: wish.folded.contains(&LineKey::Process(process.key)),
                }
            })
            .collect();
        let folded =
            |index: u32| wish.folded.contains(&LineKey::Process(snapshot.sample.processes[index as usize].key));
        self.lines = forest(&kin)
            .into_iter()
            .map(|branch| Line::Process {
                index: branch.item,
                follows: branch.follows,
                fold: branch.has_children.then(|| folded(branch.item)),
            })
            .collect();
    }

    fn build_groups(&mut self, snapshot: &Snapshot, wish: &Wish<'_>, by: GroupBy, order: &[u32]) {
        // Members keep the order of the list.
        self.groups = group(snapshot, by, order.iter().copied());
        if wish.filter.is_some() {
            // Whether those that ended would have passed can't be told.
            self.groups.iter_mut().for_each(|group| group.ended.clear());
        }
        let mut places: Vec<u32> = (0..self.groups.len() as u32).collect();
        let groups = &self.groups;
        sort(&mut places, wish.order, |place, field| groups[place as usize].total(snapshot, field).0.value());
        self.lines.clear();
        for place in places {
            let group = &self.groups[place as usize];
            // Groups begin folded: `folded` holds those that were opened.
            let is_folded = !wish.folded.contains(&LineKey::Group(group.name.clone()));
            self.lines.push(Line::Group { group: place, is_folded });
            if !is_folded {
                let last = group.members.len().saturating_sub(1);
                self.lines.extend(group.members.iter().enumerate().map(|(nth, index)| Line::Process {
                    index: *index,
                    follows: vec![nth < last],
                    fold: None,
                }));
            }
        }
    }

    /// What a line is about.
    pub fn key(&self, snapshot: &Snapshot, line: &Line) -> LineKey {
        match line {
            Line::Process { index, .. } => LineKey::Process(snapshot.sample.processes[*index as usize].key),
            Line::Group { group, .. } => LineKey::Group(self.groups[*group as usize].name.clone()),
        }
    }

    /// The group of a line.
    pub fn group(&self, place: u32) -> &Group {
        &self.groups[place as usize]
    }

    /// The processes of a group.
    pub fn members(&self, snapshot: &Snapshot, name: &str) -> Vec<ProcessKey> {
        let group = self.groups.iter().find(|group| group.name == name);
        let members = group.into_iter().flat_map(|group| &group.members);
        members.filter_map(|index| snapshot.sample.processes.get(*index as usize)).map(|process| process.key).collect()
    }

    /// Places in the sample of all processes that passed.
    pub fn processes(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|index| *index as usize)
    }

    /// Whether a line's text holds a word (in lower case).
    pub fn holds(&self, snapshot: &Snapshot, line: &Line, word: &str) -> bool {
        match line {
            Line::Group { group, .. } => self.groups[*group as usize].name.to_lowercase().contains(word),
            Line::Process { index, .. } => {
                let row = snapshot.row(*index as usize);
                let identity = &row.process.identity;
                identity.shown_command().to_lowercase().contains(word)
                    || identity.comm.escaped().to_lowercase().contains(word)
                    || row.user().to_lowercase().contains(word)
                    || row.process.key.pid.to_string().starts_with(word)
            }
        }
    }
}

/// Sorts places by a field: what is unknown comes last either way, equals keep their order, so that nothing jumps.
fn sort<'a>(places: &mut [u32], order: Order, get: impl Fn(u32, &ProcessField) -> Option<Value<'a>>) {
    let turn = |ordering: Ordering| if order.is_descending { ordering.reverse() } else { ordering };
    if order.by.unit.is_number() {
        let mut keyed: Vec<(f64, u32)> = places
            .iter()
            .map(|place| (get(*place, order.by).and_then(|value| value.number()).unwrap_or(f64::NAN), *place))
            .collect();
        keyed.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
            (false, false) => turn(a.total_cmp(b)),
            (a, b) => a.cmp(&b),
        });
        places.iter_mut().zip(keyed).for_each(|(place, (_, sorted))| *place = sorted);
    } else {
        let mut keyed: Vec<(Option<Value<'_>>, u32)> =
            places.iter().map(|place| (get(*place, order.by), *place)).collect();
        keyed.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => turn(a.order(b)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        places.iter_mut().zip(keyed).for_each(|(place, (_, sorted))| *place = sorted);
    }
}
