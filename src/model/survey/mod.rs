//! What a closer look at the machine found: readings too dear for every sample. Each part has its own age, and says
//! what it could not see.

mod setting;
mod shared;
mod slab;

use std::sync::Arc;

pub use setting::{SETTINGS, Setting, SettingSpec, Zone, Zones};
pub use shared::{Attachment, Extent, Holders, Loose, LooseKind, Segment, ShmFile, Standing, Tmpfs, TmpfsUse};
pub use slab::SlabCache;

use serde::{Deserialize, Serialize};

use super::reading::{BootMs, Reading};
use super::sample::Sample;

/// A part of a survey: the reading, when it was made, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surveyed<T> {
    /// The reading.
    pub reading: Reading<T>,
    /// When.
    pub at: BootMs,
    /// CPU time that it took, microseconds.
    pub cost_us: u64,
    /// Things that were read and are not kept, because there are too many.
    pub left_out: u32,
}

impl<T> Surveyed<T> {
    /// Not read yet.
    pub fn pending() -> Self {
        Self { reading: Reading::Pending, at: BootMs(0), cost_us: 0, left_out: 0 }
    }

    /// What was read, if anything.
    pub fn value(&self) -> Option<&T> {
        self.reading.as_ref().value()
    }
}

/// Everything that was looked at. What was not asked for is `Pending`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// `/proc/slabinfo`, the largest cache first.
    pub slab: Surveyed<Arc<[SlabCache]>>,
    /// Mounts of tmpfs and ramfs that can be seen from here, the fullest first.
    pub tmpfs: Surveyed<Arc<[Tmpfs]>>,
    /// System V shared memory segments of our IPC namespace, the largest first.
    pub segments: Surveyed<Arc<[Segment]>>,
    /// Files below `/dev/shm`: POSIX shared memory, the largest first.
    pub posix: Surveyed<Arc<[ShmFile]>>,
    /// Memory files that no path leads to any more, the largest first.
    pub loose: Surveyed<Arc<[Loose]>>,
    /// How far the look at who holds what has come.
    pub extent: Extent,
    /// Values of [`SETTINGS`], in their order.
    pub settings: Surveyed<Arc<[Reading<Setting>]>>,
    /// Watermarks of the memory zones.
    pub zones: Surveyed<Zones>,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            slab: Surveyed::pending(),
            tmpfs: Surveyed::pending(),
            segments: Surveyed::pending(),
            posix: Surveyed::pending(),
            loose: Surveyed::pending(),
            extent: Extent::default(),
            settings: Surveyed::pending(),
            zones: Surveyed::pending(),
        }
    }
}

impl Survey {
    /// Every size that was found, by a name that tells the part: `slab.dentry`, `tmpfs./run`, `swap.1234`.
    pub fn sizes(&self, sample: &Sample) -> Vec<(String, u64)> {
        let mut sizes = Vec::new();
        let mut add = |part: &str, name: &str, bytes: Option<u64>| {
            sizes.extend(bytes.map(|bytes| (format!("{part}.{name}"), bytes)));
        };
        for cache in self.slab.value().into_iter().flat_map(|all| all.iter()) {
            add("slab", &cache.name.escaped(), Some(cache.bytes));
        }
        for mount in self.tmpfs.value().into_iter().flat_map(|all| all.iter()) {
            add("tmpfs", &mount.path.escaped(), mount.usage.value().map(|usage| usage.used));
        }
        for segment in self.segments.value().into_iter().flat_map(|all| all.iter()) {
            add("segment", &segment.id.to_string(), Some(segment.held()));
        }
        for file in self.posix.value().into_iter().flat_map(|all| all.iter()) {
            add("posix", &file.path.escaped(), Some(file.allocated));
        }
        for loose in self.loose.value().into_iter().flat_map(|all| all.iter()) {
            add("loose", &loose.path.escaped(), Some(loose.bytes));
        }
        for process in &sample.processes {
            let swap = process.status.reading.value().map(|status| status.swap).filter(|swap| *swap > 0);
            add("swap", &process.key.pid.to_string(), swap);
        }
        sizes
    }
}

/// Which parts are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "parts are wanted independently of each other")]
pub struct SurveyWish {
    /// Slab by cache.
    pub slab: bool,
    /// Mounts, segments, `/dev/shm`.
    pub shared: bool,
    /// Who holds shared memory, and files that no path leads to: all descriptors and mappings of all processes.
    pub holders: bool,
    /// Settings and watermarks.
    pub settings: bool,
}

impl SurveyWish {
    /// All of it.
    pub const ALL: Self = Self { slab: true, shared: true, holders: true, settings: true };

    /// Whether anything is wanted.
    pub fn is_some(self) -> bool {
        self != Self::default()
    }
}
