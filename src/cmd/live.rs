//! The live view: session, executor and face wired together.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::mpsc::unbounded_channel;

use super::acts::Acts;
use super::{Usage, root};
use crate::act::journal::Journal;
use crate::act::plan::{Caches, plan};
use crate::cli::Common;
use crate::collect::root::ProcRoot;
use crate::config::said::Said;
use crate::config::{Environment, file, resolve, state};
use crate::lang;
use crate::record::place::EXTENSION;
use crate::record::recorder::Settings;
use crate::record::redact::Redaction;
use crate::session::heap::HeapHandle;
use crate::session::request::Request;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::session::thread::{Published, SessionHandle};
use crate::tui::app::App;
use crate::tui::run::{Ports, run as face};

/// What is noted once the hints have been shown.
const HINTS: &str = "hints-shown";

pub(super) fn run(flags: Said, common: &Common) -> anyhow::Result<ExitCode> {
    // A recorded tree is nobody's first look at a machine.
    let is_live = common.root.is_none();
    begin(flags, common, |app| {
        if is_live && app.wants_hints() && state::folder().is_some_and(|folder| state::note_once(&folder, HINTS)) {
            app.show_hints();
        }
    })
}

/// The live view, with the face prepared.
pub(super) fn begin(flags: Said, common: &Common, prepare: impl FnOnce(&mut App)) -> anyhow::Result<ExitCode> {
    let root = root(common);
    let source: Box<dyn Source + Send> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root.clone())?),
    };
    let start = |first: Request, publish: Publish| {
        let session = Rc::new(SessionHandle::spawn(source, first, publish)?);
        let (recorded, kept) = (Rc::clone(&session), Rc::clone(&session));
        Ok(Wishes {
            request: Box::new(move |request| session.request(request)),
            record: Box::new(move |begins| recorded.record(begins.then(recording))),
            session: Some(kept),
        })
    };
    show(flags, common, root, prepare, start)
}

/// Takes what a session says.
pub(super) type Publish = Box<dyn FnMut(Published) + Send>;

/// What takes the face's wishes.
pub(super) struct Wishes {
    /// What is to be read and shown.
    pub(super) request: Box<dyn Fn(Request)>,
    /// Begins a recording, or ends it.
    pub(super) record: Box<dyn Fn(bool)>,
    /// The session, where there is more than a recording.
    pub(super) session: Option<Rc<SessionHandle>>,
}

/// Shows what a session publishes until the face is left. `start` starts it with the first request and gives what takes
/// what comes after that.
pub(super) fn show(
    flags: Said,
    common: &Common,
    root: ProcRoot,
    prepare: impl FnOnce(&mut App),
    start: impl FnOnce(Request, Publish) -> anyhow::Result<Wishes>,
) -> anyhow::Result<ExitCode> {
    if !io::stdout().is_terminal() {
        let why = "stdout is no terminal: `memtide ps` and `memtide free` print to files and pipes";
        return Err(Usage(why.into()).into());
    }
    let path = common.config.clone().or_else(file::default_path);
    let said = file::settings(common.config.as_deref())?;
    let said = flags.over(said);
    let journal = said.log.as_deref().map(Journal::open).transpose()?;
    let options = resolve(said, &Environment::of_process());
    let has_mouse = options.has_mouse;
    // Of this thread alone: what others write, logs and recordings, stays English.
    let _speaking = lang::speak(options.lang);
    let planned_on = root.clone();
    let mut app = App::new(options, Box::new(move |effect| plan(effect, &planned_on, Caches::read(&planned_on))))?;
    prepare(&mut app);

    let (publish, published) = unbounded_channel();
    let publish = Box::new(move |update| {
        // The face has gone: the session ends with it.
        let _ = publish.send(update);
    });
    let Wishes { request, record, session } = start(app.request(), publish)?;
    let (report, outcomes) = unbounded_channel();
    let acts = Rc::new(RefCell::new(Acts::new(root, journal, session.as_ref().map(|session| session.noter()), report)));
    let (tell, heaps) = unbounded_channel();
    let mut heap = HeapHandle::new(Arc::new(move |news| {
        // The face has gone: the heap goes with it.
        let _ = tell.send(news);
    }));
    let ports = Ports {
        request,
        run: Box::new({
            let acts = Rc::clone(&acts);
            move |effect| acts.borrow_mut().begin(effect)
        }),
        stop: Box::new({
            let acts = Rc::clone(&acts);
            move || acts.borrow().stop()
        }),
        save: Box::new(move |settings| save(path.as_ref(), settings)),
        record,
        published,
        outcomes,
        heap: Box::new(move |wish| heap.want(wish)),
        heaps,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Whoever ended it, it ended as it should: the terminal is given back.
    let ended = runtime.block_on(face(app, ports, has_mouse));
    acts.borrow_mut().end();
    // Only now, so that what was done last is recorded.
    drop(session);
    ended.context("the terminal")?;
    // A thread that reads keys may still wait for one.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// A recording in the current folder, named by the moment. The session may not wait for the disk.
fn recording() -> Settings {
    let name = format!("memtide-{}.{EXTENSION}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    Settings { path: name.into(), segments: None, group: None, redaction: Redaction::Secrets, is_synced: false }
}

fn save(path: Option<&PathBuf>, settings: &crate::tui::settings::Settings) -> Result<String, String> {
    let path = path.ok_or("there is no home to save to: set HOME or XDG_CONFIG_HOME, or start with --config FILE")?;
    file::save(path, settings).map_err(|error| error.to_string())?;
    Ok(path.display().to_string())
}
