//! Programs that are copied to be run from elsewhere.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Copies a program that is run afterwards, through cp(1): were it written by this process, a child that another test
/// forks meanwhile would hold it open for writing, and to run it would fail (ETXTBSY).
pub fn copy_program(from: impl AsRef<OsStr>, to: &Path) {
    let status = Command::new("cp").arg(from.as_ref()).arg(to).status().unwrap();
    assert!(status.success(), "{}: {status}", to.display());
}
