//! A closer look at the machine's memory than a sample can afford: slab by cache, file systems in RAM, shared memory and
//! who holds it, settings. Made only while somebody wants it, each part no more often than its cost allows.

mod holders;
mod posix;
mod segments;
mod setting;
mod slab;
mod tmpfs;

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use self::holders::{HolderScan, Lap, Sought, open_proc};
use self::posix::{Found, list_files};
use self::segments::read_segments;
use self::setting::{read_settings, read_zones};
use self::slab::SlabReader;
use self::tmpfs::read_tmpfs;
use super::clock::{now, thread_cpu_us};
use super::files::Buffer;
use super::root::ProcRoot;
use crate::model::reading::{BootMs, Reading};
use crate::model::survey::{Attachment, Segment, ShmFile, Survey, SurveyWish, Surveyed};

pub use self::holders::parse_mapping;
pub use self::segments::parse_segments;
pub use self::setting::{parse_setting, parse_zoneinfo};
pub use self::slab::parse_slabinfo;
pub use self::tmpfs::parse_mountinfo;
pub(super) use self::tmpfs::unescape;

/// Makes surveys of one machine, one after another.
pub struct Surveyor {
    root: ProcRoot,
    proc: Option<OwnedFd>,
    buffer: Buffer,
    slab: SlabReader,
    holders: HolderScan,
    /// When the last lap around all processes began, and what it has cost so far, microseconds.
    lap_began: BootMs,
    lap_us: u64,
    files: Reading<Vec<Found>>,
    segments: Reading<Arc<[Segment]>>,
    survey: Survey,
}

/// Nothing is read more often than this, milliseconds.
const LEAST_AGE_MS: u64 = 2_000;

/// Settings change seldom.
const SETTINGS_AGE_MS: u64 = 10_000;

impl Surveyor {
    /// A surveyor that has seen nothing yet.
    pub fn new(root: ProcRoot) -> Self {
        Self {
            proc: open_proc(&root),
            buffer: Buffer::new(),
            slab: SlabReader::default(),
            holders: HolderScan::new(&root),
            lap_began: BootMs(0),
            lap_us: 0,
            files: Reading::Pending,
            segments: Reading::Pending,
            survey: Survey::default(),
            root,
        }
    }

    /// Looks at what is wanted and due. `share` of one core is what each part may take over time; the look at all
    /// processes goes on for `slice_us` microseconds of CPU time.
    pub fn look(&mut self, wish: SurveyWish, share: f64, slice_us: u64) -> &Survey {
        let (at, _) = now(&self.root, &mut self.buffer);
        if wish.slab && is_due(&self.survey.slab, at, LEAST_AGE_MS, share) {
            self.survey.slab = timed(at, || self.slab.read(&self.root, &mut self.buffer));
        }
        if wish.settings && is_due(&self.survey.settings, at, SETTINGS_AGE_MS, share) {
            self.survey.settings = timed(at, || read_settings(&self.root, &mut self.buffer));
        }
        if wish.settings && is_due(&self.survey.zones, at, LEAST_AGE_MS, share) {
            self.survey.zones = timed(at, || read_zones(&self.root, &mut self.buffer));
        }
        if wish.shared {
            self.look_at_shared(at, share);
        }
        if wish.holders {
            self.look_at_holders(at, share, slice_us);
        }
        self.tell_holders();
        &self.survey
    }

    /// Looks at everything, all processes included, at once.
    pub fn look_at_all(&mut self) -> &Survey {
        self.look(SurveyWish::ALL, 1.0, u64::MAX)
    }

    /// Whether a look at all processes has begun and not ended yet.
    pub fn is_under_way(&self, wish: SurveyWish) -> bool {
        wish.holders && self.holders.is_under_way()
    }

    fn look_at_shared(&mut self, at: BootMs, share: f64) {
        if is_due(&self.survey.tmpfs, at, LEAST_AGE_MS, share) {
            self.survey.tmpfs = timed(at, || read_tmpfs(&self.root, &mut self.buffer));
        }
        if is_due(&self.survey.posix, at, LEAST_AGE_MS, share) {
            let listed = timed(at, || list_files(&self.root));
            self.survey.posix = Surveyed { reading: Reading::Pending, at, cost_us: listed.cost_us, left_out: 0 };
            self.files = listed.reading;
        }
        if is_due(&self.survey.segments, at, LEAST_AGE_MS, share) {
            let is_hiding = !self.root.proc.join("1").exists();
            let read = timed(at, || read_segments(&self.root, &mut self.buffer, is_hiding));
            self.survey.segments = Surveyed { reading: Reading::Pending, at, cost_us: read.cost_us, left_out: 0 };
            self.segments = read.reading;
        }
    }

