//! What a rule does once it holds: steps, one after the other.

use std::fmt;
use std::time::Duration;

use crate::act::change::{Change, GRACE, Subject};
use crate::act::effect::{DropLevel, Effect, Signal, Target};
use crate::act::signal;
use crate::units::{parse_bytes, parse_duration};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Tells somebody.
    Notify(Channel),
    /// Runs a command line by `sh -c`, with the facts in its environment and on its standard input.
    Exec(String),
    /// Sends a signal, and SIGKILL to who is still there after the grace.
    Signal(Signal, Option<Duration>),
    /// Starts anew what the process belongs to.
    Restart(Restart),
    /// Has Node.js write a heap snapshot, by the signal that it was started with for that.
    HeapSnapshot,
    /// Lowers `memory.high` of the control group.
    MemoryHigh(High),
    /// Gives clean caches back.
    DropCaches(DropLevel),
    /// Says how readily the OOM killer chooses the process.
    OomScoreAdj(i32),
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Standard error: under systemd, the journal.
    Stderr,
    /// syslog(3) by `/dev/log`, which the journal reads too.
    Syslog,
    /// The facts as JSON in a POST to a plain `http` address.
    Webhook(String),
}

/// What is started anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The systemd service that the process is of.
    Unit,
    /// The application of this name in PM2.
    Pm2(String),
    /// By a command line of one's own.
    Command(String),
}

/// A value of `memory.high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum High {
    /// Bytes.
    Bytes(u64),
    /// Percent of what the group uses at that moment.
    OfUse(f64),
}

const FORMS: &str = "notify [stderr|syslog|http://…], exec COMMAND, signal TERM+KILL [10s], restart [unit|pm2 NAME|COMMAND], \
                     heap-snapshot, memory.high SIZE|PERCENT, drop-caches [1|2|3], oom_score_adj N";

impl Step {
    /// Reads a step as it is written in a rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let needs = |what: &str| format!("`{text}` lacks {what}");
        let none = |step: Self| if rest.is_empty() { Ok(step) } else { Err(format!("`{word}` takes no value")) };
        match word {
            "notify" => channel(rest).map(Self::Notify),
            "exec" if rest.is_empty() => Err(needs("the command, as in `exec /usr/local/bin/hook`")),
            "exec" => Ok(Self::Exec(rest.into())),
            "signal" => signal_of(rest),
            "restart" => Ok(Self::Restart(match rest.split_once(char::is_whitespace) {
                None if rest.is_empty() || rest == "unit" => Restart::Unit,
                None if rest == "pm2" => return Err(needs("the name of the application in PM2")),
                Some(("pm2", name)) => Restart::Pm2(name.trim().into()),
                _ => Restart::Command(rest.into()),
            })),
            "heap-snapshot" | "heap_snapshot" => none(Self::HeapSnapshot),
            "memory.high" => high(rest).map(Self::MemoryHigh).ok_or_else(|| {
                format!(
                    "`{text}`: write a size, as in `memory.high 300M`, or a share of its use, as in `memory.high 90%`"
                )
            }),
            "drop-caches" | "drop_caches" => match rest {
                "1" | "" => Ok(Self::DropCaches(DropLevel::PageCache)),
                "2" => Ok(Self::DropCaches(DropLevel::Slab)),
                "3" => Ok(Self::DropCaches(DropLevel::Both)),
                _ => Err(format!("`{text}`: write 1 (page cache), 2 (dentries and inodes) or 3 (both)")),
            },
            "oom_score_adj" | "oom-score-adj" => {
                let to = rest.parse().ok().filter(|to| (-1000..=1000).contains(to));
                to.map(Self::OomScoreAdj).ok_or_else(|| format!("`{text}`: write -1000 (never) to 1000 (first)"))
            }
            "" => Err(format!("what is to be done? Use {FORMS}")),
            _ => Err(format!("`{word}` is nothing that can be done: use {FORMS}")),
        }
    }

    /// Whether it is done to processes or their groups, so that the rule must say to which.
    pub fn takes_targets(&self) -> bool {
        matches!(
            self,
            Self::Signal(..)
                | Self::Restart(Restart::Unit)
                | Self::HeapSnapshot
                | Self::MemoryHigh(_)
                | Self::OomScoreAdj(_)
        )
    }

    /// Whether the process is no more afterwards.
    pub fn ends(&self) -> bool {
        match self {
            Self::Restart(_) => true,
            Self::Signal(signal, escalate) => escalate.is_some() || signal::is_fatal(*signal),
            _ => false,
        }
    }

    /// Whether it is done in no time, and must never wait for a hook.
    pub fn is_quick(&self) -> bool {
        matches!(
            self,
            Self::Signal(..)
                | Self::MemoryHigh(_)
                | Self::OomScoreAdj(_)
                | Self::Notify(Channel::Stderr | Channel::Syslog)
        )
    }

    /// The effect on targets, of those that are one of the actions.
    pub fn effects(&self, targets: &[Target]) -> Vec<Effect> {
        match self {
            Self::Signal(signal, escalate) if !targets.is_empty() => {
                vec![Effect::Signal { targets: targets.to_vec(), signal: *signal, escalate: *escalate }]
            }
            Self::OomScoreAdj(to) => {
                targets.iter().map(|target| Effect::OomScoreAdj { target: target.clone(), to: *to }).collect()
            }
            Self::DropCaches(level) => vec![Effect::DropCaches(*level)],
            _ => Vec::new(),
        }
    }
}

