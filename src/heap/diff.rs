//! What grew from one snapshot of a process to the next. V8 gives an object its number for as long as an inspector's
//! session lasts, or where none ends, for life: new is what only the later one has, deleted what only the earlier one has.
//! Where the numbers begin anew, only how many there are is compared.
//!
//! Of the earlier snapshots only a summary stays, so that two of some GB are compared with the memory of little more
//! than one.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::error::{Result, room};
use super::explorer::{Explorer, Phase};
use super::graph::HeapGraph;
use super::holders::{Held, grouped};
use super::kind::NodeKind;
use super::places::Place;
use super::sizes::Sizes;
use crate::model::text::escape;

/// What tells classes of different snapshots apart.
type Key = (Vec<u8>, Option<Place>);

/// A class as one snapshot has it.
#[derive(Clone, Debug, Default)]
struct Members {
    /// In order.
    ids: Vec<u32>,
    /// By their place in `ids`.
    sizes: Sizes,
    shallow: u64,
    retained: u64,
}

/// What of a snapshot is compared.
#[derive(Clone, Debug)]
pub struct Summary {
    classes: HashMap<Key, (NodeKind, Members)>,
    total: u64,
}

impl Summary {
    /// Sums up a snapshot.
    pub fn of(explorer: &Explorer) -> Result<Self> {
        let graph = explorer.graph();
        let classes = explorer.classes();
        let mut members: Vec<Vec<(u32, u32)>> = Vec::new();
        for class in classes.all() {
            members.push(room(class.count as usize, "classes")?);
        }
        for node in graph.nodes() {
            if let Some(class) = classes.of_node(node) {
                members[class as usize].push((graph.id(node), node));
            }
        }
        let mut summary = Self { classes: HashMap::new(), total: explorer.total() };
        for (class, mut members) in classes.all().iter().zip(members) {
            members.sort_unstable();
            let mut sizes = Sizes::with_room(members.len())?;
            for (_, node) in &members {
                sizes.push(graph.size(*node));
            }
            let ids = members.iter().map(|(id, _)| *id).collect();
            let members = Members { ids, sizes, shallow: class.shallow, retained: class.retained };
            summary.classes.insert((class.name.clone(), class.place), (class.kind, members));
        }
        Ok(summary)
    }

    /// Sums up a snapshot that is earlier than `latest`: plain objects are told apart by the shapes of that one.
    pub fn of_earlier(graph: HeapGraph, latest: &Explorer, progress: &mut dyn FnMut(Phase)) -> Result<Self> {
        Self::of(&Explorer::stoppable(graph, Some(latest), &mut |phase| {
            progress(phase);
            Ok(())
        })?)
    }

    /// Bytes of all nodes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether an object has the same number in `self` and in `other`. V8 forgets the numbers when an inspector's session
    /// ends, and counts from the beginning in the next one (`HeapProfiler.disable`), as another process does: then a
    /// number that both have is mostly of another class in each.
    pub fn is_numbered_as(&self, other: &Self) -> bool {
        let mut ids: Vec<u32> = Vec::new();
        other.classes.values().for_each(|(_, members)| ids.extend_from_slice(&members.ids));
        ids.sort_unstable();
        let (mut shared, mut alike) = (0, 0);
        for (key, (_, members)) in &self.classes {
            let same = other.classes.get(key).map_or(&[][..], |(_, members)| &members.ids);
            for id in members.ids.iter().filter(|id| ids.binary_search(id).is_ok()) {
                shared += 1;
                alike += usize::from(same.binary_search(id).is_ok());
            }
        }
        // An object whose shape changes is of another class, too; few do.
        alike * 4 >= shared * 3 && shared > 0
    }
}

/// How objects of two snapshots are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// By their numbers: who came and who went is known.
    Kept,
    /// Not at all: only how many there are is known.
    Anew,
}

impl Numbering {
    /// Of snapshots, the earliest first.
    pub fn of(summaries: &[Summary]) -> Self {
        if summaries.windows(2).all(|pair| pair[0].is_numbered_as(&pair[1])) { Self::Kept } else { Self::Anew }
    }
}

/// What a class did from one snapshot to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Objects that only the later one has.
    pub new: u64,
    /// Objects that only the earlier one has.
    pub deleted: u64,
    /// Bytes of the new ones.
    pub new_size: u64,
    /// Bytes of the deleted ones.
    pub deleted_size: u64,
    /// What the class retains more, or less.
    pub retained: i64,
}

impl Step {
    /// Objects gained.
    pub fn count(&self) -> i64 {
        self.new as i64 - self.deleted as i64
    }

    /// Bytes gained by objects that came and went.
    pub fn size(&self) -> i64 {
        self.new_size as i64 - self.deleted_size as i64
    }
}

/// What became of a class over all snapshots.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub name: Vec<u8>,
    /// Where its constructor is written.
    pub place: Option<Place>,
    /// What its nodes are.
    pub kind: NodeKind,
    /// How many objects each snapshot has.
    pub counts: Vec<u64>,
    /// What they take themselves in each.
    pub shallow: Vec<u64>,
    /// What would be freed with them in each.
    pub retained: Vec<u64>,
    /// What it did from each to the next.
    pub steps: Vec<Step>,
    /// What it did from the first to the last.
    pub whole: Step,
}

