//! What is said of real runtimes, beside what they say of themselves.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use memtide::analyze::runtime::{LimitForJudge, Room, derive, limit_for_judge};
use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::root::ProcRoot;
use memtide::collect::runtime::{read_clues, read_jvm_counters};
use memtide::collect::turn::all_sources;
use memtide::model::process::Identity;
use memtide::model::reading::Reading;
use memtide::model::runtime::{KnownLimit, OwnLimit, Runtime, RuntimeKind};
use support::require::{has, has_programs};

const MIB: u64 = 1 << 20;

/// How long a program may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program that runs until it is dropped.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// What was seen of a program.
struct Seen {
    identity: Identity,
    room: Room,
    runtime: Option<Runtime>,
}

impl Running {
    /// Starts it with these variables.
    fn start(command: &mut Command, set: &[(&str, &str)]) -> Self {
        for variable in ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.envs(set.iter().copied()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn see(&self) -> Seen {
        self.see_until(|_| true)
    }

    /// Watches it until it is seen like this.
    fn see_until(&self, is_seen: impl Fn(&Seen) -> bool) -> Seen {
        let demand = Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 0, cgroups: false, budget: 1.0 };
        let mut collector = Collector::new(ProcRoot::live()).unwrap();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let sample = collector.sample(&demand, Duration::from_secs(1)).unwrap();
            if sample.scan.pending > 0 {
                continue;
            }
            let process = sample.processes.iter().find(|process| process.key.pid == self.child.id()).unwrap();
            let identity = (*process.identity).clone();
            let bound = sample.system.bound_group(&identity.cgroup).map(|bound| &bound.limit);
            let room = Room::of(&identity, bound, sample.system.meminfo.mem_total.value().unwrap());
            let machine = sample.system.meminfo.mem_total.value().unwrap();
            let clues = read_clues(&ProcRoot::live(), process.key, &identity, machine);
            let runtime = derive(&identity, &clues, bound);
            let seen = Seen { identity, room, runtime };
            if is_seen(&seen) {
                return seen;
            }
            // Limits are looked for again after some seconds.
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it was never seen like this");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    fn limit(&self) -> &KnownLimit {
        match self.runtime.as_ref().map(|runtime| &runtime.limit) {
            Some(OwnLimit::Known(limit)) => limit,
            other => panic!("{other:?}"),
        }
    }
}

/// Node.js that says its version, and the limit of its heap, and waits.
fn node(options: &[&str], set: &[(&str, &str)]) -> (Running, String, u64) {
    let script = "console.log(process.version); console.log(v8.getHeapStatistics().heap_size_limit); \
                  process.stdin.resume()";
    let mut node = Running::start(Command::new("node").args(options).args(["-e", script]), set);
    let (version, limit) = (node.line(), node.line().parse().unwrap());
    (node, version, limit)
}

/// Releases whose rule was looked up in V8's sources.
fn is_known_node() -> bool {
    has_programs(&["node"]) && {
        let (_, version, _) = node(&[], &[]);
        let major: u32 = version[1..].split('.').next().unwrap().parse().unwrap();
        has((12..=22).contains(&major), "Node.js 12 to 22")
    }
}

#[test]
fn the_heap_limit_of_node_is_what_v8_says_it_is() {
    if !is_known_node() {
        return;
    }
    let none: &[(&str, &str)] = &[];
    for (options, set) in [
        (&[][..], none),
        (&["--max-old-space-size=100"][..], none),
        (&["--max_old_space_size=300", "--max-semi-space-size=5"], none),
        (&["--max-heap-size=500"], none),
        (&[], &[("NODE_OPTIONS", "--max-old-space-size=200")]),
        (&["--max-old-space-size=300"], &[("NODE_OPTIONS", "--max-old-space-size=200 --max-semi-space-size=2")]),
    ] {
        let (running, version, limit) = node(options, set);
        let seen = running.see();
        assert_eq!(seen.limit().bytes, limit, "{options:?} {set:?}: {:?}", seen.limit());
        let is_told = !(options.is_empty() && set.is_empty());
        let for_judge = limit_for_judge(&seen.identity, seen.room);
        assert_eq!(for_judge, is_told.then_some(LimitForJudge::Fatal(limit)), "{options:?} {set:?}");
        let runtime = seen.runtime.unwrap();
        assert_eq!(runtime.kind, RuntimeKind::Node);
        assert!(runtime.version.is_none_or(|seen| format!("v{seen}") == version));
    }
}

/// A control group with a limit. Dropping it removes it.
struct Group(PathBuf);

impl Group {
    /// `None` where there is no memory controller that may be used, as in most containers.
    fn of(name: &str, limit: u64) -> Option<Self> {
        let (folder, file) = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
            .into_iter()
            .find(|(folder, file)| *file == "memory.max" || PathBuf::from(folder).join(file).exists())?;
        let group = Self(PathBuf::from(folder).join(format!("memtide-{name}-{}", std::process::id())));
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join(file), limit.to_string()).ok()?;
        Some(group)
    }

