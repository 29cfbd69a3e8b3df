//! Sizes in two bytes each: the few of 64 KiB and more stand in a list of their own.

use std::collections::HashMap;

use super::error::{Result, room};

/// Stands for a size that is in the list of large ones.
const LARGE: u16 = u16::MAX;

/// A size in bytes for each node.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    small: Vec<u16>,
    large: HashMap<u32, u64>,
}

impl Sizes {
    pub(super) fn with_room(count: usize) -> Result<Self> {
        Ok(Self { small: room(count, "sizes")?, large: HashMap::new() })
    }

    #[inline]
    pub(super) fn push(&mut self, size: u64) {
        self.small.push(0);
        self.set(self.small.len() as u32 - 1, size);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.small.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.small.is_empty()
    }

    /// The size of a node.
    #[inline]
    pub fn get(&self, node: u32) -> u64 {
        match self.small[node as usize] {
            LARGE => self.large[&node],
            small => small.into(),
        }
    }

    #[inline]
    pub(super) fn set(&mut self, node: u32, size: u64) {
        let place = &mut self.small[node as usize];
        if size < LARGE.into() {
            if *place == LARGE {
                self.large.remove(&node);
            }
            *place = size as u16;
        } else {
            *place = LARGE;
            self.large.insert(node, size);
        }
    }

    /// Adds to a size; what no machine has stays at the most there is.
    #[inline]
    pub(super) fn add(&mut self, node: u32, size: u64) {
        self.set(node, self.get(node).saturating_add(size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_sizes_are_kept_whole() {
        let mut sizes = Sizes::with_room(3).unwrap();
        for size in [7, 1 << 40, u64::from(LARGE) - 1] {
            sizes.push(size);
        }
        assert_eq!([0, 1, 2].map(|node| sizes.get(node)), [7, 1 << 40, u64::from(LARGE) - 1]);
        sizes.add(2, 10);
        assert_eq!(sizes.get(2), u64::from(LARGE) + 9);
        assert_eq!(sizes.large.len(), 2);
        sizes.set(2, 1);
        assert_eq!((sizes.get(2), sizes.large.len()), (1, 1));
        sizes.add(1, u64::MAX);
        assert_eq!(sizes.get(1), u64::MAX);
    }
}
