//! A sample as tables, and a sample out of tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::cells::{Cells, Put, Take};
use super::closer::{self, CloserMaker};
use super::columns::{Look, Moving, TableId};
use super::redact::Redaction;
use super::table::{RowKey, Table};
use super::texts::Interner;
use super::varint::Malformed;
use crate::model::cgroup::{BoundGroup, Membership};
use crate::model::closer::Closer;
use crate::model::deed::Deed;
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, ProcessSample};
use crate::model::reading::BootMs;
use crate::model::sample::{Host, Sample};
use crate::model::system::{SwapDevice, SystemSample, Zram};
use crate::model::text::Text;

/// All tables of one sample, by [`TableId`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) tables: [Table; TableId::ALL.len()],
}

impl State {
    pub(super) fn table(&self, id: TableId) -> &Table {
        &self.tables[id as usize]
    }
}

/// Turns samples into states, one after another; what is the same allocation as in the sample before is not looked at
/// again.
#[derive(Default)]
pub(super) struct Filler {
    pub(super) state: State,
    pub(super) texts: Interner,
    host: Option<Arc<Host>>,
    processes: Vec<Arc<ProcessSample>>,
    spare: Table,
    closer: Option<Arc<Closer>>,
    redaction: Redaction,
}

impl Filler {
    pub(super) fn new(redaction: Redaction) -> Self {
        Self { redaction, ..Self::default() }
    }

    /// Forgets all texts and rows: the state is that of nothing.
    pub(super) fn begin_group(&mut self) {
        *self = Self::new(self.redaction);
    }

    /// Takes a sample in. Its processes are in the order of their pids; where they are not, or one is there twice, the
    /// later one counts.
    pub(super) fn fill(&mut self, sample: &Sample) {
        let look = Look { interval_ms: sample.interval_ms, scan: sample.scan.clone() };
        self.one(TableId::Look, &look);
        if self.host.as_ref().is_none_or(|host| !Arc::ptr_eq(host, &sample.host)) {
            self.one(TableId::Host, &*sample.host);
            self.many(TableId::Users, sample.host.users.iter().map(|(uid, name)| (u64::from(*uid), name)));
            self.host = Some(Arc::clone(&sample.host));
        }
        self.one(TableId::System, &sample.system);
        self.many(TableId::Swaps, (0..).zip(&sample.system.swaps));
        self.many(TableId::Zram, (0..).zip(&sample.system.zram));
        self.many(TableId::BoundGroups, (0..).zip(&sample.system.bound_groups));
        self.many(TableId::Deeds, (0..).zip(&hidden(&sample.deeds, self.redaction)));
        if self.has_new_closer(sample) {
            closer::fill(&mut self.state, &mut self.texts, sample.closer.as_deref());
            self.closer.clone_from(&sample.closer);
        }
        self.fill_processes(sample);
    }

    /// Whether a sample has another closer look than the one before.
    pub(super) fn has_new_closer(&self, sample: &Sample) -> bool {
        self.closer.as_ref().map(Arc::as_ptr) != sample.closer.as_ref().map(Arc::as_ptr)
    }

    fn one<T: Cells>(&mut self, id: TableId, value: &T) {
        self.many(id, std::iter::once((0, value)));
    }

    fn many<'a, T: Cells + 'a>(&mut self, id: TableId, rows: impl Iterator<Item = (u64, &'a T)>) {
        let table = &mut self.state.tables[id as usize];
        table.clear();
        for (key, value) in rows {
            table.keys.push((key, 0));
            value.put(&mut Put { cells: &mut table.cells, texts: &mut self.texts });
        }
    }

    fn fill_processes(&mut self, sample: &Sample) {
        let width = TableId::Processes.width();
        let old = &self.state.tables[TableId::Processes as usize];
        let new = &mut self.spare;
        new.clear();
        let mut place = 0;
        let processes = ordered(&sample.processes);
        for process in processes.iter() {
            let key = key_of(process);
            while old.keys.get(place).is_some_and(|old_key| *old_key < key) {
                place += 1;
            }
            new.keys.push(key);
            let before = (old.keys.get(place) == Some(&key)).then(|| (&self.processes[place], old.row(place, width)));
            match before {
                Some((before, row)) if Arc::ptr_eq(before, process) => new.cells.extend_from_slice(row),
                before => {
                    let mut put = Put { cells: &mut new.cells, texts: &mut self.texts };
                    match before {
                        Some((before, row)) if Arc::ptr_eq(&before.identity, &process.identity) => {
                            put.cells.extend_from_slice(&row[..Identity::WIDTH]);
                        }
                        _ => put_identity(&process.identity, self.redaction, &mut put),
                    }
                    moving(process).put(&mut put);
                }
            }
        }
        std::mem::swap(&mut self.state.tables[TableId::Processes as usize], new);
        self.processes.clear();
        self.processes.extend(processes.iter().cloned());
    }
}

/// In ascending order of their keys, each once: as they are, as a rule.
fn ordered(processes: &[Arc<ProcessSample>]) -> std::borrow::Cow<'_, [Arc<ProcessSample>]> {
    if processes.windows(2).all(|pair| pair[0].key < pair[1].key) {
        return processes.into();
    }
    let by_key: std::collections::BTreeMap<_, _> =
        processes.iter().map(|process| (process.key, Arc::clone(process))).collect();
    by_key.into_values().collect::<Vec<_>>().into()
}

