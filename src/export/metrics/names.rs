//! What is exported under which name, and what others call it: node_exporter, process-exporter, the client libraries of
//! Prometheus, and OpenTelemetry's semantic conventions.
//!
//! A field's name is made from its key and its unit ([`of_process`], [`of_machine`]); the tables here add what a name
//! can't tell: whether it is a counter, and the names elsewhere.

use std::fmt::Write as _;

use super::{Kind, base_unit, with_unit};
use crate::model::field::{ProcessField, SystemField, Unit};

/// What others call a quantity; empty where they do not have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elsewhere {
    /// node_exporter, or for processes process-exporter or the Prometheus client libraries.
    pub prometheus: &'static str,
    /// OpenTelemetry's semantic conventions.
    pub opentelemetry: &'static str,
}

macro_rules! elsewhere {
    ($($name:literal $prometheus:literal $opentelemetry:literal;)*) => {
        /// Our names that others have one for.
        pub const KNOWN: &[&str] = &[$($name),*];

        /// What others call what we call `name`.
        pub fn elsewhere(name: &str) -> Elsewhere {
            match name {
                $($name => Elsewhere { prometheus: $prometheus, opentelemetry: $opentelemetry },)*
                _ => Elsewhere::default(),
            }
        }
    };
}

elsewhere! {
    "memtide_mem_total_bytes" "node_memory_MemTotal_bytes" "system.memory.limit";
    "memtide_mem_free_bytes" "node_memory_MemFree_bytes" "system.memory.usage{system.memory.state=free}";
    "memtide_mem_available_bytes" "node_memory_MemAvailable_bytes" "system.linux.memory.available";
    "memtide_mem_buffers_bytes" "node_memory_Buffers_bytes" "system.memory.usage{system.memory.state=buffers}";
    "memtide_mem_cached_bytes" "node_memory_Cached_bytes" "system.memory.usage{system.memory.state=cached}";
    "memtide_mem_anon_bytes" "node_memory_AnonPages_bytes" "";
    "memtide_mem_shmem_bytes" "node_memory_Shmem_bytes" "system.memory.shared";
    "memtide_mem_slab_reclaimable_bytes" "node_memory_SReclaimable_bytes" "system.linux.memory.slab.usage{system.linux.memory.slab.state=reclaimable}";
    "memtide_mem_slab_unreclaimable_bytes" "node_memory_SUnreclaim_bytes" "system.linux.memory.slab.usage{system.linux.memory.slab.state=unreclaimable}";
    "memtide_mem_page_tables_bytes" "node_memory_PageTables_bytes" "";
    "memtide_mem_kernel_stack_bytes" "node_memory_KernelStack_bytes" "";
    "memtide_mem_percpu_bytes" "node_memory_Percpu_bytes" "";
    "memtide_mem_dirty_bytes" "node_memory_Dirty_bytes" "";
    "memtide_mem_used_bytes" "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes" "";
    "memtide_mem_used_ratio" "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes" "";
    "memtide_swap_total_bytes" "node_memory_SwapTotal_bytes" "system.paging.usage (sum)";
    "memtide_swap_free_bytes" "node_memory_SwapFree_bytes" "system.paging.usage{system.paging.state=free}";
    "memtide_swap_used_bytes" "node_memory_SwapTotal_bytes - node_memory_SwapFree_bytes" "system.paging.usage{system.paging.state=used}";
    "memtide_swap_used_ratio" "1 - node_memory_SwapFree_bytes / node_memory_SwapTotal_bytes" "system.paging.utilization";
    "memtide_processes" "node_processes_pids" "system.process.count";
    "memtide_swap_in_bytes_total" "node_vmstat_pswpin * page size" "system.paging.operations{system.paging.direction=in}";
    "memtide_swap_out_bytes_total" "node_vmstat_pswpout * page size" "system.paging.operations{system.paging.direction=out}";
    "memtide_major_faults_total" "node_vmstat_pgmajfault" "system.paging.faults{system.paging.fault.type=major}";
    "memtide_oom_kills_total" "node_vmstat_oom_kill" "";
    "memtide_pressure_waiting_seconds_total" "node_pressure_memory_waiting_seconds_total" "";
    "memtide_pressure_stalled_seconds_total" "node_pressure_memory_stalled_seconds_total" "";
    "memtide_process_pss_bytes" "namedprocess_namegroup_memory_bytes{memtype=\"proportionalResident\"}" "";
    "memtide_process_rss_bytes" "namedprocess_namegroup_memory_bytes{memtype=\"resident\"}, process_resident_memory_bytes" "process.memory.usage";
    "memtide_process_size_bytes" "namedprocess_namegroup_memory_bytes{memtype=\"virtual\"}, process_virtual_memory_bytes" "process.memory.virtual";
    "memtide_process_swap_bytes" "namedprocess_namegroup_memory_bytes{memtype=\"swapped\"}" "";
    "memtide_process_swap_pss_bytes" "namedprocess_namegroup_memory_bytes{memtype=\"proportionalSwapped\"}" "";
    "memtide_process_fds" "namedprocess_namegroup_open_filedesc, process_open_fds" "process.open_file_descriptor.count";
    "memtide_process_fd_limit" "process_max_fds" "";
    "memtide_process_fd_ratio" "namedprocess_namegroup_worst_fd_ratio" "";
    "memtide_process_threads" "namedprocess_namegroup_num_threads" "process.thread.count";
    "memtide_process_major_faults_total" "namedprocess_namegroup_major_page_faults_total" "process.paging.faults{process.paging.fault_type=major}";
    "memtide_process_start_time_seconds" "namedprocess_namegroup_oldest_start_time_seconds, process_start_time_seconds" "process.uptime";
}

