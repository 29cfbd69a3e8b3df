//! The screen in Chinese: the main views as pictures in text at the size of an old terminal, no English left on them,
//! and how the language is chosen.
//!
//! Times of day, which depend on the time zone, are masked.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use insta::{assert_snapshot, with_settings};
use memtide::act::effect::{DropLevel, Effect, Outcome, Stage, Target};
use memtide::act::heap::Options;
use memtide::heap::browse::Browser;
use memtide::lang::{Lang, speak};
use memtide::model::field::{CGROUP_FIELDS, PROCESS_FIELDS};
use memtide::model::histogram::HistogramKind;
use memtide::model::survey::SETTINGS;
use memtide::session::heap::{HeapHandle, HeapNews, HeapWish, News, Progress, Stage as Opening};
use memtide::tui::action::ACTIONS;
use support::face::{Face, options};
use support::heapface::{HeapFace, browser, histogram};
use support::heaps::{HandMade, server};
use support::live::memtide;
use support::machine::Crowd;
use support::pty::Terminal;
use support::recordings::seconds;
use support::replayed::Replayed;
use support::survey;

/// Words that stay as they are: names of the kernel, of the field and of programs, keys, units, and what is typed.
const KEPT: &str = "\
    memtide node redis server nginx postgres worker backup web app root www data cron sshd bash js usr bin sbin lib srv \
    process master leak index express api port logs log tmp var etc run dev shm proc sys mnt cache \
    RAM PSS RSS USS SWAP PSI some full OOM KILL killer kills cgroup slab tmpfs shmem anon sock swap file zram zswap zone \
    esc enter space tab up down left right ctrl home end pageup pagedown shift backspace delete insert start alt \
    pid PID user command group unit container sort filter theme columns mark compare interval none \
    SIGTERM SIGKILL SIGINT SIGHUP SIGSTOP SIGCONT SIGUSR SIGQUIT SIGABRT SIG CONT STOP Ctrl JVM Node Node.js inspector \
    sync sysctl drop caches vm MemAvailable dentry inode kswapd reclaim max high low min memory swapoff swapon \
    Shmem SwapCached VmSwap SwapPss VmHWM VmPTE VmLck RssFile RssShmem SysV System POSIX FUSE BPF GPU hugetlbfs mlock \
    systemd slice service scope docker podman containerd cri fd fds MiB KiB Linux CPU TID THP LCK HUGE PTE heap stack \
    or not of fg shell ETA CAP OOM RLIMIT NOFILE AS TERM SOFT HARD unlimited jcmd GC all Slab meminfo \
    Buffer JavaScript NODE OPTIONS deleted SSD TMPFS ipcrm ramfs alarm pidfd memfd epoll pod session";

/// Names of the processes of the server.
const PROCESSES: &str = "init kthreadd kswapd systemd-journald nginx: master process worker process postgres: \
    checkpointer -bash less /var/log/app.log /usr/bin/node /srv/app/app.js --port php-fpm python";

/// The words of Latin letters in a text.
fn words(text: &str) -> BTreeSet<String> {
    let letters = |c: char| c.is_ascii_alphabetic();
    text.split(|c: char| !letters(c)).filter(|word| word.len() > 2).map(str::to_owned).collect()
}

fn kept() -> BTreeSet<String> {
    let mut kept = words(KEPT);
    kept.extend(PROCESS_FIELDS.iter().flat_map(|field| words(&format!("{} {}", field.title, field.key))));
    kept.extend(CGROUP_FIELDS.iter().flat_map(|field| words(&format!("{} {}", field.title, field.key))));
    kept.extend(SETTINGS.iter().flat_map(|setting| words(setting.key)));
    kept.extend(ACTIONS.iter().flat_map(|spec| words(spec.name)));
    kept
}

/// Compares a view in Chinese with what was accepted, and gives the English words that remain; the names of its
/// processes and files may.
fn check(name: &str, face: &Face, names: &str) -> Vec<String> {
    check_lines(name, &face.lines(), names)
}

