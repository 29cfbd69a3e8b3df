//! A mark: the values of one moment, small enough to be kept, with which later moments are compared.
//!
//! The one place that answers "the mark compared with" is [`Snapshot::mark`]: a row, a group, a field of the machine
//! and every view find it there.

use std::sync::{Arc, LazyLock};

use super::account::Account;
use super::field::{ProcessField, SYSTEM_FIELDS, SystemField, Unit, Value, process_field};
use super::key::ProcessKey;
use super::process::Identity;
use super::reading::{BootMs, Need, Reading};
use super::sample::Sample;
use super::snapshot::{Row, Snapshot};
use super::system::Meminfo;
use super::text::{Text, escape};

/// A quantity of a process that a mark keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "FIELDS has the title and the help of each")]
pub enum Marked {
    Pss,
    Rss,
    Uss,
    Swap,
    Private,
    Footprint,
    Fds,
    Threads,
}

impl Marked {
    /// Every one, with the key of its field; the field of its change is called `<key>_change`.
    pub const ALL: [(Self, &str); 8] = [
        (Self::Pss, "pss"),
        (Self::Rss, "rss"),
        (Self::Uss, "uss"),
        (Self::Swap, "swap"),
        (Self::Private, "private"),
        (Self::Footprint, "footprint"),
        (Self::Fds, "fds"),
        (Self::Threads, "threads"),
    ];

    /// The field that it is the value of.
    pub fn field(self) -> &'static ProcessField {
        static FIELDS: LazyLock<Vec<&'static ProcessField>> = LazyLock::new(|| {
            Marked::ALL.iter().map(|(_, key)| process_field(key).expect("a marked quantity is a field")).collect()
        });
        FIELDS[self as usize]
    }

    /// The quantity whose change a field of this key is.
    pub fn of_change(key: &str) -> Option<Self> {
        let base = key.strip_suffix("_change")?;
        Self::ALL.iter().find(|(_, key)| *key == base).map(|(what, _)| *what)
    }
}

/// What a mark keeps of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkedProcess {
    /// Who.
    pub key: ProcessKey,
    /// Name, owner, control group.
    pub identity: Arc<Identity>,
    /// Bytes or things by [`Marked`]; [`UNKNOWN`] where it was not known.
    values: [u64; Marked::ALL.len()],
}

/// No process has so much of anything.
const UNKNOWN: u64 = u64::MAX;

impl MarkedProcess {
    /// A process of which nothing is known yet.
    pub fn new(key: ProcessKey, identity: Arc<Identity>) -> Self {
        Self { key, identity, values: [UNKNOWN; Marked::ALL.len()] }
    }

    /// The value, in bytes or things; `None` where it was not known.
    pub fn value(&self, what: Marked) -> Option<u64> {
        Some(self.values[what as usize]).filter(|value| *value != UNKNOWN)
    }

    /// Sets a value.
    pub fn set(&mut self, what: Marked, value: u64) {
        self.values[what as usize] = value;
    }
}

/// The values of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its name for people, harmless and short.
    pub name: String,
    /// The boot it was taken in (`/proc/sys/kernel/random/boot_id`); empty where unknown.
    pub boot_id: Text,
    /// The machine's name.
    pub host: Text,
    /// When, since boot.
    pub at: BootMs,
    /// When, by the wall clock, milliseconds since the epoch.
    pub wall_ms: i64,
    /// Values of SYSTEM_FIELDS by key: bytes and numbers of things. Shares and rates have no change.
    pub system: Vec<(Box<str>, u64)>,
    /// `/proc/meminfo`.
    pub meminfo: Meminfo,
    /// Parts of RAM ([`Account`]) by key, bytes.
    pub ram: Vec<(Box<str>, u64)>,
    /// Processes by pid.
    pub processes: Vec<MarkedProcess>,
}

/// A name takes at most so many characters.
pub const LONGEST_NAME: usize = 40;