/// A field's metric: the name after `memtide_` and what it is of, without what its kind adds; its kind; its unit.
pub type Name = (String, Kind, &'static str);

/// The metric of a process's field; `None` for what is a label or no number.
pub fn of_process(field: &ProcessField) -> Option<Name> {
    Some(match field.key {
        // Words stand in labels; a pid is no quantity, and a line no number.
        "pid" | "ppid" | "history" => return None,
        "verdict" => ("verdict_confidence_ratio".into(), Kind::Gauge, "ratio"),
        "age" => ("start_time_seconds".into(), Kind::Gauge, "seconds"),
        "major_faults" => ("major_faults".into(), Kind::Counter, ""),
        // A change since a mark is a difference that who asks can take himself.
        _ if field.unit == Unit::Text || field.marked().is_some() => return None,
        key => named(key, field.unit),
    })
}

/// The metric of a machine's field; `None` for rates and averages, which a counter says better.
pub fn of_machine(field: &SystemField) -> Option<Name> {
    match field.key {
        "swap_in" | "swap_out" | "major_faults" | "oom_kills" | "psi_some" | "psi_full" => None,
        key => Some(named(key, field.unit)),
    }
}

fn named(key: &str, unit: Unit) -> Name {
    let suffix = base_unit(unit).0;
    (with_unit(key.trim_end_matches("_percent"), suffix), Kind::Gauge, suffix)
}

/// Every metric as a table for people: `assets/docs/metrics.md` holds it.
pub fn markdown() -> String {
    let mut out =
        String::from("| metric | what it is | Prometheus exporters | OpenTelemetry |\n| --- | --- | --- | --- |\n");
    for family in super::catalogue() {
        let (name, suffix) = super::encode::sample_name(&family);
        // A group has the metrics of its processes.
        if name.starts_with("memtide_group_") && name != "memtide_group_processes" {
            continue;
        }
        let whole = format!("{name}{suffix}");
        let Elsewhere { prometheus, opentelemetry } = elsewhere(&whole);
        let code =
            |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", text.replace(", ", "`, `")) };
        let (prometheus, opentelemetry) = (code(prometheus), code(opentelemetry));
        // Writing to a String does not fail.
        let _ = writeln!(out, "| `{whole}` | {} | {prometheus} | {opentelemetry} |", family.help);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field::{PROCESS_FIELDS, process_field};

    #[test]
    fn names_are_made_from_keys_and_base_units() {
        let name = |key| of_process(process_field(key).unwrap()).map(|(name, ..)| name);
        assert_eq!(name("pss").as_deref(), Some("pss_bytes"));
        assert_eq!(name("fd_percent").as_deref(), Some("fd_ratio"));
        assert_eq!(name("growth").as_deref(), Some("growth_bytes_per_second"));
        assert_eq!(name("fds").as_deref(), Some("fds"));
        assert_eq!(name("command"), None, "arguments hold passwords and are no label");
    }

    #[test]
    fn what_others_have_a_name_for_is_there() {
        let table = markdown();
        for name in KNOWN {
            assert!(table.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn no_two_fields_have_one_name() {
        let mut names: Vec<String> = PROCESS_FIELDS.iter().filter_map(of_process).map(|(name, ..)| name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
