//! Stories of hand-built watches: a machine of 2 GB, a sample a second.

use std::sync::Arc;

use super::{Advice, Amount, Outcome, Sentence, Story, Topic, Watched};
use crate::model::cgroup::{BoundGroup, CgroupLimit, Membership};
use crate::model::judgement::{Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, ProcessSample, Resident, Status};
use crate::model::reading::{BootMs, Reading, Stamped};
use crate::model::sample::Sample;
use crate::model::system::{Pressure, Stall, SysvShm};
use crate::model::testing;

const MIB: f64 = 1_048_576.0;
const UNIT: &str = "/system.slice/shop.service";

/// A process, as it is at a second.
struct Program {
    process: ProcessSample,
}

impl Program {
    fn new(pid: u32, comm: &str, command: &str, cgroup: &str) -> Self {
        let mut process = testing::process(pid, comm, command);
        let membership = Membership { memory: cgroup.into(), managed: cgroup.into(), ..Membership::default() };
        process.identity = Arc::new(Identity { cgroup: Arc::new(membership), ..(*process.identity).clone() });
        testing::set_memory(&mut process, 10, Some((10, 9)));
        Self { process }
    }

    /// Anonymous memory in RAM and in swap, MiB.
    fn holds(mut self, anon: f64, swap: f64) -> Self {
        let anon = (anon * MIB) as u64;
        self.process.resident = Reading::Value(Resident { size: 1 << 30, rss: anon, shared: 0, text: 4096 });
        let status = Status {
            rss_anon: Reading::Value(anon),
            rss_file: Reading::Value(0),
            rss_shmem: Reading::Value(0),
            swap: (swap * MIB) as u64,
            peak_rss: anon,
            page_tables: 0,
            locked: 0,
            hugetlb: 0,
        };
        self.process.status = Stamped::new(Reading::Value(status), testing::NOW);
        self
    }

    fn opens(mut self, fds: u32, limit: u64) -> Self {
        self.process.fds = Stamped::new(Reading::Value(fds), testing::NOW);
        self.process.fd_limit = Stamped::new(Reading::Value(limit), testing::NOW);
        self
    }

    fn starts(mut self, threads: u32) -> Self {
        if let Reading::Value(stat) = &mut self.process.stat.reading {
            stat.threads = threads;
        }
        self
    }
}

/// A moment of the machine: its processes, and what is done to its counters.
struct Moment<'a> {
    programs: Vec<Program>,
    change: Box<dyn FnOnce(&mut Sample) + 'a>,
}

fn only(programs: Vec<Program>) -> Moment<'static> {
    Moment { programs, change: Box::new(|_| ()) }
}

/// A watch of so many seconds; 1,200 MiB are available beyond what the programs hold, and there is no swap.
fn watch<'a>(seconds: u64, at: impl Fn(f64) -> Moment<'a>) -> Watched {
    let mut watched = Watched::default();
    for second in 0..seconds {
        let moment = at(second as f64);
        let mut processes: Vec<_> = moment.programs.into_iter().map(|program| Arc::new(program.process)).collect();
        processes.sort_by_key(|process| process.key);
        let anon: u64 = processes.iter().filter_map(|process| process.resident.value()).map(Resident::anon).sum();
        let mut sample = (*testing::snapshot(processes).sample).clone();
        sample.at = BootMs(testing::NOW.0 + second * 1000);
        sample.wall_ms += second as i64 * 1000;
        let meminfo = &mut sample.system.meminfo;
        let available = (1500u64 << 20).saturating_sub(anon);
        (meminfo.mem_available, meminfo.mem_free) = (Reading::Value(available), Reading::Value(available / 2));
        (meminfo.swap_total, meminfo.swap_free) = (Reading::Value(0), Reading::Value(0));
        (moment.change)(&mut sample);
        watched.push(sample);
    }
    watched
}

fn story(watched: &Watched) -> Story {
    watched.tell(None).unwrap()
}

fn sentence(story: &Story, topic: Topic) -> &Sentence {
    story.sentences.iter().find(|sentence| sentence.topic == topic).unwrap_or_else(|| panic!("{topic:?}: {story:#?}"))
}

