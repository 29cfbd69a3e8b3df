//! Rules kept on the live machine: look, decide, have it done, remember.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::crew::{Crew, Report as Reported};
use super::lock::{Lock, Unlocked};
use super::tell::{Teller, say, wall_ms};
use super::{longest, read, show_dry};
use crate::act::keep;
use crate::act::own;
use crate::act::rights::own_line;
use crate::act::snapshot::Snapshots;
use crate::cli::{Common, Guard, Report};
use crate::cmd::root;
use crate::collect::cgroup::parse_membership;
use crate::collect::watcher::{Watch, Watcher};
use crate::guard::decision::Decision;
use crate::guard::file::Rules;
use crate::guard::journal;
use crate::guard::rule::{Rule, Whom};
use crate::guard::state::State;
use crate::guard::subject::Named;
use crate::model::field::{Source, SourceSet};
use crate::model::reading::BootMs;
use crate::session::guard::carry::Carrier;
use crate::session::guard::{Beside, Guarding};
use crate::tui::event::time_of_day;

pub(super) fn run(args: &Guard, rules: Rules, common: &Common) -> anyhow::Result<ExitCode> {
    let root = root(common);
    let mut teller = Teller::open(args.log.as_deref())?;
    let watcher = Watcher::open(root.clone())?;
    let boot_id = watcher.boot_id();
    let state_path = state_path(args);
    let _lock = state_path.as_deref().map(lock).transpose()?.flatten();
    let state = match &state_path {
        Some(path) => remembered(path, &boot_id)?,
        None => State::new(&boot_id),
    };
    let before = own::oom_score_adj();
    // A container's root may lack CAP_SYS_RESOURCE: limits that are kept with less of a chance are kept all the same.
    if let Some(to) = args.oom_score_adj
        && let Err(why) = own::set_oom_score_adj(to)
    {
        say(&format!("the OOM killer's preference stays as it was: {why}"));
    }
    let own_cgroup = std::fs::read(root.proc.join("self/cgroup")).map(|bytes| parse_membership(&bytes));
    let snapshots = Arc::new(Snapshots::to(folder(state_path.as_deref())?));
    let carrier = Carrier {
        root: root.clone(),
        oom_score_adj: before,
        own: own_cgroup.unwrap_or_default(),
        snapshots: Arc::clone(&snapshots),
    };
    let (report, reports) = unbounded_channel();
    let crew = Crew::start(carrier, &report)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = Signals::listen(&runtime, args.rules.is_some())?;
    let interval = longest(args, &rules);
    let mut live = Live {
        args,
        own: own_line(&root),
        named: Named::new(),
        pids: by_pid(&rules.rules, &Named::new()),
        guarding: Guarding::new(rules.rules, state),
        watcher,
        crew,
        state_path,
        interval,
        is_failing: false,
        is_forgetful: false,
        now: BootMs(0),
    };
    // What was needed to start is in RAM now, and stays there. Where that is not permitted it goes on without.
    if let Err(why) = own::lock_memory()
        && args.oom_score_adj.is_some()
    {
        say(&format!("memory is not locked: {why}"));
    }
    let count = live.guarding.rules().len();
    let text = format!("{count} {} kept", if count == 1 { "rule is" } else { "rules are" });
    teller.tell(&text, &journal::word("started", &text, wall_ms()));
    notify(&[NotifyState::Ready, NotifyState::Status(&text)]);
    runtime.block_on(live.keep(signals, reports, &mut teller))?;
    notify(&[NotifyState::Stopping]);
    snapshots.end();
    teller.keep(&journal::word("stopped", "", wall_ms()));
    // A hook that still runs is on its own.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Tells systemd, where it listens. Without it there is nobody to tell.
fn notify(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

/// Where the state is kept.
fn state_path(args: &Guard) -> Option<PathBuf> {
    let folder = std::env::var_os("STATE_DIRECTORY").map(PathBuf::from).filter(|path| path.is_absolute());
    args.state.clone().or_else(|| Some(folder?.join("guard.json"))).filter(|_| !args.dry_run)
}

/// The lock of the state file. Where there can be none it goes on without.
fn lock(path: &Path) -> anyhow::Result<Option<Lock>> {
    match Lock::take(path) {
        Ok(lock) => Ok(Some(lock)),
        Err(Unlocked::Held(pid)) => {
            let who = pid.map_or_else(|| "another guard".to_owned(), |pid| format!("another guard, pid {pid},"));
            anyhow::bail!("{}: {who} keeps its state there: give each its own --state", path.display())
        }
        Err(Unlocked::Failed(error)) => {
            say(&format!("{}: nothing keeps a second guard from it: {error}", path.display()));
            Ok(None)
        }
    }
}

/// Where heap snapshots go: to the folder of the state, or the one that we were started in.
fn folder(state: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = state.and_then(Path::parent).unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::path::absolute(folder).with_context(|| folder.display().to_string())
}

/// What a guard before this one remembered. A file that makes no sense stops no rule.
fn remembered(path: &Path, boot_id: &str) -> anyhow::Result<State> {
    let Some(bytes) = keep::read(path).with_context(|| path.display().to_string())? else {
        return Ok(State::new(boot_id));
    };
    Ok(State::read(&bytes, boot_id).unwrap_or_else(|why| {
        say(&format!("{}: nothing is remembered of it: {why}", path.display()));
        State::new(boot_id)
    }))
}

/// What ends a guard, and what makes it read its rules again.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    /// Whether there is a file to read again.
    has_file: bool,
}

/// What came first.
enum Event {
    /// It is time for the next look.
    Look,
    Reported(Reported),
    Reload,
    End,
}

impl Signals {
    fn listen(runtime: &Runtime, has_file: bool) -> io::Result<Self> {
        let _guard = runtime.enter();
        let is_ignored = crate::collect::host::ignores_hangup() && !has_file;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored { None } else { Some(signal(SignalKind::hangup())?) },
            has_file,
        })
    }

    async fn next(&mut self, reports: &mut UnboundedReceiver<Reported>, pause: Duration) -> Event {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Event::End,
            _ = self.terminate.recv() => Event::End,
            _ = hangup => if self.has_file { Event::Reload } else { Event::End },
            report = reports.recv() => report.map_or(Event::End, Event::Reported),
            () = tokio::time::sleep(pause) => Event::Look,
        }
    }
}

