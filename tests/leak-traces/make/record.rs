//! Plays a scene and records it: the subjects, a few other processes of the machine, and the machine itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::key::ProcessKey;
use memtide::model::process::{Identity, ProcessSample};
use memtide::model::reading::Reading;
use memtide::model::sample::{Host, Sample};
use memtide::model::text::Text;

use crate::reports::now;
use crate::scene::{Label, Scene};
use crate::stage::{Actor, Stage};
use crate::trace::Writer;
use crate::truth::{End, Fact, Quantity, Subject, Truth};

const INTERVAL: Duration = Duration::from_secs(1);

/// Other programs that may be kept, for false alarms: what builds and serves anywhere.
const BYSTANDERS: &[&str] = &["rustc", "cargo", "memtide", "sshd", "cron", "ld", "cc1", "kswapd0", "kcompactd0"];
const MOST_BYSTANDERS: usize = 8;

/// Plays the scene; leaves `NAME.jsonl.zst` and `NAME.toml` in the folder.
pub fn play(scene: &Scene, minutes: f64, folder: &Path) {
    let stage = Stage::set(scene);
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let mut tape = Tape::new(scene, folder);
    let mut actors: Vec<Actor> = Vec::new();
    let begin = Instant::now();
    for second in 0..(minutes * 60.0) as u64 {
        let due = INTERVAL * second as u32;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        for spec in &scene.subjects {
            // The first second belongs to the empty stage.
            if spec.start_s + 1 == second {
                actors.push(stage.start(scene, spec));
            }
        }
        for actor in &mut actors {
            actor.direct(second, now());
        }
        tape.record(&mut collector);
    }
    let truth = toml::to_string(&tape.truth(scene, &actors)).unwrap();
    std::fs::write(folder.join(format!("{}.toml", scene.name)), truth).unwrap();
    tape.writer.finish().unwrap();
    stage.show_complaints();
    drop(actors);
}

/// The command line with each path cut to its last part: where something lies says nothing.
fn without_folders(command: &Text) -> Text {
    let words = command.as_bytes().split(|byte| *byte == b' ');
    let last = |word: &[u8]| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_owned();
    let short: Vec<Vec<u8>> = words.map(last).collect();
    Text::new(short.join(&b' '))
}

struct Tape {
    writer: Writer,
    prefix: Vec<u8>,
    demand: Demand,
    bystanders: BTreeSet<ProcessKey>,
    identities: BTreeMap<ProcessKey, Arc<Identity>>,
    first: Option<u64>,
    last: Option<Sample>,
    /// When a group's process first had so many descriptors as the group's largest ever.
    most_fds: BTreeMap<Vec<u8>, (u32, u64)>,
    /// What each group used beyond clean cache: milliseconds since boot, and bytes.
    used: BTreeMap<Vec<u8>, Vec<(u64, u64)>>,
}

/// How long the kernel's count of a group is looked at for its lowest, milliseconds: longer than a collector's cycle.
const FLOOR_MS: u64 = 120_000;

