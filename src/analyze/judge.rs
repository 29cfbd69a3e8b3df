//! The judge of one series: what it is doing, since when, how fast, and whether that is enough to call it a leak.
//!
//! Growth counts where it goes on evenly to the present over some window of the history, in the floor below the
//! garbage collector's sawtooth. It is a leak once it has lasted for a share of the whole way to the limit, so that
//! there is time to act, and so that a cache which fills is not blamed for its first minute.

use super::series::{Part, Series};
use super::shape::{Growth, LEAST_PARTS, Scratch as Shape, Uneven, even_growth, is_one_step, teeth};
use super::trend::{Pairs, mann_kendall, theil_sen};
use crate::model::judgement::{Judgement, Verdict};
use crate::model::reading::BootMs;

/// What has to be known beside the series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(super) struct Case {
    /// The smallest change that matters, in the series' units.
    pub(super) least: f32,
    /// Units left to the nearest limit; infinite where there is none.
    pub(super) left: f32,
    /// How long the subject has been alive, milliseconds.
    pub(super) age_ms: u64,
    /// What was before is another story: exec, or a series that began anew.
    pub(super) not_before: BootMs,
    /// Growth of it is never mere use of what is there, as memory is by a cache: descriptors, threads.
    pub(super) is_count: bool,
    /// It fills a space of its own that it was given: growth up to there is no leak.
    pub(super) is_given: bool,
    /// No process owns it.
    pub(super) is_kernel: bool,
    /// It is a store that may have a limit of its own, which can't be seen.
    pub(super) is_store: bool,
}

impl Case {
    /// A sum over many, of which nothing else is known.
    pub(super) fn of_sum(least: f32, left: f32) -> Self {
        Self {
            least,
            left,
            age_ms: 0,
            not_before: BootMs(0),
            is_count: false,
            is_given: false,
            is_kernel: false,
            is_store: false,
        }
    }
}

/// Reusable space.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    parts: Vec<Part>,
    values: Vec<f32>,
    pairs: Pairs,
    shape: Shape,
}

/// Parts that a window is cut into.
const PARTS: usize = 32;

/// A rate is told from here on, milliseconds.
const RATE_LEAST_MS: u64 = 20_000;

/// A verdict is given from here on.
const VERDICT_LEAST_MS: u64 = 30_000;

/// How far back the rate of what does not grow evenly is taken.
const RATE_SPAN_MS: u64 = 600_000;

/// Growth goes on where it did so in this time.
const RECENT_MS: u64 = 12_000;

/// How far back a sawtooth is looked for.
const TEETH_SPAN_MS: u64 = 300_000;

/// Growth must last for this share of the way from where it began to the limit …
const SHARE_OF_WAY: f64 = 0.17;

/// … but for this long at least, and need not last longer than what programs do every five minutes, or than a hundredth
/// of what is left. Kernel memory and shared memory are filled by no program's batch.
const PATIENCE_LEAST_MS: f64 = 75_000.0;
const PATIENCE_WITH_YOUTH_MS: f64 = 140_000.0;
const PATIENCE_MOST_MS: f64 = 360_000.0;
const PATIENCE_WITH_KERNEL_MS: f64 = 240_000.0;
const PATIENCE_WITH_STORE_MS: f64 = 7_200_000.0;
const SHARE_OF_STORE: f64 = 0.5;
const SHARE_OF_REST: f64 = 0.01;

/// A process whose rate times its age is so much of what it holds has grown evenly since it began. What fills more and
/// more slowly has less before it can be told from that.
const EVEN_LIFE: std::ops::Range<f64> = 0.8..1.25;

/// Windows shorter than this are not looked at: everything grows for a moment.
const WINDOW_LEAST_MS: u64 = 45_000;

/// Even growth in some window of the history.
struct Regime {
    growth: Growth,
    since: BootMs,
    span_ms: u64,
    /// Milliseconds in a part.
    width: f64,
    from: f64,
    /// The window reaches back to the beginning of the series.
    is_whole: bool,
    /// A longer window is slowing down, or the series stood as high before.
    is_doubtful: bool,
}

