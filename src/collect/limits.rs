//! The memory limits that bind the processes: of every control group that has any, at a bounded cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cgroup::binding_limit;
use super::files::Buffer;
use super::root::ProcRoot;
use crate::model::cgroup::{BoundGroup, Membership};
use crate::model::reading::BootMs;
use crate::model::text::Text;

/// Knows the groups that have processes, and what binds each.
#[derive(Default)]
pub(super) struct LimitReader {
    groups: BTreeMap<Text, Group>,
    listed_at: Option<BootMs>,
}

struct Group {
    membership: Arc<Membership>,
    bound: Option<Arc<BoundGroup>>,
    read_at: Option<BootMs>,
}

/// Which groups there are is found out this often, milliseconds: it takes a look at every process.
const LIST_AGE_MS: u64 = 5_000;

/// A limit and its use are read again this often, milliseconds.
const BOUND_AGE_MS: u64 = 5_000;

/// Where there was no limit it is looked for again this often, milliseconds.
const FREE_AGE_MS: u64 = 60_000;

impl LimitReader {
    /// What binds the groups of these memberships, by path. At least one group that is due is read, and then as many
    /// as `allowance` has time for, the longest unread first; of the others the last reading stands.
    pub(super) fn read<'a>(
        &mut self,
        root: &ProcRoot,
        memberships: impl Iterator<Item = &'a Arc<Membership>>,
        mem_total: u64,
        at: BootMs,
        allowance: Duration,
        buffer: &mut Buffer,
    ) -> Vec<Arc<BoundGroup>> {
        // A recorded tree is one instant: there is no later, and no budget.
        let is_whole = !root.is_live;
        if is_whole || self.listed_at.is_none_or(|listed| at.since(listed) >= LIST_AGE_MS) {
            self.list(memberships);
            self.listed_at = Some(at);
        }
        let mut due: Vec<&mut Group> = self.groups.values_mut().filter(|group| is_whole || group.is_due(at)).collect();
        due.sort_by_key(|group| group.read_at);
        let deadline = Instant::now() + allowance;
        for group in due {
            group.read(root, mem_total, at, buffer);
            if !is_whole && Instant::now() >= deadline {
                break;
            }
        }
        self.groups.values().filter_map(|group| group.bound.clone()).collect()
    }

    fn list<'a>(&mut self, memberships: impl Iterator<Item = &'a Arc<Membership>>) {
        let mut old = std::mem::take(&mut self.groups);
        let mut last: Option<&Arc<Membership>> = None;
        for membership in memberships {
            // Neighbours by pid are often of one group, which the process reader gives as one allocation.
            if last.is_some_and(|last| Arc::ptr_eq(last, membership)) {
                continue;
            }
            last = Some(membership);
            // An empty path: the process's group has not been read yet.
            if membership.memory.is_empty() || self.groups.contains_key(&membership.memory) {
                continue;
            }
            let group = old.remove(&membership.memory).unwrap_or_else(|| Group {
                membership: Arc::clone(membership),
                bound: None,
                read_at: None,
            });
            self.groups.insert(membership.memory.clone(), group);
        }
    }
}

impl Group {
    fn is_due(&self, at: BootMs) -> bool {
        let most = if self.bound.is_some() { BOUND_AGE_MS } else { FREE_AGE_MS };
        self.read_at.is_none_or(|read_at| at.since(read_at) >= most)
    }

    fn read(&mut self, root: &ProcRoot, mem_total: u64, at: BootMs, buffer: &mut Buffer) {
        self.read_at = Some(at);
        self.bound = binding_limit(root, &self.membership, mem_total, buffer)
            .map(|limit| Arc::new(BoundGroup { memory: self.membership.memory.clone(), limit, at }));
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::collect::cgroup::parse_membership;
    use crate::model::system::SystemSample;

    const PLENTY: Duration = Duration::from_mins(1);
    const MEM_TOTAL: u64 = 1 << 30;

    /// A tree that counts as live, so that readings have an age.
    fn live_tree() -> (TempDir, ProcRoot) {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        (folder, root)
    }

    fn set_v2(root: &ProcRoot, group: &str, limit: &str, usage: u64) {
        let path = root.cgroup.join(group);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("memory.max"), limit).unwrap();
        std::fs::write(path.join("memory.current"), usage.to_string()).unwrap();
        std::fs::write(path.join("memory.swap.max"), "max\n").unwrap();
        std::fs::write(path.join("memory.swap.current"), "12\n").unwrap();
    }

    fn v2(path: &str) -> Arc<Membership> {
        Arc::new(parse_membership(format!("0::{path}\n").as_bytes()))
    }

