//! The fields of a process.

use super::{Aggregate, Source, SourceSet, Unit, Value};
use crate::model::mark::Marked;
use crate::model::process::Status;
use crate::model::reading::{Need, Reading};
use crate::model::snapshot::Row;

/// A quantity of a process.
#[derive(Debug)]
pub struct ProcessField {
    /// Its name in filters, configuration, JSON and CSV.
    pub key: &'static str,
    /// The column's head.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Where it comes from.
    pub source: Source,
    /// The column's width; 0 takes what is left.
    pub width: u16,
    /// How soon the column goes where there is no room: the larger, the sooner; 0 after all others, from the right.
    pub dispensable: u8,
    /// How it is summed over a group.
    pub aggregate: Aggregate,
    /// The oldest kernel that has it (major, minor); (0, 0) for all.
    pub since: (u8, u8),
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Reads it from a row.
    pub get: for<'a> fn(&Row<'a>) -> Reading<Value<'a>>,
}

impl PartialEq for ProcessField {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ProcessField {}

impl ProcessField {
    /// What must be read for it: a share of a limit needs the limit too, a change what changes.
    pub fn sources(&self) -> SourceSet {
        let limit = (self.key == "fd_percent").then_some(Source::Limits);
        let changing = self.marked().map(|what| what.field().source);
        [self.source].into_iter().chain(limit).chain(changing).collect()
    }

    /// The quantity whose change since the mark it is, if it is one.
    pub fn marked(&self) -> Option<Marked> {
        if self.source == Source::Mark { Marked::of_change(self.key) } else { None }
    }

    /// Why a reading of it is no value, as a sentence without its full stop; `None` where it is one.
    pub fn explain(&self, reading: &Reading<Value<'_>>) -> Option<String> {
        match (self.source, reading) {
            (Source::History, Reading::Pending) => Some(tr!("not known yet: it takes 20 s of history").into()),
            _ => reading.explain(),
        }
    }

    /// Whether the first press of its sort key should put the largest on top.
    pub fn sorts_descending(&self) -> bool {
        (self.unit.is_number() && !matches!(self.key, "pid" | "ppid")) || self.key == "verdict"
    }
}

/// The field of this key.
pub fn process_field(key: &str) -> Option<&'static ProcessField> {
    PROCESS_FIELDS.iter().find(|field| field.key == key)
}

macro_rules! fields {
    ($($key:literal $title:literal $unit:ident $source:ident $width:literal $([goes $goes:literal])? $aggregate:ident $since:expr, $help:literal, $get:expr;)*) => {
        /// Every quantity of a process, in the order in which menus list them.
        pub const PROCESS_FIELDS: &[ProcessField] = &[$(ProcessField {
            key: $key, title: $title, unit: Unit::$unit, source: Source::$source, width: $width,
            dispensable: 0 $(+ $goes)?, aggregate: Aggregate::$aggregate, since: $since, help: $help, get: $get,
        }),*];
    };
}

