//! When a frame is due: at once for a person, soon for a sample, and never more often than eyes can follow.

use std::time::{Duration, Instant};

/// Frames of one kind follow each other no faster than this.
const FRAME: Duration = Duration::from_millis(33);

/// What changed since the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A sample, the clock: it can wait for its turn.
    Passive,
    /// A key, the mouse, the first sample: somebody waits for it.
    Asked,
}

/// Paces frames.
pub(super) struct Pace {
    change: Change,
    last: Option<Instant>,
    last_asked: Option<Instant>,
}

impl Pace {
    /// There is a frame to draw, of which nobody expects much yet.
    pub(super) fn new() -> Self {
        Self { change: Change::Passive, last: None, last_asked: None }
    }

    /// Something changed.
    pub(super) fn note(&mut self, change: Change) {
        self.change = self.change.max(change);
    }

    /// When the next frame is due; `None` while nothing changed. An answer to a person waits for the answer before it,
    /// not for a frame that happened to be drawn just now.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let before = match self.change {
            Change::None => return None,
            Change::Passive => self.last,
            Change::Asked => self.last_asked,
        };
        Some(before.map_or(now, |before| before + FRAME))
    }

    /// A frame was drawn.
    pub(super) fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
        if std::mem::replace(&mut self.change, Change::None) == Change::Asked {
            self.last_asked = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Draws whenever a frame is due while `changes` come in at their milliseconds; says when frames were drawn.
    fn frames(changes: &[(u32, Change)]) -> Vec<u32> {
        let start = Instant::now();
        let mut pace = Pace::new();
        let mut drawn = Vec::new();
        for at in 0..400 {
            changes.iter().filter(|(when, _)| *when == at).for_each(|(_, change)| pace.note(*change));
            let now = start + at * MS;
            if pace.due(now).is_some_and(|due| due <= now) {
                pace.drawn(now);
                drawn.push(at);
            }
        }
        drawn
    }

    #[test]
    fn nothing_new_is_not_drawn() {
        assert_eq!(frames(&[]), [0]);
    }

    #[test]
    fn a_key_is_answered_at_once_even_right_after_a_sample() {
        assert_eq!(frames(&[(100, Change::Passive), (101, Change::Asked)]), [0, 100, 101]);
    }

    #[test]
    fn held_keys_and_samples_together_make_no_more_than_thirty_frames_a_second() {
        let changes: Vec<_> =
            (0..400).map(|at| (at, if at % 3 == 0 { Change::Asked } else { Change::Passive })).collect();
        let drawn = frames(&changes);
        assert!(drawn.windows(2).all(|pair| pair[1] - pair[0] >= 33), "{drawn:?}");
        assert!(drawn.len() >= 12, "{drawn:?}");
    }
}