fn number(sentence: &Sentence, key: &str) -> f64 {
    sentence.fact(key).and_then(Amount::number).unwrap_or_else(|| panic!("{key}: {sentence:?}"))
}

fn commands(story: &Story) -> Vec<&str> {
    story.advice.iter().flat_map(|advice| &advice.commands).map(String::as_str).collect()
}

fn advice<'a>(story: &'a Story, command: &str) -> &'a Advice {
    let has = |advice: &&Advice| advice.commands.iter().any(|given| given.contains(command));
    story.advice.iter().find(has).unwrap_or_else(|| panic!("{command}: {:#?}", story.advice))
}

fn leaking(pid: u32, comm: &str, command: &str, cgroup: &str) -> Story {
    story(&watch(420, |t| {
        only(vec![
            Program::new(1, "init", "init", "/init.scope"),
            Program::new(pid, comm, command, cgroup).holds(60.0 + 0.5 * t, 0.0),
        ])
    }))
}

#[test]
fn a_leak_has_its_rate_its_kind_its_end_and_its_share() {
    let story = leaking(1234, "node", "node app.js", UNIT);
    assert_eq!(story.outcome, Outcome::Leaking);
    assert!(
        story.headline.text.starts_with("node[1234] leaks private memory: memory full in "),
        "{}",
        story.headline.text
    );
    let leak = sentence(&story, Topic::Leak);
    assert!((number(leak, "rate") / MIB - 30.0).abs() < 1.5, "{leak:?}");
    assert!(number(leak, "rate_low") <= number(leak, "rate") && number(leak, "rate") <= number(leak, "rate_high"));
    assert!((90.0..100.0).contains(&number(leak, "confidence")));
    assert!((number(leak, "to") / MIB - 269.5).abs() < 0.1 && leak.text.contains("to 270M"), "{leak:?}");
    let kind = sentence(&story, Topic::Kind);
    assert!((number(kind, "anon_gain") / MIB - 209.5).abs() < 0.1 && number(kind, "swap_gain") == 0.0, "{kind:?}");
    let limit = sentence(&story, Topic::Limit);
    // 1,500 MiB less what it has, at half a MiB a second.
    assert!((number(limit, "in") / 1000.0 / 2461.0 - 1.0).abs() < 0.06, "{limit:?}");
    assert!(
        limit.text.contains("the machine's memory (1.91G) is full in 4") && limit.text.contains("OOM"),
        "{limit:?}"
    );
    let share = sentence(&story, Topic::Share);
    assert!(share.text.contains("node[1234] has 210M (100%)"), "{share:?}");
    for about in [leak, kind, limit] {
        assert_eq!(about.finding, Some(0));
    }
    assert_eq!(story.findings[0].subject, Subject::Process(ProcessKey { pid: 1234, start_time: 1234 }));
}

#[test]
fn node_is_told_how_to_compare_snapshots_and_what_its_heap_may_take() {
    let story = leaking(1234, "node", "node --max-old-space-size=4096 app.js", UNIT);
    assert!(story.advice[0].commands[0].starts_with("memtide heap capture 1234 "), "{:#?}", story.advice);
    assert!(story.advice[0].risk.as_deref().is_some_and(|risk| risk.contains("9229") && risk.contains("run code")));
    let heap = advice(&story, "--max-old-space-size=");
    // Three quarters of what it has and of what is available: 1,500 MiB together.
    let mib = (number(&heap.why, "room") * 0.75 / MIB) as u64;
    assert!((1100..=1125).contains(&mib), "{mib}");
    assert!(heap.commands[1].contains(&format!("NODE_OPTIONS=--max-old-space-size={mib}")), "{heap:?}");
    assert!(heap.commands[1].contains("> /etc/systemd/system/shop.service.d/memory.conf"), "{heap:?}");
    assert!(heap.why.text.contains("75%") && heap.why.text.contains("may become 4.02G"), "{heap:?}");
    assert!(heap.why.finding == Some(0));
    let bound = advice(&story, "set-property");
    assert_eq!(bound.commands, [format!("systemctl set-property shop.service MemoryMax={mib}M")]);
    let guard = &advice(&story, "memtide guard").commands[0];
    assert_eq!(
        *guard,
        format!(
            "memtide guard --match unit=shop.service --per unit --footprint-over {mib}M --for 30s --then 'restart unit'"
        )
    );
}

