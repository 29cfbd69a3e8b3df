//! The screen of an open heap: tabs, the way that was walked, who an object is, the list, and what is told beside it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::columns::LEAST_NAME;
use super::list::List;
use super::{Heap, Stage, TAB_ACTIONS, Walk, opening};
use crate::heap::browse::{About, Kind, Opened, Question};
use crate::heap::diff::Numbering;
use crate::heap::holders::grouped;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{Piece, columns, fill, put, put_pieces, put_right};
use crate::tui::widget::table::Table;
use crate::tui::widget::wrap::wrap;
use crate::units::Bytes;

/// Where things stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) tabs: Rect,
    way: Rect,
    about: Rect,
    pub(super) table: Rect,
    told: Rect,
}

impl Parts {
    pub(super) fn of(area: Rect, list: &List) -> Self {
        let mut top = area.y;
        let mut take = |wanted: u16| {
            let height = wanted.min(area.bottom().saturating_sub(top));
            let rect = Rect { y: top, height, ..area };
            top += height;
            rect
        };
        let is_low = area.height < 12;
        let (tabs, way) = (take(1), take(1));
        let about = take(u16::from(list.has_about()));
        let told = if !list.has_aside() || area.height < 6 {
            0
        } else if is_low {
            1
        } else {
            3
        };
        let rest = area.height.saturating_sub(tabs.height + way.height + about.height);
        let table = take(rest.saturating_sub(told));
        Self { tabs, way, about, table, told: take(told) }
    }

    /// Lines of the list that fit.
    pub(super) fn rows(&self) -> u16 {
        self.table.height.saturating_sub(1)
    }
}

/// Where each tab stands: its first column, its width, its text.
fn tabs(walk: &Walk, keys: &[String; TAB_ACTIONS.len()], area: Rect) -> Vec<(u16, u16, String)> {
    let step = &walk.steps[walk.tabbed()];
    let texts = |is_short: bool| -> Vec<String> {
        let names = step.tabs.iter().zip(keys);
        names
            .map(|((long, short), key)| format!(" {key} {} ", if is_short { tr!(of short) } else { tr!(of long) }))
            .collect()
    };
    let width = |texts: &[String]| texts.iter().map(|text| columns(text)).sum::<u16>();
    let long = texts(false);
    let texts = if width(&long) > area.width { texts(true) } else { long };
    let mut x = area.x;
    let place = |text: String| {
        let at = (x, columns(&text), text);
        x += at.1;
        at
    };
    texts.into_iter().map(place).collect()
}

/// The tab at a column of the line of tabs.
pub(super) fn tab_at(walk: &Walk, keys: &[String; TAB_ACTIONS.len()], area: Rect, x: u16) -> Option<usize> {
    tabs(walk, keys, area).iter().position(|(first, width, _)| (*first..first + width).contains(&x))
}

impl Heap {
    /// Draws the screen.
    pub fn draw(&self, buf: &mut Buffer, theme: &Theme) {
        match &self.stage {
            Stage::Opening(progress) => opening::draw(buf, self.area, &self.files, progress.as_ref(), theme),
            Stage::Failed(why) => opening::draw_failed(buf, self.area, why, theme),
            Stage::Open(walk) => self.draw_walk(buf, walk, theme),
        }
    }

    fn draw_walk(&self, buf: &mut Buffer, walk: &Walk, theme: &Theme) {
        let list = walk.list();
        let parts = self.parts(walk);
        draw_tabs(buf, parts.tabs, walk, &self.keys, theme);
        draw_way(buf, parts.way, walk, theme);
        if let Some(about) = list.page().and_then(|page| page.about.as_ref()).filter(|_| parts.about.height > 0) {
            put_pieces(buf, parts.about, who(about, theme), Vec::new());
        }
        draw_list(buf, parts.table, walk, theme);
        draw_told(buf, parts.told, walk, theme);
    }
}

