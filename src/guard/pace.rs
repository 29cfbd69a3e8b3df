//! When to look next: seldom while everything is far from its limit, the sooner the nearer something is and the faster it
//! nears it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::measure::{Measure, Test};
use super::rule::{Rule, Whom};
use super::state::State;
use super::subject::{Scene, Subject};
use crate::model::field::Unit;
use crate::model::reading::BootMs;

/// Looks are not closer than this.
const SHORTEST: Duration = Duration::from_millis(50);

/// Looks are not farther apart than this, unless it would take longer to the limit all the same.
pub const USUAL: Duration = Duration::from_secs(1);

/// What memory of a process may begin to grow by at any time, bytes a second: from where it is now, or from nothing, it
/// does not come past its limit before the next look.
const SURGE: f64 = (100 << 20) as f64;

/// Who was just found is looked at again so soon: only then it is known how fast it grows.
const FIRST: Duration = Duration::from_millis(200);

/// Looks between now and the limit, at the speed of now: growth may double between two and is still seen in time.
const LOOKS: f64 = 4.0;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub struct Pace {
    /// By rule, test and subject.
    last: BTreeMap<(usize, usize, String), (BootMs, f64)>,
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
        let usual = USUAL.min(longest);
        let mut seen = BTreeMap::new();
        for (nth, rule) in rules.iter().enumerate() {
            let tests: Vec<(usize, &Test)> =
                rule.tests.iter().enumerate().filter(|(_, test)| test.measure.unit().is_number()).collect();
            if tests.is_empty() {
                pause = pause.min(usual);
                continue;
            }
            let surge = |test: &Test, left: f64| surge(test, left).clamp(usual, longest);
            let subjects = scene.subjects(rule);
            // Who begins now begins with nothing. One that is named by its pid alone is there, or is looked for.
            if matches!(rule.whom, Whom::Filter(_)) || subjects.is_empty() {
                let nobody = Subject::default();
                let whole = |(_, test): &(usize, &Test)| {
                    scene.limit(test.level, &nobody).map_or(usual, |limit| surge(test, limit))
                };
                pause = pause.min(tests.iter().map(whole).max().unwrap_or(usual));
            }
            for subject in subjects {
                // Who is past the limit already waits for a time, and not for a value.
                if state.is_tracked(&rule.name, &subject.key) {
                    pause = pause.min(usual);
                    continue;
                }
                // All of them must hold: it is the last one that is waited for.
                let mut last = Duration::ZERO;
                for (place, test) in &tests {
                    let value = scene.seen(test.measure, &subject).high;
                    let Some(limit) = scene.limit(test.level, &subject).filter(|_| value.is_finite()) else {
                        last = last.max(usual);
                        continue;
                    };
                    let key = (nth, *place, subject.key.clone());
                    let left = limit - value;
                    let soon = match self.last.get(&key) {
                        None => Some(FIRST),
                        Some((at, _)) if *at == now => None,
                        Some((at, before)) => {
                            let speed = (value - before) / now.since(*at) as f64;
                            let is_nearing = speed != 0.0 && (left > 0.0) == (speed > 0.0);
                            is_nearing
                                .then(|| Duration::try_from_secs_f64(left / speed / LOOKS / 1000.0).unwrap_or(longest))
                        }
                    };
                    if !test.op.holds(value, limit) {
                        last = last.max(soon.unwrap_or(Duration::MAX).min(surge(test, left)));
                    }
                    seen.insert(key, (now, value));
                }
                pause = pause.min(if last.is_zero() { usual } else { last });
            }
        }
        self.last = seen;
        pause.max(SHORTEST.min(longest))
    }
}

/// In what time a test may hold where nothing moves yet; at once where it is not of a process's memory.
fn surge(test: &Test, left: f64) -> Duration {
    let is_memory = matches!(test.measure, Measure::Process(field) if field.unit == Unit::Bytes);
    let left = if is_memory && test.op.is_rising() { left } else { 0.0 };
    Duration::try_from_secs_f64(left / SURGE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::guard::file::parse;
    use crate::guard::subject::Named;
    use crate::model::judgement::Analysis;
    use crate::model::process::ProcessSample;
    use crate::model::snapshot::Snapshot;
    use crate::model::testing::{process, set_memory, snapshot};

    const LONGEST: Duration = Duration::from_secs(5);

    /// The time until the third look at a node that had so many MiB a second ago, and has so many now.
    fn after(rule: &str, before: u64, now: u64) -> Duration {
        let rules = parse(&format!("[[rule]]\nname = 'r'\n{rule}\nthen = 'notify'\n")).unwrap().rules;
        let (mut pace, state) = (Pace::default(), State::new(""));
        let mut next = LONGEST;
        for (at, mib) in [(10_000, before), (11_000, now)] {
            let mut node: ProcessSample = process(5, "node", "node");
            set_memory(&mut node, mib, None);
            let mut sample = (*snapshot(vec![Arc::new(node)]).sample).clone();
            sample.at = BootMs(at);
            let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
            let scene = Scene { snapshot: &snapshot, own: &[], named: &Named::new() };
            next = pace.next(&rules, &state, &scene, None, LONGEST);
        }
        next
    }

    #[test]
    fn looks_are_far_apart_only_where_nobody_could_pass_the_limit_meanwhile() {
        let far = after("match = 'node'\nwhen = 'rss > 4G'", 50, 50);
        assert_eq!(far, LONGEST);
        let nearer = after("match = 'node'\nwhen = 'rss > 400M'", 50, 50);
        assert_eq!(nearer, Duration::from_millis(3_500));
        // Who is new has the whole way to go: it is not what is nearest.
        assert_eq!(after("match = 'node'\nwhen = 'rss > 400M'", 350, 350), USUAL);
        assert_eq!(after("match = 'bash'\nwhen = 'rss > 300M'", 50, 50), Duration::from_secs(3));
        for rule in
            ["match = 'node'\nwhen = 'threads > 4000'", "when = 'mem_available < 1K'", "pid = 9\nwhen = 'fds > 5'"]
        {
            assert_eq!(after(rule, 50, 50), USUAL, "{rule}");
        }
    }

    #[test]
    fn of_several_tests_the_one_that_holds_last_says_when_to_look() {
        // 40 MiB a second: the first is there already, the other one five seconds away.
        let rule = "match = 'node'\nwhen = ['rss > 100M', 'rss > 400M']";
        assert_eq!(after(rule, 160, 200), Duration::from_millis(1_250));
        // Whichever stands first.
        assert_eq!(
            after("match = 'node'\nwhen = ['rss > 400M', 'rss > 100M']", 160, 200),
            Duration::from_millis(1_250)
        );
        assert_eq!(after("match = 'node'\nwhen = ['rss > 410M', 'rss > 100M']", 200, 399), Duration::from_millis(50));
        // What is far away keeps a rule from being looked at for what is near.
        assert_eq!(after("match = 'node'\nwhen = ['rss > 4G', 'rss > 400M']", 300, 399), LONGEST);
    }

    #[test]
    fn who_nears_its_limit_is_looked_at_several_times_on_the_way() {
        let growing = after("match = 'node'\nwhen = 'rss > 400M'", 160, 200);
        // Five seconds are left at 40 MiB a second.
        assert_eq!(growing, Duration::from_millis(1_250));
        let fast = after("match = 'node'\nwhen = 'rss > 400M'", 200, 399);
        assert_eq!(fast, SHORTEST);
        let shrinking = after("match = 'node'\nwhen = 'rss > 400M'", 100, 50);
        assert_eq!(shrinking, Duration::from_millis(3_500));
    }
}
