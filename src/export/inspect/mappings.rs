//! Mappings by what they are, the largest one by one, and a bar of the address space.

use std::io::{self, Write};

use super::{Report, left, right};
use crate::export::table::Table;
use crate::export::wrap::{clamp, wrap};
use crate::model::inspect::change::{self, Changed};
use crate::model::inspect::mapping::{Family, MappingGroup, Mappings};
use crate::model::inspect::memory::{MEMORY_FIELDS, Memory, MemoryField, memory_field};
use crate::model::inspect::space::Bucket;
use crate::units::BytesChange;

/// Columns that fit into 80.
const NARROW: [&str; 7] = ["pss", "rss", "uss", "swap", "dirty", "anon_huge", "size"];

/// From this width on there is room for every column.
const WIDE: usize = 120;

/// Mappings that are told one by one.
const LARGEST: usize = 5;

/// Growth of a bucket that is marked, bytes.
const MARKED: i64 = 64 * 1024;

pub(super) fn write(
    report: &Report<'_>,
    mappings: &Mappings,
    out: &mut dyn Write,
    width: Option<usize>,
) -> io::Result<()> {
    let text_width = clamp(width);
    let before = report.before.and_then(|before| before.inspection.mappings.as_ref().value());
    let fields: Vec<&MemoryField> = match width {
        Some(width) if width >= WIDE => MEMORY_FIELDS.iter().collect(),
        _ => NARROW.iter().filter_map(|key| memory_field(key)).collect(),
    };
    groups(report, mappings, before, &fields).fit_last(width).write(out, true, width)?;
    if !mappings.coverage.is_whole() {
        let coverage = mappings.coverage;
        let rest = mappings.total.pss.saturating_sub(mappings.read.pss);
        let text = format!(
            "the memory of {} of {} mappings was read before time was up (--budget); that of the others, {} of PSS, is \
             in the total alone (+ is at least, - unknown)",
            coverage.read,
            coverage.of,
            report.size(rest)
        );
        wrap(out, &text, "  ", "  ", text_width)?;
    }
    bar(report, mappings, before, out, text_width)?;
    let most = LARGEST.min(report.top);
    if mappings.largest.len() > 1 && most > 0 {
        writeln!(out)?;
        largest(report, mappings, most).fit_last(width).write(out, true, width)?;
    }
    Ok(())
}

fn groups(report: &Report<'_>, mappings: &Mappings, before: Option<&Mappings>, fields: &[&MemoryField]) -> Table {
    let mut lines: Vec<Changed<'_, MappingGroup>> = change::mappings(mappings, before);
    let cost = |group: &MappingGroup| group.memory.footprint().saturating_add(group.memory.hugetlb);
    if before.is_some() {
        // What changed most comes first; what did not change keeps its order.
        lines.sort_by_key(|line| std::cmp::Reverse(if line.is_read() { line.change(cost).unsigned_abs() } else { 0 }));
    }
    let gained = |lines: &[Changed<'_, MappingGroup>]| {
        BytesChange(lines.iter().map(|line| line.change(cost)).fold(0, i64::saturating_add))
    };
    let show = |memory: &Memory, unread: u64, count: u64| -> Vec<String> {
        let cell = |field: &&MemoryField| {
            let size = report.size((field.get)(memory));
            match (field.key, unread) {
                // Addresses are always known.
                ("size", _) | (_, 0) => size,
                _ if unread >= count => "-".to_owned(),
                _ => size + "+",
            }
        };
        fields.iter().map(cell).collect()
    };
    let row = |lines: &[Changed<'_, MappingGroup>], name: String| {
        let now = lines.iter().filter_map(|line| line.now);
        let count = now.clone().map(|group| u64::from(group.count)).sum();
        let unread = now.clone().map(|group| u64::from(group.unread)).sum();
        let mut row = show(&Memory::sum(now.map(|group| &group.memory)), unread, count);
        if before.is_some() {
            // Which mappings of a group were read in time is chance: no change can be told then.
            let is_read = lines.iter().all(Changed::is_read);
            row.push(if is_read { gained(lines).to_string() } else { "-".to_owned() });
        }
        row.extend([count.to_string(), name]);
        row
    };
    let (told, rest) = lines.split_at(report.top.min(lines.len()));
    let mut rows: Vec<Vec<String>> =
        told.iter().map(|line| row(std::slice::from_ref(line), line.line().shown())).collect();
    if !rest.is_empty() {
        rows.push(row(rest, format!("({} more)", rest.len())));
    }
    let mut total = show(&mappings.total, 0, 0);
    if let Some(before) = before {
        let of = |memory: &Memory| i64::try_from(memory.footprint().saturating_add(memory.hugetlb)).unwrap_or(i64::MAX);
        total.push(BytesChange(of(&mappings.total) - of(&before.total)).to_string());
    }
    total.extend([mappings.coverage.of.to_string(), "total".to_owned()]);
    let mut columns: Vec<_> = fields.iter().map(|field| right(field.title)).collect();
    columns.extend(before.is_some().then(|| right("CHANGE")));
    columns.extend([right("MAPS"), left("WHAT")]);
    Table { columns, rows, total: Some(total) }
}

