//! The history of every process, by [`ProcessKey`], and of the machine: bounded for each and in total. What ended is
//! remembered for a while.

use std::sync::Arc;
use std::time::Duration;

use super::series::{COUNT_TIERS, MACHINE_TIERS, MEMORY_TIERS, Series};
use super::trend::theil_sen;
use crate::model::key::ProcessKey;
use crate::model::process::{ProcessSample, Resident};
use crate::model::reading::BootMs;
use crate::model::sample::Sample;

/// Everything that is remembered.
#[derive(Default)]
pub struct History {
    /// By pid, as in the samples.
    tracks: Vec<Track>,
    machine: Option<Series>,
    ended: Vec<EndedTrack>,
    /// How often the number of runs kept has been halved.
    squeeze: u32,
    samples: u64,
}

/// A process over time.
struct Track {
    process: Arc<ProcessSample>,
    /// Private memory and swap, KiB.
    private: Series,
    /// Open file descriptors.
    fds: Option<Series>,
    /// Bytes per minute; NaN while there is not enough to tell.
    growth: f32,
}

/// A process that is no more.
pub struct EndedTrack {
    /// As it was last seen.
    pub process: Arc<ProcessSample>,
    /// The first sample without it.
    pub at: BootMs,
    /// The same by the wall clock, milliseconds since the epoch.
    pub wall_ms: i64,
    /// Its private memory and swap while it was watched, KiB.
    pub private: Series,
}

/// A quantity of a process that has a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Private memory and swap, in bytes.
    Private,
    /// Open file descriptors.
    Fds,
}

/// Memory that all tracks together may take.
const TOTAL_BYTES: usize = 8 << 20;

/// How often the total is looked at, in samples.
const SAMPLES_BETWEEN_COUNTS: u64 = 60;

/// Ended processes that are remembered, and for how long.
const MOST_ENDED: usize = 256;
const ENDED_MS: u64 = 6 * 3_600_000;

/// Growth is the slope over at most this long, on so many points.
const GROWTH_SPAN_MS: u64 = 600_000;
const GROWTH_POINTS: usize = 40;

/// Below this there is not enough to tell a slope.
const GROWTH_LEAST_MS: u64 = 20_000;

/// Slopes are taken again this often, a tenth of the processes at a time.
const GROWTH_TURNS: u64 = 10;

impl History {
    /// Takes in a sample. Samples must come in their order of time.
    pub fn push(&mut self, sample: &Sample) {
        let swap_in_use = sample.system.meminfo.swap_used().value() != Some(0);
        let mut old = std::mem::take(&mut self.tracks).into_iter().peekable();
        let mut tracks = Vec::with_capacity(sample.processes.len());
        for process in &sample.processes {
            while let Some(gone) = old.next_if(|track| track.process.key.pid < process.key.pid) {
                self.remember(gone, sample);
            }
            match old.next_if(|track| track.process.key.pid == process.key.pid) {
                Some(mut track) if track.process.key == process.key => {
                    track.push(process, sample.at, swap_in_use, self.squeeze);
                    tracks.push(track);
                }
                other => {
                    if let Some(gone) = other {
                        self.remember(gone, sample);
                    }
                    tracks.push(Track::new(process, sample.at, swap_in_use));
                }
            }
        }
        for gone in old {
            self.remember(gone, sample);
        }
        self.tracks = tracks;
        self.push_machine(sample);
        self.samples += 1;
        self.judge_growth(sample.at);
        if self.samples.is_multiple_of(SAMPLES_BETWEEN_COUNTS) {
            self.keep_bounds(sample.at);
        }
    }

    fn push_machine(&mut self, sample: &Sample) {
        let Some(used) = sample.system.meminfo.used().value() else { return };
        let used = kib(used);
        self.machine.get_or_insert_with(|| Series::new(used, sample.at)).push(used, sample.at, MACHINE_TIERS, 0);
    }

    fn judge_growth(&mut self, now: BootMs) {
        let turn = self.samples % GROWTH_TURNS;
        for track in &mut self.tracks {
            let is_due = u64::from(track.process.key.pid) % GROWTH_TURNS == turn;
            if is_due || (track.growth.is_nan() && now.since(track.private.since()) >= GROWTH_LEAST_MS) {
                track.growth = growth(&track.private, now);
            }
        }
    }