fn key_of(process: &ProcessSample) -> RowKey {
    (u64::from(process.key.pid), process.key.start_time)
}

fn put_identity(identity: &Identity, redaction: Redaction, put: &mut Put<'_>) {
    use std::borrow::Cow;
    let settings = identity.settings.as_text().as_bytes();
    match (redaction.redact(identity.command.as_bytes()), redaction.redact(settings)) {
        (Cow::Borrowed(_), Cow::Borrowed(_)) => identity.put(put),
        (command, settings) => {
            let (command, settings) = (Text::new(command.into_owned()), Text::new(settings.into_owned()).into());
            Identity { command, settings, ..identity.clone() }.put(put);
        }
    }
}

/// What was done, without what is to be hidden: words of a command line may be among those that tell what came of it.
fn hidden(deeds: &[Deed], redaction: Redaction) -> Vec<Deed> {
    let redaction = if redaction == Redaction::Nothing { redaction } else { Redaction::Secrets };
    let hide = |text: &Text| Text::new(redaction.redact(text.as_bytes()).into_owned());
    deeds.iter().map(|deed| Deed { title: hide(&deed.title), result: hide(&deed.result), ..deed.clone() }).collect()
}

fn moving(process: &ProcessSample) -> Moving {
    Moving {
        resident: process.resident,
        stat: process.stat,
        status: process.status,
        rollup: process.rollup,
        fds: process.fds,
        fd_limit: process.fd_limit,
        oom_score: process.oom_score,
    }
}

/// Turns states into samples. What is as it was in the sample before is the same allocation.
#[derive(Default)]
pub(super) struct Maker {
    host: Arc<Host>,
    groups: Vec<Arc<BoundGroup>>,
    processes: Vec<Arc<ProcessSample>>,
    memberships: HashMap<Membership, Arc<Membership>>,
    /// The rows that `processes` were made of, and by which texts.
    rows: Table,
    texts: u64,
    closer: CloserMaker,
}

/// Control groups beyond which those that are no longer used are forgotten.
const MOST_MEMBERSHIPS: usize = 4096;

impl Maker {
    /// The sample of a state. States that have the same `texts` call their texts by the same numbers.
    pub(super) fn make(
        &mut self,
        state: &State,
        texts: u64,
        text: &dyn Fn(u64) -> Option<Text>,
        at: BootMs,
        wall_ms: i64,
    ) -> Result<Sample, Malformed> {
        let look: Look = one(state, TableId::Look, text)?;
        self.make_host(state, text)?;
        let mut system: SystemSample = one(state, TableId::System, text)?;
        system.swaps = all::<SwapDevice>(state, TableId::Swaps, text)?;
        system.zram = all::<Zram>(state, TableId::Zram, text)?;
        self.groups = share(&self.groups, all(state, TableId::BoundGroups, text)?);
        system.bound_groups.clone_from(&self.groups);
        self.make_processes(state.table(TableId::Processes), texts, text)?;
        Ok(Sample {
            wall_ms,
            at,
            interval_ms: look.interval_ms,
            host: Arc::clone(&self.host),
            system,
            processes: self.processes.clone(),
            scan: look.scan,
            closer: self.closer.make(state, texts, text)?,
            deeds: all(state, TableId::Deeds, text)?,
        })
    }

