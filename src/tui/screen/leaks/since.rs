//! What a finding's quantity gained since the mark.

use crate::model::account::Account;
use crate::model::judgement::{Finding, Quantity, Subject};
use crate::model::mark::{Marked, ram_change};
use crate::model::snapshot::Snapshot;
use crate::tui::finding::signed;

/// The change, with its sign; `-` where it is not known.
pub(super) fn since_mark(finding: &Finding, snapshot: &Snapshot) -> String {
    change(finding, snapshot).map_or_else(|| "-".into(), |by| signed(finding.quantity, by))
}

fn change(finding: &Finding, snapshot: &Snapshot) -> Option<f64> {
    if finding.subject == Subject::Machine {
        return of_machine(finding.quantity, snapshot);
    }
    let what = match finding.quantity {
        Quantity::Private => Marked::Private,
        Quantity::Pss => Marked::Pss,
        Quantity::Fds => Marked::Fds,
        Quantity::Threads => Marked::Threads,
        _ => return None,
    };
    let mark = snapshot.mark.as_ref()?;
    let members = snapshot.rows().filter(|row| finding.subject.includes(row.process));
    let now: Option<f64> = members.map(|row| row.change(what).value()?.number()).sum();
    let of_it = |process: &&crate::model::mark::MarkedProcess| finding.subject.is_of(process.key, &process.identity);
    let ended: Option<u64> = mark.ended(&snapshot.sample).filter(of_it).map(|process| process.value(what)).sum();
    Some(now? - ended? as f64)
}

fn of_machine(quantity: Quantity, snapshot: &Snapshot) -> Option<f64> {
    let part = match quantity {
        Quantity::Used => return snapshot.system_change_of("mem_used").value()?.number(),
        Quantity::Shmem => "shmem",
        Quantity::SlabUnreclaimable => "slab_unreclaimable",
        Quantity::PageTables => "page_tables",
        Quantity::KernelStack => "kernel_stack",
        Quantity::Percpu => "percpu",
        Quantity::Vmalloc => "vmalloc",
        Quantity::Unaccounted => "unaccounted",
        _ => return None,
    };
    ram_change(snapshot, &Account::of(&snapshot.sample.system)?, &[part])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::judgement::Judgement;
    use crate::model::mark::Mark;
    use crate::model::process::ProcessSample;
    use crate::model::reading::BootMs;
    use crate::model::testing;

    fn worker(pid: u32, mib: u64) -> Arc<ProcessSample> {
        let mut process = testing::process(pid, "php-fpm", "php-fpm: pool www");
        testing::set_memory(&mut process, mib, None);
        Arc::new(process)
    }

    fn finding(subject: Subject, quantity: Quantity) -> Finding {
        let judgement = Judgement::unknown(BootMs(0), 0.0, 0);
        Finding { subject, quantity, name: "x".into(), judgement, meetings: Vec::new() }
    }

    #[test]
    fn a_service_gained_what_its_workers_have_less_what_the_ended_had() {
        let mark = Arc::new(Mark::of("x", &testing::snapshot(vec![worker(7, 30), worker(8, 40)])));
        let now = testing::snapshot(vec![worker(8, 45), worker(9, 33)]).compared_with(Some(mark));
        let key = now.sample.processes[0].key;
        let pool = Subject::Group(crate::model::text::Text::new([&b"php-fpm\0"[..], &1000u32.to_ne_bytes()].concat()));
        assert_eq!(since_mark(&finding(pool, Quantity::Private), &now), "+8.0M");
        assert_eq!(since_mark(&finding(Subject::Process(key), Quantity::Private), &now), "+5.0M");
        assert_eq!(since_mark(&finding(Subject::Process(key), Quantity::Shmem), &now), "-");
        assert_eq!(since_mark(&finding(Subject::Machine, Quantity::Unaccounted), &now), "0");
    }
}
