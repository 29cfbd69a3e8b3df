//! `memtide.report/1`: a report.

use serde_json::{Value as Json, json};

use super::story::story;
use crate::analyze::report::{Course, Life, Report};
use crate::model::deed::Deed;
use crate::model::process::ProcessSample;

/// A report, with its numbers unrounded.
pub fn report(report: &Report) -> Json {
    let peak = report.peak.as_ref().map(|peak| {
        json!({
            "wall_ms": peak.wall_ms,
            "used": peak.used,
            "swap": peak.swap,
            "alive": peak.alive,
            "largest": peak.largest.iter().map(|process| largest(process)).collect::<Vec<_>>(),
        })
    });
    let events = report.events.iter().map(|event| {
        let pid = event.key.map(|key| key.pid);
        json!({"wall_ms": event.wall_ms, "kind": event.kind.word(), "text": event.text, "pid": pid})
    });
    json!({
        "schema": "memtide.report/1",
        "story": story(&report.story),
        "mem_total": report.total,
        "used": course(&report.used),
        "swap": course(&report.swap),
        "stalled_percent": course(&report.stalled),
        "peak": peak,
        "growers": report.growers.iter().map(life).collect::<Vec<_>>(),
        "swapped_in": report.swapped.map(|[read, _]| read),
        "swapped_out": report.swapped.map(|[_, written]| written),
        "oom_kills": report.oom_kills,
        "events": events.collect::<Vec<_>>(),
        "actions": report.deeds.iter().map(deed).collect::<Vec<_>>(),
    })
}

/// Parts of the span of equal length, `null` where nothing is known.
fn course(course: &Course) -> Json {
    let point = |point: &f32| if point.is_finite() { json!(point) } else { Json::Null };
    let highest = course.highest.map(|(value, wall_ms)| json!({"value": value, "wall_ms": wall_ms}));
    json!({"highest": highest, "points": course.points.iter().map(point).collect::<Vec<_>>()})
}

fn deed(deed: &Deed) -> Json {
    json!({
        "wall_ms": deed.wall_ms,
        "action": deed.action.escaped(),
        "title": deed.title.escaped(),
        "on": deed.on.escaped(),
        "result": deed.result.escaped(),
        "is_done": deed.is_done,
        "measured": deed.measured.escaped(),
    })
}

fn largest(process: &ProcessSample) -> Json {
    json!({
        "pid": process.key.pid,
        "start_time": process.key.start_time,
        "rss": process.resident.value().map(|resident| resident.rss),
        "pss": process.rollup.reading.value().map(|rollup| rollup.pss),
        "command": process.identity.shown_command(),
    })
}

fn life(life: &Life) -> Json {
    json!({
        "pid": life.process.key.pid,
        "start_time": life.process.key.start_time,
        "command": life.process.identity.shown_command(),
        "gained": life.gained(),
        "first": life.first,
        "last": life.last,
        "most": life.most,
        "seen_wall_ms": life.wall_ms,
        "has_ended": life.has_ended,
        "private": course(&life.course),
    })
}
