//! Walking through a recording: what its keys do to the face.

use jiff::tz::TimeZone;

use super::app::{App, Temporality};
use super::moment::{Around, Moment};
use super::theme::Role;
use crate::model::reading::BootMs;
use crate::session::request::Hunt;
use crate::session::update::Update;

/// Seconds of a recording that pass in one.
const SPEEDS: [f32; 10] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

impl App {
    /// Whether a recording is shown.
    pub(super) fn is_replay(&self) -> bool {
        self.update.as_ref().is_some_and(|update| update.replay.is_some())
    }

    /// Begins at a moment of a recording instead of at the newest.
    pub fn begin_at(&mut self, at: BootMs) {
        self.temporality = Temporality::Past(at);
    }

    /// Lets a recording's time pass from the start, at this speed.
    pub fn play_at(&mut self, speed: f32) {
        self.speed = speed;
        if let Temporality::Past(at) = self.temporality {
            self.temporality = Temporality::Playing(at);
        }
    }

    /// The moment shown.
    fn shown(&self) -> Option<BootMs> {
        self.update.as_ref().map(|update| update.timeline.shown)
    }

    pub(super) fn play_or_stop(&mut self) {
        let Some(update) = &self.update else { return };
        let timeline = update.timeline;
        self.temporality = match self.temporality {
            Temporality::Playing(_) => Temporality::Past(timeline.shown),
            // From the end there is nowhere to go but to the beginning.
            _ if timeline.later.is_none() => Temporality::Playing(timeline.oldest),
            _ => Temporality::Playing(timeline.shown),
        };
    }

    pub(super) fn step_speed(&mut self, is_faster: bool) {
        let next = if is_faster {
            SPEEDS.iter().find(|speed| **speed > self.speed)
        } else {
            SPEEDS.iter().rev().find(|speed| **speed < self.speed)
        };
        self.speed = next.copied().unwrap_or(self.speed);
        self.say(tr!("{speed} s of the recording pass in one", speed = self.speed), Role::Text);
        if let (Temporality::Playing(_), Some(shown)) = (self.temporality, self.shown()) {
            self.temporality = Temporality::Playing(shown);
        }
    }

    pub(super) fn hunt(&mut self, is_forward: bool) {
        match self.shown() {
            Some(from) if self.is_replay() => self.temporality = Temporality::Hunting(Hunt { from, is_forward }),
            _ => self.say(tr!("events are found in a recording: memtide record, memtide replay"), Role::Warn),
        }
    }

    pub(super) fn jump(&mut self, moment: Moment) {
        let Some(update) = &self.update else { return };
        let (timeline, shown) = (update.timeline, update.snapshot.sample.wall_ms);
        let wall = |at: BootMs| shown + at.0 as i64 - timeline.shown.0 as i64;
        let around = Around { oldest: wall(timeline.oldest), newest: wall(timeline.newest), shown };
        let to = moment.resolve(around, &TimeZone::system());
        let at = BootMs((timeline.shown.0 as i64 + (to - shown)).max(0) as u64);
        let is_live = at >= timeline.newest && !self.is_replay();
        self.temporality = if is_live { Temporality::Live } else { Temporality::Past(at) };
    }

    /// Goes along with what the replay does by itself.
    pub(super) fn follow_replay(&mut self, update: &Update) {
        let Some(replay) = &update.replay else { return };
        match (self.temporality, &replay.found) {
            (Temporality::Hunting(hunt), Some((of, found))) if *of == hunt => {
                self.temporality = Temporality::Past(update.timeline.shown);
                match found {
                    Some(event) => self.say(event.text.clone(), Role::Text),
                    None if hunt.is_forward => self.say(tr!("nothing more happens up to the end"), Role::Warn),
                    None => self.say(tr!("nothing happened before this"), Role::Warn),
                }
            }
            (Temporality::Playing(_), _) if update.timeline.later.is_none() && !replay.is_playing => {
                self.temporality = Temporality::Past(update.timeline.shown);
            }
            _ => {}
        }
    }
}
