//! What a rule of `memtide guard` does and to whom, on the running kernel: the pid of a file, the biggest, a share of a
//! limit, too many; a webhook; an application of a real PM2.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::guard::{Guard, memtide, wait_until};
use support::programs::Program;
use support::require::has_programs;

#[test]
fn a_pid_file_is_followed_from_one_process_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.pid");
    let mut guard = Guard::start(&[
        "--pid-file",
        file.to_str().unwrap(),
        "--rss-over",
        "1K",
        "--cooldown",
        "0s",
        "--max-per-hour",
        "9",
        "--interval",
        "100ms",
        "--then",
        "signal KILL",
    ]);
    guard.wait_for("names no process");
    let bystander = Program::sleeper("guard-file-bystander");
    for name in ["guard-file-one", "guard-file-two"] {
        let mut child = Program::stubborn(name);
        fs::write(&file, format!("{}\n", child.pid())).unwrap();
        let said = guard.wait_for("SIGKILL sent");
        assert!(said.contains(&format!("{} ", child.pid())), "{said}");
        assert_eq!(child.wait_for_signal(), Some(9));
    }
    // Pid 1 and nonsense name nobody.
    for text in ["1\n", "no pid\n", ""] {
        fs::write(&file, text).unwrap();
    }
    guard.wait_for("names no process");
    assert!(!guard.end().contains("FAILED"));
    drop(bystander);
}

#[test]
fn of_several_the_biggest_alone_is_hit() {
    let mut children = [4, 24, 12].map(|mib| Program::holder("guard-biggest", mib << 10));
    let mut guard = Guard::start(&[
        "--match",
        "guard-biggest",
        "--footprint-over",
        "2M",
        "--which",
        "biggest",
        "--then",
        "signal KILL",
    ]);
    guard.wait_for("SIGKILL sent");
    assert_eq!(children[1].wait_for_signal(), Some(9));
    guard.end();
    assert!(children[0].is_running() && children[2].is_running());
}

#[test]
fn a_rule_that_would_hit_more_than_it_may_says_so_and_hits_nobody() {
    let mut children: Vec<Program> = (0..4).map(|_| Program::sleeper("guard-many")).collect();
    let mut guard = Guard::start(&[
        "--match",
        "guard-many",
        "--rss-over",
        "1K",
        "--max-matches",
        "3",
        "--interval",
        "100ms",
        "--then",
        "signal KILL",
    ]);
    guard.wait_for("it would hit more than 3 processes at once: nothing is done");
    assert!(children.iter_mut().all(Program::is_running));
    // With one fewer it may.
    children.pop().unwrap().end();
    for child in &mut children {
        assert_eq!(child.wait_for_signal(), Some(9));
    }
    guard.end();
}

#[test]
fn a_share_of_the_limit_of_open_files_is_a_test() {
    let child = Program::limited_file_leaker("guard-files", 1, 20, 60);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut guard = Guard::of(
        memtide().args(["--match", "guard-files", "--fds-over", "80%", "--then", "notify", "--log"]).arg(&log),
    );
    guard.wait_for(": told");
    guard.end();
    let text = fs::read_to_string(&log).unwrap();
    let fired = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let fired = fired.into_iter().find(|line| line["event"] == "fired").unwrap();
    let fact = &fired["tests"][0];
    assert_eq!((fact["limit"].as_f64(), &fired["targets"][0]["pid"]), (Some(48.0), &child.pid().into()), "{fired}");
    assert!(fact["value"].as_f64().unwrap() > 48.0, "{fact}");
}

#[test]
fn pressure_and_memory_of_the_machine_are_tests() {
    let mut args = vec!["--when", "mem_available > 0.01%", "--when", "mem_used_percent >= 1%"];
    // A kernel may be built without, or started so.
    if Path::new("/proc/pressure/memory").exists() {
        args.extend(["--when", "psi_some >= 0%"]);
    }
    args.extend(["--then", "notify"]);
    let mut guard = Guard::start(&args);
    let said = guard.wait_for("machine: ");
    guard.end();
    assert!(said.contains("mem_available ") && said.contains("mem_used_percent "), "{said}");
}

