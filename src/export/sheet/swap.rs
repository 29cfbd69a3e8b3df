//! Swap: devices, what is compressed in RAM, and who is in it.

use super::{About, Sheet, SheetRow, Tone, column, counted, percent};
use crate::model::process::ProcessSample;
use crate::model::reading::Reading;
use crate::units::BytesPerSecond;

/// Devices of swap, zram and zswap.
pub fn devices(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("SWAP"), false, 0),
        column(key!("KIND"), false, 2),
        column(key!("SIZE"), true, 1),
        column(key!("USED"), true, 0),
        column(key!("USE%"), true, 0),
        column(key!("PRIORITY"), true, 3),
        column(key!("WHAT IT IS"), false, 4),
    ];
    let mut sheet = Sheet::new(tr!("Swap"), columns);
    let system = &about.snapshot.sample.system;
    match (system.meminfo.swap_total.value(), system.meminfo.swap_used().value()) {
        (Some(0), _) => sheet.note(
            tr!("There is no swap: anonymous and shared memory can't be moved out of RAM, and where memory is full the OOM \
             killer acts at once."),
            Tone::Warn,
        ),
        (Some(total), Some(used)) => {
            let taken = tr!("{used} of {total} used ({share}).", used = about.size(used), total = about.size(total), share = percent(used, total));
            let mut lead = vec![taken];
            if let Some(rates) = about.snapshot.rates.value() {
                let (inwards, outwards) = (BytesPerSecond(rates.swap_in), BytesPerSecond(rates.swap_out));
                lead.push(tr!("In {inwards}, out {outwards}.", inwards, outwards));
            }
            if let Some(cached) = system.meminfo.swap_cached.value().filter(|cached| *cached > 0) {
                lead.push(tr!("{cached} is in RAM as well (SwapCached).", cached = about.size(cached)));
            }
            sheet.note(lead.join(" "), if used * 10 >= total * 9 { Tone::Warn } else { Tone::Plain });
        }
        _ => sheet.note(tr!("The kernel does not tell how much swap there is."), Tone::Warn),
    }
    sheet.rows = system
        .swaps
        .iter()
        .map(|device| {
            let path = device.path.escaped().into_owned();
            let what = if path.contains("zram") { tr!("compressed in RAM") } else { tr!("on disk") };
            let cells = vec![
                path,
                device.kind.escaped().into_owned(),
                about.size(device.size),
                about.size(device.used),
                percent(device.used, device.size),
                device.priority.to_string(),
                what.to_owned(),
            ];
            SheetRow::new(cells, if device.used * 10 >= device.size * 9 { Tone::Warn } else { Tone::Plain })
        })
        .collect();
    for zram in system.zram.iter().filter(|zram| zram.original > 0 || zram.used > 0) {
        let said = tr!(
            "{name}: {original} stored in {used} of RAM{more}.",
            name = zram.name.escaped(),
            original = about.size(zram.original),
            used = about.size(zram.used),
            more = ratio(zram.original, zram.used)
        );
        sheet.note(said, Tone::Plain);
    }
    match (system.meminfo.zswap.value(), system.meminfo.zswapped.value()) {
        (Some(used), Some(stored)) if stored > 0 => {
            let said = tr!(
                "zswap: {stored} stored in {used} of RAM{more}; it counts as used on its device as well.",
                stored = about.size(stored),
                used = about.size(used),
                more = ratio(stored, used)
            );
            sheet.note(said, Tone::Plain);
        }
        (None, _) => sheet.note(
            tr!("zswap: not told by this kernel (Linux 5.19); where it is on, its pool is unaccounted."),
            Tone::Muted,
        ),
        _ => {}
    }
    sheet
}

/// How well it is compressed: `, 3.6 to 1`.
fn ratio(stored: u64, used: u64) -> String {
    if used == 0 || stored == 0 { String::new() } else { format!(", {:.1} to 1", stored as f64 / used as f64) }
}

