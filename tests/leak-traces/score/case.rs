//! One subject and quantity of one recording, as one judge saw it.

use crate::truth::{End, Quantity, Set};

/// What was true and what was called.
#[derive(Clone, Debug)]
pub struct Case {
    /// `scene/subject`.
    pub name: String,
    /// The class of the subject.
    pub class: String,
    pub set: Set,
    pub quantity: Quantity,
    /// The leak; `None` where nothing leaks.
    pub leak: Option<Leak>,
    /// How often it was called anew.
    pub calls: u32,
    /// When it was called first, a leak not before it began: milliseconds after the first sample.
    pub first_call: Option<u64>,
    /// Growth as called last, a minute.
    pub per_minute: Option<f64>,
    /// What was foretold half-way to the end: milliseconds after the first sample.
    pub foretold: Option<u64>,
}

/// A true leak.
#[derive(Clone, Debug)]
pub struct Leak {
    pub onset_ms: u64,
    pub per_minute: f64,
    pub end: Option<End>,
    /// Whether the recording reaches half-way to the end.
    pub has_half: bool,
}

impl Leak {
    /// The moment half-way to the end.
    pub fn half_ms(&self) -> Option<u64> {
        self.end.as_ref().map(|end| u64::midpoint(self.onset_ms, end.at_ms))
    }
}

impl Case {
    /// Whether it was called leaking, rightly or not.
    pub fn is_called(&self) -> bool {
        self.first_call.is_some()
    }

    /// Detection delay as a share of the time from onset to exhaustion; a leak that was missed was found at the end.
    pub fn delay(&self) -> Option<f64> {
        let leak = self.leak.as_ref()?;
        let whole = leak.end.as_ref()?.at_ms.saturating_sub(leak.onset_ms) as f64;
        Some(self.first_call.map_or(1.0, |found| ((found - leak.onset_ms) as f64 / whole).min(1.0)))
    }

    /// Error of the time that is left, half-way, as a share of it; what was not foretold is wrong by all of it.
    pub fn eta_error(&self) -> Option<f64> {
        let leak = self.leak.as_ref().filter(|leak| leak.has_half)?;
        let (end, half) = (leak.end.as_ref()?.at_ms as f64, leak.half_ms()? as f64);
        Some(self.foretold.map_or(1.0, |foretold| ((foretold as f64 - end) / (end - half)).abs().min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leak from 10 s on that meets its limit after 110 s.
    fn leak(first_call: Option<u64>, foretold: Option<u64>) -> Case {
        let end = Some(End { limit: 1 << 20, at_ms: 110_000, was_met: true });
        Case {
            name: "scene/leak".to_owned(),
            class: "leak".to_owned(),
            set: Set::Train,
            quantity: Quantity::Memory,
            leak: Some(Leak { onset_ms: 10_000, per_minute: 1.0, end, has_half: true }),
            calls: u32::from(first_call.is_some()),
            first_call,
            per_minute: None,
            foretold,
        }
    }

    #[test]
    fn delay_is_a_share_of_the_way_from_onset_to_end() {
        assert_eq!(leak(Some(30_000), None).delay(), Some(0.2));
        assert_eq!(leak(None, None).delay(), Some(1.0));
        assert_eq!(leak(Some(200_000), None).delay(), Some(1.0));
    }

    #[test]
    fn the_error_of_the_eta_is_a_share_of_the_time_left_half_way() {
        assert_eq!(leak(Some(30_000), Some(115_000)).eta_error(), Some(0.1));
        assert_eq!(leak(Some(30_000), Some(105_000)).eta_error(), Some(0.1));
        assert_eq!(leak(Some(30_000), None).eta_error(), Some(1.0));
    }
}
