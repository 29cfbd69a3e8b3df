//! Rules over hand-built samples: when they hold, when they act, on whom, and when they don't.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::guard::file::parse;
use crate::guard::subject::Named;
use crate::model::cgroup::Membership;
use crate::model::judgement::Analysis;
use crate::model::process::ProcessSample;
use crate::model::reading::{Denial, Reading, Stamped};
use crate::model::snapshot::Snapshot;
use crate::model::testing::{process, set_memory, snapshot};
use crate::model::text::Text;

/// A guard over a machine that the tests build anew for every look.
struct Bench {
    rules: Vec<Rule>,
    state: State,
    own: Vec<u32>,
    named: Named,
    now: u64,
}

const START: u64 = 10_000_000;

impl Bench {
    fn new(rule: &str) -> Self {
        let rules = parse(&format!("[[rule]]\nname = 'r'\n{rule}")).unwrap_or_else(|why| panic!("{why}")).rules;
        Self { rules, state: State::new("boot"), own: vec![900, 800], named: Named::new(), now: START }
    }

    /// A look after so many milliseconds.
    fn look(&mut self, after_ms: u64, processes: &[Arc<ProcessSample>]) -> Evaluated {
        self.now += after_ms;
        let mut snapshot = snapshot(processes.to_vec());
        let mut sample = (*snapshot.sample).clone();
        sample.at = BootMs(self.now);
        sample.processes.sort_by_key(|process| process.key.pid);
        snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
        let scene = Scene { snapshot: &snapshot, own: &self.own, named: &self.named };
        evaluate(&self.rules, &mut self.state, &scene)
    }

    /// The pids that a look hits; what is decided goes well at once.
    fn hit(&mut self, after_ms: u64, processes: &[Arc<ProcessSample>]) -> Vec<u32> {
        let evaluated = self.look(after_ms, processes);
        for decision in &evaluated.decisions {
            self.state.finish(decision.id, true, BootMs(self.now), &self.rules);
        }
        evaluated.decisions.iter().flat_map(Decision::keys).map(|key| key.pid).collect()
    }
}

fn node(pid: u32, mib: u64) -> Arc<ProcessSample> {
    let mut process = process(pid, "node", "node app.js");
    set_memory(&mut process, mib, None);
    Arc::new(process)
}

fn of_unit(pid: u32, mib: u64, unit: &str) -> Arc<ProcessSample> {
    let mut process = (*node(pid, mib)).clone();
    let mut identity = (*process.identity).clone();
    let path = Text::from(format!("/system.slice/{unit}").as_str());
    identity.cgroup = Arc::new(Membership { memory: path.clone(), managed: path, ..Membership::default() });
    process.identity = Arc::new(identity);
    Arc::new(process)
}

const KILL: &str = "match = 'node'\nwhen = 'rss > 400M'\nthen = 'signal TERM'\n";

#[test]
fn a_rule_acts_once_it_has_held_for_its_time_without_a_break() {
    let mut bench = Bench::new(&format!("{KILL}for = '3s'\n"));
    assert!(bench.hit(0, &[node(5, 500)]).is_empty());
    assert!(bench.hit(1000, &[node(5, 500)]).is_empty());
    // A break: it begins anew.
    assert!(bench.hit(1000, &[node(5, 300)]).is_empty());
    for _ in 0..3 {
        assert!(bench.hit(1000, &[node(5, 500)]).is_empty());
    }
    assert_eq!(bench.hit(1000, &[node(5, 500)]), [5]);
}

#[test]
fn time_that_nobody_watched_has_not_held() {
    let mut bench = Bench::new(&format!("{KILL}for = '60s'\n"));
    bench.hit(0, &[node(5, 500)]);
    assert!(bench.hit(3_600_000, &[node(5, 500)]).is_empty(), "the machine slept for an hour");
    let due = bench.look(1000, &[node(5, 500)]).due_in;
    assert_eq!(due, Some(60_000 - 4_000 - 1_000));
}