#[test]
fn a_signal_for_snapshots_is_used_only_where_it_was_set() {
    let story = leaking(7, "node", "node --heapsnapshot-signal=SIGUSR2 app.js", UNIT);
    assert!(story.advice[0].why.text.contains("--heapsnapshot-signal=SIGUSR2, which is used"), "{:#?}", story.advice);
    assert!(story.advice[0].risk.as_deref().is_some_and(|risk| !risk.contains("SIGUSR1")));
    let story = leaking(7, "node", "node --inspect app.js", UNIT);
    assert!(story.advice[0].why.text.contains("(--inspect), which is used"), "{:#?}", story.advice);
    // Without its handler the signal would end it.
    let story = leaking(7, "node", "node --disable-sigusr1 app.js", UNIT);
    assert!(commands(&story).iter().all(|command| !command.contains("capture")), "{:#?}", story.advice);
    // With a limit of its own that is met first it needs none.
    let story = leaking(7, "node", "node --max-old-space-size=400 app.js", UNIT);
    assert!(sentence(&story, Topic::Limit).text.contains("its own heap limit (424M)"));
    assert!(
        commands(&story)
            .iter()
            .all(|command| !command.contains("MemoryMax") && !command.contains("NODE_OPTIONS=--max"))
    );
}

#[test]
fn the_default_of_a_heap_is_a_limit_too() {
    // Half of 1.91 GiB and three semi-spaces of 8 MiB; three quarters of the room are more.
    let story = leaking(7, "node", "node app.js", UNIT);
    assert!(story.headline.text.contains("memory full in"), "what grows may be beside the heap: {story:#?}");
    let limits: Vec<_> = story.sentences.iter().filter(|sentence| sentence.topic == Topic::Limit).collect();
    let default = limits[1];
    assert!(default.text.contains("the heap's limit (0.98G, the default: half of the machine's memory"), "{default:?}");
    assert!((number(default, "in") / 1000.0 - (1002.0 - 270.0) / 0.5).abs() < 60.0, "{default:?}");
    assert_eq!(default.finding, Some(0));
    assert!(commands(&story).iter().all(|command| !command.contains("NODE_OPTIONS=--max")), "{:#?}", story.advice);
    // It bounds objects of JavaScript alone, and nobody chose it for this machine.
    assert!(advice(&story, "MemoryMax").commands[0].contains("shop.service"));
}

#[test]
fn each_runtime_has_its_own_tools() {
    for (comm, command, tool) in [
        ("python3", "python3 app.py", "memray attach 77 "),
        ("postgres", "postgres: shop shop [local] idle", "pg_log_backend_memory_contexts(77)"),
        ("prometheus", "/bin/prometheus", "http://localhost:9090/debug/pprof/heap"),
        ("traefik", "traefik", "http://localhost:6060/debug/pprof/heap"),
        ("shopd", "/usr/sbin/shopd", "heaptrack -p 77 "),
    ] {
        let story = leaking(77, comm, command, UNIT);
        assert!(story.advice[0].commands.iter().any(|given| given.contains(tool)), "{comm}: {:#?}", story.advice);
        let others = ["memray", "pprof", "heaptrack", "jcmd", "histogram 77", "heapsnapshot"]
            .iter()
            .filter(|other| !tool.contains(**other));
        for other in others {
            assert!(commands(&story).iter().all(|given| !given.contains(other)), "{comm}: {other}");
        }
    }
    // A heap that may grow to a quarter of the machine, and has grown far beyond.
    let story = story(&watch(260, |t| {
        only(vec![Program::new(77, "java", "java -Xmx64m -jar a.jar", UNIT).holds(200.0 + t, 0.0)])
    }));
    assert!(story.advice[0].commands[0].starts_with("jcmd 77 VM.native_memory"), "{:#?}", story.advice);
    assert!(commands(&story).iter().all(|given| !given.contains("-Xmx")), "{:#?}", story.advice);
    assert!(advice(&story, "MemoryMax").commands[0].contains("shop.service"));
}

