//! The heap of V8 in numbers, as a process tells them of itself.

use std::time::Duration;

/// What `v8.getHeapStatistics()`, `v8.getHeapSpaceStatistics()` and `process.memoryUsage()` say, bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// `process.version` without its `v`.
    pub version: Option<String>,
    /// How long the process runs (`process.uptime()`).
    pub uptime: Option<Duration>,
    /// Objects, garbage among them.
    pub used: u64,
    /// What V8 holds for the heap.
    pub total: u64,
    /// The part of that which is in RAM or swap.
    pub physical: Option<u64>,
    /// The limit of the heap.
    pub limit: Option<u64>,
    /// What is left to that, by V8's own count.
    pub available: Option<u64>,
    /// Memory of native objects that objects of the heap hold: Buffers among it.
    pub external: Option<u64>,
    /// The part of it that Buffers and `ArrayBuffer`s have.
    pub array_buffers: Option<u64>,
    /// V8's own, by malloc, and the most of it so far.
    pub malloced: Option<u64>,
    /// See `malloced`.
    pub peak_malloced: Option<u64>,
    /// RSS of the process.
    pub rss: Option<u64>,
    /// Contexts, and those that the program gave up and something still holds: a leak of whole global objects.
    pub native_contexts: Option<u64>,
    /// See `native_contexts`.
    pub detached_contexts: Option<u64>,
    /// Its spaces.
    pub spaces: Vec<HeapSpace>,
}

/// A space of V8's heap, bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapSpace {
    /// Its name, escaped: `old_space`.
    pub name: String,
    /// What V8 holds for it.
    pub size: u64,
    /// Objects.
    pub used: u64,
    /// Free in what is held.
    pub available: u64,
    /// In RAM or swap.
    pub physical: u64,
}
