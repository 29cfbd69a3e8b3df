//! Heaps that a face walks through: a thread opens the files, keeps the graph, and answers for as long as somebody wants
//! it. Neither a key press nor a frame waits for it; what it holds is free again once nobody does.

pub mod histogram;
pub mod open;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::heap::browse::{Aside, Opened, Page, Question, Sort};
use crate::lang;

/// What is to be opened, and what of it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct HeapWish {
    /// Another number is another opening, whatever the files.
    pub serial: u64,
    /// The files, the oldest first; one at least.
    pub files: Arc<[PathBuf]>,
    /// Opens them even where memory is short.
    pub is_forced: bool,
    /// What is looked at; nothing while they are being opened.
    pub ask: Option<Ask>,
}

/// A part of a list, and what is told beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The list.
    pub question: Question,
    /// Its order.
    pub sort: Sort,
    /// Its first line, and the one after its last.
    pub page: (usize, usize),
    /// What is told beside it.
    pub aside: Option<Aside>,
}

/// What is told of an opening.
#[derive(Clone, Debug)]
pub struct HeapNews {
    /// Of which.
    pub serial: u64,
    /// What.
    pub what: News,
}

/// How it goes.
#[derive(Clone, Debug)]
pub enum News {
    /// It is being opened.
    Progress(Progress),
    /// It can't be opened: a sentence without its full stop.
    Failed(String),
    /// It is open.
    Opened(Arc<Opened>),
    /// The part of the list that was asked for.
    Page(Arc<Page>),
    /// What is told beside it.
    Told(Aside, Arc<[String]>),
    /// A list can't be had: a sentence without its full stop.
    Trouble(String),
}

/// How far an opening is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file's name, escaped; empty while an earlier opening has not ended.
    pub file: String,
    /// Which of so many it is, from 1.
    pub nth: usize,
    /// See above.
    pub of: usize,
    /// What is being done.
    pub stage: Stage,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// An earlier opening comes to its end.
    Waiting,
    /// So many bytes have been read, of so many where that is known.
    Read(u64, Option<u64>),
    /// Something is computed.
    Phase(crate::heap::explorer::Phase),
    /// Several are compared.
    Comparing,
}

/// Takes news; must not block.
pub type Tell = Arc<dyn Fn(HeapNews) + Send + Sync>;

/// Opens what is wished for. What is open is given up when this is dropped.
pub struct HeapHandle {
    tell: Tell,
    current: Option<Running>,
    /// Who was stopped and may hold memory still.
    last: Option<JoinHandle<()>>,
}

struct Running {
    serial: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker is to do; the face writes it.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    ask: Option<Ask>,
    is_new: bool,
}

impl HeapHandle {
    /// Nothing is open.
    pub fn new(tell: Tell) -> Self {
        Self { tell, current: None, last: None }
    }

    /// Replaces the wish; never blocks.
    pub fn want(&mut self, wish: Option<HeapWish>) {
        let Some(wish) = wish else {
            self.stop();
            return;
        };
        if let Some(running) = self.current.as_ref().filter(|running| running.serial == wish.serial) {
            running.shared.replace(wish.ask);
            return;
        }
        self.stop();
        let shared = Arc::new(Shared {
            state: Mutex::new(State { is_new: wish.ask.is_some(), ask: wish.ask.clone() }),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        let serial = wish.serial;
        // Two graphs at once may be more than the machine has.
        let before = self.last.take();
        let worker = worker::Worker { wish, shared: Arc::clone(&shared), tell: Arc::clone(&self.tell) };
        let language = lang::spoken();
        let run = move || {
            // What it says is for the screen alone, whose language is that of who asks for it.
            let _speaking = lang::speak(language);
            worker.run(before);
        };
        match Builder::new().name("heap".into()).spawn(run) {
            Ok(thread) => self.current = Some(Running { serial, shared, thread: Some(thread) }),
            Err(error) => {
                let why = tr!("no thread could be started: {error}", error);
                (self.tell)(HeapNews { serial, what: News::Failed(why) });
            }
        }
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.current.take() {
            running.shared.end();
            self.last = running.thread.take();
        }
    }
}

impl Drop for HeapHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, ask: Option<Ask>) {
        let mut state = self.lock();
        state.is_new |= ask.is_some() && state.ask != ask;
        state.ask = ask;
        self.changed.notify_one();
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        let state = self.lock();
        self.changed.notify_one();
        drop(state);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether something else was asked for meanwhile.
    fn has_more(&self) -> bool {
        self.is_over() || self.lock().is_new
    }

    /// Waits for a question that was not answered yet; `None` when it is over.
    fn next(&self) -> Option<Ask> {
        let mut state = self.lock();
        loop {
            if self.is_over() {
                return None;
            }
            if state.is_new {
                state.is_new = false;
                if let Some(ask) = state.ask.clone() {
                    return Some(ask);
                }
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