#[test]
fn a_webhook_gets_the_facts_and_one_that_refuses_them_is_tried_again() {
    let child = Program::sleeper("guard-webhook");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        ["503 Service Unavailable", "204 No Content"].map(|status| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            let body = loop {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0, "{}", String::from_utf8_lossy(&text));
                text.extend_from_slice(&buffer[..length]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                if let Some((_, body)) = whole.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str::<Value>(body)
                {
                    break body;
                }
            };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            body
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let rule = format!(
        "[[rule]]\nname = 'hook'\nmatch = 'guard-webhook'\nwhen = 'rss > 1K'\nthen = 'notify {url}'\nretry = '100ms'\n"
    );
    fs::write(&rules, rule).unwrap();
    let mut guard = Guard::start(&["--interval", "100ms", "-c", rules.to_str().unwrap()]);
    let failed = guard.wait_for("FAILED");
    assert!(failed.contains("503"), "{failed}");
    guard.wait_for("204 No Content");
    guard.end();
    let [first, second] = server.join().unwrap();
    assert_eq!((&first["attempt"], &second["attempt"]), (&0.into(), &1.into()));
    assert_eq!((&second["rule"], &second["targets"][0]["pid"]), (&"hook".into(), &child.pid().into()));
}

/// PM2 of npm: where `MEMTIDE_NPM` says that npm's programs are, or the one of the machine. Where npm can't be reached there
/// is none, and the test is left out.
fn pm2() -> Option<PathBuf> {
    let of_ci = std::env::var_os("MEMTIDE_NPM").map(|folder| Path::new(&folder).join(".bin/pm2"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    of_ci.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("pm2"))).find(|path| path.is_file())
}

/// A PM2 with a home of its own, which ends with the test.
struct Pm2 {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Pm2 {
    fn command(&self, command: &mut Command) {
        let folder = self.program.parent().unwrap().display();
        command.env("PM2_HOME", self.home.path()).env("HOME", self.home.path());
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap()));
    }

    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        self.command(command.args(args));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Pid and number of restarts of its only application.
    fn app(&self) -> (u64, u64) {
        let text = self.run(&["jlist"]);
        let apps: Value = serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap();
        (apps[0]["pid"].as_u64().unwrap(), apps[0]["pm2_env"]["restart_time"].as_u64().unwrap())
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        let mut command = Command::new(&self.program);
        self.command(command.arg("kill"));
        // It fails where its daemon has ended.
        let _ = command.output();
    }
}

#[test]
fn an_application_of_pm2_is_started_anew_by_its_name() {
    if !has_programs(&["node"]) {
        return;
    }
    let Some(program) = pm2() else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: PM2 of npm is not here (MEMTIDE_NPM names the folder of its programs)"
        );
        return;
    };
    let pm2 = Pm2 { program, home: tempfile::tempdir().unwrap() };
    let app = pm2.home.path().join("app.js");
    fs::write(&app, "const held = Buffer.alloc(60 << 20, 1); setInterval(() => held.length, 1000);").unwrap();
    let name = format!("guard pm2 {}", std::process::id());
    pm2.run(&["start", app.to_str().unwrap(), "--name", &name]);
    let (pid, restarts) = pm2.app();
    let mut command = memtide();
    pm2.command(command.args(["--pid", &pid.to_string(), "--footprint-over", "50M", "--then"]));
    command.arg(format!("restart pm2 {name}"));
    let mut guard = Guard::of(&mut command);
    guard.wait_for(&format!("restart pm2 {name}: "));
    wait_until("another process runs it", || pm2.app().0 != pid && pm2.app().0 != 0);
    assert_eq!(pm2.app().1, restarts + 1);
    let said = guard.end();
    assert!(!said.contains("FAILED"), "{said}");
}
