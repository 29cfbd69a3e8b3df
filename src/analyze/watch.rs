//! A series that is judged.

use super::judge::{Case, Scratch};
use super::series::{Series, TierSpec};
use super::standing::Standing;
use crate::model::judgement::{Judgement, Verdict};
use crate::model::reading::BootMs;

/// A series and what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) series: Series,
    /// Only once the series has moved: before that there is nothing to say but that it is steady.
    standing: Option<Box<Standing>>,
}

impl Watch {
    pub(super) fn new(value: u32, at: BootMs) -> Self {
        Self { series: Series::new(value, at), standing: None }
    }

    pub(super) fn push(&mut self, value: u32, at: BootMs, specs: &'static [TierSpec], squeeze: u32) {
        self.series.push(value, at, specs, squeeze);
    }

    /// Judges again, if the series moves and it is time.
    pub(super) fn judge(&mut self, now: BootMs, case: impl FnOnce() -> Case, scratch: &mut Scratch) {
        if self.series.has_moved() {
            let series = &self.series;
            self.standing.get_or_insert_with(|| Box::new(Standing::new(series))).refresh(series, now, case, scratch);
        }
    }

    /// What is said of it.
    pub(super) fn judgement(&self, now: BootMs) -> Judgement {
        let (since, level) = (self.series.since(), f64::from(self.series.last()));
        match &self.standing {
            Some(standing) => *standing.judgement(),
            None if now.since(since) < Self::STEADY_MS => {
                Judgement::unknown(since, level, Self::STEADY_MS - now.since(since))
            }
            None => Judgement {
                verdict: Verdict::Steady,
                confidence: 1.0 - 0.5 * (-(now.since(since) as f32) / 60_000.0).exp(),
                ..Judgement::unknown(since, level, 0)
            },
        }
    }

    /// Whether it rises, by the verdict that stands.
    pub(super) fn rising(&self) -> Option<&Judgement> {
        self.standing.as_ref().map(|standing| standing.judgement()).filter(|judgement| judgement.verdict.is_rising())
    }

    /// What it is, if it rises and can't be judged yet.
    pub(super) fn early(&self) -> Option<&Judgement> {
        let said = self.standing.as_ref().map(|standing| standing.judgement());
        said.filter(|said| said.verdict == Verdict::NotEnoughData && said.rate_low > 0.0)
    }

    /// Bytes held beyond the watch itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.series.heap_bytes() + self.standing.as_ref().map_or(0, |_| size_of::<Standing>())
    }

    /// What has not moved for so long is steady, milliseconds.
    const STEADY_MS: u64 = 30_000;
}
