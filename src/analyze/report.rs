//! A whole recording in one look: the story of it, who grew most, the peak and who was alive at it, swap and pressure,
//! and what happened. Pure: the same samples make the same report.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::events::{Event, Spotter};
use super::story::{Story, Watched};
use crate::model::deed::Deed;
use crate::model::judgement::Analysis;
use crate::model::key::ProcessKey;
use crate::model::process::{ProcessSample, Resident};
use crate::model::reading::Reading;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// What a diagnosis of the whole span says.
    pub story: Story,
    /// RAM, bytes.
    pub total: Option<u64>,
    /// Used memory (MemTotal - MemAvailable) over the span.
    pub used: Course,
    /// Used swap over the span.
    pub swap: Course,
    /// Share of time in which all tasks waited for memory (PSI full, 10 s), percent.
    pub stalled: Course,
    /// The moment at which most memory was used.
    pub peak: Option<Peak>,
    /// Who gained most private memory, the most first.
    pub growers: Vec<Life>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What was done, in order, each with the last that is known of what came of it.
    pub deeds: Vec<Deed>,
    /// Processes the OOM killer ended (`oom_kill` of /proc/vmstat); `None` where the kernel does not count them.
    pub oom_kills: Option<u64>,
    /// Bytes that were read from swap and written to it; `None` where they are not counted.
    pub swapped: Option<[u64; 2]>,
}

/// A quantity over the span, in parts of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The highest value of each part; NaN where nothing is known.
    pub points: Vec<f32>,
    /// The highest of all and when it was, milliseconds since the epoch.
    pub highest: Option<(f64, i64)>,
}

/// The moment at which most memory was used.
#[derive(Clone, Debug)]
pub struct Peak {
    /// When, milliseconds since the epoch.
    pub wall_ms: i64,
    /// Used memory (MemTotal - MemAvailable), bytes.
    pub used: u64,
    /// Used swap, bytes.
    pub swap: u64,
    /// How many processes were alive.
    pub alive: usize,
    /// The largest of them by RSS, the largest first.
    pub largest: Vec<Arc<ProcessSample>>,
}

/// The life of a process as far as it was recorded. Its memory is private: anonymous, in RAM and in swap; in bytes.
#[derive(Clone, Debug)]
pub struct Life {
    /// Who.
    pub process: Arc<ProcessSample>,
    /// When it was seen first and last, milliseconds since the epoch.
    pub wall_ms: [i64; 2],
    /// Whether it ended before the end.
    pub has_ended: bool,
    /// What it held at first.
    pub first: u64,
    /// What it held at last.
    pub last: u64,
    /// The most it held.
    pub most: u64,
    /// Over the span.
    pub course: Course,
}

impl Life {
    /// What it gained, bytes: up to the most it held, since a process that ended had given nothing back.
    pub fn gained(&self) -> u64 {
        self.most.saturating_sub(self.first)
    }
}

/// Parts of the span.
const PARTS: usize = 480;

/// Lives that are followed at most; beyond that those that ended with the least gain are forgotten.
const MOST_LIVES: usize = 4096;

/// Actions that are told.
const MOST_DEEDS: usize = 1000;

/// Who gained less is no grower, bytes.
const LEAST_GAIN: u64 = 1 << 20;

/// Takes samples in.
pub struct Reporter {
    span: [i64; 2],
    shown: usize,
    watched: Watched,
    spotter: Spotter,
    before: Option<Snapshot>,
    events: Vec<Event>,
    deeds: Vec<Deed>,
    used: Course,
    swap: Course,
    stalled: Course,
    peak: Option<(u64, Arc<Sample>)>,
    lives: BTreeMap<ProcessKey, Life>,
    counters: Option<Counters>,
}

/// What the kernel counts up from the boot on: at first, and now.
struct Counters {
    first: [Reading<u64>; 3],
    last: [Reading<u64>; 3],
}

impl Reporter {
    /// A report of what was recorded between these moments, with so many growers and processes at the peak.
    pub fn new(span: [i64; 2], shown: usize) -> Self {
        Self {
            span,
            shown,
            watched: Watched::default(),
            spotter: Spotter::default(),
            before: None,
            events: Vec::new(),
            deeds: Vec::new(),
            used: Course::default(),
            swap: Course::default(),
            stalled: Course::default(),
            peak: None,
            lives: BTreeMap::new(),
            counters: None,
        }
    }

