//! The history of every process, by [`ProcessKey`], of the services they make up, and of the machine: bounded for each
//! and in total, and judged as it grows. What ended is remembered for a while.

use std::sync::Arc;
use std::time::Duration;

use super::bounds::Bounds;
use super::evidence::{Evidence, EvidenceWish, Past};
use super::findings::{Scene, findings, lasting, shown};
use super::groups::Groups;
use super::judge::Scratch;
use super::layers::LayerPoints;
use super::machine::Machine;
use super::observed::Observed;
use super::series::Series;
use super::track::{Circumstances, Track};
use super::watch::Watch;
use crate::model::judgement::{self as model, Finding, Judged, Judgement, Quantity, Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::process::ProcessSample;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::model::text::Text;

/// Everything that is remembered.
#[derive(Clone, Default)]
pub struct History {
    /// By pid, as in the samples.
    tracks: Vec<Track>,
    groups: Groups,
    bounds: Bounds,
    machine: Machine,
    ended: Vec<EndedTrack>,
    observed: Observed,
    scratch: Scratch,
    /// How often the number of runs kept has been halved.
    squeeze: u32,
    samples: u64,
    /// The watched time of the sample pushed last.
    now: BootMs,
}

/// A process that is no more.
#[derive(Clone)]
pub struct EndedTrack {
    /// As it was last seen.
    pub process: Arc<ProcessSample>,
    /// The first sample without it.
    pub at: BootMs,
    /// The same by the wall clock, milliseconds since the epoch.
    pub wall_ms: i64,
    /// Its private memory and swap while it was watched, KiB.
    pub private: Series,
    /// What was said of its private memory at the end.
    pub said: Judgement,
}

/// What rises and can't be judged yet.
#[derive(Clone, Copy, Debug)]
pub struct Early<'a> {
    /// Whose.
    pub process: &'a Arc<ProcessSample>,
    /// What.
    pub quantity: Quantity,
    /// Its rate, and how much longer it takes.
    pub judgement: Judgement,
}

/// What is known of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// Its name for people, escaped.
    pub name: &'a str,
    /// Processes alive.
    pub members: u32,
    /// Processes of it that ran the same and ended while they grew, in the last hours.
    pub relapses: usize,
    /// What those had gained together, bytes.
    pub lost: u64,
}

/// Memory that all tracks together may take.
const TOTAL_BYTES: usize = 6 << 20;

/// How often the total is looked at, in samples.
const SAMPLES_BETWEEN_COUNTS: u64 = 60;

/// Ended processes that are remembered, and for how long.
const MOST_ENDED: usize = 256;
const ENDED_MS: u64 = 6 * 3_600_000;

impl History {
    /// Takes in a sample. Samples must come in their order of time.
    pub fn push(&mut self, sample: &Sample) {
        let now = self.observed.advance(sample.at, sample.interval_ms);
        self.now = now;
        let about = circumstances(sample, now, self.squeeze);
        let mut tracks = std::mem::take(&mut self.tracks);
        let is_same = |(track, process): (&Track, &Arc<ProcessSample>)| track.process.key == process.key;
        if tracks.len() != sample.processes.len() || !tracks.iter().zip(&sample.processes).all(is_same) {
            tracks = self.match_up(tracks, sample, &about);
        }
        for (track, process) in tracks.iter_mut().zip(&sample.processes) {
            self.update(track, process, &about);
        }
        self.tracks = tracks;
        for track in &mut self.tracks {
            track.judge(&about, &mut self.scratch);
        }
        self.groups.push(&about, &mut self.scratch);
        self.bounds.push(&about, &mut self.scratch);
        self.machine.push(&about, &mut self.scratch);
        self.samples += 1;
        if self.samples.is_multiple_of(SAMPLES_BETWEEN_COUNTS) {
            self.keep_bounds(sample.at);
        }
    }

    /// The tracks of a sample's processes, in their order: who came gets one, who has gone is remembered.
    fn match_up(&mut self, tracks: Vec<Track>, sample: &Sample, about: &Circumstances<'_>) -> Vec<Track> {
        let mut old = tracks.into_iter().peekable();
        let mut new = Vec::with_capacity(sample.processes.len());
        for process in &sample.processes {
            while let Some(gone) = old.next_if(|track| track.process.key < process.key) {
                self.remember(gone, sample, about);
            }
            let known = old.next_if(|track| track.process.key == process.key);
            new.push(known.unwrap_or_else(|| {
                let mut track = Track::new(process, about);
                self.settle(&mut track, about.now);
                track
            }));
        }
        for gone in old {
            self.remember(gone, sample, about);
        }
        new
    }

