//! What is said of the selected group: what it is made of, what bounds it and who sets that, what happened, who is in it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Cgroups;
use crate::model::census::CgroupRow;
use crate::model::field::Value;
use crate::model::reading::{Need, Reading};
use crate::model::system::Pressure;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{Piece, put_pieces};
use crate::units::{Bytes, Percent};

/// Pieces of a line, the first of which never goes.
struct Pieces<'a> {
    theme: &'a Theme,
    pieces: Vec<Piece>,
}

impl<'a> Pieces<'a> {
    fn new(theme: &'a Theme, title: impl Into<String>, role: Role) -> Self {
        Self { theme, pieces: vec![Piece::new(title, theme.style(role), 0)] }
    }

    /// A name and its value, which go together; the later, the sooner.
    fn add(&mut self, name: &str, value: impl AsRef<str>, role: Role) {
        let goes = self.pieces.len() as u8 + 1;
        self.pieces.push(Piece::new(format!("  {name} "), self.theme.style(Role::Muted), goes));
        self.pieces.push(Piece::new(value.as_ref(), self.theme.style(role), goes));
    }

    fn size(&mut self, name: &str, reading: Reading<u64>) {
        match reading.value() {
            Some(bytes) => self.add(name, Bytes(bytes).to_string(), Role::Text),
            None => self.add(name, "-", Role::Muted),
        }
    }

    fn limit(&mut self, name: &str, limit: Reading<Option<u64>>) {
        match limit.value() {
            Some(Some(bytes)) => self.add(name, Bytes(bytes).to_string(), Role::Title),
            Some(None) => self.add(name, tr!("none"), Role::Muted),
            None => self.add(name, "-", Role::Muted),
        }
    }

    fn count(&mut self, name: &str, reading: Reading<u64>, role: Role) {
        match reading.value() {
            Some(0) => self.add(name, "0", Role::Muted),
            Some(count) => self.add(name, count.to_string(), role),
            None => self.add(name, "-", Role::Muted),
        }
    }
}

pub(super) fn draw(panel: &Cgroups, buf: &mut Buffer, area: Rect, row: &CgroupRow<'_>, theme: &Theme) {
    let lines = [
        heading(panel, row, theme),
        limits(row, theme),
        made_of(row, theme),
        events(row, theme),
        pressure(row, theme),
        crowd(row, theme),
    ];
    for (pieces, y) in lines.into_iter().chain(reasons(row, theme)).zip(area.y..area.bottom()) {
        put_pieces(buf, Rect::new(area.x, y, area.width, 1), pieces.pieces, Vec::new());
    }
}

fn heading<'a>(panel: &Cgroups, row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let mut pieces = Pieces::new(theme, format!(" {}", row.node.path.escaped()), Role::Title);
    if let Some(filter) = &panel.filter {
        pieces.add(tr!("filter:"), filter.to_string(), Role::Text);
    }
    let age = row.snapshot.sample.at.since(row.node.at);
    if age > row.snapshot.fresh_ms() {
        pieces.add(tr!("read"), tr!("{age} s before", age = age / 1000), Role::Muted);
    }
    let left_out = row.census.tree.left_out;
    if left_out > 0 {
        pieces.add(tr!("too many groups: left out"), left_out.to_string(), Role::Warn);
    }
    pieces
}

fn limits<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let limits = &row.node.limits;
    let mut pieces = match row.binding() {
        Some((setter, limit)) => {
            let whose = if setter.path == row.node.path {
                tr!("its own").to_owned()
            } else {
                tr!("of {path}", path = setter.path.escaped())
            };
            let used = setter.usage.value().map_or_else(String::new, |usage| {
                tr!(", {share} used", share = Percent(usage as f64 * 100.0 / limit.max(1) as f64))
            });
            Pieces::new(theme, tr!(" limit {limit} {whose}{used}", limit = Bytes(limit), whose, used), Role::Text)
        }
        None if limits.max.value().is_some() => {
            Pieces::new(theme, tr!(" no limit below the machine's memory"), Role::Muted)
        }
        None => Pieces::new(theme, tr!(" limits:"), Role::Muted),
    };
    pieces.limit("max", limits.max);
    pieces.limit("high", limits.high);
    pieces.limit("swap max", limits.swap_max);
    pieces.limit("low", limits.low);
    pieces.limit("min", limits.min);
    pieces
}

