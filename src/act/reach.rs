//! What may be changed on this machine by whoever runs memtide, found out by changing nothing.

use rustix::thread::CapabilitySet;

use super::rights::{Missing, has_capability, may_write};
use crate::collect::cgroup::parse_membership;
use crate::collect::root::ProcRoot;
use crate::model::cgroup::CgroupVersion;
use crate::model::power::{Extent, Kind, Power};

/// What may be done.
pub fn reach(root: &ProcRoot) -> Vec<Power> {
    vec![
        by_capability("signals", CapabilitySet::KILL, "CAP_KILL", "to every process", "to your own processes"),
        by_file(
            "drop caches",
            may_write(&root.proc.join("sys/vm/drop_caches")),
            "/proc/sys/vm/drop_caches may be written",
        ),
        by_file("limits of control groups", groups(root), "the hierarchy of the memory controller may be written"),
        of_all(
            "swap recycled",
            has_capability(CapabilitySet::SYS_ADMIN),
            "swapoff(2) and swapon(2) are allowed",
            "root, or CAP_SYS_ADMIN",
        ),
        by_capability(
            "OOM preference, limits of processes",
            CapabilitySet::SYS_RESOURCE,
            "CAP_SYS_RESOURCE",
            "both ways, of every process",
            "your own processes': made likelier victims, limits lowered",
        ),
    ]
}

fn of_all(name: &'static str, may: bool, found: &str, grant: &str) -> Power {
    if may {
        Power::whole(Kind::Does, name, found)
    } else {
        Power::missing(Kind::Does, name, "not permitted", format!("needs {grant}"))
    }
}

/// What everybody may do in part, and who has the capability, or is root, in whole.
fn by_capability(name: &'static str, capability: CapabilitySet, word: &str, whole: &str, part: &str) -> Power {
    if has_capability(capability) {
        return Power::whole(Kind::Does, name, whole);
    }
    let grant = Some(format!("needs root or {word} for the others"));
    Power { kind: Kind::Does, name, extent: Extent::Part, found: part.into(), grant }
}

fn by_file(name: &'static str, may: Result<(), Missing>, found: &str) -> Power {
    match may {
        Ok(()) => Power::whole(Kind::Does, name, found),
        Err(Missing::Privilege) => Power::missing(Kind::Does, name, "not permitted", "needs root"),
        Err(Missing::ReadOnly) => {
            Power::missing(Kind::Does, name, "mounted read-only, as in most containers", "run it on the host")
        }
        Err(Missing::Absent) => Power::missing(Kind::Does, name, "not there", "this kernel or container has none"),
    }
}

/// Whether the hierarchy in which memory is limited may be written.
fn groups(root: &ProcRoot) -> Result<(), Missing> {
    let own = std::fs::read(root.proc.join("self/cgroup")).map_err(|_| Missing::Absent)?;
    let mount = match parse_membership(&own).version {
        CgroupVersion::V2 => root.cgroup.clone(),
        CgroupVersion::V1 => root.cgroup.join("memory"),
    };
    // A folder of the hierarchy is writable for root even where the mount is read-only: its file tells.
    may_write(&mount.join("cgroup.procs"))
}
