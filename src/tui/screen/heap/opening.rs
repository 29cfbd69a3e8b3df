//! The screen of a heap that is being opened, or that can't be.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::heap::explorer::Phase;
use crate::model::text::escape;
use crate::session::heap::{Progress, Stage};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::put;
use crate::tui::widget::wrap::wrap;
use crate::units::{Bytes, Percent};

/// Columns of the bar, at most.
const BAR: u16 = 60;

/// Reading takes about so much of the time, in percent, and what is computed then the rest.
const READING: u64 = 60;

pub(super) fn draw(buf: &mut Buffer, area: Rect, files: &[PathBuf], progress: Option<&Progress>, theme: &Theme) {
    let width = area.width.saturating_sub(2);
    let (x, bottom) = (area.x + 1, area.bottom());
    let name = match progress {
        Some(progress) if !progress.file.is_empty() => progress.file.clone(),
        _ => files.last().map(|file| escape(file.as_os_str().as_encoded_bytes()).into_owned()).unwrap_or_default(),
    };
    let title = match progress {
        Some(Progress { nth, of, .. }) if *of > 1 => tr!("opening {name}, {nth} of {of}", name, nth, of),
        _ => tr!("opening {name}", name),
    };
    let (what, done) = progress.map_or((tr!("beginning").into(), 0), |progress| said(progress.stage));
    let done = done.min(100);
    let lines = [(title, Role::Title), (what, Role::Text), (bar(done, width.min(BAR), theme), Role::Graph)];
    for ((text, role), y) in lines.iter().zip((area.y + 1)..bottom) {
        put(buf, x, y, width, text, theme.style(*role));
    }
}

/// What is being done, and how much of all is behind, percent.
fn said(stage: Stage) -> (String, u64) {
    match stage {
        Stage::Waiting => (tr!("waiting for the last opening to end").into(), 0),
        Stage::Read(position, Some(length)) => {
            let share = position as f64 * 100.0 / length.max(1) as f64;
            let done = (share as u64).min(100) * READING / 100;
            (tr!("reading, {share} of {length}", share = Percent(share), length = Bytes(length)), done)
        }
        Stage::Read(0, None) | Stage::Phase(Phase::Reading) => (tr!("reading").into(), 0),
        Stage::Read(position, None) => (tr!("reading, {size} so far", size = Bytes(position)), READING / 2),
        Stage::Phase(Phase::Owners) => (tr!("whose each size is, step 2 of 4").into(), READING),
        Stage::Phase(Phase::Dominators) => (tr!("what retains what, step 3 of 4").into(), READING + 5),
        Stage::Phase(Phase::Classes) => (tr!("classes and distances, step 4 of 4").into(), READING + 25),
        Stage::Comparing => (tr!("comparing").into(), 99),
    }
}

fn bar(done: u64, width: u16, theme: &Theme) -> String {
    let full = usize::from(width) * done as usize / 100;
    let (sign, rest) = theme.pick(("█", "░"), ("#", "."));
    sign.repeat(full) + &rest.repeat(usize::from(width) - full)
}

pub(super) fn draw_failed(buf: &mut Buffer, area: Rect, why: &str, theme: &Theme) {
    let width = area.width.saturating_sub(2);
    for (line, y) in wrap(&tr!("{why}.", why), width).iter().zip((area.y + 1)..area.bottom()) {
        put(buf, area.x + 1, y, width, line, theme.style(Role::Danger));
    }
}
