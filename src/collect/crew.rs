//! Several threads for a look that has to be over soon.

use std::sync::Mutex;

use super::process::ProcessReader;

/// Items that make starting threads worth it.
const MANY: usize = 64;

/// Threads that so many items are worth.
pub(super) fn threads_for(items: usize) -> usize {
    if items < MANY { 1 } else { std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4)) }
}

/// Runs `work` on every item, on several threads where there are many.
pub(super) fn for_each<T: Send>(
    items: &mut [T],
    reader: &ProcessReader,
    work: impl Fn(&mut ProcessReader, &mut T) + Sync,
) {
    let threads = threads_for(items.len());
    // Small parts, taken in turn: one process of many gigabytes must not leave the other threads idle.
    let parts = Mutex::new(items.chunks_mut(MANY / 8));
    let take = |mut reader: ProcessReader| {
        loop {
            let part = parts.lock().map(|mut parts| parts.next());
            let Ok(Some(part)) = part else { return };
            for item in part {
                work(&mut reader, item);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let reader = reader.for_thread();
            scope.spawn(|| take(reader));
        }
        take(reader.for_thread());
    });
}
