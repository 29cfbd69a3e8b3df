//! What is open, by target, by folder, and the newest.

use std::io::{self, Write};

use super::{Report, counted, left, right};
use crate::export::table::Table;
use crate::export::wrap::{clamp, wrap};
use crate::model::inspect::Coverage;
use crate::model::inspect::change::{self, Changed};
use crate::model::inspect::descriptor::{Descriptor, DescriptorKind, Descriptors, KindCount, Target};
use crate::model::inspect::prefix::by_prefix;
use crate::units::Percent;

/// Folders that are told.
const FOLDERS: usize = 5;

/// Descriptors that are told one by one.
const NEWEST: usize = 8;

pub(super) fn write(
    report: &Report<'_>,
    descriptors: &Descriptors,
    out: &mut dyn Write,
    width: Option<usize>,
) -> io::Result<()> {
    let text_width = clamp(width);
    let say = |out: &mut dyn Write, text: &str| wrap(out, text, "  ", "  ", text_width);
    let earlier = report.before.and_then(|before| before.inspection.descriptors.as_ref().value());
    let before = change::whole(descriptors, earlier);
    say(out, &summary(report, descriptors, before))?;
    if earlier.is_some() && before.is_none() {
        say(out, "no change is told: not every descriptor was looked at, now or then (--budget)")?;
    }
    let coverage = descriptors.coverage;
    if !coverage.is_whole() {
        let text = format!(
            "{} of {} were looked at before time was up (--budget), spread evenly over the numbers; other counts are \
             estimates from these",
            coverage.read, coverage.of
        );
        say(out, &text)?;
    }
    let deleted = descriptors.deleted;
    if deleted.files > 0 {
        let ram = if deleted.ram > 0 { format!(" and {} of RAM", report.size(deleted.ram)) } else { String::new() };
        let verb = if deleted.files == 1 { "file takes" } else { "files take" };
        let text = format!(
            "{} deleted {verb} {} of disk{ram} until it is closed here and everywhere",
            deleted.files,
            report.size(deleted.disk)
        );
        say(out, &text)?;
    }
    if descriptors.targets.is_empty() {
        return Ok(());
    }
    targets(report, descriptors, before).fit_last(width).write(out, true, width)?;
    folders(descriptors, report.top, out, width)?;
    let newest = newest(descriptors, NEWEST.min(report.top));
    if !newest.rows.is_empty() {
        writeln!(out)?;
        newest.fit_last(width).write(out, true, width)?;
    }
    Ok(())
}

/// `931 of 1024 open (91%): 900 files (+12), 20 sockets, 8 pipes, 3 epoll`.
fn summary(report: &Report<'_>, descriptors: &Descriptors, before: Option<&Descriptors>) -> String {
    let coverage = descriptors.coverage;
    let limit = report.inspection.overview.fd_limit.value().filter(|limit| limit.soft < u64::MAX);
    let mut text = match limit {
        Some(limit) => {
            let share = Percent(coverage.of as f64 * 100.0 / limit.soft.max(1) as f64);
            format!("{} of {} open ({share})", coverage.of, limit.soft)
        }
        None => format!("{} open", coverage.of),
    };
    let about = if coverage.is_whole() { "" } else { "about " };
    let kind = |line: &Changed<'_, KindCount>| {
        let number = coverage.scale(line.now.map_or(0, |count| count.count.into()));
        let change = before.map_or(0, |_| line.change(|count| count.count.into()));
        let change = if change == 0 { String::new() } else { format!(" ({change:+})") };
        format!("{about}{number} {}{change}", line.line().kind.plural(number))
    };
    let kinds: Vec<String> = change::kinds(descriptors, before).iter().map(kind).collect();
    if !kinds.is_empty() {
        text += ": ";
        text += &kinds.join(", ");
    }
    text
}

