//! Metrics of processes or of groups of them, one family a field.

use std::rc::Rc;

use super::{Choice, Family, Kind, Labels, Wish, label, names, number};
use crate::model::field::{ProcessField, Value};
use crate::model::group::Group;
use crate::model::judgement::Verdict;
use crate::model::reading::Reading;
use crate::model::snapshot::{Row, Snapshot};

pub(super) fn families(snapshot: &Snapshot, choice: &Choice, wish: &Wish) -> Vec<Family> {
    match wish.group {
        None => processes(snapshot, choice, wish),
        Some(by) => groups(snapshot, choice, wish, by.word()),
    }
}

fn processes(snapshot: &Snapshot, choice: &Choice, wish: &Wish) -> Vec<Family> {
    let rows: Vec<(Row<'_>, Labels)> = choice
        .processes()
        .iter()
        .filter_map(|key| snapshot.row_of(*key))
        .map(|row| {
            let labels = of_process(&row);
            (row, labels)
        })
        .collect();
    let family = |field: &&'static ProcessField| {
        let mut family = empty(field, "process")?;
        for (row, labels) in &rows {
            add(&mut family, field, labels, &(field.get)(row), snapshot);
        }
        Some(family)
    };
    wish.fields.iter().filter_map(family).collect()
}

/// A process's labels: never its arguments, which hold passwords.
pub(super) fn of_process(row: &Row<'_>) -> Labels {
    let name = row.process.identity.comm.escaped();
    let pid = row.process.key.pid.to_string();
    Labels::from([("pid", pid), ("name", label(&name)), ("user", label(&row.user()))])
}

fn groups(snapshot: &Snapshot, choice: &Choice, wish: &Wish, by: &str) -> Vec<Family> {
    let labels = |group: &Group| Labels::from([("by", by.to_owned()), ("name", label(&group.name))]);
    let named: Vec<(&Group, Labels)> = choice.groups().iter().map(|group| (group, labels(group))).collect();
    let mut count = Family::new("memtide_group_processes", Kind::Gauge, "", "Processes of a group that were seen.");
    for (group, labels) in &named {
        count.add(labels, group.members.len() as f64);
    }
    let family = |field: &&'static ProcessField| {
        let mut family = empty(field, "group")?;
        for (group, labels) in &named {
            add(&mut family, field, labels, &group.total(snapshot, field).0, snapshot);
        }
        Some(family)
    };
    std::iter::once(count).chain(wish.fields.iter().filter_map(family)).collect()
}

/// The family of a field, without a point.
pub(super) fn empty(field: &'static ProcessField, of: &str) -> Option<Family> {
    let (name, kind, unit) = names::of_process(field)?;
    // A sum over who is alive falls when one of them ends.
    let kind = if of == "group" { Kind::Gauge } else { kind };
    Some(Family::new(format!("memtide_{of}_{name}"), kind, unit, field.help))
}

/// Adds what is known of a field.
pub(super) fn add(
    family: &mut Family,
    field: &ProcessField,
    labels: &Labels,
    reading: &Reading<Value<'_>>,
    snapshot: &Snapshot,
) {
    match field.key {
        "verdict" => {
            let Some(Value::Ranked(rank, _)) = reading.as_ref().value() else { return };
            let verdict = ("verdict", Verdict::of_rank(rank / 100).word().to_owned());
            let labels: Labels = labels.iter().cloned().chain([verdict]).collect::<Vec<_>>().into();
            family.add(&labels, f64::from(rank % 100) / 100.0);
        }
        "age" => {
            let age_ms = reading.as_ref().value().and_then(Value::number);
            // To the tick: the wall clock and the time since boot were not read in one moment.
            let started = |age_ms: f64| ((snapshot.sample.wall_ms as f64 - age_ms) / 10.0).round() / 100.0;
            family.add(labels, age_ms.map(started));
        }
        _ => family.add(&Rc::clone(labels), number(field.unit, reading)),
    }
}
