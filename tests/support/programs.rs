//! Real programs to watch: leakers, sleepers, a Node application. Each is killed when it is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A running program. Dropping it kills and reaps it.
pub struct Program {
    child: Child,
    name: String,
}

impl Program {
    /// A process that only waits.
    pub fn sleeper(name: &str) -> Self {
        child(name, &["sleep"])
    }

    /// A process whose anonymous memory grows by `kib` KiB every `ms` milliseconds.
    pub fn leaker(name: &str, kib: u32, ms: u32) -> Self {
        child(name, &["leak", &kib.to_string(), &ms.to_string()])
    }

    /// A process that opens `count` more files every `ms` milliseconds.
    pub fn file_leaker(name: &str, count: u32, ms: u32) -> Self {
        child(name, &["files", &count.to_string(), &ms.to_string()])
    }

    /// The same with no more than `limit` files allowed.
    pub fn limited_file_leaker(name: &str, count: u32, ms: u32, limit: u32) -> Self {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(child_program());
        start(name, command.args([name, "files", &count.to_string(), &ms.to_string()]))
    }

    /// A process that ignores SIGTERM.
    pub fn stubborn(name: &str) -> Self {
        child(name, &["stubborn"])
    }

    /// A process with `count` children that wait.
    pub fn family(name: &str, count: u32) -> Self {
        child(name, &["family", &count.to_string()])
    }

    /// A process that starts short-lived children without pause.
    pub fn burst(name: &str) -> Self {
        child(name, &["burst"])
    }

    /// A process with `count` children at a time that live for some milliseconds each. One of kind K is called
    /// `kind-K`, belongs to user 10000+K, has 16 K KiB of dirty memory and K files open beside what it inherits, and may
    /// open 1000+K. Only root can start them.
    pub fn kinds(name: &str, count: u32) -> Self {
        child(name, &["kinds", &count.to_string()])
    }

    /// A process that waits, whose name is that of its file: what the kernel calls it.
    pub fn called(file: &Path, name: &str) -> Self {
        std::os::unix::fs::symlink(child_program(), file).unwrap();
        start(name, Command::new(file).args([name, "sleep"]))
    }

    /// A process with `kib` KiB of dirty anonymous memory.
    pub fn holder(name: &str, kib: u32) -> Self {
        child(name, &["hold", &kib.to_string()])
    }

    /// A process that shares `kib` KiB of dirty memory with `count` children of its own.
    pub fn sharer(name: &str, kib: u32, count: u32) -> Self {
        child(name, &["share", &kib.to_string(), &count.to_string()])
    }

    /// A process with `kib` KiB of anonymous memory in swap, which it shares with `count` children of its own. There
    /// must be swap.
    pub fn swapped(name: &str, kib: u32, count: u32) -> Self {
        child(name, &["swapped", &kib.to_string(), &count.to_string()])
    }

    /// A process that has all of a file mapped and in RAM.
    pub fn mapper(name: &str, file: &Path) -> Self {
        child(name, &["map", file.to_str().unwrap()])
    }

    /// A process with a System V segment of `kib` KiB attached and in RAM. The segment stays when it ends.
    pub fn of_segment(name: &str, kib: u32) -> Self {
        child(name, &["segment", &kib.to_string()])
    }

    /// A process with a file of `kib` KiB open that it has made and removed.
    pub fn of_deleted(name: &str, file: &Path, kib: u32) -> Self {
        child(name, &["deleted", file.to_str().unwrap(), &kib.to_string()])
    }

    /// A process with `kib` KiB of dirty memory whose main thread has ended, while another lives on.
    pub fn headless(name: &str, kib: u32) -> Self {
        child(name, &["headless", &kib.to_string()])
    }

    /// A process with `count` open files beside its standard ones.
    pub fn opener(name: &str, count: u32) -> Self {
        child(name, &["open", &count.to_string()])
    }

    /// A process with `count` threads.
    pub fn threaded(name: &str, count: u32) -> Self {
        child(name, &["threads", &count.to_string()])
    }

    /// A process with one of each kind of descriptor and of mapping, its files in `folder`.
    pub fn zoo(name: &str, folder: &Path) -> Self {
        child(name, &["zoo", folder.to_str().unwrap()])
    }

    /// A process with `maps` mappings, a quarter of them in use, and `count` descriptors, half of them pipes.
    pub fn crowded(name: &str, maps: u32, count: u32) -> Self {
        child(name, &["many", &maps.to_string(), &count.to_string()])
    }

    /// A process of another user. Only root can start one.
    pub fn of_user(name: &str, uid: u32) -> Self {
        use std::os::unix::process::CommandExt;
        start(name, Command::new("sh").args(["-c", "echo ready; exec sleep 1000", name]).uid(uid).gid(uid))
    }

    /// A process that waits in the control group of a folder, where all of its memory is charged.
    pub fn sleeper_in(name: &str, group: &Path) -> Self {
        let script = "echo $$ >\"$0\"/cgroup.procs && echo ready && exec sleep 1000";
        start(name, Command::new("sh").args(["-c", script]).arg(group).arg(name))
    }

    /// A Node application with an object pool that is never cleaned and log streams that are never closed.
    pub fn leaking_node_app(name: &str) -> Self {
        let script = sources().join("leak.js");
        start(name, Command::new("node").arg(script).arg(name))
    }

    /// The same, told to keep its heap within so many MiB.
    pub fn leaking_node_app_within(name: &str, mib: u32) -> Self {
        let script = sources().join("leak.js");
        start(name, Command::new("node").arg(format!("--max-old-space-size={mib}")).arg(script).arg(name))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The word in its command line that tells it from all others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended and gives the signal that ended it.
    pub fn wait_for_signal(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.child.wait().unwrap().signal()
    }

    /// Ends it and waits until its pid is free.
    pub fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it, so that its figures can't drift, and waits until it has stopped.
    pub fn freeze(&self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::STOP)
            .unwrap();
        let since = Instant::now();
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(10), "{} does not stop: {stat}", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn child(name: &str, args: &[&str]) -> Program {
    start(name, Command::new(child_program()).arg(name).args(args))
}

fn start(name: &str, command: &mut Command) -> Program {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "{name} did not start");
    Program { child, name: name.to_owned() }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The C compiler that makes the programs.
pub fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".to_owned())
}

/// The compiled `child.c`, once for each test program.
pub fn child_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let fresh = folder.join(format!("child-{}", std::process::id()));
        let build = |extra: &[&str]| {
            let mut command = Command::new(compiler());
            command.args(["-O1", "-pthread", "-o"]).arg(&fresh).args(extra).arg(sources().join("child.c"));
            command.output().unwrap()
        };
        // Without libc's pages, which every process that starts or ends anywhere makes cheaper or dearer.
        if !build(&["-static"]).status.success() {
            let output = build(&[]);
            assert!(output.status.success(), "child.c: {}", String::from_utf8_lossy(&output.stderr));
        }
        // Renamed into place: another test program may be running the one that is there.
        let program = folder.join("child");
        std::fs::rename(&fresh, &program).unwrap();
        program
    })
}
