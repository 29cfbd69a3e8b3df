//! Processes taken together, with sums that say how exact they are.

use std::collections::HashMap;

use super::field::{Aggregate, ProcessField, Unit, Value};
use super::judgement::{Judged, Subject};
use super::process::Identity;
use super::reading::{Need, Reading};
use super::snapshot::{Row, Snapshot};

/// What makes processes belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The task's name.
    Command,
    /// The effective user.
    User,
    /// The systemd unit, or the control group where there is none.
    Unit,
    /// The container.
    Container,
}

impl GroupBy {
    /// Every way of grouping, with the word for it.
    pub const ALL: [(Self, &str); 4] =
        [(Self::Command, "command"), (Self::User, "user"), (Self::Unit, "unit"), (Self::Container, "container")];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(by, _)| *by == self).map_or("", |(_, word)| word)
    }

    /// The way of grouping that a word means; `cgroup` is another word for `unit`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = if word == "cgroup" { "unit" } else { word };
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(by, _)| *by)
    }

    /// What the group of a process is called.
    pub fn name_of(self, row: &Row<'_>) -> String {
        self.name(&row.process.identity, &row.user())
    }

    /// What the group of a process of this identity and user is called.
    fn name(self, identity: &Identity, user: &str) -> String {
        match self {
            Self::Command => identity.comm.escaped().into_owned(),
            Self::User => user.to_owned(),
            Self::Unit => identity.cgroup.unit().unwrap_or_else(|| identity.cgroup.memory.escaped()).into_owned(),
            Self::Container => identity.cgroup.container().unwrap_or_else(|| key!("(no container)").into()),
        }
    }
}

/// Processes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they have in common, escaped.
    pub name: String,
    /// Their places in the sample.
    pub members: Vec<u32>,
    /// Places in the mark compared with of those that were of it then and have ended.
    pub ended: Vec<u32>,
}

/// How a sum stands to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is the truth.
    Exact,
    /// Shared pages are in it more than once.
    AtMost,
    /// Some members are not in it.
    AtLeast,
    /// Both.
    About,
}

impl Bound {
    /// The mark before the number.
    pub fn mark(self, is_ascii: bool) -> &'static str {
        match (self, is_ascii) {
            (Self::Exact, _) => "",
            (Self::AtMost, false) => "≤",
            (Self::AtMost, true) => "<",
            (Self::AtLeast, false) => "≥",
            (Self::AtLeast, true) => ">",
            (Self::About, _) => "~",
        }
    }
}

/// Places in the mark of the processes that have ended since.
pub fn ended(snapshot: &Snapshot) -> Vec<u32> {
    let Some(mark) = &snapshot.mark else { return Vec::new() };
    let places = mark
        .ended(&snapshot.sample)
        .filter_map(|process| mark.processes.binary_search_by_key(&process.key.pid, |process| process.key.pid).ok());
    places.map(|place| place as u32).collect()
}

