//! What has to be known of a Node.js process before it is asked for anything.

use rustix::fs::readlinkat;
use rustix::io::Errno;

use super::error::HeapError;
use crate::act::effect::Signal;
use crate::act::process::Held;
use crate::act::signal;
use crate::analyze::runtime::derive;
use crate::collect::cgroup::parse_membership;
use crate::collect::parse::parse_cmdline;
use crate::collect::root::ProcRoot;
use crate::collect::runtime::read_clues;
use crate::collect::system::parse_meminfo;
use crate::model::process::Identity;
use crate::model::runtime::{OwnLimit, Runtime, RuntimeKind};
use crate::model::text::Text;

/// Opens the inspector of Node.js.
pub(super) const USR1: Signal = Signal(10);

/// The port of the inspector unless another is named.
pub(super) const PORT: u16 = 9229;

/// Releases before this one answered SIGUSR1 with a protocol that is gone.
const FIRST_WITH_INSPECTOR: u32 = 8;

/// What is known of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Its version, where a file or a path tells.
    pub(super) version: Option<String>,
    /// Its options: of the command line, then of NODE_OPTIONS; hyphens in their names.
    pub(super) options: Vec<String>,
    /// Its pid in its own namespace.
    pub(super) pid_inside: u32,
    /// Effective user.
    pub(super) uid: u32,
    /// Signals that it handles: bit N-1 is signal N (`SigCgt`).
    caught: u64,
    /// Anonymous memory in RAM and in swap, bytes: the heap is part of it.
    pub(super) private: u64,
    /// The limit of its heap, bytes.
    pub(super) limit: Option<u64>,
}

/// What runs a process, where that is known; `Err` where it may not be looked at.
pub(super) fn runtime_of(held: &Held<'_>, root: &ProcRoot) -> Result<(Option<Runtime>, Identity), HeapError> {
    let denied = |error: Errno| match error {
        Errno::ACCESS | Errno::PERM => {
            HeapError::refused("not permitted: it takes the process's own user or root, with the right to ptrace it")
        }
        Errno::SRCH | Errno::NOENT => HeapError::new(super::error::Why::Ended, "it has ended already"),
        error => HeapError::refused(format!("it can't be looked at: {error}")),
    };
    let exe = readlinkat(held.folder(), "exe", Vec::new()).map_err(denied)?;
    let read = |name| held.read(name).unwrap_or_default();
    let identity = Identity {
        comm: Text::new(read("comm").trim_ascii_end()),
        command: Text::new(parse_cmdline(&read("cmdline"), Identity::COMMAND_LIMIT)),
        exe: Text::new(exe.as_bytes()),
        cgroup: std::sync::Arc::new(parse_membership(&read("cgroup"))),
        ..Identity::default()
    };
    let machine = std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).unwrap_or_default();
    let machine = machine.mem_total.value().unwrap_or(0);
    let clues = read_clues(root, held.key(), &identity, machine);
    let bound = crate::collect::cgroup::read_limit(root, &identity.cgroup, machine);
    Ok((derive(&identity, &clues, bound.as_ref()), identity))
}

/// Looks at a process; what is not Node.js is refused, with what could be done instead.
pub(super) fn recognise(held: &Held<'_>, root: &ProcRoot) -> Result<Node, HeapError> {
    let (runtime, identity) = runtime_of(held, root)?;
    let by_exe = RuntimeKind::of_program(&identity.exe.escaped());
    let runtime = match runtime {
        // Somebody may call a program by any name: what its file or its libraries say counts.
        Some(runtime) if runtime.kind == RuntimeKind::Node && by_exe.is_none_or(|kind| kind == RuntimeKind::Node) => {
            runtime
        }
        other => {
            let kind = by_exe.or(other.map(|runtime| runtime.kind).filter(|kind| *kind != RuntimeKind::Node));
            return Err(HeapError::refused(super::advice::not_node(kind, held.key().pid)));
        }
    };
    let status = held.read("status").map_err(|_| HeapError::new(super::error::Why::Ended, "it has ended already"))?;
    let mut node = parse_status(&String::from_utf8_lossy(&status));
    node.options = options(&held.read("cmdline").unwrap_or_default(), &held.read("environ").unwrap_or_default());
    node.limit = match runtime.limit {
        OwnLimit::Known(limit) => Some(limit.bytes),
        _ => None,
    };
    node.version = runtime.version;
    Ok(node)
}

