//! A process that is being watched, between one sample and the next.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::process::{ProcessReader, has_none};
use crate::model::field::Source;
use crate::model::process::{ProcessSample, Resident};
use crate::model::reading::{BootMs, Denial, Reading, Stamped};

/// One watched process: its latest sample and what it takes to read the next one cheaply.
pub(super) struct Entry {
    /// Shared with the samples that were given out: written only where something new was read.
    pub(super) process: Arc<ProcessSample>,
    /// `statm`, held open; `None` where descriptors have run out.
    statm: Option<OwnedFd>,
    /// What `statm` said last: equal bytes need no decoding.
    last: Vec<u8>,
    /// When `statm` last changed.
    pub(super) changed_at: BootMs,
    /// When the identity was last read; zero before the first time.
    pub(super) identity_at: BootMs,
}

/// What became of a process since the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its memory is as it was.
    Unchanged,
    /// Its memory changed.
    Changed,
    /// It has ended.
    Ended,
}

impl Entry {
    /// Watches a process that was just found, with its `statm` held open or not.
    pub(super) fn new(process: ProcessSample, statm: Option<OwnedFd>, now: BootMs) -> Self {
        Self { process: Arc::new(process), statm, last: Vec::new(), changed_at: now, identity_at: BootMs(0) }
    }

    /// Reads `statm` anew.
    pub(super) fn refresh(&mut self, reader: &mut ProcessReader, now: BootMs) -> Life {
        let Some(statm) = &self.statm else { return self.refresh_by_path(reader, now) };
        let mut bytes = [0; 128];
        let length = match rustix::io::pread(statm, &mut bytes, 0) {
            Ok(0) | Err(Errno::SRCH) => return Life::Ended,
            Ok(length) => length,
            Err(_) => return Life::Unchanged,
        };
        let bytes = &bytes[..length];
        if self.last == bytes {
            return Life::Unchanged;
        }
        let Some(resident) = super::parse::parse_statm(bytes, reader.page_size()) else { return Life::Unchanged };
        self.last.clear();
        self.last.extend_from_slice(bytes);
        let mut resident = Reading::Value(resident);
        if has_none(resident)
            && !self.process.identity.is_kernel_thread
            && let Some(survivor) = reader.survivor(self.process.key.pid)
        {
            // The main thread has ended, and others live on: what they have is read from now on.
            resident = Reading::Value(survivor.resident);
            self.statm = Some(survivor.statm);
        }
        if resident == self.process.resident {
            return Life::Unchanged;
        }
        self.set_resident(resident, now);
        Life::Changed
    }

    fn refresh_by_path(&mut self, reader: &mut ProcessReader, now: BootMs) -> Life {
        // In this order: who is the same afterwards has been so all the while.
        let resident = reader.read_statm(self.process.key.pid);
        if !reader.is_same(self.process.key) {
            return Life::Ended;
        }
        match resident {
            Reading::Gone => Life::Ended,
            resident if resident == self.process.resident => Life::Unchanged,
            resident => {
                self.set_resident(resident, now);
                Life::Changed
            }
        }
    }

    fn set_resident(&mut self, resident: Reading<Resident>, now: BootMs) {
        let text = |reading: Reading<Resident>| reading.value().map(|resident| resident.text);
        let process = Arc::make_mut(&mut self.process);
        if text(process.resident).is_some_and(|old| Some(old) != text(resident)) {
            // Another program text: exec, or exit. Name and arguments have to be read again.
            self.identity_at = BootMs(0);
            process.stat.at = BootMs(0);
        }
        process.resident = resident;
        self.changed_at = now;
    }

    /// Reads the sources anew and confirms that all of it came from this process. `Ended` where it did not: then
    /// nothing was kept.
    pub(super) fn read(&mut self, sources: &[Source], reader: &mut ProcessReader, now: BootMs) -> Life {
        let mut process = (*self.process).clone();
        for source in sources {
            reader.read(&mut process, *source, now);
        }
        if !self.is_alive(reader) {
            return Life::Ended;
        }
        if sources.contains(&Source::Identity) {
            self.identity_at = now;
        }
        self.process = Arc::new(process);
        Life::Changed
    }

    /// While the process is alive nobody else can have its pid.
    fn is_alive(&self, reader: &mut ProcessReader) -> bool {
        match &self.statm {
            Some(statm) => !matches!(rustix::io::pread(statm, &mut [0; 128], 0), Ok(0) | Err(Errno::SRCH)),
            None => reader.is_same(self.process.key),
        }
    }

    /// RSS in bytes; zero where it is not known.
    pub(super) fn rss(&self) -> u64 {
        self.process.resident.value().map_or(0, |resident| resident.rss)
    }

    /// PSS in bytes, whatever its age.
    pub(super) fn pss(&self) -> Option<u64> {
        self.process.rollup.reading.value().map(|rollup| rollup.pss)
    }