/// The same of lines of a screen.
fn check_lines(name: &str, lines: &[String], names: &str) -> Vec<String> {
    for line in lines {
        assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= 80, "{name}: {line}");
    }
    let text = lines.join("\n");
    with_settings!({
        filters => vec![
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "yyyy-mm-dd hh:mm:ss"),
            (r"\d\d:\d\d:\d\d", "hh:mm:ss"),
            (r"(，|▸|>|ETA)(\s*)\d\d:\d\d\b", "${1}${2}hh:mm"),
        ],
        omit_expression => true,
        prepend_module_to_snapshot => false,
    }, { assert_snapshot!(format!("zh_{name}"), text) });
    // A name that has no room is cut.
    let is_known = |word: &String| kept().contains(word) || names.contains(word.as_str()) || PROCESSES.contains(word);
    words(&text).into_iter().filter(|word| !is_known(word)).map(|word| format!("{name}: {word}")).collect()
}

fn face(crowd: Crowd, keys: &str) -> Face {
    let mut face = Face::starting(80, 24, crowd, options(), None);
    face.watch(150);
    face.keys(keys);
    face
}

#[test]
fn the_list_its_menus_and_its_help_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let names = "SIGALRM SIGBUS SIGCHLD SIGFPE SIGILL SIGPIPE SIGSEGV SIGSTKFLT SIGTRAP SIGTSTP release main checkpointer autovacuum prod daemon java Xmx jar sleep dump tar home conf foreground";
    english.extend(check("list", &face(Crowd::Server, ""), names));
    english.extend(check("tree", &face(Crowd::Server, "t K"), "kthreadd kworker ksoftirqd events mm percpu"));
    for (name, keys) in [
        ("help", "F1"),
        ("sort_menu", "s"),
        ("group_menu", "g"),
        ("columns", "C"),
        ("signal_menu", "k"),
        ("drop_menu", "d"),
        ("act_menu", "a"),
        ("palette", ":"),
        ("filter", "/"),
        ("filter_wrong", "/ r s s >"),
        ("search", "F3"),
        ("jump", "J"),
        ("marked", "m"),
        ("mark_menu", "m '"),
        ("tagged", "space space"),
        ("paused", "p"),
        ("past", "["),
    ] {
        english.extend(check(name, &face(Crowd::Server, keys), names));
    }
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn questions_and_what_came_of_them_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    english.extend(check("confirm_signal", &face(Crowd::Server, "k enter"), ""));
    english.extend(check("confirm_drop", &face(Crowd::Server, "d enter"), ""));
    let mut page_out = face(Crowd::Server, "a");
    page_out.type_text("换出").keys("enter");
    english.extend(check("confirm_page_out", &page_out, "CAP_SYS_NICE ptrace perl act"));
    let mut done = face(Crowd::Server, "");
    done.app.outcome(Outcome {
        effect: Effect::DropCaches(DropLevel::PageCache),
        wall_ms: 0,
        took: Duration::from_millis(120),
        stage: Stage::Acted,
        results: vec![Ok("drop_caches 1: 112M more free".into())],
        is_final: true,
        measured: Vec::new(),
        undo: None,
    });
    done.keys("L");
    english.extend(check("log", &done, "more free drop_caches"));
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn leaks_and_their_evidence_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    english.extend(check("leaks", &face(Crowd::Leaks, "V"), ""));
    english.extend(check("leaks_last", &face(Crowd::Leaks, "V end"), ""));
    english.extend(check("leaks_none", &face(Crowd::Nobody, "V"), ""));
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn one_process_is_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let names = "addon linux gnu vdso public index html null old out of memory libc libnode libm libpthread ESTABLISHED LISTEN CLOSE WAIT tcp unix anon inode eventpoll eventfd prod \
                 libuv signal inspector V8Worker node delayed tasks trace work sched so ld locale archive access \
                 client static pool npm config pages images";
    for (name, keys) in
        [("inspect", "enter"), ("mappings", "2"), ("descriptors", "3"), ("threads", "4"), ("runtime", "5")]
    {
        english.extend(check(name, &face(Crowd::Server, keys), names));
    }
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn the_machine_is_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let names = "below struct buffer head kmalloc xfs ext nfs inode radix tree proc filp vda vdb disk swapfile overlay devtmpfs \
                 always madvise never DMA Normal postgres PostgreSQL deleted leftover docker merged";
    for (name, keys) in [
        ("system", "y"),
        ("slab", "y tab"),
        ("shared", "y tab tab"),
        ("swap", "y tab tab tab"),
        ("settings", "y shift-tab"),
    ] {
        let mut face = Face::starting(80, 24, Crowd::Server, options(), None);
        face.survey(survey::typical());
        face.watch(150);
        face.keys(keys);
        english.extend(check(name, &face, names));
    }
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn control_groups_and_who_has_ended_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    english.extend(check("cgroups", &face(Crowd::Server, "c"), "mount orders service journald"));
    let mut ended = face(Crowd::Server, "");
    ended.change_crowd(Crowd::Nobody);
    ended.watch(2);
    ended.keys("E");
    english.extend(check("ended", &ended, ""));
    assert_eq!(english, [""; 0], "English remains");
}