#[test]
fn a_process_without_a_service_is_bounded_by_a_scope_and_a_container_by_its_engine() {
    let story = leaking(5, "shopd", "shopd", "/user.slice/user-0.slice/session-3.scope");
    let bound = advice(&story, "systemd-run");
    assert!(bound.commands[1].starts_with("xargs -0 -a cmdline.5 systemd-run --scope -p MemoryMax="), "{bound:?}");
    let id = "0123456789abcdef".repeat(4);
    let story = leaking(5, "shopd", "shopd", &format!("/system.slice/docker-{id}.scope"));
    assert!(
        commands(&story)
            .iter()
            .any(|command| command.starts_with("docker update --memory ") && command.ends_with("0123456789ab"))
    );
}

#[test]
fn a_limit_that_is_there_is_told_and_not_advised() {
    let story = story(&watch(420, |t| Moment {
        programs: vec![
            Program::new(9, "node", "node --max-old-space-size=4096 app.js", UNIT).holds(60.0 + 0.5 * t, 0.0),
        ],
        change: Box::new(move |sample| {
            let limit = CgroupLimit {
                path: UNIT.into(),
                limit: 400 << 20,
                usage: ((60.0 + 0.5 * t) * MIB) as u64,
                inactive_file: 0,
                swap_limit: None,
                swap_usage: None,
                oom_kills: Some(0),
            };
            sample.system.bound_groups = vec![Arc::new(BoundGroup { memory: UNIT.into(), limit, at: sample.at })];
        }),
    }));
    assert!(sentence(&story, Topic::Limit).text.contains("the memory limit of its control group (400M)"));
    assert!(commands(&story).iter().all(|command| !command.contains("MemoryMax")), "{:#?}", story.advice);
    let heap = advice(&story, "--max-old-space-size=29");
    assert!(heap.why.text.contains("its control group's limit of 400M"), "{heap:?}");
}

#[test]
fn descriptors_that_leak_are_grouped_by_target_and_the_limit_buys_only_time() {
    let story = story(&watch(140, |t| {
        only(vec![Program::new(50, "proxy", "/usr/bin/proxy", UNIT).opens(100 + (2.0 * t) as u32, 1024)])
    }));
    let leak = sentence(&story, Topic::Leak);
    assert!(leak.text.contains("file descriptors") && (number(leak, "rate") / 120.0 - 1.0).abs() < 0.1, "{leak:?}");
    let limit = sentence(&story, Topic::Limit);
    assert!(limit.text.contains("its limit of open files (1024)") && limit.text.contains("EMFILE"), "{limit:?}");
    assert!((number(limit, "in") / 60_000.0 - (1024.0 - 378.0) / 120.0).abs() < 0.5, "{limit:?}");
    assert!(story.advice[0].commands[0].starts_with("memtide inspect 50 --part descriptors"), "{:#?}", story.advice);
    let raise = advice(&story, "prlimit --pid 50 --nofile=4096:4096");
    assert!(raise.commands[1].contains("LimitNOFILE=4096") && raise.title.contains("time only"), "{raise:?}");
    assert!((number(&raise.why, "bought") / 60_000.0 - 3072.0 / 120.0).abs() < 2.0, "{raise:?}");
    assert!(commands(&story).iter().all(|command| !command.contains("heaptrack") && !command.contains("MemoryMax")));
}

#[test]
fn threads_that_never_end_are_looked_at_by_name_and_by_stack() {
    let story =
        story(&watch(140, |t| only(vec![Program::new(51, "java", "java -jar a.jar", UNIT).starts(20 + t as u32)])));
    assert!(sentence(&story, Topic::Leak).text.contains("leaks threads"), "{:#?}", story.sentences);
    assert!(story.advice[0].commands[0].contains("memtide inspect 51 --part threads"));
    assert!(story.advice[1].commands[0].starts_with("jcmd 51 Thread.print"), "{:#?}", story.advice);
}

