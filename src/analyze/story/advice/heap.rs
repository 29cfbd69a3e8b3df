//! How to find what a program keeps, by what runs it.

use super::{Advice, Case};
use crate::analyze::story::program::{Runtime, has_option, runtime};
use crate::analyze::story::sentence::{Amount, Sentence};
use crate::model::process::Identity;

/// The tools that look into the memory of what leaks.
pub(super) fn give(case: &Case<'_>, given: &mut Vec<Advice>) {
    let processes = case.scene.processes(case.finding);
    let Some(process) = processes.first() else { return };
    let (pid, identity) = (process.key.pid, &*process.identity);
    match runtime(identity) {
        Runtime::Node => given.push(node(case, pid, identity)),
        Runtime::Jvm => given.push(jvm(case, pid, identity)),
        Runtime::Python => given.push(python(case, pid)),
        Runtime::Go(port) => given.push(go(case, port)),
        Runtime::Postgres => given.push(postgres(case, pid)),
        Runtime::Redis => given.push(redis(case)),
        // What an interpreter of PHP allocates is freed with the request: it is its extensions that leak.
        Runtime::Php | Runtime::Native => native(case, pid, given),
    }
}

/// A heap snapshot of small objects takes up to so many times the heap beside it while it is written; measured by
/// `tests/heap_capture.rs` and the estimate of `memtide heap capture`.
const SNAPSHOT: f64 = 10.0;

/// What a heap snapshot costs; a warning where there may be no room for it.
fn cost(case: &Case<'_>) -> String {
    let cost = "the process stands still while a snapshot is taken, up to a second for each 5M, and may take up to ten \
                times its heap meanwhile";
    let available = case.scene.last.system.meminfo.mem_available.value().unwrap_or(0) as f64;
    if available < SNAPSHOT * case.finding.judgement.level {
        let available = Amount::Bytes(available);
        format!("{cost}: only {available} is available, so it may be refused now; take it soon after a restart")
    } else {
        cost.to_owned()
    }
}

fn node(case: &Case<'_>, pid: u32, identity: &Identity) -> Advice {
    let title = "Compare two heap snapshots: the class whose objects became more is what is kept";
    let why = case.why();
    let signal = heap_snapshot_signal(identity);
    if signal.is_none() && !has_option(identity, "--inspect") && has_option(identity, "--disable-sigusr1") {
        return Advice {
            title: title.into(),
            commands: vec!["export NODE_OPTIONS=--heapsnapshot-signal=SIGUSR2   # before it is started anew".into()],
            why: why.say(", and it was started with --disable-sigusr1: it has to be started anew to look into it."),
            risk: Some("the restart frees what leaked: it has to grow again first".into()),
        };
    }
    let cost = cost(case);
    let (why, risk) = if let Some(signal) = signal {
        (why.say(&format!(", and it was started with --heapsnapshot-signal=SIG{signal}, which is used.")), cost)
    } else if has_option(identity, "--inspect") {
        (why.say(", and its inspector is open (--inspect), which is used."), cost)
    } else {
        let risk = "its inspector is opened by SIGUSR1 for that time: meanwhile whoever can connect to port 9229 on this \
                    machine can run code in the program; a program that handles SIGUSR1 itself does what it wants with it";
        (why.say(", and its command line shows no --heapsnapshot-signal."), format!("{risk}; {cost}"))
    };
    Advice {
        title: title.into(),
        commands: vec![
            format!("memtide heap capture {pid} -o before.heapsnapshot"),
            format!("memtide heap capture {pid} -o after.heapsnapshot   # some minutes later"),
            "memtide heap diff before.heapsnapshot after.heapsnapshot".into(),
        ],
        why,
        risk: Some(risk),
    }
}

/// The signal that makes it write a heap snapshot, where that is one of the two that are for programs.
fn heap_snapshot_signal(identity: &Identity) -> Option<&'static str> {
    let command = identity.command.escaped();
    let signal = command.split_ascii_whitespace().find_map(|word| word.strip_prefix("--heapsnapshot-signal="))?;
    match signal {
        "SIGUSR2" => Some("USR2"),
        "SIGUSR1" => Some("USR1"),
        _ => None,
    }
}

