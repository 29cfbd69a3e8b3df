//! The loop: what happens, what it means, one frame.

use std::io;
use std::sync::Arc;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::app::{App, Command};
use super::event::{clock, until_next_second};
use super::pace::{Change, Pace};
use super::settings::Settings;
use super::terminal::Terminal;
use super::theme::Role;
use super::view;
use crate::act::effect::{Effect, Outcome};
use crate::session::heap::{HeapNews, HeapWish};
use crate::session::request::Request;
use crate::session::thread::Published;

/// Writes settings and says where, or why not.
pub type Save = Box<dyn Fn(&Settings) -> Result<String, String>>;

/// What the face needs from outside.
pub struct Ports {
    /// Takes the face's wishes; never blocks.
    pub request: Box<dyn Fn(Request)>,
    /// Carries effects out; never blocks.
    pub run: Box<dyn Fn(Effect)>,
    /// Stops the effects that are under way and can be stopped.
    pub stop: Box<dyn Fn()>,
    /// Writes settings.
    pub save: Save,
    /// Begins a recording, or ends it; never blocks.
    pub record: Box<dyn Fn(bool)>,
    /// What the session publishes.
    pub published: UnboundedReceiver<Published>,
    /// What came of effects.
    pub outcomes: UnboundedReceiver<Outcome>,
    /// Takes which heap is to be open, and what of it is looked at; never blocks.
    pub heap: Box<dyn FnMut(Option<HeapWish>)>,
    /// What is told of heaps.
    pub heaps: UnboundedReceiver<HeapNews>,
}

/// Why the face ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The person wanted it.
    Quit,
    /// A signal asked for it, by its number.
    Signal(i32),
    /// The terminal is gone.
    Hangup,
}

struct Signals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
    resumed: Signal,
}

/// Runs the face until it is left.
pub async fn run(mut app: App, mut ports: Ports, has_mouse: bool) -> io::Result<End> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        hangup: signal(SignalKind::hangup())?,
        interrupt: signal(SignalKind::interrupt())?,
        resumed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
    };
    let mut terminal = Terminal::take(has_mouse)?;
    let mut events = EventStream::new();
    app.set_clock(clock());
    app.resize(Terminal::size()?);
    let mut asked = None;
    let mut heap_asked = None;
    let mut frames = Pace::new();
    let mut tick = Instant::now() + until_next_second();
    loop {
        let request = app.request();
        if asked.as_ref() != Some(&request) {
            (ports.request)(request.clone());
            asked = Some(request);
        }
        ask_for_heap(&app, &mut heap_asked, &mut ports.heap);
        let now = Instant::now().into_std();
        let mut due = frames.due(now);
        if due.is_some_and(|due| due <= now) {
            let area = app.area;
            match terminal.draw(area, |buf| view::draw(&app, buf)) {
                Err(error) if is_gone(&error) => return Ok(End::Hangup),
                drawn => drawn?,
            }
            frames.drawn(now);
            due = None;
        }
        let mut commands = Vec::new();
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => return Ok(End::Signal(SignalKind::terminate().as_raw_value())),
            _ = signals.hangup.recv() => return Ok(End::Hangup),
            _ = signals.interrupt.recv() => return Ok(End::Signal(SignalKind::interrupt().as_raw_value())),
            _ = signals.resumed.recv() => {
                // Stopped by somebody else and continued: the shell has had the terminal meanwhile.
                terminal.enter()?;
                app.resize(Terminal::size()?);
                frames.note(Change::Asked);
            }
            event = events.next() => match event {
                None => return Ok(End::Hangup),
                Some(Err(error)) if is_gone(&error) => return Ok(End::Hangup),
                Some(Err(error)) => return Err(error),
                Some(Ok(event)) => {
                    commands = handle(&mut app, event);
                    frames.note(Change::Asked);
                }
            },
            Some(published) = ports.published.recv() => {
                // Who sees nothing yet waits for the first look.
                frames.note(if app.update.is_none() { Change::Asked } else { Change::Passive });
                take_published(&mut app, published, &mut ports.published);
            }
            Some(outcome) = ports.outcomes.recv() => {
                app.outcome(outcome);
                frames.note(Change::Asked);
            }
            Some(news) = ports.heaps.recv() => {
                take_heaps(&mut app, news, &mut ports.heaps);
                frames.note(Change::Asked);
            }
            () = sleep_until(tick) => {
                tick = Instant::now() + until_next_second();
                app.set_clock(clock());
                frames.note(Change::Passive);
            }
            () = sleep_until(due.unwrap_or(now).into()), if due.is_some() => {}
        }
        for command in commands {
            match command {
                Command::Quit => return Ok(End::Quit),
                Command::Redraw => terminal.redraw(),
                Command::Run(effect) => (ports.run)(effect),
                Command::Record(begins) => (ports.record)(begins),
                Command::Stop => (ports.stop)(),
                Command::Save(settings) => match (ports.save)(&settings) {
                    Ok(place) => app.say(tr!("saved to {place}", place), Role::Good),
                    Err(why) => app.say(why, Role::Danger),
                },
                Command::Suspend if !Terminal::has_shell() => {
                    app.say(tr!("no shell waits here that could bring memtide back"), Role::Warn);
                }
                Command::Suspend => {
                    terminal.leave()?;
                    // The whole job, with a script that may have started us. SIGTSTP, not SIGSTOP: where nobody could
                    // ever continue us, the kernel discards it. It returns with fg.
                    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
                    terminal.enter()?;
                    app.resize(Terminal::size()?);
                }
            }
        }
    }
}

/// Takes what the session published: only the newest of what waits is worth a look.
fn take_published(app: &mut App, first: Published, more: &mut UnboundedReceiver<Published>) {
    let mut newest = first;
    while let Ok(newer) = more.try_recv() {
        newest = newer;
    }
    match newest {
        Published::Update(update) => app.take(Arc::clone(&update)),
        Published::Failed(why) => app.fail(&why),
    }
}

/// Tells which heap is to be open and what of it is looked at, where that became another.
fn ask_for_heap(app: &App, asked: &mut Option<HeapWish>, ask: &mut dyn FnMut(Option<HeapWish>)) {
    let wish = app.heap_wish();
    if *asked != wish {
        ask(wish.clone());
        *asked = wish;
    }
}

/// Takes what is told of a heap, all that waits at once.
fn take_heaps(app: &mut App, first: HeapNews, more: &mut UnboundedReceiver<HeapNews>) {
    app.take_heap(first);
    while let Ok(news) = more.try_recv() {
        app.take_heap(news);
    }
}

/// Whether a write or a read failed because nobody is at the other end.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn handle(app: &mut App, event: Event) -> Vec<Command> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => app.press(key),
        Event::Mouse(mouse) => app.point(mouse, Instant::now().into_std()),
        Event::Resize(width, height) => {
            app.resize(Terminal::area(width, height));
            Vec::new()
        }
        Event::Paste(text) => app.paste(&text),
        _ => Vec::new(),
    }
}