#[test]
fn cache_that_fills_ram_is_harmless() {
    let story = story(&watch(150, |t| Moment {
        programs: vec![Program::new(1, "init", "init", "/init.scope")],
        change: Box::new(move |sample| {
            let meminfo = &mut sample.system.meminfo;
            let cached = (300.0 + 6.0 * t) * MIB;
            meminfo.cached = Reading::Value(cached as u64);
            meminfo.mem_free = Reading::Value((1400.0 * MIB - cached) as u64);
            meminfo.mem_available = Reading::Value(1400 << 20);
        }),
    }));
    assert_eq!(story.outcome, Outcome::Clear);
    let memory = sentence(&story, Topic::Memory);
    assert!(memory.text.contains("harmless") && memory.text.contains("cache"), "{memory:?}");
    assert!(number(memory, "taken_percent") > 85.0 && number(memory, "used_percent") < 30.0, "{memory:?}");
    assert!((number(memory, "cache_gain") / MIB - 894.0).abs() < 1.0 && memory.text.contains("no leak"), "{memory:?}");
    assert!(story.advice.is_empty() && !story.sentences.iter().any(|sentence| sentence.topic == Topic::Share));
}

#[test]
fn dentries_are_cache_and_drop_caches_only_shows_it() {
    let story = story(&watch(150, |t| Moment {
        programs: vec![Program::new(1, "init", "init", "/init.scope")],
        change: Box::new(move |sample| sample.system.meminfo.s_reclaimable = Reading::Value(((30.0 + t) * MIB) as u64)),
    }));
    assert_eq!(story.outcome, Outcome::Clear);
    assert_eq!(commands(&story), ["sync; sysctl -w vm.drop_caches=2"]);
    assert!((number(&story.advice[0].why, "gain") / MIB - 149.0).abs() < 0.1);
    assert!(story.advice[0].risk.is_some());
}

#[test]
fn where_nothing_leaks_it_says_what_was_watched_and_who_uses_most() {
    let watched = watch(120, |_| {
        let mut database = Program::new(40, "postgres", "postgres", UNIT);
        testing::set_memory(&mut database.process, 400, Some((390, 380)));
        only(vec![Program::new(1, "init", "init", "/init.scope"), database])
    });
    let clear = story(&watched);
    assert_eq!((clear.outcome, clear.headline.text.as_str()), (Outcome::Clear, "Nothing leaks."));
    let told = sentence(&clear, Topic::Clear);
    assert!(
        told.text.starts_with("2 processes") && told.text.contains("for 1 min 59 s: none of them grows"),
        "{told:?}"
    );
    assert_eq!(sentence(&clear, Topic::Users).text, "Most memory by PSS: postgres[40] 390M, init[1] 10M.");
    assert!(clear.sentences.iter().any(|sentence| sentence.text.contains("slower than about")));
    assert!(clear.advice.is_empty() && clear.findings.is_empty());
    assert_eq!((clear.watched_ms, clear.samples, clear.processes), (119_000, 120, 2));

    let one = watched.tell(Some(ProcessKey { pid: 40, start_time: 40 })).unwrap();
    assert_eq!(one.headline.text, "postgres[40] does not leak.");
    assert!(sentence(&one, Topic::Clear).text.contains("is steady"), "{:#?}", one.sentences);
}

#[test]
fn too_short_a_watch_says_how_much_longer_it_takes() {
    let story =
        story(&watch(11, |t| only(vec![Program::new(9, "node", "node app.js", UNIT).holds(60.0 + 8.0 * t, 0.0)])));
    assert_eq!(story.outcome, Outcome::NotEnoughData(20_000));
    assert_eq!(story.headline.text, "Not enough data yet: 20 s more are needed.");
    assert_eq!(commands(&story), ["memtide diagnose --for 1m"]);
    assert!(!story.sentences.iter().any(|sentence| sentence.topic == Topic::Leak));
}