/// Decodes `/proc/PID/status` as far as it matters here (proc_pid_status(5)).
fn parse_status(status: &str) -> Node {
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("");
    let kib = |name| line(name).trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10;
    let inside = line("NSpid").split_whitespace().last().or_else(|| line("Pid").split_whitespace().last());
    Node {
        pid_inside: inside.and_then(|pid| pid.parse().ok()).unwrap_or(0),
        uid: line("Uid").split_whitespace().nth(1).and_then(|uid| uid.parse().ok()).unwrap_or(u32::MAX),
        caught: u64::from_str_radix(line("SigCgt").trim(), 16).unwrap_or(0),
        private: kib("RssAnon") + kib("VmSwap"),
        ..Node::default()
    }
}

/// The options of the command line before the script, and those of NODE_OPTIONS. Node.js takes underlines in names for
/// hyphens.
fn options(cmdline: &[u8], environ: &[u8]) -> Vec<String> {
    let own = cmdline.split(|byte| *byte == 0).skip(1).map(String::from_utf8_lossy);
    let mut options: Vec<String> = Vec::new();
    let mut is_value = false;
    for word in own {
        // A script, or `--`, ends them; the value of an option may stand behind it.
        if !word.starts_with('-') && !is_value {
            break;
        }
        if word == "--" || ["-e", "--eval", "-p", "--print", "-pe"].contains(&&*word) {
            break;
        }
        is_value = word.starts_with('-') && !word.contains('=') && takes_value(&word);
        options.push(normal(&word));
    }
    let inherited = environ.split(|byte| *byte == 0).find_map(|line| line.strip_prefix(b"NODE_OPTIONS="));
    let inherited = String::from_utf8_lossy(inherited.unwrap_or_default()).into_owned();
    options.extend(inherited.split_ascii_whitespace().map(normal));
    options
}

/// Options whose value may be the next word.
fn takes_value(word: &str) -> bool {
    const WITH_VALUE: &[&str] = &[
        "-r",
        "--require",
        "--import",
        "-C",
        "--conditions",
        "--loader",
        "--experimental-loader",
        "--title",
        "--heapsnapshot-signal",
        "--inspect-port",
        "--diagnostic-dir",
        "--env-file",
    ];
    WITH_VALUE.contains(&normal(word).as_str())
}

fn normal(word: &str) -> String {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let name = if name.starts_with("--") { name.replace('_', "-") } else { name.to_owned() };
    value.map_or(name.clone(), |value| format!("{name}={value}"))
}

impl Node {
    /// The first number of its version.
    fn major(&self) -> Option<u32> {
        self.version.as_deref()?.split('.').next()?.parse().ok()
    }

    /// Whether it handles a signal. One that it does not handle would end it.
    pub(super) fn handles(&self, signal: Signal) -> bool {
        (1..=64).contains(&signal.0) && self.caught & (1 << (signal.0 - 1)) != 0
    }

    /// The value of an option; of several the first that is found.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let at = self.options.iter().position(|word| word.split('=').next() == Some(name))?;
        match self.options[at].split_once('=') {
            Some((_, value)) => Some(value),
            None => self.options.get(at + 1).map(String::as_str).filter(|word| !word.starts_with('-')).or(Some("")),
        }
    }

    /// The signal by which it writes a snapshot itself (`--heapsnapshot-signal`).
    pub(super) fn snapshot_signal(&self) -> Option<Signal> {
        let name = self.option("--heapsnapshot-signal")?;
        let name = name.strip_prefix("SIG").unwrap_or(name);
        let known = signal::menu().find(|known| known.name == name)?;
        self.handles(known.signal).then_some(known.signal)
    }

    /// The ports that its options name for the inspector.
    pub(super) fn named_ports(&self) -> Vec<u16> {
        ["--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port"]
            .iter()
            .filter_map(|name| Some(place(self.option(name)?).1))
            .collect()
    }

    /// Whether its options open the inspector when it starts, maybe on a port that it picks.
    pub(super) fn opens_by_itself(&self) -> bool {
        ["--inspect", "--inspect-brk", "--inspect-wait"].iter().any(|name| self.option(name).is_some())
    }

    /// Where SIGUSR1 would open the inspector: its host, where it is named, and its port; 0 is any.
    pub(super) fn would_open(&self) -> (Option<&str>, u16) {
        ["--inspect-port", "--debug-port", "--inspect"]
            .iter()
            .find_map(|name| self.option(name))
            .map_or((None, PORT), place)
    }

    /// Why SIGUSR1 must not be sent.
    pub(super) fn why_not_usr1(&self) -> Option<String> {
        if self.options.iter().any(|option| option == "--disable-sigusr1") {
            return Some("it runs with --disable-sigusr1: start it with --inspect or --heapsnapshot-signal".into());
        }
        if !self.handles(USR1) {
            return Some(
                "it does not handle SIGUSR1 and would end by it (it starts up just now, was built without the \
                 inspector, or keeps the signal off)"
                    .into(),
            );
        }
        match self.major() {
            Some(major) if major < FIRST_WITH_INSPECTOR => {
                Some(format!("Node.js {major} has no inspector that takes heap snapshots: from 8 on it has"))
            }
            _ => self.would_open().0.filter(|host| !is_loopback(host)).map(|host| {
                format!(
                    "its options would open the inspector on {host}, where others reach it, and not on the loopback"
                )
            }),
        }
    }
}

