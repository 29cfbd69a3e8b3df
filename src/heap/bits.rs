//! A bit for each node or edge.

use super::error::{Result, filled};

/// Bits by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(count: usize) -> Result<Self> {
        Ok(Self(filled(0, count.div_ceil(64), "flags")?))
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> bool {
        self.0[place as usize / 64] >> (place % 64) & 1 != 0
    }

    #[inline]
    pub(super) fn set(&mut self, place: u32) {
        self.0[place as usize / 64] |= 1 << (place % 64);
    }

    /// Sets a bit, and whether it was clear before.
    #[inline]
    pub(super) fn insert(&mut self, place: u32) -> bool {
        let word = &mut self.0[place as usize / 64];
        let bit = 1 << (place % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}
