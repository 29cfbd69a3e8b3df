//! All of RAM and swap: a bar of what it is made of now, and the same over time.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::look::{role, sign};
use super::{about, draw_lines, layout};
use crate::export::sheet::{self, Sheet};
use crate::model::account::{Account, Layer};
use crate::session::update::Update;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::graph::{self, Scale};
use crate::tui::widget::line::{columns, put, put_right};
use crate::tui::widget::stack;
use crate::units::Bytes;

/// Columns left of the chart, for amounts.
const LABELS: u16 = 7;

/// From so many columns on there is room for a second list beside the first.
const WIDE: u16 = 150;

/// Rows of each list in the second column.
const BRIEF: usize = 8;

/// Whether there is room for more beside the list.
pub(super) fn is_wide(area: Rect) -> bool {
    area.width >= WIDE && area.height >= 30
}

/// Points of the chart: one a column.
pub(super) fn points(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(LABELS + 1))
}

/// Lines of the bar with its legend, and of the chart.
fn heights(body: Rect) -> (u16, u16) {
    let bar = match body.height {
        0..8 => 1,
        _ if body.width < 76 => 4,
        _ if body.width < 150 => 3,
        _ => 2,
    };
    let chart = match body.height {
        0..14 => 0,
        height => ((height - bar) * 2 / 5).min(18),
    };
    (bar.min(body.height), chart)
}

/// Where the list of parts is.
pub(super) fn list(body: Rect) -> Rect {
    let (bar, chart) = heights(body);
    let top = bar + chart;
    let width = if is_wide(body) { body.width * 3 / 5 } else { body.width };
    Rect { y: body.y + top, height: body.height.saturating_sub(top), width, ..body }
}

/// Draws bar, chart and, where there is room, a second column.
pub(super) fn draw(buf: &mut Buffer, body: Rect, update: &Update, span: Duration, theme: &Theme) {
    let Some(account) = Account::of(&update.snapshot.sample.system) else { return };
    let (bar, chart) = heights(body);
    draw_bar(buf, Rect { height: bar, ..body }, &account, theme);
    if chart > 0 {
        draw_chart(buf, Rect { y: body.y + bar, height: chart, ..body }, update, &account, span, theme);
    }
    if is_wide(body) {
        let list = list(body);
        let beside = Rect { x: list.right() + 1, width: body.width - list.width - 1, ..list };
        let about = about(update);
        let sheets = [sheet::slab(&about), sheet::tmpfs(&about), sheet::devices(&about)].map(brief);
        draw_lines(buf, beside, &layout::lines(&sheets, beside.width, theme), 0, theme);
    }
}

/// A sheet's first rows: all of them are in its own section.
fn brief(mut sheet: Sheet) -> Sheet {
    let more = sheet.rows.len().saturating_sub(BRIEF);
    sheet.rows.truncate(BRIEF);
    if more > 0 {
        sheet.title =
            tr!("{title}, the first {count} of {more}", title = sheet.title, count = BRIEF, more = more + BRIEF);
    }
    sheet
}

/// One line of all RAM, and below it what is what.
fn draw_bar(buf: &mut Buffer, area: Rect, account: &Account, theme: &Theme) {
    let bar = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
    let layers = account.layers();
    let mut sum = 0u64;
    let mut x = bar.x;
    for (layer, bytes) in Layer::ALL.iter().zip(layers) {
        sum = sum.saturating_add(bytes);
        let share = sum as f64 / account.total.max(1) as f64;
        let end = bar.x + (share.min(1.0) * f64::from(bar.width)).round() as u16;
        while x < end {
            put(buf, x, bar.y, 1, sign(*layer, theme), theme.style(role(*layer)));
            x += 1;
        }
    }
    let mut at = (area.x + 1, area.y + 1);
    for (layer, bytes) in Layer::ALL.iter().zip(layers) {
        // What there is none of needs no explanation.
        if bytes == 0 && *layer != Layer::Unaccounted {
            continue;
        }
        let text = format!(" {} {}", tr!(of layer.title()), Bytes(bytes));
        let width = columns(&text) + 3;
        if at.0 + width > area.right() {
            at = (area.x + 1, at.1 + 1);
        }
        if at.1 >= area.bottom() {
            return;
        }
        put(buf, at.0, at.1, 1, sign(*layer, theme), theme.style(role(*layer)));
        put(buf, at.0 + 1, at.1, width, &text, theme.style(Role::Text));
        at.0 += width;
    }
}

