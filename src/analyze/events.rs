//! What happened between two looks at the machine: the moments that are worth going to.

use std::collections::{HashMap, HashSet};

use crate::model::judgement::{Finding, Quantity, Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::process::ProcessSample;
use crate::model::reading::Reading;
use crate::model::snapshot::{Snapshot, SystemRates};
use crate::units::{Bytes, BytesPerSecond};

/// Something that happened, seen in a sample for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When that sample was taken, milliseconds since the epoch.
    pub wall_ms: i64,
    /// What kind of thing.
    pub kind: EventKind,
    /// What, in words; escaped.
    pub text: String,
    /// Whom it is about, where that is a process.
    pub key: Option<ProcessKey>,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A process that counts has started.
    Started,
    /// A process that counted has ended.
    Ended,
    /// Something began to leak, or stopped.
    Verdict,
    /// The OOM killer ended somebody.
    OomKill,
    /// Pages go in and out of swap faster than work gets done.
    SwapStorm,
    /// Somebody did something to the machine.
    Action,
}

impl EventKind {
    /// Its name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Verdict => "verdict",
            Self::OomKill => "oom_kill",
            Self::SwapStorm => "swap_storm",
            Self::Action => "action",
        }
    }

    /// Its sign on the time bar.
    pub fn sign(self) -> char {
        match self {
            Self::Started => '+',
            Self::Ended => '-',
            Self::Verdict => '!',
            Self::OomKill => 'X',
            Self::SwapStorm => '~',
            Self::Action => '*',
        }
    }
}

/// A process counts that has lived so long.
const LONG_MS: u64 = 60_000;

/// Or that holds such a part of RAM.
const PART_OF_RAM: u64 = 100;

/// Swapping in and swapping out at once by so many bytes a second, each, is a storm; half of that no longer is.
const STORM: f64 = 1_048_576.0;

/// So is a share of time in which nobody got on for want of memory, percent over 10 s (PSI, `full`).
const STORM_PRESSURE: f32 = 20.0;

/// Looks at one snapshot after the other.
#[derive(Clone, Debug, Default)]
pub struct Spotter {
    /// When and how those began that were not there at first and have not counted yet.
    young: HashMap<ProcessKey, i64>,
    leaking: HashSet<(Subject, Quantity)>,
    is_storm: bool,
}

impl Spotter {
    /// What happened between `before` and `now`, which follow each other. An event may lie before `now`: that a process
    /// counts is known only after a while.
    pub fn look(&mut self, before: Option<&Snapshot>, now: &Snapshot) -> Vec<Event> {
        let mut events = Vec::new();
        // What was done comes before what came of it.
        look_at_deeds(now, &mut events);
        if let Some(before) = before {
            self.look_at_processes(before, now, &mut events);
            look_at_kills(before, now, &mut events);
        }
        self.look_at_verdicts(now, &mut events);
        self.look_at_swap(now, &mut events);
        events
    }

