//! One process: its limits, the OOM killer's preference, its runtime.

use rustix::thread::CapabilitySet;

use super::{cautions, describe};
use crate::act::effect::{Effect, Plan, Refusal, Resource, Target};
use crate::act::jvm;
use crate::act::limits::{self, oom_score_adj as now_of, wanted};
use crate::act::process::Held;
use crate::act::rights::{Missing, has_capability, may_signal, may_write};
use crate::collect::root::ProcRoot;
use crate::model::shell::quote;
use crate::units::Bytes;

/// Who may not, and what would do it.
fn not_permitted(needs: &str, command: String) -> Refusal {
    Refusal { reason: tr!("Not permitted: it takes {needs}. Run this, or memtide under sudo:", needs), command }
}

/// Who has ended meanwhile.
fn gone(why: &str) -> Refusal {
    Refusal { reason: format!("It {why}."), command: String::new() }
}

/// The command that does what is refused for pid 1.
pub(super) fn shell_command(effect: &Effect) -> String {
    match effect {
        Effect::OomScoreAdj { target, to } => adj_command(target, *to),
        Effect::Limit { target, resource, soft, .. } => limit_command(target, *resource, *soft),
        _ => String::new(),
    }
}

fn adj_command(target: &Target, to: i32) -> String {
    format!("echo {to} | sudo tee /proc/{}/oom_score_adj", target.key.pid)
}

fn limit_command(target: &Target, resource: Resource, soft: Option<u64>) -> String {
    let flag = match resource {
        Resource::OpenFiles => "nofile",
        Resource::AddressSpace => "as",
    };
    let soft = soft.map_or_else(|| "unlimited".into(), |soft| soft.to_string());
    format!("sudo prlimit --pid {} --{flag}={soft}:", target.key.pid)
}

pub(super) fn oom_score_adj(target: &Target, to: i32, root: &ProcRoot) -> Plan {
    let held = Held::open(root, target.key);
    let now = held.as_ref().ok().and_then(now_of);
    let mut effects = vec![match to {
        -1000 => tr!("The OOM killer never chooses it: the leak itself must not be the one.").to_owned(),
        1000 => tr!("The OOM killer chooses it before everybody else.").into(),
        _ => tr!(
            "{to} % of the machine's memory is added to what the OOM killer weighs it by.",
            to = format_args!("{:+.1}", f64::from(to) / 10.0)
        ),
    }];
    if to > 0 {
        effects.extend(cautions(std::slice::from_ref(target), root));
    }
    let is_lower = now.is_some_and(|now| to < now);
    let refusal = match (&held, may_write(&root.proc.join(target.key.pid.to_string()).join("oom_score_adj"))) {
        (Err(missed), _) => Some(gone(&missed.to_string())),
        (_, Err(Missing::Privilege)) => {
            Some(not_permitted(&tr!("{user}, root or CAP_SYS_RESOURCE", user = target.user), adj_command(target, to)))
        }
        _ => None,
    };
    Plan {
        title: tr!("set oom_score_adj of process {pid} to {to}?", pid = target.key.pid, to),
        targets: vec![tr!(
            "{who}  oom_score_adj is {now} now",
            who = describe(target, root),
            now = now.map_or_else(|| "unknown".into(), |now| now.to_string())
        )],
        effects,
        needs: if is_lower && !has_capability(CapabilitySet::SYS_RESOURCE) {
            tr!("its own user; below what root set last, CAP_SYS_RESOURCE.").into()
        } else {
            tr!("its own user; to lower it CAP_SYS_RESOURCE.").into()
        },
        risk: if to < 0 {
            tr!("where memory runs out somebody else ends instead.").into()
        } else {
            tr!("where memory runs out it ends first.").into()
        },
        undo: back(now.map(|now| now.to_string())),
        refusal,
    }
}

/// How a value is brought back.
fn back(now: Option<String>) -> String {
    match now {
        Some(now) => tr!("back to {now}: by u, or by the command that is shown with what came of it.", now),
        None => tr!("what it is now can't be read.").into(),
    }
}

