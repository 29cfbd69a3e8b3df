//! The fields of the machine.

use super::{Unit, Value};
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::system::Meminfo;

/// A quantity of the machine.
#[derive(Debug)]
pub struct SystemField {
    /// Its name in JSON, CSV and rules.
    pub key: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Reads it.
    pub get: fn(&Snapshot) -> Reading<Value<'static>>,
}

macro_rules! fields {
    ($($key:literal $line:ident $help:literal;)* $($derived:ident $dkey:literal $dhelp:literal, $get:expr;)*) => {
        /// Every quantity of the machine, in the order in which it is exported.
        pub const SYSTEM_FIELDS: &[SystemField] = &[$(SystemField {
            key: $key, unit: Unit::Bytes, help: $help,
            get: |snapshot| snapshot.sample.system.meminfo.$line.map(Value::Bytes),
        },)* $(SystemField { key: $dkey, unit: Unit::$derived, help: $dhelp, get: $get },)*];
    };
}

fields! {
    "mem_total" mem_total "RAM the kernel manages (MemTotal).";
    "mem_free" mem_free "Pages that hold nothing (MemFree).";
    "mem_available" mem_available "What programs can still have without swapping (MemAvailable).";
    "mem_buffers" buffers "Block device buffers.";
    "mem_cached" cached "Page cache, tmpfs and shared memory included (Cached).";
    "mem_anon" anon_pages "Anonymous memory of processes (AnonPages).";
    "mem_shmem" shmem "tmpfs and shared memory (Shmem).";
    "mem_slab_reclaimable" s_reclaimable "Kernel caches that can be given back (SReclaimable).";
    "mem_slab_unreclaimable" s_unreclaim "Kernel objects that can't (SUnreclaim).";
    "mem_page_tables" page_tables "Page tables.";
    "mem_kernel_stack" kernel_stack "Kernel stacks.";
    "mem_percpu" percpu "Per-CPU allocations.";
    "mem_dirty" dirty "Pages that wait to be written.";
    "swap_total" swap_total "Swap space.";
    "swap_free" swap_free "Unused swap space.";
    Bytes "mem_used" "MemTotal - MemAvailable, as free(1) counts it since procps 4.0.1.",
        |snapshot| snapshot.sample.system.meminfo.used().map(Value::Bytes);
    Percent "mem_used_percent" "mem_used as a share of MemTotal.",
        |snapshot| share(&snapshot.sample.system.meminfo, Meminfo::used, |mem| mem.mem_total);
    Bytes "swap_used" "Swap in use.",
        |snapshot| snapshot.sample.system.meminfo.swap_used().map(Value::Bytes);
    Percent "swap_used_percent" "Swap in use as a share of swap space.",
        |snapshot| share(&snapshot.sample.system.meminfo, Meminfo::swap_used, |mem| mem.swap_total);
    BytesPerSecond "swap_in" "Bytes swapped in a second.",
        |snapshot| snapshot.rates.map(|rates| Value::BytesPerSecond(rates.swap_in));
    BytesPerSecond "swap_out" "Bytes swapped out a second.",
        |snapshot| snapshot.rates.map(|rates| Value::BytesPerSecond(rates.swap_out));
    PerSecond "major_faults" "Page faults a second that needed the disk.",
        |snapshot| snapshot.rates.map(|rates| Value::PerSecond(rates.major_faults));
    Percent "psi_some" "Share of the last 10 s in which some task waited for memory (PSI some avg10).",
        |snapshot| snapshot.sample.system.pressure.map(|psi| Value::Percent(psi.some.avg10.into()));
    Percent "psi_full" "Share of the last 10 s in which all tasks waited for memory (PSI full avg10).",
        |snapshot| snapshot.sample.system.pressure.map(|psi| Value::Percent(psi.full.avg10.into()));
    Count "oom_kills" "Kills by the OOM killer since boot.",
        |snapshot| snapshot.sample.system.vmstat.oom_kills.map(Value::Count);
    Count "processes" "Processes that were seen.",
        |snapshot| Reading::Value(Value::Count(snapshot.sample.processes.len() as u64));
}

fn share(
    mem: &Meminfo,
    part: fn(&Meminfo) -> Reading<u64>,
    whole: fn(&Meminfo) -> Reading<u64>,
) -> Reading<Value<'static>> {
    part(mem).and_then(|part| whole(mem).map(|whole| Value::Percent(part as f64 * 100.0 / whole.max(1) as f64)))
}