    fn look_at_holders(&mut self, at: BootMs, share: f64, slice_us: u64) {
        let Some(proc) = &self.proc else { return };
        if !self.holders.is_under_way() {
            if at.since(self.lap_began) < age_allowed(LEAST_AGE_MS, self.lap_us, share) && self.lap_began.0 > 0 {
                return;
            }
            (self.lap_began, self.lap_us) = (at, 0);
            let files = self.files.as_ref().value().map_or(&[][..], Vec::as_slice);
            let name = |found: &Found| found.file.path.as_bytes().rsplit(|byte| *byte == b'/').next().map(Into::into);
            let mounts = self.survey.tmpfs.value();
            let sought = Sought {
                files: files.iter().map(|found| found.key).collect(),
                names: files.iter().filter_map(name).collect(),
                devices: mounts.map_or_else(Vec::new, |mounts| mounts.iter().map(|mount| mount.device).collect()),
            };
            self.holders.begin(proc.as_fd(), sought);
        }
        let before = thread_cpu_us();
        self.holders.go_on(proc.as_fd(), &mut self.buffer, slice_us);
        let cost_us = thread_cpu_us().saturating_sub(before);
        self.lap_us += cost_us;
        let known = self.holders.known();
        self.survey.loose =
            Surveyed { reading: Reading::Value(known.loose().into()), at: self.lap_began, cost_us, left_out: 0 };
        self.survey.extent = known.extent;
    }

    /// Adds to files and segments who has them, as far as that is known.
    fn tell_holders(&mut self) {
        let known = self.holders.known();
        let is_complete = known.extent.is_complete();
        let file = |found: &Found| ShmFile { held: attachment(known, found, is_complete), ..found.file.clone() };
        self.survey.posix.reading = self.files.as_ref().map(|files| files.iter().map(file).collect());
        let segment = |segment: &Segment| {
            let holders = known.segments.get(&segment.id).cloned().unwrap_or_default();
            Segment { holders, ..segment.clone() }
        };
        self.survey.segments.reading = self.segments.as_ref().map(|all| all.iter().map(segment).collect());
    }
}

fn attachment(known: &Lap, found: &Found, is_complete: bool) -> Attachment {
    match known.holders(found.key) {
        Some(holders) if holders.count > 0 => Attachment::Held(holders),
        Some(_) if is_complete => Attachment::Nobody,
        _ => Attachment::NobodySeen,
    }
}

fn timed<T>(at: BootMs, read: impl FnOnce() -> Reading<T>) -> Surveyed<T> {
    let before = thread_cpu_us();
    let reading = read();
    Surveyed { reading, at, cost_us: thread_cpu_us().saturating_sub(before), left_out: 0 }
}

/// Whether a part is old enough that reading it again keeps within its share of a core.
fn is_due<T>(part: &Surveyed<T>, at: BootMs, least_ms: u64, share: f64) -> bool {
    part.at.0 == 0 || at.since(part.at) >= age_allowed(least_ms, part.cost_us, share)
}

fn age_allowed(least_ms: u64, cost_us: u64, share: f64) -> u64 {
    let by_cost = cost_us as f64 / 1000.0 / share.max(0.001);
    least_ms.max(by_cost as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_is_read_less_often() {
        assert_eq!(age_allowed(2_000, 500, 0.02), 2_000);
        assert_eq!(age_allowed(2_000, 100_000, 0.02), 5_000);
        let part = |at, cost_us| Surveyed { reading: Reading::Value(()), at: BootMs(at), cost_us, left_out: 0 };
        assert!(is_due(&Surveyed::<()>::pending(), BootMs(1), 2_000, 0.02));
        assert!(!is_due(&part(10_000, 100_000), BootMs(14_000), 2_000, 0.02));
        assert!(is_due(&part(10_000, 100_000), BootMs(15_000), 2_000, 0.02));
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let mut surveyor = Surveyor::new(ProcRoot::live());
        let settings = SurveyWish { settings: true, ..SurveyWish::default() };
        let survey = surveyor.look(settings, 0.02, 1000);
        assert!(survey.settings.value().is_some());
        assert_eq!((&survey.tmpfs.reading, &survey.loose.reading), (&Reading::Pending, &Reading::Pending));
        assert_eq!(survey.slab.reading, Reading::Pending);
        assert_eq!((&survey.posix.reading, &survey.segments.reading), (&Reading::Pending, &Reading::Pending));
    }

    #[test]
    fn a_whole_look_leaves_nothing_pending() {
        let mut surveyor = Surveyor::new(ProcRoot::live());
        let survey = surveyor.look_at_all();
        assert_ne!(survey.slab.reading, Reading::Pending);
        assert!(survey.tmpfs.reading.as_ref() != Reading::Pending && survey.loose.value().is_some());
        assert!(survey.extent.seen > 0 && survey.extent.waiting == 0, "{:?}", survey.extent);
        assert!(
            survey.posix.reading.as_ref() != Reading::Pending && survey.segments.reading.as_ref() != Reading::Pending
        );
    }
}
