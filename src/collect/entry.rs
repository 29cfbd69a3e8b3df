//! A process that is being watched, between one sample and the next.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::process::ProcessReader;
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
    /// Watches a process that was just found, with its `statm` held open if `may_hold`.
    pub(super) fn new(process: ProcessSample, reader: &mut ProcessReader, may_hold: bool, now: BootMs) -> Self {
        let statm = may_hold.then(|| reader.open_statm(process.key.pid).ok()).flatten();
        let mut entry =
            Self { process: Arc::new(process), statm, last: Vec::new(), changed_at: now, identity_at: BootMs(0) };
        entry.refresh(reader, now);
        entry
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
        self.set_resident(Reading::Value(resident), now);
        Life::Changed
    }

    fn refresh_by_path(&mut self, reader: &mut ProcessReader, now: BootMs) -> Life {
        if !reader.is_same(self.process.key) {
            return Life::Ended;
        }
        match reader.read_statm(self.process.key.pid) {
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
            Source::Key | Source::Statm | Source::History => SourceState::Read(BootMs(u64::MAX)),
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
