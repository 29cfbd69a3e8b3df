//! The tree of control groups with what follows from its processes: how many, their PSS, their growth, and which limit
//! binds each group.

use std::collections::HashMap;
use std::sync::Arc;

use super::cgroup_tree::{CgroupNode, CgroupTree};
use super::field::Value;
use super::group::Bound;
use super::mark::Marked;
use super::reading::Reading;
use super::snapshot::Snapshot;

/// A sum over processes, some of which may not be in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// The sum of what is known.
    pub known: f64,
    /// Of how many it is known.
    pub count: u32,
    /// Of how many it is not.
    pub unknown: u32,
}

impl Sum {
    fn add(&mut self, reading: Option<f64>) {
        match reading {
            Some(number) => {
                self.known += number;
                self.count += 1;
            }
            None => self.unknown += 1,
        }
    }

    /// The sum, where anything of it is known; where there is nobody it is zero.
    pub fn reading(self) -> Reading<f64> {
        if self.count == 0 && self.unknown > 0 { Reading::Pending } else { Reading::Value(self.known) }
    }
}

/// The processes of a group, those of the groups in it included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Crowd {
    /// How many.
    pub processes: u32,
    /// How many are in the group itself.
    pub own: u32,
    /// PSS, bytes.
    pub pss: Sum,
    /// Growth of private memory and swap, bytes per minute.
    pub growth: Sum,
    /// Change of PSS since the mark, the loss of those that ended included, bytes.
    pub change: Sum,
}

/// Everything that the view of control groups shows.
#[derive(Clone, Debug)]
pub struct Census {
    /// The groups.
    pub tree: Arc<CgroupTree>,
    /// The place of each group's parent.
    pub parents: Vec<Option<usize>>,
    /// Who is in each.
    pub crowds: Vec<Crowd>,
    /// The place of the group that sets the limit which binds each, and the limit.
    pub binding: Vec<Option<(usize, u64)>>,
}

impl Census {
    /// Counts who is in which group. A process whose group is not in the tree counts for the root: in a container
    /// without a namespace of its own the paths are the host's.
    pub fn take(tree: &Arc<CgroupTree>, snapshot: &Snapshot) -> Self {
        let parents = tree.parents();
        let places: HashMap<&[u8], usize> =
            tree.nodes.iter().enumerate().map(|(place, node)| (node.path.as_bytes(), place)).collect();
        let place_of = |path: &[u8]| places.get(path).copied().or_else(|| (!tree.nodes.is_empty()).then_some(0));
        let mut crowds = vec![Crowd::default(); tree.nodes.len()];
        let mut count = |path: &[u8], is_own: bool, add: &dyn Fn(&mut Crowd)| {
            let own = place_of(path);
            let mut next = own;
            while let Some(place) = next {
                add(&mut crowds[place]);
                crowds[place].own += u32::from(is_own && next == own);
                next = parents[place];
            }
        };
        for row in snapshot.rows().filter(|row| !row.process.identity.is_kernel_thread) {
            let number = |reading: Reading<Value<'_>>| reading.value().and_then(|value| value.number());
            let pss = row.aged(&row.process.rollup).value().map(|rollup| rollup.pss as f64);
            let (growth, change) = (row.growth().value(), number(row.change(Marked::Pss)));
            count(row.process.identity.cgroup.memory.as_bytes(), true, &|crowd| {
                crowd.processes += 1;
                crowd.pss.add(pss);
                crowd.growth.add(growth);
                crowd.change.add(change);
            });
        }
        if let Some(mark) = &snapshot.mark {
            for ended in mark.ended(&snapshot.sample) {
                let lost = ended.value(Marked::Pss).map(|bytes| -(bytes as f64));
                count(ended.identity.cgroup.memory.as_bytes(), false, &|crowd| crowd.change.add(lost));
            }
        }
        let binding = (0..tree.nodes.len()).map(|place| tree.binding(&parents, place)).collect();
        Self { tree: Arc::clone(tree), parents, crowds, binding }
    }

    /// A group as a row of fields.
    pub fn row<'a>(&'a self, place: usize, snapshot: &'a Snapshot) -> CgroupRow<'a> {
        CgroupRow { census: self, place, snapshot, node: &self.tree.nodes[place], crowd: &self.crowds[place] }
    }
}

