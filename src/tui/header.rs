//! The top of the screen: the machine, its memory and swap, pressure, the limit that binds us, and its history.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::event::time_ahead;
use super::finding;
use super::theme::{Role, Theme};
use super::widget::graph::{self, Scale};
use super::widget::line::{Piece, put, put_pieces, put_right};
use super::widget::meter::{self, Part};
use crate::model::account::Account;
use crate::model::field::Value;
use crate::model::judgement::{Finding, Verdict};
use crate::model::mark::ram_change;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::system::Meminfo;
use crate::model::text::escape;
use crate::session::update::{Taped, Update};
use crate::units::{Bytes, BytesPerSecond, Percent, Span};

/// What the header says that no update holds.
#[derive(Clone, Debug)]
pub struct Status {
    /// `live 1s`, `paused`, `PAST 13:58:02`.
    pub mode: String,
    /// Whether that is unusual and should be seen.
    pub is_unusual: bool,
    /// How far back the machine's graph reaches.
    pub span: Duration,
    /// The time of day.
    pub clock: String,
    /// The recording that goes on.
    pub taped: Option<Taped>,
    /// Something to be seen at once: a failure, a hint.
    pub alert: Option<String>,
}

/// Lines that the header takes of a screen.
pub fn height(screen: Rect) -> u16 {
    match screen.height {
        0..12 => 2,
        12..18 => 3,
        18..36 => 4,
        36..50 => 6,
        _ => 8,
    }
}

/// How many points of the machine's history fit beside what is said of it.
pub fn points(screen: Rect, findings: &[Finding]) -> usize {
    let lines = height(screen).saturating_sub(3);
    usize::from(screen.width.saturating_sub(label_width(lines, findings)))
}

/// Columns right of a graph of so many lines. In a graph of one line, the time at which memory is full stands beside
/// the span; else below it.
fn label_width(lines: u16, findings: &[Finding]) -> u16 {
    if lines == 1 && finding::memory_full_in(findings).is_some() { GRAPH_LABEL + ETA } else { GRAPH_LABEL }
}

/// Columns right of the graph.
const GRAPH_LABEL: u16 = 20;

/// Columns of `ETA ▸ Fri 14:12` and a gap.
const ETA: u16 = 17;

/// Draws the header.
pub fn draw(buf: &mut Buffer, area: Rect, update: &Update, status: &Status, theme: &Theme) {
    let line = |nth: u16| Rect::new(area.x, area.y + nth, area.width, u16::from(nth < area.height));
    draw_status(buf, line(0), &update.snapshot, status, theme);
    draw_memory(buf, line(1), &update.snapshot, theme);
    if area.height > 2 {
        draw_swap(buf, line(2), &update.snapshot, theme);
    }
    if area.height > 3 {
        let rest = Rect::new(area.x, area.y + 3, area.width, area.height - 3);
        draw_history(buf, rest, update, status.span, theme);
    }
}

fn draw_status(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, status: &Status, theme: &Theme) {
    let sample = &*snapshot.sample;
    let muted = theme.style(Role::Muted);
    let total = sample.system.meminfo.mem_total.value().map_or_else(|| "-".into(), |total| Bytes(total).to_string());
    let mut left = vec![
        Piece::new(format!(" {}", sample.host.name.escaped()), theme.style(Role::Title), 3),
        Piece::new(format!("  {total}"), theme.style(Role::Text), 4),
        Piece::new(tr!("  up {time}", time = Span(Duration::from_secs(sample.system.uptime_s))), muted, 7),
        Piece::new("  ", muted, 0),
        Piece::new(status.mode.clone(), theme.style(if status.is_unusual { Role::Past } else { Role::Good }), 0),
    ];
    left.extend(status.taped.as_ref().map(|taped| tape(taped, theme)));
    if let Some(mark) = &snapshot.mark {
        left.push(Piece::new(tr!("  since {name}", name = mark.name), theme.style(Role::Past), 1));
        let age = Span(Duration::from_millis(sample.at.since(mark.at)));
        left.push(Piece::new(format!(" {age}"), muted, 6));
    }
    if status.alert.is_none() {
        left.extend(leak(snapshot, theme));
    }
    left.push(Piece::new(tr!("  {count} processes", count = sample.processes.len()), muted, 8));
    if sample.scan.denied > 0 {
        left.push(Piece::new(tr!("  {count} not readable", count = sample.scan.denied), theme.style(Role::Warn), 9));
    }
    if sample.scan.is_hiding {
        left.push(Piece::new(tr!("  others hidden (hidepid)"), theme.style(Role::Warn), 5));
    }
    if let Some(alert) = &status.alert {
        left.push(Piece::new(format!("  {alert}"), theme.style(Role::Warn), 1));
    }
    let right = vec![Piece::new(format!("  {} ", status.clock), muted, 2)];
    put_pieces(buf, area, left, right);
}

