//! A collector for who looks at few processes and does nothing else: it knows everybody by name and reads the memory of
//! those alone that are wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cgroup::binding_limit;
use super::clock::{now, thread_cpu_us};
use super::entry::{Entry, Life};
use super::error::CollectError;
use super::files::list_pids;
use super::host::read_host;
use super::process::{ProcessReader, Unseen};
use super::root::ProcRoot;
use super::system::{SystemReader, parse_meminfo};
use super::table::Loadavg;
use crate::model::cgroup::{BoundGroup, Membership};
use crate::model::field::{Source, SourceSet};
use crate::model::judgement::Analysis;
use crate::model::key::ProcessKey;
use crate::model::process::ProcessSample;
use crate::model::reading::{BootMs, Reading, Stamped};
use crate::model::sample::{Host, Sample, Scan};
use crate::model::snapshot::Snapshot;
use crate::model::system::SystemSample;
use crate::model::text::Text;

/// What is read at every look.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "wishes are independent of each other")]
pub struct Watch<'a> {
    /// Who alone can be wanted, ascending, where that is known by pid: nobody else is looked for.
    pub pids: Option<&'a [u32]>,
    /// Of the processes that are wanted.
    pub sources: SourceSet,
    /// Swap by process, where there is any in use.
    pub swap: bool,
    /// Whether everybody's memory is read.
    pub everybody: bool,
    /// More of the machine than `/proc/meminfo`.
    pub machine: bool,
    /// The limits of the control groups of who is wanted.
    pub cgroups: bool,
}

/// Looks at the machine again and again.
pub struct Watcher {
    root: ProcRoot,
    reader: ProcessReader,
    system: SystemReader,
    loadavg: Option<Loadavg>,
    host: Arc<Host>,
    host_read_at: BootMs,
    pids: Vec<u32>,
    known: BTreeMap<u32, Known>,
    /// Those of them whose memory is read.
    wanted: BTreeMap<u32, Entry>,
    /// When the next one is asked who it is.
    soonest: BootMs,
    /// When everybody was last looked for; zero where it has to be done again.
    listed_at: BootMs,
}

/// A process that was found.
struct Known {
    found_at: BootMs,
    /// When it is asked again who it is.
    ask_at: BootMs,
    /// Of who was not wanted: as long as its name is the same it is not asked all that it is.
    face: Option<Face>,
}

/// What a glance tells of a process: another program has another name.
struct Face {
    name: Text,
    /// So often a glance is enough: arguments, user and control group may change without it.
    glances: u8,
}

/// Glances between two looks at all that somebody is: in its youth, and later.
const GLANCES: [u8; 2] = [1, 4];

impl Known {
    /// Whether a glance shows who was not wanted before.
    fn is_unchanged(&mut self, pid: u32, reader: &mut ProcessReader) -> bool {
        let Some(face) = &mut self.face else { return false };
        if face.glances == 0 || !reader.is_called(pid, &face.name) {
            return false;
        }
        face.glances -= 1;
        true
    }
}

/// Who is asked again at these ages, milliseconds: what a shell starts has the shell's name at first.
const YOUNG: [u64; 4] = [200, 1_000, 3_000, 10_000];

/// Later, who it is changes seldom: a new title, or another process with the same pid.
const OLD: u64 = 60_000;

/// A kernel thread stays one: it is asked again only for another process that took its pid over unseen, milliseconds.
const KERNEL: u64 = 10 * OLD;

/// Who is new is looked for this often, milliseconds, or at every look where looks are meant to be closer.
const FIND_MS: u64 = 1_000;

/// Users are looked up again this often where one is unknown, milliseconds.
const USERS_AGE_MS: u64 = 60_000;

/// Files that are held open, at most: what is read of more processes is opened anew each time.
const MOST_HELD: usize = 256;

/// Asks who of some processes is wanted: one answer each, in their order.
pub type Wants<'a> = dyn FnMut(&Snapshot) -> Vec<bool> + 'a;

impl Watcher {
    /// Opens procfs. Fails where there is none.
    pub fn open(root: ProcRoot) -> Result<Self, CollectError> {
        let reader = ProcessReader::new(&root)?;
        Ok(Self {
            loadavg: Loadavg::open(&root, &reader),
            host: Arc::new(read_host(&root)),
            host_read_at: BootMs(0),
            system: SystemReader::new(),
            pids: Vec::new(),
            known: BTreeMap::new(),
            wanted: BTreeMap::new(),
            soonest: BootMs(0),
            listed_at: BootMs(0),
            reader,
            root,
        })
    }