impl Tape {
    fn new(scene: &Scene, folder: &Path) -> Self {
        let host = Host {
            name: "bench".into(),
            kernel: "6.18".into(),
            distribution: "Debian GNU/Linux 12 (bookworm)".into(),
            page_size: 4096,
            clock_ticks: 100,
            cpus: 2,
            users: BTreeMap::from([(0, "root".into())]),
            boot_id: "".into(),
        };
        let path = folder.join(format!("{}.jsonl.zst", scene.name));
        Self {
            writer: Writer::create(&path, &scene.name, &host).unwrap(),
            prefix: format!("/leak-traces/{}/", scene.name).into_bytes(),
            demand: Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 0, cgroups: false, budget: 0.3 },
            bystanders: BTreeSet::new(),
            identities: BTreeMap::new(),
            first: None,
            last: None,
            most_fds: BTreeMap::new(),
            used: BTreeMap::new(),
        }
    }

    fn record(&mut self, collector: &mut Collector) {
        let mut sample = collector.sample(&self.demand, INTERVAL).unwrap();
        self.trim(&mut sample);
        self.writer.push(&sample).unwrap();
        self.first.get_or_insert(sample.at.0);
        for group in &sample.system.bound_groups {
            let used =
                (group.limit.usage + group.limit.swap_usage.unwrap_or(0)).saturating_sub(group.limit.inactive_file);
            self.used.entry(group.memory.as_bytes().to_owned()).or_default().push((sample.at.0, used));
        }
        for process in &sample.processes {
            let group = process.identity.cgroup.memory.as_bytes();
            let Some(fds) = process.fds.reading.value().filter(|_| group.starts_with(&self.prefix)) else { continue };
            let most = self.most_fds.entry(group.to_owned()).or_insert((fds, sample.at.0));
            if fds > most.0 {
                *most = (fds, sample.at.0);
            }
        }
        self.demand.visible = sample
            .processes
            .iter()
            .filter(|process| process.identity.cgroup.memory.as_bytes().starts_with(&self.prefix))
            .map(|process| process.key)
            .collect();
        self.last = Some(sample);
    }

    /// Leaves the subjects as they are, and of the rest what says nothing about who else uses the machine.
    fn trim(&mut self, sample: &mut Sample) {
        sample.system.cgroup_limit = Reading::Value(None);
        sample.system.bound_groups.retain(|group| group.memory.as_bytes().starts_with(&self.prefix));
        for device in &mut sample.system.swaps {
            device.path = "/swapfile".into();
        }
        let alive: BTreeSet<ProcessKey> = sample.processes.iter().map(|process| process.key).collect();
        self.bystanders.retain(|key| alive.contains(key));
        let processes = std::mem::take(&mut sample.processes);
        sample.processes = processes.into_iter().filter_map(|process| self.keep(&process)).collect();
    }

    fn keep(&mut self, process: &Arc<ProcessSample>) -> Option<Arc<ProcessSample>> {
        let is_subject = process.identity.cgroup.memory.as_bytes().starts_with(&self.prefix);
        if !is_subject && !self.bystanders.contains(&process.key) {
            let is_wanted = BYSTANDERS.iter().any(|name| name.as_bytes() == process.identity.comm.as_bytes());
            if !is_wanted || process.is_zombie() || self.bystanders.len() >= MOST_BYSTANDERS {
                return None;
            }
            self.bystanders.insert(process.key);
        }
        let identity = if is_subject {
            Identity {
                command: without_folders(&process.identity.command),
                exe: without_folders(&process.identity.exe),
                ..(*process.identity).clone()
            }
        } else {
            Identity {
                comm: process.identity.comm.clone(),
                is_kernel_thread: process.identity.is_kernel_thread,
                ..Identity::default()
            }
        };
        let known = self.identities.entry(process.key).or_default();
        if **known != identity {
            *known = Arc::new(identity);
        }
        Some(Arc::new(ProcessSample { identity: Arc::clone(known), ..(**process).clone() }))
    }

    fn truth(&self, scene: &Scene, actors: &[Actor]) -> Truth {
        let first = self.first.unwrap();
        let last = self.last.as_ref().unwrap();
        let mut machine = BTreeMap::new();
        let subjects = actors.iter().map(|actor| {
            let spec = actor.spec;
            let mut facts = BTreeMap::new();
            for (quantity, label) in &spec.labels {
                let fact = match label {
                    Label::Unscored => Fact::Unscored,
                    Label::Leaking => self.leak(actor, *quantity, first, last),
                };
                let is_machines = matches!(quantity, Quantity::Shmem | Quantity::Kernel);
                if is_machines { &mut machine } else { &mut facts }.insert(*quantity, fact);
            }
            Subject {
                name: spec.name.clone(),
                set: spec.set,
                group: actor.group.path.clone(),
                class: spec.class.clone(),
                what: spec.what.clone(),
                is_pool: spec.is_pool,
                facts,
            }
        });
        let subjects = subjects.collect();
        Truth { scene: scene.name.clone(), length_ms: last.at.0 - first, machine, subjects }
    }

    fn leak(&self, actor: &Actor, quantity: Quantity, first: u64, last: &Sample) -> Fact {
        let spec = actor.spec;
        let paused = spec.stopped_s.map_or(0, |[from, until]| (until - from) * 1000);
        let Some((onset, rate)) = actor.reports.rate(quantity, paused) else {
            eprintln!("{} lost nothing that it told", spec.name);
            return Fact::Unscored;
        };
        // Nobody can foresee a pause.
        let end = if paused > 0 || spec.is_endless { None } else { self.end(actor, quantity, rate, last) };
        let end = end.map(|(limit, at, was_met)| End { limit, at_ms: at.saturating_sub(first), was_met });
        Fact::Leaking { onset_ms: onset.saturating_sub(first), per_minute: rate * 60_000.0, end }
    }

    /// When a group that goes on as in the second half meets the limit, by the kernel's count: what a program counts
    /// itself leaves out what its runtime adds.
    fn full_at(&self, actor: &Actor, limit: u64) -> Option<u64> {
        let used = self.used.get(actor.group.path.as_bytes())?;
        let (first, last) = (used.first()?.0, used.last()?.0);
        let floor = |around: u64| {
            let near = used.iter().filter(|(at, _)| at.abs_diff(around) <= FLOOR_MS / 2);
            near.map(|(_, used)| *used).min()
        };
        let (half, end) = (u64::midpoint(first, last), last - FLOOR_MS / 2);
        let (before, now) = (floor(half)?, floor(end)?);
        let per_ms = (now as f64 - before as f64) / (end - half) as f64;
        (per_ms > 0.0).then(|| end + (limit.saturating_sub(now) as f64 / per_ms) as u64)
    }

    /// The limit, when it is met in milliseconds since boot, and whether it was.
    fn end(&self, actor: &Actor, quantity: Quantity, rate: f64, last: &Sample) -> Option<(u64, u64, bool)> {
        let spec = actor.spec;
        let after = |room: u64| last.at.0 + (room as f64 / rate) as u64;
        match quantity {
            Quantity::Memory => {
                let limit = spec.both_mib.or(spec.limit_mib)? << 20;
                if let Some(at) = actor.killed_at {
                    return Some((limit, at, true));
                }
                Some((limit, self.full_at(actor, limit)?, false))
            }
            Quantity::Fds => {
                let limit = spec.nofile?;
                let (most, at) = self.most_fds.get(actor.group.path.as_bytes())?;
                let room = limit.saturating_sub(u64::from(*most));
                Some(if room == 0 { (limit, *at, true) } else { (limit, after(room), false) })
            }
            Quantity::Threads => None,
            Quantity::Shmem | Quantity::Kernel => {
                let available = last.system.meminfo.mem_available.value()?;
                Some((last.system.meminfo.mem_total.value()?, after(available), false))
            }
        }
    }
}
