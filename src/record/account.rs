//! What verify and repair have to say: words for people, and JSON.
//!
//! `memtide.verify/1`: `{schema, files, bytes, samples, process_samples, blocks: {keys, anchors, deltas}, began_wall_ms?,
//! ended_wall_ms?, is_sound, losses: [LOSS], unknown}`. `memtide.repair/1`: `{schema, file, bytes, samples, losses}`. A LOSS
//! is `{file, offset, bytes, after_wall_ms?, why: "torn"|"damaged"|"base"|"version"|"malformed", text}` with `file` its
//! place among the files.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value as Json, json};

use super::reader::{Loss, Lost};
use super::repair::Repaired;
use super::verify::Verified;
use crate::units::Bytes;

/// A loss as a sentence without its full stop. `clock` gives the day and time of a moment by the wall clock.
pub fn loss(loss: &Loss, clock: impl Fn(i64) -> String) -> String {
    let file = if loss.segment > 0 { format!("file {}: ", loss.segment + 1) } else { String::new() };
    let after = loss.after_wall_ms.map(|at| format!(", after {}", clock(at))).unwrap_or_default();
    format!("{file}{} bytes at {} can't be read{after}: {}", loss.bytes, loss.offset, loss.why.explain())
}

/// What was verified, as words.
pub fn write_verified(
    verified: &Verified,
    out: &mut dyn Write,
    clock: impl Fn(i64) -> String + Copy,
) -> io::Result<()> {
    let [keys, anchors, deltas] = verified.blocks;
    for file in &verified.files {
        writeln!(out, "{}", file.display())?;
    }
    writeln!(
        out,
        "{} samples in {}: {keys} keys, {anchors} anchors, {deltas} deltas",
        verified.samples,
        Bytes(verified.bytes)
    )?;
    if let Some([first, last]) = verified.wall_ms {
        writeln!(out, "from {} to {}", clock(first), clock(last))?;
    }
    if verified.process_samples > 0 {
        let each = verified.bytes as f64 / verified.process_samples as f64;
        writeln!(out, "{} process samples, {each:.2} bytes each", verified.process_samples)?;
    }
    for lost in &verified.losses {
        writeln!(out, "{}", loss(lost, clock))?;
    }
    if !verified.unknown.is_empty() {
        writeln!(out, "recorded by a newer version, not known to this one: {}", verified.unknown.join(", "))?;
    }
    writeln!(out, "{}", if verified.is_sound() { "sound" } else { "damaged: `memtide repair` saves what can be read" })
}

/// What was saved, as words.
pub fn write_repaired(
    repaired: &Repaired,
    to: &Path,
    out: &mut dyn Write,
    clock: impl Fn(i64) -> String + Copy,
) -> io::Result<()> {
    for lost in &repaired.losses {
        writeln!(out, "{}", loss(lost, clock))?;
    }
    writeln!(out, "{} samples saved in {}, {}", repaired.samples, to.display(), Bytes(repaired.bytes))
}

/// What was verified, as `memtide.verify/1`.
pub fn verified_json(verified: &Verified) -> Json {
    let [keys, anchors, deltas] = verified.blocks;
    let mut document = json!({
        "schema": "memtide.verify/1",
        "files": verified.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "bytes": verified.bytes,
        "samples": verified.samples,
        "process_samples": verified.process_samples,
        "blocks": {"keys": keys, "anchors": anchors, "deltas": deltas},
        "is_sound": verified.is_sound(),
        "losses": verified.losses.iter().map(loss_json).collect::<Vec<_>>(),
        "unknown": verified.unknown,
    });
    if let Some([first, last]) = verified.wall_ms {
        document["began_wall_ms"] = first.into();
        document["ended_wall_ms"] = last.into();
    }
    document
}

/// What was saved, as `memtide.repair/1`.
pub fn repaired_json(repaired: &Repaired, to: &Path) -> Json {
    json!({
        "schema": "memtide.repair/1",
        "file": to.display().to_string(),
        "bytes": repaired.bytes,
        "samples": repaired.samples,
        "losses": repaired.losses.iter().map(loss_json).collect::<Vec<_>>(),
    })
}

fn loss_json(loss: &Loss) -> Json {
    let why = match loss.why {
        Lost::Torn => "torn",
        Lost::Damaged => "damaged",
        Lost::Base => "base",
        Lost::Version(_) => "version",
        Lost::Malformed => "malformed",
    };
    let mut object = json!({
        "file": loss.segment,
        "offset": loss.offset,
        "bytes": loss.bytes,
        "why": why,
        "text": loss.why.explain(),
    });
    if let Some(at) = loss.after_wall_ms {
        object["after_wall_ms"] = at.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_says_where_how_much_after_what_and_why() {
        let lost = Loss { segment: 1, offset: 500, bytes: 20, after_wall_ms: Some(7), why: Lost::Torn };
        let said = loss(&lost, |at| format!("moment {at}"));
        assert_eq!(said, "file 2: 20 bytes at 500 can't be read, after moment 7: the last block is not complete");
        assert_eq!(loss_json(&lost)["why"], "torn");
    }
}
