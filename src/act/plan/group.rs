//! Control groups.

use super::describe;
use crate::act::effect::{GroupTarget, Knob, Plan, Refusal};
use crate::act::group::{Cap, NO_HIGH, file_of, folder, limit, reclaim_file, show_limit, usage};
use crate::act::rights::{Missing, may_write};
use crate::collect::root::ProcRoot;
use crate::model::cgroup::{CgroupVersion, Membership};
use crate::model::shell::quote;
use crate::units::Bytes;

pub(super) fn reclaim(group: &GroupTarget, amount: Option<u64>, root: &ProcRoot) -> Plan {
    let file = reclaim_file(group.version);
    let is_v1 = group.version == CgroupVersion::V1;
    let much = match amount {
        Some(amount) => tr!("up to {amount}", amount = Bytes(amount)),
        None => tr!("all that it can").into(),
    };
    let has_swap = std::fs::read_to_string(root.proc.join("swaps")).is_ok_and(|text| text.lines().count() > 1);
    let how = if has_swap {
        tr!("clean file cache is dropped, and anonymous memory goes to swap")
    } else {
        tr!("there is no swap, so that only file cache can go")
    };
    let mut refusal = refusal(group, root, file, || match amount {
        Some(bytes) => bytes.to_string(),
        None if is_v1 => "0".into(),
        None => Used::read(group, root).ram.unwrap_or(0).to_string(),
    });
    if is_v1 && amount.is_some() {
        refusal = Some(Refusal {
            reason: tr!("cgroup v1 can only give back all that it can, not an amount: ask for `all`.").into(),
            command: String::new(),
        });
    }
    Plan {
        title: match amount {
            Some(amount) => tr!("reclaim {amount} of {path}?", amount = Bytes(amount), path = group.path.escaped()),
            None => tr!("reclaim what can be taken of {path}?", path = group.path.escaped()),
        },
        targets: targets(group, root, None),
        effects: vec![
            tr!("The kernel takes {much} from the group: {how}.", much, how),
            tr!("Nobody ends and no limit changes. It can be stopped: X, or Ctrl-C of memtide act.").into(),
        ],
        needs: tr!(
            "that {file} may be written: root, or who owns the group{since}.",
            file,
            since = if is_v1 { "" } else { "; Linux 5.19" }
        ),
        risk: tr!("what is needed again is read from disk or swap: the group is slower until it is back.").into(),
        undo: tr!("none, and none is needed: its memory returns as it is used.").into(),
        refusal,
    }
}

pub(super) fn bound(group: &GroupTarget, knob: Knob, to: Option<u64>, root: &ProcRoot) -> Plan {
    let name = match knob {
        Knob::High => "memory.high",
        Knob::Max => "memory.max",
    };
    let file = file_of(group.version, knob);
    let now = limit(root, group, knob);
    let mut effects = vec![match (knob, to) {
        (_, None) => {
            tr!(
                "{path} has no {name} of its own any more; what bounds its ancestors still does.",
                path = group.path.escaped(),
                name
            )
        }
        (Knob::High, Some(to)) => {
            tr!("Above {to} the group is slowed down and its memory reclaimed. Nobody is killed.", to = Bytes(to))
        }
        (Knob::Max, Some(to)) => {
            tr!(
                "Above {to} its memory is reclaimed, and where that is not enough, one of its processes is killed.",
                to = Bytes(to)
            )
        }
    }];
    effects.extend(beyond(group, knob, to, root));
    if is_member(root, group, std::process::id()) {
        effects.push(tr!("CAUTION: memtide itself, and with it your session, is in this group.").into());
    }
    let membership = Membership { memory: group.path.clone(), managed: group.path.clone(), version: group.version };
    if let Some(unit) = membership.unit() {
        let property = if knob == Knob::High { "MemoryHigh" } else { "MemoryMax" };
        let value = to.map_or_else(|| "infinity".into(), |to| to.to_string());
        effects.push(tr!(
            "It holds until {unit} is started anew; for good: systemctl set-property {quoted} {property}={value}",
            unit,
            quoted = quote(&unit),
            property,
            value
        ));
    }
    let refusal = match file {
        Some(file) => {
            refusal(group, root, file, || to.map_or_else(|| none_of(group.version).into(), |to| to.to_string()))
        }
        None => Some(Refusal { reason: NO_HIGH.into(), command: String::new() }),
    };
    Plan {
        title: tr!("set {name} of {path} to {to}?", name, path = group.path.escaped(), to = show_limit(to)),
        targets: targets(group, root, Some((name, now))),
        effects,
        needs: tr!("that {filename} may be written: root, or who owns the group.", filename = file.unwrap_or(name)),
        risk: match (knob, to) {
            (_, None) => tr!("it can take all the memory there is.").into(),
            (Knob::High, _) => tr!("a group that can't get below it stands almost still.").into(),
            (Knob::Max, _) => tr!("the OOM killer's choice in the group is not always the leak.").into(),
        },
        undo: match now {
            Some(Cap(now)) => {
                tr!("back to {now}: by u, or by the command that is shown with what came of it.", now = show_limit(now))
            }
            None => tr!("what it is now can't be read.").into(),
        },
        refusal,
    }
}

