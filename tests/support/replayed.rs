//! The face over a recording, without a terminal: a replay on its thread behind it, keys in, cells out.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use memtide::act::effect::Effect;
use memtide::act::plan::{Caches, plan};
use memtide::collect::root::ProcRoot;
use memtide::model::key::ProcessKey;
use memtide::model::reading::BootMs;
use memtide::model::sample::Sample;
use memtide::record::reader::Reader;
use memtide::session::replay::ReplayHandle;
use memtide::session::request::Request;
use memtide::session::thread::Published;
use memtide::session::update::Update;
use memtide::tui::app::App;
use memtide::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::face::{event, line, options};
use super::recordings::write;

/// Longer than any replay of a test takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A face, and the replay that it shows.
pub struct Replayed {
    app: App,
    replay: ReplayHandle,
    published: Receiver<Published>,
    latest: Option<Arc<Update>>,
    /// Whether closer looks were recorded.
    has_closer: bool,
    area: Rect,
}

impl Replayed {
    /// The first moment of what was recorded, judged.
    pub fn new(samples: &[Sample], (width, height): (u16, u16)) -> Self {
        let has_closer = samples.iter().all(|sample| sample.closer.is_some());
        let bytes = write(samples).bytes;
        let readers = [Reader::of_bytes(bytes.clone()), Reader::of_bytes(bytes)];
        let root = ProcRoot::recorded(std::path::Path::new("/nonexistent"));
        let planner = move |effect: &Effect| plan(effect, &root, Caches { clean: None, slab: None });
        let mut app = App::new(options(), Box::new(planner)).unwrap();
        let area = Rect::new(0, 0, width, height);
        app.resize(area);
        app.begin_at(BootMs(1));
        let (publish, published) = channel();
        let publish = move |update| drop(publish.send(update));
        let replay = ReplayHandle::spawn(readers, app.request(), publish).unwrap();
        let mut replayed = Self { app, replay, published, latest: None, has_closer, area };
        replayed.settle();
        replayed
    }

    /// Gives the face what it asks for, until it asks for nothing else and all of it has been judged.
    fn settle(&mut self) {
        let mut asked = None;
        loop {
            let request = self.app.request();
            if asked.as_ref() != Some(&request) {
                self.replay.request(request.clone());
                asked = Some(request.clone());
            }
            if self.latest.as_ref().is_some_and(|update| is_answer(update, &request, self.has_closer)) {
                return;
            }
            let Ok(Published::Update(update)) = self.published.recv_timeout(PATIENCE) else {
                let shown = self.latest.as_ref().map(|update| (update.timeline, update.replay.clone()));
                panic!("no answer to {request:?}: {shown:?}")
            };
            self.app.take(Arc::clone(&update));
            self.latest = Some(update);
        }
    }

    /// Presses keys, with a space between their names, and waits for what comes of each.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            self.app.press(event(key));
            self.settle();
        }
        self
    }

    /// Types a text as it is.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.app.press(event(&letter.to_string()));
        }
        self
    }

    /// What is on the screen.
    pub fn lines(&self) -> Vec<String> {
        let mut buf = Buffer::empty(self.area);
        view::draw(&self.app, &mut buf);
        (0..self.area.height).map(|row| line(&buf, row)).collect()
    }
}

/// Whether an update is what comes of a request, and complete.
fn is_answer(update: &Update, request: &Request, has_closer: bool) -> bool {
    let (replay, timeline) = (update.replay.as_ref().unwrap(), &update.timeline);
    let is_there = match (request.hunt, request.at) {
        (Some(hunt), _) => replay.found.as_ref().is_some_and(|(of, _)| *of == hunt),
        (None, Some(at)) => timeline.shown <= at && timeline.later.is_none_or(|later| later > at),
        (None, None) => timeline.later.is_none(),
    };
    let is_alive = |key: &&ProcessKey| update.snapshot.sample.process(**key).is_some();
    is_there
        && replay.judged.is_none()
        && update.machine.len() == request.machine_points
        && request.series.iter().filter(is_alive).all(|key| update.series.contains_key(key))
        && update.system.is_some() == request.system.is_some()
        && update.cgroups.is_some() == (request.demand.cgroups && has_closer)
}
