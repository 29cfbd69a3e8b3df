//! Processes that make one service: a leak spread over many workers, or restarted with its process, shows in their
//! sum.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::judge::{Case, Scratch};
use super::series::{JUDGED_TIERS, OTHER_TIERS, Series};
use super::track::{Circumstances, least_kib, left_of};
use super::watch::Watch;
use crate::model::judgement::{Judgement, Verdict};
use crate::model::process::Identity;
use crate::model::reading::BootMs;
use crate::model::text::Text;

/// All groups.
#[derive(Clone, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    by_key: HashMap<Text, u16>,
}

/// One service.
#[derive(Clone)]
pub(super) struct Group {
    /// The control group's path, or name and owner of its processes.
    pub(super) key: Text,
    /// For people, escaped.
    pub(super) name: String,
    kib: u64,
    pub(super) members: u32,
    /// Private memory of all members, KiB, once there have been two.
    sum: Option<Watch>,
    count: Series,
    /// Members that ended while they grew.
    relapses: Vec<Relapse>,
}

/// A process that ended while it grew.
#[derive(Clone, Copy)]
struct Relapse {
    at: BootMs,
    /// What it ran: a compiler that has done its work is not restarted by the next one.
    program: Program,
    gained_kib: u32,
}

/// A name and a command line, as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Program(u64);

impl Program {
    /// What a process runs.
    pub(super) fn of(identity: &Identity) -> Self {
        let mut hasher = DefaultHasher::new();
        (&identity.comm, &identity.command).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Groups that are known at most.
const MOST: usize = 1024;

/// A process whose end leaves no more than this many members was the service itself: beside it a supervisor, a helper.
const MOST_LEFT: u32 = 2;

/// Relapses that are remembered, and for how long.
const MOST_RELAPSES: usize = 16;
const RELAPSE_MS: u64 = 6 * 3_600_000;

impl Groups {
    /// The group of a process of this identity; `None` while the identity has not been read, or where there are too
    /// many groups.
    pub(super) fn place(&mut self, identity: &Identity, now: BootMs) -> Option<u16> {
        let (key, name) = name_of(identity)?;
        if let Some(place) = self.by_key.get(&key) {
            return Some(*place);
        }
        let place = if self.groups.len() < MOST {
            self.groups.len()
        } else {
            // Who has no members any more makes room.
            let place = self.groups.iter().position(|group| group.members == 0)?;
            self.by_key.remove(&self.groups[place].key);
            place
        };
        let group = Group {
            key: key.clone(),
            name,
            kib: 0,
            members: 0,
            sum: None,
            count: Series::new(0, now),
            relapses: Vec::new(),
        };
        if place < self.groups.len() {
            self.groups[place] = group;
        } else {
            self.groups.push(group);
        }
        let place = u16::try_from(place).ok()?;
        self.by_key.insert(key, place);
        Some(place)
    }

    /// A member came with so much private memory.
    pub(super) fn join(&mut self, place: u16, kib: u32) {
        let group = &mut self.groups[usize::from(place)];
        group.members += 1;
        group.kib += u64::from(kib);
    }

    /// A member's private memory changed.
    pub(super) fn change(&mut self, place: u16, by: i64) {
        let group = &mut self.groups[usize::from(place)];
        group.kib = group.kib.saturating_add_signed(by);
    }

    /// A member left for another group.
    pub(super) fn leave(&mut self, place: u16, kib: u32) {
        let group = &mut self.groups[usize::from(place)];
        group.members = group.members.saturating_sub(1);
        group.kib = group.kib.saturating_sub(u64::from(kib));
    }

    /// A member ended, with what was said of it last.
    pub(super) fn end(&mut self, place: u16, kib: u32, identity: &Identity, said: &Judgement, at: BootMs) {
        self.leave(place, kib);
        let group = &mut self.groups[usize::from(place)];
        // In a pool the others go on, and what each gains is given back in turn.
        if matches!(said.verdict, Verdict::Growing | Verdict::Leaking) && group.members <= MOST_LEFT {
            if group.relapses.len() >= MOST_RELAPSES {
                group.relapses.remove(0);
            }
            group.relapses.push(Relapse { at, program: Program::of(identity), gained_kib: said.gain() as u32 });
        }
    }

    /// Takes the sums of a sample in and judges what moves.
    pub(super) fn push(&mut self, about: &Circumstances<'_>, scratch: &mut Scratch) {
        let total = about.system.meminfo.mem_total.value().unwrap_or(u64::MAX);
        let available = about.system.meminfo.mem_available.value().unwrap_or(u64::MAX);
        for group in &mut self.groups {
            let kib = u32::try_from(group.kib).unwrap_or(u32::MAX);
            group.count.push(group.members, about.now, OTHER_TIERS, 0);
            if group.sum.is_none() && group.members >= 2 {
                group.sum = Some(Watch::new(kib, about.now));
            }
            let Some(sum) = &mut group.sum else { continue };
            sum.push(kib, about.now, JUDGED_TIERS, about.squeeze);
            let bound = about.system.bound_groups.binary_search_by(|bound| bound.memory.cmp(&group.key));
            let bound = bound.ok().map(|place| &about.system.bound_groups[place].limit);
            let case = || {
                Case::of_sum(
                    least_kib(bound.map_or(total, |bound| bound.limit.min(total))),
                    super::track::kib(bound.map_or(available, |bound| available.min(left_of(bound)))) as f32,
                )
            };
            sum.judge(about.now, case, scratch);
        }
    }

    /// All groups that have a sum.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.sum.is_some() || !group.relapses.is_empty())
    }

    /// The group of this key.
    pub(super) fn get(&self, key: &Text) -> Option<&Group> {
        self.groups.get(usize::from(*self.by_key.get(key)?))
    }

    pub(super) fn at(&self, place: u16) -> &Group {
        &self.groups[usize::from(place)]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let each = |group: &Group| {
            size_of::<Group>() + group.count.heap_bytes() + group.sum.as_ref().map_or(0, Watch::heap_bytes)
        };
        self.groups.iter().map(each).sum()
    }
}

impl Group {
    /// The series of the sum, KiB.
    pub(super) fn series(&self) -> Option<&Series> {
        self.sum.as_ref().map(|sum| &sum.series)
    }

