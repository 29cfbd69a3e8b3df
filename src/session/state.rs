//! A session's state: history, timeline, and the answer to a request. No thread, no clock.

use std::sync::Arc;

use super::request::Request;
use super::timeline::Timeline;
use super::update::{Ended, Update};
use crate::analyze::history::{EndedTrack, History, Quantity};
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

/// What is known so far.
#[derive(Default)]
pub struct Session {
    history: History,
    timeline: Timeline,
    latest: Option<Arc<Snapshot>>,
    ended: Arc<[Ended]>,
}

impl Session {
    /// Takes in the next sample.
    pub fn ingest(&mut self, sample: Sample) {
        let ended_before = self.history.ended().last().map(|ended| (ended.process.key, ended.at));
        self.history.push(&sample);
        if self.history.ended().last().map(|ended| (ended.process.key, ended.at)) != ended_before {
            self.ended = self.history.ended().iter().rev().map(show_ended).collect();
        }
        let before = self.latest.as_ref();
        let growth = match before.map(|before| &before.growth) {
            Some(old) if is_same(old, &self.history) => Arc::clone(old),
            _ => self.history.growth().collect(),
        };
        let snapshot = Arc::new(Snapshot::derive(before.map(|before| &*before.sample), Arc::new(sample), growth));
        self.timeline.push(Arc::clone(&snapshot));
        self.latest = Some(snapshot);
    }

    /// What the request wants to see; `None` before the first sample.
    pub fn answer(&self, request: &Request) -> Option<Update> {
        let latest = self.latest.as_ref()?;
        let past = request.at.filter(|at| *at < latest.sample.at).and_then(|at| self.timeline.find(at));
        let is_past = past.is_some();
        let snapshot = Arc::clone(past.unwrap_or(latest));
        let now = snapshot.sample.at;
        let series = request.series.iter().filter_map(|key| {
            let points =
                self.history.points(*key, Quantity::Private, now, request.series_span, request.series_points)?;
            Some((*key, points))
        });
        let ended = if is_past {
            self.ended.iter().filter(|ended| ended.at <= now).cloned().collect()
        } else {
            Arc::clone(&self.ended)
        };
        Some(Update {
            machine: self.history.machine_points(now, request.machine_span, request.machine_points),
            series: series.collect(),
            ended,
            timeline: self.timeline.span(now, is_past),
            snapshot,
        })
    }
}

fn is_same(old: &[f32], history: &History) -> bool {
    let mut new = history.growth();
    let is_equal = old.iter().all(|old| new.next().is_some_and(|new| new.to_bits() == old.to_bits()));
    is_equal && new.next().is_none()
}

fn show_ended(track: &EndedTrack) -> Ended {
    Ended {
        process: Arc::clone(&track.process),
        at: track.at,
        wall_ms: track.wall_ms,
        peak_private: u64::from(track.private.peak()) * 1024,
    }
}