fn none_of(version: CgroupVersion) -> &'static str {
    match version {
        CgroupVersion::V2 => "max",
        CgroupVersion::V1 => "-1",
    }
}

/// What a limit below today's use means at once.
fn beyond(group: &GroupTarget, knob: Knob, to: Option<u64>, root: &ProcRoot) -> Option<String> {
    let now = Used::read(group, root);
    let (to, used) = (to?, now.ram?);
    let over = used.checked_sub(to).filter(|over| *over > 0)?;
    let (used, beyond) = (Bytes(used), Bytes(over));
    Some(match knob {
        Knob::High => {
            tr!("It uses {used} now: {beyond} have to go first, and its processes wait for that.", used, beyond)
        }
        Knob::Max if over <= now.cache.unwrap_or(0) => {
            tr!("It uses {used} now: {beyond} have to go at once, which its file cache covers.", used, beyond)
        }
        Knob::Max if group.version == CgroupVersion::V1 => {
            tr!(
                "It uses {used} now: unless swap takes {beyond} the kernel refuses (EBUSY) and nothing changes.",
                used,
                beyond
            )
        }
        Knob::Max => {
            tr!(
                "CAUTION: it uses {used} now: unless swap takes {beyond} at once, its processes are killed until it fits.",
                used,
                beyond
            )
        }
    })
}

/// What a group has.
struct Used {
    ram: Option<u64>,
    cache: Option<u64>,
    swap: Option<u64>,
}

impl Used {
    fn read(group: &GroupTarget, root: &ProcRoot) -> Self {
        let gauges = usage(root, group);
        let get = |nth: usize| gauges.get(nth).and_then(|gauge| gauge.2).map(|bytes| bytes as u64);
        Self { ram: get(0), cache: get(1), swap: get(2) }
    }
}

/// The group with what it has, its limit, and the process through which it was chosen.
fn targets(group: &GroupTarget, root: &ProcRoot, knob: Option<(&str, Option<Cap>)>) -> Vec<String> {
    let now = Used::read(group, root);
    let show = |bytes: Option<u64>| bytes.map_or_else(|| "-".into(), |bytes| Bytes(bytes).to_string());
    let members = folder(root, group).and_then(|folder| std::fs::read_to_string(folder.join("cgroup.procs")).ok());
    let members = members.map_or_else(String::new, |text| tr!("  {count} processes", count = text.lines().count()));
    let mut line = tr!(
        "{path}  {ram} in use, {cache} of it file cache, {swap} in swap{members}",
        path = group.path.escaped(),
        ram = show(now.ram),
        cache = show(now.cache),
        swap = show(now.swap),
        members
    );
    if let Some((name, limit)) = knob {
        let limit = limit.map_or_else(|| "unknown".into(), |Cap(limit)| show_limit(limit));
        line.push_str(&tr!("  {name} is {limit} now", name, limit));
    }
    let mut targets = vec![line];
    targets.extend(group.via.as_ref().map(|via| tr!("the group of {who}", who = describe(via, root))));
    targets
}

fn is_member(root: &ProcRoot, group: &GroupTarget, pid: u32) -> bool {
    let text = std::fs::read(root.proc.join(pid.to_string()).join("cgroup")).unwrap_or_default();
    crate::collect::cgroup::parse_membership(&text).memory == group.path
}

