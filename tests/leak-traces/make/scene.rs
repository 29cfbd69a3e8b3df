//! What is to be played: scenes.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::truth::{Quantity, Set};

/// Programs that run at the same time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Also the name of its recording.
    pub name: String,
    /// How long it runs.
    pub minutes: f64,
    /// A swap file of this size is on while it runs.
    pub swap_mib: Option<u64>,
    /// Who plays.
    #[serde(rename = "subject")]
    pub subjects: Vec<Spec>,
}

/// One program and what is meant to be true of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub name: String,
    pub set: Set,
    pub class: String,
    pub what: String,
    /// A command for sh, in the folder of the programs; `$TMP` is a folder of its own.
    pub run: String,
    /// Load from outside of its control group.
    pub load: Option<String>,
    /// Limit of RAM in its control group.
    pub limit_mib: Option<u64>,
    /// Limit of RAM and swap together.
    pub both_mib: Option<u64>,
    /// RLIMIT_NOFILE.
    pub nofile: Option<u64>,
    /// Seconds into the scene at which it starts.
    #[serde(default)]
    pub start_s: u64,
    /// Seconds into the scene from and until which it is stopped (SIGSTOP).
    pub stopped_s: Option<[u64; 2]>,
    #[serde(default)]
    pub is_pool: bool,
    /// It never meets its limit, because somebody restarts it before.
    #[serde(default)]
    pub is_endless: bool,
    #[serde(default)]
    pub labels: BTreeMap<Quantity, Label>,
}

/// What is meant to be true of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    Leaking,
    Unscored,
}

/// The folder with the benchmark's sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak-traces")
}

/// All scenes.
pub fn all() -> Vec<Scene> {
    #[derive(Deserialize)]
    struct All {
        scene: Vec<Scene>,
    }
    let text = std::fs::read_to_string(sources().join("scenes.toml")).unwrap();
    toml::from_str::<All>(&text).unwrap().scene
}