fn made_of<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let (node, stat) = (row.node, &row.node.stat);
    let mut pieces = Pieces::new(theme, tr!(" usage"), Role::Muted);
    if let Some(bytes) = node.usage.value() {
        pieces.pieces.push(Piece::new(format!(" {}", Bytes(bytes)), theme.style(Role::Title), 0));
    }
    for (name, reading) in [
        ("anon", stat.anon),
        (tr!("file"), stat.file),
        (tr!("kernel"), stat.kernel),
        ("shmem", stat.shmem),
        (tr!("swap"), node.swap),
        ("slab", stat.slab),
        ("sock", stat.sock),
        (tr!("page tables"), stat.page_tables),
        (tr!("idle file"), stat.inactive_file),
        (tr!("peak"), node.peak),
    ] {
        pieces.size(name, reading);
    }
    pieces
}

fn events<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let events = &row.node.events;
    let mut pieces = Pieces::new(theme, tr!(" events:"), Role::Muted);
    pieces.count(tr!("killed"), events.oom_kill, Role::Danger);
    pieces.count("oom", events.oom, Role::Danger);
    pieces.count(tr!("at the limit"), events.max, Role::Warn);
    pieces.count(tr!("over high"), events.high, Role::Warn);
    pieces.count(tr!("below low"), events.low, Role::Warn);
    pieces
}

fn pressure<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let Some(Pressure { some, full }) = row.node.pressure.value() else {
        let why = row.node.pressure.explain().unwrap_or_default();
        return Pieces::new(theme, tr!(" pressure: - ({why})", why), Role::Muted);
    };
    let mut pieces = Pieces::new(theme, tr!(" waited for memory (10 s, 60 s, 300 s):"), Role::Muted);
    for (name, stall) in [("some", some), ("full", full)] {
        let role = if stall.avg10 >= 10.0 {
            Role::Danger
        } else if stall.avg10 >= 1.0 {
            Role::Warn
        } else {
            Role::Text
        };
        pieces.add(name, format!("{:.1} {:.1} {:.1} %", stall.avg10, stall.avg60, stall.avg300), role);
    }
    pieces
}

fn crowd<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Pieces<'a> {
    let crowd = row.crowd;
    let processes = if crowd.processes == 1 { tr!("process" => "counted") } else { tr!("processes" => "counted") };
    let mut pieces = Pieces::new(theme, format!(" {} {processes}", crowd.processes), Role::Text);
    if crowd.own != crowd.processes {
        pieces.add(tr!("of its own"), crowd.own.to_string(), Role::Text);
    }
    let sums = [
        ("PSS", crowd.pss, crowd.pss.reading().map(|sum| Value::Bytes(sum as u64))),
        (tr!("growth/min"), crowd.growth, crowd.growth.reading().map(Value::BytesPerMinute)),
        (tr!("since the mark"), crowd.change, crowd.change.reading().map(Value::BytesChange)),
    ];
    for (name, sum, reading) in sums {
        if name == tr!("since the mark") && row.snapshot.mark.is_none() {
            continue;
        }
        let bound = row.bound(sum, name != "PSS").mark(theme.is_ascii);
        match reading.value() {
            Some(value) => pieces.add(name, format!("{bound}{value}"), Role::Text),
            None => pieces.add(name, "-", Role::Muted),
        }
    }
    pieces
}

/// Why something is not known, once for each reason.
fn reasons<'a>(row: &CgroupRow<'_>, theme: &'a Theme) -> Option<Pieces<'a>> {
    let (node, stat) = (row.node, &row.node.stat);
    let mut reasons: Vec<String> = Vec::new();
    let readings = [
        (tr!("usage"), node.usage.explain()),
        (tr!("swap"), node.swap.explain()),
        ("anon", stat.anon.explain()),
        (tr!("kernel"), stat.kernel.explain()),
        ("slab", stat.slab.explain()),
        ("low, min", node.limits.low.explain()),
        (tr!("peak"), node.peak.explain()),
        (tr!("name"), if node.tenant().is_some() { name_reason(&node.name) } else { None }),
    ];
    for (what, reason) in readings {
        let Some(reason) = reason else { continue };
        match reasons.iter_mut().find(|known| known.ends_with(&reason)) {
            Some(known) => *known = format!("{what}, {known}"),
            None => reasons.push(format!("{what}: {reason}")),
        }
    }
    (!reasons.is_empty()).then(|| Pieces::new(theme, format!(" -  {}", reasons.join(tr!("; "))), Role::Muted))
}

/// Only a refusal needs words: many containers have no name but their id.
fn name_reason(name: &Reading<crate::model::text::Text>) -> Option<String> {
    match name {
        Reading::Denied(_) => name.explain(),
        Reading::Unsupported(Need::NotApplicable) | Reading::Value(_) => None,
        other => other.explain(),
    }
}
