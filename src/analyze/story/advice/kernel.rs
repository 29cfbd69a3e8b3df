//! How to find who fills what no process owns: tmpfs, SysV segments, the kernel's own memory.

use super::{Advice, Case};
use crate::analyze::story::growth::sysv_gain;
use crate::analyze::story::sentence::Amount;
use crate::model::judgement::Quantity;

/// What leaks in the machine without a process to blame.
pub(super) fn give(case: &Case<'_>, quantity: Quantity, given: &mut Vec<Advice>) {
    let (title, commands): (&str, &[&str]) = match quantity {
        Quantity::Shmem => return shmem(case, given),
        Quantity::SlabUnreclaimable => (
            "See which kind of kernel object grows",
            &[
                "slabtop -o -s c | head -n 20",
                "cat /proc/sys/fs/file-nr; ipcs -u   # open files, and SysV semaphores and queues",
            ],
        ),
        Quantity::PageTables => {
            ("See whose page tables they are", &["grep -H VmPTE /proc/[0-9]*/status | sort -k2 -rn | head"])
        }
        Quantity::KernelStack => ("See who has most threads", &["ps -eo nlwp,pid,comm --sort=-nlwp | head"]),
        Quantity::Percpu => (
            "See whether control groups are left over",
            &[
                "find /sys/fs/cgroup -type d | wc -l",
                "cat /sys/fs/cgroup/cgroup.stat   # dying ones are removed and still held",
            ],
        ),
        Quantity::Vmalloc => (
            "See which function of the kernel holds it",
            &[
                "awk '{size[$3] += $2} END {for (who in size) print size[who], who}' /proc/vmallocinfo | sort -rn | head",
            ],
        ),
        Quantity::Unaccounted => (
            "See whether it is the network or a driver",
            &["cat /proc/net/sockstat   # mem is in pages", "lsmod | sort -k2 -rn | head", "dmesg | tail -n 50"],
        ),
        _ => return,
    };
    given.push(Advice {
        title: title.into(),
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
        why: case.why().say(", and no process owns it."),
        risk: None,
    });
}

fn shmem(case: &Case<'_>, given: &mut Vec<Advice>) {
    let gain = case.scene.gain(|sample| sample.system.meminfo.shmem).unwrap_or(0.0);
    let Some((_, segments)) = sysv_gain(case.scene).filter(|(sysv, _)| *sysv >= gain / 2.0) else {
        return shared(case, given);
    };
    given.push(Advice {
        title: "See who made the SysV segments".into(),
        commands: vec!["ipcs -m -p   # CPID made it, LPID used it last".into(), "ipcs -m".into()],
        why: case
            .why()
            .say(", most of it SysV segments: ")
            .put("segments", Amount::Count(f64::from(segments.segments)))
            .say(", which stay until somebody removes them."),
        risk: None,
    });
    if segments.unattached_segments > 0 {
        given.push(Advice {
            title: "Remove those that nobody is attached to".into(),
            commands: vec![
                "ipcs -m | awk '$6 == 0 {print $2, $3, $5}'   # id, owner, bytes: look at them first".into(),
                "ipcs -m | awk '$6 == 0 {print $2}' | xargs -r -n 1 ipcrm -m".into(),
            ],
            why: case
                .why()
                .say("; ")
                .put("unattached", Amount::Count(f64::from(segments.unattached_segments)))
                .say(" segments with ")
                .put("unattached_bytes", Amount::Bytes(segments.unattached_bytes as f64))
                .say(" are attached to nobody."),
            risk: Some("a program may mean to attach to one again: what is in it is lost".into()),
        });
    }
}

/// Files in a tmpfs, and segments that are mapped from there.
pub(super) fn shared(case: &Case<'_>, given: &mut Vec<Advice>) {
    given.push(Advice {
        title: "See which tmpfs fills, and with what".into(),
        commands: vec![
            "df -h -t tmpfs".into(),
            "du -x --max-depth=1 /dev/shm /run /tmp | sort -rn | head -n 20".into(),
            "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -E 'memfd:|/dev/shm/' | sed 's/.* -> //' | sort | uniq -c | sort -rn | head"
                .into(),
        ],
        why: case.why().say(": what is in a tmpfs is memory, and only swap or removing the files takes it."),
        risk: None,
    });
}