/// Judges a series at a moment.
pub(super) fn judge(series: &Series, now: BootMs, case: &Case, scratch: &mut Scratch) -> Judgement {
    let since = series.since().max(case.not_before);
    let span = now.since(since);
    let level = f64::from(series.last());
    if span < RATE_LEAST_MS {
        return Judgement::unknown(since, level, VERDICT_LEAST_MS - span);
    }
    let certainty = 1.0 - 0.5 * (-(span as f32) / 60_000.0).exp();
    let quiet =
        |verdict| Judgement { verdict, confidence: certainty, needs_ms: 0, ..Judgement::unknown(since, level, 0) };
    if !series.has_moved() {
        return if span < VERDICT_LEAST_MS {
            Judgement::unknown(since, level, VERDICT_LEAST_MS - span)
        } else {
            quiet(Verdict::Steady)
        };
    }
    let (mut whole, mut is_slowing) = (None, false);
    for window in windows(series, now, span) {
        match look(series, now, window, case, scratch) {
            Ok(mut regime) => {
                regime.is_whole &= window * 10 >= span * 9;
                let was_there = stood_as_high_before(series, since, &regime);
                if was_there && regime.span_ms < span / 2 {
                    // One more tooth, one more batch.
                    whole = whole.or(Some(Uneven::Noise));
                    continue;
                }
                regime.is_doubtful |= was_there || is_slowing || slows_now(series, now, &regime, scratch);
                return growing(&regime, series, now, case, span);
            }
            Err(why) => {
                is_slowing |= why == Uneven::Slowing;
                whole = whole.or(Some(why));
            }
        }
    }
    let (rate, z) = rate(series, now, span.min(RATE_SPAN_MS), scratch);
    let mut quiet = quiet(Verdict::Steady);
    (quiet.rate, quiet.rate_low, quiet.rate_high) = rate;
    if span < VERDICT_LEAST_MS {
        quiet.verdict = Verdict::NotEnoughData;
        quiet.needs_ms = VERDICT_LEAST_MS - span;
        quiet.confidence = 0.0;
        return quiet;
    }
    values_of(series, BootMs(now.0 - span.min(TEETH_SPAN_MS)), now, scratch);
    let teeth = teeth(&scratch.values, case.least);
    let width = values_of(series, since, now, scratch);
    let values = &scratch.values;
    let (first, last) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    quiet.from = level - f64::from(last - first);
    let is_gaining = last - first >= case.least;
    quiet.verdict = match whole {
        _ if z < -3.0 && first - last >= case.least && rate.0 < 0.0 => Verdict::Shrinking,
        Some(Uneven::Slowing) if is_gaining && rate.0 * 5.0 * width / 60_000.0 > 0.02 * f64::from(last - first) => {
            Verdict::WarmingUp
        }
        _ if teeth >= 2 => Verdict::Sawtooth,
        _ if is_one_step(values, case.least) => Verdict::Stepped,
        Some(Uneven::Steps | Uneven::Slowing) if is_gaining && z > 3.0 => Verdict::Growing,
        _ => Verdict::Steady,
    };
    if quiet.verdict == Verdict::Steady
        && let Some(needs_ms) = too_early(whole, rate, z, is_gaining, span, case)
    {
        (quiet.verdict, quiet.needs_ms, quiet.confidence) = (Verdict::NotEnoughData, needs_ms, 0.0);
        return quiet;
    }
    if !quiet.verdict.is_rising() && z.abs() < 2.0 {
        (quiet.rate, quiet.rate_low, quiet.rate_high) = (0.0, 0.0, 0.0);
    }
    quiet
}

