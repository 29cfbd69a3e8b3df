//! A session's state: history, timeline, and the answer to a request. No thread, no clock.

use std::sync::Arc;

use super::request::Request;
use super::system::SystemView;
use super::timeline::Timeline;
use super::update::{Ended, Update};
use crate::analyze::history::{EndedTrack, History};
use crate::model::cgroup_tree::CgroupTree;
use crate::model::judgement::{Analysis, Judged, Quantity, Subject};
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;
use crate::model::survey::Survey;

/// What is known so far.
#[derive(Default)]
pub struct Session {
    history: History,
    timeline: Timeline,
    latest: Option<Arc<Snapshot>>,
    ended: Arc<[Ended]>,
    survey: Option<Arc<Survey>>,
    cgroups: Option<Arc<CgroupTree>>,
}

impl Session {
    /// The same state without the snapshots of the past: what the next sample is judged by.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            history: self.history.clone(),
            timeline: Timeline::default(),
            latest: self.latest.clone(),
            ended: Arc::clone(&self.ended),
            survey: None,
            cgroups: None,
        }
    }

    /// The newest snapshot.
    pub fn latest(&self) -> Option<&Arc<Snapshot>> {
        self.latest.as_ref()
    }

    /// Bytes of history held, at most.
    pub fn heap_bytes(&self) -> usize {
        self.history.heap_bytes()
    }

    /// Takes in the next sample.
    pub fn ingest(&mut self, mut sample: Sample) {
        // It is large and not kept for the past.
        self.cgroups = sample.system.cgroups.take();
        sample.closer = None;
        let ended_before = self.history.ended().last().map(|ended| (ended.process.key, ended.at));
        self.history.push(&sample);
        if self.history.ended().last().map(|ended| (ended.process.key, ended.at)) != ended_before {
            self.ended = self.history.ended().iter().rev().map(show_ended).collect();
        }
        let before = self.latest.as_ref();
        let judged = match before.map(|before| &before.analysis.judged) {
            Some(old) if is_same(old, &self.history) => Arc::clone(old),
            _ => self.history.judged().collect(),
        };
        let findings = match (before.map(|before| &before.analysis.findings), self.history.findings(&sample)) {
            (Some(old), new) if **old == *new => Arc::clone(old),
            (_, new) => new.into(),
        };
        let analysis = Analysis { judged, findings, early: self.history.early_in_all() };
        let snapshot = Arc::new(Snapshot::derive(before.map(|before| &*before.sample), Arc::new(sample), analysis));
        self.timeline.push(Arc::clone(&snapshot));
        self.latest = Some(snapshot);
    }

    /// Takes in what was surveyed; `None` forgets it.
    pub fn take_survey(&mut self, survey: Option<Arc<Survey>>) {
        self.survey = survey;
    }

    /// What the request wants to see; `None` before the first sample.
    pub fn answer(&self, request: &Request) -> Option<Update> {
        let latest = self.latest.as_ref()?;
        let past = request.at.filter(|at| *at < latest.sample.at).and_then(|at| self.timeline.find(at));
        let is_past = past.is_some();
        let snapshot = Arc::clone(past.unwrap_or(latest));
        let now = snapshot.sample.at;
        let series = request.series.iter().filter_map(|key| {
            let points = self.history.points(
                &Subject::Process(*key),
                Quantity::Private,
                now,
                request.series_span,
                request.series_points,
            )?;
            Some((*key, points))
        });
        let evidence = request.evidence.as_ref().and_then(|wish| {
            let finding = snapshot.analysis.findings.iter().find(|finding| wish.is_about(finding))?;
            self.history.evidence(finding, wish, now)
        });
        let system = request.system.as_ref().map(|wish| SystemView {
            layers: self.history.layer_points(now, wish.span, wish.points),
            survey: self.survey.as_ref().filter(|_| !is_past).map(Arc::clone),
        });
        let ended = if is_past {
            self.ended.iter().filter(|ended| ended.at <= now).cloned().collect()
        } else {
            Arc::clone(&self.ended)
        };
        Some(Update {
            machine: self.history.machine_points(now, request.machine_span, request.machine_points),
            series: series.collect(),
            evidence,
            inspection: None,
            system,
            cgroups: self.cgroups.clone().filter(|_| request.demand.cgroups && !is_past),
            ended,
            timeline: self.timeline.span(now, is_past),
            replay: None,
            taped: None,
            snapshot,
        })
    }
}

fn is_same(old: &[Judged], history: &History) -> bool {
    let mut new = history.judged();
    let is_equal = |old: &Judged, new: Judged| {
        (old.growth.to_bits(), old.verdict, old.percent) == (new.growth.to_bits(), new.verdict, new.percent)
    };
    old.iter().all(|old| new.next().is_some_and(|new| is_equal(old, new))) && new.next().is_none()
}

