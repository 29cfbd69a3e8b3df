//! What history says at a moment of a recording: all samples before it, judged in their order.

use std::ops::ControlFlow;

use super::Recording;
use super::view::is_one_boot;
use crate::analyze::events::{Event, EventKind, Spotter};
use crate::session::Session;
use crate::session::request::Request;
use crate::session::update::Update;

/// The judged past up to a moment.
pub(super) struct Past<R> {
    recording: R,
    state: State,
    checkpoints: Vec<Checkpoint>,
    /// Samples between checkpoints: doubled where there are too many.
    spacing: usize,
    events: Vec<Event>,
    /// How far events are known.
    known_to: i64,
    /// Whether the end has been seen.
    has_ended: bool,
}

/// Where the judging stands.
#[derive(Default)]
struct State {
    session: Session,
    spotter: Spotter,
    /// Samples judged so far, from the beginning.
    count: usize,
}

/// A state to go back to.
struct Checkpoint {
    wall_ms: i64,
    bytes: usize,
    state: State,
}

impl State {
    fn fork(&self) -> Self {
        Self { session: self.session.fork(), spotter: self.spotter.clone(), count: self.count }
    }
}

/// Memory that all checkpoints together may take.
const MOST_BYTES: usize = 24 << 20;

/// Samples between checkpoints, at first.
const SPACING: usize = 500;

/// Events that are kept. Beyond that, starts and ends of processes are left out.
const MOST_EVENTS: usize = 10_000;

impl<R: Recording> Past<R> {
    pub(super) fn new(recording: R) -> Self {
        Self {
            recording,
            state: State::default(),
            checkpoints: Vec::new(),
            spacing: SPACING,
            events: Vec::new(),
            known_to: i64::MIN,
            has_ended: false,
        }
    }

    /// The moment up to which is judged.
    pub(super) fn at(&self) -> Option<i64> {
        self.state.session.latest().map(|snapshot| snapshot.sample.wall_ms)
    }

    /// What a face gets to see of it.
    pub(super) fn answer(&self, request: &Request) -> Option<Update> {
        self.state.session.answer(request)
    }

    /// One step nearer to a moment: the next sample, or back to the checkpoint before it.
    pub(super) fn approach(&mut self, goal: i64) {
        if self.at().is_some_and(|at| at > goal) {
            self.go_back(goal);
        } else {
            self.step();
        }
    }

    /// One step nearer to knowing all events up to a moment.
    pub(super) fn look_through(&mut self, goal: i64) {
        if self.at().is_none_or(|at| at <= goal) {
            self.step();
        } else {
            // It has been there already.
            self.known_to = self.known_to.max(goal);
        }
    }

    /// Samples to judge before a moment is reached, by the time between the last two.
    pub(super) fn distance(&self, goal: i64) -> usize {
        let from = match self.at() {
            Some(at) if at <= goal => at,
            at => {
                let before = self.checkpoints.iter().rfind(|checkpoint| checkpoint.wall_ms <= goal);
                let began = before.map(|checkpoint| checkpoint.wall_ms);
                began.or_else(|| self.recording.span().map(|[first, _]| first)).or(at).unwrap_or(goal)
            }
        };
        let latest = self.state.session.latest();
        let interval = latest.map_or(1000, |snapshot| snapshot.sample.interval_ms.max(1));
        usize::try_from(goal.saturating_sub(from)).unwrap_or(0) / interval as usize
    }

    /// Everything that happened, as far as it is known.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How far events are known.
    pub(super) fn known_to(&self) -> i64 {
        self.known_to
    }

    /// The next event after a moment, or the last one before it; `Continue` while more has to be looked through to tell.
    pub(super) fn event(&self, from: i64, is_forward: bool) -> ControlFlow<Option<Event>> {
        if is_forward {
            let after = self.events.partition_point(|event| event.wall_ms <= from);
            match self.events.get(after) {
                Some(event) => ControlFlow::Break(Some(event.clone())),
                None if self.has_ended => ControlFlow::Break(None),
                None => ControlFlow::Continue(()),
            }
        } else if self.known_to >= from || self.has_ended {
            let before = self.events.partition_point(|event| event.wall_ms < from);
            ControlFlow::Break(before.checked_sub(1).map(|place| self.events[place].clone()))
        } else {
            ControlFlow::Continue(())
        }
    }

    fn go_back(&mut self, goal: i64) {
        let place = self.checkpoints.iter().rposition(|checkpoint| checkpoint.wall_ms <= goal);
        self.state = place.map(|place| self.checkpoints[place].state.fork()).unwrap_or_default();
        match self.at() {
            Some(at) => {
                self.recording.seek(at);
                // This one has been judged.
                let _ = self.recording.next();
            }
            None => self.recording.seek(i64::MIN),
        }
        self.has_ended = false;
    }

    fn step(&mut self) {
        let before = self.state.session.latest().cloned();
        let Some(sample) = self.recording.next() else {
            self.has_ended = true;
            self.known_to = i64::MAX;
            return;
        };
        let wall_ms = sample.wall_ms;
        let goes_on = before.as_ref().filter(|before| is_one_boot(&before.sample, &sample));
        if goes_on.is_none() {
            // What was before the boot says nothing of what is after it.
            self.state.session = Session::default();
            self.state.spotter = Spotter::default();
        }
        self.state.session.ingest(sample);
        self.state.count += 1;
        if let Some(latest) = self.state.session.latest().cloned() {
            let events = self.state.spotter.look(goes_on.map(|before| &**before), &latest);
            if wall_ms > self.known_to {
                self.note(events);
                self.known_to = wall_ms;
            }
        }
        self.keep_checkpoint(wall_ms);
    }

    fn note(&mut self, events: Vec<Event>) {
        for event in events {
            if self.events.len() >= MOST_EVENTS && matches!(event.kind, EventKind::Started | EventKind::Ended) {
                continue;
            }
            let place = self.events.partition_point(|known| known.wall_ms <= event.wall_ms);
            self.events.insert(place, event);
        }
    }

    fn keep_checkpoint(&mut self, wall_ms: i64) {
        let is_new = self.checkpoints.last().is_none_or(|last| last.wall_ms < wall_ms);
        if !is_new || !self.state.count.is_multiple_of(self.spacing) {
            return;
        }
        let bytes = self.state.session.heap_bytes();
        self.checkpoints.push(Checkpoint { wall_ms, bytes, state: self.state.fork() });
        while self.checkpoints.iter().map(|checkpoint| checkpoint.bytes).sum::<usize>() > MOST_BYTES
            && self.checkpoints.len() > 1
        {
            self.spacing *= 2;
            let spacing = self.spacing;
            self.checkpoints.retain(|checkpoint| checkpoint.state.count.is_multiple_of(spacing));
        }
    }
}