/// How much longer what rises has to be watched before it is called steady, milliseconds: it has only just begun, or it
/// would soon have gained enough to matter. `None` where it does not rise beyond doubt.
fn too_early(
    why: Option<Uneven>,
    (_, rate_low, _): (f64, f64, f64),
    z: f32,
    is_gaining: bool,
    span: u64,
    case: &Case,
) -> Option<u64> {
    if z < 3.0 || rate_low <= 0.0 {
        return None;
    }
    let wait_ms = match why {
        Some(Uneven::Late | Uneven::Noise) if is_gaining => PATIENCE_WITH_YOUTH_MS,
        _ if is_gaining => return None,
        _ => f64::from(case.least) / rate_low * 60_000.0,
    };
    (wait_ms <= PATIENCE_MOST_MS && wait_ms > span as f64).then(|| (wait_ms - span as f64).max(1000.0) as u64)
}

/// The windows that are worth a look, the longest first: all of the history, and as far as each tier reaches.
fn windows(series: &Series, now: BootMs, span: u64) -> impl Iterator<Item = u64> {
    let shorter = series.reaches(now).filter(move |reach| *reach >= WINDOW_LEAST_MS && *reach * 10 < span * 9);
    let clear = series.reaches(now).filter(|reach| *reach <= span).last().filter(|reach| *reach * 10 >= span * 9);
    clear.or(Some(span)).into_iter().chain(shorter)
}

/// The lows of a window, relative to the first, and the width of a part.
fn values_of(series: &Series, from: BootMs, to: BootMs, scratch: &mut Scratch) -> f64 {
    let width = series.parts(from, to, PARTS, &mut scratch.parts);
    let base = scratch.parts.first().map_or(0, |part| i64::from(part.low));
    scratch.values.clear();
    scratch.values.extend(scratch.parts.iter().map(|part| (i64::from(part.low) - base) as f32));
    width
}

/// Looks for even growth in the last `window` milliseconds, the longest first.
fn look(series: &Series, now: BootMs, window: u64, case: &Case, scratch: &mut Scratch) -> Result<Regime, Uneven> {
    let from = BootMs(now.0 - window);
    let width = values_of(series, from, now, scratch);
    let count = scratch.values.len();
    let mut whole = None;
    let mut was_slowing = false;
    for start in [0, 2, count / 8 + 2, count / 4 + 2, count / 2] {
        if count < start + LEAST_PARTS {
            break;
        }
        let covered_ms = ((count - start) as f64 * width) as u64;
        if covered_ms < WINDOW_LEAST_MS.min(window) * 3 / 4 {
            break;
        }
        match even_growth(&scratch.values[start..], case.least, &mut scratch.shape) {
            Ok(growth) => {
                return Ok(Regime {
                    growth,
                    since: BootMs(now.0.saturating_sub(covered_ms)),
                    // Parts are of whole buckets: what is left of the window before the first is of it too.
                    span_ms: window.saturating_sub((start as f64 * width) as u64),
                    width,
                    from: f64::from(series.last()) - f64::from(growth.gain),
                    is_whole: start <= 2,
                    is_doubtful: was_slowing || growth.is_bent,
                });
            }
            Err(why) => {
                // The first moments are a start, which is fast everywhere.
                was_slowing |= start > 0 && why == Uneven::Slowing;
                whole = whole.or(Some(why));
            }
        }
    }
    Err(whole.unwrap_or(Uneven::Noise))
}

/// Whether the series was about as high as now before the growth began: then it comes back to where it has been.
fn stood_as_high_before(series: &Series, since: BootMs, regime: &Regime) -> bool {
    let highest = series.highest(since, regime.since);
    // A little higher than before is no new ground.
    f64::from(highest) + f64::from(regime.growth.gain) / 4.0 >= f64::from(series.last())
}

/// Whether the last part of a smooth growth is slower than the whole, beyond doubt: a cache fills ever more slowly.
fn slows_now(series: &Series, now: BootMs, regime: &Regime, scratch: &mut Scratch) -> bool {
    if !regime.growth.is_smooth {
        return false;
    }
    let window = WINDOW_LEAST_MS.max(regime.span_ms / 3).min(regime.span_ms);
    let width = values_of(series, BootMs(now.0 - window), now, scratch);
    let Some(last) = theil_sen(&scratch.values, 1.0, &mut scratch.pairs) else { return false };
    let of_whole = |slope: f32| f64::from(slope) / regime.width;
    let of_last = |slope: f32| f64::from(slope) / width;
    of_last(last.mid) < 0.88 * of_whole(regime.growth.slope.mid)
        && of_last(last.high) < of_whole(regime.growth.slope.low)
}

