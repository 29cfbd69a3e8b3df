//! A recording in place of the machine: the same updates for the same requests, at any moment of it.
//!
//! What was sampled at a moment is shown at once (`view`). What the history says of it takes all samples before it: those
//! are judged in their order beside that (`past`), from a checkpoint near it on, and the picture is completed when the
//! moment is reached. So a recording gives the same verdicts however it is walked through.

mod past;
#[cfg(test)]
mod tests;
mod view;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use self::past::Past;
use self::view::{Shown, View};
use super::request::{Hunt, Request};
use super::system::SystemView;
use super::thread::Published;
use super::update::{Replay, Timespan, Update};
use crate::analyze::events::Event;
use crate::analyze::layers::LayerPoints;
use crate::lang;
use crate::model::judgement::Analysis;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;
use crate::record::reader::{Bytes, Reader};

/// Samples that can be walked through. Moments are milliseconds since the epoch.
pub trait Recording {
    /// The next sample; `None` at the end.
    fn next(&mut self) -> Option<Sample>;
    /// The sample before the one given last.
    fn previous(&mut self) -> Option<Sample>;
    /// Goes to a moment: the next sample is the last one taken by then, or the first of all.
    fn seek(&mut self, wall_ms: i64);
    /// When the first and the last sample were taken.
    fn span(&self) -> Option<[i64; 2]>;
}

impl<B: Bytes> Recording for Reader<B> {
    fn next(&mut self) -> Option<Sample> {
        self.next()
    }

    fn previous(&mut self) -> Option<Sample> {
        self.previous()
    }

    fn seek(&mut self, wall_ms: i64) {
        self.seek(wall_ms);
    }

    fn span(&self) -> Option<[i64; 2]> {
        self.span()
    }
}

/// A running replay. It ends when this is dropped.
pub struct ReplayHandle {
    requests: Sender<Request>,
}

impl ReplayHandle {
    /// Starts with the first request. Two readers of the same recording are needed: one shows, one judges. `publish` is
    /// called on the replay's thread and must not block.
    pub fn spawn<R: Recording + Send + 'static>(
        readers: [R; 2],
        first: Request,
        publish: impl FnMut(Published) + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, inbox) = channel();
        let language = lang::spoken();
        Builder::new().name("replay".into()).spawn(move || {
            // What it makes is for the screen alone, whose language is that of who asks for it.
            let _speaking = lang::speak(language);
            let mut publish = publish;
            match Player::new(readers, first) {
                Some(player) => player.run(&inbox, &mut publish),
                None => publish(Published::Failed(tr!("the recording holds no sample that can be read").into())),
            }
        })?;
        Ok(Self { requests })
    }

    /// Replaces the wish.
    pub fn request(&self, request: Request) {
        // A replay that has failed no longer listens, and has said so.
        let _ = self.requests.send(request);
    }
}

/// Between two pictures while moments pass by themselves, or while the past is judged.
const FRAME: Duration = Duration::from_millis(100);

/// For so long the past is judged before the inbox is looked at.
const SLICE: Duration = Duration::from_millis(8);

/// How far the search for an event is.
enum Search {
    UnderWay,
    Over(Option<Event>),
}

/// The replay's state.
struct Player<R> {
    view: View<R>,
    past: Past<R>,
    request: Request,
    shown: Arc<Shown>,
    /// The search under way, or the one that has ended, with its result.
    hunt: Option<(Hunt, Search)>,
    /// Since when, and from which moment on, time passes.
    playing: Option<(Instant, i64)>,
    /// How much had to be judged when the way to the goal began.
    way: usize,
    /// The moment that all others are counted from.
    origin: i64,
    events: Arc<[(BootMs, Event)]>,
}

impl<R: Recording> Player<R> {
    fn new([first, second]: [R; 2], request: Request) -> Option<Self> {
        let [began, _] = first.span()?;
        // No moment is zero, which stands for one that is not known.
        let origin = began - 1;
        let mut view = View::new(first);
        let at = request.at.map_or(i64::MAX, |at| origin.saturating_add(at.0 as i64));
        let shown = Arc::new(view.show(at)?);
        let mut player = Self {
            view,
            past: Past::new(second),
            request,
            shown,
            hunt: None,
            playing: None,
            way: 0,
            origin,
            events: Arc::default(),
        };
        player.take_request();
        Some(player)
    }

