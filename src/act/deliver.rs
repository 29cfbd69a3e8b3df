//! Signals to the processes that were chosen.

use std::time::{Duration, Instant};

use super::control::Control;
use super::effect::{Signal, Target};
use super::process::{Held, Missed};
use super::rights::Carriers;
use super::signal::{self, KILL};
use super::words::who;
use crate::collect::root::ProcRoot;

/// How long a process is watched after a signal, to tell whether it ended.
const WATCH: Duration = Duration::from_millis(700);

/// A line a target.
type Results = Vec<Result<String, String>>;

type Step<'a> = (&'a Target, Result<Held<'a>, Missed>);

/// Sends a signal, and after a grace SIGKILL to whoever is still there. What came of each step is told, with whether
/// it was the last one.
pub(super) fn signal(
    root: &ProcRoot,
    targets: &[Target],
    signal: Signal,
    escalate: Option<Duration>,
    control: &Control,
    mut tell: impl FnMut(Results, bool),
) {
    let began = Instant::now();
    let steps = send_to_all(root, targets, signal);
    let Some(grace) = escalate else {
        let patience = if signal::is_fatal(signal) { WATCH } else { Duration::ZERO };
        return tell(results(&steps, signal, began, patience), true);
    };
    let is_over = steps.iter().all(|(_, held)| held.as_ref().is_ok_and(|held| held.wait(began + WATCH)));
    tell(results(&steps, signal, began, Duration::ZERO), is_over);
    if !is_over {
        tell(kill_the_rest(&steps, signal, began, grace, control), true);
    }
}

/// Sends a signal to every target: all are held before the first is hit.
fn send_to_all<'a>(root: &'a ProcRoot, targets: &'a [Target], signal: Signal) -> Vec<Step<'a>> {
    let carriers = Carriers::read(root);
    let hold = |target: &Target| {
        if carriers.refuse(target.key.pid, targets.len()) {
            Err(Missed::Protected)
        } else {
            Held::open(root, target.key)
        }
    };
    let all: Vec<Step<'a>> = targets.iter().map(|target| (target, hold(target))).collect();
    all.into_iter().map(|(target, held)| (target, held.and_then(|held| held.send(signal).map(|()| held)))).collect()
}

/// What came of a signal, a line a target, after all were watched for at most `watch` since `began`.
fn results(steps: &[Step<'_>], signal: Signal, began: Instant, watch: Duration) -> Results {
    let line = |(target, held): &Step<'_>| match held {
        Err(missed) => Err(format!("{} {}", who(target), missed)),
        Ok(held) => {
            let has_ended = held.wait(began + watch);
            let what = format!("{}: SIG{} sent", who(target), signal::name(signal));
            Ok(match (has_ended, signal::is_fatal(signal)) {
                (true, _) => format!("{what}, ended within {} ms", ms(began)),
                (false, true) => format!("{what}, still there after {} ms", ms(began)),
                (false, false) => what,
            })
        }
    };
    steps.iter().map(line).collect()
}

fn kill_the_rest(steps: &[Step<'_>], signal: Signal, began: Instant, grace: Duration, control: &Control) -> Results {
    let line = |(target, held): &Step<'_>| {
        let held = held.as_ref().map_err(|missed| format!("{} {missed}", who(target)))?;
        if wait(held, began + grace, control) {
            return Ok(format!("{}: ended by SIG{} within {} ms", who(target), signal::name(signal), ms(began)));
        }
        if control.is_cancelled() {
            return Ok(format!(
                "{}: SIG{} sent, still there; stopped before SIGKILL",
                who(target),
                signal::name(signal)
            ));
        }
        match held.send(KILL) {
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

/// Waits until a process has ended, at most until the deadline or until it is told to stop. Returns whether it has.
fn wait(held: &Held<'_>, deadline: Instant, control: &Control) -> bool {
    /// How soon a stop is heard.
    const STEP: Duration = Duration::from_millis(50);
    loop {
        let now = Instant::now();
        if held.wait(deadline.min(now + STEP)) {
            return true;
        }
        if control.is_cancelled() || deadline <= now {
            return false;
        }
    }
}

fn ms(began: Instant) -> u128 {
    began.elapsed().as_millis()
}