/// `[host:]port`, or a host alone.
fn place(value: &str) -> (Option<&str>, u16) {
    if let Ok(port) = value.parse() {
        return (None, port);
    }
    match value.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (Some(host), port.parse().unwrap_or(PORT)),
        _ if value.is_empty() => (None, PORT),
        _ => (Some(value), PORT),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cmdline: &str, environ: &str) -> Node {
        let options = options(cmdline.replace(' ', "\0").as_bytes(), environ.replace(' ', "\0").as_bytes());
        Node { options, caught: 1 << 9 | 1 << 11, ..Node::default() }
    }

    #[test]
    fn the_status_tells_signals_user_pid_and_memory() {
        let status = "Uid:\t0\t1000\t0\t0\nNSpid:\t4321\t7\nRssAnon:\t  2048 kB\nVmSwap:\t  1024 kB\n\
                      SigCgt:\t0000000188004a02\n";
        let node = parse_status(status);
        assert_eq!((node.pid_inside, node.uid, node.private), (7, 1000, 3 << 20));
        assert!(node.handles(Signal(10)) == (0x1_8800_4a02u64 & (1 << 9) != 0) && node.handles(Signal(2)));
        assert!(!node.handles(Signal(9)) && !node.handles(Signal(0)) && !parse_status("").handles(USR1));
    }

    #[test]
    fn options_end_where_the_script_begins_and_go_on_in_the_environment() {
        let node = node(
            "node --heapsnapshot_signal=SIGUSR2 -r ./x.js --inspect-port 9300 app.js --disable-sigusr1",
            "A=--inspect NODE_OPTIONS=--max-old-space-size=99",
        );
        assert_eq!(node.snapshot_signal(), Some(Signal(12)));
        assert_eq!(node.would_open(), (None, 9300));
        assert_eq!((node.named_ports(), node.opens_by_itself()), (vec![9300], false));
        assert_eq!(node.option("--max-old-space-size"), Some("99"));
        assert_eq!(node.why_not_usr1(), None);
    }

    #[test]
    fn a_signal_that_would_end_it_or_open_it_to_others_is_not_sent() {
        let why = |options: &str| node(&format!("node {options} app.js"), "").why_not_usr1();
        assert_eq!(why("--inspect-port=127.0.0.1:0"), None);
        assert_eq!(why("--inspect-port=[::1]:9400"), None);
        assert!(why("--disable-sigusr1").unwrap().contains("--disable-sigusr1"));
        assert!(why("--inspect-port=0.0.0.0:9229").unwrap().contains("0.0.0.0"));
        let deaf = Node { caught: 0, ..node("node app.js", "") };
        assert!(deaf.why_not_usr1().unwrap().contains("would end by it"));
        assert_eq!(deaf.snapshot_signal(), None);
        let old = Node { version: Some("6.17.1".into()), ..node("node app.js", "") };
        assert!(old.why_not_usr1().unwrap().contains("from 8 on"));
    }

    #[test]
    fn a_title_in_place_of_the_command_line_is_no_option() {
        assert_eq!(node("my-app: worker --inspect", "").options, Vec::<String>::new());
        assert_eq!(node("node", "").would_open(), (None, PORT));
    }
}