fn growing(regime: &Regime, series: &Series, now: BootMs, case: &Case, watched_ms: u64) -> Judgement {
    let level = f64::from(series.last());
    let per_minute = |slope: f32| f64::from(slope) * 60_000.0 / regime.width;
    let rate = per_minute(regime.growth.slope.mid);
    let rest_ms = f64::from(case.left.max(0.0)) / rate * 60_000.0;
    let mut span_ms = regime.span_ms as f64;
    // What it gained over its whole life at this rate is what it has: it has always grown like this.
    let of_life = rate * case.age_ms as f64 / 60_000.0 / level.max(1.0);
    if regime.is_whole && case.age_ms > 3 * watched_ms && EVEN_LIFE.contains(&of_life) {
        span_ms = span_ms.max((case.age_ms as f64).min(20.0 * span_ms));
    }
    // Everything that starts fills something.
    let is_young = regime.is_whole && case.age_ms as f64 <= 1.5 * span_ms;
    let least = if is_young { PATIENCE_WITH_YOUTH_MS } else { PATIENCE_LEAST_MS };
    let most = if case.is_kernel { PATIENCE_WITH_KERNEL_MS } else { PATIENCE_MOST_MS };
    let most = match (case.is_count, rest_ms.is_finite()) {
        (true, true) => most,
        (true, false) => least,
        (false, _) => most.max(SHARE_OF_REST * rest_ms),
    };
    let mut patience = (SHARE_OF_WAY * (span_ms + rest_ms)).clamp(least, most);
    if case.is_store {
        // What it is meant to hold is filled as evenly as a leak, to a limit that only it knows.
        patience = (SHARE_OF_STORE * (span_ms + rest_ms)).clamp(2.0 * least, PATIENCE_WITH_STORE_MS);
    } else if regime.is_doubtful {
        patience *= 2.0;
    }
    let lasted = (span_ms / patience) as f32;
    let strength = (regime.growth.z / 3.5).min(1.0);
    // A plateau that has just been reached is not called growth once more.
    let recent_ms = RECENT_MS.max(regime.span_ms / 10);
    let recent = series.at(BootMs(now.0.saturating_sub(recent_ms))).map_or(0.0, |before| level - f64::from(before));
    let goes_on = !regime.growth.is_smooth || recent > 0.6 * rate * recent_ms as f64 / 60_000.0;
    let is_leak = lasted >= 1.0 && goes_on && !case.is_given;
    let confidence = strength * (1.0 - 0.5 * (-1.6 * lasted).exp());
    Judgement {
        verdict: if is_leak { Verdict::Leaking } else { Verdict::Growing },
        confidence: if is_leak { confidence } else { confidence.min(0.89) },
        rate,
        rate_low: per_minute(regime.growth.slope.low),
        rate_high: per_minute(regime.growth.slope.high),
        since: regime.since,
        from: regime.from,
        level,
        needs_ms: if is_leak || case.is_given { 0 } else { (patience - span_ms).max(1000.0) as u64 },
    }
}

/// The rate per minute with its interval, and Mann-Kendall's deviate, over the last `span` milliseconds.
fn rate(series: &Series, now: BootMs, span: u64, scratch: &mut Scratch) -> ((f64, f64, f64), f32) {
    let width = values_of(series, BootMs(now.0 - span), now, scratch);
    let Some(pairs) = scratch.pairs.of(&scratch.values) else { return ((0.0, 0.0, 0.0), 0.0) };
    let kendall = mann_kendall(&scratch.values, pairs.median());
    let slope = pairs.slope(kendall.inflation);
    let per_minute = |slope: f32| f64::from(slope) * 60_000.0 / width;
    ((per_minute(slope.mid), per_minute(slope.low), per_minute(slope.high)), kendall.z)
}
