//! A session running beside its face: one thread reads the kernel, one keeps the state and answers. A slow /proc
//! holds up neither a key press nor a request.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::closer::CloserLooks;
use super::inspect::{Inspecting, Looked};
use super::request::Request;
use super::source::Source;
use super::state::Session;
use super::survey::Surveys;
use super::taping::Taping;
use super::update::Update;
use crate::collect::demand::Demand;
use crate::collect::root::ProcRoot;
use crate::model::deed::Deed;
use crate::model::key::ProcessKey;
use crate::model::sample::Sample;
use crate::model::survey::{Survey, SurveyWish};
use crate::record::recorder::Settings;

/// What a session tells its face.
#[derive(Clone, Debug)]
pub enum Published {
    /// The world, after a sample or a request.
    Update(Arc<Update>),
    /// There will be no further sample, and why.
    Failed(String),
}

/// A running session. It ends when this is dropped.
pub struct SessionHandle {
    messages: Sender<Message>,
    wish: Arc<Wish>,
    surveys: Surveys,
    /// Ends with the thread that keeps the state.
    over: Receiver<()>,
}

enum Message {
    Sample(Box<Sample>),
    Request(Box<Request>),
    Looked(ProcessKey, Looked),
    Record(Option<Box<Settings>>),
    Deed(Box<Deed>),
    Survey(Option<Arc<Survey>>),
    Failed(String),
    End,
}

/// What the collector thread is to read and when; the face writes it.
struct Wish {
    state: Mutex<WishState>,
    changed: Condvar,
    /// Samples given to the session thread and not taken in yet.
    waiting: AtomicU32,
}

struct WishState {
    demand: Demand,
    interval: Duration,
    is_new: bool,
    is_over: bool,
    /// Whether samples are recorded.
    is_taped: bool,
}

/// After the first sample, which holds only what can be read at once, the next one follows soon.
const AFTER_FIRST: Duration = Duration::from_millis(100);

/// Samples that may wait while another is taken in: beyond that a slow session costs samples, not memory.
const MOST_WAITING: u32 = 2;

/// A new wish is read for before its time, but not sooner than this after the sample before.
const BETWEEN_WISHES: Duration = Duration::from_millis(250);

impl SessionHandle {
    /// Starts reading with the first request and publishes from then on. `publish` is called on the session's
    /// thread and must not block.
    pub fn spawn(
        source: Box<dyn Source + Send>,
        first: Request,
        publish: impl FnMut(Published) + Send + 'static,
    ) -> io::Result<Self> {
        let (messages, inbox) = channel();
        let wish = Arc::new(Wish {
            state: Mutex::new(WishState {
                demand: first.demand.clone(),
                interval: first.interval,
                is_new: false,
                is_over: false,
                is_taped: false,
            }),
            changed: Condvar::new(),
            waiting: AtomicU32::new(0),
        });
        let survey_root = source.survey_root();
        let for_surveys = messages.clone();
        let surveys = Surveys::new(survey_root, move || {
            let messages = for_surveys.clone();
            Box::new(move |survey| messages.send(Message::Survey(survey)).is_ok())
        });
        surveys.ask(wish_of(&first));
        let inspector = source.inspector();
        let root = source.survey_root();
        let collector = CollectorThread { source, root, wish: Arc::clone(&wish), messages: messages.clone() };
        Builder::new().name("collect".into()).spawn(move || collector.run())?;
        let (waiting, back) = (Arc::clone(&wish), messages.clone());
        let (is_running, over) = sync_channel(0);
        let state = State { inspecting: Inspecting::new(inspector), is_running, taping: None };
        Builder::new().name("session".into()).spawn(move || run(&inbox, &back, &waiting, state, first, publish))?;
        Ok(Self { messages, wish, surveys, over })
    }

    /// Replaces the wish. It is answered at once from what is known; what has to be read for it comes with the next
    /// sample.
    pub fn request(&self, request: Request) {
        let mut state = self.wish.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.demand != request.demand || state.interval != request.interval {
            state.demand = request.demand.clone();
            state.interval = request.interval;
            state.is_new = true;
            self.wish.changed.notify_one();
        }
        drop(state);
        self.surveys.ask(wish_of(&request));
        // A session that has failed no longer listens, and has said so.
        let _ = self.messages.send(Message::Request(Box::new(request)));
    }
}

impl SessionHandle {
    /// Begins a recording of every further sample, in place of one that goes on; `None` ends it.
    pub fn record(&self, settings: Option<Settings>) {
        self.wish.state.lock().unwrap_or_else(PoisonError::into_inner).is_taped = settings.is_some();
        // As above.
        let _ = self.messages.send(Message::Record(settings.map(Box::new)));
    }

    /// What takes in what was done, for the recording that goes on.
    pub fn noter(&self) -> Noter {
        Noter { messages: self.messages.clone() }
    }
}

