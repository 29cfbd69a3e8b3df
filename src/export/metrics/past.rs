//! OpenMetrics of the past: samples with their times, as `promtool tsdb create-blocks-from openmetrics` takes them.
//!
//! The format wants all of a family together and each series in the order of time, while samples come one after another.
//! So series are gathered, a value only where it changes: what sleeps takes no memory however long it does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};

use super::encode::{END, Format, head, line};
use super::{Family, Labels, Point};

/// Series over time.
#[derive(Default)]
pub struct Past {
    /// When each sample was taken, milliseconds since the epoch.
    times: Vec<i64>,
    /// Families in the order in which they came.
    families: Vec<Gathered>,
    places: HashMap<String, usize>,
}

/// A family over time.
struct Gathered {
    /// Without points.
    family: Family,
    /// In the order in which they came.
    series: Vec<Series>,
    places: HashMap<Labels, usize>,
}

/// The values of one name and its labels.
struct Series {
    labels: Labels,
    steps: Vec<Step>,
    /// The sample after the last one that it is in.
    end: u32,
}

/// A value from a sample on; `None` where there is none from there on.
struct Step {
    sample: u32,
    value: Option<f64>,
}

impl Past {
    /// Takes in what was so at a moment. One that is not after the last one is left out: the wall clock was set back, and
    /// a series has one value a moment.
    pub fn push(&mut self, wall_ms: i64, families: Vec<Family>) {
        if self.times.last().is_some_and(|last| *last >= wall_ms) {
            return;
        }
        let Ok(now) = u32::try_from(self.times.len()) else { return };
        self.times.push(wall_ms);
        for mut family in families {
            let points = std::mem::take(&mut family.points);
            let place = match self.places.entry(family.name.clone().into_owned()) {
                Entry::Occupied(place) => *place.get(),
                Entry::Vacant(place) => {
                    self.families.push(Gathered { family, series: Vec::new(), places: HashMap::new() });
                    *place.insert(self.families.len() - 1)
                }
            };
            for point in points {
                self.families[place].take(now, point);
            }
        }
    }

    /// Writes all of it.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = String::new();
        for gathered in &self.families {
            head(&mut text, &gathered.family, Format::OpenMetrics);
            for series in &gathered.series {
                for (nth, step) in series.steps.iter().enumerate() {
                    let Some(value) = step.value else { continue };
                    let until = series.steps.get(nth + 1).map_or(series.end, |next| next.sample);
                    let point = Point { labels: Labels::clone(&series.labels), value };
                    for wall_ms in &self.times[step.sample as usize..until as usize] {
                        line(&mut text, &gathered.family, Format::OpenMetrics, &point, Some(*wall_ms));
                    }
                }
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        text.push_str(END);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Gathered {
    fn take(&mut self, now: u32, point: Point) {
        let place = match self.places.entry(point.labels) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => {
                let labels = Labels::clone(place.key());
                self.series.push(Series { labels, steps: Vec::new(), end: now });
                *place.insert(self.series.len() - 1)
            }
        };
        let series = &mut self.series[place];
        if series.end > now {
            // Two processes had these labels in one sample: the first one is told.
            return;
        }
        if series.end < now && !series.steps.is_empty() {
            series.steps.push(Step { sample: series.end, value: None });
        }
        let is_same = |step: &Step| step.value.is_some_and(|value| value.to_bits() == point.value.to_bits());
        if !series.steps.last().is_some_and(is_same) {
            series.steps.push(Step { sample: now, value: Some(point.value) });
        }
        series.end = now + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn family(name: &'static str, points: &[(&str, f64)]) -> Family {
        let mut family = Family::new(name, Kind::Gauge, "", "A number.");
        for (of, value) in points {
            family.add(&Labels::from([("of", (*of).to_owned())]), *value);
        }
        family
    }

    fn written(past: &Past) -> String {
        let mut out = Vec::new();
        past.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn families_stand_together_and_each_series_in_the_order_of_time() {
        let mut past = Past::default();
        past.push(1000, vec![family("a", &[("x", 1.0), ("y", 5.0)]), family("b", &[("x", 9.0)])]);
        past.push(2000, vec![family("a", &[("x", 1.0)]), family("b", &[("x", 9.0)])]);
        past.push(3500, vec![family("a", &[("x", 2.0), ("y", 5.0)]), family("b", &[("x", 9.0)])]);
        assert_eq!(
            written(&past),
            "# HELP a A number.\n# TYPE a gauge\n\
             a{of=\"x\"} 1 1\na{of=\"x\"} 1 2\na{of=\"x\"} 2 3.5\n\
             a{of=\"y\"} 5 1\na{of=\"y\"} 5 3.5\n\
             # HELP b A number.\n# TYPE b gauge\n\
             b{of=\"x\"} 9 1\nb{of=\"x\"} 9 2\nb{of=\"x\"} 9 3.5\n# EOF\n"
        );
    }

    #[test]
    fn a_moment_that_was_before_and_a_name_that_is_there_twice_are_left_out() {
        let mut past = Past::default();
        past.push(2000, vec![family("a", &[("x", 1.0), ("x", 7.0)])]);
        past.push(2000, vec![family("a", &[("x", 2.0)])]);
        past.push(1000, vec![family("a", &[("x", 3.0)])]);
        past.push(3000, vec![family("a", &[("x", 4.0)])]);
        let text = written(&past);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["a{of=\"x\"} 1 2", "a{of=\"x\"} 4 3"]);
    }

    #[test]
    fn what_sleeps_takes_no_memory_however_long_it_does() {
        let mut past = Past::default();
        for nth in 0..1000 {
            past.push(nth * 1000, vec![family("a", &[("x", 1.0)])]);
        }
        assert_eq!(past.families[0].series[0].steps.len(), 1);
        assert_eq!(written(&past).lines().count(), 2 + 1000 + 1);
    }
}
