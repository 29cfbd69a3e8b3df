//! How the process grows: what was found of it, in sentences, and the course that it took.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Picture;
use crate::model::field::process_field;
use crate::model::judgement::{Finding, Quantity, Subject};
use crate::model::snapshot::Row;
use crate::tui::finding::{amount, role};
use crate::tui::screen::leaks::chart::{self, LABELS};
use crate::tui::screen::leaks::facts;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::graph::{self, Scale};
use crate::tui::widget::line::put_right;

/// Columns of the course.
pub(super) fn width(area: Rect) -> u16 {
    chart::width(area)
}

/// The least that the height of the course stands for, bytes.
const LEAST_SCALE: f32 = 262_144.0;

/// What was found of a process, then of the services it is in, each the most urgent first.
pub(super) fn findings<'a>(row: &Row<'a>) -> impl Iterator<Item = &'a Finding> + use<'a> {
    let (all, process) = (&row.snapshot.analysis.findings, row.process);
    let of_process = all.iter().filter(|finding| finding.subject == Subject::Process(process.key));
    let of_group = all.iter().filter(|finding| matches!(finding.subject, Subject::Group(_)));
    of_process.chain(of_group.filter(|finding| finding.subject.includes(process)))
}

/// What is said of its growth: of the most urgent finding all, of the others the verdict and the limit.
pub(super) fn sentences(picture: &Picture<'_>, theme: &Theme) -> Vec<(String, Role)> {
    let Some(row) = &picture.row else { return Vec::new() };
    let mut said: Vec<(String, Role)> = Vec::new();
    for (nth, finding) in findings(row).enumerate() {
        let most = if nth == 0 { 3 } else { 2 };
        let sentences = facts::sentences(picture.update, finding, theme).into_iter().take(most);
        // Whose screen it is stands above; a service is named.
        let name =
            if matches!(finding.subject, Subject::Process(_)) { format!("{}, ", finding.name) } else { String::new() };
        said.extend(sentences.map(|(text, role)| (text.strip_prefix(&name).map(str::to_owned).unwrap_or(text), role)));
    }
    if said.is_empty() {
        said.push(if let Some((verdict, _)) = row.verdict().value() {
            (tr!("private memory: {verdict}", verdict = tr!(of verdict.word())), role(verdict))
        } else {
            let why = process_field("verdict").and_then(|field| field.explain(&(field.get)(row)));
            (tr!("growth: {why}", why = why.unwrap_or_default()), Role::Muted)
        });
    }
    said
}

/// Draws the evidence of the most urgent finding; where there is none, private memory over time.
pub(super) fn draw(buf: &mut Buffer, area: Rect, picture: &Picture<'_>, theme: &Theme) {
    let Some(row) = &picture.row else { return };
    let sample = &picture.update.snapshot.sample;
    let evidence = findings(row).next().zip(picture.update.evidence.as_ref());
    if let Some((finding, evidence)) =
        evidence.filter(|(finding, known)| (&known.subject, known.quantity) == (&finding.subject, finding.quantity))
    {
        chart::draw(buf, area, sample, finding, evidence, theme);
        return;
    }
    let Some(points) = picture.update.series.get(&row.process.key) else { return };
    let scale = Scale::of(points, LEAST_SCALE);
    let course = Rect { x: area.x + LABELS, width: width(area), ..area };
    graph::draw(buf, course, points, scale, theme.is_ascii, theme.style(Role::Graph));
    let last = area.bottom().saturating_sub(1);
    let label = |level: f32| amount(Quantity::Private, f64::from(level.max(0.0)));
    let (high, low) = (label(scale.high), label(scale.low));
    put_right(buf, area.x, area.y, LABELS - 1, &high, theme.style(Role::Muted));
    if low != high {
        put_right(buf, area.x, last, LABELS - 1, &low, theme.style(Role::Muted));
    }
}