fn jvm(case: &Case<'_>, pid: u32, identity: &Identity) -> Advice {
    let heap = case.scene.own_limit(identity).map(|limit| limit.bytes as f64);
    match heap {
        Some(heap) if case.finding.judgement.level > heap => Advice {
            title: "See what it has beside its heap".into(),
            commands: vec![
                format!("jcmd {pid} VM.native_memory summary   # needs -XX:NativeMemoryTracking=summary at its start"),
                format!("jcmd {pid} VM.metaspace"),
            ],
            why: case
                .why()
                .say(", and has ")
                .put("level", Amount::Bytes(case.finding.judgement.level))
                .say(", more than its heap may have (")
                .put("heap", Amount::Bytes(heap))
                .say("): direct buffers, classes, threads or native libraries."),
            risk: None,
        },
        _ => Advice {
            title: "Compare two class histograms: the class whose instances became more is what is kept".into(),
            commands: vec![
                format!("memtide heap histogram {pid} --format json > before.json"),
                format!("memtide heap histogram {pid} --diff before.json   # some minutes later"),
            ],
            why: case.why().say("."),
            risk: Some("each histogram is a full collection: the program stands still for it".into()),
        },
    }
}

fn python(case: &Case<'_>, pid: u32) -> Advice {
    Advice {
        title: "See which lines allocate what is kept".into(),
        commands: vec![
            format!("memray attach {pid}   # pip install memray in its own environment; needs gdb or lldb"),
            "export PYTHONTRACEMALLOC=10   # for its next start: then tracemalloc.take_snapshot() compares".into(),
        ],
        why: case.why().say("."),
        risk: Some(
            "memray attach stops the program for a moment and runs code inside it; tracing slows it down".into(),
        ),
    }
}

fn go(case: &Case<'_>, port: Option<u16>) -> Advice {
    let address = format!("http://localhost:{}/debug/pprof", port.unwrap_or(6060));
    let risk = "the program must serve net/http/pprof; 6060 is only the customary port";
    Advice {
        title: "Compare two heap profiles".into(),
        commands: vec![
            format!("memtide heap histogram {address}/heap --format json > before.json"),
            format!("memtide heap histogram {address}/heap --diff before.json   # some minutes later"),
            format!(
                "curl -s '{address}/goroutine?debug=1' | head -n 40   # goroutines that never end keep their memory"
            ),
        ],
        why: case.why().say(", and it is a program written in Go."),
        risk: port.is_none().then(|| risk.into()),
    }
}

fn postgres(case: &Case<'_>, pid: u32) -> Advice {
    Advice {
        title: "Have the session write down what it keeps".into(),
        commands: vec![
            format!("psql -c 'SELECT pg_log_backend_memory_contexts({pid})'   # PostgreSQL 14; into the server's log"),
            format!("psql -c 'SELECT * FROM pg_stat_activity WHERE pid = {pid}'   # whose session it is"),
        ],
        why: case.why().say(": prepared statements, cached plans, temporary objects live as long as the session."),
        risk: None,
    }
}

fn redis(case: &Case<'_>) -> Advice {
    Advice {
        title: "See what fills it, and give it a limit".into(),
        commands: vec![
            "redis-cli INFO memory".into(),
            "redis-cli --bigkeys".into(),
            "redis-cli CONFIG GET maxmemory   # 0 is none".into(),
        ],
        why: case.why().say(": a store without maxmemory keeps everything that does not expire."),
        risk: None,
    }
}

fn native(case: &Case<'_>, pid: u32, given: &mut Vec<Advice>) {
    given.push(Advice {
        title: "See which calls allocate what is never freed".into(),
        commands: vec![
            format!("heaptrack -p {pid}   # Ctrl-C after some minutes, then heaptrack_print on the file it names"),
            format!(
                "timeout 30 strace -f -k -p {pid} -e trace=mmap,munmap,brk,mremap   # who asks the kernel for more"
            ),
        ],
        why: case.why().say(", and nothing shows that a runtime with tools of its own runs it."),
        risk: Some("both attach to the program and slow it down while they do; heaptrack runs code inside it".into()),
    });
    given.push(Advice {
        title: "Or profile it from its start".into(),
        commands: vec![
            format!("cp /proc/{pid}/cmdline cmdline.{pid}"),
            format!("xargs -0 -a cmdline.{pid} valgrind --tool=massif   # once the running one is stopped"),
            "ms_print massif.out.* | less".into(),
        ],
        why: why_from_start(case),
        risk: Some("under valgrind it runs 10 to 30 times slower: a test machine is the place for it".into()),
    });
}

fn why_from_start(case: &Case<'_>) -> Sentence {
    let pid = case.pid().map_or(0.0, f64::from);
    case.why().know("pid", Amount::Count(pid)).say(": what was allocated before a tool attached it can't tell.")
}
