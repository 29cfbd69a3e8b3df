//! Files as the view opens them: on a thread that tells how far it is, answers, and ends when nobody wants it.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use memtide::export::histogram;
use memtide::heap::browse::{By, Kind, Question, Sort};
use memtide::model::histogram::{Histogram, HistogramKind, HistogramRow};
use memtide::session::heap::{Ask, HeapHandle, HeapNews, HeapWish, News, Stage};
use support::heaps::server;

fn wish(serial: u64, files: &[PathBuf]) -> HeapWish {
    HeapWish { serial, files: files.into(), is_forced: false, ask: None }
}

fn handle() -> (HeapHandle, Receiver<HeapNews>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    (HeapHandle::new(Arc::new(move |news| drop(tell.lock().unwrap().send(news)))), told)
}

/// What comes of opening files: what was opened, or why not.
fn open(files: &[PathBuf]) -> Result<Kind, String> {
    let (mut handle, told) = handle();
    handle.want(Some(wish(1, files)));
    told.iter()
        .find_map(|news| match news.what {
            News::Opened(opened) => Some(Ok(opened.kind)),
            News::Failed(why) => Some(Err(why)),
            _ => None,
        })
        .unwrap()
}

fn histogram_of(kind: HistogramKind) -> Histogram {
    let row = HistogramRow { name: "Session".into(), place: "app".into(), count: 3, bytes: 72, cumulative: 72 };
    Histogram { kind, source: "7".into(), pid: Some(7), time_ms: None, rows: vec![row] }
}

#[test]
fn files_of_every_kind_are_opened_by_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let snapshot = server(0..20).json();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(snapshot.as_bytes()).unwrap();
    let plain = file("a.heapsnapshot", snapshot.as_bytes());
    let packed = file("a.heapsnapshot.gz", &packed.finish().unwrap());
    let json = |kind| histogram::json(&histogram_of(kind), None).to_string().into_bytes();
    let jvm = file("jvm.json", &json(HistogramKind::JvmClasses));
    let go = file("go.json", &json(HistogramKind::GoFunctions));
    let text =
        " num     #instances         #bytes  class name (module)\n   1:    15024    1053872  [B (java.base@17.0.15)\n";
    let printed = file("printed.txt", text.as_bytes());
    let one = |path: &PathBuf| open(std::slice::from_ref(path));
    assert_eq!(one(&plain), Ok(Kind::Heap));
    assert_eq!(one(&packed), Ok(Kind::Heap));
    assert_eq!(one(&jvm), Ok(Kind::Histogram(HistogramKind::JvmClasses)));
    assert_eq!(one(&printed), Ok(Kind::Histogram(HistogramKind::JvmClasses)));
    assert_eq!(one(&go), Ok(Kind::Histogram(HistogramKind::GoFunctions)));
    assert!(matches!(open(&[plain.clone(), packed]), Ok(Kind::Growth(_))));
    let both = open(&[jvm.clone(), printed]);
    assert_eq!(both, Ok(Kind::HistogramGrowth(HistogramKind::JvmClasses)));
    assert!(open(&[jvm.clone(), go]).unwrap_err().contains("can't be compared"));
    assert!(open(&[plain, jvm]).unwrap_err().contains("of one kind"));
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    assert!(one(&fifo).unwrap_err().contains("no regular file"));
}

#[test]
fn questions_are_answered_and_each_news_names_its_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.heapsnapshot");
    fs::write(&path, server(0..20).json()).unwrap();
    let (mut handle, told) = handle();
    let opening = wish(7, &[path]);
    handle.want(Some(opening.clone()));
    assert!(told.iter().any(|news| news.serial == 7 && matches!(news.what, News::Opened(_))));
    let sort = Sort { by: By::Count, is_descending: true };
    let ask = Ask { question: Question::Classes("pooled".into()), sort, page: (0, 9), aside: None };
    let asking = HeapWish { ask: Some(ask), ..opening };
    handle.want(Some(asking.clone()));
    // The same again is not asked again.
    handle.want(Some(asking));
    let page = told.iter().find_map(|news| if let News::Page(page) = news.what { Some(page) } else { None }).unwrap();
    assert_eq!((page.of, page.lines[0].count, page.lines[0].name.as_str()), (1, 20, "PooledRequest"));
    drop(handle);
    assert_eq!(told.iter().count(), 0, "it has ended, and told nothing more");
}

#[test]
fn an_opening_that_is_stopped_tells_nothing_more_and_the_next_one_waits_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.heapsnapshot");
    fs::write(&path, server(0..20_000).json()).unwrap();
    let (tell, told) = channel();
    let (go_on, held): (Sender<()>, Receiver<()>) = channel();
    let shared = Mutex::new((tell, held));
    let tell = move |news: HeapNews| {
        let shared = shared.lock().unwrap();
        let is_first = news.serial == 1 && matches!(&news.what, News::Progress(at) if at.stage == Stage::Read(0, None));
        shared.0.send(news).unwrap();
        if is_first {
            // It stands in the middle until the test has stopped it.
            shared.1.recv().unwrap();
        }
    };
    let mut handle = HeapHandle::new(Arc::new(tell));
    handle.want(Some(wish(1, std::slice::from_ref(&path))));
    assert_eq!(told.recv().unwrap().serial, 1);
    handle.want(Some(wish(2, &[path])));
    go_on.send(()).unwrap();
    let next = told.recv().unwrap();
    assert!(next.serial == 2 && matches!(next.what, News::Progress(at) if at.stage == Stage::Waiting));
    assert!(told.iter().inspect(|news| assert_eq!(news.serial, 2)).any(|news| matches!(news.what, News::Opened(_))));
    handle.want(None);
    drop(handle);
    assert_eq!(told.iter().count(), 0);
}

#[test]
fn what_memory_cannot_carry_is_refused_before_it_is_read() {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    let available: u64 = available.trim().trim_end_matches(" kB").parse().unwrap();
    if available > 50 << 20 {
        eprintln!("not tested: more than 50G of memory is free here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.heapsnapshot");
    // As many nodes and edges as can be, in a file that is long enough for them and takes no room.
    let whole = server(0..1).json_with(500_000_000, 4_000_000_000);
    let header = &whole[..whole.find("\"nodes\":[").unwrap() + 9];
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(60 << 30).unwrap();
    let why = open(&[path]).unwrap_err();
    assert!(why.contains("huge.heapsnapshot: it needs about ") && why.contains("is available here"), "{why}");
}

#[test]
fn without_a_terminal_the_commands_that_print_are_named() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_memtide")).args(["heap", "view", "x"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("memtide heap show"), "{told}");
}