/// The recording that goes on: its file and how large it is, or that there is none.
fn tape(taped: &Taped, theme: &Theme) -> Piece {
    let name = taped.path.file_name().unwrap_or_default();
    let name = escape(name.as_encoded_bytes());
    let text = if taped.problem.is_some() {
        tr!("  not recorded: {name}", name)
    } else {
        tr!("  {sign} rec {name} {bytes}", sign = theme.pick("●", "*"), name, bytes = Bytes(taped.bytes))
    };
    Piece::new(text, theme.style(Role::Danger), 2)
}

/// The leak that needs somebody most, its name and its rate the last to go; else, muted, what grows and may become one.
fn leak(snapshot: &Snapshot, theme: &Theme) -> Vec<Piece> {
    let findings = &snapshot.analysis.findings;
    let Some((leak, count)) = finding::most_urgent(findings) else {
        let growing = findings.first().filter(|finding| finding.judgement.verdict == Verdict::Growing);
        let muted = theme.style(Role::Muted);
        return growing.map_or_else(Vec::new, |growing| {
            vec![Piece::new(
                tr!("  growing: {who} {rate}", who = finding::who(growing), rate = finding::rate(growing)),
                muted,
                6,
            )]
        });
    };
    let style = theme.style(finding::role(Verdict::Leaking));
    let mut pieces = vec![
        Piece::new("  ", theme.style(Role::Text), 1),
        Piece::new(tr!("leak: {who}", who = finding::who(leak)), style, 1),
        Piece::new(format!(" {}", finding::rate(leak)), style, 1),
    ];
    if let Some(meeting) = leak.ahead().filter(|meeting| meeting.in_ms < finding::NEVER_MS) {
        pieces.push(Piece::new(tr!(", {full}", full = finding::becomes_full(meeting)), style, 2));
    }
    if count > 1 {
        pieces.push(Piece::new(tr!("  and {count} more", count = count - 1), theme.style(Role::Warn), 5));
    }
    pieces
}

