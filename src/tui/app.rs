//! The face's state and what actions do to it. No terminal, no thread, no clock: keys and updates in, commands out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::action::Action;
use super::header;
use super::keymap::{Keymap, KeymapError};
use super::layer::confirm::Confirm;
use super::layer::{Answer, Deed, Layer};
use super::marks::Marks;
use super::mouse::Click;
use super::screen::Screen;
use super::screen::cgroups::Cgroups;
use super::screen::heap::Heap;
use super::screen::inspect::Inspect;
use super::screen::leaks::Leaks;
use super::screen::processes::list::Order;
use super::screen::processes::{Direction, LineKey, Processes};
use super::screen::system::System;
use super::settings::{Options, Settings};
use super::theme::{Role, Theme, ThemeError};
use crate::act::effect::{Effect, Outcome, Plan, Stage};
use crate::collect::demand::Demand;
use crate::model::field::Source;
use crate::model::judgement::{Finding, Subject};
use crate::model::key::ProcessKey;
use crate::model::query::Query;
use crate::model::reading::BootMs;
use crate::session::request::{Hunt, Request};
use crate::session::update::{Taped, Update};

/// What the app wants done outside of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Changes the machine.
    Run(Effect),
    /// Stops the changes that are under way and can be stopped.
    Stop,
    /// Writes the settings.
    Save(Settings),
    /// Begins a recording, or ends it.
    Record(bool),
    /// Draws the whole screen anew.
    Redraw,
    /// Gives the terminal back for a while.
    Suspend,
    /// Ends.
    Quit,
}

/// Which moment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// The newest.
    Live,
    /// The one that was shown when it was asked for.
    Paused,
    /// One of the past.
    Past(BootMs),
    /// One after the other of a recording, from this one on.
    Playing(BootMs),
    /// That of the event that is looked for.
    Hunting(Hunt),
}

/// Says what an effect would do, and whether we may.
pub type Planner = Box<dyn Fn(&Effect) -> Plan + Send>;

/// The face.
pub struct App {
    pub(super) options: Options,
    pub(super) theme: Theme,
    pub(super) keymap: Keymap,
    pub(super) planner: Planner,
    pub(super) update: Option<Arc<Update>>,
    pub(super) taped: Option<Taped>,
    pub(super) temporality: Temporality,
    pub(super) screen: Screen,
    pub(super) processes: Processes,
    pub(super) leaks: Leaks,
    /// The process that is shown whole; what is held for it goes with it.
    pub(super) inspect: Option<Inspect>,
    /// The heap that is walked through; with it goes what is held for it.
    pub(super) heap: Option<Heap>,
    /// Heaps opened so far.
    pub(super) heaps: u64,
    pub(super) system: System,
    pub(super) cgroups: Cgroups,
    pub(super) marks: Marks,
    pub(super) log: VecDeque<Outcome>,
    pub(super) layers: Vec<Layer>,
    pub(super) message: Option<(String, Role)>,
    pub(super) alert: Option<String>,
    pub(super) clock: String,
    pub(super) area: Rect,
    pub(super) last_click: Click,
    pub(super) search: String,
    /// The line that was selected when the search began.
    pub(super) search_origin: Option<LineKey>,
    interval: Duration,
    /// When watching began.
    pub(super) since: BootMs,
    /// How many seconds of a recording pass in one.
    pub(super) speed: f32,
}

/// Why the face can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The theme.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The keys.
    #[error("keys: {0}")]
    Keymap(#[from] KeymapError),
    /// The filter.
    #[error("filter: {0}")]
    Filter(#[from] crate::model::query::QueryError),
}

/// Outcomes that are remembered.
const LOG: usize = 200;

/// How far back a process's line reaches, in minutes, as there is more and more to show.
const SERIES_SPANS: [u64; 4] = [1, 2, 5, 10];

/// The same of the machine's graph. The shorter, the more often it moves, and each move goes over the wire.
const MACHINE_SPANS: [u64; 4] = [5, 15, 30, 60];

/// So many of those that grow are read like what is on the screen.
const WATCHED: usize = 16;

/// Times between samples that keys step through.
pub(super) const INTERVALS: [Duration; 9] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(5),
];

