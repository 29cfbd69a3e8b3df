//! What can be done, ranked: for each leak, the most urgent first, how to find its cause and how to bound its damage.
//! Every piece of advice names the finding that carries it; without a leak there is none but to watch on.

mod bound;
mod counts;
mod heap;
mod kernel;

use super::growth::{rate, subject};
use super::scene::Scene;
use super::sentence::{Amount, Sentence, Topic};
use super::{Advice, Outcome};
use crate::analyze::track::least_kib;
use crate::model::judgement::{Finding, Quantity, Subject, Verdict};

/// Leaks that are advised on; who has more has to begin somewhere.
const MOST_LEAKS: usize = 4;

/// A finding, its place in the story, and the scene.
#[derive(Clone, Copy)]
struct Case<'a> {
    scene: &'a Scene<'a>,
    place: usize,
    finding: &'a Finding,
}

/// All advice that the findings carry.
pub(super) fn give(scene: &Scene<'_>, outcome: Outcome) -> Vec<Advice> {
    let mut given = Vec::new();
    let leaks = scene.findings.iter().enumerate().filter(|(_, finding)| finding.judgement.verdict == Verdict::Leaking);
    for (place, finding) in leaks.take(MOST_LEAKS) {
        let case = Case { scene, place, finding };
        match (&finding.subject, finding.quantity) {
            (Subject::Machine, quantity) => kernel::give(&case, quantity, &mut given),
            (_, Quantity::Fds) => counts::descriptors(&case, &mut given),
            (_, Quantity::Threads) => counts::threads(&case, &mut given),
            (_, Quantity::Private) => {
                heap::give(&case, &mut given);
                bound::give(&case, &mut given);
            }
            (_, Quantity::Shmem) => kernel::shared(&case, &mut given),
            _ => counts::mappings(&case, &mut given),
        }
    }
    given.extend(watch_on(scene, outcome));
    given.extend(dentries(scene, outcome));
    // Two leaks of one process may call for the same thing.
    let mut seen = Vec::new();
    given.retain(|advice| {
        let is_new = !seen.contains(&advice.commands);
        seen.push(advice.commands.clone());
        is_new
    });
    given
}

impl Case<'_> {
    /// The beginning of a reason: who does what, how fast.
    fn why(&self) -> Sentence {
        let finding = self.finding;
        let who = subject(self.scene, finding);
        let verb = if who.ends_with(" together") { " gain " } else { " gains " };
        Sentence::new(Topic::Advice)
            .about(self.place)
            .put("subject", Amount::Text(who))
            .say(verb)
            .put("quantity", Amount::Text(finding.quantity.title().into()))
            .say(", ")
            .put("rate", rate(finding.quantity, finding.judgement.rate))
    }

    /// The pid to look into: the process itself, or the largest of its service.
    fn pid(&self) -> Option<u32> {
        self.scene.processes(self.finding).first().map(|process| process.key.pid)
    }
}

/// Watch for as long as it takes.
fn watch_on(scene: &Scene<'_>, outcome: Outcome) -> Option<Advice> {
    let needs_ms = outcome.needs_ms()?;
    // A margin, in whole minutes: the machine is not stricter than its clock.
    let minutes = (scene.watched_ms + needs_ms + needs_ms / 4).div_ceil(60_000).max(1);
    let pid = scene.asked.map(|key| format!(" {}", key.pid)).unwrap_or_default();
    let finding = scene.findings.iter().position(|finding| super::scene::needs_ms(finding).is_some());
    let mut why = Sentence::new(Topic::Advice)
        .say("It takes ")
        .put("needs", Amount::Milliseconds(needs_ms as f64))
        .say(" more to tell a leak from a start, a cache or a batch.");
    why.finding = finding;
    Some(Advice {
        title: "Watch for longer".into(),
        commands: vec![format!("memtide diagnose --for {minutes}m{pid}")],
        why,
        risk: None,
    })
}

/// What drop_caches is for, where the kernel's own cache grew.
fn dentries(scene: &Scene<'_>, outcome: Outcome) -> Option<Advice> {
    if scene.asked.is_some() || outcome == Outcome::Leaking {
        return None;
    }
    let meminfo = &scene.last.system.meminfo;
    let gain = scene.gain(|sample| sample.system.meminfo.s_reclaimable)?;
    let total = meminfo.mem_total.value()?;
    (gain >= f64::from(least_kib(total)) * 1024.0).then(|| Advice {
        title: "Make sure that it is cache, if in doubt".into(),
        commands: vec!["sync; sysctl -w vm.drop_caches=2".into()],
        why: Sentence::new(Topic::Advice)
            .say("Reclaimable slab (dentries and inodes, names of files that were looked at) grew by ")
            .put("gain", Amount::Bytes(gain))
            .say(" to ")
            .put("s_reclaimable", Amount::Bytes(meminfo.s_reclaimable.value().unwrap_or(0) as f64))
            .say(". The kernel gives it back by itself; this does it now, and what stays is in use."),
        risk: Some("files have to be looked up on disk again: it gets slower for a while, and nothing is won".into()),
    })
}