    fn make_host(&mut self, state: &State, text: &dyn Fn(u64) -> Option<Text>) -> Result<(), Malformed> {
        let mut host: Host = one(state, TableId::Host, text)?;
        let names = all::<Text>(state, TableId::Users, text)?;
        for ((uid, _), name) in state.table(TableId::Users).keys.iter().zip(names) {
            host.users.insert(u32::try_from(*uid).map_err(|_| Malformed)?, name);
        }
        if host != *self.host {
            self.host = Arc::new(host);
        }
        Ok(())
    }

    fn make_processes(
        &mut self,
        table: &Table,
        texts: u64,
        text: &dyn Fn(u64) -> Option<Text>,
    ) -> Result<(), Malformed> {
        let width = TableId::Processes.width();
        if self.memberships.len() > MOST_MEMBERSHIPS {
            self.memberships.retain(|_, shared| Arc::strong_count(shared) > 1);
        }
        let mut processes = Vec::with_capacity(table.keys.len());
        let mut place = 0;
        for (nth, key) in table.keys.iter().enumerate() {
            while self.rows.keys.get(place).is_some_and(|old| old < key) {
                place += 1;
            }
            let row = table.row(nth, width);
            let before =
                (self.rows.keys.get(place) == Some(key)).then(|| (&self.processes[place], self.rows.row(place, width)));
            let process = match before {
                Some((before, old_row)) if self.texts == texts && old_row == row => Arc::clone(before),
                before => {
                    let mut take = Take { cells: row, text };
                    let identity = match before {
                        Some((before, old_row))
                            if self.texts == texts && old_row[..Identity::WIDTH] == row[..Identity::WIDTH] =>
                        {
                            take.cells = &row[Identity::WIDTH..];
                            Arc::clone(&before.identity)
                        }
                        before => {
                            let mut identity = Identity::take(&mut take)?;
                            let shared = self.memberships.entry((*identity.cgroup).clone());
                            identity.cgroup = Arc::clone(shared.or_insert_with(|| Arc::clone(&identity.cgroup)));
                            match before {
                                Some((before, _)) if *before.identity == identity => Arc::clone(&before.identity),
                                _ => Arc::new(identity),
                            }
                        }
                    };
                    let process = process(*key, identity, &Moving::take(&mut take)?)?;
                    match before {
                        Some((before, _)) if **before == process => Arc::clone(before),
                        _ => Arc::new(process),
                    }
                }
            };
            processes.push(process);
        }
        self.processes = processes;
        self.rows.clone_from(table);
        self.texts = texts;
        Ok(())
    }
}

fn process(key: RowKey, identity: Arc<Identity>, moving: &Moving) -> Result<ProcessSample, Malformed> {
    Ok(ProcessSample {
        key: ProcessKey { pid: u32::try_from(key.0).map_err(|_| Malformed)?, start_time: key.1 },
        identity,
        resident: moving.resident,
        stat: moving.stat,
        status: moving.status,
        rollup: moving.rollup,
        fds: moving.fds,
        fd_limit: moving.fd_limit,
        oom_score: moving.oom_score,
    })
}

/// The only row of a table; where a recording does not have it, that of a sample of which nothing was recorded.
pub(super) fn one<T: Cells>(state: &State, id: TableId, text: &dyn Fn(u64) -> Option<Text>) -> Result<T, Malformed> {
    let table = state.table(id);
    let absent: Vec<u64>;
    let cells = if table.keys.is_empty() {
        absent = id.spec().columns.iter().map(|column| column.kind.absent()).collect();
        &absent
    } else {
        &table.cells
    };
    T::take(&mut Take { cells, text })
}

/// Every row of a table.
pub(super) fn all<T: Cells>(
    state: &State,
    id: TableId,
    text: &dyn Fn(u64) -> Option<Text>,
) -> Result<Vec<T>, Malformed> {
    let rows = state.table(id).cells.chunks_exact(id.width());
    rows.map(|cells| T::take(&mut Take { cells, text })).collect()
}

/// The new values, each in its old allocation where it stands at the same place with the same value.
fn share<T: PartialEq>(old: &[Arc<T>], new: Vec<Arc<T>>) -> Vec<Arc<T>> {
    let old = old.iter().map(Some).chain(std::iter::repeat(None));
    new.into_iter().zip(old).map(|(new, old)| old.filter(|old| **old == new).map_or(new, Arc::clone)).collect()
}