    /// Which boot this is, where the kernel says so.
    pub fn boot_id(&self) -> String {
        self.host.boot_id.escaped().into_owned()
    }

    /// Who is wanted is asked of everybody again.
    pub fn ask_again(&mut self) {
        self.known.values_mut().for_each(|known| (known.ask_at, known.face) = (BootMs(0), None));
        self.soonest = BootMs(0);
    }

    /// The next look. The sample has the wanted processes alone; their rollup is not read.
    pub fn look(
        &mut self,
        watch: Watch<'_>,
        interval: Duration,
        wants: &mut Wants<'_>,
    ) -> Result<Sample, CollectError> {
        let cpu_before = thread_cpu_us();
        let (at, wall_ms) = now(&self.root, self.reader.buffer());
        let interval_ms = interval.as_millis() as u64;
        self.find(watch.pids, interval_ms.min(FIND_MS), at)?;
        let system = self.read_system(watch, at)?;
        self.identify(at, wall_ms, &system, watch.everybody, wants);
        self.refresh_users(at);
        let swap_used = system.meminfo.swap_used().value() != Some(0);
        self.read(watch, swap_used, at);
        let mut system = system;
        if watch.cgroups {
            system.bound_groups = self.bound_groups(system.meminfo.mem_total.value().unwrap_or(u64::MAX), at);
        }
        let scan = Scan { cost_us: thread_cpu_us().saturating_sub(cpu_before), ..Scan::default() };
        Ok(Sample {
            wall_ms,
            at,
            interval_ms,
            host: Arc::clone(&self.host),
            system,
            processes: self.processes(),
            scan,
            closer: None,
            deeds: Vec::new(),
        })
    }

    /// Reads more of some processes of the last look.
    pub fn read_more(&mut self, sample: &mut Sample, keys: &[ProcessKey], sources: SourceSet) {
        let sources = readable(sources);
        for key in keys {
            let Some(entry) = self.wanted.get_mut(&key.pid).filter(|entry| entry.process.key == *key) else { continue };
            let Some(place) = sample.index_of(*key) else { continue };
            if entry.read(&sources, &mut self.reader, sample.at) == Life::Ended {
                sample.processes.remove(place);
                self.forget(key.pid);
            } else {
                sample.processes[place] = Arc::clone(&entry.process);
            }
        }
    }

    /// Finds who came and went, of all or of some.
    fn find(&mut self, some: Option<&[u32]>, age_ms: u64, at: BootMs) -> Result<(), CollectError> {
        if let Some(some) = some {
            self.pids.clear();
            self.pids.extend_from_slice(some);
        } else {
            let is_due = self.listed_at == BootMs(0) || at.since(self.listed_at) >= age_ms;
            // In this order: whether anybody came is asked of the time since it was last asked.
            if !is_due || !self.loadavg.as_mut().is_none_or(Loadavg::has_changed) && self.listed_at != BootMs(0) {
                return Ok(());
            }
            list_pids(self.reader.proc(), &mut self.pids)
                .map_err(|error| CollectError::read(&self.root.proc, error))?;
            self.listed_at = at;
        }
        let pids = &self.pids;
        self.known.retain(|pid, _| pids.binary_search(pid).is_ok());
        self.wanted.retain(|pid, _| pids.binary_search(pid).is_ok());
        for pid in pids {
            if !self.known.contains_key(pid) {
                self.known.insert(*pid, Known { found_at: at, ask_at: BootMs(0), face: None });
                self.soonest = BootMs(0);
            }
        }
        Ok(())
    }

    /// One has ended. Who has its pid now, if anybody, is looked for.
    fn forget(&mut self, pid: u32) {
        self.known.remove(&pid);
        self.wanted.remove(&pid);
        self.listed_at = BootMs(0);
    }

