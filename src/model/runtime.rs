//! What runs a program (an interpreter, a virtual machine, a server with a pool of its own), and the memory limit that
//! it keeps to by itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::text::Text;

/// What runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RuntimeKind {
    /// Node.js: V8.
    Node,
    /// A Java virtual machine.
    Jvm,
    /// Python.
    Python,
    /// A program written in Go.
    Go,
    /// The common language runtime.
    DotNet,
    /// Ruby.
    Ruby,
    /// Perl.
    Perl,
    /// PHP, most often its process manager.
    Php,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis, Valkey or KeyDB.
    Redis,
    /// memcached.
    Memcached,
    /// nginx.
    Nginx,
}

impl RuntimeKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Node,
        Self::Jvm,
        Self::Python,
        Self::Go,
        Self::DotNet,
        Self::Ruby,
        Self::Perl,
        Self::Php,
        Self::Postgres,
        Self::Mysql,
        Self::Redis,
        Self::Memcached,
        Self::Nginx,
    ];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Node => "Node.js",
            Self::Jvm => "JVM",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::DotNet => ".NET",
            Self::Ruby => "Ruby",
            Self::Perl => "Perl",
            Self::Php => "PHP",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Memcached => "memcached",
            Self::Nginx => "nginx",
        }
    }

    /// Whether it keeps what others give it until it is full, and its limit may come from a file or over the network.
    pub fn is_store(self) -> bool {
        matches!(self, Self::Redis | Self::Mysql)
    }

    /// Whether its environment sets limits of its memory that every sample should hold.
    pub fn has_settings(self) -> bool {
        matches!(self, Self::Node | Self::Jvm | Self::DotNet)
    }

    /// By the name of an executable, with or without its folder and a version at its end.
    pub fn of_program(path: &str) -> Option<Self> {
        let name = path.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default();
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        Some(match plain {
            "node" | "nodejs" => Self::Node,
            "java" => Self::Jvm,
            "python" | "pypy" | "gunicorn" | "uwsgi" | "celery" | "uvicorn" => Self::Python,
            "dotnet" => Self::DotNet,
            "ruby" | "puma" | "unicorn" | "sidekiq" => Self::Ruby,
            "perl" => Self::Perl,
            "postgres" | "postmaster" => Self::Postgres,
            "mysqld" | "mariadbd" => Self::Mysql,
            // Of Debian's Redis the one file has the other's name.
            "redis-server" | "valkey-server" | "keydb-server" | "redis-check-rdb" | "valkey-check-rdb" => Self::Redis,
            "memcached" => Self::Memcached,
            "nginx" => Self::Nginx,
            _ if plain == "php" || plain.starts_with("php-") => Self::Php,
            _ => return None,
        })
    }

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Jvm => "jvm",
            Self::Python => "python",
            Self::Go => "go",
            Self::DotNet => "dotnet",
            Self::Ruby => "ruby",
            Self::Perl => "perl",
            Self::Php => "php",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Nginx => "nginx",
        }
    }
}

/// The settings about memory that a process's environment holds: `NAME=VALUE` each, ended by NUL. Nothing else of the
/// environment is ever kept: it holds passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings(Text);

impl Settings {
    /// Settings in the form of `/proc/PID/environ`.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Text::new(bytes))
    }

    /// The value of a variable, escaped.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let line = self.lines().find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(super::text::escape(line))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, as they are kept.
    pub fn as_text(&self) -> &Text {
        &self.0
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.as_bytes().split(|byte| *byte == 0).filter(|line| !line.is_empty())
    }
}

impl From<Text> for Settings {
    /// What [`Settings::as_text`] gave.
    fn from(text: Text) -> Self {
        Self(text)
    }
}