#[test]
fn between_the_limit_and_the_level_where_it_clears_it_goes_on_to_hold() {
    let mut bench = Bench::new(&format!("{KILL}for = '3s'\nclear = '300M'\ncooldown = '10s'\n"));
    bench.hit(0, &[node(5, 500)]);
    for _ in 0..2 {
        assert!(bench.hit(1000, &[node(5, 350)]).is_empty());
    }
    assert_eq!(bench.hit(1000, &[node(5, 350)]), [5]);
    // Past the level it is calm, and between the two it does not begin again.
    let calm = bench.look(1000, &[node(5, 300)]);
    assert_eq!(calm.notes.iter().map(|note| note.kind).collect::<Vec<_>>(), [NoteKind::Cleared]);
    assert!(bench.hit(60_000, &[node(5, 399)]).is_empty());
    assert!(bench.hit(60_000, &[node(5, 399)]).is_empty());
}

#[test]
fn after_an_action_the_cooldown_outlives_the_process() {
    let mut bench = Bench::new(&format!("{KILL}cooldown = '1m'\n"));
    assert_eq!(bench.hit(0, &[node(5, 500)]), [5]);
    // The same program, started anew, in the same place.
    assert!(bench.hit(10_000, &[node(6, 500)]).is_empty());
    assert!(bench.hit(49_000, &[node(6, 500)]).is_empty());
    assert_eq!(bench.hit(1_000, &[node(6, 500)]), [6]);
    // Elsewhere it is another one.
    assert_eq!(bench.hit(1_000, &[of_unit(7, 500, "other.service")]), [7]);
}

#[test]
fn it_acts_no_more_often_than_it_may_in_an_hour_and_says_so_once() {
    let mut bench = Bench::new(&format!("{KILL}cooldown = '1s'\nmax_per_hour = 2\n"));
    assert_eq!(bench.hit(0, &[node(5, 500)]), [5]);
    assert_eq!(bench.hit(5_000, &[node(6, 500)]), [6]);
    let limited = bench.look(5_000, &[node(7, 500)]);
    assert!(limited.decisions.is_empty());
    let is_told = |note: &Note| note.kind == NoteKind::Limited && note.text.contains("2 times in an hour");
    assert!(limited.notes.iter().any(is_told), "{:?}", limited.notes);
    assert!(bench.look(5_000, &[node(7, 500)]).notes.is_empty());
    assert_eq!(bench.hit(3_600_000 - 15_000, &[node(8, 500)]), [8], "the first is an hour ago");
}

#[test]
fn what_failed_is_tried_again_as_often_as_the_rule_says() {
    let mut bench = Bench::new(&format!("{KILL}retry = '10s'\nretries = 1\ncooldown = '5m'\nmax_per_hour = 99\n"));
    let fail = |bench: &mut Bench, after_ms| {
        let decisions = bench.look(after_ms, &[node(5, 500)]).decisions;
        for decision in &decisions {
            bench.state.finish(decision.id, false, BootMs(bench.now), &bench.rules);
        }
        decisions.iter().map(|decision| decision.attempt).collect::<Vec<_>>()
    };
    assert_eq!(fail(&mut bench, 0), [0]);
    assert!(fail(&mut bench, 9_000).is_empty());
    assert_eq!(fail(&mut bench, 1_000), [1]);
    assert!(fail(&mut bench, 10_000).is_empty(), "now it is the cooldown that it waits for");
    assert_eq!(fail(&mut bench, 290_000), [0]);
}

#[test]
fn nothing_is_decided_twice_while_it_is_being_done() {
    let mut bench = Bench::new(&format!("{KILL}cooldown = '0s'\nmax_per_hour = 99\n"));
    let first = bench.look(0, &[node(5, 500)]).decisions;
    assert!(bench.look(1000, &[node(5, 500)]).decisions.is_empty());
    bench.state.finish(first[0].id, true, BootMs(bench.now), &bench.rules);
    assert_eq!(bench.look(1000, &[node(5, 500)]).decisions.len(), 1);
}

