//! An inspection as text for people: an overview, and what is asked for of mappings, descriptors and threads.

mod descriptors;
mod mappings;
mod overview;
mod threads;

use std::io::{self, Write};

use super::table::Column;
use super::wrap::{clamp, wrap};
use crate::analyze::runtime::inspected;
use crate::analyze::story::{Story, Topic};
use crate::model::inspect::{Inspection, Part, PartSet};
use crate::model::reading::Reading;
use crate::model::runtime::Runtime;
use crate::units::Bytes;

/// What is told, and how.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// The process.
    pub inspection: &'a Inspection,
    /// The process as it was before; without it nothing is said of change.
    pub before: Option<Before<'a>>,
    /// What a watch before it came to.
    pub story: Option<&'a Story>,
    /// The overview is among what is asked for.
    pub has_overview: bool,
    /// What else is.
    pub parts: PartSet,
    /// Lines of a list that are told.
    pub top: usize,
    /// Sizes in bytes, and not as people read them.
    pub is_bytes: bool,
}

/// What the inspection is compared with.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The process at that moment.
    pub inspection: &'a Inspection,
    /// The name of the mark, where it was one.
    pub mark: Option<&'a str>,
}

impl Report<'_> {
    fn size(&self, bytes: u64) -> String {
        if self.is_bytes { bytes.to_string() } else { Bytes(bytes).to_string() }
    }
}

/// Writes the report in lines of the terminal's width, if it is one.
pub fn write(report: &Report<'_>, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
    let text_width = clamp(width);
    let Report { inspection, parts, .. } = report;
    let mut is_first = true;
    let mut head = |out: &mut dyn Write, title: &str| {
        let gap = if std::mem::take(&mut is_first) { "" } else { "\n" };
        writeln!(out, "{gap}{title}")
    };
    if report.has_overview {
        head(out, "Overview")?;
        overview::write(report, out, text_width)?;
    }
    if let Some(story) = report.story {
        head(out, "Growth")?;
        growth(story, out, text_width)?;
    }
    if parts.contains(Part::Mappings) {
        head(out, "Mappings")?;
        if let Some(mappings) = told(&inspection.mappings, out, text_width)? {
            mappings::write(report, mappings, out, width)?;
        }
    }
    if parts.contains(Part::Descriptors) {
        head(out, "Descriptors")?;
        if let Some(descriptors) = told(&inspection.descriptors, out, text_width)? {
            descriptors::write(report, descriptors, out, width)?;
        }
    }
    if parts.contains(Part::Threads) {
        head(out, "Threads")?;
        if let Some(threads) = told(&inspection.threads, out, text_width)? {
            threads::write(report, threads, out, width)?;
        }
    }
    if parts.contains(Part::Runtime) {
        head(out, "Runtime")?;
        let runtime = inspected(inspection);
        if let Some(runtime) = told(&runtime, out, text_width)? {
            runtime_lines(runtime.as_ref(), out, text_width)?;
        }
    }
    Ok(())
}

/// A part, or the reason why there is none, which is written.
fn told<'a, T>(part: &'a Reading<T>, out: &mut dyn Write, width: usize) -> io::Result<Option<&'a T>> {
    if let Some(why) = part.explain() {
        wrap(out, &format!("not shown: {why}"), "  ", "  ", width)?;
    }
    Ok(part.as_ref().value())
}

/// What runs it and what limits that, a line each.
fn runtime_lines(runtime: Option<&Runtime>, out: &mut dyn Write, width: usize) -> io::Result<()> {
    let Some(runtime) = runtime else {
        return wrap(out, "none that is known: compiled to machine code, most likely", "  ", "  ", width);
    };
    let indent = " ".repeat(overview::INDENT);
    for (label, value) in super::runtime::lines(runtime) {
        wrap(out, &value, &format!("  {label:<width$}", width = overview::INDENT - 2), &indent, width)?;
    }
    Ok(())
}

/// What the watch found of this process, without what is said of the machine.
fn growth(story: &Story, out: &mut dyn Write, width: usize) -> io::Result<()> {
    wrap(out, &story.headline.text, "  ", "  ", width)?;
    let is_of_process = |topic: Topic| matches!(topic, Topic::Leak | Topic::Growth | Topic::Kind | Topic::Limit);
    for sentence in story.sentences.iter().filter(|sentence| is_of_process(sentence.topic)) {
        wrap(out, &sentence.text, "  ", "    ", width)?;
    }
    Ok(())
}

fn right(title: &str) -> Column {
    Column { title: title.into(), is_right: true }
}

fn left(title: &str) -> Column {
    Column { title: title.into(), is_right: false }
}

/// `1 mapping`, `7 mappings`.
fn counted(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