    /// What is said of the sum. Where it grows because there are more members it is no leak.
    pub(super) fn judgement(&self, now: BootMs) -> Option<Judgement> {
        let mut judgement = self.sum.as_ref()?.judgement(now);
        if judgement.verdict == Verdict::Leaking {
            let before = self.count.at(judgement.since).unwrap_or(self.members);
            let more = f64::from(self.members) / f64::from(before.max(1)) - 1.0;
            let larger = judgement.level / judgement.from.max(1.0) - 1.0;
            if more > 0.5 * larger {
                judgement.verdict = Verdict::Growing;
                judgement.confidence = judgement.confidence.min(0.5);
            }
        }
        Some(judgement)
    }

    /// How many members that ran this ended while they grew in the last hours, and what they had gained together, KiB.
    pub(super) fn relapses(&self, program: Program, now: BootMs) -> (usize, u64) {
        let recent = self.relapses.iter().filter(|it| it.program == program && now.since(it.at) < RELAPSE_MS);
        (recent.clone().count(), recent.map(|it| u64::from(it.gained_kib)).sum())
    }

    /// The same of the program that did so last.
    pub(super) fn last_relapses(&self, now: BootMs) -> (usize, u64) {
        self.relapses.last().map_or((0, 0), |last| self.relapses(last.program, now))
    }
}

/// A service is the control group that something manages; in a login session or the root group, where anything may
/// be, it is what has the same name and owner.
pub(super) fn name_of(identity: &Identity) -> Option<(Text, String)> {
    let membership = &identity.cgroup;
    if membership.memory.is_empty() || identity.is_kernel_thread {
        return None;
    }
    let path = membership.memory.as_bytes();
    let is_anybodys = path == b"/"
        || path.ends_with(b".slice")
        || path.windows(8).any(|part| part == b"session-")
        || path.ends_with(b"/init.scope");
    if is_anybodys {
        let name = identity.comm.escaped().into_owned();
        let key = [identity.comm.as_bytes(), b"\0", &identity.uid.to_ne_bytes()].concat();
        return Some((Text::new(key), name));
    }
    let name = membership.container().or_else(|| membership.unit().map(std::borrow::Cow::into_owned));
    Some((membership.memory.clone(), name.unwrap_or_else(|| membership.memory.escaped().into_owned())))
}