/// A name as it is kept: harmless, and of a length to be shown.
pub fn name_of(text: &str) -> String {
    let name: String = text.trim().chars().take(LONGEST_NAME).collect();
    escape(name.trim_end().as_bytes()).into_owned()
}

impl Mark {
    /// The mark of a moment.
    pub fn of(name: &str, snapshot: &Snapshot) -> Self {
        let sample = &*snapshot.sample;
        let known = |field: &SystemField| Some((field.key.into(), (field.get)(snapshot).value()?.number()? as u64));
        let account = Account::of(&sample.system);
        let parts = account.iter().flat_map(|account| &account.parts);
        let process = |row: Row<'_>| {
            let mut process = MarkedProcess::new(row.process.key, Arc::clone(&row.process.identity));
            for (what, _) in Marked::ALL {
                if let Some(number) = (what.field().get)(&row).value().and_then(|value| value.number()) {
                    process.set(what, number as u64);
                }
            }
            process
        };
        Self {
            name: name_of(name),
            boot_id: sample.host.boot_id.clone(),
            host: sample.host.name.clone(),
            at: sample.at,
            wall_ms: sample.wall_ms,
            system: SYSTEM_FIELDS.iter().filter(|field| has_change(field)).filter_map(known).collect(),
            meminfo: sample.system.meminfo.clone(),
            ram: parts.map(|part| (part.key.into(), part.bytes)).collect(),
            processes: snapshot.rows().map(process).collect(),
        }
    }

    /// Memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.processes.len() * size_of::<MarkedProcess>()
            + (self.system.len() + self.ram.len()) * 2 * size_of::<(Box<str>, u64)>()
    }

    /// What it keeps of a process; `None` where the process was not there.
    pub fn process(&self, key: ProcessKey) -> Option<&MarkedProcess> {
        let place = self.processes.binary_search_by_key(&key.pid, |process| process.key.pid).ok()?;
        Some(&self.processes[place]).filter(|process| process.key == key)
    }

    /// The processes that have ended since, as they were, by pid. Kernel threads have nothing that could be missed.
    pub fn ended<'a>(&'a self, sample: &'a Sample) -> impl Iterator<Item = &'a MarkedProcess> {
        let is_gone =
            |process: &&MarkedProcess| !process.identity.is_kernel_thread && sample.index_of(process.key).is_none();
        self.processes.iter().filter(move |process| sample.at >= self.at && is_gone(process))
    }

    /// How many processes have come since.
    pub fn started(&self, sample: &Sample) -> usize {
        let is_new = |key| sample.at >= self.at && self.process(key).is_none();
        sample.processes.iter().filter(|process| is_new(process.key)).count()
    }

    /// The value of a field of the machine, in bytes or things.
    pub fn system(&self, key: &str) -> Option<u64> {
        self.system.iter().find(|(known, _)| **known == *key).map(|(_, value)| *value)
    }

    /// A part of RAM, bytes.
    pub fn ram(&self, key: &str) -> Option<u64> {
        self.ram.iter().find(|(known, _)| **known == *key).map(|(_, bytes)| *bytes)
    }
}

impl Row<'_> {
    /// The change of a quantity since the mark. A process that came after it gained all it has.
    pub fn change(&self, what: Marked) -> Reading<Value<'static>> {
        let Some(mark) = &self.snapshot.mark else { return Reading::Unsupported(Need::Mark) };
        let field = what.field();
        let now = (field.get)(self).map(|value| Value::Count(value.number().unwrap_or_default() as u64));
        let number = |value: Value<'static>| value.number().unwrap_or_default();
        match mark.process(self.process.key).map(|process| process.value(what)) {
            Some(Some(then)) => now.map(|now| change_of(field.unit, number(now) - then as f64)),
            None if self.now() >= mark.at => now.map(|now| Value::New(number(now))),
            _ => Reading::Unsupported(Need::MarkedValue),
        }
    }
}

