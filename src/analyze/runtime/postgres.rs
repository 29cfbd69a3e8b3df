//! PostgreSQL: shared_buffers is shared by all its processes; what a session takes beside it has no limit.

use super::Case;
use crate::model::runtime::OwnLimit;
use crate::units::Bytes;

pub(super) fn limit(_: &Case<'_>) -> OwnLimit {
    OwnLimit::Without(
        tr!("what a session takes beside the shared buffers has none: work_mem bounds single steps of a query").into(),
    )
}

pub(super) fn facts(case: &Case<'_>) -> Vec<(&'static str, String)> {
    let shared = case.clues.and_then(|clues| clues.shared);
    shared
        .map(|bytes| (tr!("shared memory"), tr!("{bytes}: shared_buffers and little else", bytes = Bytes(bytes))))
        .into_iter()
        .collect()
}