    /// Asks of those whose turn it is who they are, and whether they are wanted.
    fn identify(&mut self, at: BootMs, wall_ms: i64, system: &SystemSample, everybody: bool, wants: &mut Wants<'_>) {
        for (pid, entry) in &mut self.wanted {
            // Another program text, or another process: who it is has to be asked at once.
            if (entry.refresh(&mut self.reader, at) == Life::Ended || entry.identity_at == BootMs(0))
                && let Some(known) = self.known.get_mut(pid)
            {
                (known.ask_at, self.soonest) = (BootMs(0), BootMs(0));
            }
        }
        if self.soonest > at {
            return;
        }
        self.soonest = BootMs(u64::MAX);
        let (mut asked, mut ended) = (Vec::new(), Vec::new());
        for (pid, known) in &mut self.known {
            if known.ask_at <= at && known.is_unchanged(*pid, &mut self.reader) {
                known.ask_at = BootMs(next_ask(known.found_at, *pid, at));
            } else if known.ask_at <= at {
                self.wanted.remove(pid);
                match self.reader.find(*pid, at) {
                    Err(Unseen::Gone) => ended.push(*pid),
                    Err(Unseen::Hidden) => known.ask_at = BootMs(next_ask(known.found_at, *pid, at)),
                    Ok((process, statm)) => {
                        // Who has run for long is not asked as often as who has just begun.
                        let started = process.key.start_time.saturating_mul(1000) / self.root.clock_ticks.max(1);
                        known.found_at = BootMs(started.min(at.0));
                        known.ask_at = BootMs(next_ask(known.found_at, *pid, at));
                        if process.identity.is_kernel_thread {
                            // It has no memory of its own, and never runs a program.
                            known.ask_at = BootMs(at.0 + KERNEL);
                        } else {
                            let may_hold = self.wanted.len() + asked.len() < MOST_HELD;
                            let mut entry = Entry::new(process, may_hold.then_some(statm), at);
                            if entry.read(&[Source::Identity], &mut self.reader, at) != Life::Ended {
                                asked.push(entry);
                            }
                        }
                    }
                }
            }
            self.soonest = self.soonest.min(known.ask_at);
        }
        for pid in ended {
            self.forget(pid);
        }
        if asked.is_empty() {
            return;
        }
        let wanted = if everybody {
            vec![true; asked.len()]
        } else {
            let processes: Vec<Arc<ProcessSample>> = asked.iter().map(|entry| Arc::clone(&entry.process)).collect();
            let host = Arc::clone(&self.host);
            let sample = Sample {
                wall_ms,
                at,
                interval_ms: 0,
                host,
                system: system.clone(),
                processes,
                scan: Scan::default(),
                closer: None,
                deeds: Vec::new(),
            };
            wants(&Snapshot::derive(None, Arc::new(sample), Analysis::default()))
        };
        for (entry, is_wanted) in asked.into_iter().zip(wanted) {
            let (key, identity) = (entry.process.key, &entry.process.identity);
            let Some(known) = self.known.get_mut(&key.pid) else { continue };
            let is_young = at.since(known.found_at) < YOUNG[YOUNG.len() - 1];
            known.face =
                (!is_wanted).then(|| Face { name: identity.comm.clone(), glances: GLANCES[usize::from(!is_young)] });
            if is_wanted {
                self.wanted.insert(key.pid, entry);
            }
        }
    }

    /// Reads what is wanted of who is wanted.
    fn read(&mut self, watch: Watch<'_>, swap_used: bool, at: BootMs) {
        let mut sources = watch.sources;
        if watch.swap && swap_used {
            sources.insert(Source::Status);
        }
        let sources = readable(sources);
        let mut ended = Vec::new();
        for (pid, entry) in &mut self.wanted {
            if entry.process.rollup.reading.value().is_some() {
                // It is of an earlier look, and nothing may rest on it.
                Arc::make_mut(&mut entry.process).rollup = Stamped::pending();
            }
            // A limit of open files is seldom changed.
            let is_due = |source: &Source| {
                *source != Source::Limits
                    || entry.process.fd_limit.reading == Reading::Pending
                    || at.since(entry.process.fd_limit.at) > OLD
            };
            let due: Vec<Source> = sources.iter().copied().filter(is_due).collect();
            if entry.process.resident == Reading::Pending {
                entry.refresh(&mut self.reader, at);
            }
            if !due.is_empty() && entry.read(&due, &mut self.reader, at) == Life::Ended {
                ended.push(*pid);
            }
        }
        for pid in ended {
            self.forget(pid);
        }
    }

