//! What a guard does for its own survival where memory is nearly gone.

use rustix::mm::{MlockAllFlags, mlockall};

/// Locks what we have in RAM, and what comes to it as it is first used: a guard that has to be swapped in first comes
/// too late (mlockall(2), MCL_ONFAULT: Linux 4.4). Needs CAP_IPC_LOCK, or room in RLIMIT_MEMLOCK.
pub fn lock_memory() -> Result<(), String> {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE;
    mlockall(all | MlockAllFlags::ONFAULT).map_err(|error| format!("mlockall: {error}"))
}

/// Our own preference of the OOM killer as it is.
pub fn oom_score_adj() -> i32 {
    std::fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Changes it; to lower it takes CAP_SYS_RESOURCE.
pub fn set_oom_score_adj(to: i32) -> Result<(), String> {
    std::fs::write("/proc/self/oom_score_adj", to.to_string())
        .map_err(|error| format!("/proc/self/oom_score_adj {to}: {error}"))
}
