//! A session running beside its face: one thread reads the kernel, one keeps the state and answers. A slow /proc
//! holds up neither a key press nor a request.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::request::Request;
use super::source::Source;
use super::state::Session;
use super::taping::Taping;
use super::update::Update;
use crate::collect::demand::Demand;
use crate::model::sample::Sample;
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
}

enum Message {
    Sample(Box<Sample>),
    Request(Box<Request>),
    Record(Option<Box<Settings>>),
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
            }),
            changed: Condvar::new(),
            waiting: AtomicU32::new(0),
        });
        let collector = CollectorThread { source, wish: Arc::clone(&wish), messages: messages.clone() };
        Builder::new().name("collect".into()).spawn(move || collector.run())?;
        let waiting = Arc::clone(&wish);
        Builder::new().name("session".into()).spawn(move || run(&inbox, &waiting, first, publish))?;
        Ok(Self { messages, wish })
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
        // A session that has failed no longer listens, and has said so.
        let _ = self.messages.send(Message::Request(Box::new(request)));
    }
}

impl SessionHandle {
    /// Begins a recording of every further sample, in place of one that goes on; `None` ends it.
    pub fn record(&self, settings: Option<Settings>) {
        // As above.
        let _ = self.messages.send(Message::Record(settings.map(Box::new)));
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.wish.state.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.wish.changed.notify_one();
        let _ = self.messages.send(Message::End);
    }
}

fn run(inbox: &Receiver<Message>, wish: &Wish, mut request: Request, mut publish: impl FnMut(Published)) {
    let mut session = Session::default();
    let mut taping: Option<Taping> = None;
    while let Ok(message) = inbox.recv() {
        match message {
            Message::Sample(sample) => {
                if let Some(taping) = &mut taping {
                    taping.append(&sample);
                }
                session.ingest(*sample);
                wish.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Message::Request(newer) => request = *newer,
            Message::Record(settings) => {
                // It may be of the same file: the old one lets go of it first.
                drop(taping.take());
                taping = settings.map(|settings| Taping::begin(*settings));
            }
            Message::Failed(why) => {
                publish(Published::Failed(why));
                continue;
            }
            Message::End => return,
        }
        if let Some(mut update) = session.answer(&request) {
            update.taped = taping.as_ref().map(Taping::shown);
            publish(Published::Update(Arc::new(update)));
        }
    }
}

struct CollectorThread {
    source: Box<dyn Source + Send>,
    wish: Arc<Wish>,
    messages: Sender<Message>,
}

impl CollectorThread {
    fn run(mut self) {
        let mut pause = AFTER_FIRST;
        let mut missed = 0;
        loop {
            let began = Instant::now();
            let (demand, interval) = {
                let mut state = self.lock();
                state.is_new = false;
                (state.demand.clone(), state.interval)
            };
            match self.source.next(&demand, interval) {
                Ok(_) if self.wish.waiting.load(Ordering::Relaxed) >= MOST_WAITING => missed += 1,
                Ok(mut sample) => {
                    sample.scan.missed = std::mem::take(&mut missed);
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
