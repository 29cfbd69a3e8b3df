//! Control groups: where a process is accounted, and the limit that binds it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use super::files::Buffer;
use super::parse::{lines, parse_number, take_number};
use super::root::ProcRoot;
use crate::model::cgroup::{CgroupLimit, CgroupVersion, Membership};
use crate::model::text::Text;

/// Decodes `/proc/PID/cgroup` (cgroups(7)): `id:controllers:path` a line, the unified hierarchy as `0::path`.
pub fn parse_membership(bytes: &[u8]) -> Membership {
    let (mut unified, mut memory, mut systemd) = (None, None, None);
    for line in lines(bytes) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if controllers.is_empty() {
            unified = Some(path);
        } else if controllers == b"name=systemd" {
            systemd = Some(path);
        } else if controllers.split(|byte| *byte == b',').any(|controller| controller == b"memory") {
            memory = Some(path);
        }
    }
    let managed = match unified {
        Some(path) if path != b"/" => path,
        other => systemd.filter(|path| *path != b"/").or(memory).or(other).unwrap_or(b"/"),
    };
    let (version, memory) = match memory {
        Some(path) => (CgroupVersion::V1, path),
        None => (CgroupVersion::V2, unified.unwrap_or(b"/")),
    };
    Membership { memory: Text::new(memory), managed: Text::new(managed), version }
}

/// The tightest memory limit from the process's group up to the root of what is visible; `None` where nothing
/// limits it below `mem_total` bytes.
pub(super) fn binding_limit(
    root: &ProcRoot,
    membership: &Membership,
    mem_total: u64,
    buffer: &mut Buffer,
) -> Option<CgroupLimit> {
    let mount = match membership.version {
        CgroupVersion::V2 => root.cgroup.clone(),
        CgroupVersion::V1 => root.cgroup.join("memory"),
    };
    // A group's name may be of any bytes but a slash and a newline.
    let path = Path::new(OsStr::from_bytes(membership.memory.as_bytes()));
    let mut group: PathBuf = path.components().filter(|part| *part != Component::RootDir).collect();
    // Seen from a container, another's group lies outside of what is mounted: its limits are not to be known.
    if group.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    // Without a namespace of its own the path is the host's, while the mount shows only our own group as its root.
    if !mount.join(&group).is_dir() {
        group = PathBuf::new();
    }
    let limit_file = match membership.version {
        CgroupVersion::V2 => "memory.max",
        CgroupVersion::V1 => "memory.limit_in_bytes",
    };
    let mut tightest: Option<(u64, PathBuf)> = None;
    loop {
        let limit = buffer.read_path(&mount.join(&group).join(limit_file)).ok().and_then(parse_number);
        if let Some(limit) = limit
            && limit < mem_total
            && tightest.as_ref().is_none_or(|(tightest, _)| limit < *tightest)
        {
            tightest = Some((limit, group.clone()));
        }
        if !group.pop() {
            break;
        }
    }
    let (limit, group) = tightest?;
    let folder = mount.join(&group);
    let path = Text::new([b"/", group.as_os_str().as_encoded_bytes()].concat());
    match membership.version {
        CgroupVersion::V2 => read_v2(path, limit, &folder, buffer),
        CgroupVersion::V1 => read_v1(path, limit, &folder, buffer),
    }
}

/// The tightest limit of a process's group: what binds it below `mem_total` bytes.
pub fn read_limit(root: &ProcRoot, membership: &Membership, mem_total: u64) -> Option<CgroupLimit> {
    binding_limit(root, membership, mem_total, &mut Buffer::new())
}

/// `memory.*` of the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst).
fn read_v2(path: Text, limit: u64, folder: &Path, buffer: &mut Buffer) -> Option<CgroupLimit> {
    let mut number = |name: &str| buffer.read_path(&folder.join(name)).ok().and_then(parse_number);
    let usage = number("memory.current")?;
    let (swap_limit, swap_usage) = (number("memory.swap.max"), number("memory.swap.current"));
    let inactive_file = keyed(buffer, &folder.join("memory.stat"), b"inactive_file").unwrap_or(0);
    let oom_kills = keyed(buffer, &folder.join("memory.events"), b"oom_kill");
    Some(CgroupLimit { path, limit, usage, inactive_file, swap_limit, swap_usage, oom_kills })
}