    fn update(&mut self, track: &mut Track, process: &Arc<ProcessSample>, about: &Circumstances<'_>) {
        let is_another = !Arc::ptr_eq(&track.process.identity, &process.identity);
        let change = track.push(process, about);
        if let Some(group) = track.group {
            self.groups.change(group, change);
        }
        if is_another {
            self.settle(track, about.now);
        }
    }

    /// Finds the group a process belongs to now.
    fn settle(&mut self, track: &mut Track, now: BootMs) {
        let group = self.groups.place(&track.process.identity, now);
        if group != track.group {
            let kib = track.share;
            if let Some(old) = track.group {
                self.groups.leave(old, kib);
            }
            if let Some(new) = group {
                self.groups.join(new, kib);
            }
            track.group = group;
        }
    }

    fn remember(&mut self, track: Track, sample: &Sample, about: &Circumstances<'_>) {
        if let Some(group) = track.group {
            let last = track.look(about, &mut self.scratch);
            self.groups.end(group, track.share, &track.process.identity, &last, about.now);
        }
        let said = shown(Quantity::Private, &track.private.judgement(about.now), &self.observed);
        self.ended.push(EndedTrack {
            said,
            process: track.process,
            at: sample.at,
            wall_ms: sample.wall_ms,
            private: track.private.series,
        });
        if self.ended.len() > MOST_ENDED {
            // The smallest is the least likely to be looked for; among equals the oldest goes.
            let least = self.ended.iter().enumerate().min_by_key(|(_, ended)| ended.private.peak());
            if let Some((place, _)) = least {
                self.ended.remove(place);
            }
        }
    }

    fn keep_bounds(&mut self, now: BootMs) {
        self.ended.retain(|ended| now.since(ended.at) < ENDED_MS);
        if self.heap_bytes() > TOTAL_BYTES {
            self.squeeze += 1;
            let squeeze = self.squeeze;
            self.tracks.iter_mut().for_each(|track| track.shrink(squeeze));
        }
    }

    /// Bytes held by all series of processes and groups.
    pub fn heap_bytes(&self) -> usize {
        let tracks = self.tracks.iter().map(|track| size_of::<Track>() + track.heap_bytes());
        let ended = self.ended.iter().map(|ended| size_of::<EndedTrack>() + ended.private.heap_bytes());
        tracks.sum::<usize>() + ended.sum::<usize>() + self.groups.heap_bytes() + self.bounds.heap_bytes()
    }

    /// Growth and verdict of every process of the sample pushed last, in its order.
    pub fn judged(&self) -> impl Iterator<Item = Judged> {
        self.tracks.iter().map(|track| {
            let judgement = track.private.judgement(self.now);
            let is_known = judgement.verdict != Verdict::NotEnoughData || judgement.rate != 0.0;
            let growth = if is_known { (judgement.rate * 1024.0) as f32 } else { f32::NAN };
            // A leak of descriptors or threads is one of the process, too.
            let others = [Quantity::Fds, Quantity::Threads].into_iter().filter_map(|quantity| track.watch(quantity));
            let leaking = others.filter_map(Watch::rising).find(|other| other.verdict == Verdict::Leaking);
            match leaking {
                Some(other) if judgement.verdict != Verdict::Leaking => {
                    Judged::new(growth, other.verdict, other.confidence)
                }
                _ => Judged::new(growth, judgement.verdict, judgement.confidence),
            }
        })
    }

