//! Decisions carried out, step by step. This takes its time: it belongs on a thread of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::act::control::Control;
use crate::act::effect::{Effect, GroupTarget, Knob, Outcome, Stage};
use crate::act::hook::{self, Hook};
use crate::act::rights::is_there;
use crate::act::run::run as carry_out;
use crate::act::snapshot::Snapshots;
use crate::act::{gauge, syslog, webhook};
use crate::collect::root::ProcRoot;
use crate::guard::decision::{Aim, Decision};
use crate::guard::journal;
use crate::guard::step::{Channel, High, Restart, Step};
use crate::model::cgroup::Membership;
use crate::model::shell::quote;

/// What carries decisions out.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// The machine.
    pub root: ProcRoot,
    /// The preference of the OOM killer that commands get: the one that the guard had before it changed its own.
    pub oom_score_adj: i32,
    /// The control group of the guard itself.
    pub own: Membership,
    /// Takes heap snapshots.
    pub snapshots: Arc<Snapshots>,
}

/// What is told while a decision is carried out.
#[derive(Debug)]
pub enum Told {
    /// A step begins.
    Began(usize),
    /// What came of it, and how long it took.
    Ended(usize, Result<String, String>, Duration),
}

impl Carrier {
    /// Carries a decision out. True where every step went well.
    pub fn carry(&self, decision: &Decision, mut tell: impl FnMut(Told)) -> bool {
        let mut is_done = true;
        for (index, step) in decision.steps.iter().enumerate().skip(decision.first) {
            tell(Told::Began(index));
            let began = Instant::now();
            let result = if decision.is_resumed && index == decision.first && !is_repeatable(step) {
                Ok("it had begun when the guard ended: it is not begun again".into())
            } else {
                self.step(step, decision)
            };
            is_done &= result.is_ok();
            tell(Told::Ended(index, result, began.elapsed()));
        }
        is_done
    }

    fn step(&self, step: &Step, decision: &Decision) -> Result<String, String> {
        let alive: Vec<&Aim> = decision.targets.iter().filter(|aim| is_there(&self.root, aim.target.key)).collect();
        if step.takes_targets() && alive.is_empty() {
            return Ok(format!("{} ended by itself: nothing was done", decision.subject));
        }
        let targets: Vec<_> = alive.iter().map(|aim| aim.target.clone()).collect();
        match step {
            Step::Notify(Channel::Stderr) => Ok("told".into()),
            Step::Notify(Channel::Syslog) => {
                syslog::send(&decision.sentence(), Path::new(syslog::SOCKET)).map(|()| "told to the log".into())
            }
            Step::Notify(Channel::Webhook(url)) => {
                let facts = journal::decision(decision, "fired").to_string();
                webhook::post(url, facts, decision.timeout).map(|status| format!("{url}: {status}"))
            }
            Step::Exec(command) | Step::Restart(Restart::Command(command)) => self.hook(command, decision),
            Step::Restart(Restart::Pm2(name)) => self.hook(&format!("pm2 restart {}", quote(name)), decision),
            Step::Restart(Restart::Unit) => {
                let commands: BTreeSet<Result<String, String>> =
                    alive.iter().map(|aim| restart_of(&aim.cgroup, &self.own)).collect();
                all(commands.into_iter().map(|command| self.hook(&command?, decision)))
            }
            Step::HeapSnapshot => {
                let act = |effect: &Effect, control: &Control| self.act_under(effect, control);
                all(targets.iter().map(|target| self.snapshots.take(target, decision.timeout, act)))
            }
            Step::MemoryHigh(high) => {
                let mut groups: Vec<&&Aim> = Vec::new();
                for aim in &alive {
                    if groups.iter().all(|group| group.cgroup.memory != aim.cgroup.memory) {
                        groups.push(aim);
                    }
                }
                all(groups.into_iter().map(|aim| self.lower(aim, *high)))
            }
            Step::Signal(..) | Step::OomScoreAdj(_) | Step::DropCaches(_) => {
                all(step.effects(&targets).iter().map(|effect| self.act(effect)))
            }
        }
    }

    fn act(&self, effect: &Effect) -> Result<String, String> {
        self.act_under(effect, &Control::new(Duration::ZERO))
    }

    fn act_under(&self, effect: &Effect, control: &Control) -> Result<String, String> {
        let mut last: Option<Outcome> = None;
        carry_out(effect, &self.root, control, |outcome| {
            if outcome.stage == Stage::Acted {
                last = Some(outcome);
            }
        });
        all(last.into_iter().flat_map(|outcome| outcome.results))
    }

