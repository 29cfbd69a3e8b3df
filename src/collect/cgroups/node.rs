//! One control group: the files of its folder, in either version of the interface.

use std::path::Path;

use rustix::io::Errno;

use crate::collect::files::Buffer;
use crate::collect::parse::{lines, parse_number, take_number};
use crate::collect::system::parse_pressure;
use crate::model::cgroup::CgroupVersion;
use crate::model::cgroup_tree::{CgroupEvents, CgroupLimits, CgroupNode, CgroupStat};
use crate::model::reading::{BootMs, Denial, Feature, Need, Reading};
use crate::model::system::Pressure;
use crate::model::text::Text;

/// v1 writes "no limit" as the largest number of whole pages that fits.
const NO_LIMIT: u64 = 1 << 62;

const NO_CONTROLLER: Need = Need::Feature(Feature::MemoryController);
const NO_LINE: Need = Need::Feature(Feature::Line);

/// Reads a group. Its usage is `Gone` where the group is no more.
pub(super) fn read(version: CgroupVersion, folder: &Path, path: Text, at: BootMs, buffer: &mut Buffer) -> CgroupNode {
    let mut files = Files { folder, buffer, is_root: path.as_bytes() == b"/" };
    let node = CgroupNode { at, ..CgroupNode::found(path) };
    match version {
        CgroupVersion::V2 => read_v2(node, &mut files),
        CgroupVersion::V1 => read_v1(node, &mut files),
    }
}

/// The files of one group.
struct Files<'a> {
    folder: &'a Path,
    buffer: &'a mut Buffer,
    is_root: bool,
}

impl Files<'_> {
    /// A file, or why there is none: `need` where this kernel lacks it. The root of v2 has few of them.
    fn bytes(&mut self, name: &str, need: Need) -> Reading<&[u8]> {
        let is_root = self.is_root;
        match self.buffer.read_path(&self.folder.join(name)) {
            Ok(bytes) => Reading::Value(bytes),
            Err(Errno::ACCESS | Errno::PERM) => Reading::Denied(Denial::Root),
            Err(Errno::NODEV) => Reading::Gone,
            Err(_) if is_root => Reading::Unsupported(Need::NotApplicable),
            Err(_) if !self.folder.is_dir() => Reading::Gone,
            Err(_) => Reading::Unsupported(need),
        }
    }

    fn number(&mut self, name: &str, need: Need) -> Reading<u64> {
        self.bytes(name, need).and_then(|bytes| parse_number(bytes).into())
    }

    /// A limit: a number, or `max`.
    fn limit(&mut self, name: &str) -> Reading<Option<u64>> {
        self.bytes(name, NO_CONTROLLER).and_then(|bytes| {
            if bytes.starts_with(b"max") {
                return Reading::Value(None);
            }
            match parse_number(bytes) {
                Some(number) => Reading::Value(Some(number).filter(|number| *number < NO_LIMIT)),
                None => Reading::Unsupported(NO_LINE),
            }
        })
    }

    /// Values of a file of `name value` lines.
    fn keyed<const N: usize>(&mut self, name: &str, keys: [&str; N]) -> [Reading<u64>; N] {
        let bytes = match self.bytes(name, NO_CONTROLLER) {
            Reading::Value(bytes) => bytes,
            other => return [other.map(|_| 0); N],
        };
        keys.map(|key| keyed(bytes, key).into())
    }
}

/// The value of a key in `name value` lines.
fn keyed(bytes: &[u8], key: &str) -> Option<u64> {
    lines(bytes).find_map(|line| {
        let mut rest = line.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?;
        take_number(&mut rest)
    })
}

/// Documentation/admin-guide/cgroup-v2.rst, "Memory".
fn read_v2(node: CgroupNode, files: &mut Files<'_>) -> CgroupNode {
    let usage = files.number("memory.current", NO_CONTROLLER);
    if usage == Reading::Gone {
        return CgroupNode { usage, ..node };
    }
    let [anon, file, shmem, inactive_file, kernel, slab, sock, page_tables] =
        files.keyed("memory.stat", ["anon", "file", "shmem", "inactive_file", "kernel", "slab", "sock", "pagetables"]);
    let kernel = or_since(kernel, (5, 18));
    let page_tables = or_since(page_tables, (5, 11));
    let [low, high, max, oom, oom_kill] = files.keyed("memory.events", ["low", "high", "max", "oom", "oom_kill"]);
    CgroupNode {
        usage,
        swap: files.number("memory.swap.current", NO_CONTROLLER),
        peak: files.number("memory.peak", Need::Kernel(5, 19)),
        limits: CgroupLimits {
            max: files.limit("memory.max"),
            high: files.limit("memory.high"),
            low: files.limit("memory.low"),
            min: files.limit("memory.min"),
            swap_max: files.limit("memory.swap.max"),
        },
        stat: CgroupStat { anon, file, shmem, inactive_file, kernel, slab, sock, page_tables },
        events: CgroupEvents { low, high, max, oom, oom_kill },
        pressure: pressure(files),
        ..node
    }
}

