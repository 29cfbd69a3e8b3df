//! A snapshot that the process writes itself, by `--heapsnapshot-signal`: a file in its working directory, which is
//! watched until it is whole and then moved. Whoever owns that folder chose its names: no link is followed there, and
//! what is taken is a file of the process's own user that appeared after the signal.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use super::error::{HeapError, Why};
use super::node::Node;
use super::output::Output;
use super::take::{HEAD, node_count};
use super::wire::Patience;
use crate::act::effect::Signal;
use crate::act::process::{Held, Missed};
use crate::act::signal;
use crate::units::Bytes;

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;

/// The folder that it writes to: `--diagnostic-dir`, else its working directory.
pub(super) fn folder(held: &Held<'_>, node: &Node) -> Result<OwnedFd, HeapError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let told = |error: Errno| HeapError::refused(format!("the folder that it writes to can't be opened: {error}"));
    let open = |from: std::os::fd::BorrowedFd<'_>, path: &str| openat(from, path, flags, Mode::empty());
    match node.option("--diagnostic-dir").filter(|path| !path.is_empty()) {
        None => open(held.folder(), "cwd").map_err(told),
        Some(path) if path.starts_with('/') => {
            let root = open(held.folder(), "root").map_err(told)?;
            open(root.as_fd(), path.trim_start_matches('/')).map_err(told)
        }
        Some(path) => {
            let cwd = open(held.folder(), "cwd").map_err(told)?;
            open(cwd.as_fd(), path).map_err(told)
        }
    }
}

/// Sends the signal, waits for the file, and moves it.
pub(super) fn snapshot(
    held: &Held<'_>,
    node: &Node,
    by: Signal,
    output: &mut Output,
    patience: Patience<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<Option<u64>, HeapError> {
    let folder = folder(held, node)?;
    let before = names(&folder)?;
    held.send(by).map_err(|missed| {
        HeapError::new(if missed == Missed::Ended { Why::Ended } else { Why::Refused }, missed.to_string())
    })?;
    let name = wait(held, node, by, &folder, &before, patience, progress)?;
    let told = |error: &dyn std::fmt::Display| HeapError::failed(format!("{}: {error}", name.to_string_lossy()));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(openat(&folder, &name, flags, Mode::empty()).map_err(|error| told(&error))?);
    let stat = file.metadata().map_err(|error| told(&error))?;
    if !stat.is_file() || stat.uid() != node.uid || stat.nlink() != 1 {
        return Err(told(&"it is no file of its own"));
    }
    if !is_whole(&mut file, stat.len()).map_err(|error| told(&error))? {
        let _ = unlinkat(&folder, &name, AtFlags::empty());
        return Err(told(&"the process wrote half of it, and it was removed (is its disk full?)"));
    }
    let first = copy(&mut file, output, patience, progress)?;
    // It is elsewhere now, and not for everybody's eyes.
    unlinkat(&folder, &name, AtFlags::empty()).map_err(|error| told(&error))?;
    Ok(node_count(&first))
}

/// The names of snapshots in a folder.
fn names(folder: &OwnedFd) -> Result<HashSet<OsString>, HeapError> {
    let told = |error: Errno| HeapError::failed(format!("the folder that it writes to can't be read: {error}"));
    let mut names = HashSet::new();
    for entry in Dir::read_from(folder).map_err(told)? {
        let name = entry.map_err(told)?.file_name().to_bytes().to_vec();
        if name.starts_with(b"Heap.") && name.ends_with(b".heapsnapshot") {
            names.insert(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// Waits for a new file, and until the process has it open no longer.
fn wait(
    held: &Held<'_>,
    node: &Node,
    by: Signal,
    folder: &OwnedFd,
    before: &HashSet<OsString>,
    patience: Patience<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<OsString, HeapError> {
    let mut seen: Option<(OsString, u64)> = None;
    loop {
        let done = patience.pause();
        // `Heap.20261125.101112.PID.THREAD.NNN.heapsnapshot`, by the pid in its own namespace.
        let infix = format!(".{}.", node.pid_inside);
        let fresh = names(folder)?.into_iter().find(|name| {
            !before.contains(name) && name.as_bytes().windows(infix.len()).any(|part| part == infix.as_bytes())
        });
        if let Some(name) = fresh {
            let stat = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW);
            let id = stat.as_ref().map(|stat| (stat.st_dev, stat.st_ino)).ok();
            let size = stat.map_or(0, |stat| stat.st_size as u64);
            if size > 0 && !is_open(held, id) {
                return Ok(name);
            }
            progress(format!("{} written by the process", Bytes(size)));
            seen = Some((name, size));
        }
        if let Err(error) = done {
            let name = by_name(by);
            return Err(match (error.why, seen) {
                (Why::TimedOut, None) => HeapError::new(
                    Why::TimedOut,
                    format!("no snapshot appeared after {name}: the process is busy or stopped, or can't write there"),
                ),
                (_, Some((file, _))) => {
                    error.and(&format!("it may go on to write {} in its folder", file.to_string_lossy()))
                }
                _ => error,
            });
        }
    }
}

fn by_name(by: Signal) -> String {
    format!("SIG{}", signal::name(by))
}

/// Whether the process has a file open.
fn is_open(held: &Held<'_>, id: Option<(u64, u64)>) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = openat(held.folder(), "fd", flags, Mode::empty()) else { return false };
    let Ok(entries) = Dir::read_from(&folder) else { return false };
    entries.flatten().any(|entry| {
        let stat = statat(&folder, entry.file_name(), AtFlags::empty());
        stat.ok().map(|stat| (stat.st_dev, stat.st_ino)) == id
    })
}

/// Whether it ends as a snapshot does.
fn is_whole(file: &mut File, length: u64) -> std::io::Result<bool> {
    let mut end = [0; 16];
    let from = length.saturating_sub(end.len() as u64);
    file.seek(SeekFrom::Start(from))?;
    let count = file.read(&mut end)?;
    file.rewind()?;
    Ok(end[..count].trim_ascii_end().ends_with(b"}"))
}

/// Copies it, and gives its first bytes.
fn copy(
    file: &mut File,
    output: &mut Output,
    patience: Patience<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<Vec<u8>, HeapError> {
    let mut bytes = vec![0; CHUNK];
    let mut start = Vec::new();
    loop {
        patience.check()?;
        let count = file.read(&mut bytes).map_err(|error| HeapError::failed(error.to_string()))?;
        if count == 0 {
            return Ok(start);
        }
        if start.is_empty() {
            start.extend(&bytes[..count.min(HEAD)]);
        }
        output.write(&bytes[..count])?;
        progress(format!("{} moved", Bytes(output.written())));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn half_a_file_is_told_from_a_whole_one() {
        for (text, whole) in [("{\"strings\":[\"x\"]}\n", true), ("{\"strings\":[\"x\"", false), ("", false)] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(is_whole(&mut file, text.len() as u64).unwrap(), whole, "{text}");
        }
    }

    #[test]
    fn snapshots_are_known_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["Heap.20261125.101112.7.0.001.heapsnapshot", "app.js", "Heap.txt", "x.heapsnapshot"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let handle = OwnedFd::from(File::open(folder.path()).unwrap());
        assert_eq!(names(&handle).unwrap(), HashSet::from(["Heap.20261125.101112.7.0.001.heapsnapshot".into()]));
    }
}
