//! The tree of control groups: found (here), each one read ([`node`]), and the containers in it named ([`names`]), at a
//! bounded cost and only while somebody looks at it.

mod names;
mod node;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::names::Names;
use super::files::Buffer;
use super::root::ProcRoot;
use crate::model::cgroup::CgroupVersion;
use crate::model::cgroup_tree::{CgroupNode, CgroupTree};
use crate::model::reading::{BootMs, Need, Reading};
use crate::model::text::Text;

/// Knows the groups and what was read of each last.
#[derive(Default)]
pub(super) struct CgroupReader {
    groups: BTreeMap<Text, Arc<CgroupNode>>,
    listed_at: Option<BootMs>,
    left_out: u32,
    names: Names,
}

/// Which groups there are is found out this often, milliseconds.
const LIST_AGE_MS: u64 = 3_000;

/// A group is read again this often, milliseconds.
const NODE_AGE_MS: u64 = 1_500;

/// So many groups are kept.
const MOST: usize = 4_096;

/// While some have never been read, reading may take so many times the allowance: a view that opens is to be filled.
const CATCH_UP: u32 = 10;

impl CgroupReader {
    /// The tree as it is known now. Groups are found anew every few seconds; at least one that is due is read, and then
    /// as many as `allowance` has time for, the longest unread first. It is empty where no hierarchy has the memory
    /// controller.
    pub(super) fn read(
        &mut self,
        root: &ProcRoot,
        at: BootMs,
        allowance: Duration,
        buffer: &mut Buffer,
    ) -> Arc<CgroupTree> {
        let Some((version, mount)) = hierarchy(root) else { return Arc::default() };
        let began = Instant::now();
        // A recorded tree is one instant: there is no later, and no budget.
        let is_whole = !root.is_live;
        if is_whole || self.listed_at.is_none_or(|listed| at.since(listed) >= LIST_AGE_MS) {
            self.list(&mount);
            self.listed_at = Some(at);
        }
        let has_pending = self.groups.values().any(|node| node.at == BootMs(0));
        let allowance = if has_pending { allowance * CATCH_UP } else { allowance };
        let is_due = |node: &&mut Arc<CgroupNode>| node.at == BootMs(0) || at.since(node.at) >= NODE_AGE_MS;
        let mut due: Vec<&mut Arc<CgroupNode>> =
            self.groups.values_mut().filter(|node| is_whole || is_due(node)).collect();
        due.sort_by_key(|node| node.at);
        let mut gone = Vec::new();
        for node in due {
            let mut read = node::read(version, &folder(&mount, &node.path), node.path.clone(), at, buffer);
            if read.usage == Reading::Gone {
                gone.push(node.path.clone());
                continue;
            }
            read.name = match read.tenant() {
                Some(tenant) => self.names.name(&tenant, root, at),
                None => Reading::Unsupported(Need::NotApplicable),
            };
            *node = Arc::new(read);
            if !is_whole && began.elapsed() >= allowance {
                break;
            }
        }
        for path in gone {
            self.groups.remove(&path);
        }
        let nodes = self.groups.values().cloned().collect();
        Arc::new(CgroupTree { version, nodes, left_out: self.left_out })
    }

    /// Nobody looks: what is known grows old. The next look is a first one.
    pub(super) fn rest(&mut self) {
        self.groups.clear();
        self.listed_at = None;
    }

    /// Finds the groups below a mount; what is known of those that stay is kept.
    fn list(&mut self, mount: &Path) {
        let mut old = std::mem::take(&mut self.groups);
        self.left_out = 0;
        let mut pending = vec![Vec::new()];
        while let Some(path) = pending.pop() {
            let text = Text::new(if path.is_empty() { b"/".to_vec() } else { path.clone() });
            if self.groups.len() >= MOST {
                self.left_out += 1;
                continue;
            }
            // Read before it is kept: what has gone meanwhile is no group.
            let Ok(entries) = std::fs::read_dir(folder(mount, &text)) else { continue };
            let node = old.remove(&text).unwrap_or_else(|| Arc::new(CgroupNode::found(text.clone())));
            self.groups.insert(text, node);
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    pending.push([&path[..], b"/", entry.file_name().as_bytes()].concat());
                }
            }
        }
    }
}

