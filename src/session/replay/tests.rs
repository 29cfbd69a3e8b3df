use super::*;
use crate::analyze::events::EventKind;
use crate::collect::demand::Demand;
use crate::model::field::SourceSet;
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, ProcessSample, Resident};
use crate::model::reading::Reading;
use crate::model::sample::{Host, Scan};
use crate::model::system::SystemSample;

/// A recording in memory.
#[derive(Clone)]
struct Tape {
    samples: Arc<Vec<Sample>>,
    next: usize,
}

impl Recording for Tape {
    fn next(&mut self) -> Option<Sample> {
        let sample = self.samples.get(self.next)?.clone();
        self.next += 1;
        Some(sample)
    }

    fn previous(&mut self) -> Option<Sample> {
        let before = self.next.checked_sub(2)?;
        self.next = before + 1;
        Some(self.samples[before].clone())
    }

    fn seek(&mut self, wall_ms: i64) {
        self.next = self.samples.partition_point(|sample| sample.wall_ms <= wall_ms).saturating_sub(1);
    }

    fn span(&self) -> Option<[i64; 2]> {
        Some([self.samples.first()?.wall_ms, self.samples.last()?.wall_ms])
    }
}

const BEGAN: i64 = 1_790_000_000_000;

fn process(pid: u32, mib: u64) -> Arc<ProcessSample> {
    let key = ProcessKey { pid, start_time: 1 };
    let identity = Identity { comm: format!("p{pid}").as_str().into(), ..Identity::default() };
    let mut process = ProcessSample::found(key, Arc::new(identity));
    process.resident = Reading::Value(Resident { size: 0, rss: mib << 20, shared: 0, text: 1 });
    Arc::new(process)
}

fn sample(second: u64, at: u64, processes: Vec<Arc<ProcessSample>>) -> Sample {
    let mut system = SystemSample::default();
    system.meminfo.mem_total = Reading::Value(2 << 30);
    system.meminfo.mem_available = Reading::Value(1 << 30);
    Sample {
        wall_ms: BEGAN + second as i64 * 1000,
        at: BootMs(at * 1000),
        closer: None,
        deeds: Vec::new(),
        interval_ms: 1000,
        host: Arc::new(Host { clock_ticks: 100, ..Host::default() }),
        system,
        processes,
        scan: Scan::default(),
    }
}

/// Half an hour: p9 leaks from the beginning on, p5 ends after ten minutes.
fn tape() -> Tape {
    let at = |second: u64| {
        let mut processes = vec![process(9, 50 + second / 3)];
        if second < 600 {
            processes.insert(0, process(5, 100));
        }
        sample(second, 1000 + second, processes)
    };
    Tape { samples: Arc::new((0..1800).map(at).collect()), next: 0 }
}

fn request(at: Option<u64>) -> Request {
    Request {
        demand: Demand {
            sources: SourceSet::default(),
            visible: Vec::new(),
            top_by_pss: 0,
            cgroups: false,
            budget: 0.0,
        },
        series: vec![ProcessKey { pid: 9, start_time: 1 }],
        series_points: 4,
        series_span: Duration::from_secs(40),
        machine_points: 4,
        machine_span: Duration::from_secs(40),
        evidence: None,
        at: at.map(|second| BootMs(second * 1000 + 1)),
        play: None,
        hunt: None,
        inspect: None,
        system: None,
        interval: Duration::from_secs(1),
    }
}

/// A replay and what it says.
struct Watched {
    handle: ReplayHandle,
    said: Receiver<Published>,
}

impl Watched {
    fn start(tape: &Tape, first: Request) -> Self {
        let (say, said) = channel();
        let publish = move |published| drop(say.send(published));
        Self { handle: ReplayHandle::spawn([tape.clone(), tape.clone()], first, publish).unwrap(), said }
    }

    /// The first update that is as it should be.
    fn wait(&self, is_it: impl Fn(&Update) -> bool) -> Arc<Update> {
        loop {
            match self.said.recv_timeout(Duration::from_mins(1)).expect("an update") {
                Published::Update(update) if is_it(&update) => return update,
                Published::Update(_) => {}
                Published::Failed(why) => panic!("{why}"),
            }
        }
    }

    fn judged(&self, request: Request) -> Arc<Update> {
        let at = request.at;
        self.handle.request(request);
        self.wait(|update| {
            update.replay.as_ref().is_some_and(|replay| replay.judged.is_none())
                && at.is_none_or(|at| update.timeline.shown == at)
        })
    }
}

