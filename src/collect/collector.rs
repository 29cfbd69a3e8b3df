//! The collector: one [`Sample`] after another of the same machine, at a bounded cost.

use std::sync::Arc;
use std::time::Duration;

use super::cgroup::{binding_limit, parse_membership};
use super::cgroups::CgroupReader;
use super::clock::{now, thread_cpu_us};
use super::demand::Demand;
use super::error::CollectError;
use super::host::read_host;
use super::limits::LimitReader;
use super::process::ProcessReader;
use super::root::ProcRoot;
use super::system::SystemReader;
use super::table::ProcessTable;
use super::turn::{FIRST_LOOK, Turn};
use crate::model::cgroup::{CgroupLimit, Membership};
use crate::model::reading::{BootMs, Feature, Need, Reading};
use crate::model::sample::{Host, Sample, Scan};
use crate::model::system::SystemSample;

/// Reads the machine again and again.
pub struct Collector {
    root: ProcRoot,
    reader: ProcessReader,
    system: SystemReader,
    table: ProcessTable,
    turn: Turn,
    host: Arc<Host>,
    host_read_at: BootMs,
    own_cgroup: Option<Membership>,
    limits: LimitReader,
    cgroups: CgroupReader,
    is_first: bool,
}

/// Users are looked up again this often where a process belongs to an unknown one, milliseconds.
const USERS_AGE_MS: u64 = 60_000;

/// The part of the reading budget that the limits of control groups may take.
const LIMITS_SHARE: f64 = 0.25;

impl Collector {
    /// Opens procfs. Fails where there is none.
    pub fn new(root: ProcRoot) -> Result<Self, CollectError> {
        let mut reader = ProcessReader::new(&root)?;
        let own_cgroup = read_own_cgroup(&root, &mut reader);
        let mut system = SystemReader::new();
        let mem_total = system.read(&root, reader.buffer())?.meminfo.mem_total.value().unwrap_or(0);
        Ok(Self {
            table: ProcessTable::new(&root, &reader, mem_total),
            host: Arc::new(read_host(&root)),
            host_read_at: BootMs(0),
            system,
            turn: Turn::default(),
            is_first: true,
            own_cgroup,
            limits: LimitReader::default(),
            cgroups: CgroupReader::default(),
            reader,
            root,
        })
    }

    /// Takes the next sample. `interval` is the time until the one after it: the measure of the budget.
    pub fn sample(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError> {
        let cpu_before = thread_cpu_us();
        let (at, wall_ms) = now(&self.root, self.reader.buffer());
        self.table.refresh(&self.root, &mut self.reader, at)?;
        let allowance = std::mem::take(&mut self.is_first).then_some(FIRST_LOOK);
        let entries = self.table.entries_mut();
        let mut turned = self.turn.take(entries, demand, at, interval, allowance, &mut self.reader);
        self.table.remove(&mut turned.ended);
        self.refresh_users(at);
        let mut system = read_system(&mut self.system, &self.root, &mut self.reader, self.own_cgroup.as_ref(), at)?;
        let allowance = interval.mul_f64((demand.budget * LIMITS_SHARE).clamp(0.0, 1.0));
        system.bound_groups = self.limits.read(
            &self.root,
            self.table.entries().iter().map(|entry| &entry.process.identity.cgroup),
            system.meminfo.mem_total.value().unwrap_or(u64::MAX),
            at,
            allowance,
            self.reader.buffer(),
        );
        if demand.cgroups {
            system.cgroups = Some(self.cgroups.read(&self.root, at, allowance, self.reader.buffer()));
        } else {
            self.cgroups.rest();
        }
        let entries = self.table.entries();
        let processes: Vec<_> = entries.iter().map(|entry| Arc::clone(&entry.process)).collect();
        let denied = processes.iter().filter(|process| process.is_denied()).count() as u32;
        Ok(Sample {
            wall_ms,
            at,
            closer: None,
            deeds: Vec::new(),
            interval_ms: interval.as_millis() as u64,
            host: Arc::clone(&self.host),
            system,
            scan: Scan {
                cost_us: thread_cpu_us().saturating_sub(cpu_before),
                denied: denied + self.table.hidden,
                pending: turned.pending,
                is_hiding: self.table.hidden > 0 || processes.first().is_none_or(|first| first.key.pid != 1),
                missed: 0,
            },
            processes,
        })
    }

    fn refresh_users(&mut self, at: BootMs) {
        if !self.root.is_live || at.since(self.host_read_at) < USERS_AGE_MS {
            return;
        }
        self.host_read_at = at;
        let users = &self.host.users;
        if self.table.entries().iter().any(|entry| !users.contains_key(&entry.process.identity.uid)) {
            let host = read_host(&self.root);
            if host != *self.host {
                self.host = Arc::new(host);
            }
        }
    }
}

pub(super) fn read_own_cgroup(root: &ProcRoot, reader: &mut ProcessReader) -> Option<Membership> {
    reader.buffer().read_path(&root.proc.join("self/cgroup")).ok().map(parse_membership)
}

/// The machine's part of a sample.
pub(super) fn read_system(
    system: &mut SystemReader,
    root: &ProcRoot,
    reader: &mut ProcessReader,
    own_cgroup: Option<&Membership>,
    at: BootMs,
) -> Result<SystemSample, CollectError> {
    let mut sample = system.read(root, reader.buffer())?;
    sample.uptime_s = at.0 / 1000;
    sample.sysv_shm = system.sysv_shm(root, reader.buffer(), at);
    let mem_total = sample.meminfo.mem_total.value().unwrap_or(u64::MAX);
    sample.cgroup_limit = own_cgroup.map_or(Reading::Unsupported(Need::Feature(Feature::MemoryController)), |own| {
        Reading::Value(limit_of(root, own, mem_total, reader))
    });
    Ok(sample)
}

fn limit_of(root: &ProcRoot, own: &Membership, mem_total: u64, reader: &mut ProcessReader) -> Option<CgroupLimit> {
    binding_limit(root, own, mem_total, reader.buffer())
}