/// What V8 and the program of the snapshots call things.
const HEAP_NAMES: &str = "app heapsnapshot PooledRequest string request Pool Array global Map Session Socket Detached Function \
    VeryLongNameVeryLongNameVeryLongNameVeryLongName mRed compiled code server items login cart title search url state \
    close main pool sessions FILE";

fn heap(made: &[HandMade], keys: &str) -> HeapFace {
    let mut heap = HeapFace::new(80, 24, browser(made));
    heap.keys(keys);
    heap
}

#[test]
fn the_lists_of_a_heap_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let lists = ["classes", "biggest", "dominators", "strings", "closures", "collections", "detached"];
    for (tab, name) in (1..).zip(lists) {
        let heap = heap(&[server(0..100)], &tab.to_string());
        english.extend(check(&format!("heap_{name}"), &heap.face, HEAP_NAMES));
    }
    english.extend(check("heap_sort_menu", &heap(&[server(0..100)], "s").face, HEAP_NAMES));
    let grown: [(&str, &[HandMade], &str); 3] = [
        ("heap_growth", &[0..100, 10..300].map(server), ""),
        ("heap_growth_new", &[0..100, 10..300].map(server), "enter"),
        ("heap_growth_steps", &[0..100, 0..150, 10..300].map(server), ""),
    ];
    for (name, made, keys) in grown {
        english.extend(check(name, &heap(made, keys).face, HEAP_NAMES));
    }
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn an_object_of_a_heap_and_who_holds_it_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let instances = || {
        let mut heap = heap(&[server(0..100)], "/");
        heap.type_text("pooled").keys("enter enter");
        heap
    };
    english.extend(check("heap_instances", &instances().face, HEAP_NAMES));
    for (tab, name) in (1..).zip(["fields", "retainers", "way", "dominated"]) {
        let mut heap = instances();
        heap.keys(&format!("enter {tab}"));
        english.extend(check(&format!("heap_{name}"), &heap.face, HEAP_NAMES));
    }
    let mut nothing = heap(&[server(0..100)], "/");
    nothing.type_text("zzz");
    english.extend(check("heap_nothing", &nothing.face, "zzz heapsnapshot"));
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn histograms_and_the_opening_of_a_heap_are_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    let names = |count: usize| (0..count).map(|nth| (format!("{nth}.json"), 24 << 10)).collect();
    let (jvm, go) = (HistogramKind::JvmClasses, HistogramKind::GoFunctions);
    for (name, browser) in [
        ("heap_histogram", Browser::of_histograms(None, histogram(5000, jvm), names(1))),
        ("heap_histogram_of_go", Browser::of_histograms(None, histogram(5000, go), names(1))),
        ("heap_histogram_growth", Browser::of_histograms(Some(histogram(1000, jvm)), histogram(5000, jvm), names(2))),
    ] {
        english.extend(check(name, &HeapFace::new(80, 24, browser).face, "com app Session java lang String base json"));
    }
    let mut opening = heap(&[server(0..3)], "");
    opening.face.app.open_heap(vec!["/srv/a.heapsnapshot".into(), "/srv/b.heapsnapshot".into()], false);
    let stage = Opening::Read(150 << 20, Some(312 << 20));
    opening.tell(News::Progress(Progress { file: "b.heapsnapshot".into(), nth: 2, of: 2, stage }));
    english.extend(check("heap_opening", &opening.face, HEAP_NAMES));
    english.extend(check("heap_ask_files", &heap(&[server(0..3)], "o").face, HEAP_NAMES));
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn snapshots_that_were_taken_are_offered_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut face = face(Crowd::Server, "enter");
    let update = face.update();
    let key = update.snapshot.rows().map(|row| row.process.key).find(|key| key.pid == 1234).unwrap();
    for nth in 1..=3 {
        let target = Target { key, uid: 1000, user: "app".into(), command: "node app.js".into() };
        let file = format!("/var/tmp/{nth}.heapsnapshot");
        face.keys("esc");
        face.app.outcome(Outcome {
            effect: Effect::HeapSnapshot { target, file, options: Options::default() },
            wall_ms: 1000 * nth,
            took: Duration::from_secs(3),
            stage: Stage::Acted,
            results: vec![Ok(format!("1234: /var/tmp/{nth}.heapsnapshot"))],
            is_final: false,
            measured: Vec::new(),
            undo: None,
        });
    }
    assert_eq!(check("heap_offered", &face, HEAP_NAMES), [""; 0], "English remains");
}