pub(super) fn limit(target: &Target, resource: Resource, to: (Option<u64>, Option<u64>), root: &ProcRoot) -> Plan {
    let held = Held::open(root, target.key);
    let now = held.as_ref().ok().and_then(|held| limits::read(held, resource));
    let used = held.as_ref().ok().and_then(|held| limits::used(held, root, resource));
    let show = |limit| limits::show(limit, resource);
    let name = limits::name(resource);
    let what = match resource {
        Resource::OpenFiles => tr!("open files"),
        Resource::AddressSpace => tr!("address space"),
    };
    let (soft, hard) = now.map_or((to.0, to.1), |now| wanted(now, to.0, to.1));
    let mut effects = vec![match resource {
        Resource::OpenFiles => {
            tr!("It may open files up to the new limit from the next one on; what is open stays open.").to_owned()
        }
        Resource::AddressSpace => {
            tr!("Mappings above the new limit fail from the next one on (ENOMEM); what is mapped stays.").into()
        }
    }];
    let is_raised = now.is_some_and(|now| now.1 != hard);
    if is_raised {
        effects.push(tr!(
            "The hard limit changes as well, from {now} to {hard}.",
            now = show(now.and_then(|now| now.1)),
            hard = show(hard)
        ));
    }
    if let (Some(soft), Some(used)) = (soft, used)
        && soft <= used
    {
        effects.push(tr!("CAUTION: it has {used} now: the very next one fails.", used = show(Some(used))));
    }
    effects.extend(cautions(std::slice::from_ref(target), root));
    let has_right = has_capability(CapabilitySet::SYS_RESOURCE);
    let is_own = rustix::process::geteuid().as_raw() == target.uid;
    let is_above =
        matches!((now.map(|now| now.1), hard), (Some(Some(now)), hard) if hard.is_none_or(|hard| hard > now));
    let refusal = match &held {
        Err(missed) => Some(gone(&missed.to_string())),
        Ok(_) if !has_right && (!is_own || is_above) => {
            let needs = if is_above {
                tr!("CAP_SYS_RESOURCE (root), above the hard limit").into()
            } else {
                tr!("{user} or root", user = target.user)
            };
            Some(not_permitted(&needs, limit_command(target, resource, to.0)))
        }
        Ok(_) => None,
    };
    Plan {
        title: tr!("set {name} of process {pid} to {soft}?", name, pid = target.key.pid, soft = show(soft)),
        targets: vec![tr!("{who}  {used} {what}, limit {now} (hard {hard})", who = describe(target, root), used = used.map_or_else(|| "-".into(), |used| show(Some(used))), what, now = now.map_or_else(|| "unknown".into(), |now| show(now.0)), hard = now.map_or_else(|| "unknown".into(), |now| show(now.1)))],
        effects,
        needs: tr!("its own user; above the hard limit CAP_SYS_RESOURCE.").into(),
        risk: match resource {
            Resource::OpenFiles => {
                tr!("a leak of descriptors meets a higher limit later, no less surely; some programs read it only when they start.").into()
            }
            Resource::AddressSpace => tr!("most programs end where memory is refused; a JVM or Go reserves far more than it uses.").into(),
        },
        undo: back(now.map(|now| show(now.0))),
        refusal,
    }
}

/// What both requests to a JVM have in common.
pub(super) fn of_jvm(target: &Target, root: &ProcRoot, plan: Plan, command: String) -> Plan {
    let held = Held::open(root, target.key);
    let refusal = match &held {
        Err(missed) => Some(gone(&missed.to_string())),
        Ok(_) if may_signal(target.key.pid) == Err(Missing::Privilege) => {
            Some(not_permitted(&tr!("{user} or root", user = target.user), command))
        }
        Ok(held) => jvm::recognise(held)
            .err()
            .map(|reason| Refusal { reason: tr!("Refused: {reason}.", reason), command: String::new() }),
    };
    Plan {
        targets: vec![describe(target, root)],
        needs: tr!("its own user or root; a HotSpot JVM that lets itself be attached to (as jcmd does).").into(),
        refusal,
        ..plan
    }
}