    /// What rises, and is too young or too little to be judged: it says how much longer that takes.
    pub fn early(&self) -> impl Iterator<Item = Early<'_>> {
        self.tracks.iter().flat_map(move |track| {
            [Quantity::Private, Quantity::Fds, Quantity::Threads].into_iter().filter_map(move |quantity| {
                let judgement = shown(quantity, track.watch(quantity)?.early()?, &self.observed);
                Some(Early { process: &track.process, quantity, judgement })
            })
        })
    }

    /// The same, counted by process.
    pub fn early_in_all(&self) -> model::Early {
        let mut all = model::Early::default();
        let mut last = None;
        for early in self.early() {
            all.needs_ms = all.needs_ms.max(early.judgement.needs_ms);
            all.processes += usize::from(last.replace(early.process.key) != Some(early.process.key));
        }
        all
    }

    /// All that rises in the sample that was pushed last, the most urgent first.
    pub fn findings(&self, sample: &Sample) -> Vec<Finding> {
        let about = circumstances(sample, self.observed.watched(sample.at), self.squeeze);
        findings(&Scene {
            tracks: &self.tracks,
            groups: &self.groups,
            bounds: &self.bounds,
            machine: &self.machine,
            observed: &self.observed,
            about: &about,
            lasting: lasting(&self.tracks, &self.machine, &about),
        })
    }

    /// What is said of a subject's quantity; `None` where it is not watched.
    pub fn judgement(&self, subject: &Subject, quantity: Quantity, at: BootMs) -> Option<Judgement> {
        let now = self.observed.watched(at);
        let judgement = match subject {
            Subject::Process(key) => self.track(*key)?.watch(quantity)?.judgement(now),
            Subject::Group(key) => self.groups.get(key)?.judgement(now)?,
            Subject::Machine => self.machine.watch(quantity)?.judgement(now),
        };
        Some(shown(quantity, &judgement, &self.observed))
    }

    /// The service that a finding of [`Subject::Group`] is about.
    pub fn service(&self, key: &Text) -> Option<Service<'_>> {
        let group = self.groups.get(key)?;
        let (relapses, lost_kib) = group.last_relapses(self.now);
        Some(Service { name: &group.name, members: group.members, relapses, lost: lost_kib * 1024 })
    }

    /// The watched time of the sample pushed last: time that nobody watched has not passed.
    pub(super) fn watched(&self) -> BootMs {
        self.now
    }

    fn track(&self, key: ProcessKey) -> Option<&Track> {
        let place = self.tracks.binary_search_by(|track| track.process.key.pid.cmp(&key.pid)).ok()?;
        Some(&self.tracks[place]).filter(|track| track.process.key == key)
    }

    /// A subject's history in bytes or things; `None` for who is not known, dead or alive.
    pub fn points(
        &self,
        subject: &Subject,
        quantity: Quantity,
        until: BootMs,
        span: Duration,
        count: usize,
    ) -> Option<Vec<f32>> {
        let series = self.series(subject, quantity)?;
        let unit = if quantity.is_bytes() { 1024.0 } else { 1.0 };
        let mut points = series.points(self.observed.watched(until), span, count);
        for point in &mut points {
            *point *= unit;
        }
        Some(points)
    }

    /// What was kept of a subject's quantity; `None` for who is not known, dead or alive.
    fn series(&self, subject: &Subject, quantity: Quantity) -> Option<&Series> {
        match subject {
            Subject::Process(key) => match self.track(*key) {
                Some(track) => Some(&track.watch(quantity)?.series),
                None if quantity == Quantity::Private => {
                    Some(&self.ended.iter().rfind(|ended| ended.process.key == *key)?.private)
                }
                None => None,
            },
            Subject::Group(key) => self.groups.get(key)?.series().or_else(|| {
                // A service that never had two processes at once is the one it has now.
                let is_of_it = |track: &&Track| track.group.is_some_and(|group| self.groups.at(group).key == *key);
                let members = self.tracks.iter().filter(is_of_it);
                members.max_by_key(|track| track.private.series.last()).map(|track| &track.private.series)
            }),
            Subject::Machine => Some(&self.machine.watch(quantity)?.series),
        }
    }

    /// What the judgement of a finding rests on, up to the moment at which it was found.
    pub fn evidence(&self, finding: &Finding, wish: &EvidenceWish, at: BootMs) -> Option<Evidence> {
        let series = self.series(&wish.subject, wish.quantity)?;
        let unit = if wish.quantity.is_bytes() { 1024.0 } else { 1.0 };
        let now = self.observed.watched(at);
        let past = Past::of(series, now, wish.span, wish.points, unit);
        let watched = now.since(self.observed.watched(finding.judgement.since));
        let since = Duration::from_millis(watched).min(past.span);
        Some(Evidence {
            subject: wish.subject.clone(),
            quantity: wish.quantity,
            began: self.observed.since_boot(BootMs(now.0.saturating_sub(past.span.as_millis() as u64))),
            fitted: past.fitted(finding.judgement.rate, since),
            span: past.span,
            points: past.points,
            floor: past.floor,
            judgement: finding.judgement,
            since,
        })
    }

    /// The machine's used memory (MemTotal - MemAvailable) in bytes.
    pub fn machine_points(&self, until: BootMs, span: Duration, count: usize) -> Vec<f32> {
        let Some(used) = self.machine.used() else { return vec![f32::NAN; count] };
        let points = used.points(self.observed.watched(until), span, count);
        points.into_iter().map(|kib| kib * 1024.0).collect()
    }

    /// All of RAM by layer, and swap, in bytes.
    pub fn layer_points(&self, until: BootMs, span: Duration, count: usize) -> LayerPoints {
        self.machine.layers().points(self.observed.watched(until), span, count)
    }

    /// Processes that ended, the latest last.
    pub fn ended(&self) -> &[EndedTrack] {
        &self.ended
    }
}

fn circumstances(sample: &Sample, now: BootMs, squeeze: u32) -> Circumstances<'_> {
    Circumstances {
        system: &sample.system,
        now,
        at: sample.at,
        clock_ticks: sample.host.clock_ticks,
        swap_in_use: sample.system.meminfo.swap_used().value() != Some(0),
        squeeze,
    }
}
