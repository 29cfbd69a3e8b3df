//! What a test needs of the machine and may not find there.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

/// Whether the machine has all of these programs. Where it lacks one, the test that asks should return: its name is
/// reported as skipped, or, with `MEMTIDE_REQUIRE_ALL` set, it fails.
pub fn has_programs(programs: &[&str]) -> bool {
    programs.iter().all(|program| has(is_program(program), program))
}

/// Whether `condition` holds, which the test calls `what`; reported in the same way where it does not.
pub fn has(condition: bool, what: &str) -> bool {
    if condition {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(std::env::var_os("MEMTIDE_REQUIRE_ALL").is_none(), "{test} needs {what}, which is not here");
    // Straight to the file: what a passing test prints is not shown. Nothing is lost where it can't be written.
    let _ = std::io::stderr().write_all(format!("skipped: {test} needs {what}\n").as_bytes());
    false
}

/// Whether a shell would find the program.
fn is_program(name: &str) -> bool {
    let is_executable = |path: &std::path::Path| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return is_executable(name.as_ref());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(name)))
}
