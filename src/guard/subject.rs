//! Whom a rule tests and hits in a snapshot, and what is known of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::decision::Aim;
use super::measure::{Level, Measure, Op, Test, Whole};
use super::rule::{Per, Rule, Which, Whom};
use crate::act::effect::Target;
use crate::model::field::{Source, Value, process_field};
use crate::model::group::Group;
use crate::model::judgement::Subject as Whose;
use crate::model::reading::Reading;
use crate::model::snapshot::{Row, Snapshot};

/// Pids by the file that names them; `None` where it can't be read or names nobody.
pub type Named = BTreeMap<PathBuf, Option<u32>>;

/// What an evaluation sees beside rules and state.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The machine.
    pub snapshot: &'a Snapshot,
    /// The guard's own pid and those it descends from; empty over a recording.
    pub own: &'a [u32],
    /// What the pid files say.
    pub named: &'a Named,
}

/// Something that a rule tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// What a state knows it by: it dies with a process.
    pub key: String,
    /// What a cooldown knows it by: it outlives a restart.
    pub cool: String,
    /// For people, escaped.
    pub name: String,
    /// Places of its processes in the sample.
    pub members: Vec<u32>,
}

/// Servers of secure shells, by the kernel's name of them.
const DOORS: [&[u8]; 4] = [b"sshd", b"sshd-session", b"sshd-auth", b"dropbear"];

