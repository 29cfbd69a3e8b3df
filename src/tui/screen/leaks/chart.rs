//! The evidence drawn: what was measured, the floor below it, the line through the floor on into the future, and the
//! limit ahead.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::analyze::evidence::Evidence;
use crate::model::judgement::{Finding, Limit, Meeting, Verdict};
use crate::model::sample::Sample;
use crate::tui::event::{time_ahead, time_of_day};
use crate::tui::finding::{amount, role, span};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, put, put_right};
use crate::tui::widget::plot::{self, Curve, Frame};

/// Columns left of the picture, for amounts.
pub(in crate::tui::screen) const LABELS: u16 = 7;

/// A picture takes so many lines at least, with the line of times below it.
const LEAST_LINES: u16 = 4;

/// From so many lines on, one says what is what.
const WITH_LEGEND: u16 = 8;

/// What was measured takes so many columns at least: a limit that is further ahead is not drawn.
const LEAST_PAST: f64 = 16.0;

/// The picture goes on so far beyond the limit.
const BEYOND: f64 = 1.12;

/// Columns of the picture.
pub(in crate::tui::screen) fn width(area: Rect) -> u16 {
    area.width.saturating_sub(LABELS + 1)
}

/// A limit in the picture: when it is met, and where the quantity stands then.
struct Ahead<'a> {
    meeting: &'a Meeting,
    level: f64,
}

/// Draws the picture. Times are in milliseconds from the moment shown.
pub(in crate::tui::screen) fn draw(
    buf: &mut Buffer,
    area: Rect,
    sample: &Sample,
    finding: &Finding,
    evidence: &Evidence,
    theme: &Theme,
) {
    if area.height < LEAST_LINES || width(area) < 16 {
        return;
    }
    let has_legend = area.height >= WITH_LEGEND;
    let top = area.y + u16::from(has_legend);
    let picture = Rect::new(area.x + LABELS, top, width(area), area.bottom() - top - 1);
    let ahead = ahead(finding, evidence, picture.width);
    let frame = frame(finding, evidence, ahead.as_ref());
    if has_legend {
        legend(buf, Rect { height: 1, ..area }, finding, ahead.is_some(), theme);
    }
    amounts(buf, picture, &frame, finding, theme);
    if frame.right > 0.0
        && let Some(x) = frame.column(picture, 0.0)
    {
        for y in picture.top()..picture.bottom() {
            put(buf, x, y, 1, theme.pick("┊", ":"), theme.style(Role::Muted));
        }
    }
    if let Some(ahead) = &ahead
        && let Some(y) = frame.line(picture, ahead.level)
    {
        let line = theme.pick("─", "-").repeat(usize::from(picture.width));
        put(buf, picture.x, y, picture.width, &line, theme.style(Role::Danger));
        let level = amount(finding.quantity, ahead.level);
        put_right(buf, area.x, y, LABELS - 1, &level, theme.style(Role::Danger));
        let title = match ahead.meeting.limit {
            Limit::Memory | Limit::Swap => tr!(" {limit} full ", limit = tr!(of ahead.meeting.limit.title())),
            limit => format!(" {} ", tr!(of limit.title())),
        };
        put(buf, picture.x + 2, y, picture.width.saturating_sub(2), &title, theme.style(Role::Danger));
    }
    plot::draw(buf, picture, &frame, &curves(finding, evidence, &frame, theme), theme.is_ascii);
    if let Some(ahead) = &ahead
        && let (Some(x), Some(y)) = (frame.column(picture, ahead.meeting.in_ms), frame.line(picture, ahead.level))
    {
        put(buf, x, y, 1, theme.pick("◆", "X"), theme.style(Role::Danger));
    }
    times(buf, picture, &frame, sample, evidence, ahead.as_ref(), theme);
}

/// Whether it goes on as a line: what grows ever more slowly does not.
fn has_trend(finding: &Finding) -> bool {
    matches!(finding.judgement.verdict, Verdict::Growing | Verdict::Leaking) && finding.judgement.rate > 0.0
}

/// Where the line through the floor stands at a moment.
fn trend(finding: &Finding, evidence: &Evidence, at_ms: f64) -> f64 {
    evidence.fitted + finding.judgement.rate * at_ms / 60_000.0
}

fn span_ms(evidence: &Evidence) -> f64 {
    evidence.span.as_millis() as f64
}