fn targets(report: &Report<'_>, descriptors: &Descriptors, before: Option<&Descriptors>) -> Table {
    let count = |target: &Target| u64::from(target.count);
    let mut lines: Vec<Changed<'_, Target>> = change::targets(descriptors, before);
    if before.is_some() {
        lines.sort_by_key(|line| std::cmp::Reverse(line.change(count).unsigned_abs()));
    }
    let about = if descriptors.coverage.is_whole() { "" } else { "~" };
    let row = |line: &Changed<'_, Target>| {
        let target = line.line();
        let number = descriptors.coverage.scale(line.now.map_or(0, count));
        let mut row = vec![format!("{about}{number}")];
        row.extend(before.is_some().then(|| format!("{:+}", line.change(count))));
        row.extend([range(line.now), target.kind.title().to_owned(), shown(report, line)]);
        row
    };
    let mut rows: Vec<Vec<String>> = lines.iter().take(report.top).map(row).collect();
    let rest = &lines[report.top.min(lines.len())..];
    let told: u64 = rest.iter().filter_map(|line| line.now).map(count).sum();
    let untold = told + u64::from(descriptors.untold);
    if untold > 0 {
        let mut row = vec![format!("{about}{}", descriptors.coverage.scale(untold))];
        row.extend(before.is_some().then(|| format!("{:+}", rest.iter().map(|line| line.change(count)).sum::<i64>())));
        row.extend([String::new(), String::new(), "(other targets)".to_owned()]);
        rows.push(row);
    }
    let mut columns = vec![right("COUNT")];
    columns.extend(before.is_some().then(|| right("CHANGE")));
    columns.extend([left("FDS"), left("KIND"), left("WHAT")]);
    Table { columns, rows, total: None }
}

/// `7`, or from the lowest to the highest.
fn range(target: Option<&Target>) -> String {
    match target {
        None => String::new(),
        Some(target) if target.lowest == target.highest => target.lowest.to_string(),
        Some(target) => format!("{}..{}", target.lowest, target.highest),
    }
}

fn shown(report: &Report<'_>, line: &Changed<'_, Target>) -> String {
    let target = line.line();
    let has_path = matches!(target.kind, DescriptorKind::File | DescriptorKind::Directory | DescriptorKind::Device);
    let is_often = has_path && target.count > 2 && line.now.is_some() && !target.is_deleted;
    let coverage = report.inspection.descriptors.as_ref().value().map_or_else(Coverage::default, |all| all.coverage);
    let about = if coverage.is_whole() { "" } else { "about " };
    let times = coverage.scale(target.count.into());
    let often = if is_often { format!(", open {about}{times} times") } else { String::new() };
    let blocks = if target.blocks > 0 { format!(", {}", report.size(target.blocks)) } else { String::new() };
    let inside = line.now.and_then(Target::inside).map_or_else(String::new, |words| format!(", {words}"));
    target.shown() + &often + &blocks + &inside
}

/// The folders of the files, where there are several.
fn folders(descriptors: &Descriptors, top: usize, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
    let most = FOLDERS.min(top);
    let prefixes = by_prefix(&descriptors.targets, most.max(1));
    if prefixes.iter().map(|prefix| prefix.paths).max().unwrap_or(0) < 2 || most == 0 {
        return Ok(());
    }
    let about = if descriptors.coverage.is_whole() { "" } else { "~" };
    let row = |prefix: &crate::model::inspect::prefix::Prefix| {
        vec![
            format!("{about}{}", descriptors.coverage.scale(prefix.count.into())),
            counted(prefix.paths.into(), "path"),
            prefix.folder.escaped().into_owned(),
        ]
    };
    writeln!(out)?;
    let columns = vec![right("COUNT"), right("PATHS"), left("IN AND BELOW")];
    Table { columns, rows: prefixes.iter().map(row).collect(), total: None }.fit_last(width).write(out, true, width)
}

fn newest(descriptors: &Descriptors, most: usize) -> Table {
    let row = |descriptor: &Descriptor| {
        vec![
            descriptor.fd.to_string(),
            descriptor.access.letter().to_string(),
            descriptor.kind.title().to_owned(),
            descriptor.shown() + &descriptor.inside().map_or_else(String::new, |words| format!(", {words}")),
        ]
    };
    let columns = vec![right("NEWEST"), left("MODE"), left("KIND"), left("WHAT (the highest numbers)")];
    Table { columns, rows: descriptors.newest.iter().take(most).map(row).collect(), total: None }
}
