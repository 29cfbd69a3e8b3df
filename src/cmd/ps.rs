//! `memtide ps`: one sample, sorted and printed.

use std::cmp::Ordering;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

use super::since::{self, Since};
use super::{Usage, repeat, terminal_width};
use crate::cli::{Common, Format, Ps};
use crate::collect::once::{Once, read_more, read_once};
use crate::collect::root::ProcRoot;
use crate::config::fields;
use crate::export::csv::Csv;
use crate::export::json;
use crate::export::table::{Column, Table};
use crate::model::field::{PROCESS_FIELDS, ProcessField, Source, SourceSet, Value, process_field};
use crate::model::group::{Bound, Group, GroupBy, ended, group};
use crate::model::judgement::Analysis;
use crate::model::mark::{Marked, MarkedProcess};
use crate::model::query::Query;
use crate::model::reading::Reading;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

const COLUMNS: [&str; 8] = ["pid", "user", "pss", "uss", "rss", "swap", "fds", "command"];

/// Processes read beyond those asked for, to take the place of who ends meanwhile.
const SPARE: usize = 8;
/// The same with the changes since a mark.
const CHANGES: [&str; 11] =
    ["pid", "user", "pss", "pss_change", "rss", "rss_change", "swap", "swap_change", "fds", "fds_change", "command"];

/// What is printed, checked.
struct Wish<'a> {
    args: &'a Ps,
    fields: Vec<&'static ProcessField>,
    sort: &'static ProcessField,
    since: Since,
    filter: Option<Query>,
    group: Option<GroupBy>,
}