/// The first limit ahead, if it is near enough to be drawn.
fn ahead<'a>(finding: &'a Finding, evidence: &Evidence, width: u16) -> Option<Ahead<'a>> {
    let most_ms = (f64::from(width) / LEAST_PAST - 1.0) / BEYOND * span_ms(evidence);
    let meeting = finding.ahead().filter(|meeting| has_trend(finding) && meeting.in_ms <= most_ms)?;
    let level = match meeting.limit {
        // These are limits of the quantity itself.
        Limit::Files | Limit::Heap => meeting.size,
        // These are shared: they are met where the line stands by then.
        _ => trend(finding, evidence, meeting.in_ms),
    };
    Some(Ahead { meeting, level })
}

/// The edges: all that was measured, and as much of the future as the limit ahead needs.
fn frame(finding: &Finding, evidence: &Evidence, ahead: Option<&Ahead<'_>>) -> Frame {
    let past = span_ms(evidence);
    let right = match ahead {
        Some(ahead) => (ahead.meeting.in_ms * BEYOND).max(past * 0.15),
        None if has_trend(finding) => past * 0.25,
        None => 0.0,
    };
    let known = evidence.points.iter().chain(&evidence.floor).map(|value| f64::from(*value)).filter(|v| v.is_finite());
    let (mut low, mut high) = known.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    if has_trend(finding) {
        high = high.max(trend(finding, evidence, right));
    }
    if let Some(ahead) = ahead {
        high = high.max(ahead.level);
    }
    let least = if finding.quantity.is_bytes() { 262_144.0 } else { 4.0 };
    let tall = (high - low).max(high * 0.01).max(least);
    // The edges stay for a while, so that what is drawn stays where it is.
    let right = if right > 0.0 { roomy(past + right) - past } else { 0.0 };
    Frame { left: -past, right, low: (low - 0.06 * tall).max(0.0), high: low + roomy(1.04 * tall) }
}

/// The next step of a ladder whose rungs are about a tenth apart.
fn roomy(least: f64) -> f64 {
    const RUNGS: f64 = 24.0;
    if least <= 0.0 { 0.0 } else { 10f64.powf((least.log10() * RUNGS).ceil() / RUNGS) }
}

/// What is drawn, the later over the earlier.
fn curves(finding: &Finding, evidence: &Evidence, frame: &Frame, theme: &Theme) -> Vec<Curve> {
    let past = span_ms(evidence);
    let width = past / evidence.floor.len().max(1) as f64;
    let floor = evidence.floor.iter().enumerate();
    let floor = floor.map(|(nth, value)| (width * nth as f64 - past, f64::from(*value))).collect();
    let measured = course(&evidence.points, past);
    let curve = |points, role, sign, is_dashed| Curve { points, style: theme.style(role), sign, is_dashed };
    let mut curves = vec![curve(floor, Role::Good, '_', false), curve(measured, Role::Graph, '.', false)];
    if has_trend(finding) {
        let line = [-(evidence.since.as_millis() as f64), frame.right];
        let line = line.map(|at| (at, trend(finding, evidence, at))).to_vec();
        curves.push(curve(line, role(finding.judgement.verdict), '*', true));
    }
    curves
}

/// The measured values by time. The history keeps one value for a stretch of time, the one at its end: between stretches
/// the line goes straight. What stays for long is a level and keeps both ends.
fn course(points: &[f32], past: f64) -> Vec<(f64, f64)> {
    let steps = points.len().saturating_sub(1).max(1) as f64;
    let at = |nth: usize| (past * (nth as f64 / steps - 1.0), f64::from(points[nth]));
    let mut course = Vec::new();
    let mut first = 0;
    for nth in 0..points.len() {
        if nth + 1 < points.len() && points[nth + 1].to_bits() == points[nth].to_bits() {
            continue;
        }
        if first == 0 || (nth - first) as f64 > steps / LEVELS {
            course.push(at(first));
        }
        course.push(at(nth));
        first = nth + 1;
    }
    course
}

/// What stays for more than such a part of the span is a level.
const LEVELS: f64 = 20.0;