#[test]
fn a_moment_is_shown_at_once_and_judged_after_that() {
    let watched = Watched::start(&tape(), request(Some(1200)));
    let first = watched.wait(|_| true);
    assert_eq!(first.timeline.shown, BootMs(1_200_001));
    assert_eq!((first.timeline.earlier, first.timeline.later), (Some(BootMs(1_199_001)), Some(BootMs(1_201_001))));
    assert_eq!((first.timeline.oldest, first.timeline.newest), (BootMs(1), BootMs(1_799_001)));
    assert!(first.replay.as_ref().is_some_and(|replay| replay.judged.is_some()) && first.series.is_empty());
    let judged = watched.judged(request(Some(1200)));
    assert_eq!(judged.snapshot.analysis.findings.len(), 1, "{:?}", judged.snapshot.analysis.findings);
    assert!(judged.series.len() == 1 && judged.ended.len() == 1);
}

#[test]
fn verdicts_are_the_same_whatever_the_way_to_the_moment() {
    let tape = tape();
    let straight = Watched::start(&tape, request(Some(900))).judged(request(Some(900)));
    let winding = Watched::start(&tape, request(Some(1700)));
    for second in [1700, 300, 1000, 10, 899] {
        winding.judged(request(Some(second)));
    }
    let winding = winding.judged(request(Some(900)));
    assert_eq!(straight.snapshot.analysis.findings, winding.snapshot.analysis.findings);
    assert_eq!(straight.snapshot.analysis.judged, winding.snapshot.analysis.judged);
    assert_eq!((&straight.series, &straight.machine.len()), (&winding.series, &winding.machine.len()));
}

#[test]
fn events_are_found_in_both_directions() {
    let watched = Watched::start(&tape(), request(Some(400)));
    let hunt = |from: u64, is_forward| Hunt { from: BootMs(from * 1000 + 1), is_forward };
    let find = |hunt: Hunt| {
        watched.handle.request(Request { hunt: Some(hunt), ..request(Some(400)) });
        let is_found = |update: &Update| {
            update.replay.as_ref().is_some_and(|replay| replay.found.as_ref().is_some_and(|(known, _)| *known == hunt))
        };
        let update = watched.wait(is_found);
        let found = update.replay.as_ref().and_then(|replay| replay.found.clone()).and_then(|(_, event)| event);
        (update.timeline.shown, found)
    };
    let (shown, ended) = find(hunt(400, true));
    let ended = ended.expect("an event");
    assert_eq!((shown, ended.kind), (BootMs(600_001), EventKind::Ended));
    let (shown, leak) = find(hunt(400, false));
    assert_eq!(leak.expect("an event").kind, EventKind::Verdict);
    assert!((60_000..400_000).contains(&shown.0), "{shown:?}");
    let (_, nothing) = find(hunt(700, true));
    assert_eq!(nothing, None);
}

#[test]
fn time_passes_at_the_speed_that_is_asked_for_until_the_end() {
    let watched = Watched::start(&tape(), request(Some(0)));
    watched.handle.request(Request { play: Some(100_000.0), ..request(Some(0)) });
    let end = watched.wait(|update| update.timeline.shown == update.timeline.newest);
    assert!(end.replay.as_ref().is_some_and(|replay| !replay.is_playing));
}

#[test]
fn after_a_boot_nothing_of_the_time_before_it_is_known() {
    let before = (0..200).map(|second| sample(second, 5000 + second, vec![process(9, 50 + second / 3)]));
    let after = (200..300).map(|second| sample(second, second - 190, vec![process(9, 500)]));
    let tape = Tape { samples: Arc::new(before.chain(after).collect()), next: 0 };
    let update = Watched::start(&tape, request(Some(299))).judged(request(Some(299)));
    assert!(update.snapshot.analysis.findings.is_empty());
    assert!(update.ended.is_empty(), "the boot ended nobody that counts");
}

#[test]
fn a_recording_without_a_sample_says_so() {
    let tape = Tape { samples: Arc::default(), next: 0 };
    let watched = Watched::start(&tape, request(None));
    let said = watched.said.recv_timeout(Duration::from_mins(1)).unwrap();
    assert!(matches!(said, Published::Failed(why) if why.contains("no sample")));
}