fn channel(text: &str) -> Result<Channel, String> {
    match text {
        "" | "stderr" => Ok(Channel::Stderr),
        "syslog" | "journal" => Ok(Channel::Syslog),
        url if url.starts_with("http://") && url.len() > 7 && !url.contains(char::is_whitespace) => {
            Ok(Channel::Webhook(url.into()))
        }
        url if url.starts_with("https://") => Err(format!(
            "`notify {url}`: for https use `exec curl -fsS -m 10 --json @- {url}`, which reads the facts on standard input"
        )),
        _ => Err(format!("`notify {text}`: write `notify stderr`, `notify syslog` or `notify http://host:port/path`")),
    }
}

/// `TERM`, `TERM+KILL`, `TERM+KILL 10s`.
fn signal_of(text: &str) -> Result<Step, String> {
    let (name, grace) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let nobody = Target {
        key: crate::model::key::ProcessKey { pid: 0, start_time: 0 },
        uid: 0,
        user: String::new(),
        command: String::new(),
    };
    let subject = Subject { targets: vec![nobody], group: None };
    let Effect::Signal { signal, escalate, .. } = Change::Signal.effect(name, &subject)? else {
        return Err(format!("`{name}` is no signal"));
    };
    if grace.trim().is_empty() {
        return Ok(Step::Signal(signal, escalate));
    }
    let grace = parse_duration(grace).map_err(|error| error.to_string())?;
    if escalate.is_none() {
        return Err(format!("`signal {text}`: a grace is for `{name}+KILL {}`", short(grace)));
    }
    Ok(Step::Signal(signal, Some(grace)))
}

fn high(text: &str) -> Option<High> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim().parse::<f64>().ok()?;
        return (1.0..=100.0).contains(&percent).then_some(High::OfUse(percent));
    }
    parse_bytes(text).ok().filter(|bytes| bytes.0 > 0).map(|bytes| High::Bytes(bytes.0))
}

fn short(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

/// The step as it is written.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notify(Channel::Stderr) => f.pad("notify stderr"),
            Self::Notify(Channel::Syslog) => f.pad("notify syslog"),
            Self::Notify(Channel::Webhook(url)) => write!(f, "notify {url}"),
            Self::Exec(command) => write!(f, "exec {command}"),
            Self::Signal(signal, None) => write!(f, "signal {}", signal::name(*signal)),
            Self::Signal(signal, Some(grace)) if *grace == GRACE => write!(f, "signal {}+KILL", signal::name(*signal)),
            Self::Signal(signal, Some(grace)) => write!(f, "signal {}+KILL {}", signal::name(*signal), short(*grace)),
            Self::Restart(Restart::Unit) => f.pad("restart unit"),
            Self::Restart(Restart::Pm2(name)) => write!(f, "restart pm2 {name}"),
            Self::Restart(Restart::Command(command)) => write!(f, "restart {command}"),
            Self::HeapSnapshot => f.pad("heap-snapshot"),
            Self::MemoryHigh(High::Bytes(bytes)) if bytes.is_multiple_of(1 << 20) => {
                write!(f, "memory.high {}M", bytes >> 20)
            }
            Self::MemoryHigh(High::Bytes(bytes)) => write!(f, "memory.high {bytes}"),
            Self::MemoryHigh(High::OfUse(percent)) => write!(f, "memory.high {percent}%"),
            Self::DropCaches(level) => {
                let number = match level {
                    DropLevel::PageCache => 1,
                    DropLevel::Slab => 2,
                    DropLevel::Both => 3,
                };
                write!(f, "drop-caches {number}")
            }
            Self::OomScoreAdj(to) => write!(f, "oom_score_adj {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        for text in [
            "notify stderr",
            "notify syslog",
            "notify http://127.0.0.1:9/hook",
            "exec /bin/hook --now",
            "signal TERM",
            "signal TERM+KILL",
            "signal HUP+KILL 10s",
            "restart unit",
            "restart pm2 shop",
            "restart /etc/init.d/shop restart",
            "heap-snapshot",
            "memory.high 300M",
            "memory.high 90%",
            "drop-caches 3",
            "oom_score_adj -500",
        ] {
            let step = Step::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(step.to_string(), text);
            assert_eq!(Step::parse(&step.to_string()), Ok(step));
        }
        assert_eq!(Step::parse("restart"), Ok(Step::Restart(Restart::Unit)));
        assert_eq!(Step::parse("notify"), Ok(Step::Notify(Channel::Stderr)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_mend() {
        for (text, part) in [
            ("", "what is to be done"),
            ("reboot", "`reboot` is nothing that can be done: use notify"),
            ("exec", "lacks the command"),
            ("signal TREM", "TERM, KILL"),
            ("signal TERM 10s", "TERM+KILL 10s"),
            ("signal TERM+KILL soon", "not a duration"),
            ("restart pm2", "lacks the name"),
            ("notify https://x.example/y", "curl"),
            ("notify carol", "notify syslog"),
            ("memory.high", "memory.high 300M"),
            ("memory.high 0", "memory.high 300M"),
            ("drop-caches 4", "1 (page cache)"),
            ("oom_score_adj 2000", "-1000"),
            ("heap-snapshot now", "takes no value"),
        ] {
            let why = Step::parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