    fn run(mut self, inbox: &Receiver<Request>, publish: &mut impl FnMut(Published)) {
        let mut published = Instant::now();
        self.publish(publish);
        loop {
            let is_judging = self.goal().is_some();
            let message = if is_judging {
                match inbox.try_recv() {
                    Ok(request) => Some(request),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            } else {
                let next = self.playing.map_or(Duration::MAX, |_| FRAME);
                match inbox.recv_timeout(next) {
                    Ok(request) => Some(request),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
            if let Some(request) = message {
                // Only the newest wish counts.
                self.request = inbox.try_iter().last().unwrap_or(request);
                self.take_request();
                self.publish(publish);
                published = Instant::now();
                continue;
            }
            let has_moved = self.pass_time();
            let has_arrived = is_judging && self.judge().is_break();
            if has_arrived && self.playing.is_some() {
                self.playing = Some((Instant::now(), self.shown.wall_ms()));
            }
            if has_moved || has_arrived || (is_judging && published.elapsed() > FRAME) {
                self.publish(publish);
                published = Instant::now();
            }
        }
    }

    fn take_request(&mut self) {
        // Where time passes already only the speed may have changed: it goes on from here.
        let is_going_on = self.playing.is_some() && self.request.play.is_some();
        let mut to = if is_going_on { self.shown.wall_ms() } else { self.asked() };
        match (self.request.hunt, &self.hunt) {
            (Some(hunt), Some((known, search))) if *known == hunt => {
                if let Search::Over(Some(event)) = search {
                    to = event.wall_ms;
                }
            }
            (Some(hunt), _) => self.hunt = Some((hunt, Search::UnderWay)),
            (None, _) => self.hunt = None,
        }
        self.show(to);
        self.playing = self.request.play.map(|_| (Instant::now(), to));
        self.way = 0;
    }

    /// The moment that is asked for, by the wall clock.
    fn asked(&self) -> i64 {
        self.request.at.map_or(i64::MAX, |at| self.origin.saturating_add(at.0 as i64))
    }

    fn position(&self, wall_ms: i64) -> BootMs {
        BootMs(wall_ms.saturating_sub(self.origin).max(0) as u64)
    }

    /// Shows a moment; says whether it is another.
    fn show(&mut self, wall_ms: i64) -> bool {
        if self.shown.is_at(wall_ms) {
            return false;
        }
        let Some(shown) = self.view.show(wall_ms) else { return false };
        let is_another = shown.wall_ms() != self.shown.wall_ms();
        self.shown = Arc::new(shown);
        is_another
    }

    /// Lets time pass, where it does and what is shown has been judged: where that takes long it goes more slowly.
    fn pass_time(&mut self) -> bool {
        let (Some((since, from)), Some(speed)) = (self.playing, self.request.play) else { return false };
        if self.goal().is_some() {
            return false;
        }
        let passed = since.elapsed().as_secs_f64() * f64::from(speed) * 1000.0;
        self.show(from.saturating_add(passed as i64))
    }

    /// Up to which moment the past has to be judged; `None` where it has been.
    fn goal(&self) -> Option<i64> {
        if let Some((hunt, Search::UnderWay)) = &self.hunt {
            return Some(if hunt.is_forward { i64::MAX } else { self.origin.saturating_add(hunt.from.0 as i64) });
        }
        (self.past.at() != Some(self.shown.wall_ms())).then(|| self.shown.wall_ms())
    }

    /// Judges for a while; breaks where there is news.
    fn judge(&mut self) -> ControlFlow<()> {
        let began = Instant::now();
        while began.elapsed() < SLICE {
            let Some(goal) = self.goal() else { return ControlFlow::Break(()) };
            if let Some((hunt, Search::UnderWay)) = self.hunt {
                let found = self.past.event(self.origin.saturating_add(hunt.from.0 as i64), hunt.is_forward);
                if let ControlFlow::Break(found) = found {
                    if let Some(event) = &found {
                        self.show(event.wall_ms);
                    }
                    self.hunt = Some((hunt, Search::Over(found)));
                    return ControlFlow::Break(());
                }
                self.past.look_through(goal);
            } else {
                self.past.approach(goal);
            }
        }
        // The last step may have been the last of all: nobody would ask again.
        if self.goal().is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn publish(&mut self, publish: &mut impl FnMut(Published)) {
        let shown = Arc::clone(&self.shown);
        let wall_ms = shown.wall_ms();
        let is_judged = self.past.at() == Some(wall_ms);
        let known = if is_judged { self.past.answer(&Request { at: None, ..self.request.clone() }) } else { None };
        let mut update = known.unwrap_or_else(|| unjudged(&shown, &self.request));
        // A closer look is recorded now and then: the last one is shown, and tells its age.
        let closer = shown.snapshot.sample.closer.as_deref();
        update.cgroups = closer.filter(|_| self.request.demand.cgroups).map(|closer| Arc::clone(&closer.cgroups));
        if let Some(system) = &mut update.system {
            system.survey = closer.map(|closer| Arc::clone(&closer.survey));
        }
        let [oldest, newest] = self.view.span();
        update.timeline = Timespan {
            oldest: self.position(oldest),
            newest: self.position(newest),
            shown: self.position(wall_ms),
            earlier: shown.earlier.map(|wall_ms| self.position(wall_ms)),
            later: shown.later.map(|wall_ms| self.position(wall_ms)),
            is_past: true,
        };
        if self.past.events().len() != self.events.len() {
            self.events =
                self.past.events().iter().map(|event| (self.position(event.wall_ms), event.clone())).collect();
        }
        let left = self.past.distance(self.goal().unwrap_or(wall_ms).min(newest));
        self.way = self.way.max(left);
        let done = 100 - (left * 100).checked_div(self.way).unwrap_or(0).min(100);
        update.replay = Some(Replay {
            judged: (!is_judged || matches!(self.hunt, Some((_, Search::UnderWay)))).then_some(done as u8),
            events: Arc::clone(&self.events),
            known_to: self.position(self.past.known_to()),
            found: match &self.hunt {
                Some((hunt, Search::Over(found))) => Some((*hunt, found.clone())),
                _ => None,
            },
            is_playing: self.playing.is_some() && shown.later.is_some(),
        });
        publish(Published::Update(Arc::new(update)));
    }
}

/// A moment of which nothing is known but what was sampled.
fn unjudged(shown: &Shown, request: &Request) -> Update {
    let snapshot = Snapshot { analysis: Analysis::default(), ..(*shown.snapshot).clone() };
    Update {
        snapshot: Arc::new(snapshot),
        machine: vec![f32::NAN; request.machine_points],
        series: std::collections::HashMap::new(),
        evidence: None,
        ended: Arc::default(),
        timeline: Timespan::default(),
        replay: None,
        inspection: None,
        cgroups: None,
        system: request
            .system
            .as_ref()
            .map(|wish| SystemView { layers: LayerPoints::unknown(wish.points), survey: None }),
        taped: None,
    }
}
