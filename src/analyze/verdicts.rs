//! What the judge says of known courses, second by second.

use proptest::prelude::*;

use super::judge::{Case, Scratch};
use super::series::MEMORY_TIERS;
use super::watch::Watch;
use crate::model::judgement::{Judgement, Verdict};
use crate::model::reading::BootMs;

/// KiB in a MiB.
const MIB: f64 = 1024.0;

/// A machine with so many MiB left at the beginning.
fn case(level: f64, left: f64) -> Case {
    Case::of_sum(4.0 * 1024.0, ((left - level).max(0.0) * MIB) as f32)
}

/// Noise of the same kind on every run, in [-1, 1].
fn noise(second: u64) -> f64 {
    let mut state = (second + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state ^= state >> 29;
    state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^= state >> 32;
    (state % 20_001) as f64 / 10_000.0 - 1.0
}

/// Where a quantity is at a second, MiB.
type Course = Box<dyn Fn(f64) -> f64>;

/// The verdict of every second of a course in MiB, on a machine of `left` MiB.
fn play(seconds: u64, left: f64, course: impl Fn(f64) -> f64) -> Vec<Judgement> {
    let mut scratch = Scratch::default();
    let mut watch: Option<Watch> = None;
    (0..seconds)
        .map(|second| {
            let now = BootMs(1_000_000 + second * 1000);
            let level = course(second as f64);
            let value = (level * MIB) as u32;
            let watch = watch.get_or_insert_with(|| Watch::new(value, now));
            watch.push(value, now, MEMORY_TIERS, 0);
            let case = Case { age_ms: second * 1000, ..case(level, left) };
            watch.judge(now, || case, &mut scratch);
            watch.judgement(now)
        })
        .collect()
}

/// The first second at which it was called a leak.
fn called(course: &[Judgement]) -> Option<usize> {
    course.iter().position(|judgement| judgement.verdict == Verdict::Leaking)
}

fn changes(course: &[Judgement]) -> Vec<usize> {
    let verdict = |judgement: &Judgement| judgement.verdict;
    (1..course.len()).filter(|at| verdict(&course[*at]) != verdict(&course[*at - 1])).collect()
}

#[test]
fn a_leak_is_called_within_a_fifth_of_its_way_and_its_end_is_known() {
    for (rate, left) in [(1.0, 1000.0), (0.3, 500.0), (5.0, 3000.0), (0.05, 200.0)] {
        let end = (left - 50.0) / rate;
        let course = play(end as u64, left, |t| 50.0 + rate * t + 0.2 * noise(t as u64));
        let at = called(&course).unwrap_or_else(|| panic!("{rate} {left}: {:?}", course.last()));
        // Who is young has two minutes at least.
        assert!(at as f64 <= (0.2 * end).max(150.0), "{rate}: {at} of {end}");
        let half = &course[course.len() / 2];
        assert!((half.rate / 60.0 / MIB / rate - 1.0).abs() < 0.1, "{half:?}");
        assert!(half.confidence > 0.95 && half.rate_low <= half.rate && half.rate <= half.rate_high, "{half:?}");
    }
}

#[test]
fn a_leak_below_a_garbage_collector_is_called() {
    let course = play(600, 1000.0, |t| 60.0 + 0.8 * t + 1.5 * (t % 23.0) + noise(t as u64));
    let at = called(&course).expect("a call");
    assert!(at < 230, "{at} of 1175");
}

#[test]
fn a_leak_that_begins_late_is_called() {
    let course = play(1800, 1000.0, |t| 80.0 + (t - 900.0).max(0.0) + 0.5 * noise(t as u64));
    let at = called(&course).expect("a call");
    assert!((960..1090).contains(&at), "{at}");
    assert!(course[at].since.0 >= 1_000_000 + 850_000, "{:?}", course[at]);
}

#[test]
fn what_is_no_leak_is_never_called_one() {
    let wave = |t: f64, period: f64| (t * std::f64::consts::TAU / period).sin();
    let courses: Vec<(&str, Course)> = vec![
        ("steady", Box::new(|t| 200.0 + noise(t as u64))),
        ("sawtooth", Box::new(|t| 80.0 + 2.0 * (t % 31.0))),
        ("slow sawtooth", Box::new(|t| 80.0 + 0.5 * (t % 170.0))),
        ("cache that fills", Box::new(|t| 50.0 + 300.0 * (1.0 - (-t / 60.0).exp()) + noise(t as u64))),
        ("slow cache that fills", Box::new(|t| 50.0 + 200.0 * (1.0 - (-t / 240.0).exp()) + 0.3 * noise(t as u64))),
        ("warm-up as a logarithm", Box::new(|t| 50.0 + 25.0 * (1.0 + t).ln())),
        ("start-up ramp", Box::new(|t| 20.0 + 10.0 * t.min(40.0))),
        ("a deploy", Box::new(|t| if t < 400.0 { 100.0 } else { 260.0 } + 0.5 * noise(t as u64))),
        ("two deploys", Box::new(|t| 100.0 + 80.0 * (t / 450.0).floor())),
        ("batch", Box::new(|t| if t % 120.0 < 50.0 { 60.0 + 4.0 * (t % 120.0) } else { 60.0 })),
        ("season", Box::new(move |t| 300.0 + 80.0 * wave(t, 180.0) + noise(t as u64))),
        ("long season", Box::new(move |t| 300.0 + 60.0 * wave(t, 700.0) + noise(t as u64))),
        ("falls", Box::new(|t| 900.0 - 0.5 * t)),
        ("suspended", Box::new(|t| 100.0 + t.clamp(60.0, 61.0))),
    ];
    for (name, course) in courses {
        let course = play(1500, 24_000.0, course);
        assert_eq!(called(&course), None, "{name}: {:?}", course[called(&course).unwrap_or(0)]);
    }
}

#[test]
fn quiet_courses_have_their_names() {
    let last = |course: Vec<Judgement>| course.last().map(|judgement| judgement.verdict);
    assert_eq!(last(play(600, 2000.0, |_| 100.0)), Some(Verdict::Steady));
    assert_eq!(last(play(600, 2000.0, |t| 80.0 + 2.0 * (t % 60.0))), Some(Verdict::Sawtooth));
    assert_eq!(last(play(600, 2000.0, |t| if t < 300.0 { 100.0 } else { 180.0 })), Some(Verdict::Stepped));
    assert_eq!(last(play(300, 2000.0, |t| 900.0 - t)), Some(Verdict::Shrinking));
    assert_eq!(last(play(150, 2000.0, |t| 100.0 * (1.0 - (-t / 100.0).exp()))), Some(Verdict::WarmingUp));
    assert_eq!(last(play(15, 2000.0, |t| t)), Some(Verdict::NotEnoughData));
}

#[test]
fn what_has_begun_to_rise_is_not_called_steady() {
    // A machine of 24 GiB, on which 16 MiB matter: eight a minute do so after two minutes.
    let of = |rate: f64, second: usize| {
        let mut scratch = Scratch::default();
        let mut watch: Option<Watch> = None;
        let said: Vec<Judgement> = (0..400u64)
            .map(|second| {
                let now = BootMs(1_000_000 + second * 1000);
                let value = ((60.0 + rate / 60.0 * second as f64 + 0.1 * noise(second)) * MIB) as u32;
                let watch = watch.get_or_insert_with(|| Watch::new(value, now));
                watch.push(value, now, MEMORY_TIERS, 0);
                let case = Case { least: 16.0 * 1024.0, left: 20_000.0 * 1024.0, ..case(0.0, 0.0) };
                watch.judge(now, || case, &mut scratch);
                watch.judgement(now)
            })
            .collect();
        said[second]
    };
    let early = of(8.0, 65);
    assert_eq!(early.verdict, Verdict::NotEnoughData, "{early:?}");
    assert!((30_000..90_000).contains(&early.needs_ms) && early.rate > 7.0 * 1024.0, "{early:?}");
    assert!(of(8.0, 200).verdict.is_rising(), "{:?}", of(8.0, 200));
    // Half a MiB a minute would take half an hour to matter.
    assert_eq!(of(0.5, 65).verdict, Verdict::Steady, "{:?}", of(0.5, 65));
}

#[test]
fn an_old_process_whose_whole_life_is_its_growth_is_called_sooner() {
    let course = |age_s: f64| {
        let mut scratch = Scratch::default();
        let mut watch: Option<Watch> = None;
        let call = (0..1200u64).find(|second| {
            let now = BootMs(1_000_000 + second * 1000);
            let level = 0.3 * (age_s + *second as f64);
            let value = (level * MIB) as u32;
            let watch = watch.get_or_insert_with(|| Watch::new(value, now));
            watch.push(value, now, MEMORY_TIERS, 0);
            let age_ms = (age_s * 1000.0) as u64 + second * 1000;
            watch.judge(now, || Case { age_ms, ..case(level, 8000.0) }, &mut scratch);
            watch.judgement(now).verdict == Verdict::Leaking
        });
        call.expect("a call")
    };
    assert!(course(3000.0) + 60 < course(0.0), "{} {}", course(3000.0), course(0.0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn neither_the_unit_nor_an_offset_changes_the_verdict(
        rate in 0.0f64..3.0, tooth in 0.0f64..3.0, period in 7.0f64..50.0, offset in 0u32..4000, unit in 1u32..9,
    ) {
        let verdicts = |offset: f64, unit: f64| {
            let mut scratch = Scratch::default();
            let mut watch: Option<Watch> = None;
            (0..400u64).map(|second| {
                let now = BootMs(1_000_000 + second * 1000);
                let t = second as f64;
                let value = ((20.0 + rate * t + tooth * (t % period)) * 256.0).round() * unit + offset * 1024.0;
                let watch = watch.get_or_insert_with(|| Watch::new(value as u32, now));
                watch.push(value as u32, now, MEMORY_TIERS, 0);
                let unit = unit as f32;
                let case = Case { least: 1024.0 * unit, left: (300.0 * 1024.0 - rate as f32 * second as f32 * 256.0) * unit, ..case(0.0, 0.0) };
                watch.judge(now, || case, &mut scratch);
                watch.judgement(now).verdict
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(verdicts(0.0, 1.0), verdicts(f64::from(offset), f64::from(unit)));
    }

    #[test]
    fn a_clean_leak_is_ever_surer_and_no_verdict_flutters(rate in 0.1f64..4.0, wobble in 0.0f64..20.0) {
        let leak = play(900, 24_000.0, |t| 30.0 + rate * t);
        let sure: Vec<f32> = leak.iter().filter(|judgement| judgement.verdict == Verdict::Leaking)
            .map(|judgement| judgement.confidence).collect();
        prop_assert!(sure.windows(2).all(|pair| pair[1] >= pair[0]), "{:?}", sure);
        let course = play(900, 24_000.0, |t| 100.0 + wobble * noise(t as u64 / 40) + wobble * noise(t as u64));
        let changes = changes(&course);
        // The first change is from knowing nothing.
        prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{:?}", changes);
    }

    #[test]
    fn any_course_is_judged(values in proptest::collection::vec((any::<u32>(), 0u64..100_000), 1..120)) {
        let mut scratch = Scratch::default();
        let mut watch: Option<Watch> = None;
        let mut now = BootMs(0);
        for (value, step) in values {
            now.0 += step;
            let watch = watch.get_or_insert_with(|| Watch::new(value, now));
            watch.push(value, now, MEMORY_TIERS, 2);
            watch.judge(now, || case(0.0, 1e9), &mut scratch);
            let judgement = watch.judgement(now);
            prop_assert!((0.0..=1.0).contains(&judgement.confidence));
            prop_assert!(judgement.rate.is_finite() && judgement.from.is_finite());
        }
    }
}
