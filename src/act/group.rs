//! Control groups: what they use, what bounds them, and changes of both (Documentation/admin-guide/cgroup-v2.rst and
//! cgroup-v1/memory.rst).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::control::Control;
use super::effect::{Effect, GroupTarget, Knob};
use super::gauge::{Gauges, Unit};
use super::process::{Held, Missed};
use super::words::who;
use crate::collect::cgroup::parse_membership;
use crate::collect::parse::parse_number;
use crate::collect::root::ProcRoot;
use crate::model::cgroup::CgroupVersion;
use crate::units::Bytes;

/// So much is asked for at once: between two pieces it can be stopped.
const PIECE: u64 = 32 << 20;

/// v1 writes "no limit" as the largest number of whole pages that fits.
const NO_LIMIT: u64 = 1 << 62;

/// What came of a change, and the effect that brings back what was.
pub(super) type Done = (Result<String, String>, Option<Effect>);

/// The group's folder; `None` where it can't be seen from here.
pub(super) fn folder(root: &ProcRoot, group: &GroupTarget) -> Option<PathBuf> {
    let mount = match group.version {
        CgroupVersion::V2 => root.cgroup.clone(),
        CgroupVersion::V1 => root.cgroup.join("memory"),
    };
    let path = Path::new(OsStr::from_bytes(group.path.as_bytes()));
    let below: PathBuf = path.components().filter(|part| *part != Component::RootDir).collect();
    // Seen from a container, another's group lies outside of what is mounted.
    if below.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let folder = mount.join(below);
    if folder.is_dir() {
        return Some(folder);
    }
    // Without a namespace of its own the path is the host's, while the mount shows our own group as its root.
    let own = parse_membership(&std::fs::read(root.proc.join("self/cgroup")).ok()?);
    (own.version == group.version && own.memory == group.path).then_some(mount)
}

/// The file of a limit; v1 has but one.
pub(super) fn file_of(version: CgroupVersion, knob: Knob) -> Option<&'static str> {
    match (version, knob) {
        (CgroupVersion::V2, Knob::High) => Some("memory.high"),
        (CgroupVersion::V2, Knob::Max) => Some("memory.max"),
        (CgroupVersion::V1, Knob::Max) => Some("memory.limit_in_bytes"),
        (CgroupVersion::V1, Knob::High) => None,
    }
}

/// The file that takes memory away.
pub(super) fn reclaim_file(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V2 => "memory.reclaim",
        CgroupVersion::V1 => "memory.force_empty",
    }
}

/// A limit that is known: bytes, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cap(pub(super) Option<u64>);

/// A limit as it is now; `None` where it can't be read.
pub(super) fn limit(root: &ProcRoot, group: &GroupTarget, knob: Knob) -> Option<Cap> {
    let text = std::fs::read(folder(root, group)?.join(file_of(group.version, knob)?)).ok()?;
    if text.starts_with(b"max") {
        return Some(Cap(None));
    }
    parse_number(&text).map(|limit| Cap(Some(limit).filter(|limit| *limit < NO_LIMIT)))
}

/// What the group has in RAM, in swap, and of files.
pub(super) fn usage(root: &ProcRoot, group: &GroupTarget) -> Gauges {
    let folder = folder(root, group);
    let file = |name: &str| std::fs::read(folder.as_ref()?.join(name)).ok();
    let number = |name: &str| file(name).as_deref().and_then(parse_number);
    let stat = file("memory.stat").unwrap_or_default();
    let line = |name: &str| {
        let text = String::from_utf8_lossy(&stat);
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    let (used, swap, cache) = match group.version {
        CgroupVersion::V2 => (number("memory.current"), number("memory.swap.current"), line("file")),
        CgroupVersion::V1 => (number("memory.usage_in_bytes"), line("total_swap"), line("total_cache")),
    };
    let gauge = |name, bytes: Option<u64>| (name, Unit::Bytes, bytes.map(|bytes| bytes as i64));
    vec![gauge("in use", used), gauge("file cache", cache), gauge("in swap", swap)]
}

/// Whether the process through which the group was chosen is still there and in it.
fn check(root: &ProcRoot, group: &GroupTarget) -> Result<PathBuf, String> {
    if let Some(via) = &group.via {
        let held = Held::open(root, via.key).map_err(|missed| match missed {
            Missed::Ended | Missed::Reused => format!("{} has ended: its group was left alone", who(via)),
            other => format!("{} {other}", who(via)),
        })?;
        let member = held.read("cgroup").map(|text| parse_membership(&text));
        if member.map_or(true, |member| member.memory != group.path) {
            return Err(format!("{} has left {}: nothing was changed", who(via), group.path.escaped()));
        }
    }
    folder(root, group).ok_or_else(|| format!("{} can't be seen from here", group.path.escaped()))
}

/// Takes memory away, a piece at a time; `tell` hears how far it is.
pub(super) fn reclaim(
    root: &ProcRoot,
    group: &GroupTarget,
    amount: Option<u64>,
    control: &Control,
    mut tell: impl FnMut(String),
) -> Result<String, String> {
    let file = check(root, group)?.join(reclaim_file(group.version));
    let failed = |error: &io::Error| format!("{}: {}", file.display(), explain(error));
    if group.version == CgroupVersion::V1 {
        std::fs::write(&file, "0").map_err(|error| failed(&error))?;
        return Ok(format!("{}: took what could be taken", group.path.escaped()));
    }
    let used = || usage(root, group).first().and_then(|gauge| gauge.2).map_or(0, |bytes| bytes as u64);
    let before = used();
    let all = amount.unwrap_or(before);
    let mut asked = 0;
    let end = loop {
        if asked >= all {
            break "";
        }
        if control.is_cancelled() {
            break ", stopped";
        }
        let piece = PIECE.min(all - asked);
        match std::fs::write(&file, piece.to_string()) {
            Ok(()) => asked += piece,
            // Less than was asked for could be taken.
            Err(error) if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => break ", no more could be taken",
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(&error)),
        }
        tell(format!("{}: {} of {} taken", group.path.escaped(), Bytes(asked), Bytes(all)));
    };
    let text = format!("{}: {} of {} taken{end}", group.path.escaped(), Bytes(asked), Bytes(all));
    // Of all that is there some is always needed; of an amount that was named something must come.
    if asked == 0 && amount.is_some() { Err(text) } else { Ok(text) }
}