fn largest(report: &Report<'_>, mappings: &Mappings, most: usize) -> Table {
    let row = |mapping: &crate::model::inspect::mapping::Mapping| {
        vec![
            report.size(mapping.memory.rss),
            report.size(mapping.memory.swap),
            report.size(mapping.memory.size),
            format!("{:x}-{:x}", mapping.start, mapping.end),
            String::from_utf8_lossy(&mapping.permissions).into_owned(),
            mapping.shown(),
        ]
    };
    let columns = vec![right("RSS"), right("SWAP"), right("SIZE"), left("LARGEST"), left("MODE"), left("WHAT")];
    Table { columns, rows: mappings.largest.iter().take(most).map(row).collect(), total: None }
}

/// A letter a column, by address, each for the same amount of memory; what grew is marked below.
fn bar(
    report: &Report<'_>,
    mappings: &Mappings,
    before: Option<&Mappings>,
    out: &mut dyn Write,
    width: usize,
) -> io::Result<()> {
    let buckets = mappings.space.buckets(before.map(|before| &before.space), width - 4);
    let Some(first) = buckets.first() else { return Ok(()) };
    let families = |bucket: &Bucket| bucket.kind.family();
    let legend = Family::ALL.into_iter().filter(|family| buckets.iter().any(|bucket| families(bucket) == *family));
    let legend: Vec<String> = legend.map(|family| format!("{} {}", letter(family), family.word())).collect();
    writeln!(out)?;
    let text = format!("by address, {} of RAM and swap a letter: {}", report.size(first.bytes), legend.join(", "));
    wrap(out, &text, "  ", "  ", width)?;
    let letters: String = buckets.iter().map(|bucket| letter(families(bucket))).collect();
    writeln!(out, "  {letters}")?;
    if before.is_some() {
        let marks: String = buckets.iter().map(mark).collect();
        if marks.trim().is_empty() {
            writeln!(out, "  nothing grew")?;
        } else {
            writeln!(out, "  {}", marks.trim_end())?;
            writeln!(out, "  + grew by a tenth, # by half of what is there now")?;
        }
    }
    Ok(())
}

fn letter(family: Family) -> char {
    match family {
        Family::Heap => 'H',
        Family::Anonymous => 'a',
        Family::Stack => 's',
        Family::Shared => 'S',
        Family::File => 'f',
        Family::Other => 'o',
    }
}

fn mark(bucket: &Bucket) -> char {
    let share = bucket.gained as f64 / bucket.bytes.max(1) as f64;
    match share {
        _ if bucket.gained < MARKED => ' ',
        0.5.. => '#',
        0.1.. => '+',
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_marked_by_its_share_and_noise_is_not() {
        let bucket = |bytes, gained| {
            mark(&Bucket { start: 0, end: 1, kind: crate::model::inspect::mapping::MappingKind::Heap, bytes, gained })
        };
        assert_eq!(bucket(1 << 20, 1 << 19), '#');
        assert_eq!(bucket(1 << 20, 1 << 18), '+');
        assert_eq!(bucket(1 << 20, 1 << 15), ' ');
        assert_eq!(bucket(4096, 4096), ' ', "a page is noise");
        assert_eq!(bucket(1 << 20, -(1 << 20)), ' ');
    }

    #[test]
    fn the_columns_for_a_narrow_terminal_are_columns() {
        assert!(NARROW.iter().all(|key| memory_field(key).is_some()));
    }
}