    fn hook(&self, command: &str, decision: &Decision) -> Result<String, String> {
        let input = format!("{}\n", journal::decision(decision, "fired"));
        hook::run(&Hook {
            command,
            environment: &journal::environment(decision),
            input: input.as_bytes(),
            timeout: decision.timeout,
            oom_score_adj: self.oom_score_adj,
        })
        .map(|said| if said.is_empty() { format!("`{command}`: done") } else { format!("`{command}`: {said}") })
    }

    /// Lowers `memory.high` of a process's group; it is never raised.
    fn lower(&self, aim: &Aim, high: High) -> Result<String, String> {
        let path = aim.cgroup.memory.escaped();
        if path == "/" || aim.cgroup.memory == self.own.memory {
            return Err(format!("{path} is the root, or the guard's own group: it gets no limit"));
        }
        let group =
            GroupTarget { path: aim.cgroup.memory.clone(), version: aim.cgroup.version, via: Some(aim.target.clone()) };
        let (used, now) = gauge::use_and_high(&self.root, &group);
        let to = match (high, used) {
            (High::Bytes(bytes), _) => bytes,
            (High::OfUse(percent), Some(used)) => (used as f64 * percent / 100.0) as u64,
            (High::OfUse(_), None) => return Err(format!("{path}: what it uses can't be read")),
        };
        if now.is_some_and(|now| now <= to) {
            return Ok(format!("{path}: memory.high is as low already"));
        }
        self.act(&Effect::Bound { group, knob: Knob::High, to: Some(to) })
    }
}

/// Whether a step may be done a second time where nobody knows how far the first one came.
fn is_repeatable(step: &Step) -> bool {
    matches!(step, Step::Signal(..) | Step::Restart(Restart::Unit) | Step::OomScoreAdj(_) | Step::MemoryHigh(_))
}

/// One result of several: failed where one has.
fn all(results: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    let (mut texts, mut is_done) = (Vec::new(), true);
    for result in results {
        is_done &= result.is_ok();
        texts.push(result.unwrap_or_else(|why| why));
    }
    if is_done { Ok(texts.join("; ")) } else { Err(texts.join("; ")) }
}

/// Services that let people log in: who is logged in would be out.
const DOORS: [&str; 4] = ["ssh.service", "sshd.service", "dropbear.service", "systemd-logind.service"];

/// The command that starts a process's service anew.
fn restart_of(cgroup: &Membership, own: &Membership) -> Result<String, String> {
    let unit = cgroup.unit().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if !unit.ends_with(".service") {
        let path = cgroup.managed.escaped();
        return Err(format!("{path} is of no service: say `restart COMMAND` or `restart pm2 NAME`"));
    }
    if DOORS.contains(&unit.as_str()) || own.unit().is_some_and(|own| own == unit) {
        return Err(format!("{unit} carries sessions, or the guard itself: it is not started anew"));
    }
    let path = cgroup.managed.escaped().into_owned();
    let user = path.split('/').find_map(|part| part.strip_prefix("user@")?.strip_suffix(".service"));
    Ok(match user {
        // A service of a user's own manager (systemctl(1), --machine).
        Some(uid) if path.rsplit('/').next() != Some(&format!("user@{uid}.service")) => {
            format!("systemctl --user --machine={}@.host restart {}", quote(uid), quote(&unit))
        }
        _ => format!("systemctl restart {}", quote(&unit)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Text;

    fn of(path: &str) -> Membership {
        Membership { memory: Text::from(path), managed: Text::from(path), ..Membership::default() }
    }

    #[test]
    fn a_service_is_started_anew_by_its_manager() {
        let own = of("/system.slice/memtide-guard.service");
        let restart = |path: &str| restart_of(&of(path), &own);
        assert_eq!(restart("/system.slice/shop.service"), Ok("systemctl restart shop.service".into()));
        assert_eq!(
            restart("/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service"),
            Ok("systemctl --user --machine=1000@.host restart shop.service".into())
        );
        assert!(restart("/user.slice/user-1000.slice/session-2.scope").unwrap_err().contains("restart COMMAND"));
        assert!(restart("/").unwrap_err().contains("of no service"));
        assert!(restart("/system.slice/ssh.service").unwrap_err().contains("carries sessions"));
        assert!(restart("/system.slice/memtide-guard.service").unwrap_err().contains("the guard itself"));
    }
}