/// All of RAM over time with swap below it.
fn draw_chart(buf: &mut Buffer, area: Rect, update: &Update, account: &Account, span: Duration, theme: &Theme) {
    let Some(system) = &update.system else { return };
    let swap_total = update.snapshot.sample.system.meminfo.swap_total.value().unwrap_or(0);
    let swap_lines = match (swap_total, area.height) {
        (0, _) | (_, 0..7) => 0,
        (_, 7..14) => 1,
        _ => 3,
    };
    let muted = theme.style(Role::Muted);
    let chart = Rect {
        x: area.x + LABELS,
        width: area.width.saturating_sub(LABELS + 1),
        height: area.height.saturating_sub(1 + swap_lines),
        ..area
    };
    let layers: Vec<stack::Layer<'_>> = Layer::ALL
        .iter()
        .zip(&system.layers.ram)
        .map(|(layer, values)| stack::Layer {
            style: (*layer != Layer::Free).then(|| theme.style(role(*layer))),
            sign: sign(*layer, theme),
            values,
        })
        .collect();
    let top = top(account.total, &system.layers.ram);
    stack::draw(buf, chart, &layers, top as f32, theme.is_ascii);
    put_right(buf, area.x, chart.y, LABELS - 1, &Bytes(top).to_string(), muted);
    if chart.height > 4 {
        let half = chart.y + chart.height / 2;
        put_right(buf, area.x, half, LABELS - 1, &Bytes(top / 2).to_string(), muted);
    }
    put_right(buf, area.x, chart.bottom().saturating_sub(1), LABELS - 1, "0", muted);
    if swap_lines > 0 {
        let strip = Rect { y: chart.bottom(), height: swap_lines, ..chart };
        let scale = Scale { low: 0.0, high: swap_total as f32 };
        graph::draw(buf, strip, &system.layers.swap, scale, theme.is_ascii, theme.style(Role::Swap));
        put_right(buf, area.x, strip.bottom() - 1, LABELS - 1, "swap", theme.style(Role::Swap));
    }
    let times = area.bottom() - 1;
    put(buf, chart.x, times, chart.width, &tr!("-{minutes} min", minutes = span.as_secs() / 60), muted);
    put_right(buf, chart.x, times, chart.width, tr!("now"), muted);
}

/// What the upper edge stands for: all of RAM, or as often half of it as what is not free stays below.
fn top(total: u64, layers: &[Vec<f32>]) -> u64 {
    let count = layers.first().map_or(0, Vec::len);
    let taken = |nth: usize| -> f32 { layers.iter().take(Layer::Free as usize).map(|layer| layer[nth]).sum() };
    let most = (0..count).map(taken).filter(|sum| sum.is_finite()).fold(0.0, f32::max);
    let mut top = total;
    while top > 1 << 20 && most < (top / 2) as f32 {
        top /= 2;
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_edge_is_no_further_than_twice_what_is_taken() {
        let mut layers = vec![vec![0.0, f32::NAN, 300e6]; Layer::ALL.len()];
        layers[Layer::Free as usize] = vec![30e9; 3];
        assert_eq!(top(32 << 30, &layers), 4 << 30);
        assert_eq!(top(1 << 30, &layers), 1 << 30, "never beyond all of RAM");
        assert_eq!(top(32 << 30, &[]), 1 << 20);
    }

    #[test]
    fn the_list_has_lines_at_every_size() {
        for (width, height) in [(40, 7), (80, 19), (120, 25), (200, 51), (40, 51), (200, 7)] {
            let body = Rect::new(0, 4, width, height);
            let list = list(body);
            assert!(list.height >= height / 3 && list.bottom() == body.bottom(), "{width}x{height}: {list:?}");
            assert!(list.width >= 40);
        }
    }
}