/// `memory.*` of the first version (Documentation/admin-guide/cgroup-v1/memory.rst). memsw counts RAM and swap
/// together.
fn read_v1(path: Text, limit: u64, folder: &Path, buffer: &mut Buffer) -> Option<CgroupLimit> {
    let mut number = |name: &str| buffer.read_path(&folder.join(name)).ok().and_then(parse_number);
    let usage = number("memory.usage_in_bytes")?;
    let both_limit = number("memory.memsw.limit_in_bytes").filter(|both| *both < NO_LIMIT);
    let swap_limit = both_limit.map(|both| both.saturating_sub(limit));
    let swap_usage = number("memory.memsw.usage_in_bytes").map(|both| both.saturating_sub(usage));
    let inactive_file = keyed(buffer, &folder.join("memory.stat"), b"total_inactive_file").unwrap_or(0);
    let oom_kills = keyed(buffer, &folder.join("memory.oom_control"), b"oom_kill");
    Some(CgroupLimit { path, limit, usage, inactive_file, swap_limit, swap_usage, oom_kills })
}

/// v1 writes "no limit" as the largest number of whole pages that fits.
const NO_LIMIT: u64 = 1 << 62;

/// The value of `name` in a file of `name value` lines.
fn keyed(buffer: &mut Buffer, path: &Path, name: &[u8]) -> Option<u64> {
    let bytes = buffer.read_path(path).ok()?;
    lines(bytes).find_map(|line| {
        let mut rest = line.strip_prefix(name)?.strip_prefix(b" ")?;
        take_number(&mut rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_controller_decides_the_version() {
        let v2 = parse_membership(b"0::/system.slice/nginx.service\n");
        assert_eq!((v2.version, v2.memory.as_bytes()), (CgroupVersion::V2, b"/system.slice/nginx.service".as_slice()));

        let v1 = parse_membership(b"9:name=systemd:/system.slice/app.service\n4:cpu,memory:/a:b\n0::/\n");
        assert_eq!(v1.version, CgroupVersion::V1);
        assert_eq!(v1.memory.as_bytes(), b"/a:b");
        assert_eq!(v1.unit().as_deref(), Some("app.service"));
    }

    #[test]
    fn garbage_is_the_root_group() {
        assert_eq!(parse_membership(b"\xff\xff").memory.as_bytes(), b"/");
    }

    #[test]
    fn the_tightest_ancestor_binds() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        let write = |group: &str, limit: &str| {
            let path = root.cgroup.join(group);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("memory.max"), limit).unwrap();
            std::fs::write(path.join("memory.current"), "1000\n").unwrap();
            std::fs::write(path.join("memory.stat"), "file 5\ninactive_file 300\n").unwrap();
        };
        write("a", "4096\n");
        write("a/b", "max\n");
        write("a/b/c", "8192\n");
        let latin = std::ffi::OsStr::from_bytes(b"a/b/c/\xe9");
        std::fs::create_dir(root.cgroup.join(latin)).unwrap();
        let membership = parse_membership(b"0::/a/b/c\n");
        let limit = binding_limit(&root, &membership, 1 << 30, &mut Buffer::new()).unwrap();
        assert_eq!((limit.path.as_bytes(), limit.limit, limit.inactive_file), (b"/a".as_slice(), 4096, 300));
        assert_eq!(binding_limit(&root, &membership, 2048, &mut Buffer::new()), None);
        let below = parse_membership(b"0::/a/b/c/\xe9\n");
        assert_eq!(binding_limit(&root, &below, 1 << 30, &mut Buffer::new()), Some(limit));
    }
}
