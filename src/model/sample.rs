//! Everything that was read at one instant: the one thing that flows, is kept and is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::closer::Closer;
use super::deed::Deed;
use super::key::ProcessKey;
use super::process::ProcessSample;
use super::reading::BootMs;
use super::system::SystemSample;
use super::text::Text;

/// One look at the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Wall clock, milliseconds since the Unix epoch. It may jump; `at` never does.
    pub wall_ms: i64,
    /// Time since boot.
    pub at: BootMs,
    /// The interval at which samples are taken, in milliseconds.
    pub interval_ms: u64,
    /// The machine.
    pub host: Arc<Host>,
    /// Its memory.
    pub system: SystemSample,
    /// Its processes, by pid.
    pub processes: Vec<Arc<ProcessSample>>,
    /// What the look cost and what it could not see.
    pub scan: Scan,
    /// The closer look that was the last at this moment, in a sample that is recorded or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closer: Option<Arc<Closer>>,
    /// What was done since the sample before, in a sample that is recorded or was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
}

impl Sample {
    /// The process of this key, if it is alive in this sample.
    pub fn process(&self, key: ProcessKey) -> Option<&Arc<ProcessSample>> {
        let index = self.index_of(key)?;
        self.processes.get(index)
    }

    /// Its place in `processes`.
    pub fn index_of(&self, key: ProcessKey) -> Option<usize> {
        let index = self.processes.binary_search_by_key(&key.pid, |process| process.key.pid).ok()?;
        (self.processes[index].key == key).then_some(index)
    }
}

/// What does not change while the machine is up, or seldom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: Text,
    /// Kernel release, as `uname -r`.
    pub kernel: Text,
    /// Distribution, as /etc/os-release names it.
    pub distribution: Text,
    /// Bytes in a page.
    pub page_size: u64,
    /// Clock ticks in a second.
    pub clock_ticks: u64,
    /// CPUs.
    pub cpus: u32,
    /// User names by uid.
    pub users: BTreeMap<u32, Text>,
    /// Which boot this is: `/proc/sys/kernel/random/boot_id` (random(4)); empty where unknown.
    #[serde(default)]
    pub boot_id: Text,
}

impl Host {
    /// The user's name, or the uid in digits.
    pub fn user(&self, uid: u32) -> std::borrow::Cow<'_, str> {
        self.users.get(&uid).map_or_else(|| uid.to_string().into(), Text::escaped)
    }
}

/// How a sample came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// CPU time spent in it, microseconds.
    pub cost_us: u64,
    /// Processes whose memory is another user's to see.
    pub denied: u32,
    /// Processes whose PSS has not been read yet.
    pub pending: u32,
    /// /proc hides other users' processes (`hidepid`).
    pub is_hiding: bool,
    /// Ticks that were missed since the sample before, because a scan or its consumer was slow.
    pub missed: u32,
}