#[test]
fn what_the_thread_of_a_heap_says_is_in_the_language_of_who_asks() {
    let told = |lang| {
        let _speaking = speak(lang);
        let (sender, news) = std::sync::mpsc::channel();
        let tell = std::sync::Arc::new(move |news: HeapNews| drop(sender.send(news.what)));
        let mut handle = HeapHandle::new(tell);
        handle.want(Some(HeapWish { serial: 1, files: vec!["/".into()].into(), is_forced: false, ask: None }));
        news.iter().find_map(|what| if let News::Failed(why) = what { Some(why) } else { None }).unwrap()
    };
    assert_eq!((told(Lang::Chinese), told(Lang::English)), ("/: 这是目录".into(), "/: it is a folder".into()));
}

#[test]
fn a_recording_is_in_chinese() {
    let _chinese = speak(Lang::Chinese);
    let mut english = Vec::new();
    for (name, keys) in [("replay_begin", ""), ("replay_end", "l"), ("replay_goto", "J")] {
        let mut replay = Replayed::new(&seconds(Crowd::Server, 60), (80, 24));
        replay.keys(keys);
        english.extend(check_lines(name, &replay.lines(), ""));
    }
    assert_eq!(english, [""; 0], "English remains");
}

#[test]
fn english_is_spoken_until_something_else_is_asked_for() {
    let face = Face::new(80, 24);
    assert!(face.text().contains("help") && !face.text().contains("帮助"));
}

fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Terminal {
    let command = memtide(arguments.iter().copied());
    let command =
        ["LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"].iter().fold(command, |command, name| command.env(name, ""));
    environment.iter().fold(command, |command, (name, value)| command.env(name, value)).start()
}

#[test]
fn the_program_speaks_the_language_of_the_locale_or_of_its_flag() {
    let chinese = |arguments: &[&str], environment: &[(&str, &str)]| {
        let screen = start(arguments, environment)
            .wait_for("the function bar", |screen| screen.contains("帮助") || screen.contains("help"));
        screen.contains("帮助")
    };
    assert!(chinese(&[], &[("LANG", "zh_CN.UTF-8")]));
    assert!(chinese(&["--lang", "zh-CN"], &[("LANG", "C.UTF-8")]));
    assert!(chinese(&[], &[("LANG", "en_US.UTF-8"), ("LC_ALL", "zh_CN.utf8")]));
    assert!(!chinese(&[], &[("LANG", "en_US.UTF-8")]));
    assert!(!chinese(&["--lang", "en"], &[("LANG", "zh_CN.UTF-8")]));
    assert!(!chinese(&[], &[("LANG", "zh_CN.GBK")]), "what it can't show is not sent");
    assert!(!chinese(&["--ascii", "--lang", "zh-CN"], &[("LANG", "zh_CN.UTF-8")]));
}