/// Who is in swap, who has most of it first.
pub fn processes(about: &About<'_>) -> Sheet {
    let columns = vec![
        column("PID", true, 0),
        column(key!("USER"), false, 2),
        column(key!("SWAP"), true, 0),
        column("SWPSS", true, 1),
        column("RSS", true, 3),
        column(key!("COMMAND"), false, 0),
    ];
    let mut sheet = Sheet::new(tr!("Swap by process"), columns);
    let system = &about.snapshot.sample.system;
    let used = system.meminfo.swap_used().value().unwrap_or(0);
    if used == 0 {
        sheet.note(tr!("Nothing is in swap."), Tone::Good);
        return sheet;
    }
    let sample = &about.snapshot.sample;
    let swap = |process: &ProcessSample| process.status.reading.value().map(|status| status.swap);
    let mut swapped: Vec<&ProcessSample> = sample.processes.iter().map(|process| &**process).collect();
    swapped.retain(|process| swap(process).is_some_and(|bytes| bytes > 0));
    swapped.sort_by_key(|process| (std::cmp::Reverse(swap(process)), process.key.pid));
    let sum = swapped.iter().filter_map(|process| swap(process)).fold(0u64, u64::saturating_add);
    let share = |process: &&ProcessSample| process.rollup.reading.value().map(|rollup| rollup.swap_pss);
    let unknown = swapped.iter().filter(|process| share(process).is_none()).count();
    // Where a share is not known the whole stands for it.
    let own =
        swapped.iter().map(|process| share(process).or(swap(process)).unwrap_or(0)).fold(0u64, u64::saturating_add);
    let rest = i128::from(used) - i128::from(own);
    let count = counted(swapped.len(), tr!("process has"), tr!("processes have"));
    let in_swap = tr!(
        "{count} {sum} in swap (VmSwap), {own} with shared entries counted once (SwapPss).",
        count,
        sum = about.size(sum),
        own = about.size(own)
    );
    let mut lead = vec![in_swap];
    if rest >= 0 {
        lead.push(tr!(
            "{rest} more is no process's: tmpfs and shared memory, swap that is cached.",
            rest = about.signed(rest)
        ));
    } else {
        lead.push(tr!(
            "That is {rest} more than is used: readings are of different moments.",
            rest = about.signed(-rest)
        ));
    }
    sheet.note(lead.join(" "), Tone::Plain);
    if unknown > 0 {
        let grant = crate::model::reading::Denial::Ptrace.grant();
        sheet.note(
            tr!(
                "SWPSS of {who} is not known: it {grant}.",
                who = counted(unknown, tr!("process" => "counted"), tr!("processes" => "counted")),
                grant
            ),
            Tone::Muted,
        );
    }
    sheet.fill(swapped.into_iter().map(|process| {
        let rss = process.resident.map(|resident| resident.rss);
        let swap_pss = share(&process).map_or(Reading::Pending, Reading::Value);
        let cells = vec![
            process.key.pid.to_string(),
            about.user(process.identity.uid),
            about.size(swap(process).unwrap_or(0)),
            about.known(&swap_pss),
            about.known(&rss),
            process.identity.shown_command().into_owned(),
        ];
        SheetRow::new(cells, Tone::Plain)
    }));
    sheet
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{about, text};
    use super::*;
    use crate::model::process::Status;
    use crate::model::reading::Stamped;
    use crate::model::testing::{NOW, process, set_memory, snapshot};

    fn swapped(pid: u32, mib: u64, is_known: bool) -> ProcessSample {
        let mut process = process(pid, "node", "node app.js");
        set_memory(&mut process, 100, is_known.then_some((90, 80)));
        let none = Reading::Value(0);
        let status = Status {
            rss_anon: none,
            rss_file: none,
            rss_shmem: none,
            swap: mib << 20,
            peak_rss: 0,
            page_tables: 0,
            locked: 0,
            hugetlb: 0,
        };
        process.status = Stamped::new(Reading::Value(status), NOW);
        if let Reading::Value(rollup) = &mut process.rollup.reading {
            rollup.swap_pss = mib << 19;
        }
        process
    }

    #[test]
    fn who_has_most_is_first_and_the_rest_is_told() {
        let all = [swapped(7, 20, true), swapped(8, 40, true), swapped(9, 0, true), swapped(10, 10, false)];
        let snapshot = snapshot(all.map(Arc::new).to_vec());
        let sheet = processes(&about(&snapshot, None));
        let pids: Vec<&str> = sheet.rows.iter().map(|row| row.cells[0].as_str()).collect();
        assert_eq!(pids, ["8", "7", "10"]);
        let shown = text(&sheet);
        // 300 MiB are used: 20 + 10 by SwapPss, 10 of the one whose share is not known.
        assert!(shown.contains("3 processes have 70M in swap (VmSwap), 40M with"), "{shown}");
        assert!(shown.contains("260M more is no process's"), "{shown}");
        assert!(shown.contains("SWPSS of 1 process is not known: it needs the process's own user"), "{shown}");
        assert_eq!(sheet.rows[2].cells[3], "-");
    }

    #[test]
    fn without_swap_that_is_said() {
        let mut snapshot = snapshot(Vec::new());
        let mut sample = (*snapshot.sample).clone();
        sample.system.meminfo.swap_total = Reading::Value(0);
        sample.system.meminfo.swap_free = Reading::Value(0);
        snapshot.sample = sample.into();
        assert!(text(&devices(&about(&snapshot, None))).contains("There is no swap"));
        assert!(text(&processes(&about(&snapshot, None))).contains("Nothing is in swap"));
    }
}
