//! Figures of merit, and the table of them.

use std::fmt::Write as _;

use super::case::Case;

/// How well a judge did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Leaks found, leaks missed, and sound quantities that were called.
    pub found: usize,
    pub missed: usize,
    pub wrong: usize,
    /// Calls of sound quantities, each time anew, a day of a process.
    pub false_alarms_a_day: f64,
    /// Median detection delay, a share of the time from onset to exhaustion.
    pub delay: Option<f64>,
    /// Median error of the time left half-way, a share of it, and how many of how many are within 15 %.
    pub eta_error: Option<f64>,
    pub eta_good: (usize, usize),
    /// Median error of the rate, a share of it.
    pub rate_error: Option<f64>,
}

/// Milliseconds of a day.
const DAY: f64 = 86_400_000.0;

/// An ETA is good within this share of the time left.
const GOOD_ETA: f64 = 0.15;

impl Score {
    /// Over all cases, of processes that were watched for so long together.
    pub fn of<'a>(cases: impl Iterator<Item = &'a Case> + Clone, process_ms: u64) -> Self {
        let leaks = cases.clone().filter(|case| case.leak.is_some());
        let sound = cases.filter(|case| case.leak.is_none());
        let found = leaks.clone().filter(|case| case.is_called());
        let alarms: u32 = sound.clone().map(|case| case.calls).sum();
        let eta_errors: Vec<f64> = leaks.clone().filter_map(Case::eta_error).collect();
        let rate_error = |case: &Case| {
            let truth = case.leak.as_ref()?.per_minute;
            Some((case.per_minute? - truth).abs() / truth)
        };
        Self {
            found: found.clone().count(),
            missed: leaks.clone().count() - found.clone().count(),
            wrong: sound.filter(|case| case.is_called()).count(),
            false_alarms_a_day: if process_ms == 0 { 0.0 } else { f64::from(alarms) * DAY / process_ms as f64 },
            delay: median(leaks.filter_map(Case::delay).collect()),
            eta_good: (eta_errors.iter().filter(|error| **error <= GOOD_ETA).count(), eta_errors.len()),
            eta_error: median(eta_errors),
            rate_error: median(found.filter_map(rate_error).collect()),
        }
    }

    /// The share of calls that were right; 1 where nothing was called.
    pub fn precision(&self) -> f64 {
        share(self.found, self.found + self.wrong)
    }

    /// The share of leaks that were found; 1 where there were none.
    pub fn recall(&self) -> f64 {
        share(self.found, self.found + self.missed)
    }

    /// The harmonic mean of both.
    pub fn f1(&self) -> f64 {
        share(2 * self.found, 2 * self.found + self.wrong + self.missed)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// The median; between two in the middle the mean of them.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// A Markdown table, a judge a row.
pub fn table<'a>(rows: impl Iterator<Item = (&'a str, &'a Score)>) -> String {
    let mut out = String::from(
        "| judge | precision | recall | F1 | false alarms per process-day | delay / time to exhaustion | \
         ETA error half-way | ETA within 15 % | rate error |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.0} %", value * 100.0));
    for (name, score) in rows {
        // Writing into a String can't fail.
        let _ = writeln!(
            out,
            "| {name} | {:.3} | {:.3} | {:.3} | {:.1} | {} | {} | {} of {} | {} |",
            score.precision(),
            score.recall(),
            score.f1(),
            score.false_alarms_a_day,
            percent(score.delay),
            percent(score.eta_error),
            score.eta_good.0,
            score.eta_good.1,
            percent(score.rate_error),
        );
    }
    out
}

/// Every leak as a judge saw it, a row each.
pub fn leaks<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let mut out = String::from("| leak | called | delay | ETA error | rate error |\n|---|--:|--:|--:|--:|\n");
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.0} %", value * 100.0));
    for (case, leak) in cases.filter_map(|case| Some((case, case.leak.as_ref()?))) {
        let called = case.first_call.map_or("never".into(), |call| format!("{} s", (call - leak.onset_ms) / 1000));
        let rate = case.per_minute.map(|rate| (rate - leak.per_minute) / leak.per_minute);
        let (delay, eta) = (percent(case.delay()), percent(case.eta_error()));
        let _ = writeln!(out, "| {} {:?} | {called} | {delay} | {eta} | {} |", case.name, case.quantity, percent(rate));
    }
    out
}

/// What a judge got wrong, a line each; nothing where all was right.
pub fn mistakes<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let mut out = String::new();
    for case in cases.filter(|case| case.is_called() != case.leak.is_some()) {
        let kind = if case.leak.is_some() { "missed" } else { "wrong" };
        let first = case.first_call.map_or(String::new(), |first| format!(", first after {} s", first / 1000));
        let _ = writeln!(out, "- {kind}: {} {:?} ({}){first}", case.name, case.quantity, case.class);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn precision_recall_and_their_mean_follow_from_the_counts() {
        let score = Score { found: 6, missed: 2, wrong: 4, ..Score::default() };
        assert_eq!((score.precision(), score.recall()), (0.6, 0.75));
        assert!((score.f1() - 2.0 * 0.6 * 0.75 / (0.6 + 0.75)).abs() < 1e-12);
    }
}
