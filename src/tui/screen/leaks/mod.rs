//! What grows, ranked by what it threatens first, and the evidence of the selected finding: the list (`table`), what is
//! said of one (`facts`), what is drawn of it (`chart`), and what moves in it (here).

pub(super) mod chart;
mod empty;
pub(super) mod facts;
mod since;
mod table;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::analyze::evidence::EvidenceWish;
use crate::model::judgement::{Finding, Quantity, Subject};
use crate::model::reading::BootMs;
use crate::session::update::Update;
use crate::tui::action::Action;
use crate::tui::theme::Theme;

/// What a line is about, whatever place it has.
pub type FindingKey = (Subject, Quantity);

/// The panel's state.
#[derive(Clone, Debug, Default)]
pub struct Leaks {
    selected: Option<FindingKey>,
    /// Somebody chose it.
    is_chosen: bool,
    /// Where the selected line was seen last.
    place: usize,
    offset: usize,
    area: Rect,
}

/// Spans of evidence, in minutes: the shortest that holds the growth and a little of what was before.
const SPANS: [u64; 12] = [2, 5, 10, 15, 30, 60, 90, 180, 360, 720, 1440, 10_080];

/// The parts of the screen: the list with its head, and the evidence below it.
fn split(area: Rect, findings: usize) -> (Rect, Rect) {
    let wanted = u16::try_from(findings).unwrap_or(u16::MAX).saturating_add(1);
    let most = match area.height {
        0..6 => area.height,
        6..16 => 4,
        height => height / 3,
    };
    let list = Rect { height: wanted.min(most), ..area };
    (list, Rect { y: list.bottom(), height: area.height - list.height, ..area })
}

fn key(finding: &Finding) -> FindingKey {
    (finding.subject.clone(), finding.quantity)
}

impl Leaks {
    /// Takes the findings of an update. The selection stays on its finding wherever it is ranked.
    pub fn settle(&mut self, findings: &[Finding], area: Rect) {
        self.area = area;
        if let Some(place) = findings.iter().position(|finding| Some(key(finding)) == self.selected) {
            self.place = place;
        } else {
            self.place = self.place.min(findings.len().saturating_sub(1));
            self.selected = findings.get(self.place).map(key);
        }
        let rows = self.rows(findings.len());
        self.offset = self.offset.clamp((self.place + 1).saturating_sub(rows), self.place);
        self.offset = self.offset.min(findings.len().saturating_sub(rows));
    }

    /// It is not on the screen: when it comes there it stands on what is first then, unless a line was chosen before.
    pub fn rest(&mut self) {
        if !self.is_chosen {
            (self.selected, self.place) = (None, 0);
        }
    }

    /// Lines that fit under the head.
    fn rows(&self, findings: usize) -> usize {
        usize::from(split(self.area, findings).0.height.saturating_sub(1)).max(1)
    }

    /// Moves the selection.
    pub fn act(&mut self, action: Action, findings: &[Finding]) {
        let page = self.rows(findings.len());
        let place = match action {
            Action::MoveDown => self.place + 1,
            Action::MoveUp => self.place.saturating_sub(1),
            Action::PageDown => self.place + page,
            Action::PageUp => self.place.saturating_sub(page),
            Action::MoveToStart => 0,
            Action::MoveToEnd => usize::MAX,
            _ => return,
        };
        self.place = place.min(findings.len().saturating_sub(1));
        (self.selected, self.is_chosen) = (findings.get(self.place).map(key), true);
    }

    /// Selects a line.
    pub fn select(&mut self, finding: FindingKey) {
        self.is_chosen = true;
        self.selected = Some(finding);
    }

    /// The selected finding, where it is still one.
    pub fn selected<'a>(&self, findings: &'a [Finding]) -> Option<&'a Finding> {
        findings.iter().find(|finding| Some(key(finding)) == self.selected)
    }

    /// The finding at a place of the screen.
    pub fn hit(&self, findings: &[Finding], x: u16, y: u16) -> Option<FindingKey> {
        let (list, _) = split(self.area, findings.len());
        let line = y.checked_sub(list.y + 1).filter(|_| list.contains((x, y).into()))?;
        findings.get(self.offset + usize::from(line)).map(key)
    }

    /// What is to be sent for the evidence of the selected finding.
    pub fn wish(&self, update: &Update) -> Option<EvidenceWish> {
        let finding = self.selected(&update.snapshot.analysis.findings)?;
        Some(evidence_wish(finding, update.snapshot.sample.at, 2 * usize::from(chart::width(self.area))))
    }

    /// Draws the panel. `since` is when watching began.
    pub fn draw(&self, buf: &mut Buffer, update: &Update, since: BootMs, theme: &Theme) {
        let findings = &update.snapshot.analysis.findings;
        if findings.is_empty() {
            empty::draw(buf, self.area, update, since, theme);
            return;
        }
        let (list, rest) = split(self.area, findings.len());
        table::draw(self, buf, list, update, theme);
        let Some(finding) = self.selected(findings) else { return };
        let said = facts::draw(buf, rest, update, finding, theme);
        let chart = Rect { y: rest.y + said, height: rest.height - said, ..rest };
        let evidence = update.evidence.as_ref();
        if let Some(evidence) =
            evidence.filter(|known| (&known.subject, known.quantity) == (&finding.subject, finding.quantity))
        {
            chart::draw(buf, chart, &update.snapshot.sample, finding, evidence, theme);
        }
    }
}

/// What is to be sent for the evidence of a finding: so many points of a span that holds its growth.
pub(super) fn evidence_wish(finding: &Finding, now: BootMs, points: usize) -> EvidenceWish {
    let grown_ms = now.since(finding.judgement.since);
    let fits = SPANS.iter().find(|minutes| **minutes * 60_000 >= grown_ms + grown_ms / 5);
    let minutes = fits.or(SPANS.last()).copied().unwrap_or(SPANS[0]);
    EvidenceWish {
        subject: finding.subject.clone(),
        quantity: finding.quantity,
        points,
        span: Duration::from_mins(minutes),
    }
}