impl Change {
    /// Whether it has gained objects in every step: what only came and went in one of them has not.
    pub fn grows_always(&self) -> bool {
        self.steps.iter().all(|step| step.count() > 0)
    }
}

/// Compares snapshots, the earliest first: classes that changed, those that grew most first.
pub fn compare(summaries: &[Summary], numbering: Numbering) -> Vec<Change> {
    if summaries.len() < 2 {
        return Vec::new();
    }
    let mut keys: HashMap<&Key, NodeKind> = HashMap::new();
    for summary in summaries {
        keys.extend(summary.classes.iter().map(|(key, (kind, _))| (key, *kind)));
    }
    let none = Members::default();
    let step = match numbering {
        Numbering::Kept => step,
        Numbering::Anew => step_by_count,
    };
    let mut changes: Vec<Change> = keys
        .into_iter()
        .map(|(key, kind)| {
            let all: Vec<&Members> = summaries
                .iter()
                .map(|summary| summary.classes.get(key).map_or(&none, |(_, members)| members))
                .collect();
            let steps: Vec<Step> = all.windows(2).map(|pair| step(pair[0], pair[1])).collect();
            let whole = if let [only] = steps.as_slice() { *only } else { step(all[0], all[all.len() - 1]) };
            Change {
                name: key.0.clone(),
                place: key.1,
                kind,
                counts: all.iter().map(|members| members.ids.len() as u64).collect(),
                shallow: all.iter().map(|members| members.shallow).collect(),
                retained: all.iter().map(|members| members.retained).collect(),
                steps,
                whole,
            }
        })
        .filter(|change| change.steps.iter().any(|step| *step != Step::default()))
        .collect();
    changes.sort_by(|a, b| order(a).cmp(&order(b)));
    changes
}

/// What grew in every step first, then what grew, then the rest; each by what it retains more.
fn order(change: &Change) -> impl Ord + '_ {
    let whole = &change.whole;
    let is_more = whole.count() > 0;
    (
        !(is_more && change.grows_always()),
        !is_more,
        Reverse(whole.retained),
        Reverse(whole.size()),
        &change.name,
        change.place,
    )
}

fn step(before: &Members, after: &Members) -> Step {
    let mut found = Step { retained: after.retained as i64 - before.retained as i64, ..Step::default() };
    let (mut old, mut new) = (0, 0);
    loop {
        match (before.ids.get(old), after.ids.get(new)) {
            (Some(a), Some(b)) if a == b => (old, new) = (old + 1, new + 1),
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                found.deleted += 1;
                found.deleted_size += before.sizes.get(old as u32);
                old += 1;
            }
            (_, Some(_)) => {
                found.new += 1;
                found.new_size += after.sizes.get(new as u32);
                new += 1;
            }
            (_, None) => return found,
        }
    }
}

/// What the numbers of objects can't tell: so many more, or so many fewer.
fn step_by_count(before: &Members, after: &Members) -> Step {
    let (old, new) = (before.ids.len() as u64, after.ids.len() as u64);
    Step {
        new: new.saturating_sub(old),
        deleted: old.saturating_sub(new),
        new_size: after.shallow.saturating_sub(before.shallow),
        deleted_size: before.shallow.saturating_sub(after.shallow),
        retained: after.retained as i64 - before.retained as i64,
    }
}

/// Who holds the objects of a class that `first` does not have, those who hold most first; where they can't be told
/// apart, who holds those that there are.
pub fn holders_of_new(latest: &Explorer, first: &Summary, change: &Change, numbering: Numbering) -> Result<Vec<Held>> {
    let Some(class) = class_of(latest, change) else { return Ok(Vec::new()) };
    latest.held(&new_nodes(latest, first, change, numbering), Some(class))
}

/// The class of a change in the latest snapshot, if it is there still.
pub fn class_of(latest: &Explorer, change: &Change) -> Option<u32> {
    let mut all = (0..).zip(latest.classes().all());
    let found = all.find(|(_, class)| class.name == change.name && class.place == change.place)?;
    Some(found.0)
}

/// The objects of a class that `first` does not have; where they can't be told apart, all that there are.
pub fn new_nodes(latest: &Explorer, first: &Summary, change: &Change, numbering: Numbering) -> Vec<u32> {
    let Some(class) = class_of(latest, change) else { return Vec::new() };
    let known = match numbering {
        Numbering::Kept => first.classes.get(&(change.name.clone(), change.place)),
        Numbering::Anew => None,
    };
    let known = known.map(|(_, members)| members.ids.as_slice());
    let is_new = |node: &u32| known.is_none_or(|known| known.binary_search(&latest.graph().id(*node)).is_err());
    latest.classes().nodes(class).filter(is_new).collect()
}

/// What grew of a class, and who holds it, in one sentence; `None` where nobody holds any of it.
pub fn told(latest: &Explorer, change: &Change, held: &[Held], numbering: Numbering) -> Option<String> {
    let name = escape(&change.name);
    let what = match numbering {
        Numbering::Kept => tr!("new {name}", name),
        Numbering::Anew => tr!("{name} ({count} more)", name, count = grouped(change.whole.new)),
    };
    let mut text = latest.held_text(held.first()?, &what);
    let rest: u64 = held[1..].iter().map(|held| held.count).sum();
    if rest > 0 {
        text = tr!("{text}, {count} elsewhere", text, count = grouped(rest));
    }
    Some(text)
}