#[test]
fn who_must_never_be_hit_is_not() {
    let named = |pid: u32, name: &str| {
        let mut process = process(pid, name, "node");
        set_memory(&mut process, 500, None);
        Arc::new(process)
    };
    let mut kernel = (*named(70, "node")).clone();
    kernel.identity =
        Arc::new(crate::model::process::Identity { is_kernel_thread: true, ..(*kernel.identity).clone() });
    let all = [named(1, "node"), named(900, "node"), named(800, "node"), named(60, "sshd"), Arc::new(kernel)];
    assert!(Bench::new(KILL).hit(0, &all).is_empty());
    // Its ancestors and servers of shells are hit by their pid alone; pid 1, itself and kernel threads never.
    for (pid, expected) in [(800, vec![800]), (60, vec![60]), (900, vec![]), (70, vec![])] {
        let mut bench = Bench::new(&format!("pid = {pid}\nwhen = 'rss > 400M'\nthen = 'signal TERM'\n"));
        assert_eq!(bench.hit(0, &all), expected, "{pid}");
    }
    let mut bench = Bench::new("pid_file = '/run/x.pid'\nwhen = 'rss > 400M'\nthen = 'signal TERM'\n");
    assert!(bench.look(0, &all).notes[0].text.contains("/run/x.pid names no process"));
    bench.named.insert("/run/x.pid".into(), Some(60));
    assert_eq!(bench.hit(1000, &all), [60]);
}

#[test]
fn a_rule_that_would_hit_too_many_does_nothing_and_says_so_once() {
    let many: Vec<_> = (10..14).map(|pid| node(pid, 500)).collect();
    let mut bench = Bench::new(&format!("{KILL}max_matches = 3\n"));
    let refused = bench.look(0, &many);
    assert!(refused.decisions.is_empty());
    assert!(refused.notes[0].text.contains("more than 3 processes"), "{:?}", refused.notes);
    assert!(bench.look(1000, &many).notes.is_empty());
    assert_eq!(bench.hit(1000, &many[..3]), [10, 11, 12]);
    // A rule that only tells may be about any number.
    let mut bench = Bench::new("match = 'node'\nwhen = 'rss > 400M'\nthen = 'notify'\nmax_matches = 3\n");
    assert_eq!(bench.look(0, &many).decisions.len(), 1);
}

#[test]
fn the_biggest_alone_is_hit_where_the_rule_says_so() {
    let all = [node(5, 410), node(6, 700), node(7, 500)];
    assert_eq!(Bench::new(&format!("{KILL}which = 'biggest'\n")).hit(0, &all), [6]);
    assert_eq!(Bench::new(KILL).hit(0, &all), [6, 7, 5]);
}

#[test]
fn the_sum_of_a_group_is_tested_and_its_members_are_hit() {
    let all = [of_unit(5, 250, "a.service"), of_unit(6, 250, "a.service"), of_unit(7, 300, "b.service")];
    let per = |per: &str, which: &str| Bench::new(&format!("{KILL}per = '{per}'\nwhich = '{which}'\n")).hit(0, &all);
    assert_eq!(per("unit", "all"), [5, 6]);
    assert_eq!(per("unit", "biggest").len(), 1);
    assert_eq!(per("cgroup", "all"), [5, 6]);
    assert_eq!(per("command", "all").len(), 3);
    assert_eq!(per("all", "biggest"), [7]);
    let decisions = Bench::new(&format!("{KILL}per = 'unit'\n")).look(0, &all).decisions;
    assert_eq!(
        (decisions[0].subject.as_str(), decisions[0].facts[0].text.as_str()),
        ("a.service", "rss 500M (rss > 400M)")
    );
}

#[test]
fn the_machine_is_tested_and_the_biggest_that_matches_is_hit() {
    let rule = "match = ''\nwhen = ['mem_available < 10%', 'swap_free < 50%']\nthen = 'signal TERM'\n";
    let all = [node(5, 410), node(6, 700)];
    assert_eq!(Bench::new(rule).hit(0, &all), [6]);
    let calm = rule.replace("50%", "5%");
    assert!(Bench::new(&calm).hit(0, &all).is_empty(), "all tests must hold");
    let nobody = Bench::new(rule).look(0, &[]);
    assert!(nobody.decisions.is_empty() && nobody.notes[0].text.contains("nobody"), "{nobody:?}");
}

#[test]
fn only_who_might_be_over_the_limit_is_looked_at_closely() {
    let rules = parse("[[rule]]\nmatch = 'node'\nwhen = 'pss > 400M'\nthen = 'notify'\n").unwrap().rules;
    let mut read = (*node(7, 900)).clone();
    set_memory(&mut read, 900, Some((300, 300)));
    let snapshot = snapshot(vec![node(5, 300), node(6, 500), Arc::new(read)]);
    let scene = Scene { snapshot: &snapshot, own: &[], named: &Named::new() };
    let keys = undecided(&rules, &State::new(""), &scene);
    assert_eq!(keys.iter().map(|key| key.pid).collect::<Vec<_>>(), [6]);
}

