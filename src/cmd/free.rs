//! `memtide free`: the machine's memory, to the last byte.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use super::since::{self, Since};
use super::{repeat, terminal_width};
use crate::cli::{Common, Format, Free};
use crate::collect::once::read_machine;
use crate::export::json;
use crate::export::table::{Column, Table};
use crate::model::account::Account;
use crate::model::field::Value;
use crate::model::mark::ram_change;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::system::{Meminfo, SystemSample};
use crate::units::{Bytes, Percent};

pub(super) fn run(args: &Free, common: &Common) -> anyhow::Result<ExitCode> {
    let since = Since::open(&args.marks)?;
    let mut out = BufWriter::new(io::stdout().lock());
    repeat(common, args.watch.map(|every| every.0), |root, is_first| {
        let snapshot = since.compare(read_machine(root)?)?;
        if is_first {
            since::tell(&snapshot);
        }
        match args.format {
            Format::Json if args.watch.is_some() => writeln!(out, "{}", json::machine(&snapshot))?,
            Format::Json => writeln!(out, "{:#}", json::machine(&snapshot))?,
            Format::Csv => print_csv(args, &snapshot, is_first, &mut out)?,
            Format::Table => print_tables(args, &snapshot, is_first, &mut out)?,
        }
        out.flush()?;
        if is_first {
            since::keep(&args.marks, root, None)?;
        }
        Ok(())
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
        let change = if snapshot.mark.is_some() { ",change" } else { "" };
        writeln!(out, "{head}name,bytes{change}")?;
    }
    for (name, reading) in snapshot.sample.system.meminfo.lines() {
        if let Some(bytes) = reading.value() {
            let then = snapshot.mark.as_ref().and_then(|mark| mark.meminfo.lines().find(|(line, _)| *line == name));
            let by = then.and_then(|(_, then)| Some(bytes as f64 - then.value()? as f64));
            writeln!(out, "{time}{name},{bytes}{}", change(snapshot, by))?;
        }
    }
    if let Some(account) = Account::of(&snapshot.sample.system) {
        for part in &account.parts {
            let by = ram_change(snapshot, &account, &[part.key]);
            writeln!(out, "{time}ram.{},{}{}", part.key, part.bytes, change(snapshot, by))?;
        }
    }
    Ok(())
}

/// The last field of a record, where changes are asked for; empty where one is not known.
fn change(snapshot: &Snapshot, by: Option<f64>) -> String {
    let shown = by.map_or_else(String::new, |by| format!("{by:.0}"));
    if snapshot.mark.is_some() { format!(",{shown}") } else { String::new() }
}

fn print_tables(args: &Free, snapshot: &Snapshot, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    if args.watch.is_some() {
        let gap = if is_first { "" } else { "\n" };
        writeln!(out, "{gap}{}", crate::tui::event::time_of_day(snapshot.sample.wall_ms))?;
    }
    let system = &snapshot.sample.system;
    let size = |bytes: u64| if args.bytes { bytes.to_string() } else { Bytes(bytes).to_string() };
    summary(snapshot, &size, args.bytes).write(out, true, terminal_width())?;
    writeln!(out)?;
    if let Some(account) = Account::of(system) {
        parts(snapshot, &account, &size, args.bytes).write(out, true, terminal_width())?;
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

/// A quantity of `/proc/meminfo`.
type Part = fn(&Meminfo) -> Reading<u64>;

/// The lines of free(1), and what its columns leave out.
fn summary(snapshot: &Snapshot, size: &dyn Fn(u64) -> String, is_exact: bool) -> Table {
    let mem = &snapshot.sample.system.meminfo;
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
    let since = |name: &str, columns: [Option<Part>; 7]| {
        let cell = |what: Option<Part>| {
            what.map_or_else(String::new, |what| {
                snapshot.meminfo_change(what).value().map_or_else(|| "-".into(), |by| show_change(&by, is_exact))
            })
        };
        std::iter::once(name.to_owned()).chain(columns.map(cell)).collect::<Vec<String>>()
    };
    let cache = |mem: &Meminfo| mem.cache().and_then(|cache| mem.buffers.map(|buffers| cache + buffers));
    let of_ram = since(
        "  since",
        [
            Some(|mem| mem.mem_total),
            Some(Meminfo::used),
            None,
            Some(|mem| mem.mem_free),
            Some(|mem| mem.shmem),
            Some(cache),
            Some(|mem| mem.mem_available),
        ],
    );
    let of_swap = since(
        "  since",
        [Some(|mem| mem.swap_total), Some(Meminfo::swap_used), None, Some(|mem| mem.swap_free), None, None, None],
    );
    let rows = match &snapshot.mark {
        Some(_) => vec![ram, of_ram, swap, of_swap],
        None => vec![ram, swap],
    };
    let columns = ["total", "used", "used%", "free", "shared", "buff/cache", "available"];
    Table { columns: std::iter::once(left("")).chain(columns.into_iter().map(right)).collect(), rows, total: None }
}

/// A change with its sign, in bytes or as a person reads it.
fn show_change(by: &Value<'_>, is_exact: bool) -> String {
    match by {
        Value::BytesChange(by) if is_exact => format!("{by:+.0}"),
        by => by.to_string(),
    }
}

fn parts(snapshot: &Snapshot, account: &Account, size: &dyn Fn(u64) -> String, is_exact: bool) -> Table {
    let is_comparing = snapshot.mark.is_some();
    let change = |keys: &[&str]| {
        let by = ram_change(snapshot, account, keys).map(|by| show_change(&Value::BytesChange(by), is_exact));
        is_comparing.then(|| by.unwrap_or_else(|| "-".into()))
    };
    let share = |bytes: u64| format!("{:.1}%", bytes as f64 * 100.0 / account.total.max(1) as f64);
    let row = |part: &crate::model::account::Part| {
        let mut cells = vec![part.title.to_owned(), size(part.bytes), share(part.bytes)];
        cells.extend(change(&[part.key]));
        cells.push(part.help.to_owned());
        cells
    };
    let sum: u64 = account.parts.iter().map(|part| part.bytes).sum();
    let mut columns = vec![left("RAM"), right("size"), right("share")];
    let mut total = vec!["total".into(), size(sum), share(sum)];
    if is_comparing {
        columns.push(right("since"));
        total.push(String::new());
    }
    columns.push(left("what it is"));
    total.push(String::new());
    Table { columns, rows: account.parts.iter().map(row).collect(), total: Some(total) }
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
