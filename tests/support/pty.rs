//! A program in a real pseudo-terminal, read through a terminal emulator and driven by keys.
//!
//! Every wait is for a condition of the screen; a synchronized update is seen whole or not at all, as a person
//! sees it. The terminal answers the queries that programs send (cursor position, device attributes).

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::MouseProtocolMode;

use super::screen::Screen;

/// How long a condition may take to come true before the test fails: long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A command that is to run in a terminal.
pub struct Command {
    builder: CommandBuilder,
    columns: u16,
    rows: u16,
}

impl Command {
    /// A program in a terminal of 80x24 with a clean environment for colours.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut builder = CommandBuilder::new(program);
        builder.env("TERM", "xterm-256color");
        builder.env("LANG", "C.UTF-8");
        // Nothing is noted there, so no hints of a first start stand over what a test looks for.
        builder.env("XDG_STATE_HOME", "/dev/null");
        for name in ["LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM"] {
            builder.env_remove(name);
        }
        Self { builder, columns: 80, rows: 24 }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.builder.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.builder.env(name, value);
        self
    }

    /// Sets the folder it runs in.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.builder.cwd(folder);
        self
    }

    /// Sets the size of the terminal.
    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        (self.columns, self.rows) = (columns, rows);
        self
    }

    /// Starts it.
    pub fn start(self) -> Terminal {
        let pair = native_pty_system().openpty(size(self.columns, self.rows)).unwrap();
        let modes = modes(&*pair.master);
        let writer = Arc::new(Mutex::new(Some(pair.master.take_writer().unwrap())));
        let reader = pair.master.try_clone_reader().unwrap();
        let child = pair.slave.spawn_command(self.builder).unwrap();
        drop(pair.slave);
        let view = Arc::new(View { state: Mutex::new(State::new(self.columns, self.rows)), changed: Condvar::new() });
        let thread = thread::spawn({
            let (view, writer) = (Arc::clone(&view), Arc::clone(&writer));
            move || read_output(reader, &view, &writer)
        });
        Terminal { view, writer, master: Some(pair.master), child, thread: Some(thread), modes }
    }
}

type Writer = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// A running program and the terminal it is in. Dropping it kills the program.
pub struct Terminal {
    view: Arc<View>,
    writer: Writer,
    master: Option<Box<dyn MasterPty + Send>>,
    child: Box<dyn Child + Send + Sync>,
    thread: Option<JoinHandle<()>>,
    modes: String,
}

impl Terminal {
    /// Waits until the screen satisfies a condition and gives that screen; `what` is named where it never does.
    pub fn wait_for(&self, what: &str, mut condition: impl FnMut(&Screen) -> bool) -> Screen {
        let state = self.wait(what, |state| condition(&state.screen()));
        state.screen()
    }

    /// The same for what takes its time: a verdict.
    pub fn wait_long_for(&self, what: &str, mut condition: impl FnMut(&Screen) -> bool) -> Screen {
        self.wait_within(5 * PATIENCE, what, |state| condition(&state.screen())).screen()
    }

    fn wait(&self, what: &str, condition: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        self.wait_within(PATIENCE, what, condition)
    }

