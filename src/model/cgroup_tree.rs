//! The tree of control groups with what the memory controller says of each.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cgroup::CgroupVersion;
use super::reading::{BootMs, Reading};
use super::system::Pressure;
use super::tenant::Tenant;
use super::text::Text;

/// Every control group of the memory controller's hierarchy, as far as they could be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CgroupTree {
    /// The interface that the controller has.
    pub version: CgroupVersion,
    /// The groups; a parent comes before its children.
    pub nodes: Vec<Arc<CgroupNode>>,
    /// Groups that are left out because there are too many.
    pub left_out: u32,
}

/// One control group. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CgroupNode {
    /// From the root of the hierarchy, which is `/`.
    pub path: Text,
    /// When it was read.
    pub at: BootMs,
    /// `memory.current`; v1: `memory.usage_in_bytes`. The root of v2 has none: it is the machine.
    pub usage: Reading<u64>,
    /// `memory.swap.current`; v1: `memory.memsw.usage_in_bytes` less the usage.
    pub swap: Reading<u64>,
    /// The highest usage: `memory.peak` (Linux 5.19); v1: `memory.max_usage_in_bytes`.
    pub peak: Reading<u64>,
    /// What bounds it.
    pub limits: CgroupLimits,
    /// What the usage is made of.
    pub stat: CgroupStat,
    /// What happened to it.
    pub events: CgroupEvents,
    /// `memory.pressure` (Linux 4.20); v1 has none.
    pub pressure: Reading<Pressure>,
    /// The name that the engine or Kubernetes gave to the container or pod, where it can be read.
    pub name: Reading<Text>,
}

/// Limits; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// `memory.max`, beyond which the group is killed in; v1: `memory.limit_in_bytes`.
    pub max: Reading<Option<u64>>,
    /// `memory.high`, beyond which it is slowed down and reclaimed from; v1: `memory.soft_limit_in_bytes`.
    pub high: Reading<Option<u64>>,
    /// `memory.low`: up to this it is reclaimed from last.
    pub low: Reading<Option<u64>>,
    /// `memory.min`: up to this it is never reclaimed from.
    pub min: Reading<Option<u64>>,
    /// `memory.swap.max`; v1: what `memory.memsw.limit_in_bytes` leaves for swap.
    pub swap_max: Reading<Option<u64>>,
}

/// Parts of the usage, descendants included (`memory.stat`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupStat {
    /// Anonymous memory (`anon`; v1: `total_rss`).
    pub anon: Reading<u64>,
    /// Page cache, tmpfs included (`file`; v1: `total_cache`).
    pub file: Reading<u64>,
    /// The part of `file` that is tmpfs and shared memory (`shmem`; v1: `total_shmem`).
    pub shmem: Reading<u64>,
    /// The part of `file` not used of late (`inactive_file`; v1: `total_inactive_file`).
    pub inactive_file: Reading<u64>,
    /// Kernel memory (`kernel`, Linux 5.18; v1: `memory.kmem.usage_in_bytes`).
    pub kernel: Reading<u64>,
    /// The part of it that is slab (`slab`).
    pub slab: Reading<u64>,
    /// Buffers of sockets (`sock`; v1: `memory.kmem.tcp.usage_in_bytes`).
    pub sock: Reading<u64>,
    /// The part of `kernel` that is page tables (`pagetables`, Linux 5.11).
    pub page_tables: Reading<u64>,
}

/// Events since the group was made, descendants included (`memory.events`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupEvents {
    /// Times it was reclaimed from although it was below `low`.
    pub low: Reading<u64>,
    /// Times it was slowed down for exceeding `high`.
    pub high: Reading<u64>,
    /// Times it was about to exceed `max` (v1: `memory.failcnt`).
    pub max: Reading<u64>,
    /// Times an allocation was about to fail for it.
    pub oom: Reading<u64>,
    /// Processes killed (`oom_kill`; v1: in `memory.oom_control`, Linux 4.13).
    pub oom_kill: Reading<u64>,
}

impl CgroupNode {
    /// A group of which nothing has been read yet.
    pub fn found(path: Text) -> Self {
        let limit = Reading::Pending;
        let part = Reading::Pending;
        Self {
            path,
            at: BootMs(0),
            usage: Reading::Pending,
            swap: Reading::Pending,
            peak: Reading::Pending,
            limits: CgroupLimits { max: limit, high: limit, low: limit, min: limit, swap_max: limit },
            stat: CgroupStat {
                anon: part,
                file: part,
                shmem: part,
                inactive_file: part,
                kernel: part,
                slab: part,
                sock: part,
                page_tables: part,
            },
            events: CgroupEvents { low: part, high: part, max: part, oom: part, oom_kill: part },
            pressure: Reading::Pending,
            name: Reading::Pending,
        }
    }