fn legend(buf: &mut Buffer, area: Rect, finding: &Finding, has_limit: bool, theme: &Theme) {
    let mut parts = vec![
        (theme.pick("⠒⠒", ".."), tr!("measured"), Role::Graph),
        (theme.pick("⠤⠤", "__"), tr!("floor"), Role::Good),
    ];
    if has_trend(finding) {
        parts.push((theme.pick("⠒ ⠒", "* *"), tr!("trend"), role(finding.judgement.verdict)));
    }
    if has_limit {
        parts.push((theme.pick("──", "--"), tr!("limit"), Role::Danger));
    }
    let mut x = area.x + LABELS;
    for (sign, word, role) in parts {
        let room = |x: u16| area.right().saturating_sub(x);
        x += put(buf, x, area.y, room(x), sign, theme.style(role));
        x += put(buf, x, area.y, room(x), &format!(" {word}  "), theme.style(Role::Muted));
    }
}

/// Amounts at the left edge, each once.
fn amounts(buf: &mut Buffer, picture: Rect, frame: &Frame, finding: &Finding, theme: &Theme) {
    let apart = if picture.height > 20 { 4 } else { (picture.height / 3).max(1) };
    let last = picture.height - 1;
    let mut before = String::new();
    for line in (0..picture.height).filter(|line| *line == last || (*line % apart == 0 && last - *line > apart / 2)) {
        let shown = amount(finding.quantity, frame.value(picture, line));
        if shown != before {
            put_right(buf, picture.x - LABELS, picture.y + line, LABELS - 1, &shown, theme.style(Role::Muted));
        }
        before = shown;
    }
}

/// Times below: the beginning, now, the moment at which the limit is met, and how far it goes.
fn times(
    buf: &mut Buffer,
    picture: Rect,
    frame: &Frame,
    sample: &Sample,
    evidence: &Evidence,
    ahead: Option<&Ahead<'_>>,
    theme: &Theme,
) {
    let y = picture.bottom();
    let began = time_of_day(sample.wall_ms.saturating_sub_unsigned(sample.at.since(evidence.began)));
    let mut taken: Vec<(u16, u16)> = Vec::new();
    // The most important first; what has no room between them is left out.
    let mut label = |column: u16, text: &str, role: Role| {
        let wide = columns(text);
        let most = picture.right().saturating_sub(wide);
        let x = column.saturating_sub(wide / 2).clamp(picture.x, most.max(picture.x));
        if wide > picture.width || taken.iter().any(|(from, to)| x < to + 1 && from < &(x + wide + 1)) {
            return;
        }
        taken.push((x, x + wide));
        put(buf, x, y, wide, text, theme.style(role));
    };
    if let Some(ahead) = ahead
        && let Some(x) = frame.column(picture, ahead.meeting.in_ms)
    {
        let eta = format!("ETA {}", time_ahead(sample.wall_ms, ahead.meeting.in_ms));
        label(x, &eta, Role::Danger);
    }
    if let Some(x) = frame.column(picture, 0.0) {
        label(x, tr!("now"), Role::Muted);
    }
    label(picture.x, &began, Role::Muted);
    if frame.right > 0.0 {
        label(picture.right(), &format!("+{}", span(frame.right)), Role::Muted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_move_in_steps_of_about_a_tenth() {
        for least in [1e-3, 0.7, 1.0, 99.0, 300_000.0, 8e12] {
            let room = roomy(least) / least;
            assert!((1.0 - 1e-9..1.11).contains(&room), "{least}: {room}");
        }
        assert_eq!(roomy(150_000.0).to_bits(), roomy(155_000.0).to_bits());
        assert_eq!(roomy(0.0).to_bits(), 0);
    }

    #[test]
    fn short_stretches_make_a_slope_and_long_ones_a_level() {
        let staircase: Vec<f32> = (0..120u8).map(|nth| f32::from(nth / 4)).collect();
        let slope = course(&staircase, 119.0);
        assert_eq!(slope.len(), 31, "{slope:?}");
        assert!(slope.windows(2).skip(1).all(|pair| (pair[1].0 - pair[0].0 - 4.0).abs() < 1e-6), "{slope:?}");
        let step: Vec<f32> = (0..120u8).map(|nth| f32::from(nth / 60)).collect();
        assert_eq!(course(&step, 119.0), [(-119.0, 0.0), (-60.0, 0.0), (-59.0, 1.0), (0.0, 1.0)]);
        assert!(course(&[], 5.0).is_empty());
    }
}