/// Groups some processes of a snapshot, in order of name.
pub fn group(snapshot: &Snapshot, by: GroupBy, members: impl IntoIterator<Item = u32>) -> Vec<Group> {
    let mut groups: HashMap<String, Group> = HashMap::new();
    for member in members {
        let name = by.name_of(&snapshot.row(member as usize));
        groups.entry(name).or_insert_with_key(|name| Group::new(name.clone())).members.push(member);
    }
    let marked = snapshot.mark.as_ref().map_or(&[][..], |mark| &mark.processes);
    for place in ended(snapshot) {
        let identity = &marked[place as usize].identity;
        if let Some(group) = groups.get_mut(&by.name(identity, &snapshot.sample.host.user(identity.uid))) {
            group.ended.push(place);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
}

impl Group {
    /// A group without members.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), members: Vec::new(), ended: Vec::new() }
    }

    /// A field of the whole group.
    pub fn total(&self, snapshot: &Snapshot, field: &ProcessField) -> (Reading<Value<'static>>, Bound) {
        if field.key == "name" || field.key == "command" {
            return (Reading::Value(Value::Text(self.name.clone().into())), Bound::Exact);
        }
        if field.aggregate == Aggregate::Worst {
            return (self.worst(snapshot, field), Bound::Exact);
        }
        if field.aggregate == Aggregate::None {
            return (Reading::Unsupported(Need::NotApplicable), Bound::Exact);
        }
        let (mut sum, mut largest, mut unknown, mut oldest) = (0.0, None::<f64>, 0usize, 0u64);
        let mut why = Reading::Unsupported(Need::NotApplicable);
        for member in &self.members {
            let reading = (field.get)(&snapshot.row(*member as usize));
            if let Reading::Stale(_, age) = reading {
                oldest = oldest.max(age);
            }
            match reading.as_ref().value().and_then(Value::number) {
                Some(number) => {
                    sum += number;
                    largest = Some(largest.map_or(number, |largest| largest.max(number)));
                }
                // What does not apply to a kernel thread is missing from no sum.
                None if matches!(reading, Reading::Unsupported(Need::NotApplicable)) => {}
                None => {
                    unknown += 1;
                    why = reading.map(|_| Value::Count(0));
                }
            }
        }
        let Some(largest) = largest else { return (why, Bound::Exact) };
        if let (Some(what), Some(mark)) = (field.marked(), &snapshot.mark) {
            // What the ended had is no longer the group's.
            for ended in self.ended.iter().filter_map(|place| mark.processes.get(*place as usize)) {
                match ended.value(what) {
                    Some(then) => sum -= then as f64,
                    None => unknown += 1,
                }
            }
        }
        let number = match field.aggregate {
            Aggregate::Max => largest,
            _ => sum,
        };
        let is_upper = field.aggregate == Aggregate::UpperBound && self.members.len() + self.ended.len() > 1;
        let bound = match (is_upper, unknown > 0) {
            // The difference of two bounds is none.
            (is_upper, is_lacking) if field.marked().is_some() && (is_upper || is_lacking) => Bound::About,
            (false, false) => Bound::Exact,
            (true, false) => Bound::AtMost,
            (false, true) => Bound::AtLeast,
            (true, true) => Bound::About,
        };
        let value = value_of(field.unit, number);
        (if oldest > 0 { Reading::Stale(value, oldest) } else { Reading::Value(value) }, bound)
    }

    /// The worst of the members' verdicts, and of those on services most of whose processes are in the group.
    fn worst(&self, snapshot: &Snapshot, field: &ProcessField) -> Reading<Value<'static>> {
        let mut worst: Reading<Value<'static>> = Reading::Pending;
        let mut hear = |value: Value<'static>| match &worst {
            Reading::Value(old) if old.order(&value).is_ge() => {}
            _ => worst = Reading::Value(value),
        };
        for member in &self.members {
            if let Reading::Value(Value::Ranked(rank, text)) = (field.get)(&snapshot.row(*member as usize)) {
                hear(Value::Ranked(rank, text.into_owned().into()));
            }
        }
        for finding in snapshot.analysis.findings.iter() {
            let Subject::Group(_) = finding.subject else { continue };
            let processes = &snapshot.sample.processes;
            let all = processes.iter().filter(|process| finding.subject.includes(process)).count();
            let own = self.members.iter().filter(|member| finding.subject.includes(&processes[**member as usize]));
            if 2 * own.count() > all {
                let judged = Judged::new(0.0, finding.judgement.verdict, finding.judgement.confidence);
                hear(Value::verdict(judged.verdict, judged.percent));
            }
        }
        worst
    }
}

