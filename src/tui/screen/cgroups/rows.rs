//! Which lines the list of control groups has and in what order.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Order;
use crate::model::census::Census;
use crate::model::cgroup_query::CgroupQuery;
use crate::model::field::Value;
use crate::model::snapshot::Snapshot;
use crate::model::text::Text;
use crate::model::tree::{Kin, forest};

/// What the list is to hold.
pub(super) struct Wish<'a> {
    pub(super) order: Order,
    pub(super) is_flat: bool,
    pub(super) folded: &'a HashSet<Text>,
    pub(super) filter: Option<&'a CgroupQuery>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The group's place in the tree.
    pub(super) place: usize,
    /// For each ancestor below the root, whether another of its brothers follows; last its own.
    pub(super) follows: Vec<bool>,
    /// Where it has groups in it: whether they are hidden.
    pub(super) fold: Option<bool>,
    /// Whether the filter found it, and not one of the groups in it.
    pub(super) is_found: bool,
}

/// Builds the lines. A tree keeps the ancestors of what the filter found.
pub(super) fn build(census: &Census, snapshot: &Snapshot, wish: &Wish<'_>) -> Vec<Line> {
    let count = census.tree.nodes.len();
    let is_found = |place: usize| wish.filter.is_none_or(|filter| filter.matches(&census.row(place, snapshot)));
    let found: Vec<bool> = (0..count).map(is_found).collect();
    let mut kept = found.clone();
    if !wish.is_flat {
        for place in (0..count).filter(|place| found[*place]) {
            let mut next = census.parents[place];
            while let Some(parent) = next.filter(|parent| !kept[*parent]) {
                kept[parent] = true;
                next = census.parents[parent];
            }
        }
    }
    let mut order: Vec<usize> = (0..count).filter(|place| kept[*place]).collect();
    sort(&mut order, census, snapshot, wish.order);
    if wish.is_flat {
        let line = |place| Line { place, follows: Vec::new(), fold: None, is_found: true };
        return order.into_iter().map(line).collect();
    }
    let is_folded = |place: usize| wish.folded.contains(&census.tree.nodes[place].path);
    let kin: Vec<Kin> = order
        .iter()
        .map(|place| Kin {
            item: *place as u32,
            pid: *place as u32 + 1,
            parent: census.parents[*place].map_or(0, |parent| parent as u32 + 1),
            is_folded: is_folded(*place),
        })
        .collect();
    let line = |branch: crate::model::tree::Branch| {
        let place = branch.item as usize;
        Line {
            place,
            follows: branch.follows,
            fold: branch.has_children.then(|| is_folded(place)),
            is_found: found[place],
        }
    };
    forest(&kin).into_iter().map(line).collect()
}

/// What is unknown comes last either way; among equals the one that uses most is first.
fn sort(places: &mut [usize], census: &Census, snapshot: &Snapshot, order: Order) {
    places.sort_by_key(|place| std::cmp::Reverse(census.tree.nodes[*place].usage.value()));
    let value = |place: usize| -> Option<Value<'_>> { (order.by.get)(&census.row(place, snapshot)).value() };
    let turn = |ordering: Ordering| if order.is_descending { ordering.reverse() } else { ordering };
    let mut keyed: Vec<(Option<Value<'_>>, usize)> = places.iter().map(|place| (value(*place), *place)).collect();
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => turn(a.order(b)),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    places.iter_mut().zip(keyed).for_each(|(place, (_, sorted))| *place = sorted);
}
