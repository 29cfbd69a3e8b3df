//! Swap is recycled with progress, can be stopped, stops by itself, and ends in use whatever happens to memtide: with
//! programs of the test's own in the place of swapoff and swapon, on a made-up /proc. The real ones run in
//! tests/qemu.rs.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memtide::act::control::Control;
use memtide::act::effect::{Effect, Outcome, Stage};
use memtide::act::run::run;
use memtide::collect::root::ProcRoot;

/// How long something may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A machine with 300 MiB in a swap file of priority 5, and 1 GiB available.
struct Machine(tempfile::TempDir);

impl Machine {
    /// What stands for swapoff after it has said that it began. It has `$1` for the folder.
    fn with(swapoff: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(machine.at("proc")).unwrap();
        fs::create_dir_all(machine.at("bin")).unwrap();
        fs::write(machine.at("swap file"), "").unwrap();
        fs::write(machine.at("proc/meminfo"), "MemTotal: 2000000 kB\nMemAvailable: 1048576 kB\n").unwrap();
        let path = machine.at("swap file").to_str().unwrap().replace(' ', "\\040");
        let swaps = format!("Filename Type Size Used Priority\n{path} file 512000 307200 5\n");
        fs::write(machine.at("proc/swaps"), &swaps).unwrap();
        fs::write(machine.at("on"), swaps).unwrap();
        let folder = machine.0.path().display();
        for (name, script) in [
            ("swapoff", format!("cd '{folder}'; echo \"$@\" >>began; {swapoff}")),
            ("swapon", format!("cd '{folder}'; cp on proc/swaps; echo \"$@\" >>back")),
        ] {
            let path = machine.at("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Recycles its swap in a process of its own, which finds the programs.
    fn recycle(&self, way: &str) -> Recycling {
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "recycles", "--ignored", "--nocapture"])
            .env("PATH", path)
            .env("MEMTIDE_TEST_MACHINE", self.0.path())
            .env("MEMTIDE_TEST_WAY", way)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Recycling(child)
    }

    /// The words that swapon was called with; waits until it was.
    fn back(&self) -> String {
        wait_for(&self.at("back"));
        fs::read_to_string(self.at("back")).unwrap()
    }
}

fn wait_for(path: &Path) {
    let since = Instant::now();
    while !path.exists() {
        assert!(since.elapsed() < PATIENCE, "{} is never there", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that recycles.
struct Recycling(Child);

impl Recycling {
    /// What came of it.
    fn told(mut self) -> Vec<String> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut text).unwrap();
        assert!(self.0.wait().unwrap().success(), "{text}");
        text.lines().filter_map(|line| line.strip_prefix("told ")).map(str::to_owned).collect()
    }
}

impl Drop for Recycling {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: what runs where the programs are the test's.
#[test]
#[ignore = "run by the others"]
#[expect(clippy::print_stdout, reason = "it is read by the one who started this")]
fn recycles() {
    let Some(folder) = std::env::var_os("MEMTIDE_TEST_MACHINE") else { return };
    let stops = std::env::var("MEMTIDE_TEST_WAY").unwrap() == "stop";
    let root = ProcRoot { is_live: true, ..ProcRoot::recorded(Path::new(&folder)) };
    let control = Arc::new(Control::new(Duration::ZERO));
    run(&Effect::RecycleSwap, &root, &control, |outcome: Outcome| {
        let result = outcome.results[0].as_ref().map_or_else(|why| format!("Err {why}"), |text| format!("Ok {text}"));
        println!("told {:?} {result}", outcome.stage);
        // Once swapoff is at work, and not before.
        if stops && outcome.stage == Stage::Progress && result.contains(" back in RAM") {
            wait_for(&Path::new(&folder).join("began"));
            control.cancel();
        }
    });
}

/// swapoff as it is interrupted: the device stays in use.
const HANGS: &str = "trap 'exit 1' TERM; while :; do sleep 0.02; done";

/// swapoff as it succeeds.
const GOES: &str = "head -n 1 on >proc/swaps";

#[test]
fn a_device_returns_with_its_priority() {
    let machine = Machine::with(GOES);
    let told = machine.recycle("wait").told();
    let file = machine.at("swap file");
    assert!(told.last().unwrap().ends_with("300M back in RAM, in use again"), "{told:?}");
    assert_eq!(fs::read_to_string(machine.at("began")).unwrap(), format!("-- {}\n", file.display()));
    assert_eq!(machine.back(), format!("-p 5 -- {}\n", file.display()));
}

#[test]
fn how_far_it_is_is_told_and_a_stop_leaves_the_device_in_use() {
    let machine = Machine::with(&format!("sed -i s/307200/102400/ proc/swaps; {HANGS}"));
    let told = machine.recycle("stop").told();
    assert!(told.iter().any(|line| line.starts_with("Progress") && line.contains(" of 300M back in RAM")), "{told:?}");
    assert!(
        told.last().unwrap().starts_with("Acted Ok") && told.last().unwrap().contains("stopped, it is in use"),
        "{told:?}"
    );
    assert!(!machine.at("back").exists(), "swapon is not called");
}

#[test]
fn it_stops_by_itself_where_memory_runs_short() {
    let machine = Machine::with(&format!("sed -i s/1048576/30000/ proc/meminfo; {HANGS}"));
    let told = machine.recycle("wait").told();
    assert!(
        told.last().unwrap().starts_with("Acted Err") && told.last().unwrap().contains("memory ran short"),
        "{told:?}"
    );
    assert!(!machine.at("back").exists());
}

#[test]
fn where_memory_does_not_cover_it_it_does_not_begin() {
    let machine = Machine::with(GOES);
    fs::write(machine.at("proc/meminfo"), "MemTotal: 2000000 kB\nMemAvailable: 350000 kB\n").unwrap();
    let told = machine.recycle("wait").told();
    assert!(told.last().unwrap().contains("memory no longer covers it"), "{told:?}");
    assert!(!machine.at("began").exists());
}

#[test]
fn a_swapon_that_fails_is_told_with_the_command() {
    let machine = Machine::with(GOES);
    fs::write(machine.at("bin/swapon"), "#!/bin/sh\necho no room >&2\nexit 255\n").unwrap();
    let told = machine.recycle("wait").told();
    let last = told.last().unwrap();
    assert!(last.contains("NOT in use any more: run swapon '") && last.ends_with("no room"), "{told:?}");
}

#[test]
fn memtide_killed_in_the_middle_leaves_the_device_in_use() {
    let machine = Machine::with(&format!("while ! [ -e go ]; do sleep 0.02; done; {GOES}"));
    let mut recycling = machine.recycle("wait");
    wait_for(&machine.at("began"));
    recycling.0.kill().unwrap();
    recycling.0.wait().unwrap();
    assert!(!machine.at("back").exists());
    fs::write(machine.at("go"), "").unwrap();
    assert_eq!(machine.back(), format!("-p 5 -- {}\n", machine.at("swap file").display()));
}