fn value_of(unit: Unit, number: f64) -> Value<'static> {
    match unit {
        Unit::Bytes => Value::Bytes(number as u64),
        Unit::BytesPerMinute | Unit::Series => Value::BytesPerMinute(number),
        Unit::BytesPerSecond => Value::BytesPerSecond(number),
        Unit::BytesChange => Value::BytesChange(number),
        Unit::CountChange => Value::CountChange(number),
        Unit::Count | Unit::Text => Value::Count(number as u64),
        Unit::PerSecond => Value::PerSecond(number),
        Unit::Percent => Value::Percent(number),
        Unit::Milliseconds => Value::Milliseconds(number as u64),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::field::process_field;
    use crate::model::judgement::{Analysis, Finding, Judgement, Quantity, Verdict};
    use crate::model::reading::BootMs;
    use crate::model::testing;
    use crate::model::text::Text;

    fn web_server() -> Snapshot {
        let worker = |pid, pss: Option<u64>| {
            let mut process = testing::process(pid, "nginx", "nginx: worker process");
            testing::set_memory(&mut process, 30, pss.map(|pss| (pss, pss / 2)));
            Arc::new(process)
        };
        testing::snapshot(vec![worker(10, Some(14)), worker(11, Some(12)), worker(12, None)])
    }

    #[test]
    fn shared_pages_make_an_upper_bound_and_unknown_members_a_lower_one() {
        let snapshot = web_server();
        let groups = group(&snapshot, GroupBy::Command, 0..2);
        let total = |group: &Group, key| group.total(&snapshot, process_field(key).unwrap());
        assert_eq!(groups.len(), 1);
        assert_eq!(total(&groups[0], "pss"), (Reading::Value(Value::Bytes(26 << 20)), Bound::Exact));
        assert_eq!(total(&groups[0], "rss"), (Reading::Value(Value::Bytes(60 << 20)), Bound::AtMost));
        let groups = group(&snapshot, GroupBy::Command, 0..3);
        assert_eq!(total(&groups[0], "pss"), (Reading::Value(Value::Bytes(26 << 20)), Bound::AtLeast));
        let groups = group(&snapshot, GroupBy::Command, [2]);
        assert_eq!(total(&groups[0], "pss").0, Reading::Pending, "nothing known is not zero");
        assert_eq!(total(&groups[0], "rss").1, Bound::Exact, "one member shares with nobody");
    }

    #[test]
    fn what_says_nothing_of_a_group_is_no_zero() {
        let snapshot = web_server();
        let groups = group(&snapshot, GroupBy::Command, 0..3);
        for key in ["user", "pid", "fd_limit"] {
            let (reading, _) = groups[0].total(&snapshot, process_field(key).unwrap());
            assert_eq!(reading, Reading::Unsupported(Need::NotApplicable), "{key}");
        }
    }

    #[test]
    fn a_group_is_as_bad_as_its_worst_member_or_the_service_it_makes_up() {
        let mut snapshot = web_server();
        let judged = |verdict| Judged::new(0.0, verdict, 0.8);
        snapshot.analysis.judged = [Verdict::Steady, Verdict::Growing, Verdict::Sawtooth].map(judged).into();
        let verdict = |snapshot: &Snapshot, members: std::ops::Range<u32>| {
            group(snapshot, GroupBy::Command, members)[0].total(snapshot, process_field("verdict").unwrap()).0
        };
        assert_eq!(verdict(&snapshot, 0..3), Reading::Value(Value::verdict(Verdict::Growing, 80)));
        let unknown = Judgement::unknown(BootMs(0), 0.0, 0);
        snapshot.analysis.findings = [Finding {
            subject: Subject::Group(Text::new([&b"nginx\0"[..], &1000u32.to_ne_bytes()].concat())),
            quantity: Quantity::Private,
            name: "nginx (3)".into(),
            judgement: Judgement { verdict: Verdict::Leaking, confidence: 0.97, ..unknown },
            meetings: Vec::new(),
        }]
        .into();
        assert_eq!(verdict(&snapshot, 0..3), Reading::Value(Value::verdict(Verdict::Leaking, 97)));
        assert_eq!(verdict(&snapshot, 0..1), Reading::Value(Value::verdict(Verdict::Steady, 80)), "a third is not it");
        snapshot.analysis = Analysis::default();
        assert_eq!(verdict(&snapshot, 0..3), Reading::Pending);
    }

    #[test]
    fn every_word_is_read_again() {
        for (by, word) in GroupBy::ALL {
            assert_eq!(GroupBy::parse(word), Some(by));
        }
        assert_eq!(GroupBy::parse("cgroup"), Some(GroupBy::Unit));
    }
}
