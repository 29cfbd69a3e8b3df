//! `memtide free`: the machine's memory, to the last byte.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

use super::{repeat, terminal_width};
use crate::cli::{Common, Format, Free};
use crate::collect::once::read_machine;
use crate::export::json;
use crate::export::table::{Column, Table};
use crate::model::account::Account;
use crate::model::judgement::Analysis;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::system::{Meminfo, SystemSample};
use crate::units::{Bytes, Percent};

pub(super) fn run(args: &Free, common: &Common) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    repeat(common, args.watch.map(|every| every.0), |root, is_first| {
        let sample = read_machine(root)?;
        let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
        match args.format {
            Format::Json if args.watch.is_some() => writeln!(out, "{}", json::machine(&snapshot))?,
            Format::Json => writeln!(out, "{:#}", json::machine(&snapshot))?,
            Format::Csv => print_csv(args, &snapshot, is_first, &mut out)?,
            Format::Table => print_tables(args, &snapshot, is_first, &mut out)?,
        }
        Ok(out.flush()?)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `name,bytes` a line, so that a script finds a part by its name whatever the kernel has.
fn print_csv(args: &Free, snapshot: &Snapshot, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    let (head, time) = match args.watch {
        Some(_) => ("wall_ms,", format!("{},", snapshot.sample.wall_ms)),
        None => ("", String::new()),
    };
    if is_first {
        writeln!(out, "{head}name,bytes")?;
    }
    for (name, reading) in snapshot.sample.system.meminfo.lines() {
        if let Some(bytes) = reading.value() {
            writeln!(out, "{time}{name},{bytes}")?;
        }
    }
    for part in Account::of(&snapshot.sample.system).map(|account| account.parts).unwrap_or_default() {
        writeln!(out, "{time}ram.{},{}", part.key, part.bytes)?;
    }
    Ok(())
}

fn print_tables(args: &Free, snapshot: &Snapshot, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    if args.watch.is_some() {
        let gap = if is_first { "" } else { "\n" };
        writeln!(out, "{gap}{}", crate::tui::event::time_of_day(snapshot.sample.wall_ms))?;
    }
    let system = &snapshot.sample.system;
    let size = |bytes: u64| if args.bytes { bytes.to_string() } else { Bytes(bytes).to_string() };
    summary(system, &size).write(out, true, terminal_width())?;
    writeln!(out)?;
    if let Some(account) = Account::of(system) {
        parts(&account, &size).write(out, true, terminal_width())?;
        if account.overlap > account.total / 1000 {
            writeln!(out, "{} is counted twice: the kernel changed between two counters", size(account.overlap))?;
        }
    }
    for line in notes(system, &size) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn right(title: &str) -> Column {
    Column { title: title.into(), is_right: true }
}

fn left(title: &str) -> Column {
    Column { title: title.into(), is_right: false }
}

/// The lines of free(1), and what its columns leave out.
fn summary(system: &SystemSample, size: &dyn Fn(u64) -> String) -> Table {
    let mem = &system.meminfo;
    let show = |reading: Reading<u64>| reading.value().map_or_else(|| "-".into(), size);
    let share = |part: fn(&Meminfo) -> Reading<u64>, whole: fn(&Meminfo) -> Reading<u64>| match (
        part(mem).value(),
        whole(mem).value(),
    ) {
        (Some(part), Some(whole)) if whole > 0 => Percent(part as f64 * 100.0 / whole as f64).to_string(),
        _ => "-".into(),
    };
    let ram = vec![
        "Mem".into(),
        show(mem.mem_total),
        show(mem.used()),
        share(Meminfo::used, |mem| mem.mem_total),
        show(mem.mem_free),
        show(mem.shmem),
        show(mem.cache().and_then(|cache| mem.buffers.map(|buffers| cache + buffers))),
        show(mem.mem_available),
    ];
    let swap = vec![
        "Swap".into(),
        show(mem.swap_total),
        show(mem.swap_used()),
        share(Meminfo::swap_used, |mem| mem.swap_total),
        show(mem.swap_free),
        String::new(),
        String::new(),
        String::new(),
    ];
    let columns = ["total", "used", "used%", "free", "shared", "buff/cache", "available"];
    Table {
        columns: std::iter::once(left("")).chain(columns.into_iter().map(right)).collect(),
        rows: vec![ram, swap],
        total: None,
    }
}

fn parts(account: &Account, size: &dyn Fn(u64) -> String) -> Table {
    let share = |bytes: u64| format!("{:.1}%", bytes as f64 * 100.0 / account.total.max(1) as f64);
    let row = |part: &crate::model::account::Part| {
        vec![part.title.to_owned(), size(part.bytes), share(part.bytes), part.help.to_owned()]
    };
    let sum: u64 = account.parts.iter().map(|part| part.bytes).sum();
    Table {
        columns: vec![left("RAM"), right("size"), right("share"), left("what it is")],
        rows: account.parts.iter().map(row).collect(),
        total: Some(vec!["total".into(), size(sum), share(sum), String::new()]),
    }
}

/// What else decides how much memory there is.
fn notes(system: &SystemSample, size: &dyn Fn(u64) -> String) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(Some(limit)) = system.cgroup_limit.as_ref().value() {
        notes.push(format!(
            "cgroup {} limits us to {}: {} used",
            limit.path.escaped(),
            size(limit.limit),
            size(limit.usage)
        ));
    }
    for device in &system.swaps {
        notes.push(format!(
            "swap {} {}: {} of {} used, priority {}",
            device.kind.escaped(),
            device.path.escaped(),
            size(device.used),
            size(device.size),
            device.priority
        ));
    }
    for device in system.zram.iter().filter(|device| device.used > 0) {
        notes.push(format!(
            "{}: {} stored in {} ({:.1} to 1)",
            device.name.escaped(),
            size(device.original),
            size(device.used),
            device.original as f64 / device.used.max(1) as f64
        ));
    }
    if let (Some(used), Some(stored)) = (system.meminfo.zswap.value(), system.meminfo.zswapped.value())
        && stored > 0
    {
        notes.push(format!("zswap: {} stored in {}", size(stored), size(used)));
    }
    if let Some(pressure) = system.pressure.value() {
        notes.push(format!(
            "pressure (PSI, last 10 s): some {:.1}%, full {:.1}%",
            pressure.some.avg10, pressure.full.avg10
        ));
    }
    notes
}