    /// When a source was last read, and how that went.
    pub(super) fn state_of(&self, source: Source) -> SourceState {
        fn state<T>(stamped: &Stamped<T>) -> SourceState {
            match stamped.reading {
                Reading::Pending => SourceState::Pending,
                Reading::Denied(Denial::Ptrace | Denial::Root) | Reading::Unsupported(_) => {
                    SourceState::Refused(stamped.at)
                }
                _ => SourceState::Read(stamped.at),
            }
        }
        let process = &*self.process;
        match source {
            Source::Stat => state(&process.stat),
            Source::Status => state(&process.status),
            Source::Rollup => state(&process.rollup),
            Source::Fds => state(&process.fds),
            Source::Limits => state(&process.fd_limit),
            Source::OomScore => state(&process.oom_score),
            Source::Identity if self.identity_at == BootMs(0) => SourceState::Pending,
            Source::Identity => SourceState::Read(self.identity_at),
            Source::Key | Source::Statm | Source::History | Source::Mark => SourceState::Read(BootMs(u64::MAX)),
        }
    }
}

/// How a source of a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceState {
    /// Never read.
    Pending,
    /// Read at this time.
    Read(BootMs),
    /// Refused, or without meaning for this process, at this time.
    Refused(BootMs),
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::collect::root::ProcRoot;

    const NOW: BootMs = BootMs(1_000);
    const LATER: BootMs = BootMs(2_000);

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn shell(script: &str) -> Killed {
        let child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Killed(child.unwrap())
    }

    /// Waits until the child says it is ready.
    fn ready(child: &mut Killed) {
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.0.stdout.as_mut().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert_eq!(line, "ready\n");
    }

    fn watch(child: &Killed, reader: &mut ProcessReader, may_hold: bool) -> Entry {
        let (process, statm) = reader.find(child.0.id(), NOW).unwrap();
        Entry::new(process, may_hold.then_some(statm), NOW)
    }

    #[test]
    fn an_ended_process_is_noticed_with_and_without_a_held_file() {
        for may_hold in [true, false] {
            let mut child = shell("echo ready; read x");
            ready(&mut child);
            let mut reader = ProcessReader::new(&ProcRoot::live()).unwrap();
            let mut entry = watch(&child, &mut reader, may_hold);
            assert!(entry.rss() > 0);
            assert_ne!(entry.refresh(&mut reader, LATER), Life::Ended);
            drop(child);
            assert_eq!(entry.refresh(&mut reader, LATER), Life::Ended, "held: {may_hold}");
            assert_eq!(entry.read(&[Source::Rollup], &mut reader, LATER), Life::Ended);
        }
    }

    #[test]
    fn exec_makes_the_identity_due_again() {
        let mut child = shell("echo ready; read x; exec sleep 100");
        ready(&mut child);
        let mut reader = ProcessReader::new(&ProcRoot::live()).unwrap();
        let mut entry = watch(&child, &mut reader, true);
        entry.read(&[Source::Identity], &mut reader, NOW);
        assert_eq!(entry.state_of(Source::Identity), SourceState::Read(NOW));
        std::io::Write::write_all(child.0.stdin.as_mut().unwrap(), b"go\n").unwrap();
        for _ in 0..10_000 {
            entry.refresh(&mut reader, LATER);
            if entry.state_of(Source::Identity) == SourceState::Pending {
                break;
            }
            std::thread::yield_now();
        }
        // The new text is there before the new arguments are.
        for _ in 0..10_000 {
            entry.read(&[Source::Identity], &mut reader, LATER);
            if entry.process.identity.command.as_bytes() == b"sleep 100" {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{:?}", entry.process.identity);
    }

    #[test]
    fn a_zombie_has_no_memory_and_says_that_it_does_not_apply() {
        let mut child = shell("echo ready; read x");
        ready(&mut child);
        let mut reader = ProcessReader::new(&ProcRoot::live()).unwrap();
        let mut entry = watch(&child, &mut reader, true);
        drop(child.0.stdin.take());
        for _ in 0..100_000 {
            entry.read(&[Source::Stat], &mut reader, LATER);
            if entry.process.is_zombie() {
                break;
            }
            std::thread::yield_now();
        }
        entry.read(&[Source::Rollup, Source::Status], &mut reader, LATER);
        entry.refresh(&mut reader, LATER);
        assert_eq!(entry.rss(), 0);
        assert!(matches!(entry.process.rollup.reading, Reading::Unsupported(_)), "{:?}", entry.process.rollup);
    }

    #[test]
    fn what_was_not_read_anew_is_the_same_allocation() {
        let mut child = shell("echo ready; read x");
        ready(&mut child);
        let mut reader = ProcessReader::new(&ProcRoot::live()).unwrap();
        let mut entry = watch(&child, &mut reader, true);
        let given_out = Arc::clone(&entry.process);
        if entry.refresh(&mut reader, LATER) == Life::Unchanged {
            assert!(Arc::ptr_eq(&given_out, &entry.process));
        }
        entry.read(&[Source::Fds], &mut reader, LATER);
        assert_eq!(given_out.fds.reading, Reading::Pending, "a sample that was given out never changes");
        assert!(entry.process.fds.reading.value().is_some_and(|fds| fds >= 3));
    }
}
