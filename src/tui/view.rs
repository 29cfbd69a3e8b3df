//! A frame: header, screen, function bar, layers.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{ACTIONS, Action};
use super::app::{App, Temporality, show_interval};
use super::event::{moment, time_of_day};
use super::header::{self, Status};
use super::screen::inspect::{Inspect, Tab};
use super::screen::{Screen, ended, log};
use super::theme::Role;
use super::widget::line::{columns, fill, put};
use super::widget::time_bar;
use super::widget::wrap::wrap;
use crate::model::runtime::RuntimeKind;

/// Below this nothing useful can be drawn.
const LEAST: (u16, u16) = (40, 8);

/// The part of the screen between the header and the function bar, or the time bar above that.
pub(super) fn body(app: &App) -> Rect {
    let screen = app.area;
    let header = header::height(screen).min(screen.height);
    let height = screen.height.saturating_sub(header + 1 + u16::from(app.is_replay()));
    Rect::new(screen.x, screen.y + header, screen.width, height)
}

/// Draws the whole face.
pub fn draw(app: &App, buf: &mut Buffer) {
    draw_all(app, buf);
    if app.theme.is_ascii {
        only_ascii(buf);
    }
}

fn draw_all(app: &App, buf: &mut Buffer) {
    let screen = buf.area;
    let muted = app.theme.style(Role::Muted);
    if screen.width < LEAST.0 || screen.height < LEAST.1 {
        put(
            buf,
            0,
            0,
            screen.width,
            &tr!("too small: {width}x{height} needed", width = LEAST.0, height = LEAST.1),
            muted,
        );
        return;
    }
    let Some(update) = &app.update else {
        draw_nothing_yet(app, buf);
        return;
    };
    header::draw(buf, Rect { height: header::height(screen), ..screen }, update, &status(app), &app.theme);
    let body = body(app);
    match app.screen {
        Screen::Processes => app.processes.draw(buf, update, &app.theme),
        Screen::Leaks => app.leaks.draw(buf, update, app.since, &app.theme),
        Screen::Inspect => {
            if let Some(inspect) = &app.inspect {
                inspect.draw(buf, update, &app.theme);
            }
        }
        Screen::Heap => {
            if let Some(heap) = &app.heap {
                heap.draw(buf, &app.theme);
            }
        }
        Screen::System => app.system.draw(buf, update, app.machine_span(), &app.theme),
        Screen::Cgroups => app.cgroups.draw(buf, update, &app.theme),
        Screen::Log { offset } => log::draw(buf, body, &app.log, offset, &app.theme),
        Screen::Ended { offset } => ended::draw(buf, body, update, offset, &app.theme),
    }
    let bar = Rect::new(screen.x, screen.bottom() - 1, screen.width, 1);
    draw_bar(app, buf, bar);
    if let Some(replay) = &update.replay {
        time_bar::draw(buf, Rect { y: bar.y - 1, ..bar }, update, replay, &app.theme);
    }
    if let Some((message, role)) = &app.message {
        let line = Rect { y: bar.y - 1, ..bar };
        fill(buf, line, app.theme.style(Role::Text));
        put(buf, line.x, line.y, line.width, &format!(" {message}"), app.theme.style(*role));
    }
    for layer in &app.layers {
        layer.draw(buf, screen, &app.theme);
    }
}

/// Before the first sample, or instead of it.
fn draw_nothing_yet(app: &App, buf: &mut Buffer) {
    let screen = buf.area;
    let text = app.alert.as_deref().unwrap_or(app.theme.pick(tr!("reading /proc …"), tr!("reading /proc ...")));
    let style = app.theme.style(if app.alert.is_some() { Role::Danger } else { Role::Muted });
    for (line, y) in wrap(text, screen.width - 2).iter().zip(screen.y..screen.bottom() - 1) {
        put(buf, screen.x + 1, y, screen.width - 2, line, style);
    }
    if app.alert.is_some() {
        draw_bar(app, buf, Rect::new(screen.x, screen.bottom() - 1, screen.width, 1));
    }
}

/// Where only ASCII may be sent, what is none becomes a sign that stands for it: also in names that processes chose.
fn only_ascii(buf: &mut Buffer) {
    for cell in buf.content.iter_mut().filter(|cell| !cell.symbol().is_ascii()) {
        let sign = match cell.symbol() {
            "…" => ".",
            _ => "?",
        };
        cell.set_symbol(sign);
    }
}