    fn look_at_processes(&mut self, before: &Snapshot, now: &Snapshot, events: &mut Vec<Event>) {
        let (mut old, mut new) = (before.sample.processes.iter().peekable(), now.sample.processes.iter().peekable());
        let wall_ms = now.sample.wall_ms;
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.key.cmp(&new.key),
            };
            match order {
                std::cmp::Ordering::Equal => {
                    let _ = (old.next(), new.next());
                }
                std::cmp::Ordering::Less => {
                    let Some(gone) = old.next() else { break };
                    self.young.remove(&gone.key);
                    if counts(gone, before) {
                        let held = Bytes(gone.resident.value().map_or(0, |resident| resident.rss));
                        let text = tr!("{name} ended, RSS {held}", name = name(gone), held);
                        events.push(Event { wall_ms, kind: EventKind::Ended, text, key: Some(gone.key) });
                    }
                }
                std::cmp::Ordering::Greater => {
                    let Some(came) = new.next() else { break };
                    if !came.identity.is_kernel_thread {
                        self.young.insert(came.key, wall_ms);
                    }
                }
            }
        }
        let counting = |key: &ProcessKey| now.sample.process(*key).filter(|process| counts(process, now));
        let mut grown: Vec<_> = self.young.iter().filter_map(|(key, at)| Some((*at, counting(key)?))).collect();
        grown.sort_by_key(|(at, process)| (*at, process.key));
        for (wall_ms, process) in grown {
            self.young.remove(&process.key);
            let text = tr!("{name} started", name = name(process));
            events.push(Event { wall_ms, kind: EventKind::Started, text, key: Some(process.key) });
        }
    }

    fn look_at_verdicts(&mut self, now: &Snapshot, events: &mut Vec<Event>) {
        let wall_ms = now.sample.wall_ms;
        let leaks: Vec<&Finding> = now.analysis.findings.iter().filter(|finding| is_leak(finding)).collect();
        let key = |finding: &Finding| match finding.subject {
            Subject::Process(key) => Some(key),
            _ => None,
        };
        for finding in &leaks {
            let is_new = self.leaking.insert((finding.subject.clone(), finding.quantity));
            if is_new {
                let text =
                    tr!("{name} leaks {quantity}", name = finding.name, quantity = tr!(of finding.quantity.title()));
                events.push(Event { wall_ms, kind: EventKind::Verdict, text, key: key(finding) });
            }
        }
        // That somebody who ended no longer leaks is no news.
        self.leaking.retain(|(subject, quantity)| {
            let still = leaks.iter().any(|leak| (&leak.subject, leak.quantity) == (subject, *quantity));
            if let Subject::Process(key) = subject
                && !still
                && let Some(process) = now.sample.process(*key)
            {
                let text =
                    tr!("{name} no longer leaks {quantity}", name = name(process), quantity = tr!(of quantity.title()));
                events.push(Event { wall_ms, kind: EventKind::Verdict, text, key: Some(*key) });
            }
            still
        });
    }

    fn look_at_swap(&mut self, now: &Snapshot, events: &mut Vec<Event>) {
        let rates = now.rates.value().unwrap_or_default();
        let stuck = now.sample.system.pressure.value().map_or(0.0, |pressure| pressure.full.avg10);
        let level = if self.is_storm { 0.5 } else { 1.0 };
        let is_storm = rates.swap_in.min(rates.swap_out) > STORM * level
            || (stuck > STORM_PRESSURE * level as f32 && rates.swap_in > 0.0);
        if is_storm && !self.is_storm {
            let SystemRates { swap_in, swap_out, .. } = rates;
            let (swap_in, swap_out) = (BytesPerSecond(swap_in), BytesPerSecond(swap_out));
            let text = tr!(
                "swap storm: in {swap_in} out {swap_out}, PSI full {stuck}",
                swap_in,
                swap_out,
                stuck = format_args!("{stuck:.0}")
            );
            events.push(Event { wall_ms: now.sample.wall_ms, kind: EventKind::SwapStorm, text, key: None });
        }
        self.is_storm = is_storm;
    }
}

fn look_at_deeds(now: &Snapshot, events: &mut Vec<Event>) {
    // How it looked some time later is no event of its own.
    for deed in now.sample.deeds.iter().filter(|deed| !deed.is_settled) {
        let failed = if deed.is_done { "" } else { tr!("not done: ") };
        let text = format!("{failed}{}", deed.told());
        events.push(Event { wall_ms: now.sample.wall_ms, kind: EventKind::Action, text, key: deed.target });
    }
}

fn look_at_kills(before: &Snapshot, now: &Snapshot, events: &mut Vec<Event>) {
    let kills = |snapshot: &Snapshot| snapshot.sample.system.vmstat.oom_kills;
    let (Reading::Value(old), Reading::Value(new)) = (kills(before), kills(now)) else { return };
    let Some(killed) = new.checked_sub(old).filter(|killed| *killed > 0) else { return };
    let is_gone = |process: &&std::sync::Arc<ProcessSample>| now.sample.process(process.key).is_none();
    let rss = |process: &ProcessSample| process.resident.value().map_or(0, |resident| resident.rss);
    let largest = before.sample.processes.iter().filter(is_gone).max_by_key(|process| rss(process));
    let whom =
        largest.map_or_else(String::new, |process| tr!("; the largest that ended is {name}", name = name(process)));
    let text = tr!("OOM killer: {killed} killed{whom}", killed, whom);
    let key = largest.map(|process| process.key);
    events.push(Event { wall_ms: now.sample.wall_ms, kind: EventKind::OomKill, text, key });
}

fn is_leak(finding: &Finding) -> bool {
    finding.judgement.verdict == Verdict::Leaking
}

fn counts(process: &ProcessSample, snapshot: &Snapshot) -> bool {
    if process.identity.is_kernel_thread {
        return false;
    }
    let sample = &snapshot.sample;
    let started_ms = process.key.start_time.saturating_mul(1000) / sample.host.clock_ticks.max(1);
    let total = sample.system.meminfo.mem_total.value().unwrap_or(u64::MAX);
    let rss = process.resident.value().map_or(0, |resident| resident.rss);
    sample.at.0.saturating_sub(started_ms) >= LONG_MS || rss >= total / PART_OF_RAM
}