/// What is read of one process to tell what runs it and what limits that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clues {
    /// MemTotal, bytes: what defaults are shares of.
    pub machine: u64,
    /// The executable: `/proc/PID/exe`.
    pub exe: Reading<Text>,
    /// The settings about memory in `/proc/PID/environ`.
    pub settings: Reading<Settings>,
    /// Mapped files that belong to a runtime (`libjvm.so`), from `/proc/PID/maps`.
    pub libraries: Reading<Vec<Text>>,
    /// The size of the largest shared memory that it maps and that has no name, bytes: a database's buffers.
    pub shared: Option<u64>,
    /// The release of Go that built the executable, from its `.go.buildinfo`.
    pub go: Option<Text>,
    /// What a file beside the executable says of its version: node_version.h, or the `release` file of a JDK.
    pub release: Option<Text>,
    /// The configuration file that the command line names, and its lines about memory.
    pub config: Option<ConfigFile>,
    /// The counters that a JVM publishes.
    pub jvm: Option<Reading<JvmCounters>>,
}

/// A configuration file that a command line names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Where the process would find it.
    pub path: Text,
    /// The lines about memory; `None` where it can't be read.
    pub lines: Option<Text>,
}

/// What a JVM publishes in `hsperfdata`, bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JvmCounters {
    /// `java.property.java.version`.
    pub version: Option<String>,
    /// The collectors (`sun.gc.collector.N.name`).
    pub collectors: Vec<String>,
    /// Heap in use, garbage included (`sun.gc.generation.N.space.M.used`).
    pub used: u64,
    /// Heap that is committed.
    pub capacity: u64,
    /// The most that the heap may become.
    pub most: u64,
    /// Metaspace in use.
    pub metaspace: u64,
}

/// What runs a process, with its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    /// What it is.
    pub kind: RuntimeKind,
    /// Its version, where that is seen.
    pub version: Option<String>,
    /// The limit that it keeps to by itself.
    pub limit: OwnLimit,
    /// What it has in use of what the limit is about.
    pub used: Option<InUse>,
    /// Its anonymous memory in RAM and in swap, bytes, where that is known: no heap has more in use.
    pub private: Option<u64>,
    /// Whatever else says how it uses memory: a name and a value each.
    pub facts: Vec<(&'static str, String)>,
}

/// How much of a limit is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub source: &'static str,
}

impl Runtime {
    /// What is left until a limit: by what is in use of it, else at least by all private memory. `None` where neither is
    /// known, or where the process has more than the limit bounds.
    pub fn left(&self, limit: &KnownLimit) -> Option<u64> {
        limit.bytes.checked_sub(self.used.map_or(self.private, |used| Some(used.bytes))?)
    }
}

/// A limit of a runtime's own.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnLimit {
    /// There is one.
    Known(KnownLimit),
    /// There may be one where it can't be seen: where to look, as a sentence without its full stop.
    Unseen(String),
    /// There is none: why, as a sentence without its full stop.
    Without(String),
}

/// A limit that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownLimit {
    /// Bytes.
    pub bytes: u64,
    /// What it bounds: `heap`.
    pub of: &'static str,
    /// Who says so.
    pub source: String,
    /// What happens there, as a sentence without its full stop.
    pub then: &'static str,
    /// Somebody set it; otherwise it is the runtime's default.
    pub is_told: bool,
    /// How it keeps to it.
    pub keeping: Keeping,
}

/// How a program keeps to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It fills this much as it sees fit, and then makes room by itself: a cache, a collected heap.
    Fills,
    /// It ends when it needs more.
    Ends,
    /// It works harder to stay below, or lets a request fail; nothing ends.
    Strains,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn settings_are_found_by_their_whole_name() {
        let settings = Settings::new(*b"XGOGC=1\0GOGC=50\0GOMEMLIMIT=1GiB\0");
        assert_eq!(settings.get("GOGC").as_deref(), Some("50"));
        assert_eq!(settings.get("GOMEMLIMIT").as_deref(), Some("1GiB"));
        assert_eq!(settings.get("GOMEM"), None);
        assert_eq!(Settings::from(settings.as_text().clone()), settings);
        assert!(Settings::default().is_empty() && Settings::default().get("GOGC").is_none());
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let keys: BTreeSet<_> = RuntimeKind::ALL.iter().map(|kind| kind.key()).collect();
        let titles: BTreeSet<_> = RuntimeKind::ALL.iter().map(|kind| kind.title()).collect();
        assert_eq!((keys.len(), titles.len()), (RuntimeKind::ALL.len(), RuntimeKind::ALL.len()));
    }
}