pub(super) fn collect_garbage(target: &Target, root: &ProcRoot) -> Plan {
    let plan = Plan {
        title: tr!("ask JVM {pid} for a full garbage collection?", pid = target.key.pid),
        effects: vec![
            tr!("System.gc() runs: what is still in use afterwards is what the program holds.").into(),
            tr!("A socket /tmp/.java_pidN stays in its /tmp, as after jcmd.").into(),
        ],
        risk: tr!(
            "all its threads stand still meanwhile, on a large heap for seconds; -XX:+DisableExplicitGC ignores it."
        )
        .into(),
        undo: tr!("none, and none is needed.").into(),
        ..Plan::default()
    };
    of_jvm(target, root, plan, format!("sudo -u {} jcmd {} GC.run", quote(&target.user), target.key.pid))
}

pub(super) fn dump_heap(target: &Target, file: &str, root: &ProcRoot) -> Plan {
    let held = Held::open(root, target.key).ok();
    let rss = held.and_then(|held| crate::collect::parse::parse_statm(&held.read("statm").ok()?, root.page_size));
    let size = rss
        .map_or_else(|| tr!("its heap in size").into(), |rss| tr!("at most about {rss} large", rss = Bytes(rss.rss)));
    let plan = Plan {
        title: tr!("dump the heap of JVM {pid}?", pid = target.key.pid),
        effects: vec![
            tr!("A full collection runs, then all live objects are written to {file}, {size}.", file, size),
            tr!(
                "The file is the JVM's: its user's, in its file system. One that is there already is not written over."
            )
            .into(),
        ],
        risk: tr!(
            "all its threads stand still until it is written; the file holds whatever the program knows, secrets too."
        )
        .into(),
        undo: tr!("delete the file.").into(),
        ..Plan::default()
    };
    let command = format!("sudo -u {} jcmd {} GC.heap_dump {}", quote(&target.user), target.key.pid, quote(file));
    of_jvm(target, root, plan, command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::parse::parse_stat;
    use crate::model::key::ProcessKey;

    fn myself() -> Target {
        let pid = std::process::id();
        let stat = std::fs::read("/proc/self/stat").unwrap();
        let start_time = parse_stat(&stat).unwrap().start_time;
        let uid = rustix::process::geteuid().as_raw();
        Target { key: ProcessKey { pid, start_time }, uid, user: "me".into(), command: "test".into() }
    }

    #[test]
    fn a_limit_below_what_is_used_is_said_loudly_and_its_undo_names_what_was() {
        let plan = limit(&myself(), Resource::OpenFiles, (Some(1), None), &ProcRoot::live());
        assert!(plan.effects.iter().any(|line| line.starts_with("CAUTION: it has")), "{plan:?}");
        assert!(plan.undo.starts_with("back to "), "{}", plan.undo);
        assert_eq!(plan.refusal, None);
    }

    #[test]
    fn what_is_no_jvm_is_not_asked_as_one() {
        for plan in [collect_garbage(&myself(), &ProcRoot::live()), dump_heap(&myself(), "/x", &ProcRoot::live())] {
            assert!(plan.refusal.unwrap().reason.contains("it is no JVM"), "{}", plan.title);
        }
    }

    #[test]
    fn who_has_ended_is_refused() {
        let mut gone = myself();
        gone.key.start_time -= 1;
        for plan in [
            oom_score_adj(&gone, 1, &ProcRoot::live()),
            limit(&gone, Resource::AddressSpace, (None, None), &ProcRoot::live()),
            collect_garbage(&gone, &ProcRoot::live()),
        ] {
            assert!(plan.refusal.unwrap().reason.contains("belongs to another process now"), "{}", plan.title);
        }
    }

    #[test]
    fn what_the_oom_killer_makes_of_it_is_said_in_percent() {
        let plan = oom_score_adj(&myself(), 500, &ProcRoot::live());
        assert!(plan.effects[0].starts_with("+50.0 %"), "{plan:?}");
        assert!(plan.effects[1].starts_with("CAUTION"), "{plan:?}");
        assert!(oom_score_adj(&myself(), -1000, &ProcRoot::live()).effects[0].contains("never"));
    }
}