impl App {
    /// A face without anything to show yet.
    pub fn new(options: Options, planner: Planner) -> Result<Self, StartError> {
        let settings = &options.settings;
        let mut processes = Processes::new(settings.columns.clone());
        processes.set_order(Order { by: settings.sort, is_descending: settings.is_descending });
        if !settings.filter.is_empty() {
            processes.set_filter(Some(Query::parse(&settings.filter)?));
        }
        if settings.is_tree {
            processes.toggle_tree();
        }
        if settings.group.is_some() {
            processes.set_group(settings.group);
        }
        if settings.shows_kernel_threads {
            processes.toggle_kernel_threads();
        }
        Ok(Self {
            theme: Theme::load(&settings.theme, options.depth, options.is_ascii)?,
            keymap: Keymap::new(&options.keys)?,
            interval: settings.interval,
            planner,
            update: None,
            taped: None,
            temporality: Temporality::Live,
            screen: Screen::Processes,
            processes,
            leaks: Leaks::default(),
            inspect: None,
            heap: None,
            heaps: 0,
            system: System::default(),
            cgroups: Cgroups::default(),
            marks: Marks::default(),
            log: VecDeque::new(),
            layers: Vec::new(),
            message: None,
            alert: None,
            clock: String::new(),
            area: Rect::new(0, 0, 80, 24),
            last_click: None,
            search: String::new(),
            search_origin: None,
            since: BootMs::default(),
            speed: 1.0,
            options,
        })
    }

    /// What is to be read and sent for what is on the screen.
    pub fn request(&self) -> Request {
        let update = self.update.as_deref();
        let visible = match (&self.inspect, update) {
            (Some(inspect), _) => vec![inspect.key()],
            (None, Some(update)) => self.processes.visible(&update.snapshot),
            (None, None) => Vec::new(),
        };
        let findings = update.map_or(&[][..], |update| &update.snapshot.analysis.findings);
        let is_by_pss = matches!(self.processes.order().by.key, "pss" | "footprint" | "uss");
        let mut sources = self.processes.sources();
        if let Some(inspect) = &self.inspect {
            sources.extend(inspect.sources());
        }
        if self.screen == Screen::Cgroups {
            // Sums of PSS are shown, whatever the columns of the list.
            sources.insert(Source::Rollup);
        }
        if sources.contains(Source::Fds) {
            // How near the limit is decides what is said of their growth.
            sources.insert(Source::Limits);
        }
        let system = (self.screen == Screen::System).then_some(&self.system);
        if let Some(system) = system {
            sources.extend(system.sources());
        }
        Request {
            demand: Demand {
                sources,
                top_by_pss: if is_by_pss && self.processes.order().is_descending { self.processes.page() } else { 0 },
                visible: watched(&visible, findings),
                cgroups: self.screen == Screen::Cgroups,
                budget: self.options.budget,
            },
            series_points: self.inspect.as_ref().map_or(self.processes.history_points(), Inspect::points).max(1),
            series: visible,
            series_span: self.span(&SERIES_SPANS),
            machine_points: header::points(self.area, findings).max(1),
            machine_span: self.machine_span(),
            evidence: update.and_then(|update| match self.screen {
                Screen::Leaks => self.leaks.wish(update),
                Screen::Inspect => self.inspect.as_ref().and_then(|inspect| inspect.evidence_wish(update)),
                _ => None,
            }),
            inspect: self.inspect_wish(),
            system: system.map(|system| system.wish(self.machine_span())),
            at: match self.temporality {
                Temporality::Past(at) | Temporality::Playing(at) => Some(at),
                Temporality::Hunting(hunt) => Some(hunt.from),
                Temporality::Live | Temporality::Paused => None,
            },
            play: matches!(self.temporality, Temporality::Playing(_)).then_some(self.speed),
            hunt: match self.temporality {
                Temporality::Hunting(hunt) => Some(hunt),
                _ => None,
            },
            interval: self.interval,
        }
    }

    /// The shortest of these that holds everything watched so far, or the longest.
    fn span(&self, minutes: &[u64]) -> Duration {
        let watched = self.update.as_ref().map_or(0, |update| match update.replay {
            Some(_) => update.timeline.newest.since(update.timeline.oldest),
            None => update.timeline.newest.since(self.since),
        }) / 60_000;
        let fits = minutes.iter().find(|minutes| **minutes > watched);
        Duration::from_mins(fits.or(minutes.last()).copied().unwrap_or(1))
    }

    /// How far back the machine's graph reaches.
    pub(super) fn machine_span(&self) -> Duration {
        self.span(&MACHINE_SPANS)
    }