    fn read_system(&mut self, watch: Watch<'_>, at: BootMs) -> Result<SystemSample, CollectError> {
        let mut system = if watch.machine {
            self.system.read(&self.root, self.reader.buffer())?
        } else {
            let path = self.root.proc.join("meminfo");
            let bytes = self.reader.buffer().read_path(&path).map_err(|error| CollectError::read(&path, error))?;
            SystemSample { meminfo: parse_meminfo(bytes), ..SystemSample::default() }
        };
        system.uptime_s = at.0 / 1000;
        Ok(system)
    }

    /// What binds the control groups of who is wanted, by path.
    fn bound_groups(&mut self, mem_total: u64, at: BootMs) -> Vec<Arc<BoundGroup>> {
        let mut groups: BTreeMap<_, Arc<Membership>> = BTreeMap::new();
        for entry in self.wanted.values() {
            let group = &entry.process.identity.cgroup;
            groups.entry(group.memory.clone()).or_insert_with(|| Arc::clone(group));
        }
        let bound = groups.into_iter().filter_map(|(memory, membership)| {
            let limit = binding_limit(&self.root, &membership, mem_total, self.reader.buffer())?;
            Some(Arc::new(BoundGroup { memory, limit, at }))
        });
        bound.collect()
    }

    fn processes(&self) -> Vec<Arc<ProcessSample>> {
        self.wanted.values().map(|entry| Arc::clone(&entry.process)).collect()
    }

    fn refresh_users(&mut self, at: BootMs) {
        if !self.root.is_live || at.since(self.host_read_at) < USERS_AGE_MS {
            return;
        }
        self.host_read_at = at;
        if self.wanted.values().any(|entry| !self.host.users.contains_key(&entry.process.identity.uid)) {
            let host = read_host(&self.root);
            if host != *self.host {
                self.host = Arc::new(host);
            }
        }
    }
}

/// When to ask who somebody is who was asked now.
fn next_ask(started: BootMs, pid: u32, at: BootMs) -> u64 {
    let age = at.since(started);
    // Later, not all of them in one look.
    let later = || at.0 + OLD - u64::from(pid) * 977 % (OLD / 4);
    YOUNG.iter().find(|young| **young > age).map_or_else(later, |young| started.0 + young)
}

