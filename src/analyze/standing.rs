//! A verdict as it stands: it is taken again from time to time, and does not flutter.

use super::judge::{Case, Scratch, judge};
use super::series::Series;
use crate::model::judgement::{Judgement, Verdict};
use crate::model::reading::BootMs;

/// The judgement that stands for a series.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    shown: Judgement,
    /// When the verdict last changed; `None` before there was one.
    changed_at: Option<BootMs>,
    /// Since when a leak has not been seen to go on.
    doubted_at: Option<BootMs>,
    due: BootMs,
}

/// A verdict stays for this long at least, milliseconds.
const DWELL_MS: u64 = 60_000;

/// Growth that is no longer seen stands for this long, milliseconds.
const DOUBT_MS: u64 = 20_000;

/// A series is judged again after a twentieth of its history, within these bounds.
const AGAIN_MS: std::ops::RangeInclusive<u64> = 3_000..=30_000;

impl Standing {
    pub(super) fn new(series: &Series) -> Self {
        let shown = Judgement::unknown(series.since(), f64::from(series.last()), 0);
        Self { shown, changed_at: None, doubted_at: None, due: BootMs(0) }
    }

    /// The judgement.
    pub(super) fn judgement(&self) -> &Judgement {
        &self.shown
    }

    /// Judges the series again, if it is time.
    pub(super) fn refresh(&mut self, series: &Series, now: BootMs, case: impl FnOnce() -> Case, scratch: &mut Scratch) {
        if now < self.due {
            return;
        }
        // What rises is looked at more closely.
        let since = if self.shown.verdict.is_rising() { self.shown.since } else { series.since() };
        self.due = BootMs(now.0 + (now.since(since) / 20).clamp(*AGAIN_MS.start(), *AGAIN_MS.end()));
        let fresh = judge(series, now, &case(), scratch);
        if fresh.verdict == Verdict::Growing && fresh.needs_ms > 0 {
            // When it was said that more can be said.
            self.due = self.due.min(BootMs(now.0 + fresh.needs_ms.max(*AGAIN_MS.start())));
        }
        self.hear(fresh, now);
    }

    /// Takes a new judgement in.
    fn hear(&mut self, mut fresh: Judgement, now: BootMs) {
        let old = self.shown;
        if old.verdict == Verdict::Leaking {
            match fresh.verdict {
                Verdict::Leaking | Verdict::Growing => {
                    self.doubted_at = None;
                    // It began when it began, and is not less sure for having gone on.
                    fresh.verdict = Verdict::Leaking;
                    fresh.needs_ms = 0;
                    fresh.confidence = fresh.confidence.max(old.confidence);
                    if old.since < fresh.since {
                        (fresh.since, fresh.from) = (old.since, old.from);
                    }
                    self.shown = fresh;
                    return;
                }
                _ => {
                    let doubted_at = *self.doubted_at.get_or_insert(now);
                    let patience = DWELL_MS.max(doubted_at.since(old.since) / 5);
                    if now.since(doubted_at) < patience {
                        self.shown.level = fresh.level;
                        return;
                    }
                }
            }
        }
        if fresh.verdict != old.verdict {
            if old.verdict.is_rising() && !fresh.verdict.is_rising() {
                // One look that sees no growth may be a bad look.
                let doubted_at = *self.doubted_at.get_or_insert(now);
                if now.since(doubted_at) < DOUBT_MS {
                    self.shown.level = fresh.level;
                    return;
                }
            }
            // Worse news of the same kind need not wait as long.
            let is_worse = (old.verdict, fresh.verdict) == (Verdict::Growing, Verdict::Leaking);
            let dwell = if is_worse { DWELL_MS / 2 } else { DWELL_MS };
            if let Some(changed) = self.changed_at.filter(|changed| now.since(*changed) < dwell) {
                self.shown.level = fresh.level;
                self.due = self.due.min(BootMs(changed.0 + dwell));
                return;
            }
            if old.verdict != Verdict::NotEnoughData || fresh.verdict != Verdict::NotEnoughData {
                self.changed_at = Some(now);
            }
        }
        self.doubted_at = None;
        self.shown = fresh;
    }
}