    /// The group, the limit and its use, of each.
    fn shown(groups: &[Arc<BoundGroup>]) -> Vec<(String, u64, u64)> {
        groups.iter().map(|group| (group.memory.escaped().into_owned(), group.limit.limit, group.limit.usage)).collect()
    }

    #[test]
    fn each_group_is_told_once_and_the_free_ones_not_at_all() {
        let (_folder, root) = live_tree();
        set_v2(&root, "web", "4096\n", 100);
        set_v2(&root, "web/inner", "max\n", 50);
        set_v2(&root, "free", "max\n", 50);
        let all = [v2("/web/inner"), v2("/free"), v2("/web"), v2("/web/inner"), Arc::default()];
        let mut reader = LimitReader::default();
        let groups = reader.read(&root, all.iter(), MEM_TOTAL, BootMs(1), PLENTY, &mut Buffer::new());
        assert_eq!(shown(&groups), [("/web".to_owned(), 4096, 100), ("/web/inner".to_owned(), 4096, 100)]);
        let inner = &groups[1].limit;
        assert_eq!((inner.path.as_bytes(), inner.swap_limit, inner.swap_usage), (b"/web".as_slice(), None, Some(12)));

        let system = SystemSample { bound_groups: groups, ..SystemSample::default() };
        assert_eq!(system.bound_group(&all[0]).unwrap().limit.limit, 4096);
        assert_eq!(system.bound_group(&all[1]), None);
    }

    #[test]
    fn the_first_version_of_cgroups_is_read_too() {
        let (_folder, root) = live_tree();
        let path = root.cgroup.join("memory/app");
        std::fs::create_dir_all(&path).unwrap();
        for (file, content) in [
            ("memory.limit_in_bytes", "8192\n"),
            ("memory.usage_in_bytes", "4096\n"),
            ("memory.memsw.limit_in_bytes", "10240\n"),
            ("memory.memsw.usage_in_bytes", "4196\n"),
            ("memory.stat", "cache 1\ntotal_inactive_file 77\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        ] {
            std::fs::write(path.join(file), content).unwrap();
        }
        let member = Arc::new(parse_membership(b"4:memory:/app\n0::/\n"));
        let mut reader = LimitReader::default();
        let groups = reader.read(&root, [member].iter(), MEM_TOTAL, BootMs(1), PLENTY, &mut Buffer::new());
        let limit = &groups[0].limit;
        assert_eq!((limit.limit, limit.usage, limit.inactive_file), (8192, 4096, 77));
        assert_eq!((limit.swap_limit, limit.swap_usage, limit.oom_kills), (Some(2048), Some(100), Some(3)));
    }

    #[test]
    fn a_limit_is_read_again_only_after_some_seconds() {
        let (_folder, root) = live_tree();
        set_v2(&root, "web", "4096\n", 100);
        let all = [v2("/web")];
        let mut reader = LimitReader::default();
        let mut read_at = |at| shown(&reader.read(&root, all.iter(), MEM_TOTAL, at, PLENTY, &mut Buffer::new()))[0].2;
        assert_eq!(read_at(BootMs(1_000)), 100);
        set_v2(&root, "web", "4096\n", 200);
        assert_eq!(read_at(BootMs(1_000 + BOUND_AGE_MS - 1)), 100);
        assert_eq!(read_at(BootMs(1_000 + BOUND_AGE_MS)), 200);
    }

    #[test]
    fn with_no_time_one_group_a_sample_is_read_and_each_has_its_turn() {
        let (_folder, root) = live_tree();
        let all: Vec<_> = ["a", "b", "c"].into_iter().map(v2).collect();
        for name in ["a", "b", "c"] {
            set_v2(&root, name, "4096\n", 1);
        }
        let mut reader = LimitReader::default();
        let mut buffer = Buffer::new();
        let known: Vec<usize> = (1..=4)
            .map(|at| reader.read(&root, all.iter(), MEM_TOTAL, BootMs(at), Duration::ZERO, &mut buffer).len())
            .collect();
        assert_eq!(known, [1, 2, 3, 3]);
    }

    #[test]
    fn a_group_without_processes_is_forgotten() {
        let (_folder, root) = live_tree();
        set_v2(&root, "web", "4096\n", 100);
        let mut reader = LimitReader::default();
        let mut buffer = Buffer::new();
        assert_eq!(reader.read(&root, [v2("/web")].iter(), MEM_TOTAL, BootMs(1), PLENTY, &mut buffer).len(), 1);
        let later = BootMs(1 + LIST_AGE_MS);
        assert_eq!(reader.read(&root, std::iter::empty(), MEM_TOTAL, later, PLENTY, &mut buffer), []);
    }
}
