//! A snapshot through the inspector: asked for, streamed to the file, and the inspector closed again where it was not
//! open before.

use std::time::Duration;

use serde_json::{Value, json};

use super::Way;
use super::door::{self, Door};
use super::error::{HeapError, Why};
use super::estimate::{Estimate, Room};
use super::node::Node;
use super::output::Output;
use super::session::{self, BUSY, Event, Session};
use super::wire::Patience;
use crate::act::process::Held;
use crate::collect::root::ProcRoot;
use crate::units::Bytes;

/// How long an inspector may take to close after all went well, and after it did not.
const CLOSE: Duration = Duration::from_secs(10);
const CLOSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Bytes between two words about how far it is.
const TELL: u64 = 4 << 20;

/// An open inspector, or one that is opened for the time that something is asked.
pub(super) struct Visit<'a> {
    held: &'a Held<'a>,
    door: Door,
}

impl<'a> Visit<'a> {
    /// Finds the inspector, or has it opened where that was agreed to.
    pub(super) fn begin(
        held: &'a Held<'a>,
        node: &Node,
        may_open: bool,
        patience: Patience<'_>,
    ) -> Result<Self, HeapError> {
        if let Some(door) = door::find(held, node, patience)? {
            return Ok(Self { held, door });
        }
        if node.opens_by_itself()
            && let Some(door) = door::guess(held, node, patience)?
        {
            return Ok(Self { held, door });
        }
        if !may_open {
            return Err(HeapError::refused("no inspector is open"));
        }
        let door = door::open(held, node, patience).or_else(|error| match error.why {
            // Where one is open on a port of the program's own choice, SIGUSR1 opens no other.
            Why::TimedOut => door::guess(held, node, patience).ok().flatten().ok_or(error),
            _ => Err(error),
        })?;
        Ok(Self { held, door })
    }

    /// Whoever opened it: it is closed in the end.
    pub(super) fn close_in_the_end(&mut self) {
        self.door.is_ours = true;
    }

    /// Whether it was opened for this.
    pub(super) fn way(&self) -> Way {
        if self.door.is_ours { Way::Opened(self.door.address) } else { Way::Open(self.door.address) }
    }

    /// Connects, and asks for the statistics of the heap: whoever answers is the process, and not too busy.
    pub(super) fn greet<'b>(&self, node: &Node, patience: Patience<'b>) -> Result<(Session<'b>, Value), HeapError> {
        let mut session = Session::open(self.held, &self.door, patience)?;
        session.set_patience(patience.at_most(BUSY));
        let told = session.evaluate(&session::statistics()).map_err(|error| match error.why {
            Why::TimedOut => {
                HeapError::new(Why::TimedOut, "it is too busy to answer: its program never pauses, or waits")
            }
            _ => error,
        })?;
        session.set_patience(patience);
        let statistics: Value = told
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| HeapError::failed("what it tells of its heap can't be read"))?;
        if node.pid_inside != 0 && statistics["pid"].as_u64() != Some(u64::from(node.pid_inside)) {
            return Err(HeapError::refused("who answers says that it is another process"));
        }
        Ok((session, statistics))
    }

    /// Leaves it as it was found; where that fails, what to say.
    pub(super) fn end(self, went_well: bool) -> Result<(), String> {
        if !self.door.is_ours {
            return Ok(());
        }
        session::close(self.held, &self.door, if went_well { CLOSE } else { CLOSE_AFTER_FAILURE })
    }

    /// Does something, and leaves it as it was found.
    pub(super) fn during<T>(
        self,
        act: impl FnOnce(&Self) -> Result<T, HeapError>,
    ) -> Result<(T, Option<String>), HeapError> {
        let done = act(&self);
        let left = self.end(done.is_ok()).err();
        match (done, left) {
            (Ok(done), left) => Ok((done, left)),
            // Of one that has ended nothing is open.
            (Err(error), Some(left)) if error.why != Why::Ended => Err(error.and(&left)),
            (Err(error), _) => Err(error),
        }
    }
}

/// Has a snapshot written to the file, and gives the number of its objects.
pub(super) fn snapshot(
    visit: &Visit<'_>,
    node: &Node,
    root: &ProcRoot,
    is_forced: bool,
    output: &mut Output,
    patience: Patience<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<Option<u64>, HeapError> {
    let (mut session, statistics) = visit.greet(node, patience)?;
    let heap = ["used_heap_size", "heapUsed"];
    let heap = [&statistics["heap"][heap[0]], &statistics["memory"][heap[1]]];
    if let Some(heap) = heap.into_iter().find_map(Value::as_u64) {
        // Who answers says how large it is: it can't be larger than what it has.
        let estimate = Estimate::of(heap.min(node.private.max(1)));
        if !is_forced {
            Room::read(visit.held, root, output.folder()).check(&estimate)?;
        }
        output.allow(estimate.most());
    }
    let mut start = Vec::new();
    let mut end = b' ';
    let mut told = 0;
    // The values of numbers would be nodes of their own: a third more of everything, on a machine that is short of it.
    let params = json!({"reportProgress": true});
    session.call("HeapProfiler.takeHeapSnapshot", &params, |event| {
        match event {
            Event::Progress(done, total) => {
                if let Some(percent) = (done.min(total) * 100).checked_div(total) {
                    progress(format!("looks at its objects: {percent} %"));
                }
            }
            Event::Chunk(chunk) => {
                if start.len() < HEAD {
                    start.extend(chunk.bytes().take(HEAD - start.len()));
                }
                end = chunk.trim_ascii_end().bytes().last().unwrap_or(end);
                output.write(chunk.as_bytes())?;
                if output.written() - told >= TELL {
                    told = output.written();
                    progress(format!("{} written", Bytes(told)));
                }
            }
        }
        Ok(())
    })?;
    if !start.starts_with(b"{\"snapshot\":") || end != b'}' {
        return Err(HeapError::failed("what it sent is no whole heap snapshot"));
    }
    Ok(node_count(&start))
}

/// The first bytes of a snapshot, which tell how much is in it.
pub(super) const HEAD: usize = 8 << 10;

/// `"node_count":1234` in the first bytes.
pub(super) fn node_count(start: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"node_count\":";
    let at = start.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = start[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&start[at..at + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_objects_is_in_the_first_bytes() {
        assert_eq!(node_count(b"{\"snapshot\":{\"meta\":{},\"node_count\":58123,\"edge_count\":1}"), Some(58123));
        assert_eq!(node_count(b"{\"snapshot\":{}"), None);
        assert_eq!(node_count(b"\"node_count\":"), None);
    }
}
