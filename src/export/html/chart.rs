//! A course as an area under a line.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::analyze::report::Course;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 160.0;

/// Room for the words around the picture.
const LEFT: f64 = 52.0;
const ABOVE: f64 = 18.0;
const BELOW: f64 = 16.0;

/// What is drawn.
pub(super) struct Chart<'a> {
    /// What it is; may be empty.
    pub(super) title: &'a str,
    /// Its class in the style sheet.
    pub(super) class: &'a str,
    pub(super) course: &'a Course,
    /// The value at the top; else the highest one.
    pub(super) top: Option<f64>,
    /// A value in words.
    pub(super) unit: fn(f64) -> String,
    /// First and last moment, milliseconds since the epoch.
    pub(super) span: [i64; 2],
}

/// The picture. What is not known is a gap.
pub(super) fn chart(chart: &Chart<'_>, moment: &impl Fn(i64) -> String) -> Markup {
    let Some((highest, at)) = chart.course.highest else { return html! {} };
    let top = chart.top.unwrap_or(highest).max(highest).max(f64::MIN_POSITIVE);
    let [began, ended] = chart.span.map(moment);
    let said = format!("at most {} at {}", (chart.unit)(highest), moment(at));
    html! {
        svg viewBox=(format!("0 0 {} {}", LEFT + WIDTH, ABOVE + HEIGHT + BELOW)) role="img" {
            title { (chart.title) " " (said) }
            g class=(chart.class) {
                text x=(LEFT) y="12" { (chart.title) @if !chart.title.is_empty() { ", " } (said) }
                text x=(LEFT - 6.0) y=(ABOVE + 10.0) text-anchor="end" { ((chart.unit)(top)) }
                text x=(LEFT - 6.0) y=(ABOVE + HEIGHT) text-anchor="end" { "0" }
                path.rule d=(format!("M{LEFT} {ABOVE}H{0}M{LEFT} {1}H{0}", LEFT + WIDTH, ABOVE + HEIGHT)) {}
                path.area d=(area(&chart.course.points, top)) {}
                text x=(LEFT) y=(ABOVE + HEIGHT + 12.0) { (began) }
                text x=(LEFT + WIDTH) y=(ABOVE + HEIGHT + 12.0) text-anchor="end" { (ended) }
            }
        }
    }
}

/// Each stretch of known points as a closed area.
fn area(points: &[f32], top: f64) -> String {
    let x = |nth: usize| LEFT + nth as f64 * WIDTH / points.len().saturating_sub(1).max(1) as f64;
    let y = |value: f32| ABOVE + HEIGHT * (1.0 - (f64::from(value) / top).clamp(0.0, 1.0));
    let bottom = ABOVE + HEIGHT;
    let mut path = String::new();
    let mut open: Option<usize> = None;
    for (nth, value) in points.iter().enumerate() {
        // Writing into a String can't fail.
        if value.is_finite() {
            let begin = if open.is_none() { format!("M{:.1} {bottom}", x(nth)) } else { String::new() };
            let _ = write!(path, "{begin}L{:.1} {:.1}", x(nth), y(*value));
            open = Some(nth);
        } else if let Some(last) = open.take() {
            let _ = write!(path, "L{:.1} {bottom}Z", x(last));
        }
    }
    if let Some(last) = open {
        let _ = write!(path, "L{:.1} {bottom}Z", x(last));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_gap() {
        let path = area(&[1.0, 2.0, f32::NAN, 2.0], 2.0);
        assert_eq!(path, "M52.0 178L52.0 98.0L372.0 18.0L372.0 178ZM1012.0 178L1012.0 18.0L1012.0 178Z");
    }
}
