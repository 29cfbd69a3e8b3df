//! One process over time: what it holds, and how that is judged.

use std::sync::Arc;

use super::judge::{Case, Scratch, judge};
use super::runtime::{LimitForJudge, Room, limit_for_judge};
use super::series::{FD_TIERS, MEMORY_TIERS, OTHER_TIERS, TierSpec};
use super::watch::Watch;
use crate::model::judgement::{Judgement, Quantity};
use crate::model::process::{ProcessSample, Resident};
use crate::model::reading::{BootMs, Reading};
use crate::model::system::SystemSample;

/// A process over time. Memory is counted in KiB.
#[derive(Clone)]
pub(super) struct Track {
    /// As it was last seen.
    pub(super) process: Arc<ProcessSample>,
    /// Anonymous memory and swap.
    pub(super) private: Watch,
    /// [`Track::OTHERS`], in their order; `None` where nothing could be read yet.
    others: [Option<Watch>; 5],
    /// The group that its memory is added to.
    pub(super) group: Option<u16>,
    /// What it adds: pages that a fork shares with others of the group only in part, KiB.
    pub(super) share: u32,
    /// When its present program began, as far as it was seen.
    not_before: BootMs,
}

/// What is true of the machine while its processes are judged.
pub(super) struct Circumstances<'a> {
    pub(super) system: &'a SystemSample,
    /// The moment, in observed time.
    pub(super) now: BootMs,
    /// The moment since boot.
    pub(super) at: BootMs,
    pub(super) clock_ticks: u64,
    /// Whether anything is swapped out.
    pub(super) swap_in_use: bool,
    pub(super) squeeze: u32,
}

impl Track {
    /// What is watched beside private memory.
    pub(super) const OTHERS: [Quantity; 5] =
        [Quantity::Fds, Quantity::Threads, Quantity::Shmem, Quantity::PageTables, Quantity::Pss];

    pub(super) fn new(process: &Arc<ProcessSample>, about: &Circumstances<'_>) -> Self {
        let mut track = Self {
            process: Arc::clone(process),
            private: Watch::new(private_kib(process, about.swap_in_use), about.now),
            others: [None, None, None, None, None],
            group: None,
            share: 0,
            not_before: BootMs(0),
        };
        track.push_others(process, about);
        track.share = track.share();
        track
    }

    fn share(&self) -> u32 {
        let private = self.private.series.last();
        let rollup = self.process.rollup.reading.value();
        let anon = rollup.and_then(|rollup| Some(kib(rollup.pss_parts?[0] + rollup.swap_pss)));
        anon.map_or(private, |anon| anon.min(private))
    }

    /// Takes in the process of the next sample; says by how many KiB its share of the group's changed.
    pub(super) fn push(&mut self, process: &Arc<ProcessSample>, about: &Circumstances<'_>) -> i64 {
        if Arc::ptr_eq(&self.process, process) {
            return 0;
        }
        let text = |process: &ProcessSample| process.resident.value().map(|resident| resident.text);
        if text(&self.process).is_some_and(|old| text(process).is_some_and(|new| new != old)) {
            // Another program: what the old one held says nothing of it.
            self.not_before = about.now;
        }
        self.private.push(private_kib(process, about.swap_in_use), about.now, MEMORY_TIERS, about.squeeze);
        self.push_others(process, about);
        self.process = Arc::clone(process);
        let new = self.share();
        let old = std::mem::replace(&mut self.share, new);
        i64::from(self.share) - i64::from(old)
    }

    fn push_others(&mut self, process: &ProcessSample, about: &Circumstances<'_>) {
        for (quantity, watch) in Self::OTHERS.into_iter().zip(&mut self.others) {
            let Some(value) = value_of(process, quantity) else { continue };
            watch.get_or_insert_with(|| Watch::new(value, about.now)).push(
                value,
                about.now,
                tiers_of(quantity),
                about.squeeze,
            );
        }
    }

    /// Judges what moves, if it is time.
    pub(super) fn judge(&mut self, about: &Circumstances<'_>, scratch: &mut Scratch) {
        let (process, not_before) = (&self.process, self.not_before);
        let private = self.private.series.last();
        self.private.judge(about.now, || case(process, Quantity::Private, private, not_before, about), scratch);
        for (quantity, watch) in Self::OTHERS.into_iter().zip(&mut self.others) {
            if let Some(watch) = watch
                && quantity != Quantity::Pss
            {
                let value = watch.series.last();
                watch.judge(about.now, || case(process, quantity, value, not_before, about), scratch);
            }
        }
    }

