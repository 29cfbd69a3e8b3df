//! Parents and children as a forest, in whatever order brothers come.

use std::collections::HashMap;

/// One line of a drawn forest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Place of the process in the caller's list.
    pub item: u32,
    /// For each ancestor below the root, whether another of its brothers follows; last its own.
    pub follows: Vec<bool>,
    /// Whether it has children (folded or not).
    pub has_children: bool,
}

/// A process as the forest sees it.
#[derive(Clone, Copy, Debug)]
pub struct Kin {
    /// Place in the caller's list.
    pub item: u32,
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid.
    pub parent: u32,
    /// Whether its children are hidden.
    pub is_folded: bool,
}

/// The deepest level that is indented; deeper ones are drawn at the same place.
const DEEPEST: usize = 24;

/// Orders processes so that children follow their parent; brothers keep the order they came in. A process whose
/// parent is not in the list is a root, and so is one of every circle that hostile parent ids form.
pub fn forest(kin: &[Kin]) -> Vec<Branch> {
    let place: HashMap<u32, usize> = kin.iter().enumerate().map(|(place, kin)| (kin.pid, place)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); kin.len()];
    let mut roots = Vec::new();
    for (at, process) in kin.iter().enumerate() {
        match place.get(&process.parent) {
            Some(parent) if *parent != at => children[*parent].push(at),
            _ => roots.push(at),
        }
    }
    let mut branches = Vec::with_capacity(kin.len());
    let mut is_drawn = vec![false; kin.len()];
    for root in roots {
        draw(root, kin, &children, &mut is_drawn, &mut branches);
    }
    // What no root leads to is a circle.
    for at in 0..kin.len() {
        if !is_drawn[at] {
            draw(at, kin, &children, &mut is_drawn, &mut branches);
        }
    }
    branches
}

fn draw(root: usize, kin: &[Kin], children: &[Vec<usize>], is_drawn: &mut [bool], branches: &mut Vec<Branch>) {
    // A stack of our own: a hundred thousand generations must not end the program.
    let mut stack = vec![(root, Vec::new(), false)];
    while let Some((at, follows, is_hidden)) = stack.pop() {
        if std::mem::replace(&mut is_drawn[at], true) {
            continue;
        }
        let hides = is_hidden || kin[at].is_folded;
        let last = children[at].len().saturating_sub(1);
        for (nth, child) in children[at].iter().enumerate().rev() {
            let mut below: Vec<bool> = follows.clone();
            if below.len() < DEEPEST {
                below.push(nth < last);
            }
            stack.push((*child, below, hides));
        }
        if !is_hidden {
            branches.push(Branch { item: kin[at].item, follows, has_children: !children[at].is_empty() });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kin(list: &[(u32, u32)]) -> Vec<Kin> {
        let one = |(item, (pid, parent)): (usize, &(u32, u32))| Kin {
            item: item as u32,
            pid: *pid,
            parent: *parent,
            is_folded: false,
        };
        list.iter().enumerate().map(one).collect()
    }

    #[test]
    fn children_follow_their_parent_in_the_order_they_came() {
        let order: Vec<u32> = forest(&kin(&[(9, 1), (1, 0), (5, 1), (7, 9), (3, 99)])).iter().map(|b| b.item).collect();
        assert_eq!(order, [1, 0, 3, 2, 4]);
    }

    #[test]
    fn a_folded_parent_hides_all_below_it() {
        let mut list = kin(&[(1, 0), (2, 1), (3, 2), (4, 0)]);
        list[0].is_folded = true;
        let branches = forest(&list);
        assert_eq!(branches.iter().map(|b| b.item).collect::<Vec<_>>(), [0, 3]);
        assert!(branches[0].has_children);
    }

    #[test]
    fn a_hundred_thousand_generations_are_drawn() {
        let list: Vec<(u32, u32)> = (1..=100_000).map(|pid| (pid, pid - 1)).collect();
        assert_eq!(forest(&kin(&list)).len(), 100_000);
    }

    proptest! {
        #[test]
        fn every_process_is_drawn_once_whatever_the_parents(parents in proptest::collection::vec(0u32..40, 0..40)) {
            let list: Vec<(u32, u32)> = parents.iter().enumerate().map(|(pid, parent)| (pid as u32, *parent)).collect();
            let mut items: Vec<u32> = forest(&kin(&list)).iter().map(|branch| branch.item).collect();
            items.sort_unstable();
            prop_assert_eq!(items, (0..parents.len() as u32).collect::<Vec<_>>());
        }
    }
}