#[test]
fn what_rises_by_too_little_so_far_is_neither_cleared_nor_called() {
    let watched = watch(70, |t| only(vec![Program::new(9, "node", "node app.js", UNIT).holds(60.0 + 0.02 * t, 0.0)]));
    let story = story(&watched);
    let Outcome::Growing(needs_ms) = story.outcome else { panic!("{story:#?}") };
    let early = sentence(&story, Topic::Growth);
    assert!(early.text.starts_with("node[9] gains private memory, ") && early.text.contains("too little"), "{early:?}");
    assert!((number(early, "needs") - needs_ms as f64).abs() < 0.5);
    let one = watched.tell(Some(ProcessKey { pid: 9, start_time: 9 })).unwrap();
    assert_eq!(one.outcome, story.outcome);
}

#[test]
fn growth_that_may_be_a_start_is_no_leak_yet() {
    let watched = watch(90, |t| only(vec![Program::new(9, "node", "node app.js", UNIT).holds(60.0 + 0.5 * t, 0.0)]));
    let story = story(&watched);
    let Outcome::Growing(needs_ms) = story.outcome else { panic!("{story:#?}") };
    let growth = sentence(&story, Topic::Growth);
    assert!(growth.text.contains("node[9] gains private memory") && growth.text.contains("more."), "{growth:?}");
    assert!((number(growth, "needs") - needs_ms as f64).abs() < 0.5);
    assert_eq!(story.advice.len(), 1, "{:#?}", story.advice);
    let one = watched.tell(Some(ProcessKey { pid: 9, start_time: 9 })).unwrap();
    assert!(one.advice[0].commands[0].ends_with("m 9"), "{:#?}", one.advice);
}

#[test]
fn restarts_do_not_hide_a_leak() {
    // Three lives of 100 seconds, each of which gains a MiB a second.
    let story = story(&watch(295, |t| {
        let (life, age) = ((t / 100.0).floor(), t % 100.0);
        only(vec![
            Program::new(1, "init", "init", "/init.scope"),
            Program::new(100 + life as u32, "node", "node app.js", UNIT).holds(40.0 + age, 0.0),
        ])
    }));
    assert_eq!(story.outcome, Outcome::Leaking);
    let leak = sentence(&story, Topic::Leak);
    assert!(leak.text.starts_with("the service shop.service leaks private memory"), "{leak:?}");
    let restart = sentence(&story, Topic::Restart);
    assert_eq!(number(restart, "ended") as u32, 2);
    assert!(restart.text.contains("restarts hide the leak"), "{restart:?}");
    assert_eq!(story.sentences.iter().filter(|sentence| sentence.topic == Topic::Ended).count(), 2);
    assert!(
        story.advice[0].commands[0].starts_with("memtide heap capture 102 "),
        "the one that is alive: {:#?}",
        story.advice
    );
    assert!(commands(&story).iter().any(|command| command.starts_with("systemctl set-property shop.service")));
}

#[test]
fn work_that_is_done_piece_by_piece_is_no_leak() {
    // A build: each compiler grows while it works and ends, and the next one compiles something else.
    let story = story(&watch(395, |t| {
        let (life, age) = ((t / 100.0).floor(), t % 100.0);
        let piece = format!("cc1 -quiet piece-{life}.c");
        only(vec![
            Program::new(1, "init", "init", "/init.scope"),
            Program::new(100 + life as u32, "cc1", &piece, UNIT).holds(40.0 + 4.0 * age, 0.0),
        ])
    }));
    assert!(!story.sentences.iter().any(|sentence| sentence.topic == Topic::Restart), "{:#?}", story.sentences);
    let of_service = |sentence: &&Sentence| sentence.text.starts_with("the service shop.service");
    assert!(story.sentences.iter().filter(|sentence| sentence.topic == Topic::Leak).find(of_service).is_none());
}

fn shared(sysv: f64) -> Story {
    story(&watch(300, |t| Moment {
        programs: vec![Program::new(1, "init", "init", "/init.scope")],
        change: Box::new(move |sample| {
            let shmem = ((20.0 + t) * MIB) as u64;
            sample.system.meminfo.shmem = Reading::Value(shmem);
            sample.system.meminfo.mem_available = Reading::Value((1500 << 20) - shmem);
            let bytes = (t * sysv * MIB) as u64;
            sample.system.sysv_shm = Reading::Value(SysvShm {
                segments: t as u32 + 1,
                bytes,
                unattached_segments: t as u32,
                unattached_bytes: bytes,
            });
        }),
    }))
}

