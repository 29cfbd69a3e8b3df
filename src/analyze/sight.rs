//! What one look at a machine could see, and what would show the rest.

use crate::model::power::{Extent, Kind, Power};
use crate::model::process::ProcessSample;
use crate::model::reading::{Denial, Need, Reading};
use crate::model::sample::Sample;
use crate::model::survey::Survey;

/// What was seen, from a sample with rollups and descriptors and a survey of the same moment, by root or another user.
pub fn sight(sample: &Sample, survey: &Survey, is_root: bool) -> Vec<Power> {
    let programs: Vec<&ProcessSample> =
        sample.processes.iter().map(|process| &**process).filter(|it| !it.identity.is_kernel_thread).collect();
    let system = &sample.system;
    let of_each = |name, file, look: fn(&ProcessSample) -> Look| of_each(&programs, name, file, is_root, look);
    vec![
        processes(sample, programs.len()),
        of_each("PSS, USS and swap", "/proc/PID/smaps_rollup", |it| look(&it.rollup.reading)),
        of_each("open files", "/proc/PID/fd", |it| look(&it.fds.reading)),
        of_each("limits of open files", "/proc/PID/limits", |it| look(&it.fd_limit.reading)),
        read("memory pressure", &system.pressure, |_| "PSI, some and full".into()),
        read("control groups", &system.cgroup_limit, |limit| match limit {
            Some(limit) => format!("memtide itself is bound to {}", crate::units::Bytes(limit.limit)),
            None => "no limit binds memtide itself".into(),
        }),
        read("slab by cache", &survey.slab.reading, |caches| format!("{} caches", caches.len())),
        read("shared memory of System V", &survey.segments.reading, |segments| format!("{} segments", segments.len())),
        read("shared memory of POSIX", &survey.posix.reading, |files| format!("{} files", files.len())),
    ]
}

fn processes(sample: &Sample, programs: usize) -> Power {
    let found = format!("{programs}, and {} of the kernel's", sample.processes.len() - programs);
    if sample.scan.is_hiding {
        return Power {
            extent: Extent::Part,
            grant: Some(
                "/proc hides the others (hidepid, or a pid namespace): it takes root outside, or the group that the \
                 gid= of its mount names"
                    .into(),
            ),
            ..Power::whole(Kind::Sees, "processes", found)
        };
    }
    Power::whole(Kind::Sees, "processes", found)
}

/// What became of a reading of one process.
#[derive(PartialEq)]
enum Look {
    Seen,
    /// There is nothing to see: it has ended, or has no such thing.
    Nothing,
    Denied,
    Missing(String),
}

fn look<T>(reading: &Reading<T>) -> Look {
    match reading.as_ref() {
        Reading::Value(_) | Reading::Stale(..) => Look::Seen,
        Reading::Gone | Reading::Unsupported(Need::NotApplicable) => Look::Nothing,
        Reading::Denied(_) => Look::Denied,
        other => Look::Missing(other.explain().unwrap_or_default()),
    }
}

/// How many of the processes a reading is there of.
fn of_each(
    programs: &[&ProcessSample],
    name: &'static str,
    file: &str,
    is_root: bool,
    look: fn(&ProcessSample) -> Look,
) -> Power {
    let looks: Vec<Look> = programs.iter().map(|process| look(process)).filter(|it| *it != Look::Nothing).collect();
    let seen = looks.iter().filter(|look| **look == Look::Seen).count();
    let why = looks.iter().find_map(|look| match look {
        Look::Denied => Some(Denial::Ptrace.grant_to(is_root).to_owned()),
        Look::Missing(why) => Some(why.clone()),
        Look::Seen | Look::Nothing => None,
    });
    Power {
        kind: Kind::Sees,
        name,
        extent: Extent::of(seen, looks.len()),
        found: format!("of {seen} of {} processes, by {file}", looks.len()),
        grant: why,
    }
}

/// One reading of the machine.
fn read<T>(name: &'static str, reading: &Reading<T>, tell: impl FnOnce(&T) -> String) -> Power {
    match reading.as_ref() {
        Reading::Value(value) | Reading::Stale(value, _) => Power::whole(Kind::Sees, name, tell(value)),
        Reading::Denied(why) => Power::missing(Kind::Sees, name, "not readable", why.grant()),
        other => Power::missing(Kind::Sees, name, "not there", other.explain().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::reading::{BootMs, Stamped};
    use crate::model::testing;

    /// Two programs of which all is known.
    fn sample() -> Sample {
        let programs = [(1, "init"), (2, "node")].map(|(pid, name)| {
            let mut process = testing::process(pid, name, name);
            testing::set_memory(&mut process, 2, Some((1, 1)));
            Arc::new(process)
        });
        Arc::unwrap_or_clone(testing::snapshot(programs.into()).sample)
    }

    fn power(sample: &Sample, name: &str) -> Power {
        let powers = sight(sample, &Survey::default(), false);
        powers.into_iter().find(|power| power.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn what_is_refused_for_some_is_told_with_what_grants_it() {
        let mut sample = sample();
        let before = power(&sample, "PSS, USS and swap");
        assert_eq!((before.extent, before.grant), (Extent::Whole, None));
        let refused = Stamped::new(Reading::Denied(Denial::Ptrace), BootMs(0));
        Arc::make_mut(&mut sample.processes[1]).rollup = refused;
        let after = power(&sample, "PSS, USS and swap");
        assert_eq!(after.extent, Extent::Part);
        assert!(after.found.starts_with("of 1 of 2 processes"), "{after:?}");
        assert!(after.grant.is_some_and(|grant| grant.contains("CAP_SYS_PTRACE")));
    }

    #[test]
    fn hidden_processes_are_told() {
        let mut sample = sample();
        assert_eq!(power(&sample, "processes").extent, Extent::Whole);
        sample.scan.is_hiding = true;
        let hidden = power(&sample, "processes");
        assert_eq!(hidden.extent, Extent::Part);
        assert!(hidden.grant.is_some_and(|grant| grant.contains("hidepid")));
    }
}
