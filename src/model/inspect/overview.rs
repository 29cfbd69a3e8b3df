//! Who the process is, what it has in total, and which limits bind it.

use serde::{Deserialize, Serialize};

use crate::model::cgroup::CgroupLimit;
use crate::model::process::ProcessSample;
use crate::model::reading::Reading;
use crate::model::text::Text;

/// The head of an inspection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Identity, state, RSS, PSS, USS, swap, descriptors and oom_score, as every sample has them.
    pub process: ProcessSample,
    /// The owner's name; the number where the machine knows no name.
    pub user: Text,
    /// Milliseconds since it started.
    pub age_ms: u64,
    /// What it executes: the target of `/proc/PID/exe`.
    pub program: Reading<Text>,
    /// High-water marks and the address space, from `/proc/PID/status`.
    pub totals: Reading<Totals>,
    /// The memory limit of its control group that binds it, with the group that sets it; `None` where nothing limits it.
    pub limit: Reading<Option<CgroupLimit>>,
    /// RLIMIT_NOFILE, from `/proc/PID/limits`.
    pub fd_limit: Reading<FdLimit>,
    /// `/proc/PID/oom_score_adj`, -1000 (never chosen by the OOM killer) to 1000 (chosen first).
    pub oom_score_adj: Reading<i32>,
}

/// Lines of `/proc/PID/status` that only an inspection shows (proc_pid_status(5)), in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// VmSize: the address space.
    pub size: u64,
    /// VmPeak: the largest address space so far.
    pub peak_size: u64,
    /// VmPin: pages that may not be moved (Linux 3.2).
    pub pinned: u64,
    /// VmData + VmStk: private writable memory that was asked for.
    pub data: u64,
}

/// How many descriptors may be open; [`u64::MAX`] is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdLimit {
    /// What binds now.
    pub soft: u64,
    /// How far the process itself may raise it.
    pub hard: u64,
}
