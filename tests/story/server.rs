//! The 2 GB server: nginx, the application behind it and who starts it anew, apart from the rest of the machine.
//!
//! It has a pid and a host name space of its own, so that nothing else is on its screens, and a control group with its
//! limit where there is a memory controller to be had. It ends with the test, however that ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Instant;

use crate::group::Group;
use crate::support::pty::{self, PATIENCE};
use crate::support::require::{has, has_programs};
use crate::truth::Truth;

/// All of its memory.
pub const MEMORY: u64 = 2 << 30;

/// Descriptors that the application may open.
pub const FILES: u64 = 1024;

/// What the first process does; it ends when its input does, and all others with it.
const INIT: &str = r#"
hostname web-1 && nginx -p "$PWD" -c nginx.conf || exit 1
(
    ulimit -n "$1"
    while :; do
        rm -f app.sock
        setpriv --reuid=www-data --regid=www-data --clear-groups node app.js >>app.out 2>&1
        sleep 0.1
    done
) &
read line
"#;

/// Enters it: the control group first, then its name spaces.
const ENTER: &str = r#"
group=$1 folder=$2 first=$3
shift 3
[ -z "$group" ] || echo $$ >"$group/cgroup.procs" || exit 1
cd "$folder" || exit 1
exec nsenter --target "$first" --pid --mount --uts -- sh -c 'cd "$0" && PATH="$0:$PATH" exec "$@"' "$folder" "$@"
"#;

/// A running server. Dropping it ends it.
pub struct Server {
    first: Child,
    /// Its end is that of the server.
    _input: ChildStdin,
    /// The first process of the server, as it is called outside.
    pid: u32,
    /// Where nginx listens on the loopback.
    pub port: u16,
    group: Option<Group>,
    folder: tempfile::TempDir,
}

impl Server {
    /// Whether this machine can have one.
    pub fn can_be_had() -> bool {
        let programs = ["node", "nginx", "unshare", "nsenter", "setpriv", "hostname"];
        let is_root = rustix::process::geteuid().is_root();
        has(is_root, "root, for name spaces") && has_programs(&programs)
    }

    /// Starts one and waits until the application answers through nginx.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("shop-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/story");
        fs::copy(sources.join("app.js"), folder.path().join("app.js")).unwrap();
        // Free a moment ago; whoever takes it in between makes nginx, and the test, fail and not hang.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = fs::read_to_string(sources.join("nginx.conf")).unwrap();
        let config = config.replace("PORT", &port.to_string()).replace("FOLDER", folder.path().to_str().unwrap());
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        fs::write(folder.path().join("start.sh"), INIT).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        fs::create_dir(folder.path().join("static")).unwrap();
        symlink(env!("CARGO_BIN_EXE_memtide"), folder.path().join("memtide")).unwrap();
        // The application makes its socket and its log there.
        let owned = Command::new("chown").arg("www-data").arg(folder.path()).status().unwrap();
        assert!(owned.success(), "there is a user www-data");

        let group = Group::with(MEMORY);
        if group.is_none() {
            eprintln!("there is no memory controller that may be used: the server has no limit of its own");
        }
        let mut command = Command::new("sh");
        command.args(["-c", "[ -z \"$1\" ] || echo $$ >\"$1/cgroup.procs\"; shift; exec \"$@\"", "sh"]);
        command.arg(group.as_ref().map_or(Path::new(""), Group::path));
        command.args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "sh", "start.sh"]);
        command.arg(FILES.to_string()).current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut first = command.spawn().unwrap();
        let input = first.stdin.take().unwrap();
        let mut server = Self { _input: input, pid: 0, first, port, group, folder };
        server.wait_until("the application answers", |server| Truth::ask(server.port).is_some());
        server.pid = server.child_of_first();
        server
    }

    /// Its folder, with the application's log in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its control group, where it has one.
    pub fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// What the application says of itself.
    pub fn truth(&self) -> Truth {
        Truth::ask(self.port).expect("the application answers")
    }

    /// The command line of a program that runs there, in its folder; `memtide` is this build.
    fn entering(&self, words: &[&str]) -> Vec<String> {
        let group = self.group.as_ref().map_or(Path::new(""), Group::path);
        let mut line: Vec<String> = ["-c", ENTER, "sh"].map(str::to_owned).into();
        line.extend([group.display().to_string(), self.folder().display().to_string(), self.pid.to_string()]);
        line.extend(words.iter().map(|word| (*word).to_owned()));
        line
    }

    /// A program there.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(self.entering(words)).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
        command
    }

    /// A program in a terminal there.
    pub fn terminal(&self, words: &[&str]) -> pty::Command {
        pty::Command::new("sh").args(self.entering(words)).env("XDG_CONFIG_HOME", "/nonexistent")
    }

    /// Runs memtide there and gives what came of it.
    pub fn memtide(&self, words: &[&str]) -> Output {
        self.command(&[&["memtide"], words].concat()).output().unwrap()
    }

    /// The same where it must succeed: what it printed.
    pub fn told(&self, words: &[&str]) -> String {
        let output = self.memtide(words);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{words:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    /// The same, as JSON.
    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.told(&[words, &["--format", "json"]].concat())).unwrap()
    }

    /// How many descriptors a process of the server has open.
    pub fn descriptors(&self, pid: u64) -> u64 {
        let output = self.command(&["ls", &format!("/proc/{pid}/fd")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count() as u64
    }

    /// Waits until something holds; the server must not end before.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !holds(self) {
            assert!(self.first.try_wait().unwrap().is_none(), "the server ended before: {what}");
            assert!(since.elapsed() < PATIENCE, "waited in vain for: {what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn child_of_first(&self) -> u32 {
        let first = self.first.id();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        children.split_whitespace().next().expect("unshare has a child").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already. What runs there ends with its first process.
        let _ = self.first.kill();
        let _ = self.first.wait();
    }
}
