//! A report as one page: no script, nothing to load, in the colours that the reader's browser prefers.

mod chart;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::chart::{Chart, chart};
use super::report::swap_and_pressure;
use crate::analyze::report::Report;
use crate::units::Bytes;

const STYLE: &str = include_str!("style.css");

/// The page. `moment` gives day and time of a moment by the wall clock.
pub fn page(report: &Report, moment: impl Fn(i64) -> String) -> String {
    let story = &report.story;
    let [began, ended] = story.wall_ms.map(&moment);
    let title = format!("{}: {began} to {ended}", story.host);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "memtide: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (story.headline.text) }
                p.muted { (title) ", " (story.samples) " samples, " (story.processes) " processes at the end" }
                (charts(report, &moment))
                h2 { "What was seen" }
                ul { @for sentence in &story.sentences { li { (sentence.text) } } }
                (advice(report))
                (peak(report, &moment))
                (growers(report, &moment))
                h2 { "Swap and pressure" }
                ul { @for line in swap_and_pressure(report, &moment) { li { (line) } } }
                (deeds(report, &moment))
                (events(report, &moment))
                footer.muted { "memtide " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    markup.into_string()
}

fn charts(report: &Report, moment: &impl Fn(i64) -> String) -> Markup {
    let span = report.story.wall_ms;
    let draw = |title: &str, class, course, top, unit: fn(f64) -> String| {
        chart(&Chart { title, class, course, top, unit, span }, moment)
    };
    html! {
        (draw("Used memory", "used", &report.used, report.total.map(|total| total as f64), bytes))
        @if report.swap.highest.is_some_and(|(most, _)| most > 0.0) {
            (draw("Used swap", "swap", &report.swap, None, bytes))
        }
        @if report.stalled.highest.is_some_and(|(most, _)| most > 0.0) {
            (draw("All tasks wait for memory (PSI full)", "stalled", &report.stalled, None, percent))
        }
    }
}

fn bytes(value: f64) -> String {
    Bytes(value.max(0.0) as u64).to_string()
}

fn percent(value: f64) -> String {
    format!("{value:.1}%")
}

fn advice(report: &Report) -> Markup {
    html! {
        @if !report.story.advice.is_empty() {
            h2 { "What to do" }
            ol {
                @for advice in &report.story.advice {
                    li {
                        strong { (advice.title) }
                        @for command in &advice.commands { pre { (command) } }
                        p { (advice.why.text) }
                        @if let Some(risk) = &advice.risk { p.warn { "Mind: " (risk) "." } }
                    }
                }
            }
        }
    }
}

fn peak(report: &Report, moment: &impl Fn(i64) -> String) -> Markup {
    let Some(peak) = &report.peak else { return html! {} };
    html! {
        h2 { "Peak" }
        p {
            (Bytes(peak.used).to_string()) " used and " (Bytes(peak.swap).to_string()) " of swap at "
            (moment(peak.wall_ms)) ". The largest of " (peak.alive) " processes alive then:"
        }
        table {
            tr { th { "PID" } th { "RSS" } th { "PSS" } th.text { "Command" } }
            @for process in &peak.largest {
                tr {
                    td { (process.key.pid) }
                    td { (process.resident.value().map_or_else(|| "-".into(), |resident| bytes(resident.rss as f64))) }
                    td { (process.rollup.reading.value().map_or_else(|| "-".into(), |rollup| bytes(rollup.pss as f64))) }
                    td.text { (process.identity.shown_command()) }
                }
            }
        }
    }
}

fn growers(report: &Report, moment: &impl Fn(i64) -> String) -> Markup {
    let span = report.story.wall_ms;
    html! {
        @if !report.growers.is_empty() {
            h2 { "Who gained most private memory" }
            @for life in &report.growers {
                @let command = life.process.identity.shown_command();
                p {
                    strong { "+" (bytes(life.gained() as f64)) } " " (life.process.key.pid) " " code { (command) } ", "
                    (bytes(life.first as f64)) " to " (bytes(life.most as f64))
                    @if life.has_ended { ", ended " (moment(life.wall_ms[1])) }
                }
                (chart(&Chart { title: "", class: "life", course: &life.course, top: None, unit: bytes, span }, moment))
            }
        }
    }
}

fn deeds(report: &Report, moment: &impl Fn(i64) -> String) -> Markup {
    html! {
        h2 { "What was done" }
        @if report.deeds.is_empty() { p { "Nothing that was recorded." } }
        table {
            @for deed in &report.deeds {
                tr.action {
                    td.text { (moment(deed.wall_ms)) }
                    td.text { @if !deed.is_done { strong { "not done: " } } (deed.told()) }
                }
            }
        }
    }
}

fn events(report: &Report, moment: &impl Fn(i64) -> String) -> Markup {
    html! {
        h2 { "What happened" }
        @if report.events.is_empty() { p { "Nothing." } }
        table {
            @for event in &report.events {
                tr class=(event.kind.word()) { td.text { (moment(event.wall_ms)) } td.text { (event.text) } }
            }
        }
    }
}
