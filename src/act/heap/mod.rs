//! What is inside the heap of a running process, asked of its own runtime.
//!
//! A V8 heap snapshot comes through the inspector that is open already, through a file that Node.js writes itself
//! (`--heapsnapshot-signal`), or through the inspector that SIGUSR1 opens, which is closed again afterwards. [`look`]
//! says which, without doing anything; [`capture`] does it; [`stats`] asks for numbers alone.

mod advice;
mod door;
mod error;
mod estimate;
#[cfg(test)]
mod hostile;
mod http;
mod node;
mod output;
mod session;
mod stats;
mod take;
mod websocket;
mod wire;
mod written;

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use self::advice::instead;
pub use self::error::{HeapError, Why};
use self::estimate::{Estimate, Room};
use self::node::Node;
use self::output::Output;
use self::take::Visit;
use self::wire::Patience;
use super::control::Control;
use super::effect::{Signal, Target};
use super::process::Held;
use crate::collect::root::ProcRoot;
use crate::model::histogram::{Histogram, parse_hotspot};
use crate::model::runtime::RuntimeKind;
use crate::model::v8::HeapStats;

/// How a snapshot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long all of it may take.
    pub timeout: Duration,
    /// Takes it although memory or the disk seem not to carry it.
    pub force: bool,
}

impl Options {
    /// How long it may take unless told otherwise: V8 needs up to a second for 5 MB of heap of small objects.
    pub const TIMEOUT: Duration = Duration::from_mins(10);
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Self::TIMEOUT, force: false }
    }
}

/// The way to a process's heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its inspector is open here.
    Open(SocketAddr),
    /// It writes a file itself on this signal.
    Writes(Signal),
    /// SIGUSR1 opens its inspector.
    Opens,
    /// SIGUSR1 opened it here, for this time alone.
    Opened(SocketAddr),
}

/// What was found out before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// How it would be done.
    pub way: Way,
    /// Its version.
    pub version: Option<String>,
    /// Its heap as it is seen from outside, garbage included, bytes.
    pub heap: u64,
    /// About how much memory a snapshot takes beside it, and how large the file becomes, bytes.
    pub memory: u64,
    /// See `memory`.
    pub disk: u64,
}

/// A snapshot that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Objects in it.
    pub nodes: Option<u64>,
    /// How long it took.
    pub took: Duration,
    /// How it was done.
    pub way: Way,
    /// What is not as it was before: an inspector that could not be closed.
    pub left: Option<String>,
}

/// Looks at a process, and says how a snapshot of its heap would be taken to a file, or why none can be.
pub fn look(root: &ProcRoot, target: &Target, file: Option<&Path>, force: bool) -> Result<Look, HeapError> {
    let held = hold(root, target)?;
    look_at(&held, root, file, force).map(|(look, _)| look)
}

fn hold<'a>(root: &'a ProcRoot, target: &Target) -> Result<Held<'a>, HeapError> {
    if let Some(why) = super::plan::not_here(root) {
        return Err(HeapError::refused(why.trim_end_matches('.')));
    }
    Held::open(root, target.key).map_err(|missed| HeapError::new(Why::Ended, missed.to_string()))
}

fn look_at(held: &Held<'_>, root: &ProcRoot, file: Option<&Path>, force: bool) -> Result<(Look, Node), HeapError> {
    let node = node::recognise(held, root)?;
    let way = way(held, &node)?;
    let heap = estimate::heap_from_outside(held, root, node.private, node.limit);
    let estimate = Estimate::of(heap);
    if let Some(file) = file {
        let (folder, _) = output::place(file)?;
        if !force {
            Room::read(held, root, folder.as_fd()).check(&estimate)?;
            if let Way::Writes(_) = way {
                Room::read(held, root, written::folder(held, &node)?.as_fd()).check(&estimate)?;
            }
        }
    }
    let look = Look { way, version: node.version.clone(), heap, memory: estimate.memory, disk: estimate.disk };
    Ok((look, node))
}

fn way(held: &Held<'_>, node: &Node) -> Result<Way, HeapError> {
    let open = door::likely(held, node)?;
    match (open, node.snapshot_signal()) {
        (None, Some(signal)) => Ok(Way::Writes(signal)),
        (open, _) => {
            door::elsewhere(held)?;
            match (open, node.why_not_usr1()) {
                (Some(address), _) => Ok(Way::Open(address)),
                (None, None) => Ok(Way::Opens),
                (None, Some(why)) => Err(HeapError::refused(why)),
            }
        }
    }
}

