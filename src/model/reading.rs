//! What a look at the kernel gave: a value, or the reason there is none. Never a zero for unknown.

use serde::{Deserialize, Serialize};

/// Milliseconds since boot (`CLOCK_BOOTTIME`): the time base of every sample; it never jumps with the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootMs(pub u64);

impl BootMs {
    /// Milliseconds from `earlier` to this moment; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A value or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading<T> {
    /// Read in this sample.
    Value(T),
    /// Read earlier: the value and its age in milliseconds.
    Stale(T, u64),
    /// Not read yet: its turn in the reading budget has not come.
    Pending,
    /// The kernel refused.
    Denied(Denial),
    /// The process ended before it could be read.
    Gone,
    /// This kernel does not have it.
    Unsupported(Need),
}

/// Who was refused what, and so what would grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denial {
    /// Another user's process: ptrace read access is needed (ptrace(2), "Ptrace access mode checking").
    Ptrace,
    /// The file belongs to root.
    Root,
}

impl Denial {
    /// What would grant the reading, as a sentence without its full stop.
    pub fn grant(self) -> &'static str {
        match self {
            Self::Ptrace => {
                tr!("needs the process's own user, root or CAP_SYS_PTRACE (setcap cap_sys_ptrace+ep memtide)")
            }
            Self::Root => tr!("needs root"),
        }
    }

    /// The same said to root or to another user: root has what it takes, and something else forbids it.
    pub fn grant_to(self, is_root: bool) -> &'static str {
        if is_root {
            tr!("the kernel refuses it to this root too (a container or a security module)")
        } else {
            self.grant()
        }
    }
}

/// What a kernel must have to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// A release: major and minor.
    Kernel(u8, u8),
    /// Something switched off or not compiled in, or a device that is not there.
    Feature(Feature),
    /// The quantity does not apply (a kernel thread has no memory of its own to share).
    NotApplicable,
    /// A limit: there is none.
    NoLimit,
    /// A mark to compare with.
    Mark,
    /// A mark in which it was known.
    MarkedValue,
}

/// Optional parts of a Linux system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// Pressure stall information: `CONFIG_PSI`, and `psi=1` where it is off by default.
    Psi,
    /// The cgroup memory controller.
    MemoryController,
    /// A line that this kernel's `/proc/meminfo` or `/proc/vmstat` lacks.
    Line,
    /// ZFS is not loaded.
    Zfs,
    /// System V interprocess communication: `CONFIG_SYSVIPC`.
    SysvIpc,
    /// The recording that this comes from does not have it: it was written before memtide knew the quantity, or by a
    /// version that knows more.
    Recording,
    /// Per-cache figures of the slab allocator: `CONFIG_SLUB_DEBUG` or SLAB.
    SlabInfo,
    /// A balloon driver.
    Balloon,
    /// Another file system is mounted over this one.
    Covered,
    /// A limit: without one the kernel does not count what a file system in RAM holds.
    Limit,
    /// The folder of POSIX shared memory.
    DevShm,
    /// The running machine: a recorded tree does not have it.
    Live,
    /// The memory controller in version 2 of control groups.
    Unified,
}

impl Need {
    /// Why there is no value, as a sentence without its full stop.
    pub fn explain(self) -> String {
        match self {
            Self::Kernel(major, minor) => tr!("needs Linux {major}.{minor} or later", major, minor),
            Self::Feature(Feature::Psi) => {
                tr!("needs a kernel with PSI (Linux 4.20+, boot with psi=1 where it is off)").into()
            }
            Self::Feature(Feature::MemoryController) => tr!("needs the cgroup memory controller").into(),
            Self::Feature(Feature::Line) => tr!("this kernel does not report it").into(),
            Self::Feature(Feature::SysvIpc) => tr!("needs a kernel with System V IPC (CONFIG_SYSVIPC)").into(),
            Self::Feature(Feature::SlabInfo) => tr!("this kernel has no /proc/slabinfo (CONFIG_SLUB_DEBUG)").into(),
            Self::Feature(Feature::Balloon) => tr!("this kernel has no balloon driver").into(),
            Self::Feature(Feature::Covered) => {
                tr!("another file system is mounted over it: no path leads to it").into()
            }
            Self::Feature(Feature::Limit) => {
                tr!("it has no limit, and so the kernel does not count what it holds").into()
            }
            Self::Feature(Feature::DevShm) => tr!("there is no /dev/shm").into(),
            Self::Feature(Feature::Live) => tr!("it is not recorded").into(),
            Self::Feature(Feature::Unified) => tr!("needs control groups of version 2").into(),
            Self::Feature(Feature::Zfs) => tr!("ZFS is not loaded").into(),
            Self::Feature(Feature::Recording) => tr!("the recording does not have it").into(),
            Self::NotApplicable => tr!("does not apply here").into(),
            Self::NoLimit => tr!("there is no limit").into(),
            Self::Mark => tr!("there is no mark to compare with: m sets one").into(),
            Self::MarkedValue => tr!("it was not known when the mark was set").into(),
        }
    }
}

