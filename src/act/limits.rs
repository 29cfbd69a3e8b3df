//! What the kernel keeps per process: resource limits (prlimit(2)) and the OOM killer's preference
//! (Documentation/filesystems/proc.rst, `oom_score_adj`).

use rustix::io::Errno;
use rustix::process::Rlimit;

use super::effect::{Effect, Resource, Target};
use super::group::Done;
use super::process::{Held, Missed};
use super::words::who;
use crate::collect::parse::{parse_number, parse_statm};
use crate::collect::root::ProcRoot;
use crate::units::Bytes;

/// Soft and hard; `None` is unlimited.
pub(super) type Pair = (Option<u64>, Option<u64>);

/// Reads a limit from `/proc/PID/limits`.
pub(super) fn read(held: &Held<'_>, resource: Resource) -> Option<Pair> {
    parse(&held.read("limits").ok()?, resource)
}

fn parse(bytes: &[u8], resource: Resource) -> Option<Pair> {
    let text = std::str::from_utf8(bytes).ok()?;
    let name = match resource {
        Resource::OpenFiles => "Max open files",
        Resource::AddressSpace => "Max address space",
    };
    let mut words = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some((next()?, next()?))
}

/// What of a limit is used: open files, or bytes of address space.
pub(super) fn used(held: &Held<'_>, root: &ProcRoot, resource: Resource) -> Option<u64> {
    match resource {
        Resource::AddressSpace => parse_statm(&held.read("statm").ok()?, root.page_size).map(|resident| resident.size),
        Resource::OpenFiles => {
            let fds = rustix::fs::openat(
                held.folder(),
                "fd",
                rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            );
            let entries = rustix::fs::Dir::new(fds.ok()?).ok()?;
            Some(entries.flatten().filter(|entry| !entry.file_name().to_bytes().starts_with(b".")).count() as u64)
        }
    }
}

/// What both limits are to be: the hard one stays, unless it is named or the soft one needs it higher.
pub(super) fn wanted(now: Pair, soft: Option<u64>, hard: Option<u64>) -> Pair {
    let is_enough = match (soft, now.1) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(soft), Some(hard)) => soft <= hard,
    };
    (
        soft,
        if hard.is_some() {
            hard
        } else if is_enough {
            now.1
        } else {
            soft
        },
    )
}

/// A limit as people read it.
pub(super) fn show(limit: Option<u64>, resource: Resource) -> String {
    match (limit, resource) {
        (None, _) => "unlimited".into(),
        (Some(limit), Resource::OpenFiles) => limit.to_string(),
        (Some(limit), Resource::AddressSpace) => Bytes(limit).to_string(),
    }
}

/// The resource's name in the kernel.
pub(super) fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::OpenFiles => "RLIMIT_NOFILE",
        Resource::AddressSpace => "RLIMIT_AS",
    }
}

/// Changes a limit.
pub(super) fn change(
    root: &ProcRoot,
    target: &Target,
    resource: Resource,
    soft: Option<u64>,
    hard: Option<u64>,
) -> Done {
    let missed = |missed: Missed| match missed {
        Missed::Failed(Errno::PERM) => format!(
            "{}: not permitted: it takes the process's own user, and to raise the hard limit CAP_SYS_RESOURCE; no \
             limit of files may be above /proc/sys/fs/nr_open",
            who(target)
        ),
        other => format!("{} {other}", who(target)),
    };
    let done = || -> Result<(String, Option<Effect>), String> {
        let held = Held::open(root, target.key).map_err(missed)?;
        let now = read(&held, resource).ok_or_else(|| format!("{}: its limits can't be read", who(target)))?;
        let (soft, hard) = wanted(now, soft, hard);
        let native = match resource {
            Resource::OpenFiles => rustix::process::Resource::Nofile,
            Resource::AddressSpace => rustix::process::Resource::As,
        };
        let before = held
            .by_pid(|pid| rustix::process::prlimit(Some(pid), native, Rlimit { current: soft, maximum: hard }))
            .map_err(missed)?;
        let undo = Effect::Limit {
            target: target.clone(),
            resource,
            soft: before.current,
            hard: before.maximum.filter(|before| Some(*before) != hard),
        };
        let (to, was) = (show(soft, resource), show(before.current, resource));
        Ok((format!("{}: {} {to} (was {was})", who(target), name(resource)), Some(undo)))
    };
    done().map_or_else(|why| (Err(why), None), |(text, undo)| (Ok(text), undo))
}

/// The OOM killer's preference as it is now.
pub(super) fn oom_score_adj(held: &Held<'_>) -> Option<i32> {
    std::str::from_utf8(&held.read("oom_score_adj").ok()?).ok()?.trim().parse().ok()
}

/// Changes the OOM killer's preference.
pub(super) fn prefer(root: &ProcRoot, target: &Target, to: i32) -> Done {
    let done = || -> Result<(String, Option<Effect>), String> {
        let held = Held::open(root, target.key).map_err(|missed| format!("{} {missed}", who(target)))?;
        let before = oom_score_adj(&held);
        held.write("oom_score_adj", &to.to_string()).map_err(|error| match error {
            Errno::SRCH => format!("{} {}", who(target), Missed::Ended),
            Errno::ACCESS | Errno::PERM => format!(
                "{}: not permitted: it takes the process's own user, and to lower it below what root set last \
                 CAP_SYS_RESOURCE",
                who(target)
            ),
            other => format!("{}: {other}", who(target)),
        })?;
        let score = held.read("oom_score").ok().as_deref().and_then(parse_number);
        let score = score.map_or_else(String::new, |score| format!(", oom_score {score}"));
        let was = before.map_or_else(|| "unknown".into(), |before| before.to_string());
        let undo = before.map(|to| Effect::OomScoreAdj { target: target.clone(), to });
        Ok((format!("{}: oom_score_adj {to} (was {was}){score}", who(target)), undo))
    };
    done().map_or_else(|why| (Err(why), None), |(text, undo)| (Ok(text), undo))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &[u8] = b"Limit                     Soft Limit           Hard Limit           Units     \n\
        Max open files            1024                 1048576              files     \n\
        Max address space         unlimited            unlimited            bytes     \n";

    #[test]
    fn both_limits_are_read() {
        assert_eq!(parse(LIMITS, Resource::OpenFiles), Some((Some(1024), Some(1_048_576))));
        assert_eq!(parse(LIMITS, Resource::AddressSpace), Some((None, None)));
        assert_eq!(parse(b"", Resource::AddressSpace), None);
    }

    #[test]
    fn the_hard_limit_rises_only_as_far_as_the_soft_one_needs() {
        let now = (Some(1024), Some(4096));
        assert_eq!(wanted(now, Some(2048), None), (Some(2048), Some(4096)));
        assert_eq!(wanted(now, Some(8192), None), (Some(8192), Some(8192)));
        assert_eq!(wanted(now, None, None), (None, None));
        assert_eq!(wanted((Some(8192), Some(8192)), Some(1024), Some(4096)), (Some(1024), Some(4096)));
        assert_eq!(wanted((Some(1), None), Some(5), None), (Some(5), None));
    }
}