impl Scene<'_> {
    /// Places of the processes that a rule is about: never pid 1, the guard itself, a kernel thread or one that has
    /// ended; its ancestors and servers of secure shells only where the rule names them by pid.
    fn members(&self, rule: &Rule) -> Vec<u32> {
        let is_by_pid = rule.whom.is_by_pid();
        let may_be_hit = |row: &Row<'_>| {
            let (pid, identity) = (row.process.key.pid, &row.process.identity);
            let is_never = pid <= 1 || self.own.first() == Some(&pid) || identity.is_kernel_thread;
            let carries = self.own.contains(&pid) || DOORS.contains(&identity.comm.as_bytes());
            !is_never && !row.process.is_zombie() && (is_by_pid || !carries)
        };
        let is_meant = |row: &Row<'_>| match &rule.whom {
            Whom::Filter(query) => query.matches(row),
            Whom::Pid(pid) => row.process.key.pid == *pid,
            Whom::PidFile(file) => self.named.get(file) == Some(&Some(row.process.key.pid)),
            Whom::Nobody => false,
        };
        let rows = self.snapshot.rows().filter(|row| may_be_hit(row) && is_meant(row));
        rows.map(|row| row.index as u32).collect()
    }

    /// Of every process whether some rule is about it.
    pub fn wanted(&self, rules: &[Rule]) -> Vec<bool> {
        let mut wanted = vec![false; self.snapshot.sample.processes.len()];
        for place in rules.iter().flat_map(|rule| self.members(rule)) {
            wanted[place as usize] = true;
        }
        wanted
    }

    /// What a rule tests.
    pub(super) fn subjects(&self, rule: &Rule) -> Vec<Subject> {
        let members = self.members(rule);
        let whole = |key: &str, members| Subject { key: key.into(), cool: key.into(), name: key.into(), members };
        let name_of: Box<dyn Fn(&Row<'_>) -> String> = match rule.per {
            Per::Machine => return vec![whole("machine", members)],
            Per::All if members.is_empty() => return Vec::new(),
            Per::All => return vec![whole("all that match", members)],
            Per::Process => {
                return members.into_iter().map(|place| self.process(place)).collect();
            }
            Per::Group(by) => Box::new(move |row| by.name_of(row)),
            Per::Cgroup => Box::new(|row| row.process.identity.cgroup.memory.escaped().into_owned()),
        };
        let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for place in members {
            groups.entry(name_of(&self.snapshot.row(place as usize))).or_default().push(place);
        }
        groups.into_iter().map(|(name, members)| whole(&name, members)).collect()
    }

    fn process(&self, place: u32) -> Subject {
        let row = self.snapshot.row(place as usize);
        let identity = &row.process.identity;
        Subject {
            key: row.process.key.to_string(),
            // Who comes after it in the same place is the same program there.
            cool: format!("{} {}", identity.comm.escaped(), identity.cgroup.memory.escaped()),
            name: format!("{}[{}]", identity.comm.escaped(), row.process.key.pid),
            members: vec![place],
        }
    }

    /// Who of a subject is hit.
    pub(super) fn targets(&self, rule: &Rule, members: &[u32]) -> Vec<Aim> {
        let size = |place: &&u32| {
            let measure =
                rule.tests.iter().map(|test| test.measure).find(|measure| matches!(measure, Measure::Process(_)));
            let private = process_field("private").map(Measure::Process);
            let seen = measure.or(private).map(|measure| self.of_process(measure, **place));
            seen.map_or(0.0, |seen| if seen.high.is_finite() { seen.high } else { seen.low })
        };
        let mut hit: Vec<u32> = match rule.which {
            Which::All => members.to_vec(),
            Which::Biggest => members.iter().max_by(|a, b| size(a).total_cmp(&size(b))).into_iter().copied().collect(),
        };
        hit.sort_by(|a, b| size(&b).total_cmp(&size(&a)));
        hit.into_iter().map(|place| aim(&self.snapshot.row(place as usize))).collect()
    }

    /// What is known of a measure of a subject.
    pub(super) fn seen(&self, measure: Measure, subject: &Subject) -> Seen {
        match measure {
            Measure::Machine(field) => match (field.get)(self.snapshot) {
                reading if reading.as_ref().value().is_some() => {
                    Seen::known(reading.value().and_then(|value| value.number()).unwrap_or(f64::NAN))
                }
                reading => Seen { low: f64::NEG_INFINITY, high: f64::INFINITY, why: reading.explain() },
            },
            Measure::Verdict if subject.members.len() != 1 => {
                let group = Group { name: String::new(), members: subject.members.clone(), ended: Vec::new() };
                let worst = process_field("verdict").map(|field| group.total(self.snapshot, field).0);
                let rank = match worst {
                    Some(Reading::Value(Value::Ranked(rank, _))) => rank / 100,
                    _ => 0,
                };
                Seen::known(f64::from(rank))
            }
            Measure::Cgroup => {
                let shares = subject.members.iter().map(|place| self.of_process(measure, *place).high);
                Seen::known(shares.fold(0.0, f64::max))
            }
            _ => {
                let parts = subject.members.iter().map(|place| self.of_process(measure, *place));
                parts.reduce(Seen::plus).unwrap_or(Seen::known(0.0))
            }
        }
    }

    fn of_process(&self, measure: Measure, place: u32) -> Seen {
        let row = self.snapshot.row(place as usize);
        match measure {
            Measure::Process(field) => {
                let reading = (field.get)(&row);
                let is_stale = matches!(reading, Reading::Stale(..));
                match reading.as_ref().value().and_then(Value::number) {
                    // What was read long ago may be more than there is now, by what is known of now.
                    Some(number) if is_stale => Seen::known(number.min(at_most(field.key, &row))),
                    Some(number) => Seen::known(number),
                    None if field.source == Source::History => Seen::known(f64::NAN),
                    None => Seen { low: 0.0, high: at_most(field.key, &row), why: reading.explain() },
                }
            }
            Measure::Verdict => {
                Seen::known(row.verdict().value().map_or(0.0, |(verdict, _)| f64::from(verdict as u32)))
            }
            Measure::Eta => Seen::known(self.eta(&row)),
            Measure::Cgroup => {
                let bound = self.snapshot.sample.system.bound_group(&row.process.identity.cgroup);
                Seen::known(bound.map_or(0.0, |bound| {
                    let limit = &bound.limit;
                    limit.usage.saturating_sub(limit.inactive_file) as f64 * 100.0 / limit.limit.max(1) as f64
                }))
            }
            Measure::Machine(_) => Seen::known(f64::NAN),
        }
    }

    /// Milliseconds until the process meets its first limit; infinite where it grows towards none.
    fn eta(&self, row: &Row<'_>) -> f64 {
        let own = Whose::Process(row.process.key);
        let rising = self.snapshot.analysis.findings.iter().filter(|finding| finding.subject == own);
        let meetings =
            rising.filter(|finding| finding.judgement.verdict.is_rising()).flat_map(|finding| &finding.meetings);
        meetings.map(|meeting| meeting.in_ms.max(0.0)).min_by(f64::total_cmp).unwrap_or(f64::INFINITY)
    }

    /// A level in the unit of the measure; `None` where the whole is not known.
    pub(super) fn limit(&self, level: Level, subject: &Subject) -> Option<f64> {
        let (percent, whole) = match level {
            Level::Absolute(limit) => return Some(limit),
            Level::Share(percent, whole) => (percent, whole),
        };
        let mem = &self.snapshot.sample.system.meminfo;
        let whole = match whole {
            Whole::Ram => mem.mem_total.value()?,
            Whole::Swap => mem.swap_total.value()?,
            Whole::Files => {
                let limit = |place: &u32| self.snapshot.row(*place as usize).process.fd_limit.reading.value();
                subject.members.iter().map(limit).sum::<Option<u64>>()?
            }
        };
        Some(whole as f64 * percent / 100.0)
    }

    /// Whether a test holds of a subject, and what was read; `Err` where that can't be told yet, and why.
    pub(super) fn judge(&self, test: &Test, level: Level, subject: &Subject) -> (Verdict, Seen, f64) {
        let seen = self.seen(test.measure, subject);
        let Some(limit) = self.limit(level, subject) else { return (Verdict::Unknown, seen, f64::NAN) };
        (seen.decide(test.op, limit), seen, limit)
    }
}