/// Sources that are files, who a process is and `statm` left out.
fn readable(sources: SourceSet) -> Vec<Source> {
    let all = [Source::Stat, Source::Status, Source::Rollup, Source::Fds, Source::Limits, Source::OomScore];
    all.into_iter().filter(|source| sources.contains(*source)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn sleeper() -> Killed {
        Killed(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    const NOTHING: Watch<'static> =
        Watch { pids: None, sources: SourceSet::EMPTY, swap: false, everybody: false, machine: false, cgroups: false };

    #[test]
    fn only_who_is_wanted_is_in_a_look_and_what_was_read_more_is_of_that_look_alone() {
        let (wanted, other) = (sleeper(), sleeper());
        let mut watcher = Watcher::open(ProcRoot::live()).unwrap();
        let mut wants = |snapshot: &Snapshot| -> Vec<bool> {
            snapshot.rows().map(|row| row.process.key.pid == wanted.0.id()).collect()
        };
        let mut sample = watcher.look(NOTHING, Duration::from_secs(1), &mut wants).unwrap();
        let pids = |sample: &Sample| sample.processes.iter().map(|process| process.key.pid).collect::<Vec<_>>();
        assert_eq!(pids(&sample), [wanted.0.id()]);
        assert!(sample.processes[0].resident.value().is_some_and(|resident| resident.rss > 0));
        assert_eq!(sample.processes[0].rollup.reading, Reading::Pending);
        let key = sample.processes[0].key;
        watcher.read_more(&mut sample, &[key], [Source::Rollup].into_iter().collect());
        assert!(sample.processes[0].rollup.reading.value().is_some());
        let again = watcher.look(NOTHING, Duration::from_secs(1), &mut wants).unwrap();
        assert_eq!((pids(&again), again.processes[0].rollup.reading), (vec![wanted.0.id()], Reading::Pending));
        drop((wanted, other));
        let gone =
            watcher.look(NOTHING, Duration::from_secs(1), &mut |snapshot| vec![true; snapshot.sample.processes.len()]);
        assert!(gone.unwrap().processes.iter().all(|process| process.key != key));
    }

    #[test]
    fn of_who_is_known_by_pid_nobody_else_is_asked() {
        let (one, other) = (sleeper(), sleeper());
        let mut watcher = Watcher::open(ProcRoot::live()).unwrap();
        let pids = [one.0.id()];
        let watch = Watch { pids: Some(&pids), ..NOTHING };
        let mut asked = Vec::new();
        let mut look = |watcher: &mut Watcher, watch| {
            let mut wants = |snapshot: &Snapshot| {
                asked.extend(snapshot.rows().map(|row| row.process.key.pid));
                vec![true; snapshot.sample.processes.len()]
            };
            let sample = watcher.look(watch, Duration::from_secs(1), &mut wants).unwrap();
            sample.processes.iter().map(|process| process.key.pid).collect::<Vec<_>>()
        };
        assert_eq!(look(&mut watcher, watch), pids);
        let others = [other.0.id()];
        assert_eq!(look(&mut watcher, Watch { pids: Some(&others), ..NOTHING }), others);
        assert_eq!(look(&mut watcher, watch), pids);
        drop(one);
        assert!(look(&mut watcher, watch).is_empty());
        assert!(asked.iter().all(|pid| pids.contains(pid) || others.contains(pid)), "{asked:?}");
    }

    #[test]
    fn a_glance_is_enough_for_who_looks_the_same_but_not_for_ever() {
        let child = sleeper();
        let pid = child.0.id();
        let mut reader = ProcessReader::new(&ProcRoot::live()).unwrap();
        let known = |name: &str| Known {
            found_at: BootMs(0),
            ask_at: BootMs(0),
            face: Some(Face { name: Text::from(name), glances: 1 }),
        };
        // A program that begins has its new memory before it has its new name.
        let began = std::time::Instant::now();
        while !reader.is_called(pid, &Text::from("sleep")) {
            assert!(began.elapsed() < Duration::from_mins(1), "it never has its name");
            std::thread::yield_now();
        }
        let mut same = known("sleep");
        assert!(same.is_unchanged(pid, &mut reader));
        assert!(!same.is_unchanged(pid, &mut reader), "all that it is is due");
        assert!(!known("sh").is_unchanged(pid, &mut reader), "it became another program");
        drop(child);
        assert!(!known("sleep").is_unchanged(pid, &mut reader), "it has ended");
    }

    #[test]
    fn who_is_new_is_found_at_once_where_looks_are_close() {
        let mut watcher = Watcher::open(ProcRoot::live()).unwrap();
        let mut look = |wanted: u32| {
            let mut wants = |snapshot: &Snapshot| -> Vec<bool> {
                snapshot.rows().map(|row| row.process.key.pid == wanted).collect()
            };
            watcher.look(NOTHING, Duration::ZERO, &mut wants).unwrap().processes.len()
        };
        assert_eq!(look(0), 0);
        let new = sleeper();
        assert_eq!(look(new.0.id()), 1);
    }

    #[test]
    fn who_becomes_another_program_is_asked_again() {
        let mut child = Killed(
            Command::new("sh")
                .args(["-c", "echo ready; read x; exec sleep 1000"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.0.stdout.as_mut().unwrap()), &mut line).unwrap();
        let pid = child.0.id();
        let mut watcher = Watcher::open(ProcRoot::live()).unwrap();
        let mut is_sleep = |snapshot: &Snapshot| -> Vec<bool> {
            let is_it = |process: &Arc<ProcessSample>| {
                process.key.pid == pid && process.identity.command.as_bytes() == b"sleep 1000"
            };
            snapshot.sample.processes.iter().map(is_it).collect()
        };
        let interval = Duration::from_secs(1);
        assert!(watcher.look(NOTHING, interval, &mut is_sleep).unwrap().processes.is_empty());
        std::io::Write::write_all(child.0.stdin.as_mut().unwrap(), b"go\n").unwrap();
        let began = std::time::Instant::now();
        while watcher.look(NOTHING, interval, &mut is_sleep).unwrap().processes.is_empty() {
            assert!(began.elapsed() < Duration::from_mins(1), "it is never found");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