    /// Takes in the next sample.
    pub fn push(&mut self, sample: Sample) {
        self.watched.push(sample);
        let Some(sample) = self.watched.latest().cloned() else { return };
        let part = self.part(sample.wall_ms);
        let system = &sample.system;
        if let Some(used) = system.meminfo.used().value() {
            self.used.add(part, used as f64, sample.wall_ms);
            if self.peak.as_ref().is_none_or(|(most, _)| used > *most) {
                self.peak = Some((used, Arc::clone(&sample)));
            }
        }
        if let Some(swap) = system.meminfo.swap_used().value() {
            self.swap.add(part, swap as f64, sample.wall_ms);
        }
        if let Some(pressure) = system.pressure.value() {
            self.stalled.add(part, f64::from(pressure.full.avg10), sample.wall_ms);
        }
        let page = sample.host.page_size;
        let bytes = |pages: Reading<u64>| pages.map(|pages| pages * page);
        let now = [system.vmstat.oom_kills, bytes(system.vmstat.swap_in), bytes(system.vmstat.swap_out)];
        self.counters.get_or_insert(Counters { first: now, last: now }).last = now;
        self.follow(&sample, part);
        self.take_deeds(&sample.deeds);
        self.spot(sample);
    }

    fn take_deeds(&mut self, deeds: &[Deed]) {
        for deed in deeds {
            if let Some(known) = self.deeds.iter_mut().find(|known| known.is_same(deed)) {
                known.clone_from(deed);
            } else if self.deeds.len() < MOST_DEEDS {
                self.deeds.push(deed.clone());
            }
        }
    }

    fn part(&self, wall_ms: i64) -> usize {
        let [began, ended] = self.span;
        let span = ended.abs_diff(began).max(1);
        let into = wall_ms.saturating_sub(began).max(0) as u64;
        ((into * PARTS as u64 / (span + 1)) as usize).min(PARTS - 1)
    }

    fn follow(&mut self, sample: &Sample, part: usize) {
        for process in &sample.processes {
            let Some(held) = private(process) else { continue };
            let life = self.lives.entry(process.key).or_insert_with(|| Life {
                process: Arc::clone(process),
                wall_ms: [sample.wall_ms; 2],
                has_ended: false,
                first: held,
                last: held,
                most: held,
                course: Course::default(),
            });
            (life.last, life.most, life.wall_ms[1]) = (held, life.most.max(held), sample.wall_ms);
            if !Arc::ptr_eq(&life.process, process) {
                life.process = Arc::clone(process);
            }
            // Most never gain anything: they need no course.
            if life.gained() >= LEAST_GAIN {
                life.course.add(part, held as f64, sample.wall_ms);
            }
        }
        if self.lives.len() > MOST_LIVES {
            let mut ended: Vec<_> = self.lives.values().filter(|life| life.wall_ms[1] < sample.wall_ms).collect();
            ended.sort_by_key(|life| std::cmp::Reverse(life.gained()));
            let gone: Vec<ProcessKey> = ended.iter().skip(self.shown).map(|life| life.process.key).collect();
            for key in gone {
                self.lives.remove(&key);
            }
        }
    }

    fn spot(&mut self, sample: Arc<Sample>) {
        let before = self.before.take().filter(|before| before.sample.at <= sample.at);
        let analysis = Analysis { findings: self.watched.findings(None).into(), ..Analysis::default() };
        let now = Snapshot::derive(before.as_ref().map(|before| &*before.sample), sample, analysis);
        let events = self.spotter.look(before.as_ref(), &now);
        for event in events {
            let place = self.events.partition_point(|known| known.wall_ms <= event.wall_ms);
            self.events.insert(place, event);
        }
        self.before = Some(now);
    }

    /// The report; `None` where there was no sample.
    pub fn finish(self) -> Option<Report> {
        let story = self.watched.tell(None)?;
        let last = self.watched.latest()?;
        let ended_ms = last.wall_ms;
        let mut growers: Vec<Life> = self.lives.into_values().filter(|life| life.gained() >= LEAST_GAIN).collect();
        growers.sort_by_key(|life| std::cmp::Reverse(life.gained()));
        growers.truncate(self.shown);
        for life in &mut growers {
            life.has_ended = life.wall_ms[1] < ended_ms;
        }
        let counted = |which: usize| {
            let Counters { first, last } = self.counters.as_ref()?;
            // A boot in between began anew.
            Some(last[which].value()?.saturating_sub(first[which].value()?))
        };
        Some(Report {
            total: last.system.meminfo.mem_total.value(),
            peak: self.peak.as_ref().map(|(used, sample)| peak(*used, sample, self.shown)),
            oom_kills: counted(0),
            swapped: counted(1).zip(counted(2)).map(|(swapped_in, swapped_out)| [swapped_in, swapped_out]),
            story,
            used: self.used,
            swap: self.swap,
            stalled: self.stalled,
            growers,
            events: self.events,
            deeds: self.deeds,
        })
    }
}

