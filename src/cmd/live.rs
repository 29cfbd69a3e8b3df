//! The live view: session, executor and face wired together.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Usage, root};
use crate::act::effect::{Effect, Outcome};
use crate::act::plan::{Caches, plan};
use crate::cli::Common;
use crate::collect::root::ProcRoot;
use crate::config::said::Said;
use crate::config::{Environment, file, resolve};
use crate::record::place::EXTENSION;
use crate::record::recorder::Settings;
use crate::record::redact::Redaction;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::session::thread::SessionHandle;
use crate::tui::app::App;
use crate::tui::run::{Ports, run as face};

pub(super) fn run(flags: Said, common: &Common) -> anyhow::Result<ExitCode> {
    if !io::stdout().is_terminal() {
        let why = "stdout is no terminal: `memtide ps` and `memtide free` print to files and pipes";
        return Err(Usage(why.into()).into());
    }
    let path = common.config.clone().or_else(file::default_path);
    let said = path.as_deref().map(|path| file::read(path, common.config.is_some())).transpose()?.unwrap_or_default();
    let options = resolve(flags.over(said), &Environment::of_process());
    let has_mouse = options.has_mouse;
    let root = root(common);
    let source: Box<dyn Source + Send> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root.clone())?),
    };
    let planned_on = root.clone();
    let app = App::new(options, Box::new(move |effect| plan(effect, &planned_on, Caches::read(&planned_on))))?;

    let (publish, published) = unbounded_channel();
    let session = Rc::new(SessionHandle::spawn(source, app.request(), move |update| {
        // The face has gone: the session ends with it.
        let _ = publish.send(update);
    })?);
    let recorded = Rc::clone(&session);
    let (report, outcomes) = unbounded_channel();
    let root = Arc::new(root);
    let ports = Ports {
        request: Box::new(move |request| session.request(request)),
        run: Box::new(move |effect| act_beside(&root, &effect, &report)),
        save: Box::new(move |settings| save(path.as_ref(), settings)),
        record: Box::new(move |begins| recorded.record(begins.then(recording))),
        published,
        outcomes,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Whoever ended it, it ended as it should: the terminal is given back.
    runtime.block_on(face(app, ports, has_mouse)).context("the terminal")?;
    // A thread that reads keys may still wait for one.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Carries an effect out on a thread of its own: sync(2) and a grace period take their time.
fn act_beside(root: &Arc<ProcRoot>, effect: &Effect, report: &UnboundedSender<Outcome>) {
    let (root, planned, sender) = (Arc::clone(root), effect.clone(), report.clone());
    let spawned = std::thread::Builder::new().name("act".into()).spawn(move || {
        crate::act::run::run(&planned, &root, |outcome| drop(sender.send(outcome)));
    });
    if let Err(error) = spawned {
        let outcome = Outcome {
            effect: effect.clone(),
            wall_ms: jiff::Timestamp::now().as_millisecond(),
            took: Duration::ZERO,
            results: vec![Err(format!("nothing was done: no thread could be started: {error}"))],
            is_final: true,
            measured: None,
        };
        // The face has gone: there is nobody to tell.
        let _ = report.send(outcome);
    }
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
