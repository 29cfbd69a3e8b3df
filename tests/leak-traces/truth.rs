//! What is true of a recording, as a TOML file beside it. Times are milliseconds after the first sample.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The truth of one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The scene's name, and that of the recording.
    pub scene: String,
    /// Length of the recording.
    pub length_ms: u64,
    /// What leaks that no process owns; a quantity that is not named does not leak.
    #[serde(default)]
    pub machine: BTreeMap<Quantity, Fact>,
    /// Who was watched.
    #[serde(default, rename = "subject")]
    pub subjects: Vec<Subject>,
}

impl Truth {
    /// The truth of a scene whose recording is in `folder`.
    pub fn read(folder: &Path, scene: &str) -> Self {
        let text = std::fs::read_to_string(folder.join(format!("{scene}.toml"))).unwrap();
        toml::from_str(&text).unwrap()
    }
}

/// A program in a control group of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Unique in the scene.
    pub name: String,
    /// Judges may be tuned on the one and not on the other.
    pub set: Set,
    /// The memory cgroup that all of its processes, and nobody else's, are in.
    pub group: String,
    /// What kind of case it is: `leak`, or the class of hard negative.
    pub class: String,
    /// What it does, for people.
    pub what: String,
    /// Whether it is many processes that come and go, and what is true of a quantity is true of their sum.
    pub is_pool: bool,
    /// What is true of its quantities; one that is not named does not leak.
    #[serde(default)]
    pub facts: BTreeMap<Quantity, Fact>,
}

/// Programs to learn from, and programs to be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// To learn from.
    Train,
    /// To be judged by.
    HeldOut,
}

/// What can leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Private memory and swap, bytes.
    Memory,
    /// Open file descriptors.
    Fds,
    /// Threads.
    Threads,
    /// Of the machine: tmpfs, System V and other shared memory, bytes.
    Shmem,
    /// Of the machine: kernel memory that can't be given back, bytes.
    Kernel,
}

/// What is true of a quantity of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "label")]
pub enum Fact {
    /// It leaks.
    Leaking {
        /// Since when.
        onset_ms: u64,
        /// How much is lost a minute, by the program's own count.
        per_minute: f64,
        /// The limit it runs into, if it runs into one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<End>,
    },
    /// Both answers are right, or neither: not scored.
    Unscored,
}

/// How a leak ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// What is used up: bytes of the group's limit, descriptors.
    pub limit: u64,
    /// When the limit is met.
    pub at_ms: u64,
    /// Whether that was seen, or follows from the rate and the room that was left.
    pub was_met: bool,
}