    fn remember(&mut self, track: Track, sample: &Sample) {
        self.ended.push(EndedTrack {
            process: track.process,
            at: sample.at,
            wall_ms: sample.wall_ms,
            private: track.private,
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
            for track in &mut self.tracks {
                track.private.shrink(squeeze);
                track.fds.iter_mut().for_each(|fds| fds.shrink(squeeze));
            }
        }
    }

    /// Bytes held by all series.
    pub fn heap_bytes(&self) -> usize {
        let tracks = self.tracks.iter().map(|track| {
            size_of::<Track>() + track.private.heap_bytes() + track.fds.as_ref().map_or(0, Series::heap_bytes)
        });
        let ended = self.ended.iter().map(|ended| size_of::<EndedTrack>() + ended.private.heap_bytes());
        tracks.sum::<usize>() + ended.sum::<usize>()
    }

    /// Growth in bytes per minute of every process of the sample pushed last, in its order; NaN where unknown.
    pub fn growth(&self) -> impl Iterator<Item = f32> {
        self.tracks.iter().map(|track| track.growth)
    }

    /// A process's history; `None` for a process that is not known, dead or alive.
    pub fn points(
        &self,
        key: ProcessKey,
        quantity: Quantity,
        until: BootMs,
        span: Duration,
        count: usize,
    ) -> Option<Vec<f32>> {
        let alive = self.tracks.binary_search_by_key(&key.pid, |track| track.process.key.pid);
        let alive = alive.ok().map(|place| &self.tracks[place]).filter(|track| track.process.key == key);
        let series = match (alive, quantity) {
            (Some(track), Quantity::Private) => &track.private,
            (Some(track), Quantity::Fds) => track.fds.as_ref()?,
            (None, Quantity::Private) => &self.ended.iter().rfind(|ended| ended.process.key == key)?.private,
            (None, Quantity::Fds) => return None,
        };
        let mut points = series.points(until, span, count);
        if quantity == Quantity::Private {
            for point in &mut points {
                *point *= 1024.0;
            }
        }
        Some(points)
    }

    /// The machine's used memory (MemTotal - MemAvailable) in bytes.
    pub fn machine_points(&self, until: BootMs, span: Duration, count: usize) -> Vec<f32> {
        let Some(machine) = &self.machine else { return vec![f32::NAN; count] };
        machine.points(until, span, count).into_iter().map(|kib| kib * 1024.0).collect()
    }

    /// Processes that ended, the latest last.
    pub fn ended(&self) -> &[EndedTrack] {
        &self.ended
    }
}

impl Track {
    fn new(process: &Arc<ProcessSample>, at: BootMs, swap_in_use: bool) -> Self {
        Self {
            process: Arc::clone(process),
            private: Series::new(private_kib(process, swap_in_use), at),
            fds: process.fds.reading.value().map(|fds| Series::new(fds, at)),
            growth: f32::NAN,
        }
    }

    fn push(&mut self, process: &Arc<ProcessSample>, at: BootMs, swap_in_use: bool, squeeze: u32) {
        if Arc::ptr_eq(&self.process, process) {
            return;
        }
        self.private.push(private_kib(process, swap_in_use), at, MEMORY_TIERS, squeeze);
        if let Some(fds) = process.fds.reading.value() {
            self.fds.get_or_insert_with(|| Series::new(fds, at)).push(fds, at, COUNT_TIERS, squeeze);
        }
        self.process = Arc::clone(process);
    }
}

fn private_kib(process: &ProcessSample, swap_in_use: bool) -> u32 {
    let anon = process.resident.value().map_or(0, Resident::anon);
    let swap = if swap_in_use { process.status.reading.value().map_or(0, |status| status.swap) } else { 0 };
    kib(anon + swap)
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// Median slope of the lower envelope, bytes per minute.
fn growth(private: &Series, now: BootMs) -> f32 {
    let watched = now.since(private.since()).min(GROWTH_SPAN_MS);
    if watched < GROWTH_LEAST_MS {
        return f32::NAN;
    }
    if !private.has_moved() {
        return 0.0;
    }
    let step = watched as f32 / (GROWTH_POINTS - 1) as f32;
    let points: Vec<(f32, f32)> = (0..GROWTH_POINTS)
        .filter_map(|back| {
            let age = back as f32 * step;
            let value = private.low_at(BootMs(now.0.saturating_sub(age as u64)))?;
            Some((-age / 60_000.0, value as f32))
        })
        .collect();
    theil_sen(&points).map_or(f32::NAN, |kib_per_minute| kib_per_minute * 1024.0)
}
