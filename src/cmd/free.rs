//! `memtide free`: the machine's memory, to the last byte.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use super::since::{self, Since};
use super::{repeat, terminal_width};
use crate::cli::{Common, Format, Free};
use crate::collect::once::{Once, read_machine, read_once};
use crate::collect::survey::Surveyor;
use crate::export::csv::Csv;
use crate::export::json;
use crate::export::sheet::{self, About, Sheet, SheetColumn};
use crate::export::table::{Column, Table};
use crate::model::account::Account;
use crate::model::field::{Source, Value};
use crate::model::mark::ram_change;
use crate::model::reading::Reading;
use crate::model::reclaim::reclaimable;
use crate::model::snapshot::Snapshot;
use crate::model::survey::Survey;
use crate::model::system::{Meminfo, SystemSample};
use crate::units::{Bytes, Percent};

/// What is read of the processes where all is told.
const SOURCES: [Source; 3] = [Source::Identity, Source::Status, Source::Rollup];

pub(super) fn run(args: &Free, common: &Common) -> anyhow::Result<ExitCode> {
    let since = Since::open(&args.marks)?;
    let mut out = BufWriter::new(io::stdout().lock());
    repeat(common, args.watch.map(|every| every.0), |root, is_first| {
        let sample = if args.full {
            read_once(root, &Once { sources: SOURCES.into_iter().collect(), top_by_pss: None })?
        } else {
            read_machine(root)?
        };
        let survey = args.full.then(|| Surveyor::new(root.clone()).look_at_all().clone());
        let snapshot = since.compare(sample)?;
        if is_first {
            since::tell(&snapshot);
        }
        match args.format {
            Format::Json => {
                let mut document = json::machine(&snapshot);
                if let (Some(survey), Some(document)) = (&survey, document.as_object_mut()) {
                    document.insert("survey".into(), json::survey(&snapshot, survey));
                }
                if args.watch.is_some() {
                    writeln!(out, "{document}")?;
                } else {
                    writeln!(out, "{document:#}")?;
                }
            }
            Format::Csv => print_csv(args, &snapshot, survey.as_ref(), is_first, &mut out)?,
            Format::Table => print_tables(args, &snapshot, survey.as_ref(), is_first, &mut out)?,
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
fn print_csv(
    args: &Free,
    snapshot: &Snapshot,
    survey: Option<&Survey>,
    is_first: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (head, time) = match args.watch {
        Some(_) => (vec!["wall_ms"], vec![snapshot.sample.wall_ms.to_string()]),
        None => (Vec::new(), Vec::new()),
    };
    let mut csv = Csv::new(out);
    if is_first {
        let change = if snapshot.mark.is_some() { vec!["change"] } else { Vec::new() };
        csv.head(&[head, vec!["name", "bytes"], change].concat(), &[])?;
    }
    let mut write = |name: String, bytes: u64, by: Option<f64>| {
        let mut record = [time.clone(), vec![name, bytes.to_string()]].concat();
        record.extend(change(snapshot, by));
        csv.record(&record, std::iter::empty())
    };
    for (name, reading) in snapshot.sample.system.meminfo.lines() {
        if let Some(bytes) = reading.value() {
            let then = snapshot.mark.as_ref().and_then(|mark| mark.meminfo.lines().find(|(line, _)| *line == name));
            let by = then.and_then(|(_, then)| Some(bytes as f64 - then.value()? as f64));
            write(name.to_owned(), bytes, by)?;
        }
    }
    if let Some(account) = Account::of(&snapshot.sample.system) {
        for part in &account.parts {
            write(format!("ram.{}", part.key), part.bytes, ram_change(snapshot, &account, &[part.key]))?;
        }
    }
    for reclaim in reclaimable(&snapshot.sample.system) {
        write(format!("reclaimable.{}", reclaim.key), reclaim.bytes, None)?;
    }
    for (name, bytes) in survey.into_iter().flat_map(|survey| survey.sizes(&snapshot.sample)) {
        write(name, bytes, None)?;
    }
    Ok(csv.flush()?)
}

/// The last field of a record, where changes are asked for; empty where one is not known.
fn change(snapshot: &Snapshot, by: Option<f64>) -> Option<String> {
    snapshot.mark.is_some().then(|| by.map_or_else(String::new, |by| format!("{by:.0}")))
}

fn print_tables(
    args: &Free,
    snapshot: &Snapshot,
    survey: Option<&Survey>,
    is_first: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if args.watch.is_some() {
        let gap = if is_first { "" } else { "\n" };
        writeln!(out, "{gap}{}", crate::tui::event::time_of_day(snapshot.sample.wall_ms))?;
    }
    let system = &snapshot.sample.system;
    let size = |bytes: u64| if args.bytes { bytes.to_string() } else { Bytes(bytes).to_string() };
    summary(snapshot, &size, args.bytes).write(out, true, terminal_width())?;
    writeln!(out)?;
    let about = About { snapshot, survey, without: "", size: &size, tells_age: false };
    if let Some(account) = Account::of(system) {
        parts(&about, &account, args.bytes).write(out, true, terminal_width())?;
        if let Some(note) = sheet::remainder(&about, &account) {
            writeln!(out, "{note}")?;
        }
        writeln!(out)?;
    }
    table(&sheet::reclaim(&about)).write(out, true, terminal_width())?;
    writeln!(out)?;
    for line in notes(system, &size) {
        writeln!(out, "{line}")?;
    }
    if survey.is_some() {
        for part in SECTIONS {
            print_sheet(&part(&about), out)?;
        }
    }
    Ok(())
}

/// What is told of a survey, in its order.
const SECTIONS: [fn(&About<'_>) -> Sheet; 10] = [
    sheet::slab,
    sheet::shmem,
    sheet::tmpfs,
    sheet::segments,
    sheet::posix,
    sheet::loose,
    sheet::devices,
    sheet::processes,
    sheet::settings,
    sheet::zones,
];

fn print_sheet(sheet: &Sheet, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", sheet.title.to_uppercase())?;
    for (note, _) in &sheet.notes {
        writeln!(out, "{note}")?;
    }
    if sheet.rows.is_empty() { Ok(()) } else { table(sheet).write(out, true, terminal_width()) }
}

/// A sheet's columns as a table.
fn table(sheet: &Sheet) -> Table {
    let column = |column: &SheetColumn| Column { title: column.title.to_owned(), is_right: column.is_right };
    Table {
        columns: sheet.columns.iter().map(column).collect(),
        rows: sheet.rows.iter().map(|row| row.cells.clone()).collect(),
        total: None,
    }
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

/// Every part of RAM, and their sum.
fn parts(about: &About<'_>, account: &Account, is_exact: bool) -> Table {
    let sum = account.parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.bytes));
    let share = format!("{:.1}%", sum as f64 * 100.0 / account.total.max(1) as f64);
    let mut total = vec!["total".into(), (about.size)(sum), share, String::new()];
    let mut table = table(&sheet::parts(about));
    if about.snapshot.mark.is_some() {
        // Before what it is.
        let place = table.columns.len() - 1;
        table.columns.insert(place, right("since"));
        total.insert(place, String::new());
        for row in &mut table.rows {
            let part = account.parts.iter().find(|part| part.title == row[0]);
            let by = part.and_then(|part| ram_change(about.snapshot, account, &[part.key]));
            let by = by.map(|by| show_change(&Value::BytesChange(by), is_exact));
            row.insert(place, by.unwrap_or_else(|| "-".into()));
        }
    }
    Table { total: Some(total), ..table }
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
    if let Some(balloon) = system.balloon.value().filter(|balloon| balloon.bytes > 0) {
        let total = if balloon.is_in_total { "counted in the total" } else { "not in the total" };
        notes.push(format!("balloon: the hypervisor has {} of this machine's memory, {total}", size(balloon.bytes)));
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