/// Takes in what was done to the machine; never blocks.
#[derive(Clone)]
pub struct Noter {
    messages: Sender<Message>,
}

impl Noter {
    /// Something was done: it is recorded if a recording goes on.
    pub fn note(&self, deed: Deed) {
        // Where the session is over nothing is recorded any more.
        let _ = self.messages.send(Message::Deed(Box::new(deed)));
    }
}

/// What was done last may still have to be written: a disk that hangs does not hold up the end for longer.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.wish.state.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.wish.changed.notify_one();
        let _ = self.messages.send(Message::End);
        // It comes back when the other end is gone.
        let _ = self.over.recv_timeout(LAST_WORDS);
    }
}

/// What is to be surveyed for a request.
fn wish_of(request: &Request) -> SurveyWish {
    request.system.as_ref().map(|wish| wish.survey).unwrap_or_default()
}

/// What the session's thread has beside the session itself.
struct State {
    inspecting: Inspecting,
    taping: Option<Taping>,
    /// Goes with the thread.
    is_running: SyncSender<()>,
}

fn run(
    inbox: &Receiver<Message>,
    back: &Sender<Message>,
    wish: &Wish,
    state: State,
    mut request: Request,
    mut publish: impl FnMut(Published),
) {
    let mut session = Session::default();
    let State { mut inspecting, mut taping, is_running: _running } = state;
    let last = |session: &Session| session.latest().map(|latest| Arc::clone(&latest.sample));
    while let Ok(message) = inbox.recv() {
        match message {
            Message::Sample(mut sample) => {
                if let Some(taping) = &mut taping {
                    taping.append(&mut sample);
                }
                session.ingest(*sample);
                wish.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Message::Request(newer) => {
                request = *newer;
                let back = back.clone();
                // Where the session is over there is nobody to show it to.
                let send = move |key, looked| drop(back.send(Message::Looked(key, looked)));
                inspecting.want(request.inspect, request.interval, send);
            }
            Message::Looked(key, looked) => inspecting.take(key, looked),
            Message::Survey(survey) => session.take_survey(survey),
            Message::Record(settings) => {
                // It may be of the same file: the old one lets go of it first.
                if let Some(taping) = taping.take() {
                    taping.end(last(&session).as_deref());
                }
                taping = settings.map(|settings| Taping::begin(*settings));
            }
            Message::Failed(why) => {
                publish(Published::Failed(why));
                continue;
            }
            Message::Deed(deed) => {
                if let Some(taping) = &mut taping {
                    taping.note(*deed);
                }
                continue;
            }
            Message::End => {
                if let Some(taping) = taping.take() {
                    taping.end(last(&session).as_deref());
                }
                return;
            }
        }
        if let Some(mut update) = session.answer(&request) {
            update.inspection = inspecting.latest().filter(|_| !update.timeline.is_past);
            update.taped = taping.as_ref().map(Taping::shown);
            publish(Published::Update(Arc::new(update)));
        }
    }
}

struct CollectorThread {
    source: Box<dyn Source + Send>,
    root: Option<ProcRoot>,
    wish: Arc<Wish>,
    messages: Sender<Message>,
}

impl CollectorThread {
    fn run(mut self) {
        let mut pause = AFTER_FIRST;
        let mut missed = 0;
        let mut looks: Option<CloserLooks> = None;
        loop {
            let began = Instant::now();
            let (mut demand, interval, is_taped) = {
                let mut state = self.lock();
                state.is_new = false;
                (state.demand.clone(), state.interval, state.is_taped)
            };
            if is_taped {
                looks.get_or_insert_with(|| CloserLooks::new(self.root.clone()));
            } else {
                looks = None;
            }
            let is_due = looks.as_ref().is_some_and(|looks| looks.is_due(interval));
            demand.cgroups |= is_due;
            match self.source.next(&demand, interval) {
                Ok(_) if self.wish.waiting.load(Ordering::Relaxed) >= MOST_WAITING => missed += 1,
                Ok(mut sample) => {
                    sample.scan.missed = std::mem::take(&mut missed);
                    if let Some(looks) = &mut looks {
                        looks.add_to(&mut sample, is_due);
                    }
                    self.wish.waiting.fetch_add(1, Ordering::Relaxed);
                    if self.messages.send(Message::Sample(Box::new(sample))).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    // Without a listener there is nobody to tell.
                    let _ = self.messages.send(Message::Failed(error.to_string()));
                    return;
                }
            }
            if self.wait(began, pause) {
                return;
            }
            pause = Duration::MAX;
        }
    }

    /// Waits for the next turn. True when the session is over.
    fn wait(&self, began: Instant, pause: Duration) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return true;
            }
            let due = if state.is_new { BETWEEN_WISHES.min(state.interval) } else { pause.min(state.interval) };
            let left = due.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            state = self.wish.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, WishState> {
        self.wish.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
