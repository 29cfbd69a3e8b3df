//! Effects in words: for the log, and as the command that does the same.

use super::effect::{Advice, DropLevel, Effect, GroupTarget, Knob, Resource, Target};
use super::{group, limits, signal};
use crate::model::shell::quote;

/// `1234 node app.js`: enough to recognise who it is.
pub(super) fn who(target: &Target) -> String {
    let command: String = target.command.chars().take(30).collect();
    format!("{} {command}", target.key.pid)
}

/// What an effect is, in a line.
pub fn title(effect: &Effect) -> String {
    match effect {
        Effect::Signal { targets, signal, escalate } => {
            let then =
                escalate.map_or_else(String::new, |after| tr!(", then KILL after {time} s", time = after.as_secs()));
            let whom = if targets.len() == 1 { tr!("process" => "counted") } else { tr!("processes" => "counted") };
            tr!(
                "SIG{signal}{then} to {targets} {whom}",
                signal = signal::name(*signal),
                then,
                targets = targets.len(),
                whom
            )
        }
        Effect::DropCaches(DropLevel::PageCache) => tr!("drop_caches 1: page cache").into(),
        Effect::DropCaches(DropLevel::Slab) => tr!("drop_caches 2: dentries and inodes").into(),
        Effect::DropCaches(DropLevel::Both) => tr!("drop_caches 3: page cache, dentries and inodes").into(),
        Effect::Reclaim { group, amount } => {
            tr!("reclaim {amount} of {path}", amount = amount_word(*amount), path = group.path.escaped())
        }
        Effect::Bound { group, knob, to } => {
            format!("{} {} of {}", knob_word(*knob), group::show_limit(*to), group.path.escaped())
        }
        Effect::OomScoreAdj { target, to } => format!("oom_score_adj {to} of {}", who(target)),
        Effect::Limit { target, resource, soft, .. } => {
            format!("{} {} of {}", limits::name(*resource), limits::show(*soft, *resource), who(target))
        }
        Effect::Advise { target, advice: Advice::PageOut } => tr!("page out {target}", target = who(target)),
        Effect::Advise { target, advice: Advice::Cold } => {
            tr!("memory of {target} taken for cold", target = who(target))
        }
        Effect::CollectGarbage(target) => tr!("garbage collection of {target}", target = who(target)),
        Effect::DumpHeap { target, file } => tr!("heap dump of {target} to {file}", target = who(target), file),
        Effect::HeapSnapshot { target, file, .. } => {
            tr!("heap snapshot of {target} to {file}", target = who(target), file)
        }
        Effect::RecycleSwap => tr!("recycle swap").into(),
    }
}

/// The word of an effect, as `memtide act` takes it.
pub fn word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Signal { .. } => "signal",
        Effect::DropCaches(_) => "drop_caches",
        Effect::Reclaim { .. } => "reclaim",
        Effect::Bound { knob, .. } => knob_word(*knob),
        Effect::OomScoreAdj { .. } => "oom_score_adj",
        Effect::Limit { resource: Resource::OpenFiles, .. } => "nofile",
        Effect::Limit { resource: Resource::AddressSpace, .. } => "address_space",
        Effect::Advise { advice, .. } => advice_word(*advice),
        Effect::CollectGarbage(_) => "gc",
        Effect::DumpHeap { .. } => "heap_dump",
        Effect::HeapSnapshot { .. } => "heap_snapshot",
        Effect::RecycleSwap => "recycle_swap",
    }
}

/// The command line that asks for the same.
pub fn command(effect: &Effect) -> String {
    let (value, on) = match effect {
        Effect::Signal { targets, signal, escalate } => {
            let then = if escalate.is_some() { "+KILL" } else { "" };
            let pids: Vec<String> = targets.iter().map(|target| target.key.pid.to_string()).collect();
            (format!("{}{then}", signal::name(*signal)), format!(" --pid {}", pids.join(",")))
        }
        Effect::DropCaches(level) => (super::run::number(*level).to_string(), String::new()),
        Effect::Reclaim { group, amount } => {
            (amount.map_or_else(|| "all".into(), |amount| amount.to_string()), of(group))
        }
        Effect::Bound { group, to, .. } => (to.map_or_else(|| "max".into(), |to| to.to_string()), of(group)),
        Effect::OomScoreAdj { target, to } => (to.to_string(), at(target)),
        Effect::Limit { target, soft, hard, .. } => {
            let number = |limit: Option<u64>| limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string());
            (number(*soft) + &hard.map_or_else(String::new, |hard| format!(":{hard}")), at(target))
        }
        Effect::Advise { target, .. } | Effect::CollectGarbage(target) => (String::new(), at(target)),
        Effect::DumpHeap { target, file } | Effect::HeapSnapshot { target, file, .. } => (quote(file), at(target)),
        Effect::RecycleSwap => (String::new(), String::new()),
    };
    let space = if value.is_empty() { "" } else { " " };
    format!("memtide act {}{space}{value}{on}", word(effect))
}

fn at(target: &Target) -> String {
    format!(" --pid {}", target.key.pid)
}

fn of(group: &GroupTarget) -> String {
    format!(" --cgroup {}", quote(&String::from_utf8_lossy(group.path.as_bytes())))
}

/// The word of an advice.
pub(super) fn advice_word(advice: Advice) -> &'static str {
    match advice {
        Advice::PageOut => "pageout",
        Advice::Cold => "cold",
    }
}

fn knob_word(knob: Knob) -> &'static str {
    match knob {
        Knob::High => "memory.high",
        Knob::Max => "memory.max",
    }
}

fn amount_word(amount: Option<u64>) -> String {
    amount.map_or_else(|| tr!("what can be taken").into(), |amount| crate::units::Bytes(amount).to_string())
}