fn status(app: &App) -> Status {
    let interval = show_interval(app.interval());
    let shown = app.update.as_ref().map(|update| time_of_day(update.snapshot.sample.wall_ms)).unwrap_or_default();
    let (mode, is_unusual) = match app.temporality {
        Temporality::Playing(_) => (tr!(" REPLAY x{speed} ", speed = app.speed), true),
        Temporality::Hunting(_) => (tr!(" SEARCHING ").to_owned(), true),
        _ if app.is_replay() => (tr!(" REPLAY ").to_owned(), true),
        Temporality::Live => (tr!("live {interval}", interval), false),
        Temporality::Paused => (tr!(" PAUSED at {shown} ", shown), true),
        Temporality::Past(_) => (tr!(" PAST {shown} ", shown), true),
    };
    let mode = match app.processes.group() {
        Some(group) => tr!("{mode}  by {group}", mode, group = tr!(of group.word())),
        None => mode,
    };
    let mode = if app.options.is_read_only { tr!("{mode}  read-only", mode) } else { mode };
    let (mode, is_unusual) = if app.alert.is_some() { (tr!(" STOPPED ").to_owned(), true) } else { (mode, is_unusual) };
    // A recording has a time of its own.
    let clock = match &app.update {
        Some(update) if update.replay.is_some() => moment(update.snapshot.sample.wall_ms),
        _ => app.clock.clone(),
    };
    Status { mode, is_unusual, span: app.machine_span(), clock, taped: app.taped.clone(), alert: app.alert.clone() }
}