/// Whether a test holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whatever is not known would not change it.
    Holds,
    /// The same.
    Fails,
    /// More has to be read.
    Unknown,
}

/// What is known of a value: it lies between these.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
    /// Why it is not known exactly, where it isn't.
    pub why: Option<String>,
}

impl Seen {
    fn known(value: f64) -> Self {
        Self { low: value, high: value, why: None }
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high, why: self.why.or(other.why) }
    }

    /// The value to show.
    pub fn shown(&self) -> f64 {
        if self.why.is_none() { self.high } else { self.low }
    }

    fn decide(&self, op: Op, limit: f64) -> Verdict {
        // What speaks against it, and what speaks for it.
        let (least, most) = if op.is_rising() { (self.low, self.high) } else { (self.high, self.low) };
        match (op.holds(least, limit), op.holds(most, limit)) {
            (true, _) if self.low.total_cmp(&self.high).is_eq() || op != Op::Is => Verdict::Holds,
            (false, false) => Verdict::Fails,
            _ => Verdict::Unknown,
        }
    }
}

/// What a field can't exceed by what `statm` says, so that most processes need no dearer look. `statm` may fall short
/// of the page tables by some pages a core.
fn at_most(key: &str, row: &Row<'_>) -> f64 {
    let Some(resident) = row.process.resident.value() else { return f64::INFINITY };
    let rss = resident.rss as f64 * 1.02 + f64::from(1 << 20);
    let all_swap = row.snapshot.sample.system.meminfo.swap_used().value();
    let swap = || row.swap().value().or(all_swap).map_or(f64::INFINITY, |bytes| bytes as f64);
    match key {
        "pss" | "uss" | "pss_anon" | "pss_file" | "pss_shmem" | "anon_huge" => rss,
        "swap" | "swap_pss" => swap(),
        "footprint" => rss + swap(),
        _ => f64::INFINITY,
    }
}

fn aim(row: &Row<'_>) -> Aim {
    let identity = &row.process.identity;
    Aim {
        target: Target {
            key: row.process.key,
            uid: identity.uid,
            user: row.user().into_owned(),
            command: identity.shown_command().into_owned(),
        },
        name: identity.comm.escaped().into_owned(),
        rss: row.process.resident.value().map(|resident| resident.rss),
        cgroup: std::sync::Arc::clone(&identity.cgroup),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_decides_nothing_it_could_change() {
        let seen = |low, high| Seen { low, high, why: None };
        assert_eq!(seen(0.0, 5.0).decide(Op::Over, 5.0), Verdict::Fails);
        assert_eq!(seen(0.0, 6.0).decide(Op::Over, 5.0), Verdict::Unknown);
        assert_eq!(seen(6.0, 9.0).decide(Op::Over, 5.0), Verdict::Holds);
        assert_eq!(seen(0.0, 4.0).decide(Op::Under, 5.0), Verdict::Holds);
        assert_eq!(seen(0.0, 6.0).decide(Op::Under, 5.0), Verdict::Unknown);
        assert_eq!(seen(5.0, 6.0).decide(Op::Under, 5.0), Verdict::Fails);
        assert_eq!(seen(7.0, 7.0).decide(Op::Is, 7.0), Verdict::Holds);
        assert_eq!(seen(6.0, 6.0).decide(Op::Is, 7.0), Verdict::Fails);
        assert_eq!(seen(f64::NAN, f64::NAN).decide(Op::Over, 5.0), Verdict::Fails);
    }
}