impl Snapshot {
    /// The change of a quantity of the machine since the mark.
    pub fn system_change(&self, field: &SystemField) -> Reading<Value<'static>> {
        let Some(mark) = &self.mark else { return Reading::Unsupported(Need::Mark) };
        if !has_change(field) {
            return Reading::Unsupported(Need::NotApplicable);
        }
        (field.get)(self).and_then(|now| match (mark.system(field.key), now.number()) {
            (Some(then), Some(now)) => Reading::Value(change_of(field.unit, now - then as f64)),
            _ => Reading::Unsupported(Need::MarkedValue),
        })
    }

    /// The change of a quantity of `/proc/meminfo` since the mark, bytes.
    pub fn meminfo_change(&self, what: impl Fn(&Meminfo) -> Reading<u64>) -> Reading<Value<'static>> {
        let Some(mark) = &self.mark else { return Reading::Unsupported(Need::Mark) };
        what(&self.sample.system.meminfo).and_then(|now| match what(&mark.meminfo).value() {
            Some(then) => Reading::Value(Value::BytesChange(now as f64 - then as f64)),
            None => Reading::Unsupported(Need::MarkedValue),
        })
    }

    /// The same by the field's key; `Unsupported` where there is no such field.
    pub fn system_change_of(&self, key: &str) -> Reading<Value<'static>> {
        let field = SYSTEM_FIELDS.iter().find(|field| field.key == key);
        field.map_or(Reading::Unsupported(Need::NotApplicable), |field| self.system_change(field))
    }
}

/// The change since the mark of parts of RAM together, bytes; `None` where there is no mark or one of them was not known.
pub fn ram_change(snapshot: &Snapshot, account: &Account, keys: &[&str]) -> Option<f64> {
    let mark = snapshot.mark.as_ref()?;
    let now = account.parts.iter().filter(|part| keys.contains(&part.key));
    now.map(|part| Some(part.bytes as f64 - mark.ram(part.key)? as f64)).sum()
}

/// Whether the difference of two values says something.
fn has_change(field: &SystemField) -> bool {
    matches!(field.unit, Unit::Bytes | Unit::Count)
}

