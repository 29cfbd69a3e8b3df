//! Effects carried out. This may take long: it belongs on a thread of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::effect::{DropLevel, Effect, Measured, Outcome, Signal, Target};
use super::plan::{LAST, is_protected, not_here, number};
use super::process::{Held, Missed};
use super::signal;
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::model::reading::Reading;
use crate::model::system::Meminfo;

/// How long a process is watched after a signal, to tell whether it ended.
const WATCH: Duration = Duration::from_millis(700);

/// Carries out an effect and reports what came of it: once, or, for an escalation, once a step.
pub fn run(effect: &Effect, root: &ProcRoot, mut report: impl FnMut(Outcome)) {
    let began = Instant::now();
    let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let mut tell = |results, is_final, measured| {
        let effect = effect.clone();
        report(Outcome { effect, wall_ms, took: began.elapsed(), results, is_final, measured });
    };
    if let Some(why) = not_here(root) {
        return tell(vec![Err(why.into())], true, None);
    }
    match effect {
        Effect::Signal { targets, signal, escalate } => {
            let steps = deliver(root, targets, *signal);
            let Some(grace) = escalate else {
                let patience = if signal::is_fatal(*signal) { WATCH } else { Duration::ZERO };
                return tell(results(&steps, *signal, began, patience), true, None);
            };
            let is_over = steps.iter().all(|(_, held)| held.as_ref().is_ok_and(|held| held.wait(began + WATCH)));
            tell(results(&steps, *signal, began, Duration::ZERO), is_over, None);
            if !is_over {
                tell(kill_the_rest(&steps, *signal, began, *grace), true, None);
            }
        }
        Effect::DropCaches(level) => {
            let (result, measured) = drop_caches(root, *level);
            tell(vec![result], true, measured);
        }
    }
}

type Step<'a> = (&'a Target, Result<Held<'a>, Missed>);

/// Sends a signal to every target: all are held before the first is hit.
fn deliver<'a>(root: &'a ProcRoot, targets: &'a [Target], signal: Signal) -> Vec<Step<'a>> {
    let hold = |target: &Target| {
        if is_protected(target) { Err(Missed::Denied) } else { Held::open(root, target.key) }
    };
    let all: Vec<Step<'a>> = targets.iter().map(|target| (target, hold(target))).collect();
    all.into_iter().map(|(target, held)| (target, held.and_then(|held| held.send(signal).map(|()| held)))).collect()
}

/// What came of a signal, a line a target, after all were watched for at most `watch` since `began`.
fn results(steps: &[Step<'_>], signal: Signal, began: Instant, watch: Duration) -> Vec<Result<String, String>> {
    let line = |(target, held): &Step<'_>| match held {
        Err(missed) => Err(format!("{} {}", who(target), missed)),
        Ok(held) => {
            let has_ended = held.wait(began + watch);
            let what = format!("{}: SIG{} sent", who(target), signal::name(signal));
            Ok(match (has_ended, signal::is_fatal(signal)) {
                (true, _) => format!("{what}, ended within {} ms", began.elapsed().as_millis()),
                (false, true) => format!("{what}, still there after {} ms", began.elapsed().as_millis()),
                (false, false) => what,
            })
        }
    };
    steps.iter().map(line).collect()
}

fn kill_the_rest(steps: &[Step<'_>], signal: Signal, began: Instant, grace: Duration) -> Vec<Result<String, String>> {
    let line = |(target, held): &Step<'_>| {
        let held = held.as_ref().map_err(|missed| format!("{} {missed}", who(target)))?;
        if held.wait(began + grace) {
            return Ok(format!("{}: ended by SIG{} within {} ms", who(target), signal::name(signal), ms(began)));
        }
        match held.send(LAST) {
            Ok(()) if held.wait(Instant::now() + WATCH) => {
                Ok(format!("{}: SIGKILL sent after {} s, ended", who(target), grace.as_secs()))
            }
            Ok(()) => {
                Err(format!("{}: SIGKILL sent after {} s, still there (in the kernel?)", who(target), grace.as_secs()))
            }
            Err(Missed::Ended) => Ok(format!("{}: ended within {} ms", who(target), ms(began))),
            Err(missed) => Err(format!("{} {missed}", who(target))),
        }
    };
    steps.iter().map(line).collect()
}

fn ms(began: Instant) -> u128 {
    began.elapsed().as_millis()
}

fn who(target: &Target) -> String {
    let command: String = target.command.chars().take(30).collect();
    format!("{} {command}", target.key.pid)
}

fn drop_caches(root: &ProcRoot, level: DropLevel) -> (Result<String, String>, Option<Measured>) {
    let read = || std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).ok();
    let path = root.proc.join("sys/vm/drop_caches");
    rustix::fs::sync();
    let before = read();
    if let Err(error) = std::fs::write(&path, number(level).to_string()) {
        return (Err(format!("{}: {error}", path.display())), None);
    }
    let measured = before.zip(read()).and_then(|(before, after)| measure(&before, &after));
    let text = match measured {
        Some(measured) => {
            let freed = measured.free_after.saturating_sub(measured.free_before);
            format!("drop_caches {}: {} more free", number(level), crate::units::Bytes(freed))
        }
        None => format!("drop_caches {}: done; /proc/meminfo could not be read to measure it", number(level)),
    };
    (Ok(text), measured)
}

fn measure(before: &Meminfo, after: &Meminfo) -> Option<Measured> {
    let cache = |mem: &Meminfo| Some(mem.cached.value()? + mem.buffers.value()?);
    let pair = |of: fn(&Meminfo) -> Reading<u64>| Some((of(before).value()?, of(after).value()?));
    let (free_before, free_after) = pair(|mem| mem.mem_free)?;
    let (available_before, available_after) = pair(|mem| mem.mem_available)?;
    let (slab_before, slab_after) = pair(|mem| mem.s_reclaimable)?;
    Some(Measured {
        free_before,
        free_after,
        available_before,
        available_after,
        cache_before: cache(before)?,
        cache_after: cache(after)?,
        slab_before,
        slab_after,
    })
}
