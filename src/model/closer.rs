//! The closer look that is recorded beside the samples, more seldom than they are taken: what the views of the machine
//! and of its control groups show, bounded.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cgroup_tree::{CgroupNode, CgroupTree};
use super::reading::{Feature, Need, Reading};
use super::survey::{Attachment, Extent, Holders, SlabCache, Survey, Surveyed};

/// A closer look, as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closer {
    /// Slab, tmpfs, segments, settings. Who holds shared memory is not recorded: that takes a look at all processes.
    pub survey: Arc<Survey>,
    /// The tree of control groups.
    pub cgroups: Arc<CgroupTree>,
}

impl Closer {
    /// Slab caches that are kept one by one; what the others come to is one more.
    pub const CACHES: usize = 24;
    /// Mounts, segments and files of `/dev/shm` that are kept, of each the largest.
    pub const SHARED: usize = 48;
    /// Control groups that are kept: the largest by usage, and those around them.
    pub const GROUPS: usize = 192;

    /// What is recorded of a look.
    pub fn of(survey: Survey, cgroups: &CgroupTree) -> Self {
        let not_recorded =
            Surveyed { reading: Reading::Unsupported(Need::Feature(Feature::Recording)), ..Surveyed::pending() };
        let survey = Survey {
            slab: first_caches(survey.slab),
            tmpfs: first(survey.tmpfs),
            segments: first(without_holders(survey.segments, |segment| segment.holders = Holders::default())),
            posix: first(without_holders(survey.posix, |file| file.held = Attachment::default())),
            loose: not_recorded,
            extent: Extent::default(),
            ..survey
        };
        Self { survey: Arc::new(survey), cgroups: Arc::new(largest(cgroups)) }
    }
}

fn without_holders<T: Clone>(part: Surveyed<Arc<[T]>>, forget: fn(&mut T)) -> Surveyed<Arc<[T]>> {
    let forgetting = |all: Arc<[T]>| {
        let mut all = all.to_vec();
        all.iter_mut().for_each(forget);
        all.into()
    };
    Surveyed { reading: part.reading.map(forgetting), ..part }
}

/// The first of a list that has the largest first, and how many follow.
fn first<T: Clone>(part: Surveyed<Arc<[T]>>) -> Surveyed<Arc<[T]>> {
    let count = part.value().map_or(0, |all| all.len());
    let left_out = count.saturating_sub(Closer::SHARED);
    if left_out == 0 {
        return part;
    }
    Surveyed { reading: part.reading.map(|all| all[..Closer::SHARED].into()), left_out: left_out as u32, ..part }
}

/// The largest caches, and one that stands for all others, so that the sum is right.
fn first_caches(part: Surveyed<Arc<[SlabCache]>>) -> Surveyed<Arc<[SlabCache]>> {
    let together = |all: Arc<[SlabCache]>| {
        if all.len() <= Closer::CACHES + 1 {
            return all;
        }
        let (kept, others) = all.split_at(Closer::CACHES);
        let sum = |of: fn(&SlabCache) -> u64| others.iter().map(of).fold(0, u64::saturating_add);
        let active = sum(|cache| cache.active);
        let in_use = sum(|cache| cache.active.saturating_mul(cache.object_size));
        let rest = SlabCache {
            name: format!("({} others)", others.len()).as_str().into(),
            active,
            objects: sum(|cache| cache.objects),
            object_size: in_use / active.max(1),
            bytes: sum(|cache| cache.bytes),
            is_reclaimable: None,
        };
        kept.iter().cloned().chain([rest]).collect()
    };
    Surveyed { reading: part.reading.map(together), ..part }
}

/// The groups with the most memory and all around them; a parent still comes before its children.
fn largest(tree: &CgroupTree) -> CgroupTree {
    if tree.nodes.len() <= Closer::GROUPS {
        return tree.clone();
    }
    let parents = tree.parents();
    let usage = |node: &CgroupNode| node.usage.value().unwrap_or(0);
    let mut by_usage: Vec<usize> = (0..tree.nodes.len()).collect();
    by_usage.sort_by_key(|place| Reverse(usage(&tree.nodes[*place])));
    let mut is_kept = vec![false; tree.nodes.len()];
    let mut count = 0;
    for place in by_usage {
        let around: Vec<usize> =
            std::iter::successors(Some(place), |place| parents[*place]).take_while(|place| !is_kept[*place]).collect();
        if count + around.len() > Closer::GROUPS {
            break;
        }
        count += around.len();
        for place in around {
            is_kept[place] = true;
        }
    }
    let nodes = tree.nodes.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept).map(|(node, _)| Arc::clone(node));
    let left_out = tree.left_out.saturating_add((tree.nodes.len() - count) as u32);
    CgroupTree { version: tree.version, nodes: nodes.collect(), left_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::BootMs;

    fn cache(bytes: u64) -> SlabCache {
        SlabCache { name: "c".into(), active: 3, objects: 4, object_size: bytes / 4, bytes, is_reclaimable: Some(true) }
    }

    fn read<T>(values: Vec<T>) -> Surveyed<Arc<[T]>> {
        Surveyed { reading: Reading::Value(values.into()), at: BootMs(7), cost_us: 1, left_out: 0 }
    }

    #[test]
    fn small_caches_are_told_together_and_the_sum_stays() {
        let caches: Vec<_> = (0..100).map(|nth| cache((100 - nth) * 4096)).collect();
        let sum: u64 = caches.iter().map(|cache| cache.bytes).sum();
        let survey = Survey { slab: read(caches), ..Survey::default() };
        let closer = Closer::of(survey, &CgroupTree::default());
        let kept = closer.survey.slab.value().unwrap();
        assert_eq!(kept.len(), Closer::CACHES + 1);
        assert_eq!(kept.iter().map(|cache| cache.bytes).sum::<u64>(), sum);
        let rest = kept.last().unwrap();
        assert_eq!(rest.name.escaped(), "(76 others)");
        assert!(rest.idle() >= rest.bytes / 4 && rest.idle() < rest.bytes / 3, "{rest:?}");
    }

    #[test]
    fn of_many_groups_the_largest_stay_with_those_around_them() {
        let node = |path: String, usage: u64| {
            Arc::new(CgroupNode { usage: Reading::Value(usage), ..CgroupNode::found(path.as_str().into()) })
        };
        let mut nodes = vec![node("/".into(), 0), node("/quiet".into(), 0)];
        nodes.extend((0..400).map(|nth| node(format!("/quiet/{nth}"), 1000 + nth)));
        let tree = CgroupTree { nodes, left_out: 2, ..CgroupTree::default() };
        let kept = Closer::of(Survey::default(), &tree).cgroups;
        assert_eq!((kept.nodes.len(), kept.left_out), (Closer::GROUPS, 2 + 402 - Closer::GROUPS as u32));
        let paths: Vec<_> = kept.nodes.iter().map(|node| node.path.escaped().into_owned()).collect();
        assert_eq!(paths[..2], ["/", "/quiet"]);
        assert!(paths.contains(&"/quiet/399".to_owned()) && !paths.contains(&"/quiet/0".to_owned()));
    }

    #[test]
    fn what_was_not_looked_at_says_that_it_is_not_recorded() {
        let closer = Closer::of(Survey::default(), &CgroupTree::default());
        assert_eq!(closer.survey.loose.reading.explain().as_deref(), Some("the recording does not have it"));
        assert_eq!(closer.survey.slab.reading, Reading::Pending);
    }
}