    fn wait_within(
        &self,
        patience: Duration,
        what: &str,
        mut condition: impl FnMut(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + patience;
        let mut state = self.view.lock();
        while !condition(&state) {
            assert!(!state.ended, "the program ended before: {what}\n{}", state.screen().framed());
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for: {what}\n{}", state.screen().framed());
            state = self.view.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Waits until a text can be read on the screen.
    pub fn wait_for_text(&self, text: &str) -> Screen {
        self.wait_for(&format!("`{text}` on the screen"), |screen| screen.contains(text))
    }

    /// Waits until a text can no longer be read on the screen.
    pub fn wait_until_gone(&self, text: &str) -> Screen {
        self.wait_for(&format!("`{text}` gone from the screen"), |screen| !screen.contains(text))
    }

    /// Waits until the program has sent these bytes, whether or not they can be seen.
    pub fn wait_for_bytes(&self, bytes: &[u8]) {
        let what = format!("the bytes {:?}", String::from_utf8_lossy(bytes));
        drop(self.wait(&what, |state| state.raw.windows(bytes.len()).any(|window| window == bytes)));
    }

    /// Waits until the program has sent something from now on.
    pub fn wait_for_output(&self) -> Screen {
        let before = self.bytes();
        self.wait("output", |state| state.parser.callbacks().bytes > before).screen()
    }

    /// The screen as it is now.
    pub fn screen(&self) -> Screen {
        self.view.lock().screen()
    }

    /// Presses keys, by name (`F6`, `Enter`, `C-z`) or as the character itself.
    pub fn press(&self, key: &str) {
        self.send(super::keys::bytes(key).as_slice());
    }

    /// Presses several keys, with a space between their names.
    pub fn keys(&self, keys: &str) {
        keys.split(' ').for_each(|key| self.press(key));
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) {
        self.send(text.as_bytes());
    }

    /// Presses and releases the left button on a cell, both counted from 0.
    pub fn click(&self, column: u16, row: u16) {
        let (column, row) = (column + 1, row + 1);
        self.send(format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m").as_bytes());
    }

    fn send(&self, bytes: &[u8]) {
        let mut writer = self.writer.lock().unwrap();
        let writer = writer.as_mut().expect("the terminal is still there");
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    /// Changes the size of the terminal, as dragging its window does.
    pub fn resize(&self, columns: u16, rows: u16) {
        let mut state = self.view.lock();
        state.resize(columns, rows);
        self.master.as_ref().expect("the terminal is still there").resize(size(columns, rows)).unwrap();
    }

    /// Bytes that the program has sent so far.
    pub fn bytes(&self) -> u64 {
        self.view.lock().parser.callbacks().bytes
    }

    /// Synchronized updates that the program has completed so far.
    pub fn updates(&self) -> u64 {
        self.view.lock().parser.callbacks().updates
    }

    /// Everything the program has sent so far, as it came.
    pub fn raw(&self) -> Vec<u8> {
        self.view.lock().raw.clone()
    }

    /// The program's pid.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until the program has ended and everything it wrote has been read.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        drop(self.wait("the program's end", |state| state.ended));
        self.child.wait().unwrap()
    }

    /// Takes the terminal away, as a lost connection does, and waits for the program's end.
    pub fn hang_up(&mut self) -> ExitStatus {
        self.view.lock().hang_up = true;
        // The reader lets go of the terminal at the next output, which the change of size provokes.
        self.resize(79, 23);
        self.thread.take().expect("the reader runs").join().unwrap();
        self.writer.lock().unwrap().take();
        self.master.take();
        self.child.wait().unwrap()
    }

    /// What of the terminal's state differs from before the program started; empty where it was restored.
    pub fn left_behind(&self) -> Vec<String> {
        let state = self.view.lock();
        let screen = state.parser.screen();
        let mut left = Vec::new();
        let mut note = |is_left: bool, what: &str| is_left.then(|| left.push(what.to_owned()));
        note(screen.alternate_screen(), "the alternate screen");
        note(screen.hide_cursor(), "a hidden cursor");
        note(screen.mouse_protocol_mode() != MouseProtocolMode::None, "mouse reports");
        note(screen.bracketed_paste(), "bracketed paste");
        note(screen.application_cursor(), "application cursor keys");
        note(state.parser.callbacks().in_update, "an open synchronized update");
        note(state.parser.callbacks().focus_reports, "focus reports");
        drop(state);
        let modes = modes(&**self.master.as_ref().expect("the terminal is still there"));
        if modes != self.modes {
            left.push(format!("line modes {modes}, not {}", self.modes));
        }
        left
    }

    /// Fails where the program left anything of the terminal changed.
    pub fn assert_restored(&self) {
        assert_eq!(self.left_behind(), Vec::<String>::new(), "left behind\n{}", self.screen().framed());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only where the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// The line discipline's modes, readable.
fn modes(master: &dyn MasterPty) -> String {
    let modes = master.get_termios().expect("a pty has line modes");
    format!("{:?} {:?} {:?} {:?}", modes.input_flags, modes.output_flags, modes.control_flags, modes.local_flags)
}

struct View {
    state: Mutex<State>,
    changed: Condvar,
}

impl View {
    /// The state, also after a wait in vain has panicked with it in hand.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    parser: vt100::Parser<Answers>,
    raw: Vec<u8>,
    ended: bool,
    hang_up: bool,
}

impl State {
    fn new(columns: u16, rows: u16) -> Self {
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Answers::default());
        Self { parser, raw: Vec::new(), ended: false, hang_up: false }
    }

    /// The last complete screen: not the middle of a synchronized update.
    fn screen(&self) -> Screen {
        let answers = self.parser.callbacks();
        let complete = answers.complete.as_ref().filter(|_| answers.in_update);
        Screen::new(complete.unwrap_or_else(|| self.parser.screen()).clone())
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(rows, columns);
    }
}

/// What a terminal does beside drawing: it answers queries and knows where a synchronized update ends.
#[derive(Default)]
struct Answers {
    replies: Vec<u8>,
    in_update: bool,
    updates: u64,
    complete: Option<vt100::Screen>,
    focus_reports: bool,
    bytes: u64,
}

impl vt100::Callbacks for Answers {
    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        let first = params.first().and_then(|param| param.first()).copied().unwrap_or(0);
        match (i1, first, c) {
            (None, 6, 'n') => {
                let (row, column) = screen.cursor_position();
                self.replies.extend(format!("\x1b[{};{}R", row + 1, column + 1).bytes());
            }
            (None, 5, 'n') => self.replies.extend(b"\x1b[0n"),
            (None, 0, 'c') => self.replies.extend(b"\x1b[?62;22c"),
            (Some(b'>'), 0, 'c') => self.replies.extend(b"\x1b[>1;10;0c"),
            (Some(b'?'), 1004, 'h' | 'l') => self.focus_reports = c == 'h',
            // The screen is cloned as the update begins: until it ends, this is what can be seen.
            (Some(b'?'), 2026, 'h') => (self.in_update, self.complete) = (true, Some(screen.clone())),
            (Some(b'?'), 2026, 'l') => {
                self.updates += u64::from(self.in_update);
                (self.in_update, self.complete) = (false, None);
            }
            _ => {}
        }
    }
}

fn read_output(mut reader: Box<dyn Read + Send>, view: &View, writer: &Mutex<Option<Box<dyn Write + Send>>>) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = reader.read(&mut buffer).unwrap_or(0);
        let mut state = view.lock();
        state.ended = count == 0;
        state.raw.extend(&buffer[..count]);
        state.parser.callbacks_mut().bytes += count as u64;
        state.parser.process(&buffer[..count]);
        let replies = std::mem::take(&mut state.parser.callbacks_mut().replies);
        let is_over = state.ended || state.hang_up;
        drop(state);
        view.changed.notify_all();
        if is_over {
            return;
        }
        if let Some(writer) = writer.lock().unwrap().as_mut() {
            // A program that is gone wants no answer.
            let _ = writer.write_all(&replies);
        }
    }
}