fn draw_tabs(buf: &mut Buffer, area: Rect, walk: &Walk, keys: &[String; TAB_ACTIONS.len()], theme: &Theme) {
    if area.height == 0 {
        return;
    }
    fill(buf, area, theme.style(Role::Header));
    let place = walk.tabbed();
    // Below a list nothing of the tabs is shown.
    let shown = (place + 1 == walk.steps.len()).then_some(walk.steps[place].shown);
    let mut end = area.x;
    for (nth, (x, width, text)) in tabs(walk, keys, area).into_iter().enumerate() {
        let role = if shown == Some(nth) { Role::HeaderSorted } else { Role::Header };
        put(buf, x, area.y, width.min(area.right().saturating_sub(x)), &text, theme.style(role));
        end = x + width;
    }
    let list = walk.list();
    let room = area.right().saturating_sub(end + 1);
    let of = grouped(list.len() as u64);
    let place = tr!("{place} of {of}", place = grouped(list.selected as u64 + 1), of);
    let note = [place, of].into_iter().find(|note| columns(note) < room);
    if let Some(note) = note.filter(|_| list.page().is_some() && list.len() > 0) {
        put_right(buf, end, area.y, area.right().saturating_sub(end + 1), &note, theme.style(Role::Header));
    }
}

/// ` app.heapsnapshot › Classes › PooledRequest › @4711`, and at the right what there is in all. Where there is no room
/// the end of the way is shown.
fn draw_way(buf: &mut Buffer, area: Rect, walk: &Walk, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let sign = theme.pick(" › ", " > ");
    let mut names = Vec::new();
    for (nth, step) in walk.steps.iter().enumerate() {
        names.push(step.title.clone());
        if nth == 0 && walk.steps.len() > 1 {
            names.push(step.tabs.get(step.shown).map(|(name, _)| tr!(of name).to_owned()).unwrap_or_default());
        }
    }
    if let Some(word) = walk.list().word().filter(|word| !word.is_empty()) {
        names.push(format!("/{word}"));
    }
    let width = area.width.saturating_sub(2);
    let mut text = names.join(sign);
    let cut = theme.pick("… › ", ".. > ");
    while columns(&text) > width && names.len() > 1 {
        names.remove(0);
        text = format!("{cut}{}", names.join(sign));
    }
    let used = put(buf, area.x + 1, area.y, width, &text, theme.style(Role::Title));
    let total = total(&walk.opened);
    if used + columns(&total) + 2 <= width {
        put_right(buf, area.x + 1, area.y, width, &total, theme.style(Role::Muted));
    }
}

/// `3.3M → 3.4M in 41,200 nodes`.
fn total(opened: &Opened) -> String {
    let sizes: Vec<String> = opened.files.iter().map(|(_, bytes)| Bytes(*bytes).to_string()).collect();
    let sizes = match sizes.as_slice() {
        [first, .., last] => format!("{first} → {last}"),
        _ => sizes.concat(),
    };
    let count = grouped(opened.nodes);
    match opened.kind {
        Kind::Heap | Kind::Growth(_) => tr!("{sizes} in {count} nodes", sizes, count),
        Kind::Histogram(_) | Kind::HistogramGrowth(_) => tr!("{sizes} in {count} objects", sizes, count),
    }
}

/// ` PooledRequest @4711  takes 64  retains 1.2K  3 steps from a root  written in /srv/app/server.js:12`.
fn who(about: &About, theme: &Theme) -> Vec<Piece> {
    let (text, muted) = (theme.style(Role::Text), theme.style(Role::Muted));
    let distance = match about.distance {
        None => tr!("no way from the program's roots").into(),
        Some(1) => tr!("1 step from a root").into(),
        Some(steps) => tr!("{steps} steps from a root", steps),
    };
    let mut pieces = vec![
        Piece::new(format!(" {} @{}", about.class, about.id), theme.style(Role::Title), 0),
        Piece::new(tr!("  retains {size}", size = Bytes(about.retained)), text, 0),
        Piece::new(tr!("  takes {size}", size = Bytes(about.shallow)), text, 2),
    ];
    if about.is_detached {
        pieces.push(Piece::new(tr!("  detached"), theme.style(Role::Warn), 1));
    }
    pieces.push(Piece::new(format!("  {distance}"), muted, 3));
    if !about.place.is_empty() {
        pieces.push(Piece::new(format!("  {}", about.place), muted, 4));
    }
    if about.text != about.class {
        pieces.push(Piece::new(format!("  {}", about.text), text, 5));
    }
    pieces
}