#[test]
fn a_tmpfs_that_fills_is_nobodys_and_is_looked_for_there() {
    let story = shared(0.0);
    let leak = sentence(&story, Topic::Leak);
    assert!(leak.text.starts_with("the machine leaks shared memory and tmpfs"), "{leak:?}");
    assert!(sentence(&story, Topic::Kind).text.contains("files in a tmpfs"), "{:#?}", story.sentences);
    assert!(
        sentence(&story, Topic::Share).text.contains("shared memory and tmpfs has 299M (100%)"),
        "{:#?}",
        story.sentences
    );
    assert_eq!(story.advice[0].commands[0], "df -h -t tmpfs");
    assert!(commands(&story).iter().all(|command| !command.contains("ipc") && !command.contains("MemoryMax")));
}

#[test]
fn sysv_segments_that_nobody_is_attached_to_are_told_and_can_be_removed() {
    let story = shared(1.0);
    let kind = sentence(&story, Topic::Kind);
    assert!(kind.text.contains("SysV shared memory: +299M") && kind.text.contains("299 of them"), "{kind:?}");
    assert!(story.advice[0].commands[0].starts_with("ipcs -m -p"));
    let remove = advice(&story, "ipcrm -m");
    assert!(remove.risk.is_some() && (number(&remove.why, "unattached_bytes") / MIB - 299.0).abs() < 0.1, "{remove:?}");
    assert!(commands(&story).iter().all(|command| !command.contains("df -h")));
}

#[test]
fn what_the_kernel_keeps_for_itself_is_looked_at_by_slab() {
    let story = story(&watch(420, |t| Moment {
        programs: vec![Program::new(1, "init", "init", "/init.scope")],
        change: Box::new(move |sample| {
            let slab = ((36.0 + 0.5 * t) * MIB) as u64;
            sample.system.meminfo.s_unreclaim = Reading::Value(slab);
            sample.system.meminfo.mem_available = Reading::Value((1500 << 20) - slab);
        }),
    }));
    assert!(sentence(&story, Topic::Leak).text.starts_with("the machine leaks kernel slab"), "{:#?}", story.sentences);
    assert_eq!(story.advice[0].commands[0], "slabtop -o -s c | head -n 20");
    assert!(commands(&story).iter().all(|command| !command.contains("drop_caches")), "what is kept is not given back");
}

#[test]
fn a_leak_that_is_swapped_out_is_seen_with_what_swapping_does() {
    let story = story(&watch(420, |t| Moment {
        programs: vec![Program::new(9, "shopd", "shopd", UNIT).holds(60.0, 10.0 + 0.5 * t)],
        change: Box::new(move |sample| {
            let system = &mut sample.system;
            system.meminfo.swap_total = Reading::Value(512 << 20);
            system.meminfo.swap_free = Reading::Value(((500.0 - 0.5 * t) * MIB) as u64);
            // A MiB of 256 pages out and half as much in, each second.
            (system.vmstat.swap_out, system.vmstat.swap_in) =
                (Reading::Value(256 * t as u64), Reading::Value(128 * t as u64));
            (system.vmstat.major_faults, system.vmstat.oom_kills) =
                (Reading::Value(20 * t as u64), Reading::Value(u64::from(t > 100.0)));
            let stall = |percent: f64| Stall { total_us: (t * percent * 10_000.0) as u64, ..Stall::default() };
            system.pressure = Reading::Value(Pressure { some: stall(12.0), full: stall(4.0) });
        }),
    }));
    assert_eq!(story.outcome, Outcome::Leaking);
    let kind = sentence(&story, Topic::Kind);
    assert!(kind.text.contains("RSS hides it") && number(kind, "anon_gain") == 0.0, "{kind:?}");
    let swap = sentence(&story, Topic::Swap);
    assert!((number(swap, "swap_out") / MIB - 1.0).abs() < 0.01 && (number(swap, "swap_in") / MIB - 0.5).abs() < 0.01);
    assert!((number(swap, "major_faults") - 20.0).abs() < 0.1 && swap.text.contains("programs wait"), "{swap:?}");
    let pressure = sentence(&story, Topic::Pressure);
    assert!((number(pressure, "psi_some") - 12.0).abs() < 0.1 && (number(pressure, "psi_full") - 4.0).abs() < 0.1);
    assert!(sentence(&story, Topic::Kill).text.contains("struck 1 time while"));
    let limits: Vec<_> = story.sentences.iter().filter(|sentence| sentence.topic == Topic::Limit).collect();
    assert!(limits.iter().any(|limit| limit.text.contains("RAM and swap together")), "{limits:?}");
}

