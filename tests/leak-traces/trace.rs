//! The recordings of the benchmark: JSON Lines of what changed from one sample to the next, compressed by zstd.
//!
//! The first line is a [`Header`]. Each further line is a sample: its times, the lines of meminfo and vmstat that
//! moved, the limits that were read anew, the parts of processes that changed, and the pids that ended. What a scan
//! cost is not kept. This is a test asset, not the format that memtide records in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::Path;
use std::sync::Arc;

use memtide::model::cgroup::{BoundGroup, CgroupLimit};
use memtide::model::key::ProcessKey;
use memtide::model::process::{Identity, ProcessSample, Resident, Rollup, Stat, Status};
use memtide::model::reading::{BootMs, Reading, Stamped};
use memtide::model::sample::{Host, Sample, Scan};
use memtide::model::system::{Pressure, SwapDevice, SystemSample, SysvShm, Zram};
use memtide::model::text::Text;
use serde::{Deserialize, Serialize};

/// The version of the format that is written and read.
const VERSION: u32 = 1;

/// zstd's level: recordings are written once and read often.
const LEVEL: i32 = 19;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Of the format.
    pub version: u32,
    /// What was played.
    pub scene: String,
    /// Where.
    pub host: Host,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: BootMs,
    wall_ms: i64,
    interval_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended: Vec<u32>,
    system: SystemChange,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    processes: Vec<ProcessChange>,
}

