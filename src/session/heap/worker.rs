//! The thread of an opening: it reads, computes, and answers until it is told to end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::open::{self, OpenError, Watch};
use super::{Ask, HeapNews, HeapWish, News, Progress, Shared, Stage, Tell, histogram};
use crate::heap::browse::Browser;
use crate::heap::diff::Summary;
use crate::heap::explorer::Explorer;
use crate::model::histogram::Histogram;
use crate::model::text::escape;

/// Bytes between two words on how much is read.
const STEP: u64 = 4 << 20;

pub(super) struct Worker {
    pub(super) wish: HeapWish,
    pub(super) shared: Arc<Shared>,
    pub(super) tell: Tell,
}

impl Worker {
    pub(super) fn run(self, before: Option<JoinHandle<()>>) {
        if let Some(before) = before {
            self.progress(0, Stage::Waiting);
            // A panic there was told when it happened.
            let _ = before.join();
        }
        let mut browser = match self.open() {
            Ok(browser) => browser,
            Err(why) => return self.tell(News::Failed(why)),
        };
        self.tell(News::Opened(Arc::new(browser.opened().clone())));
        while let Some(ask) = self.shared.next() {
            self.answer(&mut browser, &ask);
        }
    }

    fn answer(&self, browser: &mut Browser, ask: &Ask) {
        match browser.ask(&ask.question, ask.sort, ask.page.0..ask.page.1) {
            Ok(page) => self.tell(News::Page(Arc::new(page))),
            Err(why) => return self.tell(News::Trouble(why.to_string())),
        }
        // What is looked at now comes first.
        if let Some(aside) = ask.aside.filter(|_| !self.shared.has_more()) {
            match browser.aside(aside) {
                Ok(told) => self.tell(News::Told(aside, told.into())),
                Err(why) => self.tell(News::Trouble(why.to_string())),
            }
        }
    }

    fn tell(&self, what: News) {
        if !self.shared.is_over() {
            (self.tell)(HeapNews { serial: self.wish.serial, what });
        }
    }

    /// Tells how far the file at a place is.
    fn progress(&self, place: usize, stage: Stage) {
        let file = self.wish.files.get(place).map(|path| name_of(path)).unwrap_or_default();
        self.tell(News::Progress(Progress { file, nth: place + 1, of: self.wish.files.len(), stage }));
    }

    fn open(&self) -> Result<Browser, String> {
        let files = &self.wish.files;
        let named = |place: usize| move |error: OpenError| format!("{}: {error}", shown(&files[place]));
        let mut histograms = Vec::new();
        for (place, path) in files.iter().enumerate() {
            open::check_is_file(path).map_err(named(place))?;
            if let Some(histogram) = histogram::of_file(path).map_err(|why| format!("{}: {why}", shown(path)))? {
                histograms.push(histogram);
            }
        }
        if !histograms.is_empty() {
            return of_histograms(files, histograms);
        }
        let Some((last, earlier)) = files.split_last() else { return Err("no file is named".into()) };
        let latest = self.explorer(files.len() - 1, None).map_err(named(files.len() - 1))?;
        if earlier.is_empty() {
            return Ok(Browser::of_heap(name_of(last), latest));
        }
        let mut summaries = Vec::new();
        for (place, path) in earlier.iter().enumerate() {
            let explorer = self.explorer(place, Some(&latest)).map_err(named(place))?;
            let summary = Summary::of(&explorer).map_err(|why| format!("{}: {why}", shown(path)))?;
            summaries.push((name_of(path), summary));
        }
        self.progress(files.len() - 1, Stage::Comparing);
        Browser::of_growth(summaries, name_of(last), latest).map_err(|why| why.to_string())
    }

    /// Reads the file at a place and computes what every question needs.
    fn explorer(&self, place: usize, later: Option<&Explorer>) -> Result<Explorer, OpenError> {
        let mut told = 0;
        self.progress(place, Stage::Read(0, None));
        let mut watch = Watch {
            is_over: Some(&self.shared.is_over),
            read: &mut |position, length| {
                if position >= told + STEP {
                    told = position;
                    self.progress(place, Stage::Read(position, length));
                }
            },
        };
        let graph = open::graph(&self.wish.files[place], self.wish.is_forced, &mut watch)?;
        let explorer = Explorer::stoppable(graph, later, &mut |phase| {
            self.progress(place, Stage::Phase(phase));
            open::go_on(&self.shared.is_over)
        })?;
        Ok(explorer)
    }
}

/// Counts by class: the last file, compared with the first where there are several.
fn of_histograms(files: &[PathBuf], mut histograms: Vec<Histogram>) -> Result<Browser, String> {
    if histograms.len() < files.len() {
        return Err(tr!("some of the files are heap snapshots and some are histograms: open those of one kind").into());
    }
    let totals = files.iter().zip(&histograms).map(|(path, histogram)| (name_of(path), histogram.total().1)).collect();
    let Some(latest) = histograms.pop() else { return Err("no file is named".into()) };
    let first = (!histograms.is_empty()).then(|| histograms.swap_remove(0));
    if first.as_ref().is_some_and(|first| first.kind != latest.kind) {
        return Err(tr!("one is of a JVM and one of Go: they can't be compared").into());
    }
    Ok(Browser::of_histograms(first, latest, totals))
}

fn name_of(path: &Path) -> String {
    shown(path.file_name().unwrap_or(path.as_os_str()))
}

fn shown(path: impl AsRef<OsStr>) -> String {
    escape(path.as_ref().as_encoded_bytes()).into_owned()
}