    /// Takes an update. A paused face keeps the one it has.
    pub fn take(&mut self, update: Arc<Update>) {
        self.take_taped(update.taped.as_ref());
        if self.temporality == Temporality::Paused && self.update.is_some() {
            return;
        }
        let timeline = update.timeline;
        self.since = if update.replay.is_some() {
            BootMs(update.snapshot.sample.at.0.saturating_sub(timeline.shown.since(timeline.oldest)))
        } else if self.update.is_none() {
            timeline.oldest
        } else {
            // The oldest moments are forgotten in time; when watching began is not.
            self.since.min(timeline.oldest)
        };
        self.follow_replay(&update);
        self.update = Some(self.marked(update));
        self.settle();
    }

    /// Takes how the recording stands, which goes on while the picture is paused. What goes wrong is told once.
    fn take_taped(&mut self, taped: Option<&Taped>) {
        let problem = |taped: Option<&Taped>| taped.and_then(|taped| taped.problem.clone());
        if let Some(new) = problem(taped).filter(|new| problem(self.taped.as_ref()).as_ref() != Some(new)) {
            self.say(tr!("not recorded: {new}", new), Role::Danger);
        }
        self.taped = taped.cloned();
    }

    /// Takes what came of an effect.
    pub fn outcome(&mut self, outcome: Outcome) {
        if outcome.stage != Stage::Settled {
            let failed = outcome.results.iter().filter(|result| result.is_err()).count();
            let first = outcome.results.first().map_or("", |result| match result {
                Ok(text) | Err(text) => text.as_str(),
            });
            let more = outcome.results.len().saturating_sub(1);
            let hint = match outcome.stage {
                Stage::Progress => tr!(" ({key} stops it)", key = self.key(Action::Stop)),
                _ if outcome.awaits_kill() => tr!(" ({key} stops the KILL)", key = self.key(Action::Stop)),
                _ if more > 0 => tr!(", and {more} more ({key} shows all)", more, key = self.key(Action::ShowLog)),
                _ if outcome.undo.is_some() => tr!(" ({key} undoes it)", key = self.key(Action::Undo)),
                _ => String::new(),
            };
            let role = match outcome.stage {
                Stage::Progress => Role::Text,
                _ if failed > 0 => Role::Danger,
                _ => Role::Good,
            };
            self.message = Some((format!("{first}{hint}"), role));
        }
        let taken = super::heap::snapshot_of(&outcome).cloned();
        // What is told of an action takes the place of what was told of it before.
        let is_same = |known: &Outcome| known.wall_ms == outcome.wall_ms && known.effect == outcome.effect;
        match self.log.iter().position(|known| !known.is_final && is_same(known)) {
            Some(place) => self.log[place] = outcome,
            None => self.log.push_front(outcome),
        }
        self.log.truncate(LOG);
        if let Some(target) = taken {
            self.offer_heap(&target);
        }
    }

    /// There will be no further update.
    pub fn fail(&mut self, why: &str) {
        self.alert = Some(why.to_owned());
    }

    /// Takes the time of day.
    pub fn set_clock(&mut self, clock: String) {
        self.clock = clock;
    }

    /// Takes a new size of the terminal.
    pub fn resize(&mut self, area: Rect) {
        self.area = area;
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        if self.screen != Screen::Inspect {
            self.inspect = None;
        }
        self.settle_heap();
        if let Some(update) = self.update.clone() {
            let body = super::view::body(self);
            self.processes.settle(&update, body);
            if self.screen != Screen::Leaks {
                self.leaks.rest();
            }
            self.leaks.settle(&update.snapshot.analysis.findings, body);
            if let Some(inspect) = &mut self.inspect {
                inspect.settle(&update, body, &self.theme, &mut self.marks.looks);
            }
            self.system.settle(body);
            if self.screen == Screen::Cgroups {
                self.cgroups.settle(&update, body);
            }
        }
    }

    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Vec<Command> {
        self.message = None;
        self.close_hints();
        let commands = match self.layers.last_mut() {
            Some(layer) => {
                let answer = layer.press(key);
                self.answer(answer)
            }
            None => match self.keymap.action(key) {
                Some(action) => self.act(action),
                None => Vec::new(),
            },
        };
        self.settle();
        commands
    }

    /// Takes what was pasted.
    pub fn paste(&mut self, text: &str) -> Vec<Command> {
        self.close_hints();
        let commands = match self.layers.last_mut() {
            Some(layer) => {
                let answer = layer.paste(text);
                self.answer(answer)
            }
            None => Vec::new(),
        };
        self.settle();
        commands
    }