/// What the meter's parts say: pages of programs, shared memory, the kernel, and cache that could go.
fn parts_of(meminfo: &Meminfo) -> [(Role, &'static str, u64); 4] {
    let known = |reading: Reading<u64>| reading.value().unwrap_or(0);
    let cache = known(meminfo.cached) + known(meminfo.buffers);
    let kernel =
        [meminfo.s_unreclaim, meminfo.page_tables, meminfo.sec_page_tables, meminfo.kernel_stack, meminfo.percpu];
    [
        (Role::Anon, "anon", known(meminfo.anon_pages)),
        (Role::Shmem, "shmem", known(meminfo.shmem)),
        (Role::Kernel, tr!("kernel"), kernel.into_iter().map(known).sum()),
        (Role::File, tr!("cache"), cache.saturating_sub(known(meminfo.shmem)) + known(meminfo.s_reclaimable)),
    ]
}

fn meter_width(area: Rect) -> u16 {
    (area.width / 3).clamp(10, 60)
}

fn draw_memory(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, theme: &Theme) {
    let system = &snapshot.sample.system;
    let meminfo = &system.meminfo;
    let Some(total) = meminfo.mem_total.value() else { return };
    let parts = parts_of(meminfo);
    let label = put(buf, area.x, area.y, area.width, tr!(" Mem "), theme.style(Role::Title));
    let bar = Rect::new(area.x + label, area.y, meter_width(area), 1);
    let drawn: Vec<Part> = parts.iter().map(|(role, _, amount)| Part { amount: *amount, role: *role }).collect();
    meter::draw(buf, bar, &drawn, total, theme);
    let text = theme.style(Role::Text);
    let mut pieces = Vec::new();
    let used = meminfo.used().value();
    if let Some(used) = used {
        let percent = used as f64 * 100.0 / total.max(1) as f64;
        let role = match percent {
            p if p >= 90.0 => Role::Danger,
            p if p >= 75.0 => Role::Warn,
            _ => Role::Text,
        };
        pieces.push(Piece::new(format!(" {:>4}", Percent(percent).to_string()), theme.style(role), 0));
    }
    match meminfo.mem_available {
        Reading::Value(available) => {
            pieces.push(Piece::new(tr!("  avail {available}", available = Bytes(available)), text, 1));
            pieces.extend(change(snapshot, "mem_available", theme));
        }
        other => pieces.push(Piece::new(tr!("  avail - ({why})", why = other.explain().unwrap_or_default()), text, 1)),
    }
    if let Reading::Value(Some(limit)) = &system.cgroup_limit {
        let share = limit.usage.saturating_sub(limit.inactive_file) as f64 * 100.0 / limit.limit.max(1) as f64;
        let role = if share >= 90.0 { Role::Danger } else { Role::Warn };
        let shown = tr!(
            "  limit {usage}/{limit} {share}",
            usage = Bytes(limit.usage),
            limit = Bytes(limit.limit),
            share = Percent(share)
        );
        pieces.push(Piece::new(shown, theme.style(role), 2));
    }
    let account = snapshot.mark.as_ref().and_then(|_| Account::of(system));
    for (((role, name, amount), dispensable), keys) in parts.iter().zip([3, 6, 5, 4]).zip(ACCOUNTED) {
        pieces.push(Piece::new(format!("  {name} "), theme.style(Role::Muted), dispensable));
        pieces.push(Piece::new(Bytes(*amount).to_string(), theme.style(*role), dispensable));
        if let Some(by) = account.as_ref().and_then(|account| ram_change(snapshot, account, keys)) {
            pieces.push(Piece::new(format!(" ({})", Value::BytesChange(by)), theme.style(Role::Muted), 7));
        }
    }
    put_pieces(buf, right_of(area, bar), together(pieces), Vec::new());
}

/// The parts of RAM that the meter's parts are made of.
const ACCOUNTED: [&[&str]; 4] = [
    &["anon"],
    &["shmem"],
    &["slab_unreclaimable", "page_tables", "sec_page_tables", "kernel_stack", "percpu"],
    &["file_clean", "file_dirty", "buffers", "slab_reclaimable"],
];

/// The change of a field of the machine since the mark.
fn change(snapshot: &Snapshot, key: &str, theme: &Theme) -> Option<Piece> {
    let change = snapshot.system_change_of(key).value()?;
    Some(Piece::new(format!(" ({change})"), theme.style(Role::Past), 2))
}

/// A label and its number go together or not at all.
fn together(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let labels: Vec<usize> = (0..pieces.len().saturating_sub(1)).filter(|at| pieces[*at].text.ends_with(' ')).collect();
    for label in labels {
        pieces[label].dispensable = pieces[label + 1].dispensable;
    }
    pieces
}

fn right_of(area: Rect, bar: Rect) -> Rect {
    Rect::new(bar.right(), area.y, area.right().saturating_sub(bar.right()), 1)
}

fn draw_swap(buf: &mut Buffer, area: Rect, snapshot: &Snapshot, theme: &Theme) {
    let system = &snapshot.sample.system;
    let total = system.meminfo.swap_total.value().unwrap_or(0);
    let used = system.meminfo.swap_used().value().unwrap_or(0);
    let label = put(buf, area.x, area.y, area.width, tr!(" Swp "), theme.style(Role::Title));
    let bar = Rect::new(area.x + label, area.y, meter_width(area), 1);
    let (text, muted) = (theme.style(Role::Text), theme.style(Role::Muted));
    let mut pieces = Vec::new();
    if total == 0 {
        put(buf, bar.x, bar.y, bar.width, tr!("no swap"), muted);
        pieces.push(Piece::new("     ", text, 9));
    } else {
        meter::draw(buf, bar, &[Part { amount: used, role: Role::Swap }], total, theme);
        let percent = Percent(used as f64 * 100.0 / total as f64);
        pieces.push(Piece::new(format!(" {:>4}", percent.to_string()), text, 0));
        pieces.push(Piece::new(format!("  {}/{}", Bytes(used), Bytes(total)), text, 1));
        pieces.extend(change(snapshot, "swap_used", theme));
        if let Reading::Value(rates) = snapshot.rates {
            let role = if rates.swap_in + rates.swap_out > 0.0 { Role::Warn } else { Role::Muted };
            let shown = tr!(
                "  in {swap_in} out {swap_out}",
                swap_in = BytesPerSecond(rates.swap_in),
                swap_out = BytesPerSecond(rates.swap_out)
            );
            pieces.push(Piece::new(shown, theme.style(role), 4));
        }
    }
    match &system.pressure {
        Reading::Value(psi) => {
            let role = if psi.full.avg10 >= 1.0 {
                Role::Danger
            } else if psi.some.avg10 >= 1.0 {
                Role::Warn
            } else {
                Role::Muted
            };
            let shown = format!("  PSI some {:.1} full {:.1}", psi.some.avg10, psi.full.avg10);
            pieces.push(Piece::new(shown, theme.style(role), 2));
        }
        other => {
            pieces.push(Piece::new("  PSI -", muted, 3));
            pieces.push(Piece::new(format!(" ({})", other.explain().unwrap_or_default()), muted, 8));
        }
    }
    if let Reading::Value(kills) = system.vmstat.oom_kills
        && kills > 0
    {
        pieces.push(Piece::new(tr!("  OOM kills {kills}", kills), theme.style(Role::Danger), 5));
    }
    for zram in system.zram.iter().filter(|zram| zram.used > 0) {
        let shown = tr!(
            "  {name} {original} in {used}",
            name = zram.name.escaped(),
            original = Bytes(zram.original),
            used = Bytes(zram.used)
        );
        pieces.push(Piece::new(shown, muted, 7));
    }
    put_pieces(buf, right_of(area, bar), pieces, Vec::new());
}

fn draw_history(buf: &mut Buffer, area: Rect, update: &Update, span: Duration, theme: &Theme) {
    let sample = &update.snapshot.sample;
    let Some(total) = sample.system.meminfo.mem_total.value() else { return };
    let findings = &update.snapshot.analysis.findings;
    let label_width = label_width(area.height, findings);
    let graph_area = Rect::new(area.x + 1, area.y, area.width.saturating_sub(label_width), area.height);
    let scale = Scale { low: 0.0, high: total as f32 };
    graph::draw(buf, graph_area, &update.machine, scale, theme.is_ascii, theme.style(Role::Graph));
    let right = area.right().saturating_sub(1);
    let label = Rect::new(graph_area.right(), area.y, right.saturating_sub(graph_area.right()), 1);
    put_right(
        buf,
        label.x,
        label.y,
        label.width,
        &tr!("used, last {minutes} min", minutes = span.as_secs() / 60),
        theme.style(Role::Muted),
    );
    if let Some(full_in) = finding::memory_full_in(findings) {
        let eta = format!("ETA {} {}", theme.pick("▸", ">"), time_ahead(sample.wall_ms, full_in));
        let style = theme.style(Role::Danger);
        if area.height > 1 {
            put_right(buf, label.x, label.y + 1, label.width, &eta, style);
        } else {
            put(buf, label.x + 2, label.y, ETA - 2, &eta, style);
        }
    }
}
