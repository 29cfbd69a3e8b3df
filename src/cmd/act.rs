//! `memtide act`: one change of the machine, said, asked about, done and measured.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Usage, root};
use crate::act::change::{On, Subject};
use crate::act::control::Control;
use crate::act::effect::{Effect, GroupTarget, Outcome, Plan, Stage, Target};
use crate::act::journal::{self, Journal};
use crate::act::plan::{Caches, plan};
use crate::act::run::run as carry_out;
use crate::act::words;
use crate::cli::{Act, Common, Report};
use crate::collect::cgroup::parse_membership;
use crate::collect::once::{Once, read_once};
use crate::collect::root::ProcRoot;
use crate::config::file;
use crate::model::field::Source;
use crate::model::judgement::Analysis;
use crate::model::snapshot::Snapshot;
use crate::model::text::Text;
use crate::tui::screen::processes::target;

pub(super) fn run(args: Act, common: &Common) -> anyhow::Result<ExitCode> {
    let said = file::settings(common.config.as_deref())?;
    let root = root(common);
    let effect = effect(&args, &root)?;
    let plan = plan(&effect, &root, Caches::read(&root));
    if args.dry_run {
        show_plan(&effect, &plan, args.format, &mut io::stdout().lock())?;
        return Ok(if plan.refusal.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if said.read_only == Some(true) {
        bail!("refused: the configuration says read_only");
    }
    if let Some(refusal) = &plan.refusal {
        let command = if refusal.command.is_empty() { String::new() } else { format!("\n  {}", refusal.command) };
        bail!("nothing was done. {}{command}", refusal.reason);
    }
    // Opened before anything is done: what is not kept is not done.
    let mut journal = args.log.or(said.log).as_deref().map(Journal::open).transpose()?;
    if args.yes {
        for caution in plan.effects.iter().filter(|line| line.starts_with("CAUTION")) {
            eprintln!("{caution}");
        }
    } else if !is_wanted(&plan)? {
        bail!("nothing was done");
    }
    act(effect, root, args.after, args.format, journal.as_mut())
}

/// What was asked for.
fn effect(args: &Act, root: &ProcRoot) -> anyhow::Result<Effect> {
    let spec = args.change.spec();
    let usage = |why: String| anyhow::Error::from(Usage(why));
    let subject = match spec.on {
        On::Machine if !args.pid.is_empty() || args.cgroup.is_some() => {
            return Err(usage(format!("{} is about the whole machine: leave out --pid and --cgroup", spec.word)));
        }
        On::Process if args.pid.is_empty() => {
            return Err(usage(format!("{}: say of which process with --pid PID", spec.word)));
        }
        On::Group if args.pid.is_empty() && args.cgroup.is_none() => {
            return Err(usage(format!(
                "{}: say of which group with --cgroup PATH, or --pid of a process in it",
                spec.word
            )));
        }
        _ => subject(args, root)?,
    };
    args.change.effect(args.value.as_deref().unwrap_or_default(), &subject).map_err(usage)
}

/// A process as it is now.
pub(super) fn target_of(root: &ProcRoot, pid: u32) -> anyhow::Result<Target> {
    let sources = [Source::Identity].into_iter().collect();
    let sample = read_once(root, &Once { sources, top_by_pss: None })?;
    let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
    let row = snapshot.rows().find(|row| row.process.key.pid == pid);
    row.map(|row| target(&row)).with_context(|| format!("there is no process {pid}"))
}

fn subject(args: &Act, root: &ProcRoot) -> anyhow::Result<Subject> {
    if let Some(path) = &args.cgroup {
        return Ok(Subject { targets: Vec::new(), group: Some(group(path, root)?) });
    }
    if args.pid.is_empty() {
        return Ok(Subject::default());
    }
    let sources = [Source::Identity].into_iter().collect();
    let sample = read_once(root, &Once { sources, top_by_pss: None })?;
    let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
    let mut subject = Subject::default();
    let mut groups = Vec::new();
    for pid in &args.pid {
        let row = snapshot.rows().find(|row| row.process.key.pid == *pid);
        let row = row.with_context(|| format!("there is no process {pid}"))?;
        if subject.targets.iter().all(|target| target.key.pid != *pid) {
            subject.targets.push(target(&row));
            groups.push(Arc::clone(&row.process.identity.cgroup));
        }
    }
    let first = &groups[0];
    if groups.iter().all(|group| group.memory == first.memory) {
        let via = subject.targets.first().cloned();
        subject.group = Some(GroupTarget { path: first.memory.clone(), version: first.version, via });
    }
    Ok(subject)
}

/// A group by its path in the hierarchy, or below where that is mounted.
fn group(path: &str, root: &ProcRoot) -> anyhow::Result<GroupTarget> {
    let own = std::fs::read(root.proc.join("self/cgroup")).context("which cgroup version is this?")?;
    let version = parse_membership(&own).version;
    let below = |mount: &Path| Path::new(path).strip_prefix(mount).ok().map(|rest| format!("/{}", rest.display()));
    let path = below(&root.cgroup.join("memory")).or_else(|| below(&root.cgroup)).unwrap_or_else(|| path.to_owned());
    if !path.starts_with('/') {
        return Err(
            Usage(format!("--cgroup {path}: write its path from the root, as /proc/PID/cgroup shows it")).into()
        );
    }
    let trimmed = if path.len() > 1 { path.trim_end_matches('/') } else { &path };
    Ok(GroupTarget { path: Text::from(trimmed), version, via: None })
}

pub(super) fn show_plan(effect: &Effect, plan: &Plan, format: Report, out: &mut impl io::Write) -> io::Result<()> {
    if format == Report::Json { writeln!(out, "{}", journal::plan(effect, plan)) } else { show_words(plan, out) }
}

fn show_words(plan: &Plan, out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{}", plan.title)?;
    for target in &plan.targets {
        writeln!(out, "  {target}")?;
    }
    for line in plan.lines() {
        writeln!(out, "- {line}")?;
    }
    if let Some(refusal) = &plan.refusal {
        writeln!(out, "{}", refusal.reason)?;
        if !refusal.command.is_empty() {
            writeln!(out, "  {}", refusal.command)?;
        }
    }
    Ok(())
}

/// Asks on the terminal. No is the answer unless yes is said.
pub(super) fn is_wanted(plan: &Plan) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let why = "nothing was done: say --yes to do it without a question, --dry-run to see what it would be";
        return Err(Usage(why.into()).into());
    }
    let mut err = io::stderr().lock();
    show_words(plan, &mut err)?;
    write!(err, "Do it? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Carries it out beside this thread, which listens for Ctrl-C.
pub(super) fn act(
    effect: Effect,
    root: ProcRoot,
    after: std::time::Duration,
    format: Report,
    journal: Option<&mut Journal>,
) -> anyhow::Result<ExitCode> {
    let control = Arc::new(Control::new(after));
    let (report, outcomes) = unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the thread begins: from then on a signal ends it in order.
    let signals = {
        let _guard = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    let acting = std::thread::Builder::new().name("act".into()).spawn({
        let control = Arc::clone(&control);
        // Nobody is left to hear of it only where this program ends.
        move || carry_out(&effect, &root, &control, |outcome| drop(report.send(outcome)))
    })?;
    let told = runtime.block_on(tell(outcomes, signals, &control, format, journal));
    if acting.join().is_err() {
        bail!("the action ended in a way that it should not");
    }
    told
}

type Signals = (tokio::signal::unix::Signal, tokio::signal::unix::Signal, tokio::signal::unix::Signal);

async fn tell(
    mut outcomes: UnboundedReceiver<Outcome>,
    mut signals: Signals,
    control: &Control,
    format: Report,
    mut journal: Option<&mut Journal>,
) -> anyhow::Result<ExitCode> {
    let mut is_done = true;
    loop {
        let outcome = tokio::select! {
            outcome = outcomes.recv() => outcome,
            _ = signals.0.recv() => { control.cancel(); continue }
            _ = signals.1.recv() => { control.cancel(); continue }
            _ = signals.2.recv() => { control.cancel(); continue }
        };
        let Some(outcome) = outcome else { break };
        if outcome.stage == Stage::Acted {
            is_done = outcome.results.iter().all(Result::is_ok);
        }
        if let Some(journal) = &mut journal
            && let Err(error) = journal.write(&outcome)
        {
            is_done = false;
            eprintln!("memtide: not written to the log: {error}");
        }
        // Who reads no more has seen enough; the action goes on to its end.
        let _ = match format {
            Report::Json => show_json(&outcome),
            Report::Text => show(&outcome),
        };
    }
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_json(outcome: &Outcome) -> io::Result<()> {
    if outcome.stage == Stage::Progress {
        return Ok(());
    }
    writeln!(io::stdout().lock(), "{}", journal::outcome(outcome))
}

fn show(outcome: &Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let is_seen = io::stderr().is_terminal();
    match outcome.stage {
        Stage::Progress if is_seen => {
            let text = outcome.results.first().map_or("", |result| match result {
                Ok(text) | Err(text) => text,
            });
            return write!(io::stderr(), "\r{text}\x1b[K");
        }
        Stage::Progress => return Ok(()),
        Stage::Acted => {
            if is_seen {
                write!(io::stderr(), "\r\x1b[K")?;
            }
            for result in &outcome.results {
                match result {
                    Ok(text) => writeln!(out, "{text}")?,
                    Err(text) => eprintln!("memtide: {text}"),
                }
            }
            if let Some(undo) = &outcome.undo {
                writeln!(out, "undo: {}", words::command(undo))?;
            }
        }
        Stage::Settled => {}
    }
    if outcome.is_final {
        for measured in &outcome.measured {
            writeln!(out, "{}", measured.line("->"))?;
        }
    } else if is_seen && !outcome.measured.is_empty() {
        write!(io::stderr(), "measured again in a while; Ctrl-C ends the wait")?;
    }
    out.flush()
}
