//! When to look next: seldom while everything is far from its limit, the sooner the faster something nears it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rule::Rule;
use super::state::State;
use super::subject::Scene;
use crate::model::reading::BootMs;

/// Looks are not closer than this.
const SHORTEST: Duration = Duration::from_millis(50);

/// Who was just found is looked at again so soon: only then it is known how fast it grows.
const FIRST: Duration = Duration::from_millis(200);

/// Looks between now and the limit, at the speed of now: growth may double between two and is still seen in time.
const LOOKS: f64 = 4.0;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub struct Pace {
    last: BTreeMap<(usize, String), (BootMs, f64)>,
}

impl Pace {
    /// The time until the next look, `longest` at most; `due_in` is when something is due whatever is read.
    pub fn next(
        &mut self,
        rules: &[Rule],
        state: &State,
        scene: &Scene<'_>,
        due_in: Option<u64>,
        longest: Duration,
    ) -> Duration {
        let now = scene.snapshot.sample.at;
        let mut pause = due_in.map_or(longest, |ms| Duration::from_millis(ms).min(longest));
        let mut seen = BTreeMap::new();
        for (nth, rule) in rules.iter().enumerate() {
            let Some(test) = rule.tests.iter().find(|test| test.measure.unit().is_number()) else { continue };
            for subject in scene.subjects(rule) {
                // Who is past the limit already waits for a time, and not for a value.
                if state.is_tracked(&rule.name, &subject.key) {
                    continue;
                }
                let value = scene.seen(test.measure, &subject).high;
                let Some(limit) = scene.limit(test.level, &subject).filter(|_| value.is_finite()) else { continue };
                let key = (nth, subject.key);
                let soon = match self.last.get(&key) {
                    None => Some(FIRST),
                    Some((at, _)) if *at == now => None,
                    Some((at, before)) => {
                        let speed = (value - before) / now.since(*at) as f64;
                        let left = limit - value;
                        let is_nearing = speed != 0.0 && (left > 0.0) == (speed > 0.0);
                        is_nearing
                            .then(|| Duration::try_from_secs_f64(left / speed / LOOKS / 1000.0).unwrap_or(longest))
                    }
                };
                pause = soon.map_or(pause, |soon| pause.min(soon));
                seen.insert(key, (now, value));
            }
        }
        self.last = seen;
        pause.max(SHORTEST.min(longest))
    }
}