/// Gives the group a limit.
pub(super) fn bound(root: &ProcRoot, group: &GroupTarget, knob: Knob, to: Option<u64>) -> Done {
    let change = || -> Result<(String, Option<Effect>), String> {
        let name = file_of(group.version, knob).ok_or(NO_HIGH)?;
        let file = check(root, group)?.join(name);
        let before = limit(root, group, knob);
        let text = match (to, group.version) {
            (Some(bytes), _) => bytes.to_string(),
            (None, CgroupVersion::V2) => "max".into(),
            (None, CgroupVersion::V1) => "-1".into(),
        };
        std::fs::write(&file, text).map_err(|error| format!("{}: {}", file.display(), explain(&error)))?;
        let undo = before.map(|Cap(before)| Effect::Bound {
            // The limit is the group's: it can be brought back when the process is gone.
            group: GroupTarget { via: None, ..group.clone() },
            knob,
            to: before,
        });
        let was = before.map_or_else(|| "unknown".into(), |Cap(before)| show_limit(before));
        Ok((format!("{}: {name} {} (was {was})", group.path.escaped(), show_limit(to)), undo))
    };
    match change() {
        Ok((text, undo)) => (Ok(text), undo),
        Err(why) => (Err(why), None),
    }
}

/// Why there is no `memory.high`.
pub(super) const NO_HIGH: &str =
    "cgroup v1 has no memory.high, which slows a group without killing in it: memory.max is its only limit.";

/// `400M`, `max`.
pub(super) fn show_limit(limit: Option<u64>) -> String {
    limit.map_or_else(|| "max".into(), |bytes| Bytes(bytes).to_string())
}

fn explain(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::BUSY) => "the group uses more than that, and the kernel could not take enough from it".into(),
        Some(Errno::INVAL) => {
            "the kernel refuses it: the root group has no limit, and on v1 memory.memsw.limit_in_bytes may not be less"
                .into()
        }
        Some(Errno::PERM | Errno::ACCESS) => "not permitted: it takes root, or who owns the group".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Text;

    fn tree(version: CgroupVersion, files: &[(&str, &str)]) -> (tempfile::TempDir, ProcRoot, GroupTarget) {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        let mount = if version == CgroupVersion::V1 { root.cgroup.join("memory") } else { root.cgroup.clone() };
        std::fs::create_dir_all(mount.join("app")).unwrap();
        for (name, text) in files {
            std::fs::write(mount.join("app").join(name), text).unwrap();
        }
        (folder, root, GroupTarget { path: Text::from("/app"), version, via: None })
    }

    #[test]
    fn a_limit_is_changed_and_its_undo_is_what_was() {
        for (version, file, none, to) in [
            (CgroupVersion::V2, "memory.max", "max\n", "max"),
            (CgroupVersion::V1, "memory.limit_in_bytes", "9223372036854771712\n", "-1"),
        ] {
            let (_folder, root, group) = tree(version, &[(file, none)]);
            let (result, undo) = bound(&root, &group, Knob::Max, Some(400 << 20));
            assert_eq!(result.unwrap(), format!("/app: {file} 400M (was max)"));
            assert_eq!(limit(&root, &group, Knob::Max), Some(Cap(Some(400 << 20))));
            let Some(Effect::Bound { group, knob, to: back }) = undo else { panic!() };
            assert!(bound(&root, &group, knob, back).0.is_ok());
            let path = super::folder(&root, &group).unwrap().join(file);
            assert_eq!(std::fs::read_to_string(path).unwrap(), to);
        }
    }

    #[test]
    fn v1_has_no_high() {
        let (_folder, root, group) = tree(CgroupVersion::V1, &[]);
        assert_eq!(bound(&root, &group, Knob::High, None), (Err(NO_HIGH.into()), None));
    }

    #[test]
    fn what_a_group_uses_is_read_of_both_versions() {
        let v2 = [("memory.current", "4096\n"), ("memory.swap.current", "2\n"), ("memory.stat", "anon 1\nfile 3\n")];
        let v1 = [("memory.usage_in_bytes", "4096\n"), ("memory.stat", "cache 1\ntotal_cache 3\ntotal_swap 2\n")];
        for (version, files) in [(CgroupVersion::V2, &v2[..]), (CgroupVersion::V1, &v1[..])] {
            let (_folder, root, group) = tree(version, files);
            let values: Vec<Option<i64>> = usage(&root, &group).into_iter().map(|gauge| gauge.2).collect();
            assert_eq!(values, [Some(4096), Some(3), Some(2)], "{version:?}");
        }
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_never_another_one() {
        let (_folder, root, group) = tree(CgroupVersion::V2, &[("memory.max", "max\n")]);
        std::fs::create_dir_all(root.proc.join("self")).unwrap();
        std::fs::write(root.proc.join("self/cgroup"), "0::/mine\n").unwrap();
        let at = |path: &str| GroupTarget { path: Text::from(path), ..group.clone() };
        assert_eq!(super::folder(&root, &at("/../other")), None);
        assert_eq!(super::folder(&root, &at("/gone")), None);
        assert_eq!(super::folder(&root, &at("/mine")), Some(root.cgroup.clone()));
    }
}
