//! The list of control groups drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Cgroups;
use super::rows::Line;
use crate::model::census::CgroupRow;
use crate::model::field::{CGROUP_FIELDS, CgroupField, Unit, Value};
use crate::model::group::Bound;
use crate::model::reading::{Need, Reading};
use crate::session::update::Update;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put, put_right};

/// The column of names is never narrower than this while others can go.
const LEAST_NAME: u16 = 17;

/// Names take this part of a wide screen at least, and fewer columns are shown for it.
const SHARE_OF_NAME: u16 = 4;

/// The columns that fit, with their widths.
pub(super) fn layout(width: u16, is_comparing: bool) -> Vec<(&'static CgroupField, u16)> {
    let mut chosen: Vec<&CgroupField> =
        CGROUP_FIELDS.iter().filter(|field| is_comparing || field.unit != Unit::BytesChange).collect();
    let least = LEAST_NAME.max(width / SHARE_OF_NAME);
    let needed = |chosen: &[&CgroupField]| chosen.iter().map(|field| field.width + 1).sum::<u16>() + least;
    while needed(&chosen) > width {
        let goes = chosen.iter().enumerate().filter(|(_, field)| field.width > 0);
        let Some((place, _)) = goes.max_by_key(|(place, field)| (field.dispensable, *place)) else { break };
        chosen.remove(place);
    }
    let fixed: u16 = chosen.iter().filter(|field| field.width > 0).map(|field| field.width + 1).sum();
    let of = |field: &'static CgroupField| if field.width == 0 { width.saturating_sub(fixed) } else { field.width };
    chosen.into_iter().map(|field| (field, of(field))).collect()
}

pub(super) fn draw(panel: &Cgroups, buf: &mut Buffer, area: Rect, update: &Update, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let columns = layout(area.width, panel.is_comparing());
    draw_head(panel, buf, Rect { height: 1, ..area }, &columns, theme);
    let Some(census) = &panel.census else {
        let text = match (&update.replay, update.timeline.is_past) {
            (Some(_), _) => tr!(" the recording does not have the control groups at this moment"),
            (None, true) => tr!(" control groups are shown as they are now: press l to return to the present"),
            (None, false) => tr!(" reading the control groups"),
        };
        put(buf, area.x, area.y + 1, area.width, text, theme.style(Role::Muted));
        return;
    };
    for (line, y) in panel.lines.iter().skip(panel.offset).zip(area.y + 1..area.bottom()) {
        let row = census.row(line.place, &update.snapshot);
        let style = (Some(&row.node.path) == panel.selected.as_ref()).then(|| theme.style(Role::Selected));
        if let Some(style) = style {
            fill(buf, Rect::new(area.x, y, area.width, 1), style);
        }
        let painter = Painter { buf, theme, style };
        draw_line(painter, Rect::new(area.x, y, area.width, 1), line, &row, &columns);
    }
    if panel.lines.is_empty() {
        let text = match &panel.filter {
            Some(filter) => tr!(" no control group matches `{filter}`: press / and clear it", filter),
            None => tr!(" no control group has the memory controller: is cgroupfs mounted at /sys/fs/cgroup?").into(),
        };
        put(buf, area.x, area.y + 1, area.width, &text, theme.style(Role::Muted));
    }
}

