//! What is worth knowing, ranked: who grows, and which limit is met when.

use std::collections::HashMap;

use super::bounds::Bounds;
use super::groups::{Groups, Program};
use super::machine::Machine;
use super::observed::Observed;
use super::runtime::{LimitForJudge, Room, limit_for_judge};
use super::track::{Circumstances, Track, left_of};
use super::watch::Watch;
use crate::model::judgement::{Finding, Judgement, Limit, Meeting, Quantity, Subject, Verdict};
use crate::model::process::Identity;
use crate::model::text::Text;

/// A group's own finding is worth a line where its members' explain no more than this share of it.
const EXPLAINED: f64 = 0.6;

/// So many members that ended while they grew make their service a leak that restarts hide.
const RELAPSES: usize = 2;

/// The scene that findings are drawn from.
pub(super) struct Scene<'a> {
    pub(super) tracks: &'a [Track],
    pub(super) groups: &'a Groups,
    pub(super) bounds: &'a Bounds,
    pub(super) machine: &'a Machine,
    pub(super) observed: &'a Observed,
    pub(super) about: &'a Circumstances<'a>,
    /// What [`lasting`] says.
    pub(super) lasting: [f64; 3],
}

/// How fast all that leaks fills the machine, bytes per minute with the interval. What is used may rise faster for a while:
/// a compiler takes gigabytes within minutes, and gives them back.
pub(super) fn lasting(tracks: &[Track], machine: &Machine, about: &Circumstances<'_>) -> [f64; 3] {
    let of_processes = tracks.iter().filter_map(|track| track.private.rising()).copied();
    let of_kernel = machine.judgements(about.now).map(|(_, judgement)| judgement);
    let leaks = of_processes.chain(of_kernel).filter(|judgement| judgement.verdict == Verdict::Leaking);
    leaks.fold([0.0; 3], |sum, leak| {
        let rate = of_rate(&leak);
        std::array::from_fn(|end| sum[end] + rate[end].max(0.0) * 1024.0)
    })
}

/// All that rises, the most urgent first: leaks by what they meet first, then growth, then what warms up.
pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for track in scene.tracks {
        scene.find_in_process(track, &mut found);
    }
    scene.find_in_groups(&mut found);
    scene.find_in_machine(&mut found);
    let urgency = |finding: &Finding| finding.first_meeting().map_or(f64::INFINITY, |meeting| meeting.in_ms);
    found.sort_by(|a, b| {
        (b.judgement.verdict.cmp(&a.judgement.verdict))
            .then(urgency(a).total_cmp(&urgency(b)))
            .then(b.judgement.rate.total_cmp(&a.judgement.rate))
            .then_with(|| a.subject.cmp(&b.subject))
    });
    found
}

fn of_rate(judgement: &Judgement) -> [f64; 3] {
    [judgement.rate_low, judgement.rate, judgement.rate_high]
}