/// The hierarchy that has the memory controller and where it is mounted.
fn hierarchy(root: &ProcRoot) -> Option<(CgroupVersion, PathBuf)> {
    let v1 = root.cgroup.join("memory");
    let is_v1 = ["memory.usage_in_bytes", "memory.limit_in_bytes"].iter().any(|file| v1.join(file).exists());
    if is_v1 {
        return Some((CgroupVersion::V1, v1));
    }
    root.cgroup.is_dir().then(|| (CgroupVersion::V2, root.cgroup.clone()))
}

/// The folder of a group.
fn folder(mount: &Path, path: &Text) -> PathBuf {
    let below = path.as_bytes().strip_prefix(b"/").unwrap_or(path.as_bytes());
    if below.is_empty() { mount.to_owned() } else { mount.join(OsStr::from_bytes(below)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Duration = Duration::from_mins(1);

    fn tree() -> (tempfile::TempDir, ProcRoot) {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        (folder, root)
    }

    fn group(root: &ProcRoot, path: &[u8], usage: u64) {
        let folder = root.cgroup.join(OsStr::from_bytes(path));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("memory.current"), format!("{usage}\n")).unwrap();
        std::fs::write(folder.join("memory.max"), "max\n").unwrap();
    }

    fn shown(tree: &CgroupTree) -> Vec<(String, Option<u64>)> {
        tree.nodes.iter().map(|node| (node.path.escaped().into_owned(), node.usage.value())).collect()
    }

    #[test]
    fn groups_that_come_and_go_are_followed() {
        let (_folder, root) = tree();
        group(&root, b"a", 10);
        group(&root, b"a/b", 5);
        let mut reader = CgroupReader::default();
        let mut buffer = Buffer::new();
        let mut read = |at| shown(&reader.read(&root, BootMs(at), PLENTY, &mut buffer));
        let all = [("/".into(), None), ("/a".into(), Some(10)), ("/a/b".into(), Some(5))];
        assert_eq!(read(1), all);
        std::fs::remove_dir_all(root.cgroup.join("a/b")).unwrap();
        group(&root, b"a", 11);
        assert_eq!(read(2), all, "nothing was due");
        // The vanished one is found to have gone before the groups are listed anew.
        assert_eq!(read(1 + NODE_AGE_MS), [("/".into(), None), ("/a".into(), Some(11))]);
        group(&root, b"c", 1);
        assert_eq!(read(1 + LIST_AGE_MS).len(), 3);
    }

    #[test]
    fn with_no_time_one_group_a_sample_is_read_and_the_others_are_known_to_be_there() {
        let (_folder, root) = tree();
        (0..4).for_each(|nth| group(&root, format!("g{nth}").as_bytes(), nth));
        let mut reader = CgroupReader::default();
        let mut buffer = Buffer::new();
        let mut known = |at| {
            let tree = reader.read(&root, BootMs(at), Duration::ZERO, &mut buffer);
            (tree.nodes.len(), tree.nodes.iter().filter(|node| node.at > BootMs(0)).count())
        };
        assert_eq!([1, 2, 3].map(&mut known), [(5, 1), (5, 2), (5, 3)]);
    }

    #[test]
    fn a_name_of_any_bytes_is_a_group_like_others() {
        let (_folder, root) = tree();
        group(&root, b"evil\x1b[2J\n\xff group", 7);
        let tree = CgroupReader::default().read(&root, BootMs(1), PLENTY, &mut Buffer::new());
        assert_eq!(shown(&tree)[1], ("/evil\\x1b[2J\\n\\xff group".into(), Some(7)));
    }

    #[test]
    fn more_groups_than_fit_are_counted() {
        let (_folder, root) = tree();
        (0..MOST + 5).for_each(|nth| std::fs::create_dir_all(root.cgroup.join(nth.to_string())).unwrap());
        let tree = CgroupReader::default().read(&root, BootMs(1), Duration::ZERO, &mut Buffer::new());
        assert_eq!((tree.nodes.len(), tree.left_out), (MOST, 6), "the root is one of them");
    }

    #[test]
    fn without_a_hierarchy_the_tree_is_empty() {
        let (_folder, root) = tree();
        assert_eq!(CgroupReader::default().read(&root, BootMs(1), PLENTY, &mut Buffer::new()).nodes, []);
    }
}