fn name(process: &ProcessSample) -> String {
    format!("{}[{}]", process.identity.comm.escaped(), process.key.pid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::judgement::Analysis;
    use crate::model::process::{Identity, Resident};
    use crate::model::reading::BootMs;
    use crate::model::sample::{Host, Sample, Scan};
    use crate::model::system::SystemSample;

    /// A machine of 1 GiB with these processes: pid, start in seconds since boot, RSS in MiB.
    fn look(second: u64, kills: u64, processes: &[(u32, u64, u64)]) -> Snapshot {
        let process = |(pid, started, mib): &(u32, u64, u64)| {
            let key = ProcessKey { pid: *pid, start_time: started * 100 };
            let identity = Identity { comm: format!("p{pid}").as_str().into(), ..Identity::default() };
            let mut process = ProcessSample::found(key, Arc::new(identity));
            process.resident = Reading::Value(Resident { size: 0, rss: mib << 20, shared: 0, text: 1 });
            Arc::new(process)
        };
        let mut system = SystemSample::default();
        system.meminfo.mem_total = Reading::Value(1 << 30);
        system.vmstat.oom_kills = Reading::Value(kills);
        let sample = Sample {
            wall_ms: second as i64 * 1000,
            at: BootMs(second * 1000),
            closer: None,
            deeds: Vec::new(),
            interval_ms: 1000,
            host: Arc::new(Host { clock_ticks: 100, ..Host::default() }),
            system,
            processes: processes.iter().map(process).collect(),
            scan: Scan::default(),
        };
        Snapshot::derive(None, Arc::new(sample), Analysis::default())
    }

    fn texts(looks: &[Snapshot]) -> Vec<(i64, String)> {
        let mut spotter = Spotter::default();
        let mut found = Vec::new();
        for (nth, now) in looks.iter().enumerate() {
            let before = nth.checked_sub(1).map(|before| &looks[before]);
            found.extend(spotter.look(before, now).into_iter().map(|event| (event.wall_ms / 1000, event.text)));
        }
        found
    }

    #[test]
    fn who_is_there_at_first_has_not_started() {
        assert_eq!(texts(&[look(100, 0, &[(1, 1, 50)]), look(101, 0, &[(1, 1, 50)])]), []);
    }

    #[test]
    fn a_start_is_told_where_it_was_once_the_process_counts() {
        let looks = [
            look(100, 0, &[(1, 1, 50)]),
            look(101, 0, &[(1, 1, 50), (7, 101, 1), (9, 101, 1)]),
            look(130, 0, &[(1, 1, 50), (7, 101, 20)]),
            look(162, 0, &[(1, 1, 50), (7, 101, 20)]),
        ];
        assert_eq!(texts(&looks), [(101, "p7[7] started".into())]);
    }

    #[test]
    fn short_and_small_lives_are_no_events() {
        let looks = [look(100, 0, &[]), look(101, 0, &[(7, 101, 1)]), look(102, 0, &[])];
        assert_eq!(texts(&looks), []);
    }

    #[test]
    fn an_end_and_its_killer_are_told() {
        let looks = [look(100, 3, &[(1, 1, 50), (8, 1, 500)]), look(101, 4, &[(1, 1, 50)])];
        let expected = ["p8[8] ended, RSS 500M", "OOM killer: 1 killed; the largest that ended is p8[8]"];
        assert_eq!(texts(&looks), expected.map(|text| (101, text.into())));
    }

    #[test]
    fn a_pid_used_again_is_an_end_and_a_start() {
        let looks = [look(100, 0, &[(8, 1, 50)]), look(101, 0, &[(8, 100, 60)])];
        assert_eq!(texts(&looks), [(101, "p8[8] ended, RSS 50M".into()), (101, "p8[8] started".into())]);
    }

    #[test]
    fn a_storm_begins_once_and_needs_both_directions() {
        let stormy = |mut snapshot: Snapshot, mib: f64| {
            let rates = SystemRates { swap_in: mib * 1e6, swap_out: mib * 1e6, ..SystemRates::default() };
            snapshot.rates = Reading::Value(rates);
            snapshot
        };
        let looks: Vec<Snapshot> = [0.0, 3.0, 0.8, 3.0, 0.1, 3.0]
            .into_iter()
            .enumerate()
            .map(|(nth, mib)| stormy(look(100 + nth as u64, 0, &[]), mib))
            .collect();
        let found = texts(&looks);
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [101, 105], "{found:?}");
    }
}