pub(super) fn run(args: &Ps, common: &Common) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.list_fields {
        list_fields(&mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wish = wish(args)?;
    repeat(common, args.watch.map(|every| every.0), |root, is_first| {
        let snapshot = wish.look(root)?;
        if is_first {
            since::tell(&snapshot);
        }
        wish.print(&snapshot, is_first, &mut out)?;
        out.flush()?;
        if is_first {
            wish.tell_what_is_missing(&snapshot);
            since::keep(&args.marks, root, Some(&snapshot))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn wish(args: &Ps) -> anyhow::Result<Wish<'_>> {
    let since = Since::open(&args.marks)?;
    let fields = match &args.columns {
        Some(columns) => columns.iter().map(|field| field.0).collect(),
        None if since.is_some() => fields(&CHANGES),
        None => fields(&COLUMNS),
    };
    let by = if since.is_some() { "pss_change" } else { "pss" };
    let sort = args.sort.map_or_else(|| process_field(by).unwrap_or(&PROCESS_FIELDS[0]), |field| field.0);
    if let Some(field) = fields.iter().chain([&sort]).find(|field| field.source == Source::Mark)
        && !since.is_some()
    {
        let why = format!("`{}` needs a mark: --save-mark FILE keeps one, --since FILE compares with it", field.key);
        return Err(Usage(why).into());
    }
    if let Some(field) = fields.iter().chain([&sort]).find(|field| field.source == Source::History) {
        let why = format!("`{}` needs a history, which one look can't have: `memtide` shows it live", field.key);
        return Err(Usage(why).into());
    }
    let filter = args.filter().map_err(Usage)?;
    let filter = filter.map(|filter| Query::parse(&filter.to_string())).transpose()?;
    if filter.as_ref().is_some_and(|filter| filter.sources().contains(Source::History)) {
        return Err(
            Usage("the filter needs a history, which one look can't have: `memtide` filters it live".into()).into()
        );
    }
    if !since.is_some() && filter.as_ref().is_some_and(|filter| filter.sources().contains(Source::Mark)) {
        return Err(Usage("the filter needs a mark: --since FILE".into()).into());
    }
    Ok(Wish { args, fields, sort, since, filter, group: args.group.and_then(|group| group.0) })
}

impl Wish<'_> {
    /// Reads no more than what is printed, and what decides that.
    fn look(&self, root: &ProcRoot) -> anyhow::Result<Snapshot> {
        let sort = self.sort;
        let is_by_pss = sort.key == "pss" && !self.args.reverse;
        let filter = self.filter.as_ref().map(Query::sources).unwrap_or_default();
        let mut all: SourceSet = self.group.map(|_| Source::Identity).into_iter().collect();
        self.fields.iter().for_each(|field| all.extend(field.sources()));
        all.extend(sort.sources());
        all.extend(filter);
        let marks = &self.args.marks;
        if marks.save_mark.is_some() {
            all.extend(since::sources());
        }
        // A mark is of all, and who has ended shows in the absence of nobody else.
        if self.since.is_some() || marks.save_mark.is_some() {
            return self.since.compare(read_once(root, &Once { sources: all, top_by_pss: None })?);
        }
        let top = self.args.top.filter(|_| self.group.is_none());
        if is_by_pss && self.filter.is_none() && top.is_some() {
            return Ok(snapshot(read_once(root, &Once { sources: all, top_by_pss: top })?));
        }
        let mut sample = read_once(root, &Once { sources: filter, top_by_pss: None })?;
        let mut known = filter;
        sample = keep(sample, |snapshot, chosen| chosen.retain(|index| self.is_chosen(snapshot, *index)));
        if let Some(top) = top {
            read_more(root, &mut sample, sort.sources().without(known))?;
            known.extend(sort.sources());
            sample = keep(sample, |snapshot, chosen| {
                self.sort(snapshot, chosen);
                chosen.truncate(top.saturating_add(SPARE));
                chosen.sort_unstable();
            });
        }
        read_more(root, &mut sample, all.without(known))?;
        Ok(snapshot(sample))
    }

    fn sort(&self, snapshot: &Snapshot, order: &mut [usize]) {
        let get = self.sort.get;
        order.sort_by(|a, b| self.order(&get(&snapshot.row(*a)), &get(&snapshot.row(*b))));
    }

    fn print(&self, snapshot: &Snapshot, is_first: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let chosen = self.chosen(snapshot);
        let limit = self.args.top.unwrap_or(usize::MAX);
        if let Some(by) = self.group {
            let mut groups = group(snapshot, by, chosen);
            if self.filter.is_some() {
                // Whether those that ended would have passed can't be told.
                for group in &mut groups {
                    group.ended.clear();
                }
            }
            groups.sort_by(|a, b| {
                let value = |group: &Group| group.total(snapshot, self.sort).0;
                self.order(&value(a), &value(b))
            });
            groups.truncate(limit);
            self.print_groups(snapshot, &groups, is_first, out)
        } else {
            let mut order: Vec<usize> = chosen.into_iter().map(|index| index as usize).collect();
            self.sort(snapshot, &mut order);
            order.truncate(limit);
            self.print_processes(snapshot, &order, is_first, out)
        }
    }

    fn chosen(&self, snapshot: &Snapshot) -> Vec<u32> {
        let places = 0..snapshot.sample.processes.len() as u32;
        places.filter(|index| self.is_chosen(snapshot, *index as usize)).collect()
    }

    fn is_chosen(&self, snapshot: &Snapshot, index: usize) -> bool {
        let row = snapshot.row(index);
        (self.args.kernel_threads || !row.process.identity.is_kernel_thread)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(&row))
    }

    /// The order of two readings: what is unknown comes last, whichever way the order goes.
    fn order(&self, a: &Reading<Value<'_>>, b: &Reading<Value<'_>>) -> Ordering {
        let is_descending = self.sort.sorts_descending() != self.args.reverse;
        match (a.as_ref().value(), b.as_ref().value()) {
            (Some(a), Some(b)) if is_descending => b.order(a),
            (Some(a), Some(b)) => a.order(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }

    fn print_processes(
        &self,
        snapshot: &Snapshot,
        order: &[usize],
        is_first: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let readings = |index: &usize| {
            let row = snapshot.row(*index);
            self.fields.iter().map(move |field| (field.get)(&row))
        };
        match self.args.format {
            Format::Json => self.print_json(&json::processes(snapshot, &self.fields, order), out)?,
            Format::Csv => {
                let mut csv = Csv::new(out);
                let time = self.time(snapshot);
                if is_first {
                    csv.head(if time.is_empty() { &[] } else { &["wall_ms"] }, &self.fields)?;
                }
                for index in order {
                    csv.record(&time, readings(index))?;
                }
                csv.flush()?;
            }
            Format::Table => {
                let cells = |index| readings(index).map(|reading| self.cell(&reading, Bound::Exact)).collect();
                let everything = Group {
                    members: order.iter().map(|index| *index as u32).collect(),
                    ended: if self.filter.is_none() { ended(snapshot) } else { Vec::new() },
                    ..Group::new("")
                };
                let total = |field: &&'static ProcessField| match field.key {
                    "command" => format!("{} processes", order.len()),
                    _ if !field.unit.is_number() || field.key == "pid" => String::new(),
                    _ => {
                        let (reading, bound) = everything.total(snapshot, field);
                        if reading.as_ref().value().is_some() { self.cell(&reading, bound) } else { String::new() }
                    }
                };
                let table = Table {
                    columns: self.fields.iter().map(|field| column(field)).collect(),
                    rows: order.iter().map(cells).collect(),
                    total: self.args.total.then(|| self.fields.iter().map(total).collect()),
                };
                self.print_table(&table, snapshot, is_first, out)?;
                self.print_ended(snapshot, out)?;
            }
        }
        Ok(())
    }

    /// Who has ended since the mark, the largest first.
    fn print_ended(&self, snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
        let Some(mark) = snapshot.mark.as_ref().filter(|_| self.filter.is_none()) else { return Ok(()) };
        let mut ended: Vec<&MarkedProcess> = mark.ended(&snapshot.sample).collect();
        ended.sort_by_key(|process| std::cmp::Reverse(process.value(Marked::Pss).or(process.value(Marked::Rss))));
        ended.truncate(self.args.top.unwrap_or(usize::MAX));
        if ended.is_empty() {
            return Ok(());
        }
        let kept = [Marked::Pss, Marked::Rss, Marked::Swap, Marked::Fds];
        let cell = |process: &MarkedProcess, what: Marked| match process.value(what) {
            Some(count) if what == Marked::Fds => count.to_string(),
            Some(bytes) => self.cell(&Reading::Value(Value::Bytes(bytes)), Bound::Exact),
            None => "-".into(),
        };
        let row = |process: &&MarkedProcess| {
            let mut cells = vec![process.key.pid.to_string()];
            cells.push(snapshot.sample.host.user(process.identity.uid).into_owned());
            cells.extend(kept.map(|what| cell(process, what)));
            cells.push(process.identity.shown_command().into_owned());
            cells
        };
        let mut columns: Vec<Column> =
            ["pid", "user"].iter().filter_map(|key| process_field(key)).map(column).collect();
        columns.extend(kept.map(|what| column(what.field())));
        columns.push(Column { title: "ENDED SINCE".into(), is_right: false });
        let table = Table { columns, rows: ended.iter().map(row).collect(), total: None };
        writeln!(out)?;
        table.write(out, !self.args.no_header, terminal_width())
    }

    fn print_groups(
        &self,
        snapshot: &Snapshot,
        groups: &[Group],
        is_first: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let fields: Vec<&'static ProcessField> =
            self.fields.iter().copied().filter(|field| field.unit.is_number() && field.key != "pid").collect();
        let by = self.group.map_or("", GroupBy::word);
        match self.args.format {
            Format::Json => self.print_json(&json::groups(snapshot, &fields, groups), out)?,
            Format::Csv => {
                let mut csv = Csv::new(out);
                let time = self.time(snapshot);
                if is_first {
                    let first: &[&str] = if time.is_empty() { &[by, "count"] } else { &["wall_ms", by, "count"] };
                    csv.head(first, &fields)?;
                }
                for group in groups {
                    let mut first = time.clone();
                    first.extend([group.name.clone(), group.members.len().to_string()]);
                    csv.record(&first, fields.iter().map(|field| group.total(snapshot, field).0))?;
                }
                csv.flush()?;
            }
            Format::Table => {
                let line = |group: &Group, name: String| {
                    let mut cells = vec![group.members.len().to_string()];
                    cells.extend(fields.iter().map(|field| {
                        let (reading, bound) = group.total(snapshot, field);
                        self.cell(&reading, bound)
                    }));
                    cells.push(name);
                    cells
                };
                let everything = Group {
                    members: groups.iter().flat_map(|group| group.members.iter().copied()).collect(),
                    ended: groups.iter().flat_map(|group| group.ended.iter().copied()).collect(),
                    ..Group::new("")
                };
                let mut columns = vec![Column { title: "N".into(), is_right: true }];
                columns.extend(fields.iter().map(|field| column(field)));
                columns.push(Column { title: by.to_uppercase(), is_right: false });
                let table = Table {
                    columns,
                    rows: groups.iter().map(|group| line(group, group.name.clone())).collect(),
                    total: self.args.total.then(|| line(&everything, format!("{} groups", groups.len()))),
                };
                self.print_table(&table, snapshot, is_first, out)?;
            }
        }
        Ok(())
    }

    fn cell(&self, reading: &Reading<Value<'_>>, bound: Bound) -> String {
        let text = match reading {
            Reading::Value(value) | Reading::Stale(value, _) => match (value, self.args.bytes) {
                (Value::Bytes(bytes), true) => bytes.to_string(),
                (value, _) => value.to_string(),
            },
            _ => return "-".into(),
        };
        format!("{}{text}", bound.mark(false))
    }

    /// With --watch every record says when.
    fn time(&self, snapshot: &Snapshot) -> Vec<String> {
        self.args.watch.iter().map(|_| snapshot.sample.wall_ms.to_string()).collect()
    }

    fn print_json(&self, document: &serde_json::Value, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.args.watch.is_some() {
            serde_json::to_writer(&mut *out, document)?;
        } else {
            serde_json::to_writer_pretty(&mut *out, document)?;
        }
        writeln!(out)?;
        Ok(())
    }

    fn print_table(&self, table: &Table, snapshot: &Snapshot, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.args.watch.is_some() {
            let gap = if is_first { "" } else { "\n" };
            writeln!(out, "{gap}{}", crate::tui::event::time_of_day(snapshot.sample.wall_ms))?;
        }
        table.write(out, !self.args.no_header, terminal_width())
    }

    /// Says on stderr what the figures lack, and what would grant it.
    fn tell_what_is_missing(&self, snapshot: &Snapshot) {
        let is_lacking = |field: &&&'static ProcessField| field.source == Source::Rollup || field.source == Source::Fds;
        let denied = snapshot
            .sample
            .processes
            .iter()
            .filter(|process| process.is_denied() || matches!(process.fds.reading, Reading::Denied(_)))
            .count()
            .max(snapshot.sample.scan.denied as usize);
        if denied > 0 && self.fields.iter().any(|field| is_lacking(&field)) {
            let processes = if denied == 1 { "1 process".into() } else { format!("{denied} processes") };
            let mend = if rustix::process::geteuid().is_root() {
                "the kernel refuses them to this root too (a container or a security module)"
            } else {
                "run it under sudo, or once: sudo setcap cap_sys_ptrace+ep memtide"
            };
            eprintln!("memtide: PSS, USS or descriptors of {processes} unknown (-): {mend}");
        }
        if snapshot.sample.scan.is_hiding {
            eprintln!("memtide: /proc hides other users' processes (hidepid): run it under sudo to see all");
        }
    }
}

/// The sample with those of its processes alone whose places are left.
fn keep(sample: Sample, choose: impl FnOnce(&Snapshot, &mut Vec<usize>)) -> Sample {
    let mut chosen: Vec<usize> = (0..sample.processes.len()).collect();
    let snapshot = snapshot(sample);
    choose(&snapshot, &mut chosen);
    let processes = chosen.into_iter().map(|index| Arc::clone(&snapshot.sample.processes[index])).collect();
    Sample { processes, ..Arc::unwrap_or_clone(snapshot.sample) }
}

fn snapshot(sample: Sample) -> Snapshot {
    Snapshot::derive(None, Arc::new(sample), Analysis::default())
}

fn column(field: &ProcessField) -> Column {
    Column { title: field.title.into(), is_right: field.unit.is_number() }
}

fn list_fields(out: &mut dyn Write) -> io::Result<()> {
    let text = |title: &str| Column { title: title.into(), is_right: false };
    let table = Table {
        columns: vec![text("FIELD"), text("HEAD"), text("MEANING")],
        rows: PROCESS_FIELDS
            .iter()
            .map(|field| vec![field.key.into(), field.title.into(), field.help.into()])
            .collect(),
        total: None,
    };
    table.write(out, true, None)
}
