//! Inspections of live processes, and what they are compared with.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use memtide::collect::inspect::Inspector;
use memtide::collect::root::ProcRoot;
use memtide::model::inspect::descriptor::Descriptors;
use memtide::model::inspect::mapping::Mappings;
use memtide::model::inspect::thread::Threads;
use memtide::model::inspect::{Inspection, PartSet};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::programs::{Program, compiler};
use super::require::has_programs;

/// No budget ever ends here.
pub const PLENTY: Duration = Duration::from_mins(10);

/// Looks at this machine.
pub fn inspector() -> Inspector {
    Inspector::open(ProcRoot::live()).unwrap()
}

/// All of a process.
pub fn inspect(pid: u32) -> Inspection {
    let mut inspector = inspector();
    let key = inspector.key_of(pid).unwrap();
    inspector.inspect(key, PartSet::all(), PLENTY).unwrap()
}

/// The mappings, which must be known.
pub fn mappings(inspection: &Inspection) -> &Mappings {
    inspection.mappings.as_ref().value().unwrap()
}

/// The descriptors, which must be known.
pub fn descriptors(inspection: &Inspection) -> &Descriptors {
    inspection.descriptors.as_ref().value().unwrap()
}

/// The threads, which must be known.
pub fn threads(inspection: &Inspection) -> &Threads {
    inspection.threads.as_ref().value().unwrap()
}

/// Whether what starts the processes is here.
pub fn has_child() -> bool {
    has_programs(&[&compiler()])
}

/// A stopped process with one of each kind, and the folder of its files.
pub fn zoo() -> (Program, TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let zoo = Program::zoo("zoo", folder.path());
    zoo.freeze();
    (zoo, folder)
}

/// Runs memtide.
pub fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().unwrap()
}

/// What it printed, which must have succeeded.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The JSON that it printed.
pub fn json(args: &[&str]) -> Json {
    serde_json::from_str(&stdout(&memtide(args))).unwrap()
}

/// Compares until nothing moved between the two reads, for a while at most.
#[track_caller]
pub fn agree<T: PartialEq + std::fmt::Debug>(what: &str, mut read: impl FnMut() -> (T, T)) {
    let since = Instant::now();
    loop {
        let (ours, theirs) = read();
        if ours == theirs {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{what}: {ours:#?} is not {theirs:#?}");
    }
}
