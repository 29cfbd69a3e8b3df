//! Advice about the memory of one process.

use rustix::thread::CapabilitySet;

use super::describe;
use crate::act::advise::{NO_PROGRAM, has_program};
use crate::act::effect::{Advice, Plan, Refusal, Target};
use crate::act::process::Held;
use crate::act::rights::has_capability;
use crate::act::words::advice_word;
use crate::collect::parse::parse_statm;
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::units::Bytes;

pub(super) fn advise(target: &Target, advice: Advice, root: &ProcRoot) -> Plan {
    let pid = target.key.pid;
    let held = Held::open(root, target.key);
    let rss = held.as_ref().ok().and_then(|held| parse_statm(&held.read("statm").ok()?, root.page_size));
    let rss = rss.map_or_else(|| tr!("an unknown amount").into(), |rss| Bytes(rss.rss).to_string());
    let mut effects = match advice {
        Advice::PageOut => vec![
            tr!("Of {rss} in RAM what it alone has goes: {where_to}.", rss, where_to = where_to(root)),
            tr!("It runs on meanwhile. It can be stopped: X, or Ctrl-C of memtide act.").into(),
        ],
        Advice::Cold => {
            vec![tr!(
                "Of {rss} in RAM what it alone has is the first to go once memory is short. Nothing goes now.",
                rss
            )]
        }
    };
    effects.push(tr!("Nothing is lost and nobody ends; pages that others map as well stay as they are.").into());
    Plan {
        title: match advice {
            Advice::PageOut => tr!("page out process {pid}?", pid),
            Advice::Cold => tr!("take the memory of process {pid} for cold?", pid),
        },
        targets: vec![describe(target, root)],
        effects,
        needs: tr!(
            "root (CAP_SYS_NICE, and the right to ptrace it); Linux 5.10; perl or python3, which make the system call."
        )
        .into(),
        risk: match advice {
            Advice::PageOut => {
                tr!("what it needs is read back from swap or disk, page by page: it stalls until then.").into()
            }
            Advice::Cold => tr!("where memory is short, it is the one that gets slower.").into(),
        },
        undo: tr!("none, and none is needed: each page returns as it is used.").into(),
        refusal: refusal(target, advice, held.as_ref()),
    }
}

/// Where its pages would go.
fn where_to(root: &ProcRoot) -> String {
    let mem = std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).unwrap_or_default();
    match mem.swap_free.value() {
        None | Some(0) => tr!("there is no swap, so that clean pages of files are dropped and all else stays").into(),
        Some(free) => {
            tr!("anonymous memory to swap, where {free} are free, clean pages of files are dropped", free = Bytes(free))
        }
    }
}

fn refusal<E: std::fmt::Display>(target: &Target, advice: Advice, held: Result<&Held<'_>, E>) -> Option<Refusal> {
    let refuse = |reason: String, command: String| Some(Refusal { reason, command });
    let held = match held {
        Ok(held) => held,
        Err(missed) => return refuse(format!("It {missed}."), String::new()),
    };
    if !has_capability(CapabilitySet::SYS_NICE) || held.file("smaps").is_err() {
        return refuse(
            tr!("Not permitted: it takes root (CAP_SYS_NICE, and the right to ptrace it). Run this:").into(),
            format!("sudo memtide act {} --pid {}", advice_word(advice), target.key.pid),
        );
    }
    if !has_program() {
        return refuse(tr!("Refused: {reason}.", reason = tr!(of NO_PROGRAM)), String::new());
    }
    None
}