macro_rules! change {
    ($(#[$doc:meta])* $change:ident of $whole:ident { $($field:ident: $kind:ty,)* } and { $($extra:ident: $extra_kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize)]
        struct $change {
            $(#[serde(default, skip_serializing_if = "is_default")] $extra: $extra_kind,)*
            $(#[serde(default, skip_serializing_if = "Option::is_none")] $field: Option<$kind>,)*
        }

        impl $change {
            fn between(old: &$whole, new: &$whole, $($extra: $extra_kind),*) -> Self {
                Self { $($extra,)* $($field: (old.$field != new.$field).then(|| new.$field.clone()),)* }
            }

            fn apply(self, to: &mut $whole) {
                $(if let Some(new) = self.$field { to.$field = new; })*
            }
        }
    };
}

change! {
    /// What changed of the machine. A line of meminfo or vmstat has a value or is not there at all.
    SystemChange of SystemSample {
        pressure: Reading<Pressure>,
        swaps: Vec<SwapDevice>,
        zram: Vec<Zram>,
        zfs_arc: Reading<u64>,
        cgroup_limit: Reading<Option<CgroupLimit>>,
        sysv_shm: Reading<SysvShm>,
    } and {
        meminfo: BTreeMap<String, u64>,
        vmstat: BTreeMap<String, u64>,
        bound: Vec<Arc<BoundGroup>>,
        freed: Vec<Text>,
    }
}

change! {
    /// What changed of a process. `start_time` and `identity` are there in its first line.
    ProcessChange of ProcessSample {
        identity: Arc<Identity>,
        resident: Reading<Resident>,
        stat: Stamped<Stat>,
        status: Stamped<Status>,
        rollup: Stamped<Rollup>,
        fds: Stamped<u32>,
        fd_limit: Stamped<u64>,
        oom_score: Stamped<u32>,
    } and {
        pid: u32,
        start_time: Option<u64>,
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes a recording.
pub struct Writer {
    out: zstd::Encoder<'static, BufWriter<File>>,
    system: SystemSample,
    processes: BTreeMap<u32, Arc<ProcessSample>>,
}

impl Writer {
    /// A new recording of a scene.
    pub fn create(path: &Path, scene: &str, host: &Host) -> io::Result<Self> {
        let mut out = zstd::Encoder::new(BufWriter::new(File::create(path)?), LEVEL)?;
        out.long_distance_matching(true)?;
        let header = Header { version: VERSION, scene: scene.to_owned(), host: host.clone() };
        write_line(&mut out, &header)?;
        Ok(Self { out, system: SystemSample::default(), processes: BTreeMap::new() })
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: &Sample) -> io::Result<()> {
        let now: BTreeMap<u32, Arc<ProcessSample>> =
            sample.processes.iter().map(|process| (process.key.pid, Arc::clone(process))).collect();
        let ended = self.processes.keys().copied().filter(|pid| !now.contains_key(pid)).collect();
        let processes = now.values().filter_map(|process| self.change_of(process)).collect();
        let line = Line {
            at: sample.at,
            wall_ms: sample.wall_ms,
            interval_ms: sample.interval_ms,
            ended,
            system: system_change(&self.system, &sample.system),
            processes,
        };
        self.system = sample.system.clone();
        self.processes = now;
        write_line(&mut self.out, &line)
    }

    fn change_of(&self, process: &Arc<ProcessSample>) -> Option<ProcessChange> {
        let pid = process.key.pid;
        match self.processes.get(&pid) {
            Some(old) if old == process => None,
            Some(old) if old.key == process.key => Some(ProcessChange::between(old, process, pid, None)),
            _ => {
                let nothing = ProcessSample::found(process.key, Arc::default());
                let mut change = ProcessChange::between(&nothing, process, pid, Some(process.key.start_time));
                change.identity = Some(Arc::clone(&process.identity));
                Some(change)
            }
        }
    }

    /// Completes the file.
    pub fn finish(self) -> io::Result<()> {
        self.out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn write_line(out: &mut impl io::Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn system_change(old: &SystemSample, new: &SystemSample) -> SystemChange {
    let bound = new.bound_groups.iter().filter(|group| !old.bound_groups.contains(group)).cloned().collect();
    let is_bound = |path: &Text| new.bound_groups.iter().any(|group| group.memory == *path);
    let freed = old.bound_groups.iter().map(|group| group.memory.clone()).filter(|path| !is_bound(path)).collect();
    let meminfo = lines_that_moved(old.meminfo.lines(), new.meminfo.lines());
    let vmstat = lines_that_moved(old.vmstat.lines(), new.vmstat.lines());
    SystemChange::between(old, new, meminfo, vmstat, bound, freed)
}

type NamedReading = (&'static str, Reading<u64>);

fn lines_that_moved(
    old: impl Iterator<Item = NamedReading>,
    new: impl Iterator<Item = NamedReading>,
) -> BTreeMap<String, u64> {
    old.zip(new)
        .filter(|((_, old), (_, new))| old != new)
        .filter_map(|(_, (name, new))| Some((name.to_owned(), new.value()?)))
        .collect()
}

/// Reads a recording: an iterator over its samples. A process that did not change is the same allocation.
pub struct Reader {
    /// The first line.
    pub header: Header,
    lines: io::Lines<BufReader<zstd::Decoder<'static, BufReader<File>>>>,
    host: Arc<Host>,
    system: SystemSample,
    processes: BTreeMap<u32, Arc<ProcessSample>>,
}

impl Reader {
    /// Opens a recording.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut lines = BufReader::new(zstd::Decoder::new(File::open(path)?)?).lines();
        let first = lines.next().ok_or_else(|| invalid("the recording is empty"))??;
        let header: Header = serde_json::from_str(&first)?;
        if header.version != VERSION {
            return Err(invalid("the recording is of another version"));
        }
        let host = Arc::new(header.host.clone());
        Ok(Self { header, lines, host, system: SystemSample::default(), processes: BTreeMap::new() })
    }

    fn take_in(&mut self, line: &str) -> io::Result<Sample> {
        let line: Line = serde_json::from_str(line)?;
        for pid in &line.ended {
            self.processes.remove(pid);
        }
        for change in line.processes {
            self.apply(change)?;
        }
        apply_system(&mut self.system, line.system);
        self.system.uptime_s = line.at.0 / 1000;
        Ok(Sample {
            wall_ms: line.wall_ms,
            at: line.at,
            closer: None,
            deeds: Vec::new(),
            interval_ms: line.interval_ms,
            host: Arc::clone(&self.host),
            system: self.system.clone(),
            processes: self.processes.values().cloned().collect(),
            scan: Scan::default(),
        })
    }

    fn apply(&mut self, change: ProcessChange) -> io::Result<()> {
        let pid = change.pid;
        if let Some(start_time) = change.start_time {
            let key = ProcessKey { pid, start_time };
            self.processes.insert(pid, Arc::new(ProcessSample::found(key, Arc::default())));
        }
        let process = self.processes.get_mut(&pid).ok_or_else(|| invalid("a process changes before it is there"))?;
        change.apply(Arc::make_mut(process));
        Ok(())
    }
}

impl Iterator for Reader {
    type Item = io::Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| self.take_in(&line)))
    }
}

fn apply_system(system: &mut SystemSample, mut change: SystemChange) {
    for (name, value) in std::mem::take(&mut change.meminfo) {
        if let Some(line) = system.meminfo.line_mut(name.as_bytes()) {
            *line = Reading::Value(value);
        }
    }
    for (name, value) in std::mem::take(&mut change.vmstat) {
        if let Some(line) = system.vmstat.line_mut(name.as_bytes()) {
            *line = Reading::Value(value);
        }
    }
    let mut groups: BTreeMap<Text, Arc<BoundGroup>> =
        std::mem::take(&mut system.bound_groups).into_iter().map(|group| (group.memory.clone(), group)).collect();
    groups.extend(std::mem::take(&mut change.bound).into_iter().map(|group| (group.memory.clone(), group)));
    for path in &change.freed {
        groups.remove(path);
    }
    system.bound_groups = groups.into_values().collect();
    change.apply(system);
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