fields! {
    "pid" "PID" Count Key 7 None (0, 0), "Process id.", |row| Reading::Value(Value::Count(row.process.key.pid.into()));
    "ppid" "PPID" Count Stat 7 None (0, 0), "Process id of the parent.",
        |row| row.aged(&row.process.stat).map(|stat| Value::Count(stat.ppid.into()));
    "user" "USER" Text Identity 9 [goes 6] None (0, 0), "Effective user.", |row| Reading::Value(Value::Text(row.user()));
    "state" "S" Text Stat 2 None (0, 0), "State: R runs, S sleeps, D waits for a device, Z zombie, T stopped, I idle.",
        |row| row.aged(&row.process.stat).map(|stat| Value::Text(char::from(stat.state).to_string().into()));
    "pss" "PSS" Bytes Rollup 6 Sum (4, 14),
        "Proportional set size: resident memory, each shared page divided by the number of processes that map it.",
        |row| row.aged(&row.process.rollup).map(|rollup| Value::Bytes(rollup.pss));
    "rss" "RSS" Bytes Statm 6 [goes 2] UpperBound (0, 0), "Resident set size: memory in RAM, shared pages counted in full.",
        |row| row.process.resident.map(|resident| Value::Bytes(resident.rss));
    "uss" "USS" Bytes Rollup 6 [goes 9] Sum (4, 14), "Unique set size: private memory, what the machine gets back when the process ends.",
        |row| row.aged(&row.process.rollup).map(|rollup| Value::Bytes(rollup.uss));
    "swap" "SWAP" Bytes Status 6 [goes 8] Sum (0, 0), "Anonymous memory that was swapped out (VmSwap).", |row| row.swap().map(Value::Bytes);
    "swap_pss" "SWPSS" Bytes Rollup 6 Sum (4, 14), "Swap, each shared entry divided by the number of processes that share it.",
        |row| row.aged(&row.process.rollup).map(|rollup| Value::Bytes(rollup.swap_pss));
    "footprint" "FOOT" Bytes Rollup 6 Sum (4, 14), "PSS + SwapPss: the honest cost of a process.",
        |row| row.aged(&row.process.rollup).map(|rollup| Value::Bytes(rollup.footprint()));
    "private" "PRIV" Bytes Statm 6 UpperBound (0, 0), "Anonymous memory in RAM and in swap: what a leak is made of.",
        |row| row.process.resident.map(|resident| Value::Bytes(resident.anon() + row.swap().value().unwrap_or(0)));
    "anon" "ANON" Bytes Statm 6 UpperBound (0, 0), "Anonymous memory in RAM: heap, stacks, private mappings.",
        |row| row.process.resident.map(|resident| Value::Bytes(resident.anon()));
    "file" "FILE" Bytes Status 6 UpperBound (4, 5), "Mapped files in RAM (RssFile).", |row| status(row, |status| status.rss_file);
    "shmem" "SHMEM" Bytes Status 6 UpperBound (4, 5), "Shared memory and tmpfs in RAM (RssShmem).", |row| status(row, |status| status.rss_shmem);
    "fds" "FD" Count Fds 6 [goes 4] Sum (0, 0), "Open file descriptors.",
        |row| row.aged(&row.process.fds).map(|fds| Value::Count(fds.into()));
    "fd_limit" "FDMAX" Count Limits 8 None (0, 0), "The most file descriptors it may open (RLIMIT_NOFILE, soft).",
        |row| row.process.fd_limit.reading.map(Value::Count);
    "fd_percent" "FD%" Percent Fds 5 Max (0, 0), "Open file descriptors as a share of the limit.",
        |row| row.aged(&row.process.fds).and_then(|fds| {
            row.process.fd_limit.reading.map(|limit| Value::Percent(f64::from(fds) * 100.0 / limit.max(1) as f64))
        });
    "threads" "THR" Count Stat 5 [goes 1] Sum (0, 0), "Threads.", |row| row.aged(&row.process.stat).map(|stat| Value::Count(stat.threads.into()));
    "history" "HISTORY" Series History 12 [goes 5] Sum (0, 0), "Private memory and swap over time.", |row| row.growth().map(Value::BytesPerMinute);
    "growth" "+/MIN" BytesPerMinute History 8 [goes 3] Sum (0, 0), "Growth of private memory and swap per minute: the median slope over the history, not one step.",
        |row| row.growth().map(Value::BytesPerMinute);
    "verdict" "VERDICT" Text History 11 [goes 7] Worst (0, 0),
        "How its memory, descriptors and threads behave over time, and how sure that is in percent.",
        |row| row.verdict().map(|(verdict, percent)| Value::verdict(verdict, percent));
    "pss_change" "+PSS" BytesChange Mark 7 Sum (4, 14), "Change of PSS since the mark; new is who came after it.", |row| row.change(Marked::Pss);
    "rss_change" "+RSS" BytesChange Mark 7 [goes 11] UpperBound (0, 0), "Change of RSS since the mark.", |row| row.change(Marked::Rss);
    "uss_change" "+USS" BytesChange Mark 7 [goes 13] Sum (4, 14), "Change of USS since the mark.", |row| row.change(Marked::Uss);
    "swap_change" "+SWAP" BytesChange Mark 7 [goes 12] Sum (0, 0), "Change of swap since the mark.", |row| row.change(Marked::Swap);
    "private_change" "+PRIV" BytesChange Mark 7 UpperBound (0, 0), "Change of anonymous memory in RAM and in swap since the mark.",
        |row| row.change(Marked::Private);
    "footprint_change" "+FOOT" BytesChange Mark 7 Sum (4, 14), "Change of PSS + SwapPss since the mark.", |row| row.change(Marked::Footprint);
    "fds_change" "+FD" CountChange Mark 6 [goes 10] Sum (0, 0), "Change of open file descriptors since the mark.", |row| row.change(Marked::Fds);
    "threads_change" "+THR" CountChange Mark 6 Sum (0, 0), "Change of threads since the mark.", |row| row.change(Marked::Threads);
    "mem_percent" "MEM%" Percent Statm 5 UpperBound (0, 0), "RSS as a share of the machine's RAM.",
        |row| row.process.resident.and_then(|resident| {
            row.snapshot.sample.system.meminfo.mem_total.map(|total| Value::Percent(resident.rss as f64 * 100.0 / total.max(1) as f64))
        });
    "age" "AGE" Milliseconds Key 6 Max (0, 0), "Time since the process started.", |row| {
        let started = row.process.key.start_time.saturating_mul(1000) / row.snapshot.sample.host.clock_ticks.max(1);
        Reading::Value(Value::Milliseconds(row.now().0.saturating_sub(started)))
    };
    "major_faults" "MAJFLT" Count Stat 8 Sum (0, 0), "Page faults that needed the disk since the process started.",
        |row| row.aged(&row.process.stat).map(|stat| Value::Count(stat.major_faults));
    "oom_score" "OOM" Count OomScore 5 Max (0, 0), "How near the process is to being the OOM killer's choice.",
        |row| row.aged(&row.process.oom_score).map(|score| Value::Count(score.into()));
    "peak_rss" "PEAK" Bytes Status 6 Max (0, 0), "The highest RSS so far (VmHWM).", |row| status(row, |status| Reading::Value(status.peak_rss));
    "page_tables" "PTE" Bytes Status 6 Sum (0, 0), "Page tables (VmPTE).", |row| status(row, |status| Reading::Value(status.page_tables));
    "locked" "LCK" Bytes Status 6 UpperBound (0, 0), "Memory locked in RAM (VmLck).", |row| status(row, |status| Reading::Value(status.locked));
    "hugetlb" "HUGE" Bytes Status 6 UpperBound (4, 4), "Explicit huge pages, in neither RSS nor PSS.", |row| status(row, |status| Reading::Value(status.hugetlb));
    "anon_huge" "THP" Bytes Rollup 6 Sum (4, 14), "Anonymous memory in transparent huge pages.",
        |row| row.aged(&row.process.rollup).map(|rollup| Value::Bytes(rollup.anon_huge));
    "pss_anon" "PANON" Bytes Rollup 6 Sum (5, 2), "The anonymous part of PSS.", |row| pss_part(row, 0);
    "pss_file" "PFILE" Bytes Rollup 6 Sum (5, 2), "The file part of PSS.", |row| pss_part(row, 1);
    "pss_shmem" "PSHM" Bytes Rollup 6 Sum (5, 2), "The shared-memory part of PSS.", |row| pss_part(row, 2);
    "size" "VIRT" Bytes Statm 6 UpperBound (0, 0), "Address space, whether or not anything is in it.",
        |row| row.process.resident.map(|resident| Value::Bytes(resident.size));
    "unit" "UNIT" Text Identity 20 None (0, 0), "systemd unit.", |row| optional_text(row.process.identity.cgroup.unit());
    "container" "CONTAINER" Text Identity 20 None (0, 0), "Container: engine and short id.",
        |row| optional_text(row.process.identity.cgroup.container().map(Into::into));
    "cgroup" "CGROUP" Text Identity 24 None (0, 0), "Control group that accounts its memory.",
        |row| Reading::Value(Value::Text(row.process.identity.cgroup.memory.escaped()));
    "name" "NAME" Text Identity 16 None (0, 0), "The kernel's name of the task (comm).",
        |row| Reading::Value(Value::Text(row.process.identity.comm.escaped()));
    "command" "COMMAND" Text Identity 0 None (0, 0), "Command line; in brackets, the name of a process that has none.",
        |row| Reading::Value(Value::Text(row.process.identity.shown_command()));
}

fn status<'a>(row: &Row<'a>, part: fn(Status) -> Reading<u64>) -> Reading<Value<'a>> {
    row.aged(&row.process.status).and_then(part).map(Value::Bytes)
}

fn pss_part<'a>(row: &Row<'a>, part: usize) -> Reading<Value<'a>> {
    row.aged(&row.process.rollup).and_then(|rollup| match rollup.pss_parts {
        Some(parts) => Reading::Value(Value::Bytes(parts[part])),
        None => Reading::Unsupported(Need::Kernel(5, 2)),
    })
}

fn optional_text(text: Option<std::borrow::Cow<'_, str>>) -> Reading<Value<'_>> {
    text.map_or(Reading::Unsupported(Need::NotApplicable), |text| Reading::Value(Value::Text(text)))
}