    /// What a look at its private memory says at this moment, whatever was said before.
    pub(super) fn look(&self, about: &Circumstances<'_>, scratch: &mut Scratch) -> Judgement {
        let series = &self.private.series;
        let case = case(&self.process, Quantity::Private, series.last(), self.not_before, about);
        judge(series, about.now, &case, scratch)
    }

    /// The watch of a quantity.
    pub(super) fn watch(&self, quantity: Quantity) -> Option<&Watch> {
        if quantity == Quantity::Private {
            return Some(&self.private);
        }
        let place = Self::OTHERS.iter().position(|other| *other == quantity)?;
        self.others[place].as_ref()
    }

    pub(super) fn shrink(&mut self, squeeze: u32) {
        self.private.series.shrink(squeeze);
        self.others.iter_mut().flatten().for_each(|watch| watch.series.shrink(squeeze));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.private.heap_bytes() + self.others.iter().flatten().map(Watch::heap_bytes).sum::<usize>()
    }
}

fn tiers_of(quantity: Quantity) -> &'static [TierSpec] {
    if quantity == Quantity::Fds { FD_TIERS } else { OTHER_TIERS }
}

/// A value in KiB or in things; `None` where it is not known.
fn value_of(process: &ProcessSample, quantity: Quantity) -> Option<u32> {
    let status = |part: fn(&crate::model::process::Status) -> Reading<u64>| {
        process.status.reading.value().and_then(|status| part(&status).value()).map(kib)
    };
    match quantity {
        Quantity::Fds => process.fds.reading.value(),
        Quantity::Threads => process.stat.reading.value().map(|stat| stat.threads),
        Quantity::Shmem => status(|status| status.rss_shmem),
        Quantity::PageTables => status(|status| Reading::Value(status.page_tables)),
        Quantity::Pss => process.rollup.reading.value().map(|rollup| kib(rollup.pss)),
        _ => None,
    }
}

pub(super) fn private_kib(process: &ProcessSample, swap_in_use: bool) -> u32 {
    let anon = process.resident.value().map_or(0, Resident::anon);
    let swap = if swap_in_use { process.status.reading.value().map_or(0, |status| status.swap) } else { 0 };
    kib(anon + swap)
}

pub(super) fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// The smallest change of memory that matters where there are `total` bytes of it, in KiB.
pub(super) fn least_kib(total: u64) -> f32 {
    kib((total / 512).clamp(2 << 20, 16 << 20)) as f32
}

/// Descriptors or threads that matter.
const LEAST_COUNT: f32 = 8.0;

fn case(
    process: &ProcessSample,
    quantity: Quantity,
    value: u32,
    not_before: BootMs,
    about: &Circumstances<'_>,
) -> Case {
    let started_ms = process.key.start_time.saturating_mul(1000) / about.clock_ticks.max(1);
    let age_ms = about.at.0.saturating_sub(started_ms);
    let bound = about.system.bound_group(&process.identity.cgroup).map(|bound| &bound.limit);
    let mem_total = about.system.meminfo.mem_total.value().unwrap_or(u64::MAX);
    let total = bound.map_or(mem_total, |bound| bound.limit.min(mem_total));
    let available = about.system.meminfo.mem_available.value().unwrap_or(u64::MAX);
    let left = bound.map_or(available, |bound| available.min(left_of(bound)));
    let is_count = !quantity.is_bytes();
    let (mut left, mut is_given, mut is_store) = (kib(left) as f32, false, false);
    if is_count {
        let limit = if quantity == Quantity::Fds { process.fd_limit.reading.value() } else { None };
        left = limit.map_or(f32::INFINITY, |limit| limit.saturating_sub(u64::from(value)) as f32);
    } else if quantity == Quantity::Private {
        match limit_for_judge(&process.identity, Room::of(&process.identity, bound, mem_total)) {
            // Beside what it was given it has its own code, stacks and tables.
            // Unless it meets a tighter limit first.
            Some(LimitForJudge::Given(given)) => {
                let most = given + given / 4 + (64 << 20);
                is_given = u64::from(value) * 1024 < most && given < total;
            }
            Some(LimitForJudge::Unseen) => is_store = true,
            Some(LimitForJudge::Fatal(limit)) => left = left.min(kib(limit).saturating_sub(value) as f32),
            None => {}
        }
    }
    let least = if is_count { LEAST_COUNT } else { least_kib(total) };
    Case { least, left, age_ms, not_before, is_count, is_given, is_kernel: false, is_store }
}

/// Bytes that processes can still have under a group's limit: clean cache makes room.
pub(super) fn left_of(limit: &crate::model::cgroup::CgroupLimit) -> u64 {
    limit.limit.saturating_sub(limit.usage.saturating_sub(limit.inactive_file))
}