    fn answer(&mut self, answer: Answer) -> Vec<Command> {
        match answer {
            Answer::Stay => Vec::new(),
            Answer::StayAnd(deed) => self.perform(deed),
            Answer::Close => {
                self.layers.pop();
                Vec::new()
            }
            Answer::CloseAnd(deed) => {
                self.layers.pop();
                self.perform(deed)
            }
        }
    }

    fn perform(&mut self, deed: Deed) -> Vec<Command> {
        match deed {
            Deed::Act(action) => return self.act(action),
            Deed::SortPartBy(column) => {
                if let Some(inspect) = &mut self.inspect {
                    inspect.sort_by(column);
                }
            }
            Deed::SortBy(field) => self.processes.sort_by(field),
            Deed::GroupBy(group) => self.processes.set_group(group),
            Deed::Columns(columns) => self.processes.set_columns(columns),
            Deed::Interval(interval) => self.set_interval(interval),
            Deed::Theme(name) => match Theme::load(&name, self.options.depth, self.options.is_ascii) {
                Ok(theme) => self.theme = theme,
                Err(error) => self.say(error.to_string(), Role::Danger),
            },
            Deed::SortCgroupsBy(field) => self.cgroups.sort_by(field),
            Deed::FilterCgroups(text) => self.filter_cgroups(&text),
            Deed::Filter(text) => match Query::parse(&text) {
                Ok(query) => self.processes.set_filter((!text.trim().is_empty()).then_some(query)),
                Err(error) => self.say(error.to_string(), Role::Danger),
            },
            Deed::Jump(to) => self.jump(to),
            Deed::Search(word, direction) => {
                self.search = word;
                self.find_while_typing(direction);
            }
            Deed::Mark(deed) => self.mark(deed),
            Deed::Heap(deed) => self.do_with_heap(deed),
            Deed::Ask(effect) => self.ask(effect),
            Deed::Change(change, subject) => self.begin_change(change, subject),
            Deed::ChangeTo(change, value) => self.change_to(change, &value),
            Deed::Run(effect) => return vec![Command::Run(effect)],
        }
        Vec::new()
    }

    pub(super) fn say(&mut self, text: impl Into<String>, role: Role) {
        self.message = Some((text.into(), role));
    }

    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval.clamp(INTERVALS[0], Duration::from_hours(1));
        self.say(tr!("a sample every {time}", time = show_interval(self.interval)), Role::Text);
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn find(&mut self, direction: Direction) {
        let Some(update) = self.update.clone() else { return };
        if self.screen == Screen::Cgroups {
            return self.find_cgroup(&update, direction);
        }
        if !self.search.is_empty() && !self.processes.search(&update.snapshot, &self.search, direction) {
            self.say(tr!("no line holds `{search}`", search = self.search), Role::Warn);
        }
    }

    /// Finds from where the search began, so that a longer word can lead back; going on begins anew.
    fn find_while_typing(&mut self, direction: Direction) {
        if direction == Direction::Here
            && let Some(origin) = self.search_origin.clone()
        {
            self.processes.select(origin);
        }
        self.find(direction);
        if direction != Direction::Here {
            self.search_origin = self.processes.selected_line().cloned();
        }
        self.processes.reveal();
    }

    pub(super) fn ask(&mut self, effect: Effect) {
        if !self.may_change(tr!("Act")) {
            return;
        }
        let plan = (self.planner)(&effect);
        self.layers.push(Layer::Confirm(Confirm::new(effect, plan)));
    }

    /// What a person would have kept.
    pub fn settings(&self) -> Settings {
        let order = self.processes.order_to_keep();
        Settings {
            columns: self.processes.columns().to_vec(),
            sort: order.by,
            is_descending: order.is_descending,
            filter: self.processes.filter().map(ToString::to_string).unwrap_or_default(),
            group: self.processes.group(),
            is_tree: self.processes.is_tree(),
            shows_kernel_threads: self.processes.shows_kernel_threads(),
            interval: self.interval,
            theme: self.theme.name.clone(),
        }
    }
}

/// What is read first: what is on the screen, and what grows, wherever it is.
fn watched(visible: &[ProcessKey], findings: &[Finding]) -> Vec<ProcessKey> {
    let mut watched = visible.to_vec();
    for finding in findings {
        if let Subject::Process(key) = finding.subject
            && watched.len() < visible.len() + WATCHED
            && !watched.contains(&key)
        {
            watched.push(key);
        }
    }
    watched
}

/// `1s`, `500ms`, `5m`.
pub(super) fn show_interval(interval: Duration) -> String {
    match interval.as_millis() {
        ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}