#[test]
fn what_can_not_be_read_is_said_once_and_nothing_rests_on_it() {
    let mut denied = (*node(5, 500)).clone();
    denied.rollup = Stamped::new(Reading::Denied(Denial::Ptrace), BootMs(START));
    let mut bench = Bench::new("match = 'node'\nwhen = 'pss > 400M'\nthen = 'signal TERM'\n");
    let blind = bench.look(0, &[Arc::new(denied.clone())]);
    assert!(blind.decisions.is_empty());
    assert!(blind.notes[0].text.contains("CAP_SYS_PTRACE"), "{:?}", blind.notes);
    assert!(bench.look(1000, &[Arc::new(denied)]).notes.is_empty());
}

#[test]
fn a_file_that_was_written_brings_back_cooldowns_counts_and_what_was_under_way() {
    let mut bench = Bench::new("match = 'node'\nwhen = 'rss > 400M'\nthen = ['exec hook', 'signal TERM+KILL 10s']\n");
    let decision = bench.look(0, &[node(5, 500)]).decisions.remove(0);
    bench.state.step_began(decision.id, 1, BootMs(START + 2_000));
    let bytes = bench.state.write();
    let again = State::read(&bytes, "boot").unwrap();
    let resumed = again.resume(BootMs(START + 5_000));
    assert_eq!((resumed.len(), resumed[0].first, resumed[0].is_resumed), (1, 1, true));
    assert_eq!(resumed[0].steps[1].to_string(), "signal TERM+KILL 7s", "3 of 10 s have passed");
    assert_eq!(resumed[0].keys(), decision.keys());
    // While it is taken up again, it is not decided anew.
    bench.state = again;
    assert!(bench.hit(5_000, &[node(5, 500)]).is_empty());
    bench.state.finish(decision.id, true, BootMs(bench.now), &bench.rules);
    let bytes = bench.state.write();
    bench.state = State::read(&bytes, "boot").unwrap();
    assert!(bench.hit(30_000, &[node(6, 500)]).is_empty(), "the cooldown holds");
    bench.state = State::read(&bytes, "another boot").unwrap();
    assert_eq!(bench.hit(0, &[node(6, 500)]), [6], "another boot knows nothing of it");
    assert!(State::read(b"{}", "boot").is_err() && State::read(b"x", "boot").is_err());
}

proptest! {
    /// Whatever memory does: it acts only after its time, never more often than it may, never within a cooldown.
    #[test]
    fn limits_on_acting_are_kept(
        values in proptest::collection::vec((0u64..800, 100u64..5_000), 1..200),
        span in 0u64..10, cooldown in 0u64..60, most in 1usize..5,
    ) {
        let rule = format!("{KILL}for = '{span}s'\ncooldown = '{cooldown}s'\nmax_per_hour = {most}\n");
        let mut bench = Bench::new(&rule);
        let mut acted: Vec<u64> = Vec::new();
        let mut over_since = None;
        for (mib, after) in values {
            let hit = bench.hit(after, &[node(5, mib)]);
            over_since = if mib > 400 { over_since.or(Some(bench.now)) } else { None };
            if !hit.is_empty() {
                let since = over_since.expect("it acted below the limit");
                prop_assert!(bench.now - since >= span * 1000);
                if let Some(last) = acted.last() {
                    prop_assert!(bench.now - last >= cooldown * 1000);
                }
                acted.push(bench.now);
                let in_an_hour = acted.iter().filter(|at| bench.now - **at < HOUR).count();
                prop_assert!(in_an_hour <= most);
            }
        }
    }

    /// A state that is written and read between any two looks decides the same.
    #[test]
    fn a_restart_between_looks_changes_no_decision(
        values in proptest::collection::vec((0u64..800, 100u64..5_000, any::<bool>()), 1..60),
    ) {
        let rule = format!("{KILL}for = '2s'\ncooldown = '5s'\nmax_per_hour = 4\n");
        let (mut one, mut other) = (Bench::new(&rule), Bench::new(&rule));
        for (mib, after, restarts) in values {
            prop_assert_eq!(one.hit(after, &[node(5, mib)]), other.hit(after, &[node(5, mib)]));
            if restarts {
                other.state = State::read(&other.state.write(), "boot").unwrap();
            }
        }
    }
}