fn draw_list(buf: &mut Buffer, area: Rect, walk: &Walk, theme: &Theme) {
    let list = walk.list();
    if let Some(trouble) = &walk.trouble {
        return opening::draw_failed(buf, area, trouble, theme);
    }
    let lines = list.lines_from(list.offset).unwrap_or_default();
    let (order, scroll) = (list.order, list.scroll);
    Table { columns: list.columns, order, rows: lines, offset: 0, scroll, least: LEAST_NAME }.draw(buf, area, theme);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if list.page().is_none() {
        say(buf, below, theme.pick(tr!("looking …"), "looking ..."), theme);
    } else if list.len() == 0 {
        say(buf, below, &nothing(list, &walk.opened), theme);
    } else if list.selected_line().is_some() {
        let y = below.y + (list.selected - list.offset.min(list.selected)) as u16;
        if y < below.bottom() {
            buf.set_style(Rect { y, height: 1, ..below }, theme.style(Role::Selected));
        }
    }
}

/// Why there is no line.
fn nothing(list: &List, opened: &Opened) -> String {
    if let Some(word) = list.word().filter(|word| !word.is_empty()) {
        return tr!("Nothing here has `{word}` in its name; a search looks among all objects and strings.", word);
    }
    match &list.question {
        Question::Growth(_) => tr!("Nothing changed.").into(),
        Question::Detached => {
            tr!("Nothing that was given up is held: of Node.js this is so mostly, of a browser's page not.").into()
        }
        Question::Found(_) => tr!("No object and no string has that in its name.").into(),
        Question::New(_) => tr!("None of them is new.").into(),
        Question::Strings(_) => tr!("No string is there twice.").into(),
        Question::Fields(_) => tr!("It refers to nothing.").into(),
        Question::Retainers(_) => tr!("Nothing leads to it.").into(),
        Question::Way(_) => tr!("No root leads to it.").into(),
        Question::Dominated(_) => tr!("Nothing would be freed with it but itself.").into(),
        _ if opened.nodes == 0 => tr!("It is empty.").into(),
        _ => tr!("There is none.").into(),
    }
}

/// Who holds what, or the way to an object.
fn draw_told(buf: &mut Buffer, area: Rect, walk: &Walk, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let list = walk.list();
    let mut sentences: Vec<(String, Role)> = Vec::new();
    if let (Question::Growth(_), Kind::Growth(Numbering::Anew), true) =
        (&list.question, walk.opened.kind, area.height > 1)
    {
        let why = tr!("The objects are numbered anew in each: only how many there are is compared.");
        sentences.push((why.into(), Role::Muted));
    }
    match (list.told(), &list.question) {
        (None, _) if list.aside().is_some() => {
            sentences.push((
                theme.pick(tr!("looking for who holds it …"), "looking for who holds it ...").into(),
                Role::Muted,
            ));
        }
        (None, _) => {}
        (Some(told), question) => {
            for (nth, sentence) in told.iter().enumerate() {
                let text = match question.node() {
                    Some(_) => tr!("way: {sentence}", sentence),
                    None => sentence.clone(),
                };
                sentences.push((text, if nth == 0 { Role::Title } else { Role::Text }));
            }
        }
    }
    let width = area.width.saturating_sub(2);
    let lines = sentences.iter().flat_map(|(text, role)| wrap(text, width).into_iter().map(move |line| (line, *role)));
    for ((line, role), y) in lines.zip(area.y..area.bottom()) {
        put(buf, area.x + 1, y, width, &line, theme.style(role));
    }
}

/// Says something where there is nothing else to show.
fn say(buf: &mut Buffer, area: Rect, text: &str, theme: &Theme) {
    let width = area.width.saturating_sub(2);
    for (line, y) in wrap(text, width).iter().zip(area.y..area.bottom()) {
        put(buf, area.x + 1, y, width, line, theme.style(Role::Muted));
    }
}