/// A guard at work.
struct Live<'a> {
    args: &'a Guard,
    own: Vec<u32>,
    named: Named,
    /// Who alone the rules are about, where they name them by pid.
    pids: Option<Vec<u32>>,
    guarding: Guarding,
    watcher: Watcher,
    crew: Crew,
    state_path: Option<PathBuf>,
    interval: Duration,
    /// Whether the last look failed: that is said once.
    is_failing: bool,
    /// Whether the state could not be kept: the same.
    is_forgetful: bool,
    /// The moment of the last look.
    now: BootMs,
}

impl Live<'_> {
    async fn keep(
        &mut self,
        mut signals: Signals,
        mut reports: UnboundedReceiver<Reported>,
        teller: &mut Teller,
    ) -> anyhow::Result<()> {
        // systemd starts a guard anew that has not been heard of for so long.
        let watchdog = sd_notify::watchdog_enabled().map(|period| period / 3);
        self.take_up(teller);
        loop {
            let next = self.look(teller)?;
            if watchdog.is_some() {
                notify(&[NotifyState::Watchdog]);
            }
            let due = tokio::time::Instant::now() + watchdog.map_or(next, |watchdog| watchdog.min(next));
            loop {
                let pause = due.saturating_duration_since(tokio::time::Instant::now());
                match signals.next(&mut reports, pause).await {
                    Event::Look => break,
                    Event::Reported(report) => self.heard(report, teller),
                    Event::Reload => {
                        self.reload(teller);
                        break;
                    }
                    Event::End => return Ok(()),
                }
            }
        }
    }

    /// One look. The time until the next one.
    fn look(&mut self, teller: &mut Teller) -> anyhow::Result<Duration> {
        let named = named(self.guarding.rules());
        if named != self.named {
            self.named = named;
            self.pids = by_pid(self.guarding.rules(), &self.named);
            self.watcher.ask_again();
        }
        let beside = Beside { own: &self.own, named: &self.named };
        let needs = *self.guarding.needs();
        let watch = Watch {
            pids: self.pids.as_deref().filter(|_| needs.is_by_identity),
            sources: needs.sources,
            swap: needs.swap,
            everybody: !needs.is_by_identity,
            machine: needs.machine,
            cgroups: needs.cgroups,
        };
        let guarding = &self.guarding;
        let seen = self.watcher.look(watch, self.interval, &mut |snapshot| guarding.wants(snapshot, beside));
        let mut sample = match seen {
            Ok(sample) => sample,
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    let text = format!("nothing can be seen, it is tried again: {error}");
                    teller.tell(&text, &journal::word("failed", &text, wall_ms()));
                }
                return Ok(self.interval);
            }
        };
        self.is_failing = false;
        self.now = sample.at;
        let has_swap = sample.system.meminfo.swap_used().value() != Some(0);
        let status: SourceSet = [Source::Status].into_iter().collect();
        // Swap is cheap to read and may decide, where the page tables are dear.
        let stages = [status, needs.exact];
        for sources in stages.into_iter().skip(usize::from(!(has_swap && needs.swap))) {
            let keys = self.guarding.undecided(&sample, beside);
            if keys.is_empty() {
                break;
            }
            self.watcher.read_more(&mut sample, &keys, sources);
        }
        let looked = self.guarding.look(sample, beside, self.interval);
        for note in &looked.notes {
            teller.tell(&note.text, &journal::note(note, wall_ms()));
        }
        for decision in looked.decisions {
            self.decide(decision, teller)?;
        }
        Ok(looked.next)
    }

    fn decide(&mut self, decision: Decision, teller: &mut Teller) -> anyhow::Result<()> {
        if self.args.dry_run {
            show_dry(&decision, &time_of_day(decision.wall_ms), self.args.format)?;
            self.guarding.pretend(&decision);
            return Ok(());
        }
        // Kept before anything is done: a guard that is killed in the middle takes it up again.
        self.remember();
        let event = if decision.is_resumed { "resumed" } else { "fired" };
        if self.args.format == Report::Text {
            say(&decision.sentence());
        }
        teller.keep(&journal::decision(&decision, event));
        self.crew.take(decision);
        Ok(())
    }

    /// Takes up what a guard before this one was in the middle of.
    fn take_up(&self, teller: &mut Teller) {
        for decision in self.guarding.resume(boot_now(self.now)) {
            teller.tell(
                &format!("{}: taken up again after the guard had ended in the middle", decision.sentence()),
                &journal::decision(&decision, "resumed"),
            );
            self.crew.take(decision);
        }
    }

    fn heard(&mut self, report: Reported, teller: &mut Teller) {
        match report {
            Reported::Began(id, index) => {
                self.guarding.step_began(id, index, boot_now(self.now));
                if index > 0 {
                    self.remember();
                }
            }
            Reported::Ended(decision, index, result, took) => {
                let line = journal::step(&decision, index, &result, took.as_millis() as u64, wall_ms());
                let step = decision.steps.get(index).map(ToString::to_string).unwrap_or_default();
                let said = match &result {
                    Ok(said) => format!("{}: {step}: {said}", decision.rule),
                    Err(why) => format!("{}: {step}: FAILED: {why}", decision.rule),
                };
                teller.tell(&said, &line);
            }
            Reported::Done(id, is_done) => {
                self.guarding.finish(id, is_done, boot_now(self.now));
                self.remember();
            }
        }
    }

    /// Reads the rules again. Where they make no sense the old ones go on.
    fn reload(&mut self, teller: &mut Teller) {
        let Some(path) = &self.args.rules else { return };
        let reloading = NotifyState::monotonic_usec_now();
        if let Ok(now) = reloading {
            notify(&[NotifyState::Reloading, now]);
        }
        match read(path) {
            Ok(rules) => {
                self.interval = longest(self.args, &rules);
                let text = format!("{}: read again, {} rules", path.display(), rules.rules.len());
                self.guarding.replace(rules.rules);
                self.pids = by_pid(self.guarding.rules(), &self.named);
                self.watcher.ask_again();
                teller.tell(&text, &journal::word("reloaded", &text, wall_ms()));
            }
            Err(why) => {
                let text = format!("the rules stay as they were: {why:#}");
                teller.tell(&text, &journal::word("not_reloaded", &text, wall_ms()));
            }
        }
        notify(&[NotifyState::Ready]);
    }

    /// Keeps the state. A full disk stops no rule.
    fn remember(&mut self) {
        let Some(path) = &self.state_path else { return };
        match keep::replace(path, &self.guarding.state().write()) {
            Ok(()) => self.is_forgetful = false,
            Err(error) if !self.is_forgetful => {
                self.is_forgetful = true;
                say(&format!("{}: the state is not kept: {error}", path.display()));
            }
            Err(_) => {}
        }
    }
}

/// The time since boot; that of the last look where it is a recorded tree's.
fn boot_now(last: BootMs) -> BootMs {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000;
    BootMs(now.max(last.0))
}

/// What the pid files say.
fn named(rules: &[Rule]) -> Named {
    let files = rules.iter().filter_map(|rule| match &rule.whom {
        Whom::PidFile(file) => Some(file.clone()),
        _ => None,
    });
    let pid = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).ok()?;
        text.split_whitespace().next()?.parse().ok().filter(|pid| *pid > 1)
    };
    files.map(|file| (pid(&file), file)).map(|(pid, file)| (file, pid)).collect()
}

/// The pids of all whom the rules are about, ascending; `None` where a rule is about whoever a filter lets through.
fn by_pid(rules: &[Rule], named: &Named) -> Option<Vec<u32>> {
    let mut pids = Vec::new();
    for rule in rules {
        match &rule.whom {
            Whom::Filter(_) => return None,
            Whom::Pid(pid) => pids.push(*pid),
            Whom::PidFile(file) => pids.extend(named.get(file).copied().flatten()),
            Whom::Nobody => {}
        }
    }
    pids.sort_unstable();
    pids.dedup();
    Some(pids)
}