#[test]
fn only_who_was_asked_for_is_blamed() {
    let watched = watch(420, |t| {
        only(vec![
            Program::new(1, "init", "init", "/init.scope"),
            Program::new(9, "node", "node app.js", UNIT).holds(60.0 + 0.5 * t, 0.0),
        ])
    });
    let of = |pid: u32| watched.tell(Some(ProcessKey { pid, start_time: pid.into() })).unwrap();
    assert_eq!((of(9).outcome, of(1).outcome), (Outcome::Leaking, Outcome::Clear));
    assert!(of(1).findings.is_empty() && of(1).advice.is_empty());
    assert!(of(9).findings.iter().all(|finding| finding.judgement.verdict == Verdict::Leaking));
}

#[test]
fn who_was_asked_for_and_ended_is_told_so() {
    let watched = watch(100, |t| {
        let mut programs = vec![Program::new(1, "init", "init", "/init.scope")];
        if t < 40.0 {
            programs.push(Program::new(9, "batch", "batch", UNIT).holds(30.0, 0.0));
        }
        only(programs)
    });
    let story = watched.tell(Some(ProcessKey { pid: 9, start_time: 9 })).unwrap();
    assert_eq!(story.outcome, Outcome::Clear);
    assert_eq!(
        sentence(&story, Topic::Ended).text,
        "batch[9] ended 59 s before the watch was over, with 30M of private memory."
    );
}

#[test]
fn who_was_asked_for_and_ended_while_it_grew_is_not_cleared() {
    let watched = watch(100, |t| {
        let mut programs = vec![Program::new(1, "init", "init", "/init.scope")];
        if t < 90.0 {
            programs.push(Program::new(9, "batch", "batch", UNIT).holds(30.0 + t, 0.0));
        }
        only(programs)
    });
    let story = watched.tell(Some(ProcessKey { pid: 9, start_time: 9 })).unwrap();
    assert!(story.headline.text.starts_with("batch[9] ended while it grew"), "{:#?}", story.headline);
    let ended = sentence(&story, Topic::Ended);
    assert!((number(ended, "rate") / MIB - 60.0).abs() < 6.0 && ended.text.contains("had grown by +8"), "{ended:?}");
}

#[test]
fn hostile_names_reach_neither_a_terminal_nor_a_shell() {
    let story = leaking(66, "x\x1b[2J\n", "node\u{202e} $(id)", "/system.slice/a'; $(reboot) \x1b.service");
    let everything = format!("{story:?}");
    assert_eq!(story.outcome, Outcome::Leaking);
    let texts = story.sentences.iter().map(|sentence| &sentence.text).chain([&story.headline.text]);
    let said: Vec<&String> =
        texts.chain(story.advice.iter().flat_map(|advice| advice.commands.iter().chain([&advice.why.text]))).collect();
    assert!(said.iter().all(|text| text.chars().all(|c| !c.is_control() && c != '\u{202e}')), "{everything}");
    let bound = advice(&story, "set-property");
    assert!(bound.commands[0].contains("'a'\\''; $(reboot) \\x1b.service'"), "{bound:?}");
    assert!(commands(&story).iter().all(|command| !command.contains("$(id)")), "{everything}");
}

#[test]
fn the_same_samples_tell_the_same_story() {
    let once = leaking(1234, "node", "node app.js", UNIT);
    assert_eq!(once, leaking(1234, "node", "node app.js", UNIT));
}