    /// Who lives in it.
    pub fn tenant(&self) -> Option<Tenant> {
        Tenant::of(self.path.as_bytes())
    }

    /// The last segment of its path, or what is known of who lives there: `web (docker:3f2a9c01bead)`,
    /// `user-1000.slice (app)`. `user` names a user.
    pub fn label<'a>(&self, user: impl Fn(u32) -> std::borrow::Cow<'a, str>) -> String {
        let bytes = self.path.as_bytes();
        let segment = super::text::escape(bytes.rsplit(|byte| *byte == b'/').next().unwrap_or(bytes)).into_owned();
        let name = self.name.as_ref().value().map(|name| name.escaped().into_owned());
        match (self.tenant(), name) {
            (Some(Tenant::User(uid)), _) => format!("{segment} ({})", user(uid)),
            (Some(tenant), Some(name)) => format!("{name} ({})", tenant.short().unwrap_or_default()),
            (Some(tenant), None) => tenant.short().unwrap_or(segment),
            (None, _) if segment.is_empty() => "/".into(),
            (None, _) => segment,
        }
    }
}

impl CgroupTree {
    /// The place of each group's parent; `None` for a root.
    pub fn parents(&self) -> Vec<Option<usize>> {
        let places: HashMap<&[u8], usize> =
            self.nodes.iter().enumerate().map(|(place, node)| (node.path.as_bytes(), place)).collect();
        self.nodes.iter().map(|node| parent(node.path.as_bytes()).and_then(|path| places.get(path).copied())).collect()
    }

    /// The tightest memory limit of a group and its ancestors, and the place of the one that sets it. `parents` is
    /// [`CgroupTree::parents`]. Of equal limits the outermost counts: raising the inner one alone changes nothing.
    pub fn binding(&self, parents: &[Option<usize>], place: usize) -> Option<(usize, u64)> {
        let mut tightest: Option<(usize, u64)> = None;
        let mut next = Some(place);
        while let Some(at) = next {
            if let Some(Some(limit)) = self.nodes[at].limits.max.value()
                && tightest.is_none_or(|(_, tightest)| limit <= tightest)
            {
                tightest = Some((at, limit));
            }
            next = parents[at];
        }
        tightest
    }
}

/// The path of the group around a group.
fn parent(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    match slash {
        0 if path.len() > 1 => Some(b"/"),
        0 => None,
        _ => Some(&path[..slash]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(groups: &[(&str, Option<u64>)]) -> CgroupTree {
        let node = |(path, max): &(&str, Option<u64>)| {
            let mut node = CgroupNode::found((*path).into());
            node.limits.max = Reading::Value(*max);
            Arc::new(node)
        };
        CgroupTree { nodes: groups.iter().map(node).collect(), ..CgroupTree::default() }
    }

    #[test]
    fn the_tightest_limit_binds_and_the_outermost_of_equals() {
        let tree = tree(&[("/", None), ("/a", Some(100)), ("/a/b", Some(100)), ("/a/b/c", Some(900)), ("/d", None)]);
        let parents = tree.parents();
        assert_eq!(parents, [None, Some(0), Some(1), Some(2), Some(0)]);
        let binding: Vec<_> = (0..5).map(|place| tree.binding(&parents, place)).collect();
        assert_eq!(binding, [None, Some((1, 100)), Some((1, 100)), Some((1, 100)), None]);
    }

    #[test]
    fn a_group_is_called_by_who_lives_there() {
        let id = "3f2a9c01".repeat(8);
        let mut node = CgroupNode::found(Text::from(format!("/system.slice/docker-{id}.scope").as_str()));
        let user = |uid: u32| format!("user {uid}").into();
        assert_eq!(node.label(user), "docker:3f2a9c013f2a");
        node.name = Reading::Value(Text::from("we\u{1b}b"));
        assert_eq!(node.label(user), "we\\x1bb (docker:3f2a9c013f2a)");
        assert_eq!(CgroupNode::found("/user.slice/user-7.slice".into()).label(user), "user-7.slice (user 7)");
        assert_eq!(CgroupNode::found("/".into()).label(user), "/");
        assert_eq!(CgroupNode::found("/system.slice/a.service".into()).label(user), "a.service");
    }
}