    /// A command that runs another in the group.
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(&self.0);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let began = Instant::now();
        // Who was killed in it may not be gone yet.
        while std::fs::remove_dir(&self.0).is_err() && self.0.exists() && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}

#[test]
fn node_takes_the_limit_of_its_control_group_for_the_machine() {
    let Some(group) = Group::of("node", 700 * MIB).filter(|_| is_known_node()) else { return };
    let script = "console.log(v8.getHeapStatistics().heap_size_limit); process.stdin.resume()";
    let mut running = Running::start(group.command().args(["node", "-e", script]), &[]);
    let limit: u64 = running.line().parse().unwrap();
    let seen = running.see_until(|seen| seen.room.group == Some(700 * MIB));
    assert_eq!(seen.limit().bytes, limit, "{:?}", seen.limit());
    assert!(seen.limit().source.contains("half of its control group's limit (700M)") && !seen.limit().is_told);
}

#[test]
fn a_title_does_not_hide_node_and_the_script_has_options_of_its_own() {
    if !is_known_node() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("app.js");
    std::fs::write(&script, "process.title = 'shop'; console.log('ready'); process.stdin.resume()").unwrap();
    let mut running = Running::start(Command::new("node").arg(script).arg("--max-old-space-size=77"), &[]);
    assert_eq!(running.line(), "ready");
    let seen = running.see();
    assert_eq!((&*seen.identity.command.escaped(), seen.identity.kind()), ("shop", Some(RuntimeKind::Node)));
    assert!(!seen.limit().is_told, "{:?}", seen.limit());
}

/// What a JVM with these options says that its heap may become.
fn most_heap(command: &mut Command, set: &[(&str, &str)]) -> u64 {
    let mut java = Running::start(command.args(["-XX:+PrintFlagsFinal", "-version"]), set);
    loop {
        let line = java.line();
        let mut words = line.split_ascii_whitespace();
        if words.nth(1) == Some("MaxHeapSize") {
            return words.nth(1).unwrap().parse().unwrap();
        }
    }
}

/// A JVM that waits for ever.
const REGISTRY: [&str; 3] = ["-m", "java.rmi/sun.rmi.registry.RegistryImpl", "0"];

#[test]
fn the_heap_limit_of_a_jvm_is_what_it_says_it_is() {
    if !has_programs(&["java"]) {
        return;
    }
    let none: &[(&str, &str)] = &[];
    for (options, set) in [
        (&[][..], none),
        (&["-Xmx101m"][..], none),
        (&["-XX:MaxRAMPercentage=3", "-XX:+UseSerialGC"], none),
        (&["-XX:MaxRAM=1g"], none),
        (&["-Xmx200m"], &[("JAVA_TOOL_OPTIONS", "-Xmx99m")]),
        (&["-Xmx200m"], &[("_JAVA_OPTIONS", "-Xmx98m"), ("JDK_JAVA_OPTIONS", "-Xmx97m")]),
    ] {
        let most = most_heap(Command::new("java").args(options), set);
        let running = Running::start(Command::new("java").args(options).args(REGISTRY), set);
        let seen = running.see();
        assert_eq!(seen.limit().bytes, most, "{options:?} {set:?}: {:?}", seen.limit());
        assert_eq!(limit_for_judge(&seen.identity, seen.room), Some(LimitForJudge::Given(most)), "{options:?} {set:?}");
    }
}

#[test]
fn a_jvm_in_a_control_group_takes_a_quarter_of_its_limit() {
    let Some(group) = Group::of("java", 600 * MIB).filter(|_| has_programs(&["java"])) else { return };
    let most = most_heap(group.command().arg("java"), &[]);
    let running = Running::start(group.command().arg("java").args(REGISTRY), &[]);
    // Until then it is the shell.
    let seen = running.see_until(|seen| seen.identity.kind() == Some(RuntimeKind::Jvm) && seen.room.group.is_some());
    assert_eq!(seen.limit().bytes, most, "{:?}", seen.limit());
    assert_eq!(seen.limit().source, "the default: a quarter of its control group's limit (600M)");
}