fn refusal(group: &GroupTarget, root: &ProcRoot, file: &str, value: impl FnOnce() -> String) -> Option<Refusal> {
    let refuse = |reason: String, command: String| Some(Refusal { reason, command });
    let Some(folder) = folder(root, group) else {
        return refuse(
            tr!(
                "{path} can't be seen from here: it is gone, or lies outside of this container.",
                path = group.path.escaped()
            ),
            String::new(),
        );
    };
    let path = folder.join(file);
    let command = || format!("echo {} | sudo tee {}", value(), quote(&path.to_string_lossy()));
    match may_write(&path).err()? {
        Missing::Privilege => refuse(
            tr!("Not permitted: it takes root, or who owns the group. Run this, or memtide under sudo:").into(),
            command(),
        ),
        Missing::ReadOnly => refuse(
            tr!("Not permitted: the control groups are read-only here (a container). Run this on the host:").into(),
            command(),
        ),
        Missing::Absent => refuse(
            tr!(
                "{path} has no {file}: it is the root of what is seen here, the memory controller is not on, or the kernel is older.",
                path = group.path.escaped(),
                file
            ),
            String::new(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Text;

    fn tree(used_mib: u64, cache_mib: u64) -> (tempfile::TempDir, ProcRoot, GroupTarget) {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        let group = root.cgroup.join("system.slice/app.service");
        std::fs::create_dir_all(&group).unwrap();
        for (name, text) in [
            ("memory.current", (used_mib << 20).to_string()),
            ("memory.stat", format!("file {}\n", cache_mib << 20)),
            ("memory.swap.current", "0".into()),
            ("memory.high", "max".into()),
            ("memory.max", "max".into()),
            ("memory.reclaim", String::new()),
            ("cgroup.procs", "5\n6\n".into()),
        ] {
            std::fs::write(group.join(name), text).unwrap();
        }
        let group =
            GroupTarget { path: Text::from("/system.slice/app.service"), version: CgroupVersion::V2, via: None };
        (folder, root, group)
    }

    #[test]
    fn a_maximum_below_what_is_used_says_who_pays() {
        let (_folder, root, group) = tree(500, 50);
        let plan = |to: u64| bound(&group, Knob::Max, Some(to << 20), &root).effects.join("\n");
        assert!(plan(400).contains("CAUTION: it uses 500M now: unless swap takes 100M"), "{}", plan(400));
        assert!(plan(460).contains("which its file cache covers"), "{}", plan(460));
        assert!(!plan(600).contains("it uses"), "{}", plan(600));
        let high = bound(&group, Knob::High, Some(400 << 20), &root);
        assert!(high.effects[1].contains("100M have to go first"), "{high:?}");
        assert_eq!(high.refusal, None);
        assert!(high.undo.starts_with("back to max"), "{}", high.undo);
        assert!(high.effects.join("").contains("systemctl set-property app.service MemoryHigh=419430400"));
    }

    #[test]
    fn the_group_is_shown_with_what_it_has() {
        let (_folder, root, group) = tree(500, 50);
        let plan = reclaim(&group, Some(100 << 20), &root);
        assert_eq!(
            plan.targets,
            ["/system.slice/app.service  500M in use, 50M of it file cache, 0 in swap  2 processes"]
        );
        assert!(plan.effects[0].contains("up to 100M") && plan.effects[0].contains("no swap"), "{plan:?}");
    }

    #[test]
    fn a_group_without_the_file_is_refused_and_so_is_one_that_is_gone() {
        let (_folder, root, group) = tree(1, 0);
        std::fs::remove_file(root.cgroup.join("system.slice/app.service/memory.reclaim")).unwrap();
        assert!(reclaim(&group, None, &root).refusal.unwrap().reason.contains("has no memory.reclaim"));
        let gone = GroupTarget { path: Text::from("/gone"), ..group };
        assert!(bound(&gone, Knob::Max, None, &root).refusal.unwrap().reason.contains("can't be seen from here"));
    }

    #[test]
    fn v1_gives_back_all_or_nothing_and_has_no_high() {
        let (_folder, root, group) = tree(1, 0);
        let v1 = GroupTarget { version: CgroupVersion::V1, ..group };
        assert!(reclaim(&v1, Some(1), &root).refusal.unwrap().reason.contains("ask for `all`"));
        assert_eq!(bound(&v1, Knob::High, None, &root).refusal.unwrap().reason, NO_HIGH);
    }
}