fn draw_head(panel: &Cgroups, buf: &mut Buffer, head: Rect, columns: &[(&'static CgroupField, u16)], theme: &Theme) {
    fill(buf, head, theme.style(Role::Header));
    let mut x = head.x;
    for (field, width) in columns {
        let (mut title, mut role) = (tr!(of field.title).to_owned(), Role::Header);
        if *field == panel.order.by {
            role = Role::HeaderSorted;
            title.push_str(if panel.order.is_descending { theme.pick("▼", "v") } else { theme.pick("▲", "^") });
        }
        if field.unit.is_number() {
            put_right(buf, x, head.y, *width, &title, theme.style(role));
        } else {
            put(buf, x, head.y, *width, &title, theme.style(role));
        }
        x += width + 1;
    }
}

/// What a line is painted with.
struct Painter<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    /// The style of the whole line, where it has one.
    style: Option<Style>,
}

fn draw_line(
    mut painter: Painter<'_>,
    area: Rect,
    line: &Line,
    row: &CgroupRow<'_>,
    columns: &[(&'static CgroupField, u16)],
) {
    let mut x = area.x;
    for (field, width) in columns {
        let cell = Rect::new(x, area.y, (*width).min(area.right().saturating_sub(x)), 1);
        if field.width == 0 {
            painter.name(cell, line, row);
        } else {
            painter.value(cell, field, row);
        }
        x += width + 1;
    }
}

impl Painter<'_> {
    fn style(&self, role: Role) -> Style {
        self.style.unwrap_or_else(|| self.theme.style(role))
    }

    fn value(&mut self, cell: Rect, field: &CgroupField, row: &CgroupRow<'_>) {
        let (text, role) = match (field.get)(row) {
            Reading::Value(value) => (value.to_string(), role_of(field, &value)),
            Reading::Stale(value, _) => (value.to_string(), Role::Stale),
            Reading::Pending => (self.theme.pick("·", ".").to_owned(), Role::Muted),
            Reading::Unsupported(Need::NoLimit) if field.unit == Unit::Bytes => ("max".to_owned(), Role::Muted),
            _ => ("-".to_owned(), Role::Muted),
        };
        let bound = field.bound(row);
        let is_sum = bound != Bound::Exact && (field.get)(row).value().is_some();
        let text = if is_sum { format!("{}{text}", bound.mark(self.theme.is_ascii)) } else { text };
        let is_inherited =
            field.key == "limit" && row.binding().is_some_and(|(setter, _)| setter.path != row.node.path);
        let style = self.style(if is_inherited { Role::Muted } else { role });
        put_right(self.buf, cell.x, cell.y, cell.width, &text, style);
    }

    fn name(&mut self, cell: Rect, line: &Line, row: &CgroupRow<'_>) {
        let mut x = cell.x;
        let muted = self.style(Role::Muted);
        let guides = self.theme.pick(["│ ", "  ", "├ ", "└ "], ["| ", "  ", "|-", "`-"]);
        let own = line.follows.len().saturating_sub(1);
        for (level, follows) in line.follows.iter().enumerate() {
            let guide = guides[usize::from(!follows) + if level == own { 2 } else { 0 }];
            x += put(self.buf, x, cell.y, cell.right().saturating_sub(x), guide, muted);
        }
        if line.fold == Some(true) {
            x += put(self.buf, x, cell.y, cell.right().saturating_sub(x), "[+] ", muted);
        }
        let role = match (line.is_found, row.node.tenant().is_some()) {
            (false, _) => Role::Muted,
            (true, true) => Role::Title,
            (true, false) => Role::Text,
        };
        let style = self.style(role);
        put(self.buf, x, cell.y, cell.right().saturating_sub(x), &row.label(), style);
    }
}

fn role_of(field: &CgroupField, value: &Value<'_>) -> Role {
    match (field.key, value) {
        ("limit_percent", Value::Percent(share)) if *share >= 95.0 => Role::Danger,
        ("limit_percent", Value::Percent(share)) if *share >= 80.0 => Role::Warn,
        ("pressure", Value::Percent(share)) if *share >= 10.0 => Role::Danger,
        ("pressure", Value::Percent(share)) if *share >= 1.0 => Role::Warn,
        ("oom_kills", Value::Count(1..)) => Role::Danger,
        ("limit_hits" | "high_hits", Value::Count(1..)) => Role::Warn,
        ("growth", Value::BytesPerMinute(rate)) if *rate > GROWING => Role::Growing,
        ("pss_change", Value::BytesChange(by)) if *by > GROWING => Role::Growing,
        ("usage", _) => Role::Title,
        (_, value) if value.number() == Some(0.0) => Role::Muted,
        _ => Role::Text,
    }
}

/// More than this, in bytes or bytes per minute, is drawn as growth.
const GROWING: f64 = 262_144.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(width: u16, is_comparing: bool) -> Vec<&'static str> {
        layout(width, is_comparing).into_iter().map(|(field, _)| field.key).collect()
    }

    #[test]
    fn use_limit_and_growth_stay_longest() {
        assert_eq!(keys(400, true).len(), CGROUP_FIELDS.len());
        assert_eq!(keys(40, false), ["usage", "limit", "growth", "name"]);
        assert_eq!(
            keys(80, false),
            ["usage", "limit", "limit_percent", "anon", "file", "oom_kills", "processes", "growth", "name"]
        );
        assert!(keys(80, true).contains(&"pss_change") && !keys(200, false).contains(&"pss_change"));
    }

    #[test]
    fn the_columns_fill_the_line_and_no_more() {
        for width in 40..300 {
            let used: u16 = layout(width, width % 2 == 0).iter().map(|(_, own)| own + 1).sum();
            assert!((width..=width + 1).contains(&used), "{width}: {used}");
        }
    }
}