impl Course {
    fn add(&mut self, part: usize, value: f64, wall_ms: i64) {
        if self.points.is_empty() {
            self.points = vec![f32::NAN; PARTS];
        }
        // NaN gives way to any number.
        self.points[part] = self.points[part].max(value as f32);
        if self.highest.is_none_or(|(highest, _)| value > highest) {
            self.highest = Some((value, wall_ms));
        }
    }
}

fn private(process: &ProcessSample) -> Option<u64> {
    let swap = process.status.reading.value().map_or(0, |status| status.swap);
    process.resident.value().map(|resident| Resident::anon(resident) + swap)
}

fn peak(used: u64, sample: &Sample, shown: usize) -> Peak {
    let rss = |process: &ProcessSample| process.resident.value().map_or(0, |resident| resident.rss);
    let mut largest = sample.processes.clone();
    largest.sort_by_key(|process| std::cmp::Reverse(rss(process)));
    let alive = largest.iter().filter(|process| !process.identity.is_kernel_thread).count();
    largest.truncate(shown);
    let swap = sample.system.meminfo.swap_used().value().unwrap_or(0);
    Peak { wall_ms: sample.wall_ms, used, swap, alive, largest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::Identity;
    use crate::model::reading::BootMs;
    use crate::model::sample::{Host, Scan};
    use crate::model::system::SystemSample;

    const BEGAN: i64 = 1_790_000_000_000;

    fn process(pid: u32, mib: u64) -> Arc<ProcessSample> {
        let key = ProcessKey { pid, start_time: 1 };
        let identity = Identity { comm: format!("p{pid}").as_str().into(), ..Identity::default() };
        let mut process = ProcessSample::found(key, Arc::new(identity));
        process.resident = Reading::Value(Resident { size: 0, rss: mib << 20, shared: 0, text: 1 });
        Arc::new(process)
    }

    /// Ten minutes: p9 grows by 1 MiB in 6 s, p5 ends after five with the peak.
    fn report() -> Report {
        let mut reporter = Reporter::new([BEGAN, BEGAN + 599_000], 3);
        for second in 0..600u64 {
            let mut processes = vec![process(9, 50 + second / 6), process(11, 10)];
            if second < 300 {
                processes.insert(0, process(5, 100 + second));
            }
            let mut system = SystemSample::default();
            let used = processes.iter().map(|process| process.resident.value().unwrap().rss).sum::<u64>();
            system.meminfo.mem_total = Reading::Value(2 << 30);
            system.meminfo.mem_available = Reading::Value((2 << 30) - used);
            system.vmstat.oom_kills = Reading::Value(4 + u64::from(second >= 300));
            reporter.push(Sample {
                wall_ms: BEGAN + second as i64 * 1000,
                at: BootMs((1000 + second) * 1000),
                closer: None,
                deeds: Vec::new(),
                interval_ms: 1000,
                host: Arc::new(Host { clock_ticks: 100, page_size: 4096, ..Host::default() }),
                system,
                processes,
                scan: Scan::default(),
            });
        }
        reporter.finish().unwrap()
    }

    #[test]
    fn the_peak_and_who_was_alive_at_it_are_told() {
        let peak = report().peak.unwrap();
        assert_eq!((peak.wall_ms, peak.alive), (BEGAN + 299_000, 3));
        assert_eq!(peak.largest.iter().map(|process| process.key.pid).collect::<Vec<_>>(), [5, 9, 11]);
        assert_eq!(peak.used >> 20, 399 + 99 + 10);
    }

    #[test]
    fn growers_are_ranked_by_what_they_gained_also_those_that_ended() {
        let report = report();
        let growers: Vec<_> =
            report.growers.iter().map(|life| (life.process.key.pid, life.gained() >> 20, life.has_ended)).collect();
        assert_eq!(growers, [(5, 299, true), (9, 99, false)]);
        assert_eq!((report.growers[0].last >> 20, report.growers[0].wall_ms[1]), (399, BEGAN + 299_000));
    }

    #[test]
    fn counters_and_courses_are_those_of_the_span() {
        let report = report();
        assert_eq!((report.oom_kills, report.swapped), (Some(1), None));
        assert_eq!(report.used.points.len(), PARTS);
        assert!(report.used.points.iter().all(|point| point.is_finite()), "{:?}", report.used.points);
        assert_eq!(report.used.highest.map(|(_, at)| at), Some(BEGAN + 299_000));
        assert!(report.stalled.points.is_empty(), "no pressure was known");
        assert!(report.events.iter().any(|event| event.text.contains("p5[5]")), "{:?}", report.events);
    }

    #[test]
    fn nothing_makes_no_report() {
        assert!(Reporter::new([0, 0], 10).finish().is_none());
    }
}
