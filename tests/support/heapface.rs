//! A face on a heap without a thread: what it asks is answered at once.

use memtide::heap::browse::Browser;
use memtide::heap::diff::Summary;
use memtide::heap::explorer::Explorer;
use memtide::heap::graph::HeapGraph;
use memtide::heap::parse::Opening;
use memtide::model::histogram::{Histogram, HistogramKind, HistogramRow};
use memtide::session::heap::{HeapNews, News};

use super::face::Face;
use super::heaps::HandMade;

/// The graph of a snapshot made by hand.
pub fn graph(made: &HandMade) -> HeapGraph {
    let json = made.json();
    Opening::begin(json.as_bytes(), Some(json.len() as u64)).unwrap().read(&mut |_| ()).unwrap()
}

/// Walks through one snapshot, or what several differ in, the oldest first.
pub fn browser(made: &[HandMade]) -> Browser {
    let (last, earlier) = made.split_last().unwrap();
    let latest = Explorer::new(graph(last), &mut |_| ()).unwrap();
    if earlier.is_empty() {
        return Browser::of_heap("app.heapsnapshot".into(), latest);
    }
    let summary = |(nth, made): (usize, &HandMade)| {
        (format!("{nth}.heapsnapshot"), Summary::of_earlier(graph(made), &latest, &mut |_| ()).unwrap())
    };
    let summaries = earlier.iter().enumerate().map(summary).collect();
    Browser::of_growth(summaries, format!("{}.heapsnapshot", earlier.len()), latest).unwrap()
}

/// A face on a heap.
pub struct HeapFace {
    /// The face.
    pub face: Face,
    browser: Browser,
}

impl HeapFace {
    /// A face that has opened it.
    pub fn new(width: u16, height: u16, browser: Browser) -> Self {
        let mut face = Face::new(width, height);
        face.app.open_heap(vec!["app.heapsnapshot".into()], false);
        let mut opened = Self { face, browser };
        opened.tell(News::Opened(std::sync::Arc::new(opened.browser.opened().clone())));
        opened.answer();
        opened
    }

    /// Tells the face something of the opening.
    pub fn tell(&mut self, what: News) {
        if let Some(wish) = self.face.app.heap_wish() {
            self.face.app.take_heap(HeapNews { serial: wish.serial, what });
        }
    }

    /// Gives the face what it asks for, until it asks for nothing else.
    fn answer(&mut self) {
        let mut asked = None;
        while let Some(wish) = self.face.app.heap_wish().filter(|wish| asked.as_ref() != Some(wish)) {
            if let Some(ask) = &wish.ask {
                let page = self.browser.ask(&ask.question, ask.sort, ask.page.0..ask.page.1).unwrap();
                self.tell(News::Page(page.into()));
                if let Some(aside) = ask.aside {
                    let told = self.browser.aside(aside).unwrap();
                    self.tell(News::Told(aside, told.into()));
                }
            }
            asked = Some(wish);
        }
    }

    /// Presses keys, with a space between their names.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            self.face.keys(key);
            self.answer();
        }
        self.answer();
        self
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        self.face.type_text(text);
        self.answer();
        self
    }

    /// The screen as one text.
    pub fn text(&self) -> String {
        self.face.text()
    }

    /// Lines that the page on the screen was made of.
    pub fn asked(&self) -> (usize, usize) {
        self.face.app.heap_wish().and_then(|wish| wish.ask).map(|ask| ask.page).unwrap()
    }
}

/// A histogram of two classes; `count` of the first.
pub fn histogram(count: u64, kind: HistogramKind) -> Histogram {
    let row = |name: &str, place: &str, count: u64| HistogramRow {
        name: name.into(),
        place: place.into(),
        count,
        bytes: count * 24,
        cumulative: count * 30,
    };
    let rows = vec![row("com.app.Session", "app", count), row("java.lang.String", "java.base@17.0.15", 900)];
    Histogram { kind, source: "7".into(), pid: Some(7), time_ms: None, rows }
}