/// Takes a V8 heap snapshot of a running Node.js process to a new file that only we can read. It needs no terminal; a
/// [`Control`] stops it early. The process goes on, and an inspector that was closed before is closed again; nothing
/// that is called like the file is left behind by one that failed.
///
/// Whoever calls this has been told, or has decided, that SIGUSR1 is sent to a process that was not prepared for it, and
/// that all of its program stands still meanwhile.
pub fn capture(
    root: &ProcRoot,
    target: &Target,
    file: &Path,
    options: Options,
    control: &Control,
    progress: &mut dyn FnMut(String),
) -> Result<Captured, HeapError> {
    let began = Instant::now();
    let held = hold(root, target)?;
    let (look, node) = look_at(&held, root, Some(file), options.force)?;
    let patience = Patience { control, held: Some(&held), deadline: began + options.timeout };
    let mut output = Output::create(file, Estimate::of(look.heap).most(), !options.force)?;
    let (nodes, way, left) = if let Way::Writes(signal) = look.way {
        let nodes = written::snapshot(&held, &node, signal, &mut output, patience, progress)?;
        (nodes, look.way, None)
    } else {
        let visit = Visit::begin(&held, &node, true, patience)?;
        let way = visit.way();
        let (nodes, left) =
            visit.during(|visit| take::snapshot(visit, &node, root, options.force, &mut output, patience, progress))?;
        (nodes, way, left)
    };
    let bytes = output.finish()?;
    Ok(Captured { file: file.to_owned(), bytes, nodes, took: began.elapsed(), way, left })
}

/// Asks a running Node.js process for the statistics of its heap; beside them what is not as it was before. Its inspector
/// is opened for it only where `may_open`, and one that was
/// open before is closed too where `close`.
pub fn stats(
    root: &ProcRoot,
    target: &Target,
    may_open: bool,
    close: bool,
    timeout: Duration,
    control: &Control,
) -> Result<(HeapStats, Way, Option<String>), HeapError> {
    let held = hold(root, target)?;
    let node = node::recognise(&held, root)?;
    if door::likely(&held, &node)?.is_none() {
        door::elsewhere(&held)?;
    }
    let patience = Patience { control, held: Some(&held), deadline: Instant::now() + timeout };
    let mut visit = Visit::begin(&held, &node, may_open, patience)?;
    let way = visit.way();
    if close {
        visit.close_in_the_end();
    }
    let (said, left) = visit.during(|visit| visit.greet(&node, patience).map(|(_, statistics)| statistics))?;
    Ok((stats::parse(&said)?, way, left))
}

/// Counts the objects of a JVM by class: live ones, which a full collection finds first, or all.
pub fn class_histogram(
    root: &ProcRoot,
    target: &Target,
    all: bool,
    timeout: Duration,
    control: &Control,
) -> Result<Histogram, HeapError> {
    hold(root, target)?;
    let deadline = Instant::now() + timeout;
    let text = super::jvm::class_histogram(root, target, all, deadline, control).map_err(HeapError::failed)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    parse_hotspot(&text, target.key.pid, now).ok_or_else(|| HeapError::failed("its answer is no class histogram"))
}

/// What runs a process, by its executable and its libraries.
pub fn runtime_of(root: &ProcRoot, target: &Target) -> Result<Option<RuntimeKind>, HeapError> {
    let held = hold(root, target)?;
    Ok(node::runtime_of(&held, root)?.0.map(|runtime| runtime.kind))
}

/// Fetches a short document from a server of this machine or another, such as a profile of Go.
pub fn fetch(
    address: SocketAddr,
    host: &str,
    path: &str,
    most: usize,
    timeout: Duration,
    control: &Control,
) -> Result<Vec<u8>, HeapError> {
    let patience = Patience { control, held: None, deadline: Instant::now() + timeout };
    let stream = std::net::TcpStream::connect_timeout(&address, timeout)
        .map_err(|error| HeapError::failed(format!("no connection to {address}: {error}")))?;
    http::get(&mut wire::Wire::new(stream, patience)?, host, path, most)
}
