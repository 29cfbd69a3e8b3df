//! A story as text for people: what it comes to, what was seen, what to do.

use std::io::{self, Write};

use super::wrap::{clamp, wrap};
use crate::analyze::story::{Advice, Sentence, Story, Topic};

/// Writes the story. `clock` gives the time of day of a moment by the wall clock.
pub fn write(
    story: &Story,
    out: &mut dyn Write,
    width: Option<usize>,
    clock: impl Fn(i64) -> String,
) -> io::Result<()> {
    let width = clamp(width);
    let [began, ended] = story.wall_ms.map(clock);
    wrap(out, &format!("{}: {}", story.host, story.headline.text), "", "", width)?;
    let watched = crate::analyze::story::Amount::Milliseconds(story.watched_ms as f64);
    let samples = if story.samples == 1 { "sample" } else { "samples" };
    wrap(out, &format!("watched from {began} to {ended}, {watched}, {} {samples}", story.samples), "", "", width)?;
    writeln!(out)?;
    let mut before: Option<&Sentence> = None;
    for sentence in &story.sentences {
        let lead = if before.is_some_and(|before| goes_on(before, sentence)) { "  " } else { "- " };
        wrap(out, &sentence.text, lead, "  ", width)?;
        before = Some(sentence);
    }
    if story.advice.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWhat to do")?;
    for (nth, advice) in (1..).zip(&story.advice) {
        advise(out, nth, advice, width)?;
    }
    Ok(())
}

/// Whether a sentence says more of what the one before is about.
fn goes_on(before: &Sentence, sentence: &Sentence) -> bool {
    let is_growth = matches!(sentence.topic, Topic::Leak | Topic::Growth);
    (sentence.finding.is_some() && sentence.finding == before.finding && !is_growth)
        || (sentence.topic == Topic::Clear && before.topic == Topic::Clear)
}

fn advise(out: &mut dyn Write, nth: usize, advice: &Advice, width: usize) -> io::Result<()> {
    let lead = format!("{nth}. ");
    let indent = " ".repeat(lead.len());
    wrap(out, &advice.title, &lead, &indent, width)?;
    // A command stays on its line: it is to be copied.
    for command in &advice.commands {
        writeln!(out, "{indent}  {command}")?;
    }
    wrap(out, &format!("why: {}", advice.why.text), &indent, &format!("{indent}     "), width)?;
    if let Some(risk) = &advice.risk {
        wrap(out, &format!("mind: {risk}."), &indent, &format!("{indent}      "), width)?;
    }
    Ok(())
}