impl<T> Reading<T> {
    /// The value, fresh or stale.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) | Self::Stale(value, _) => Some(value),
            _ => None,
        }
    }

    /// The same reading of something computed from the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        self.and_then(|value| Reading::Value(f(value)))
    }

    /// The same reading of something that may itself be unknown; staleness is kept.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Reading<U>) -> Reading<U> {
        match self {
            Self::Value(value) => f(value),
            Self::Stale(value, age) => match f(value) {
                Reading::Value(value) => Reading::Stale(value, age),
                other => other,
            },
            Self::Pending => Reading::Pending,
            Self::Denied(why) => Reading::Denied(why),
            Self::Gone => Reading::Gone,
            Self::Unsupported(need) => Reading::Unsupported(need),
        }
    }

    /// A reading of a borrowed value.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Value(value) => Reading::Value(value),
            Self::Stale(value, age) => Reading::Stale(value, *age),
            Self::Pending => Reading::Pending,
            Self::Denied(why) => Reading::Denied(*why),
            Self::Gone => Reading::Gone,
            Self::Unsupported(need) => Reading::Unsupported(*need),
        }
    }

    /// Why there is no value, as a sentence without its full stop; `None` where there is one.
    pub fn explain(&self) -> Option<String> {
        match self {
            Self::Value(_) | Self::Stale(..) => None,
            Self::Pending => Some(tr!("not read yet: its turn in the reading budget comes").into()),
            Self::Denied(why) => Some(why.grant().into()),
            Self::Gone => Some(tr!("the process ended before it could be read").into()),
            Self::Unsupported(need) => Some(need.explain()),
        }
    }
}

impl<T> From<Option<T>> for Reading<T> {
    /// An absent line of a kernel file.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unsupported(Need::Feature(Feature::Line)), Self::Value)
    }
}

/// A reading and the moment it was made. Equal stamps mean that nothing was read in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<T> {
    /// What was read; never `Stale` itself: age follows from `at`.
    pub reading: Reading<T>,
    /// When.
    pub at: BootMs,
}

impl<T> Stamped<T> {
    /// A reading made at `at`.
    pub fn new(reading: Reading<T>, at: BootMs) -> Self {
        Self { reading, at }
    }

    /// Not read yet.
    pub const fn pending() -> Self {
        Self { reading: Reading::Pending, at: BootMs(0) }
    }
}

impl<T: Copy> Stamped<T> {
    /// The reading as it stands at `now`: stale where it is older than `fresh_ms`.
    pub fn at(&self, now: BootMs, fresh_ms: u64) -> Reading<T> {
        match self.reading {
            Reading::Value(value) if now.since(self.at) > fresh_ms => Reading::Stale(value, now.since(self.at)),
            reading => reading,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_stamp_reads_as_stale_with_its_age() {
        let stamped = Stamped::new(Reading::Value(7), BootMs(1_000));
        assert_eq!(stamped.at(BootMs(1_500), 1_000), Reading::Value(7));
        assert_eq!(stamped.at(BootMs(9_000), 1_000), Reading::Stale(7, 8_000));
    }

    #[test]
    fn a_denied_reading_stays_denied_whatever_its_age() {
        let stamped = Stamped::<u8>::new(Reading::Denied(Denial::Ptrace), BootMs(0));
        assert_eq!(stamped.at(BootMs(60_000), 1_000), Reading::Denied(Denial::Ptrace));
    }

    #[test]
    fn staleness_survives_derivation() {
        assert_eq!(Reading::Stale(2, 50).map(|v| v * 2), Reading::Stale(4, 50));
    }
}
