//! A closer look as tables, and out of tables.

use std::sync::Arc;

use super::cells::{Cells, Put};
use super::columns::{NamedSetting, TableId};
use super::state::{State, all, one};
use super::table::Table;
use super::texts::Interner;
use super::varint::Malformed;
use crate::model::cgroup::CgroupVersion;
use crate::model::cgroup_tree::CgroupTree;
use crate::model::closer::Closer;
use crate::model::reading::{BootMs, Feature, Need, Reading};
use crate::model::survey::{Extent, SETTINGS, Survey, Surveyed, Zones};
use crate::model::text::Text;

/// What a closer look says of its parts: whose rows are in tables of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) slab: Part,
    pub(super) tmpfs: Part,
    pub(super) segments: Part,
    pub(super) posix: Part,
    pub(super) settings: Part,
    pub(super) zones: Part,
    pub(super) dirty_background: Option<u64>,
    pub(super) dirty: Option<u64>,
    pub(super) version: CgroupVersion,
    pub(super) groups_left_out: u32,
}

/// A part: how the reading went, when, and how many rows it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: BootMs,
    pub(super) cost_us: u64,
    pub(super) left_out: u32,
    pub(super) rows: Reading<u32>,
}

impl Part {
    fn of<T>(surveyed: &Surveyed<T>, rows: impl FnOnce(&T) -> usize) -> Self {
        let Surveyed { reading, at, cost_us, left_out } = surveyed;
        let rows = reading.as_ref().map(|value| rows(value) as u32);
        Self { at: *at, cost_us: *cost_us, left_out: *left_out, rows }
    }

    fn with<T>(self, value: impl FnOnce() -> Result<T, Malformed>) -> Result<Surveyed<T>, Malformed> {
        let Self { at, cost_us, left_out, rows } = self;
        let reading = match rows.map(|_| ()) {
            Reading::Value(()) => Reading::Value(value()?),
            Reading::Stale((), age) => Reading::Stale(value()?, age),
            none => none.and_then(|()| Reading::Pending),
        };
        Ok(Surveyed { reading, at, cost_us, left_out })
    }
}

/// Fills the tables; where there has been no look they are empty.
pub(super) fn fill(state: &mut State, texts: &mut Interner, closer: Option<&Closer>) {
    for id in TableId::CLOSER.iter().copied() {
        state.tables[id as usize].clear();
    }
    let Some(Closer { survey, cgroups }) = closer else { return };
    let zones = survey.zones.value();
    let parts = Parts {
        slab: Part::of(&survey.slab, |all| all.len()),
        tmpfs: Part::of(&survey.tmpfs, |all| all.len()),
        segments: Part::of(&survey.segments, |all| all.len()),
        posix: Part::of(&survey.posix, |all| all.len()),
        settings: Part::of(&survey.settings, |all| all.len()),
        zones: Part::of(&survey.zones, |zones| zones.zones.len()),
        dirty_background: zones.and_then(|zones| zones.dirty_background),
        dirty: zones.and_then(|zones| zones.dirty),
        version: cgroups.version,
        groups_left_out: cgroups.left_out,
    };
    let mut rows = Rows { state, texts };
    rows.put(TableId::Parts, [&parts]);
    rows.put(TableId::Slab, survey.slab.value().into_iter().flat_map(|all| all.iter()));
    rows.put(TableId::Tmpfs, survey.tmpfs.value().into_iter().flat_map(|all| all.iter()));
    rows.put(TableId::Segments, survey.segments.value().into_iter().flat_map(|all| all.iter()));
    rows.put(TableId::ShmFiles, survey.posix.value().into_iter().flat_map(|all| all.iter()));
    let settings = survey.settings.value().into_iter().flat_map(|all| SETTINGS.iter().zip(all.iter()));
    let named = settings.map(|(spec, value)| NamedSetting { key: spec.key.into(), value: value.clone() });
    rows.put(TableId::Settings, named.collect::<Vec<_>>().iter());
    rows.put(TableId::Zones, zones.into_iter().flat_map(|zones| &zones.zones));
    rows.put(TableId::Cgroups, &cgroups.nodes);
}

struct Rows<'a> {
    state: &'a mut State,
    texts: &'a mut Interner,
}

impl Rows<'_> {
    fn put<'a, T: Cells + 'a>(&mut self, id: TableId, rows: impl IntoIterator<Item = &'a T>) {
        let table = &mut self.state.tables[id as usize];
        for (key, value) in (0..).zip(rows) {
            table.keys.push((key, 0));
            value.put(&mut Put { cells: &mut table.cells, texts: self.texts });
        }
    }
}

/// Makes closer looks of states; one that is as before is the same allocation.
#[derive(Default)]
pub(super) struct CloserMaker {
    latest: Option<Arc<Closer>>,
    /// What it was made of, and by which texts.
    tables: [Table; TableId::CLOSER.len()],
    texts: u64,
}

impl CloserMaker {
    pub(super) fn make(
        &mut self,
        state: &State,
        texts: u64,
        text: &dyn Fn(u64) -> Option<Text>,
    ) -> Result<Option<Arc<Closer>>, Malformed> {
        if state.table(TableId::Parts).keys.is_empty() {
            return Ok(None);
        }
        let is_same = self.texts == texts
            && TableId::CLOSER.iter().zip(&self.tables).all(|(id, table)| state.table(*id) == table);
        if self.latest.is_some() && is_same {
            return Ok(self.latest.clone());
        }
        let closer = take(state, text)?;
        for (id, table) in TableId::CLOSER.iter().zip(&mut self.tables) {
            table.clone_from(state.table(*id));
        }
        self.texts = texts;
        if self.latest.as_deref() != Some(&closer) {
            self.latest = Some(Arc::new(closer));
        }
        Ok(self.latest.clone())
    }
}

fn take(state: &State, text: &dyn Fn(u64) -> Option<Text>) -> Result<Closer, Malformed> {
    let parts: Parts = one(state, TableId::Parts, text)?;
    let (dirty_background, dirty) = (parts.dirty_background, parts.dirty);
    let survey = Survey {
        slab: parts.slab.with(|| all(state, TableId::Slab, text).map(Into::into))?,
        tmpfs: parts.tmpfs.with(|| all(state, TableId::Tmpfs, text).map(Into::into))?,
        segments: parts.segments.with(|| all(state, TableId::Segments, text).map(Into::into))?,
        posix: parts.posix.with(|| all(state, TableId::ShmFiles, text).map(Into::into))?,
        settings: parts.settings.with(|| {
            let named: Vec<NamedSetting> = all(state, TableId::Settings, text)?;
            let find = |key: &str| named.iter().find(|setting| setting.key.as_bytes() == key.as_bytes());
            let not_recorded = Reading::Unsupported(Need::Feature(Feature::Recording));
            let value = |key| find(key).map_or_else(|| not_recorded.clone(), |setting| setting.value.clone());
            Ok(SETTINGS.iter().map(|spec| value(spec.key)).collect())
        })?,
        zones: parts.zones.with(|| Ok(Zones { zones: all(state, TableId::Zones, text)?, dirty_background, dirty }))?,
        loose: Surveyed { reading: Reading::Unsupported(Need::Feature(Feature::Recording)), ..Surveyed::pending() },
        extent: Extent::default(),
    };
    let nodes = all(state, TableId::Cgroups, text)?;
    let cgroups = CgroupTree { version: parts.version, nodes, left_out: parts.groups_left_out };
    Ok(Closer { survey: Arc::new(survey), cgroups: Arc::new(cgroups) })
}