#[test]
fn a_jvm_is_believed_when_it_counts_its_own_heap() {
    if !has_programs(&["java"]) {
        return;
    }
    for collector in ["-XX:+UseSerialGC", "-XX:+UseG1GC", "-XX:+UseParallelGC"] {
        let running = Running::start(Command::new("java").args([collector, "-Xmx64m"]).args(REGISTRY), &[]);
        let key = running.see_key();
        let began = Instant::now();
        let counters = loop {
            match read_jvm_counters(&ProcRoot::live(), key) {
                // Before anything was allocated the file is not whole.
                Reading::Value(counters) if counters.used > 0 && counters.most > 0 && counters.version.is_some() => {
                    break counters;
                }
                other => assert!(began.elapsed() < PATIENCE, "{other:?}"),
            }
            std::thread::yield_now();
        };
        // G1 counts some bytes of its own.
        assert!(counters.used < counters.capacity && counters.capacity <= counters.most + 64, "{counters:?}");
        // The parallel collector leaves one of its survivor spaces out.
        assert!((48 * MIB..=64 * MIB + 64).contains(&counters.most), "{collector}: {counters:?}");
        assert!(!counters.collectors.is_empty());
        let runtime = running.see().runtime.unwrap();
        assert_eq!(runtime.version, counters.version);
        assert!(runtime.used.is_some_and(|used| (1..=64 * MIB).contains(&used.bytes)), "{runtime:?}");
    }
}

impl Running {
    fn see_key(&self) -> memtide::model::key::ProcessKey {
        memtide::model::key::ProcessKey { pid: self.child.id(), start_time: 0 }
    }
}

#[test]
fn an_interpreter_without_a_limit_says_so() {
    if !has_programs(&["perl"]) {
        return;
    }
    let mut running = Running::start(Command::new("perl").args(["-e", "$| = 1; print \"ready\\n\"; <STDIN>"]), &[]);
    assert_eq!(running.line(), "ready");
    let seen = running.see();
    let runtime = seen.runtime.unwrap();
    assert_eq!(runtime.kind, RuntimeKind::Perl);
    assert!(matches!(runtime.limit, OwnLimit::Without(_)), "{runtime:?}");
    assert_eq!(limit_for_judge(&seen.identity, seen.room), None);
}

#[test]
fn a_program_written_in_go_is_known_by_its_executable() {
    // Any would do: this one is small, and waits for its input.
    if !has_programs(&["fzf"]) {
        return;
    }
    let set = [("GOMEMLIMIT", "64MiB"), ("GOGC", "50")];
    let running = Running::start(Command::new("fzf").args(["--filter", "x"]), &set);
    let seen = running.see();
    assert_eq!(seen.identity.kind(), None, "its name does not tell");
    let runtime = seen.runtime.as_ref().unwrap();
    assert_eq!(runtime.kind, RuntimeKind::Go);
    assert!(runtime.version.as_ref().is_some_and(|version| version.starts_with("1.")), "{runtime:?}");
    assert_eq!((seen.limit().bytes, seen.limit().source.as_str()), (64 * MIB, "GOMEMLIMIT=64MiB"));
    assert!(runtime.facts.iter().any(|(_, text)| text.contains("50%")), "{runtime:?}");
}

/// What `memtide inspect` says of the runtime, run by this user.
fn inspected(pid: u32, user: Option<&str>) -> serde_json::Value {
    // Another user can't execute what lies in a folder of ours.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = match user {
        Some(uid) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={uid}")).arg("--clear-groups").arg(&program);
            command
        }
        None => Command::new(&program),
    };
    let output = command.args(["inspect", &pid.to_string(), "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_inspection_has_the_runtime_with_its_heap_in_use() {
    if !is_known_node() {
        return;
    }
    let (running, version, limit) = node(&["--max-old-space-size=100"], &[]);
    let document = inspected(running.child.id(), None);
    let runtime = &document["runtime"];
    assert_eq!((runtime["kind"].as_str(), runtime["limit"]["bytes"].as_u64()), (Some("node"), Some(limit)));
    assert!(runtime["version"].as_str().is_none_or(|seen| format!("v{seen}") == version), "{runtime}");
    // Both are of one moment: what the heap has in RAM is in its mappings, and is not all that is private.
    let used = runtime["used_bytes"].as_u64().unwrap();
    assert!(used > MIB && used < limit, "{runtime}");
    assert_eq!(runtime["limit"]["left_bytes"].as_u64(), Some(limit - used));
    let groups = document["mappings"]["groups"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["kind"] == "v8_heap" && group["rss"].as_u64() == Some(used)), "{groups:?}");
}

#[test]
fn what_another_user_may_not_see_is_said() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root") || !has_programs(&["setpriv"]) || !is_known_node() {
        return;
    }
    let (running, ..) = node(&["--max-old-space-size=100"], &[("NODE_OPTIONS", "--max-semi-space-size=1")]);
    let runtime = &inspected(running.child.id(), Some("65534"))["runtime"];
    let facts = runtime["facts"].as_array().unwrap();
    let environment = facts.iter().find(|fact| fact["name"] == "environment").unwrap();
    assert!(environment["text"].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{runtime}");
    assert!(runtime["limit"]["bytes"].as_u64().is_some(), "its command line is everybody's to see: {runtime}");
    let own = &inspected(running.child.id(), None)["runtime"];
    assert_eq!(own["limit"]["bytes"].as_u64(), Some(103 * MIB), "{own}");
    assert!(own["facts"].as_array().unwrap().iter().all(|fact| fact["name"] != "environment"), "{own}");
}
