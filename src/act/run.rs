//! Effects carried out. This may take long: it belongs on a thread of its own.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::control::Control;
use super::effect::{Advice, DropLevel, Effect, Outcome, Stage, Target};
use super::gauge::{self, Gauges, change_of};
use super::plan::{not_here, refused_whoever_asks};
use super::{advise, deliver, group, heap, jvm, limits, swap, words};
use crate::collect::root::ProcRoot;
use crate::units::Bytes;

/// Carries an effect out, measures it again once things have settled, and reports what came of it: as it goes on, when
/// it was done, and when it was measured again.
pub fn run(effect: &Effect, root: &ProcRoot, control: &Control, report: impl FnMut(Outcome)) {
    let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let mut running = Running { effect, root, control, report, began: Instant::now(), wall_ms, before: Vec::new() };
    if let Some(why) = not_here(root) {
        return running.tell(Stage::Acted, vec![Err(why.into())], None, true);
    }
    if let Some(why) = refused_whoever_asks(effect) {
        return running.tell(Stage::Acted, vec![Err(why)], None, true);
    }
    running.carry_out();
}

/// An effect under way.
struct Running<'a, F> {
    effect: &'a Effect,
    root: &'a ProcRoot,
    control: &'a Control,
    report: F,
    began: Instant,
    wall_ms: i64,
    before: Gauges,
}

type Results = Vec<Result<String, String>>;

impl<F: FnMut(Outcome)> Running<'_, F> {
    fn carry_out(&mut self) {
        let (root, control, effect) = (self.root, self.control, self.effect);
        if matches!(effect, Effect::DropCaches(_)) {
            // Dirty pages are not dropped.
            rustix::fs::sync();
        }
        self.before = gauge::read(effect, root);
        if effect.can_be_stopped() && !matches!(effect, Effect::Signal { .. }) {
            self.progress(format!("{} is under way", words::title(effect)));
        }
        let (result, undo) = match effect {
            Effect::Signal { targets, signal, escalate } => {
                return deliver::signal(root, targets, *signal, *escalate, control, |results, is_last| {
                    if is_last {
                        self.acted(results, None);
                    } else {
                        self.tell(Stage::Acted, results, None, false);
                    }
                });
            }
            Effect::RecycleSwap => {
                let results = swap::recycle(root, control, |text| self.progress(text));
                return self.acted(results, None);
            }
            Effect::DropCaches(level) => (drop_caches(root, *level), None),
            Effect::Reclaim { group, amount } => {
                (group::reclaim(root, group, *amount, control, |text| self.progress(text)), None)
            }
            Effect::Bound { group, knob, to } => group::bound(root, group, *knob, *to),
            Effect::OomScoreAdj { target, to } => limits::prefer(root, target, *to),
            Effect::Limit { target, resource, soft, hard } => limits::change(root, target, *resource, *soft, *hard),
            Effect::Advise { target, advice } => {
                (advise::advise(root, target, *advice, control, |text| self.progress(text)), None)
            }
            Effect::CollectGarbage(target) => (jvm::collect_garbage(root, target, control), None),
            Effect::DumpHeap { target, file } => (jvm::dump_heap(root, target, file, control), None),
            Effect::HeapSnapshot { target, file, options } => {
                let mut progress = |text: String| self.progress(format!("{}: {text}", words::who(target)));
                let done = heap::capture(root, target, Path::new(file), *options, control, &mut progress);
                (snapshot_result(target, done), None)
            }
        };
        self.acted(vec![result], undo);
    }

    fn progress(&mut self, text: String) {
        self.tell(Stage::Progress, vec![Ok(text)], None, false);
    }

    /// Tells what was done, and later what it came to.
    fn acted(&mut self, mut results: Results, undo: Option<Effect>) {
        let after = gauge::read(self.effect, self.root);
        let mut measured = gauge::compare(&self.before, &after, None);
        if results.iter().all(Result::is_err) {
            // Nothing was done: what has changed was somebody else's doing.
            measured.clear();
        }
        if let [Ok(text)] = results.as_mut_slice() {
            text.push_str(&gained(self.effect, &measured));
        }
        let settle = self.control.settle();
        let is_worth_it = !settle.is_zero() && !measured.is_empty();
        let mut outcome = self.outcome(Stage::Acted, results, undo, !is_worth_it);
        outcome.measured = measured;
        (self.report)(outcome.clone());
        if is_worth_it {
            let was_stopped = self.control.wait(settle);
            let later = (!was_stopped).then(|| gauge::read(self.effect, self.root));
            let measured = gauge::compare(&self.before, &after, later.as_ref());
            (self.report)(Outcome { stage: Stage::Settled, is_final: true, measured, ..outcome });
        }
    }

    fn tell(&mut self, stage: Stage, results: Results, undo: Option<Effect>, is_final: bool) {
        let outcome = self.outcome(stage, results, undo, is_final);
        (self.report)(outcome);
    }

    fn outcome(&self, stage: Stage, results: Results, undo: Option<Effect>, is_final: bool) -> Outcome {
        Outcome {
            effect: self.effect.clone(),
            wall_ms: self.wall_ms,
            took: self.began.elapsed(),
            stage,
            results,
            is_final,
            measured: Vec::new(),
            undo,
        }
    }
}