/// A line that a kernel of this release and later has.
fn or_since(reading: Reading<u64>, since: (u8, u8)) -> Reading<u64> {
    match reading {
        Reading::Unsupported(NO_LINE) => Reading::Unsupported(Need::Kernel(since.0, since.1)),
        reading => reading,
    }
}

fn pressure(files: &mut Files<'_>) -> Reading<Pressure> {
    let absent = Need::Feature(Feature::Psi);
    files.bytes("memory.pressure", absent).and_then(|bytes| match parse_pressure(bytes) {
        Some(pressure) => Reading::Value(pressure),
        None => Reading::Unsupported(absent),
    })
}

/// Documentation/admin-guide/cgroup-v1/memory.rst. memsw counts RAM and swap together; the `total_` lines count
/// descendants too.
fn read_v1(node: CgroupNode, files: &mut Files<'_>) -> CgroupNode {
    let usage = files.number("memory.usage_in_bytes", NO_CONTROLLER);
    if usage == Reading::Gone {
        return CgroupNode { usage, ..node };
    }
    // The root of v1 has all files: what it lacks no group has.
    files.is_root = false;
    let max = files.limit("memory.limit_in_bytes");
    let both = files.number("memory.memsw.usage_in_bytes", NO_CONTROLLER);
    let both_max = files.limit("memory.memsw.limit_in_bytes");
    let swap = both.and_then(|both| usage.map(|usage| both.saturating_sub(usage)));
    let swap_max = both_max.and_then(|both| max.map(|max| both.map(|both| both.saturating_sub(max.unwrap_or(0)))));
    let [anon, file, shmem, inactive_file] =
        files.keyed("memory.stat", ["total_rss", "total_cache", "total_shmem", "total_inactive_file"]);
    let [oom_kill] = files.keyed("memory.oom_control", ["oom_kill"]);
    let absent = Reading::Unsupported(NO_LINE);
    let no_limit = Reading::Unsupported(Need::Feature(Feature::Unified));
    CgroupNode {
        usage,
        swap,
        peak: files.number("memory.max_usage_in_bytes", NO_LINE),
        limits: CgroupLimits {
            max,
            high: files.limit("memory.soft_limit_in_bytes"),
            low: no_limit,
            min: no_limit,
            swap_max,
        },
        stat: CgroupStat {
            anon,
            file,
            shmem,
            inactive_file,
            kernel: files.number("memory.kmem.usage_in_bytes", NO_LINE),
            slab: absent,
            sock: files.number("memory.kmem.tcp.usage_in_bytes", NO_LINE),
            page_tables: absent,
        },
        events: CgroupEvents {
            low: absent,
            high: absent,
            max: files.number("memory.failcnt", NO_LINE),
            oom: absent,
            oom_kill: or_since(oom_kill, (4, 13)),
        },
        pressure: Reading::Unsupported(Need::Feature(Feature::Unified)),
        ..node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(version: CgroupVersion, path: &str, files: &[(&str, &str)]) -> CgroupNode {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        read(version, folder.path(), path.into(), BootMs(5), &mut Buffer::new())
    }

    #[test]
    fn a_group_of_v2_is_read_whole() {
        let node = node(
            CgroupVersion::V2,
            "/a",
            &[
                ("memory.current", "1000\n"),
                ("memory.swap.current", "20\n"),
                ("memory.peak", "3000\n"),
                ("memory.max", "4096\n"),
                ("memory.high", "max\n"),
                ("memory.low", "0\n"),
                ("memory.min", "0\n"),
                ("memory.swap.max", "max\n"),
                (
                    "memory.stat",
                    "anon 600\nfile 300\nkernel 90\nkernel_stack 1\npagetables 5\nsock 2\nshmem 7\nslab 80\n",
                ),
                ("memory.events", "low 0\nhigh 4\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"),
                (
                    "memory.pressure",
                    "some avg10=1.50 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=3\n",
                ),
            ],
        );
        assert_eq!(
            (node.usage, node.swap, node.peak),
            (Reading::Value(1000), Reading::Value(20), Reading::Value(3000))
        );
        assert_eq!((node.limits.max, node.limits.high), (Reading::Value(Some(4096)), Reading::Value(None)));
        assert_eq!(
            (node.stat.kernel, node.stat.slab, node.stat.shmem),
            (Reading::Value(90), Reading::Value(80), Reading::Value(7))
        );
        assert_eq!((node.events.max, node.events.oom_kill), (Reading::Value(9), Reading::Value(1)));
        assert!(node.pressure.value().is_some_and(|pressure| (pressure.some.avg10 - 1.5).abs() < 1e-6));
    }

    #[test]
    fn a_group_of_v1_is_read_in_the_same_words() {
        let node = node(
            CgroupVersion::V1,
            "/a",
            &[
                ("memory.usage_in_bytes", "1000\n"),
                ("memory.limit_in_bytes", "8192\n"),
                ("memory.soft_limit_in_bytes", "9223372036854771712\n"),
                ("memory.memsw.usage_in_bytes", "1200\n"),
                ("memory.memsw.limit_in_bytes", "9000\n"),
                ("memory.max_usage_in_bytes", "2000\n"),
                ("memory.failcnt", "12\n"),
                ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
                (
                    "memory.stat",
                    "cache 1\nrss 2\ntotal_cache 300\ntotal_rss 600\ntotal_shmem 7\ntotal_inactive_file 200\n",
                ),
                ("memory.kmem.usage_in_bytes", "90\n"),
            ],
        );
        assert_eq!(
            (node.usage, node.swap, node.limits.swap_max),
            (Reading::Value(1000), Reading::Value(200), Reading::Value(Some(808)))
        );
        assert_eq!((node.limits.max, node.limits.high), (Reading::Value(Some(8192)), Reading::Value(None)));
        assert_eq!(
            (node.stat.anon, node.stat.file, node.stat.kernel),
            (Reading::Value(600), Reading::Value(300), Reading::Value(90))
        );
        assert_eq!((node.events.max, node.events.oom_kill), (Reading::Value(12), Reading::Value(3)));
        assert_eq!(node.pressure, Reading::Unsupported(Need::Feature(Feature::Unified)));
    }

    #[test]
    fn what_an_old_kernel_or_the_root_lacks_is_no_zero() {
        let old = node(CgroupVersion::V2, "/a", &[("memory.current", "1000\n"), ("memory.stat", "anon 5\nfile 6\n")]);
        assert_eq!(old.peak, Reading::Unsupported(Need::Kernel(5, 19)));
        assert_eq!(old.stat.kernel, Reading::Unsupported(Need::Kernel(5, 18)));
        assert_eq!(old.limits.max, Reading::Unsupported(NO_CONTROLLER));
        assert_eq!(old.pressure, Reading::Unsupported(Need::Feature(Feature::Psi)));
        let root = node(CgroupVersion::V2, "/", &[("memory.stat", "anon 5\nfile 6\n")]);
        assert_eq!((root.usage, root.stat.anon), (Reading::Unsupported(Need::NotApplicable), Reading::Value(5)));
        let without = node(CgroupVersion::V2, "/a", &[]);
        assert_eq!(without.usage, Reading::Unsupported(NO_CONTROLLER));
        let gone = read(CgroupVersion::V2, Path::new("/nonexistent/x"), "/x".into(), BootMs(1), &mut Buffer::new());
        assert_eq!(gone.usage, Reading::Gone);
    }

    #[test]
    fn garbage_is_unknown() {
        let node = node(
            CgroupVersion::V2,
            "/a",
            &[
                ("memory.current", "\u{1b}[2J"),
                ("memory.max", ""),
                ("memory.stat", "anon x\n"),
                ("memory.pressure", "some"),
            ],
        );
        assert_eq!((node.usage, node.stat.anon), (Reading::Unsupported(NO_LINE), Reading::Unsupported(NO_LINE)));
        assert_eq!(node.limits.max, Reading::Unsupported(NO_LINE));
    }
}
