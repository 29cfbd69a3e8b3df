//! The terminal: taken over, painted with as few bytes as it takes, and given back whatever happens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::process::{getpgrp, getsid};
use rustix::termios::{LocalModes, tcgetattr};

/// Whether the terminal is ours: what is restored once need not be restored again.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. Dropping it gives it back.
pub struct Terminal {
    shown: Buffer,
    next: Buffer,
    bytes: Vec<u8>,
    has_mouse: bool,
    is_clear_due: bool,
}

impl Terminal {
    /// Takes the terminal over, and makes a panic give it back before it is reported.
    pub fn take(has_mouse: bool) -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Nothing more can be done about a terminal that is gone.
            let _ = restore();
            before(panic);
        }));
        let mut terminal = Self {
            shown: Buffer::default(),
            next: Buffer::default(),
            bytes: Vec::with_capacity(16 * 1024),
            has_mouse,
            is_clear_due: true,
        };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Takes the terminal over again after a suspension, whether or not it was given back before: who stopped us from
    /// outside left it to the shell, which set its own modes.
    pub fn enter(&mut self) -> io::Result<()> {
        if IS_TAKEN.load(Ordering::SeqCst) && tcgetattr(io::stdout())?.local_modes.contains(LocalModes::ICANON) {
            // Or the raw mode would be believed to be on.
            disable_raw_mode()?;
        }
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        execute!(io::stdout(), EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if self.has_mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.redraw();
        Ok(())
    }

    /// Gives the terminal back for a while.
    pub fn leave(&mut self) -> io::Result<()> {
        restore()
    }

    /// Whether a shell with job control could bring us back after a stop: not where our own group leads the session, as
    /// under `ssh -t host memtide`.
    pub fn has_shell() -> bool {
        getsid(None).is_ok_and(|session| session != getpgrp())
    }

    /// Makes the next frame a whole one.
    pub fn redraw(&mut self) {
        self.is_clear_due = true;
    }

    /// The terminal's size.
    pub fn size() -> io::Result<Rect> {
        crossterm::terminal::size().map(|(width, height)| Self::area(width, height))
    }

    /// The area of a terminal that says to be of this size. A serial console says 0 by 0: it is taken for one of 80 by
    /// 24.
    pub fn area(width: u16, height: u16) -> Rect {
        if width == 0 || height == 0 { Rect::new(0, 0, 80, 24) } else { Rect::new(0, 0, width, height) }
    }

    /// Draws a frame and sends the cells that changed, in one write, inside a synchronized update. Sends nothing where
    /// nothing changed.
    pub fn draw(&mut self, area: Rect, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        if !IS_TAKEN.load(Ordering::SeqCst) {
            // A thread has panicked: what it said stands on the screen that was there before, and stays readable.
            return Err(io::Error::other("given back, since a part of memtide has failed"));
        }
        if area.is_empty() {
            return Ok(());
        }
        if self.next.area == area {
            self.next.reset();
        } else {
            self.next = Buffer::empty(area);
            self.shown = Buffer::empty(area);
            self.is_clear_due = true;
        }
        draw(&mut self.next);
        self.bytes.clear();
        queue!(self.bytes, BeginSynchronizedUpdate)?;
        let empty = self.bytes.len();
        if std::mem::take(&mut self.is_clear_due) {
            queue!(self.bytes, Clear(ClearType::All))?;
            self.shown.reset();
        }
        let changes = self.shown.diff(&self.next);
        if !changes.is_empty() {
            CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
        }
        if self.bytes.len() > empty {
            queue!(self.bytes, EndSynchronizedUpdate)?;
            let mut out = io::stdout().lock();
            out.write_all(&self.bytes)?;
            out.flush()?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = restore();
    }
}

/// Gives the terminal back: as it was before it was taken.
fn restore() -> io::Result<()> {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let sent = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    disable_raw_mode().and(sent)
}
