//! All of RAM over time, layer by layer, and swap: what a stack is drawn from. Bounded: ten series of 250 runs at most.

use std::time::Duration;

use super::series::{JUDGED_TIERS, Series};
use super::track::kib;
use crate::model::account::{Account, Layer};
use crate::model::reading::BootMs;
use crate::model::system::SystemSample;

/// The layers over time, in KiB.
#[derive(Clone, Default)]
pub(super) struct Layers {
    /// In the order of [`Layer::ALL`].
    ram: [Option<Series>; Layer::ALL.len()],
    swap: Option<Series>,
}

/// The layers over a span of time, bytes: evenly spaced values, the oldest first; NaN where nothing is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerPoints {
    /// RAM, in the order of [`Layer::ALL`].
    pub ram: Vec<Vec<f32>>,
    /// Swap in use.
    pub swap: Vec<f32>,
}

impl LayerPoints {
    /// So many points of which nothing is known.
    pub fn unknown(count: usize) -> Self {
        let points = vec![f32::NAN; count];
        Self { ram: vec![points.clone(); Layer::ALL.len()], swap: points }
    }
}

impl Layers {
    pub(super) fn push(&mut self, account: Option<&Account>, system: &SystemSample, now: BootMs) {
        let layers = account.map(Account::layers).unwrap_or_default();
        if account.is_some() {
            for (series, bytes) in self.ram.iter_mut().zip(layers) {
                add(series, kib(bytes), now);
            }
        }
        if let Some(used) = system.meminfo.swap_used().value() {
            add(&mut self.swap, kib(used), now);
        }
    }

    pub(super) fn points(&self, until: BootMs, span: Duration, count: usize) -> LayerPoints {
        let points = |series: &Option<Series>| match series {
            Some(series) => series.points(until, span, count).into_iter().map(|kib| kib * 1024.0).collect(),
            None => vec![f32::NAN; count],
        };
        LayerPoints { ram: self.ram.iter().map(points).collect(), swap: points(&self.swap) }
    }

    /// Bytes held beyond the layers themselves.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.ram.iter().chain([&self.swap]).flatten().map(Series::heap_bytes).sum()
    }
}

fn add(series: &mut Option<Series>, value: u32, now: BootMs) {
    series.get_or_insert_with(|| Series::new(value, now)).push(value, now, JUDGED_TIERS, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::Reading;
    use crate::model::testing;

    fn system(second: u64) -> SystemSample {
        let mut system = testing::snapshot(Vec::new()).sample.system.clone();
        let grown = (second % 50) << 20;
        system.meminfo.anon_pages = system.meminfo.anon_pages.map(|bytes| bytes + grown);
        system.meminfo.mem_free = system.meminfo.mem_free.map(|bytes| bytes - grown);
        system.meminfo.swap_free = system.meminfo.swap_free.map(|bytes| bytes - (second << 12) % (200 << 20));
        system
    }

    fn push(layers: &mut Layers, second: u64) {
        let system = system(second);
        layers.push(Account::of(&system).as_ref(), &system, BootMs(second * 1000));
    }

    #[test]
    fn at_every_moment_the_layers_are_all_of_ram() {
        let mut layers = Layers::default();
        (0..600).for_each(|second| push(&mut layers, second));
        let points = layers.points(BootMs(599_000), Duration::from_mins(12), 72);
        for column in 0..72 {
            let sum: f64 = points.ram.iter().map(|layer| f64::from(layer[column])).sum();
            let is_known = column >= 12;
            assert_eq!(sum.is_finite(), is_known, "{column}");
            if is_known {
                assert!((sum / f64::from(1u32 << 20) - 1956.0).abs() < 0.1, "{column}: {sum}");
            }
        }
        let anon = &points.ram[Layer::Anon as usize];
        assert!((anon[71] / 1_048_576.0 - 1493.0).abs() < 0.1, "{}", anon[71]);
    }

    #[test]
    fn days_of_a_restless_machine_stay_below_forty_kibibytes() {
        let mut layers = Layers::default();
        for second in 0..200_000u64 {
            let system = system(second * 7);
            layers.push(Account::of(&system).as_ref(), &system, BootMs(second * 1000));
        }
        assert!(layers.heap_bytes() < 40 << 10, "{}", layers.heap_bytes());
    }

    #[test]
    fn a_machine_that_tells_nothing_has_no_layers() {
        let mut layers = Layers::default();
        let system = SystemSample::default();
        layers.push(Account::of(&system).as_ref(), &system, BootMs(5));
        let points = layers.points(BootMs(5), Duration::from_secs(5), 3);
        assert!(points.ram.iter().chain([&points.swap]).flatten().all(|value| value.is_nan()));
        assert_eq!(system.meminfo.swap_used(), Reading::default());
    }
}
