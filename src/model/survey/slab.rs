//! Slab by cache.

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// A cache of the slab allocator (slabinfo(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlabCache {
    /// Its name; merged caches have the name of one of them.
    pub name: Text,
    /// Objects in use.
    pub active: u64,
    /// Objects there is room for.
    pub objects: u64,
    /// Bytes of an object, its padding included.
    pub object_size: u64,
    /// Bytes of RAM: slabs times their pages.
    pub bytes: u64,
    /// Whether its pages count as reclaimable (`reclaim_account`); `None` where the kernel does not tell us.
    pub is_reclaimable: Option<bool>,
}

impl SlabCache {
    /// Bytes that hold no object in use: an object that stays keeps its whole slab.
    pub fn idle(&self) -> u64 {
        self.bytes.saturating_sub(self.active.saturating_mul(self.object_size))
    }
}
