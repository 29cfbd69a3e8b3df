//! Time as it was watched: while nobody looked, because the machine was suspended or memtide was stopped, no time
//! passes for a trend.

use crate::model::reading::BootMs;

/// Maps time since boot to watched time.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    last: Option<(BootMs, u64)>,
    gaps: Vec<Gap>,
}

/// A time that nobody watched, by the clock of the boot.
#[derive(Clone, Debug)]
struct Gap {
    end: BootMs,
    ms: u64,
}

/// Gaps that are remembered; older ones are joined.
const MOST: usize = 64;

/// So many intervals without a sample, and this long at least, are a gap.
const INTERVALS: u64 = 5;
const LEAST_MS: u64 = 20_000;

impl Observed {
    /// Takes the time of a sample in and gives its watched time.
    pub(super) fn advance(&mut self, at: BootMs, interval_ms: u64) -> BootMs {
        if let Some((last, last_interval)) = self.last {
            let usual = interval_ms.max(last_interval);
            let apart = at.since(last);
            if apart > LEAST_MS.max(INTERVALS * usual) {
                if self.gaps.len() >= MOST {
                    let oldest = self.gaps.remove(0);
                    self.gaps[0].ms += oldest.ms;
                }
                self.gaps.push(Gap { end: at, ms: apart - usual });
            }
        }
        self.last = Some((at, interval_ms));
        self.watched(at)
    }

    /// The watched time of a moment since boot.
    pub(super) fn watched(&self, at: BootMs) -> BootMs {
        let missed = self.gaps.iter().map(|gap| {
            let began = gap.end.0 - gap.ms;
            at.0.clamp(began, gap.end.0) - began
        });
        BootMs(at.0 - missed.sum::<u64>())
    }

    /// The moment since boot of a watched time: where a gap lies there, its end.
    pub(super) fn since_boot(&self, watched: BootMs) -> BootMs {
        let mut at = watched.0;
        for gap in &self.gaps {
            if gap.end.0 - gap.ms <= at {
                at += gap.ms;
            }
        }
        BootMs(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspended_hour_does_not_pass() {
        let mut observed = Observed::default();
        for second in 0..100 {
            assert_eq!(observed.advance(BootMs(second * 1000), 1000), BootMs(second * 1000));
        }
        let woke = BootMs(3_600_000);
        assert_eq!(observed.advance(woke, 1000), BootMs(100_000));
        assert_eq!(observed.watched(BootMs(50_000)), BootMs(50_000));
        assert_eq!(observed.watched(BootMs(1_800_000)), BootMs(100_000), "inside the gap");
        assert_eq!(observed.since_boot(BootMs(100_000)), woke);
        assert_eq!(observed.since_boot(BootMs(50_000)), BootMs(50_000));
    }

    #[test]
    fn a_long_interval_is_no_gap() {
        let mut observed = Observed::default();
        observed.advance(BootMs(0), 60_000);
        assert_eq!(observed.advance(BootMs(60_000), 1_000), BootMs(60_000));
        assert_eq!(observed.advance(BootMs(120_000), 60_000), BootMs(120_000));
    }
}