/// One control group, as the fields read it.
#[derive(Clone, Copy, Debug)]
pub struct CgroupRow<'a> {
    /// Where it stands.
    pub census: &'a Census,
    /// Its place in the tree.
    pub place: usize,
    /// The moment.
    pub snapshot: &'a Snapshot,
    /// What was read of it.
    pub node: &'a CgroupNode,
    /// Who is in it.
    pub crowd: &'a Crowd,
}

impl<'a> CgroupRow<'a> {
    /// A reading of the group as it stands now: stale where it is old.
    pub fn aged<T>(&self, reading: Reading<T>) -> Reading<T> {
        let age = self.snapshot.sample.at.since(self.node.at);
        match reading {
            Reading::Value(value) if age > self.snapshot.fresh_ms() => Reading::Stale(value, age),
            reading => reading,
        }
    }

    /// The group that sets the limit which binds this one, and the limit; `None` where nothing does.
    pub fn binding(&self) -> Option<(&'a CgroupNode, u64)> {
        let (place, limit) = self.census.binding[self.place]?;
        Some((&self.census.tree.nodes[place], limit))
    }

    /// What it is called.
    pub fn label(&self) -> String {
        self.node.label(|uid| self.snapshot.sample.host.user(uid))
    }

    /// How a sum over its processes stands to the truth.
    pub fn bound(&self, sum: Sum, is_signed: bool) -> Bound {
        match (sum.unknown, is_signed) {
            (0, _) => Bound::Exact,
            (_, false) => Bound::AtLeast,
            (_, true) => Bound::About,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cgroup::{CgroupVersion, Membership};
    use crate::model::mark::Mark;
    use crate::model::process::ProcessSample;
    use crate::model::testing;

    fn tree(paths: &[&str]) -> Arc<CgroupTree> {
        let nodes = paths.iter().map(|path| Arc::new(CgroupNode::found((*path).into()))).collect();
        Arc::new(CgroupTree { nodes, ..CgroupTree::default() })
    }

    fn process(pid: u32, cgroup: &str, pss: Option<u64>) -> Arc<ProcessSample> {
        let mut process = testing::process(pid, "x", "x");
        testing::set_memory(&mut process, 50, pss.map(|pss| (pss, pss)));
        let membership = Membership { memory: cgroup.into(), managed: cgroup.into(), version: CgroupVersion::V2 };
        Arc::make_mut(&mut process.identity).cgroup = Arc::new(membership);
        Arc::new(process)
    }

    #[test]
    fn a_group_counts_those_of_the_groups_in_it() {
        let tree = tree(&["/", "/a", "/a/b", "/c"]);
        let snapshot = testing::snapshot(vec![
            process(1, "/a/b", Some(10)),
            process(2, "/a", Some(5)),
            process(3, "/c", None),
            process(4, "/docker/of-the-host", Some(1)),
        ]);
        let census = Census::take(&tree, &snapshot);
        let shown: Vec<_> = census
            .crowds
            .iter()
            .map(|crowd| (crowd.processes, crowd.own, crowd.pss.known as u64 >> 20, crowd.pss.unknown))
            .collect();
        assert_eq!(shown, [(4, 1, 16, 1), (2, 1, 15, 0), (1, 1, 10, 0), (1, 1, 0, 1)]);
        assert_eq!(census.crowds[3].pss.reading(), Reading::Pending, "unknown is not zero");
        assert_eq!(census.crowds[0].pss.reading(), Reading::Value(f64::from(16 << 20)));
    }

    #[test]
    fn what_the_ended_had_is_lost_to_their_group() {
        let tree = tree(&["/", "/a", "/b"]);
        let mark = Mark::of("x", &testing::snapshot(vec![process(1, "/a", Some(10)), process(2, "/a", Some(20))]));
        let now =
            testing::snapshot(vec![process(1, "/a", Some(11)), process(3, "/a", Some(18)), process(4, "/b", Some(2))]);
        let census = Census::take(&tree, &now.compared_with(Some(Arc::new(mark))));
        let change = |place: usize| census.crowds[place].change.known / 1_048_576.0;
        assert_eq!([0, 1, 2].map(|place| change(place).round() as i64), [1, -1, 2]);
        assert_eq!(census.crowds[1].change.unknown, 0);
    }
}