/// A difference in a field's unit.
pub fn change_of(unit: Unit, by: f64) -> Value<'static> {
    if unit == Unit::Bytes { Value::BytesChange(by) } else { Value::CountChange(by) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::group::{Bound, GroupBy, group};
    use crate::model::judgement::Analysis;
    use crate::model::process::ProcessSample;
    use crate::model::testing;

    fn worker(pid: u32, rss: u64, pss: Option<u64>) -> Arc<ProcessSample> {
        let mut process = testing::process(pid, "nginx", "nginx: worker process");
        testing::set_memory(&mut process, rss, pss.map(|pss| (pss, pss)));
        Arc::new(process)
    }

    fn later(mark: &Arc<Mark>, processes: Vec<Arc<ProcessSample>>) -> Snapshot {
        testing::snapshot(processes).compared_with(Some(Arc::clone(mark)))
    }

    const MIB: f64 = 1_048_576.0;

    #[test]
    fn every_marked_quantity_has_a_field_of_its_change() {
        for (what, key) in Marked::ALL {
            assert_eq!((what.field().key, Marked::of_change(&format!("{key}_change"))), (key, Some(what)));
            assert!(process_field(&format!("{key}_change")).is_some(), "{key}");
        }
        assert_eq!(Marked::of_change("pss"), None);
    }

    #[test]
    fn what_grew_what_is_new_and_what_was_not_known_are_told_apart() {
        let before = testing::snapshot(vec![worker(7, 30, Some(20)), worker(8, 30, None)]);
        let mark = Arc::new(Mark::of("start", &before));
        let now = later(&mark, vec![worker(7, 50, Some(15)), worker(8, 30, Some(9)), worker(9, 12, Some(11))]);
        let change = |pid: usize, what| now.row(pid - 7).change(what);
        assert_eq!(change(7, Marked::Rss), Reading::Value(Value::BytesChange(20.0 * MIB)));
        assert_eq!(change(7, Marked::Pss), Reading::Value(Value::BytesChange(-5.0 * MIB)));
        assert_eq!(change(8, Marked::Pss), Reading::Unsupported(Need::MarkedValue));
        assert_eq!(change(8, Marked::Rss), Reading::Value(Value::BytesChange(0.0)));
        assert_eq!(change(9, Marked::Pss), Reading::Value(Value::New(11.0 * MIB)));
        assert_eq!(before.row(0).change(Marked::Pss), Reading::Unsupported(Need::Mark));
        assert_eq!((mark.started(&now.sample), mark.ended(&now.sample).count()), (1, 0));
    }

    #[test]
    fn a_reused_pid_is_new_and_its_predecessor_has_ended() {
        let mark = Arc::new(Mark::of("x", &testing::snapshot(vec![worker(7, 30, Some(20))])));
        let mut other = (*worker(7, 5, Some(4))).clone();
        other.key.start_time += 1;
        let now = later(&mark, vec![Arc::new(other)]);
        assert_eq!(now.row(0).change(Marked::Rss), Reading::Value(Value::New(5.0 * MIB)));
        let ended: Vec<_> = mark.ended(&now.sample).map(|process| process.value(Marked::Pss)).collect();
        assert_eq!(ended, [Some(20 << 20)]);
    }

    #[test]
    fn a_group_whose_worker_was_replaced_has_not_grown() {
        let mark = Arc::new(Mark::of("x", &testing::snapshot(vec![worker(7, 30, Some(20)), worker(8, 30, Some(20))])));
        let now = later(&mark, vec![worker(8, 30, Some(21)), worker(9, 30, Some(20))]);
        let field = process_field("pss_change").unwrap();
        let groups = group(&now, GroupBy::Command, 0..2);
        assert_eq!(groups[0].total(&now, field), (Reading::Value(Value::BytesChange(MIB)), Bound::Exact));
        let rss = groups[0].total(&now, process_field("rss_change").unwrap());
        assert_eq!(rss, (Reading::Value(Value::BytesChange(0.0)), Bound::About));
    }

    #[test]
    fn the_machine_has_its_changes_too() {
        let before = testing::snapshot(Vec::new());
        let mark = Arc::new(Mark::of("x", &before));
        let mut sample = (*before.sample).clone();
        sample.system.meminfo.mem_available = Reading::Value(100 << 20);
        let now = Snapshot::derive(None, Arc::new(sample), before.analysis.clone()).compared_with(Some(mark));
        assert_eq!(now.system_change_of("mem_used"), Reading::Value(Value::BytesChange(72.0 * MIB)));
        assert_eq!(now.system_change_of("mem_available"), Reading::Value(Value::BytesChange(-72.0 * MIB)));
        assert_eq!(now.system_change_of("psi_some"), Reading::Unsupported(Need::NotApplicable));
        assert_eq!(before.system_change_of("mem_used"), Reading::Unsupported(Need::Mark));
    }

    #[test]
    fn before_the_mark_nothing_is_new_and_nobody_has_ended() {
        let mut sample = (*testing::snapshot(vec![worker(7, 30, Some(20))]).sample).clone();
        let mark = Arc::new(Mark::of("x", &testing::snapshot(vec![worker(8, 30, None)])));
        sample.at.0 -= 5000;
        let past = Snapshot::derive(None, Arc::new(sample), Analysis::default()).compared_with(Some(Arc::clone(&mark)));
        assert_eq!(past.row(0).change(Marked::Rss), Reading::Unsupported(Need::MarkedValue));
        assert_eq!((mark.started(&past.sample), mark.ended(&past.sample).count()), (0, 0));
    }

    #[test]
    fn a_name_is_harmless_and_short() {
        assert_eq!(name_of("  before\u{1b}[2J deploy "), "before\\x1b[2J deploy");
        assert_eq!(name_of(&"x".repeat(500)).len(), LONGEST_NAME);
    }
}