/// An outcome of what was never begun.
pub fn not_begun(effect: &Effect, wall_ms: i64, why: String) -> Outcome {
    Outcome {
        effect: effect.clone(),
        wall_ms,
        took: Duration::ZERO,
        stage: Stage::Acted,
        results: vec![Err(why)],
        is_final: true,
        measured: Vec::new(),
        undo: None,
    }
}

/// The number that people wait for, in the line of the result.
fn gained(effect: &Effect, measured: &[gauge::Measured]) -> String {
    let bytes = |change: i64| Bytes(change.unsigned_abs());
    match effect {
        Effect::DropCaches(_) => match change_of(measured, "free") {
            Some(change) => format!(": {} more free", bytes(change.max(0))),
            None => ": done; /proc/meminfo could not be read to measure it".into(),
        },
        Effect::Reclaim { .. } => match change_of(measured, "in use") {
            Some(change) if change <= 0 => format!(", {} less in use", bytes(change)),
            Some(change) => format!(", and yet {} more in use", bytes(change)),
            None => String::new(),
        },
        Effect::Advise { advice: Advice::PageOut, .. } => {
            match (change_of(measured, "RSS"), change_of(measured, "in swap")) {
                (Some(ram), Some(swap)) => {
                    format!(", {} less in RAM, {} more in swap", bytes(ram.min(0)), bytes(swap.max(0)))
                }
                _ => String::new(),
            }
        }
        _ => String::new(),
    }
}

/// What came of a heap snapshot, and what to do with it.
fn snapshot_result(target: &Target, done: Result<heap::Captured, heap::HeapError>) -> Result<String, String> {
    let captured = done.map_err(|error| format!("{}: {error}", words::who(target)))?;
    let file = captured.file.to_string_lossy();
    let nodes = captured.nodes.map_or_else(String::new, |nodes| format!(" with {nodes} objects"));
    let left = captured.left.map_or_else(String::new, |left| format!(". But {left}"));
    Ok(format!(
        "{}: {}{nodes} in {:.1} s; look at it by: memtide heap show {}{left}",
        words::who(target),
        Bytes(captured.bytes),
        captured.took.as_secs_f64(),
        crate::model::shell::quote(&file)
    ))
}

fn drop_caches(root: &ProcRoot, level: DropLevel) -> Result<String, String> {
    let path = root.proc.join("sys/vm/drop_caches");
    let number = number(level);
    std::fs::write(&path, number.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(format!("drop_caches {number}"))
}

/// What is written to the file.
pub(super) fn number(level: DropLevel) -> u8 {
    match level {
        DropLevel::PageCache => 1,
        DropLevel::Slab => 2,
        DropLevel::Both => 3,
    }
}
