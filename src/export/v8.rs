//! The statistics of V8's heap as text, JSON and CSV.

use std::io::Write;

use serde_json::{Value, json};

use super::table::{Column, Table};
use crate::model::v8::HeapStats;
use crate::units::Bytes;

/// The name and version of the form.
pub const SCHEMA: &str = "memtide.heap_stats/1";

/// Lines of a name, a value and what it means.
pub fn lines(stats: &HeapStats, is_bytes: bool) -> Vec<(&'static str, String)> {
    let size = |bytes: u64| if is_bytes { bytes.to_string() } else { Bytes(bytes).to_string() };
    let mut lines = vec![("heap", format!("{} in use of {} held", size(stats.used), size(stats.total)))];
    if let Some(limit) = stats.limit {
        let percent = (stats.used as f64 * 100.0 / limit.max(1) as f64).round();
        lines.push(("limit", format!("{}, of which {percent} % are in use", size(limit))));
    }
    if let Some(external) = stats.external {
        let buffers =
            stats.array_buffers.map_or_else(String::new, |buffers| format!(", {} of it Buffers", size(buffers)));
        lines.push(("external", format!("{} beside the heap{buffers}", size(external))));
    }
    if let Some(malloced) = stats.malloced {
        let peak = stats.peak_malloced.map_or_else(String::new, |peak| format!(", at most {} so far", size(peak)));
        lines.push(("malloc", format!("{} by V8 itself{peak}", size(malloced))));
    }
    if let Some(native) = stats.native_contexts {
        let detached = stats.detached_contexts.unwrap_or(0);
        let leak = if detached > 0 { ": the program gave them up, and something still holds them" } else { "" };
        lines.push(("contexts", format!("{native}, {detached} detached{leak}")));
    }
    if let Some(rss) = stats.rss {
        lines.push(("RSS", size(rss)));
    }
    lines
}

/// The table of its spaces.
pub fn spaces(stats: &HeapStats, is_bytes: bool) -> Table {
    let size = |bytes: u64| if is_bytes { bytes.to_string() } else { Bytes(bytes).to_string() };
    let column = |title: &str, is_right| Column { title: title.into(), is_right };
    let columns = vec![
        column("SPACE", false),
        column("USED", true),
        column("FREE", true),
        column("HELD", true),
        column("PRESENT", true),
    ];
    let rows = stats.spaces.iter().map(|space| {
        vec![space.name.clone(), size(space.used), size(space.available), size(space.size), size(space.physical)]
    });
    Table { columns, rows: rows.collect(), total: None }
}

/// The document.
pub fn json(stats: &HeapStats, pid: u32) -> Value {
    let spaces = stats.spaces.iter().map(|space| {
        json!({
            "name": space.name,
            "size": space.size,
            "used": space.used,
            "available": space.available,
            "physical": space.physical,
        })
    });
    json!({
        "schema": SCHEMA,
        "pid": pid,
        "version": stats.version,
        "used": stats.used,
        "total": stats.total,
        "physical": stats.physical,
        "limit": stats.limit,
        "available": stats.available,
        "external": stats.external,
        "array_buffers": stats.array_buffers,
        "malloced": stats.malloced,
        "peak_malloced": stats.peak_malloced,
        "rss": stats.rss,
        "native_contexts": stats.native_contexts,
        "detached_contexts": stats.detached_contexts,
        "spaces": spaces.collect::<Vec<_>>(),
    })
}

/// The spaces as CSV, in bytes.
pub fn csv(stats: &HeapStats, out: impl Write) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["space", "used", "available", "size", "physical"])?;
    for space in &stats.spaces {
        let numbers = [space.used, space.available, space.size, space.physical].map(|number| number.to_string());
        out.write_record([&space.name].into_iter().chain(&numbers))?;
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::v8::HeapSpace;

    #[test]
    fn what_is_known_is_shown_and_what_is_not_is_left_out() {
        let space = HeapSpace { name: "old_space".into(), size: 4096, used: 2048, ..HeapSpace::default() };
        let stats = HeapStats {
            used: 50 << 20,
            total: 60 << 20,
            limit: Some(100 << 20),
            native_contexts: Some(3),
            detached_contexts: Some(1),
            spaces: vec![space],
            ..HeapStats::default()
        };
        let lines = lines(&stats, false);
        let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["heap", "limit", "contexts"]);
        assert!(lines[1].1.contains("50 % are in use") && lines[2].1.contains("1 detached: the program gave them up"));
        let mut text = Vec::new();
        spaces(&stats, true).write(&mut text, true, None).unwrap();
        csv(&stats, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("old_space 2048    0 4096       0") && text.contains("old_space,2048,0,4096,0"),
            "{text}"
        );
        assert_eq!((&json(&stats, 7)["external"], &json(&stats, 7)["limit"]), (&Value::Null, &json!(100 << 20)));
    }
}
