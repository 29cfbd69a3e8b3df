//! What rises, and has not done so for long enough, or by enough, to be called anything.

use super::growth::rate;
use super::scene::Scene;
use super::sentence::{Amount, Sentence, Topic};
use crate::model::judgement::Quantity;

/// Processes that are named.
const MOST: usize = 3;

/// Who joined the watch later than this after its beginning is not waited for, milliseconds: on a busy machine
/// something starts all the time.
const JOINED_MS: u64 = 5_000;

/// For how long all that is too early to judge has to be watched on, milliseconds; `None` where nothing is.
pub(super) fn needs_ms(scene: &Scene<'_>) -> Option<u64> {
    of(scene).map(|early| early.judgement.needs_ms).max()
}

/// Names it, the fastest first.
pub(super) fn tell(scene: &Scene<'_>) -> Vec<Sentence> {
    let mut early: Vec<_> = of(scene).collect();
    early.sort_by(|one, other| other.judgement.rate.total_cmp(&one.judgement.rate));
    early
        .into_iter()
        .take(MOST)
        .map(|early| {
            let process = &early.process.identity;
            Sentence::new(Topic::Growth)
                .put("subject", Amount::Text(format!("{}[{}]", process.comm.escaped(), early.process.key.pid)))
                .say(" gains ")
                .put("quantity", Amount::Text(early.quantity.title().into()))
                .say(", ")
                .put("rate", rate(early.quantity, early.judgement.rate))
                .say(", which is too little so far to be told from a start: ")
                .put("needs", Amount::Milliseconds(early.judgement.needs_ms as f64))
                .say(" more.")
        })
        .collect()
}

fn of<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = crate::analyze::history::Early<'a>> {
    let joined = scene.first.at.0 + JOINED_MS;
    scene.history.early().filter(move |early| match scene.asked {
        Some(key) => early.process.key == key,
        None => early.quantity == Quantity::Private && early.judgement.since.0 <= joined,
    })
}