fn show_ended(track: &EndedTrack) -> Ended {
    Ended {
        process: Arc::clone(&track.process),
        at: track.at,
        wall_ms: track.wall_ms,
        peak_private: u64::from(track.private.peak()) * 1024,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::analyze::evidence::EvidenceWish;
    use crate::collect::demand::Demand;
    use crate::model::field::SourceSet;
    use crate::model::key::ProcessKey;
    use crate::model::process::{Identity, ProcessSample, Resident};
    use crate::model::reading::{BootMs, Reading};
    use crate::model::sample::{Host, Scan};
    use crate::model::system::SystemSample;

    fn process(pid: u32, start_time: u64, mib: u64) -> Arc<ProcessSample> {
        let mut process = ProcessSample::found(ProcessKey { pid, start_time }, Arc::new(Identity::default()));
        process.resident = Reading::Value(Resident { size: 0, rss: mib << 20, shared: 0, text: 1 });
        Arc::new(process)
    }

    fn sample(second: u64, processes: Vec<Arc<ProcessSample>>) -> Sample {
        let mut system = SystemSample::default();
        system.meminfo.swap_total = Reading::Value(0);
        system.meminfo.swap_free = Reading::Value(0);
        Sample {
            wall_ms: second as i64 * 1000,
            at: BootMs(second * 1000),
            closer: None,
            deeds: Vec::new(),
            interval_ms: 1000,
            host: Arc::new(Host::default()),
            system,
            processes,
            scan: Scan::default(),
        }
    }

    fn request(series: Vec<ProcessKey>, at: Option<BootMs>) -> Request {
        Request {
            demand: Demand {
                sources: SourceSet::default(),
                visible: Vec::new(),
                top_by_pss: 0,
                cgroups: false,
                budget: 0.0,
            },
            series,
            series_points: 4,
            series_span: Duration::from_secs(40),
            machine_points: 4,
            machine_span: Duration::from_secs(40),
            evidence: None,
            inspect: None,
            system: None,
            at,
            play: None,
            hunt: None,
            interval: Duration::from_secs(1),
        }
    }

    #[test]
    fn nothing_is_known_before_the_first_sample() {
        assert!(Session::default().answer(&request(Vec::new(), None)).is_none());
    }

    #[test]
    fn a_leak_has_its_rate_and_a_sleeper_none() {
        let mut session = Session::default();
        let sleeper = process(7, 1, 100);
        for second in 0..120 {
            session.ingest(sample(second, vec![Arc::clone(&sleeper), process(9, 1, 50 + second / 2)]));
        }
        let update = session.answer(&request(vec![ProcessKey { pid: 9, start_time: 1 }], None)).unwrap();
        let mib_per_minute = f64::from(1u32 << 20);
        let leak = update.snapshot.row(1).growth().value().unwrap() / mib_per_minute;
        assert!((leak - 30.0).abs() < 3.0, "{leak}");
        assert_eq!(update.snapshot.row(0).growth(), Reading::Value(0.0));
        let line = &update.series[&ProcessKey { pid: 9, start_time: 1 }];
        assert!(line.windows(2).all(|pair| pair[1] > pair[0]), "{line:?}");
    }

    #[test]
    fn the_evidence_of_a_finding_is_given_live_and_as_it_was() {
        let mut session = Session::default();
        for second in 0..300 {
            session.ingest(sample(second, vec![process(9, 1, 50 + second / 2)]));
        }
        let wish = EvidenceWish {
            subject: Subject::Process(ProcessKey { pid: 9, start_time: 1 }),
            quantity: Quantity::Private,
            points: 50,
            span: Duration::from_mins(10),
        };
        let ask = |at| session.answer(&Request { evidence: Some(wish.clone()), ..request(Vec::new(), at) }).unwrap();
        let live = ask(None).evidence.unwrap();
        assert_eq!((live.span, live.began, live.points.len()), (Duration::from_secs(299), BootMs(0), 50));
        assert!(live.judgement.verdict.is_rising(), "{live:?}");
        let mib = f64::from(1u32 << 20);
        assert!((live.fitted / mib - 199.0).abs() < 8.0, "{}", live.fitted / mib);
        let past = ask(Some(BootMs(200_000))).evidence.unwrap();
        assert!(past.span < live.span && past.points.last() < live.points.last(), "{past:?}");
        assert!((past.fitted / mib - 150.0).abs() < 8.0, "{}", past.fitted / mib);
        // What was not found at that moment has no evidence then.
        assert_eq!(ask(Some(BootMs(10_000))).evidence, None);
        let other = EvidenceWish { quantity: Quantity::Fds, ..wish };
        let update = session.answer(&Request { evidence: Some(other), ..request(Vec::new(), None) }).unwrap();
        assert_eq!(update.evidence, None);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut session = Session::default();
        session.ingest(sample(0, vec![process(9, 1, 500)]));
        session.ingest(sample(1, vec![process(9, 2, 5)]));
        let update = session.answer(&request(vec![ProcessKey { pid: 9, start_time: 1 }], None)).unwrap();
        assert_eq!(update.ended.len(), 1);
        assert_eq!((update.ended[0].process.key.start_time, update.ended[0].peak_private), (1, 500 << 20));
        assert!(update.series.contains_key(&ProcessKey { pid: 9, start_time: 1 }), "the dead keep their history");
    }

    #[test]
    fn the_past_is_shown_as_it_was() {
        let mut session = Session::default();
        for second in 0..30 {
            session.ingest(sample(second, if second < 10 { vec![process(3, 1, 1)] } else { vec![process(4, 1, 2)] }));
        }
        let past = session.answer(&request(Vec::new(), Some(BootMs(5_500)))).unwrap();
        assert_eq!(past.snapshot.sample.processes[0].key.pid, 3);
        assert!(past.timeline.is_past && past.ended.is_empty());
        assert_eq!(past.timeline.earlier, Some(BootMs(4_000)));
        assert_eq!(past.timeline.later, Some(BootMs(6_000)));
        let live = session.answer(&request(Vec::new(), None)).unwrap();
        assert!(!live.timeline.is_past && live.ended.len() == 1);
    }
}