/// What is worth a hint at this moment, the way out last.
fn hints(app: &App) -> Vec<(Action, &'static str)> {
    match (app.screen, app.temporality) {
        (Screen::Processes | Screen::Leaks | Screen::System | Screen::Cgroups, _) if app.is_replay() => vec![
            (Action::Earlier, tr!("earlier")),
            (Action::Later, tr!("later")),
            (Action::Pause, if matches!(app.temporality, Temporality::Playing(_)) { tr!("stop") } else { tr!("play") }),
            (Action::NextEvent, tr!("next event")),
            (Action::Jump, tr!("go to")),
            match app.screen {
                Screen::System | Screen::Cgroups => (Action::Back, tr!("back to the list")),
                Screen::Leaks => (Action::ShowLeaks, tr!("list")),
                _ => (Action::ShowLeaks, tr!("leaks")),
            },
            (Action::Filter, tr!("filter")),
            (Action::Help, tr!("help")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Processes, Temporality::Past(_)) => vec![
            (Action::Earlier, tr!("earlier")),
            (Action::Later, tr!("later")),
            (Action::MuchEarlier, tr!("-1 min")),
            (Action::MuchLater, tr!("+1 min")),
            (Action::GoLive, tr!("live")),
            (Action::OpenDetails, tr!("details")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Processes, _) => ACTIONS.iter().filter_map(|spec| Some((spec.action, tr!(of spec.bar?)))).collect(),
        (Screen::Cgroups, Temporality::Past(_)) => vec![
            (Action::GoLive, tr!("live")),
            (Action::Back, tr!("back to the list")),
            (Action::Earlier, tr!("earlier")),
            (Action::Later, tr!("later")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Cgroups, _) => vec![
            (Action::Back, tr!("back to the list")),
            (Action::OpenDetails, tr!("processes")),
            (Action::Filter, tr!("filter")),
            (Action::OpenSortMenu, tr!("sort")),
            (Action::ToggleFold, tr!("fold")),
            (Action::ToggleTree, tr!("tree")),
            (Action::SetMark, tr!("mark")),
            (Action::Help, tr!("help")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Leaks, Temporality::Past(_)) => vec![
            (Action::Back, tr!("back to the list")),
            (Action::OpenDetails, tr!("show process")),
            (Action::Earlier, tr!("earlier")),
            (Action::Later, tr!("later")),
            (Action::GoLive, tr!("live")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Leaks, _) => vec![
            (Action::Back, tr!("back to the list")),
            (Action::OpenDetails, tr!("show process")),
            (Action::Signal, tr!("signal")),
            (Action::DropCaches, tr!("drop caches")),
            (Action::Earlier, tr!("past")),
            (Action::Help, tr!("help")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Inspect, Temporality::Past(_)) => vec![
            (Action::Back, tr!("back")),
            (Action::NextTab, tr!("next")),
            (Action::Earlier, tr!("earlier")),
            (Action::Later, tr!("later")),
            (Action::GoLive, tr!("live")),
            (Action::Quit, tr!("quit")),
        ],
        (Screen::Inspect, _) => {
            let is_table = app.inspect.as_ref().is_some_and(Inspect::is_table);
            let sort = is_table.then_some((Action::OpenSortMenu, tr!("sort")));
            let before = [(Action::Back, tr!("back")), (Action::NextTab, tr!("next"))];
            let after = [
                (Action::Signal, tr!("signal")),
                (Action::Earlier, tr!("past")),
                (Action::Help, tr!("help")),
                (Action::Quit, tr!("quit")),
            ];
            let heap = is_node_runtime(app).then_some((Action::HeapSnapshot, tr!("heap snapshot")));
            before.into_iter().chain(sort).chain(heap).chain(after).collect()
        }
        (Screen::Heap, _) => super::heap::hints(app),
        (Screen::System, _) => vec![
            (Action::Back, tr!("back to the list")),
            (Action::NextTab, tr!("next section")),
            (Action::MoveDown, tr!("scroll")),
            (Action::DropCaches, tr!("drop caches")),
            (Action::Earlier, tr!("past")),
            (Action::Help, tr!("help")),
            (Action::Quit, tr!("quit")),
        ],
        _ => vec![
            (Action::Back, tr!("back to the list")),
            (Action::MoveDown, tr!("scroll")),
            (Action::Help, tr!("help")),
            (Action::Quit, tr!("quit")),
        ],
    }
}

/// Whether the runtime of a Node.js process is shown.
fn is_node_runtime(app: &App) -> bool {
    let (Some(inspect), Some(update)) = (&app.inspect, &app.update) else { return false };
    let row = update.snapshot.row_of(inspect.key()).filter(|_| inspect.tab() == Tab::Runtime);
    row.is_some_and(|row| row.process.identity.kind() == Some(RuntimeKind::Node))
}

/// Whether there is something to do it to: where nothing grows no finding is selected.
fn has_object(app: &App, action: Action) -> bool {
    let needs_finding = app.screen == Screen::Leaks && matches!(action, Action::OpenDetails | Action::Signal);
    let findings = app.update.as_deref().map_or(&[][..], |update| &update.snapshot.analysis.findings);
    !needs_finding || app.leaks.selected(findings).is_some()
}

/// The keys of this moment, from ACTIONS, as far as they fit: where each begins, its key and its word.
fn bar(app: &App, area: Rect) -> Vec<(u16, Action, &str, &str)> {
    let width = |key: &str, word: &str| columns(key) + columns(word) + 3;
    let mut left: Vec<_> = hints(app)
        .into_iter()
        .filter(|(action, _)| has_object(app, *action))
        .filter_map(|(action, word)| Some((action, app.keymap.keys(action).first()?.as_str(), word)))
        .collect();
    // The way out, which is last, is always shown; the ones before it go where there is no room. The blank after the
    // last word may be cut.
    while left.len() > 1 && left.iter().map(|(_, key, word)| width(key, word)).sum::<u16>() > area.width + 1 {
        left.remove(left.len() - 2);
    }
    let mut x = area.x;
    left.into_iter()
        .map(|(action, key, word)| {
            let place = (x, action, key, word);
            x += width(key, word);
            place
        })
        .collect()
}

fn draw_bar(app: &App, buf: &mut Buffer, area: Rect) {
    for (x, _, key, word) in bar(app, area) {
        let used = put(buf, x, area.y, area.right() - x, &format!(" {key}"), app.theme.style(Role::Key));
        put(buf, x + used, area.y, area.right() - x - used, &format!(" {word} "), app.theme.style(Role::Hint));
    }
}

/// The action of the hint at a column of the function bar.
pub(super) fn bar_action(app: &App, column: u16) -> Option<Action> {
    let area = Rect { y: app.area.bottom().saturating_sub(1), height: 1, ..app.area };
    bar(app, area).into_iter().rev().find(|(x, ..)| *x <= column).map(|(_, action, ..)| action)
}
