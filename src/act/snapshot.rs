//! A heap snapshot of a Node.js process that was started with `--heapsnapshot-signal` (Node.js 12): the signal makes it
//! write one into its working folder, or the one of `--diagnostic-dir`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::change::{Change, Subject};
use super::effect::{Effect, Signal, Target};
use super::process::Held;
use super::words::who;
use crate::collect::root::ProcRoot;

/// How often it is looked whether the file is whole.
const STEP: Duration = Duration::from_millis(200);

/// Asks for a snapshot and waits until it is written. `Ok` is the file, as the process sees it.
pub fn capture(root: &ProcRoot, target: &Target, timeout: Duration) -> Result<String, String> {
    let failed = |why: String| format!("{}: {why}", who(target));
    let held = Held::open(root, target.key).map_err(|missed| format!("{} {missed}", who(target)))?;
    let settings = [held.read("cmdline"), held.read("environ")].map(Result::unwrap_or_default);
    let signal = signal_of(&settings).ok_or_else(|| {
        failed("it was not started with --heapsnapshot-signal=SIGUSR2, by which Node.js writes a heap snapshot".into())
    })?;
    // It would end by a signal that it does not catch.
    if !is_caught(&held.read("status").unwrap_or_default(), signal) {
        return Err(failed("it does not catch the signal for a heap snapshot (yet): nothing was sent".into()));
    }
    let folder = folder_of(root, target.key.pid, &settings);
    let before = snapshots(&folder, target.key.pid);
    let began = Instant::now();
    held.send(signal).map_err(|missed| format!("{} {missed}", who(target)))?;
    loop {
        let new = snapshots(&folder, target.key.pid).into_iter().find(|path| !before.contains(path) && is_whole(path));
        if let Some(path) = new {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = std::fs::metadata(&path).map_or(0, |data| data.len());
            let shown = std::fs::read_link(&folder).unwrap_or(folder).join(&name);
            return Ok(format!("{} ({})", shown.display(), crate::units::Bytes(bytes)));
        }
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            let seconds = timeout.as_secs();
            return Err(failed(format!("no whole snapshot in {} within {seconds} s", folder.display())));
        }
        if held.wait(Instant::now() + STEP.min(left)) {
            return Err(failed("it ended before the snapshot was written".into()));
        }
    }
}

/// The words of the command line, then those of NODE_OPTIONS.
fn options(settings: &[Vec<u8>; 2]) -> Vec<String> {
    let [command, environment] = settings;
    let words = command.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let set = environment.split(|byte| *byte == 0).find_map(|line| line.strip_prefix(b"NODE_OPTIONS="));
    let set = String::from_utf8_lossy(set.unwrap_or_default()).into_owned();
    words.chain(set.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The value of an option, written as one word or as two.
fn value_of(settings: &[Vec<u8>; 2], name: &str) -> Option<String> {
    let words = options(settings);
    let place = words
        .iter()
        .position(|word| word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))?;
    match words[place].split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => words.get(place + 1).cloned(),
    }
}

fn signal_of(settings: &[Vec<u8>; 2]) -> Option<Signal> {
    let name = value_of(settings, "--heapsnapshot-signal")?;
    let nobody = Target {
        key: crate::model::key::ProcessKey { pid: 0, start_time: 0 },
        uid: 0,
        user: String::new(),
        command: String::new(),
    };
    match Change::Signal.effect(&name, &Subject { targets: vec![nobody], group: None }).ok()? {
        Effect::Signal { signal, escalate: None, .. } => Some(signal),
        _ => None,
    }
}

/// Whether a signal has a handler (`SigCgt` of `/proc/PID/status`: bit 0 is signal 1).
fn is_caught(status: &[u8], signal: Signal) -> bool {
    let text = String::from_utf8_lossy(status);
    let set = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let set = set.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0);
    set >> (signal.0 - 1) & 1 != 0
}

/// Where the process writes to, as it is seen from here.
fn folder_of(root: &ProcRoot, pid: u32, settings: &[Vec<u8>; 2]) -> PathBuf {
    let process = root.proc.join(pid.to_string());
    match value_of(settings, "--diagnostic-dir") {
        Some(folder) if folder.starts_with('/') => process.join("root").join(folder.trim_start_matches('/')),
        Some(folder) => process.join("cwd").join(folder),
        None => process.join("cwd"),
    }
}

/// `Heap.20260101.120000.1234.0.001.heapsnapshot`: the pid is the fourth part.
fn snapshots(folder: &Path, pid: u32) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pid_of_name = name.split('.').nth(3).and_then(|part| part.parse().ok());
        name.ends_with(".heapsnapshot") && pid_of_name == Some(pid)
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_ours).collect()
}

/// Whether the JSON in it has come to its end.
fn is_whole(path: &Path) -> bool {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || -> std::io::Result<bool> {
        let mut file = std::fs::File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(8)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail.trim_ascii_end().ends_with(b"]}"))
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(command: &str, environment: &str) -> [Vec<u8>; 2] {
        [command.replace(' ', "\0").into_bytes(), environment.as_bytes().to_vec()]
    }

    #[test]
    fn the_signal_is_the_one_that_the_process_was_started_with() {
        let signal = |command: &str, environment: &str| signal_of(&settings(command, environment));
        assert_eq!(signal("node --heapsnapshot-signal=SIGUSR2 app.js", ""), Some(Signal(12)));
        assert_eq!(signal("node --heapsnapshot-signal SIGUSR1 app.js", ""), Some(Signal(10)));
        assert_eq!(signal("node app.js", "A=1\0NODE_OPTIONS=--x --heapsnapshot-signal=SIGUSR2\0"), Some(Signal(12)));
        assert_eq!(signal("node app.js", "NODE_OPTIONS="), None);
        assert_eq!(signal("node --heapsnapshot-signals=SIGUSR2", ""), None);
    }

    #[test]
    fn only_a_signal_with_a_handler_is_sent() {
        assert!(is_caught(b"Name:\tnode\nSigCgt:\t0000000000000800\n", Signal(12)));
        assert!(!is_caught(b"Name:\tnode\nSigCgt:\t0000000000000800\n", Signal(10)));
        assert!(!is_caught(b"", Signal(12)));
    }

    #[test]
    fn a_snapshot_is_found_by_its_pid_and_whole_by_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Heap.20260101.120000.77.0.001.heapsnapshot");
        std::fs::write(&path, "{\"snapshot\":{},\"strings\":[\"a\"").unwrap();
        assert_eq!(snapshots(folder.path(), 77), std::slice::from_ref(&path));
        assert!(snapshots(folder.path(), 7).is_empty() && !is_whole(&path));
        std::fs::write(&path, "{\"snapshot\":{},\"strings\":[\"a\"]}\n").unwrap();
        assert!(is_whole(&path));
    }
}