impl Scene<'_> {
    /// A judgement in bytes (or things) and in time since boot.
    fn shown(&self, quantity: Quantity, judgement: &Judgement) -> Judgement {
        shown(quantity, judgement, self.observed)
    }

    fn find_in_process(&self, track: &Track, found: &mut Vec<Finding>) {
        let is_rising = |quantity| track.watch(quantity).and_then(Watch::rising).is_some();
        for quantity in [Quantity::Private, Quantity::Fds, Quantity::Threads, Quantity::Shmem, Quantity::PageTables] {
            let Some(judgement) = track.watch(quantity).and_then(Watch::rising) else { continue };
            // Touching what is shared already takes nothing; page tables follow what they map.
            let is_real = match quantity {
                Quantity::Shmem => self
                    .machine
                    .watch(Quantity::Shmem)
                    .and_then(Watch::rising)
                    .is_some_and(|all| all.verdict == Verdict::Leaking && judgement.rate > 0.5 * all.rate),
                Quantity::PageTables => !is_rising(Quantity::Private) && !is_rising(Quantity::Shmem),
                _ => true,
            };
            if !is_real {
                continue;
            }
            let judgement = self.shown(quantity, judgement);
            let process = &track.process;
            found.push(Finding {
                subject: Subject::Process(process.key),
                quantity,
                name: format!("{}[{}]", process.identity.comm.escaped(), process.key.pid),
                meetings: self.meetings(quantity, &judgement, Some((track, &process.identity))),
                judgement,
            });
        }
    }

    fn find_in_groups(&self, found: &mut Vec<Finding>) {
        let mut explained: HashMap<&Text, f64> = HashMap::new();
        let mut representative: HashMap<&Text, &Track> = HashMap::new();
        for track in self.tracks {
            let Some(key) = track.group.map(|group| &self.groups.at(group).key) else { continue };
            representative.entry(key).or_insert(track);
            if let Some(judgement) = track.private.rising() {
                *explained.entry(key).or_default() += judgement.rate.max(0.0);
                let best = representative.entry(key).or_insert(track);
                if best.private.rising().is_none_or(|old| old.rate < judgement.rate) {
                    *best = track;
                }
            }
        }
        for group in self.groups.iter().filter(|group| group.members > 0) {
            let members = explained.get(&group.key).copied().unwrap_or(0.0);
            let grower = representative.get(&group.key).filter(|track| track.private.rising().is_some());
            let (relapses, lost_kib) =
                grower.map_or((0, 0), |track| group.relapses(Program::of(&track.process.identity), self.about.now));
            let of_sum = group.judgement(self.about.now).filter(|judgement| judgement.verdict.is_rising());
            let judgement = if relapses >= RELAPSES
                && let Some(track) = grower
            {
                // Each of its processes grew until it ended, and so does the present one.
                let Some(judgement) = track.private.rising() else { continue };
                let confidence = 1.0 - 0.5f32.powi(i32::try_from(relapses).unwrap_or(i32::MAX).saturating_add(1));
                Judgement { verdict: Verdict::Leaking, confidence, needs_ms: 0, ..*judgement }
            } else if let Some(judgement) = of_sum
                && members < EXPLAINED * judgement.rate
            {
                judgement
            } else {
                continue;
            };
            let judgement = self.shown(Quantity::Private, &judgement);
            let member = representative.get(&group.key);
            let about = member.map(|track| (*track, &*track.process.identity));
            let mut name =
                if group.members == 1 { group.name.clone() } else { format!("{} ({})", group.name, group.members) };
            if relapses >= RELAPSES {
                use std::fmt::Write as _;
                // Writing to a String does not fail.
                let _ = write!(name, ", ended {relapses} times with +{}", crate::units::Bytes(lost_kib * 1024));
            }
            found.push(Finding {
                subject: Subject::Group(group.key.clone()),
                quantity: Quantity::Private,
                name,
                meetings: self.meetings(Quantity::Private, &judgement, about),
                judgement,
            });
        }
    }

    fn find_in_machine(&self, found: &mut Vec<Finding>) {
        let follows = |quantity: Quantity| match quantity {
            // They follow what processes do, which has its own line.
            Quantity::PageTables => found.iter().any(|finding| finding.quantity == Quantity::Private),
            Quantity::KernelStack => found.iter().any(|finding| finding.quantity == Quantity::Threads),
            _ => false,
        };
        let rising: Vec<_> = self
            .machine
            .judgements(self.about.now)
            .filter(|(quantity, judgement)| judgement.verdict.is_rising() && !follows(*quantity))
            .collect();
        for (quantity, judgement) in rising {
            let judgement = self.shown(quantity, &judgement);
            found.push(Finding {
                subject: Subject::Machine,
                quantity,
                name: key!("machine").into(),
                meetings: self.meetings(quantity, &judgement, None),
                judgement,
            });
        }
    }

    /// The limits in the way of a growth, the first to be met first.
    fn meetings(&self, quantity: Quantity, judgement: &Judgement, member: Option<(&Track, &Identity)>) -> Vec<Meeting> {
        let own = of_rate(judgement);
        let mut meetings = Vec::new();
        let mut meet = |limit, size: f64, left: f64, rate: [f64; 3], is_end| {
            if rate[1] > 0.0 {
                let until = |rate: f64| if rate > 0.0 { left.max(0.0) / rate * 60_000.0 } else { f64::INFINITY };
                meetings.push(Meeting {
                    limit,
                    size,
                    left,
                    in_ms: until(rate[1]),
                    earliest_ms: until(rate[2]),
                    latest_ms: until(rate[0]),
                    is_end,
                });
            }
        };
        if quantity == Quantity::Fds {
            if let Some(limit) = member.and_then(|(track, _)| track.process.fd_limit.reading.value()) {
                meet(Limit::Files, limit as f64, limit as f64 - judgement.level, own, true);
            }
        } else if quantity.is_bytes() {
            let meminfo = &self.about.system.meminfo;
            // What is filled by several at once is full sooner.
            let faster = |all: Option<&Judgement>| {
                let all = all.map(|all| of_rate(all).map(|rate| rate * 1024.0));
                all.map_or(own, |all| std::array::from_fn(|end| own[end].max(all[end])))
            };
            let bound = member.and_then(|(_, identity)| self.about.system.bound_group(&identity.cgroup));
            if let Some(limit) = bound.map(|bound| &bound.limit) {
                let rate = faster(self.bounds.filling(&limit.path));
                let free_swap = meminfo.swap_free.value().unwrap_or(0);
                let swap = limit
                    .swap_limit
                    .map_or(free_swap, |most| most.saturating_sub(limit.swap_usage.unwrap_or(0)).min(free_swap));
                let (size, left) = (limit.limit as f64, left_of(limit) as f64);
                meet(Limit::Cgroup, size, left, rate, swap == 0);
                if swap > 0 {
                    meet(Limit::Swap, size + swap as f64, left + swap as f64, rate, true);
                }
            }
            let rate = std::array::from_fn(|end| own[end].max(self.lasting[end]));
            if let (Some(total), Some(available)) = (meminfo.mem_total.value(), meminfo.mem_available.value()) {
                let swap = meminfo.swap_total.value().filter(|swap| *swap > 0).zip(meminfo.swap_free.value());
                meet(Limit::Memory, total as f64, available as f64, rate, swap.is_none());
                if let Some((swap, free)) = swap {
                    meet(Limit::Swap, (total + swap) as f64, (available + free) as f64, rate, true);
                }
                let bound = bound.map(|bound| &bound.limit);
                if quantity == Quantity::Private
                    && let Some((_, identity)) = member
                    && let Some(LimitForJudge::Fatal(size)) =
                        limit_for_judge(identity, Room::of(identity, bound, total))
                    // What has more than its heap may become grows beside it.
                    && judgement.level < size as f64
                {
                    meet(Limit::Heap, size as f64, size as f64 - judgement.level, own, true);
                }
            }
        }
        meetings.sort_by(|a: &Meeting, b| a.in_ms.total_cmp(&b.in_ms));
        meetings
    }
}

/// A judgement of a series in KiB (or things) and watched time, in bytes (or things) and time since boot.
pub(super) fn shown(quantity: Quantity, judgement: &Judgement, observed: &Observed) -> Judgement {
    let unit = if quantity.is_bytes() { 1024.0 } else { 1.0 };
    Judgement {
        rate: judgement.rate * unit,
        rate_low: judgement.rate_low * unit,
        rate_high: judgement.rate_high * unit,
        from: judgement.from * unit,
        level: judgement.level * unit,
        since: observed.since_boot(judgement.since),
        ..*judgement
    }
}
