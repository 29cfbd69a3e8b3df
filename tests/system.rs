//! Where every byte is, on the machine that runs the tests: figures agree with slabtop(1), ipcs(1), df(1) and free(1);
//! what is leaked is found; who may not see something is told what would show it; and all of it is on the screen.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use memtide::collect::root::ProcRoot;
use memtide::collect::survey::Surveyor;
use memtide::model::survey::{Attachment, LooseKind, Standing, Survey, SurveyWish};
use serde_json::Value as Json;
use support::face::{Face, options};
use support::live::{BAR, memtide};
use support::machine::Crowd;
use support::programs::{Program, compiler};
use support::require::{has, has_programs};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A file that is removed when it is dropped, whoever has removed it before.
struct ShmFile(PathBuf);

impl ShmFile {
    fn new(name: &str, bytes: usize) -> Self {
        let path = Path::new("/dev/shm").join(format!("memtide-test-{name}-{}", std::process::id()));
        fs::write(&path, vec![1; bytes]).unwrap();
        Self(path)
    }
}

impl Drop for ShmFile {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = fs::remove_file(&self.0);
    }
}

/// A System V segment that outlives its maker and is removed when it is dropped.
struct Segment(u32);

impl Segment {
    /// The segment that a process has made.
    fn of(maker: &Program) -> Self {
        let text = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let made = |line: &&str| line.split_whitespace().nth(4) == Some(maker.pid().to_string().as_str());
        let line = text.lines().find(made).expect("the segment is there");
        Self(line.split_whitespace().nth(1).unwrap().parse().unwrap())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let removed = Command::new("ipcrm").args(["-m", &self.0.to_string()]).output();
        assert!(removed.is_ok_and(|output| output.status.success()) || std::thread::panicking(), "{} stays", self.0);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether there is a tmpfs at `/dev/shm`, a compiler for the children, and what removes segments.
fn can_share() -> bool {
    has(Path::new("/dev/shm").is_dir(), "/dev/shm") && has_programs(&[&compiler(), "ipcrm"])
}

fn survey() -> Survey {
    Surveyor::new(ProcRoot::live()).look_at_all().clone()
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn free(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).arg("free").args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Compares what a program says before and after ours with ours: what it says twice the same, ours must say too.
fn agrees(theirs: impl Fn() -> BTreeMap<String, u64>, ours: impl Fn() -> BTreeMap<String, u64>, least: usize) {
    let mut compared = 0;
    for _ in 0..20 {
        let (before, own, after) = (theirs(), ours(), theirs());
        compared = 0;
        for (name, value) in before.iter().filter(|(name, value)| after.get(*name) == Some(value)) {
            let found = own.get(name);
            // It may have gone and come back meanwhile; that does not happen to many.
            if found.is_none_or(|found| found != value) {
                compared = 0;
                break;
            }
            compared += 1;
        }
        if compared >= least {
            return;
        }
    }
    panic!("only {compared} agree");
}

#[test]
fn slab_by_cache_is_that_of_slabtop() {
    if !has(is_root(), "root, who may read /proc/slabinfo") || !has_programs(&["slabtop"]) {
        return;
    }
    // OBJS ACTIVE USE SIZE SLABS OBJ/SLAB CACHE-SIZE NAME, below a head of seven lines.
    let theirs = || {
        let text = run("slabtop", &["-o", "-s", "c"]);
        let lines = text.lines().skip_while(|line| !line.contains("CACHE SIZE")).skip(1);
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| words.len() >= 8);
        words
            .map(|words| {
                let kib: u64 = words[6].trim_end_matches('K').parse().unwrap();
                (words[7..].join(" "), kib * KIB)
            })
            .collect()
    };
    let ours = || {
        let mut surveyor = Surveyor::new(ProcRoot::live());
        let slab = SurveyWish { slab: true, ..SurveyWish::default() };
        let survey = surveyor.look(slab, 1.0, 0);
        let caches = survey.slab.value().expect("root may read it");
        caches.iter().map(|cache| (cache.name.escaped().into_owned(), cache.bytes)).collect()
    };
    agrees(theirs, ours, 40);
}

#[test]
fn segments_are_those_of_ipcs() {
    if !can_share() || !has_programs(&["ipcs"]) {
        return;
    }
    let makers = [Program::of_segment("system-segment-a", 300), Program::of_segment("system-segment-b", 5000)];
    let segments = makers.each_ref().map(Segment::of);
    // key shmid owner perms bytes nattch status
    let theirs = run("ipcs", &["-m"]);
    let survey = survey();
    let ours = survey.segments.value().unwrap();
    for (segment, (maker, kib)) in segments.iter().zip(makers.iter().zip([300, 5000])) {
        let line = theirs.lines().find(|line| line.split_whitespace().nth(1) == Some(&segment.0.to_string())).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let found = ours.iter().find(|found| found.id == segment.0).unwrap();
        assert_eq!(format!("0x{:08x}", found.key), words[0]);
        assert_eq!(format!("{:o}", found.mode & 0o777), words[3]);
        assert_eq!((found.size.to_string(), found.attached.to_string()), (words[4].to_owned(), words[5].to_owned()));
        assert_eq!((found.size, found.held()), (kib * KIB, kib * KIB));
        assert_eq!(
            (found.creator, found.is_creator_alive, found.standing()),
            (maker.pid(), Some(true), Standing::InUse)
        );
        assert_eq!(found.holders.pids, [maker.pid()], "who has it mapped");
    }
}

#[test]
fn tmpfs_by_mount_is_that_of_df() {
    if !can_share() || !has_programs(&["df"]) {
        return;
    }
    let _file = ShmFile::new("df", 3 << 20);
    let theirs = || {
        let text = run("df", &["-B1", "-t", "tmpfs", "--output=target,used"]);
        let lines = text.lines().skip(1).filter_map(|line| line.rsplit_once(' '));
        lines.map(|(path, used)| (path.trim().to_owned(), used.trim().parse().unwrap())).collect()
    };
    let ours = || {
        let survey = survey();
        let mounts = survey.tmpfs.value().unwrap();
        let known = mounts.iter().filter_map(|mount| Some((mount, mount.usage.value()?)));
        known.map(|(mount, usage)| (mount.path.escaped().into_owned(), usage.used)).collect()
    };
    agrees(theirs, ours, 1);
    let in_shm = ours().get("/dev/shm").copied().unwrap_or_default();
    assert!(in_shm >= 3 * MIB, "{in_shm}");
}

#[test]
fn all_parts_sum_up_to_what_free_and_meminfo_say() {
    let csv = text(&free(&["--format", "csv"]));
    let sizes: BTreeMap<&str, u64> = csv
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(',').map(|(name, bytes)| (name, bytes.parse().unwrap())).unwrap())
        .collect();
    let size = |name: &str| sizes[name];
    let sum: u64 = sizes.iter().filter(|(name, _)| name.starts_with("ram.")).map(|(_, bytes)| bytes).sum();
    assert!(sum >= size("MemTotal"), "{sum}");
    // Beyond it lies only what the kernel counted twice while it was read.
    assert!(sum - size("MemTotal") < size("MemTotal") / 100, "{sum}");
    assert_eq!(
        size("ram.file_clean") + size("ram.file_dirty") + size("ram.buffers") + size("ram.shmem"),
        size("Cached") + size("Buffers")
    );
    assert_eq!(size("ram.slab_reclaimable") + size("ram.slab_unreclaimable"), size("Slab"));
    assert_eq!(size("ram.slab_reclaimable") + size("ram.other_reclaimable"), size("KReclaimable"));
    if has_programs(&["free"]) {
        let text = run("free", &["-b"]);
        let line = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        assert_eq!((line("Mem:"), line("Swap:")), (size("MemTotal"), size("SwapTotal")));
    }
}

#[test]
fn who_has_a_file_of_dev_shm_is_found_by_its_mapping_and_nobody_afterwards() {
    if !can_share() {
        return;
    }
    let (file, other) = (ShmFile::new("mapped", 400 << 10), ShmFile::new("of-nobody", 200 << 10));
    let mut mapper = Program::mapper("system-mapper", &file.0);
    let held = |file: &ShmFile| {
        let survey = survey();
        let files = survey.posix.value().unwrap();
        let found = files.iter().find(|found| found.path.as_bytes() == file.0.to_str().unwrap().as_bytes()).unwrap();
        let nobody = if survey.extent.is_complete() { Attachment::Nobody } else { Attachment::NobodySeen };
        (found.held.clone(), nobody, found.allocated)
    };
    let (attachment, ..) = held(&file);
    assert!(matches!(&attachment, Attachment::Held(holders) if holders.pids == [mapper.pid()]), "{attachment:?}");
    let (attachment, nobody, allocated) = held(&other);
    assert_eq!((attachment, allocated), (nobody, 200 * KIB));
    mapper.end();
    let (attachment, nobody, _) = held(&file);
    assert_eq!(attachment, nobody);
}

#[test]
fn removed_files_are_found_by_who_has_them_open_and_by_who_has_them_mapped() {
    if !can_share() {
        return;
    }
    let name = format!("/dev/shm/memtide-test-deleted-{}", std::process::id());
    let opener = Program::of_deleted("system-deleted", Path::new(&name), 700);
    let file = ShmFile::new("unlinked", 900 << 10);
    let mapper = Program::mapper("system-unlinked", &file.0);
    fs::remove_file(&file.0).unwrap();
    let survey = survey();
    let loose = survey.loose.value().unwrap();
    for (path, kib, holder) in [(name.as_str(), 700, &opener), (file.0.to_str().unwrap(), 900, &mapper)] {
        let found = loose.iter().find(|loose| loose.path.as_bytes() == path.as_bytes());
        let found = found.unwrap_or_else(|| panic!("{path} is not among {loose:?}"));
        assert_eq!((found.kind, found.bytes, found.holders.count), (LooseKind::Deleted, kib * KIB, 1), "{found:?}");
        assert_eq!(found.holders.pids, [holder.pid()]);
        assert!(found.is_of_mount, "it is in the use of /dev/shm: {found:?}");
    }
}

/// A copy of the program that another user may run.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    for path in [folder.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (folder, program)
}

#[test]
fn an_unprivileged_user_is_told_what_would_show_each_missing_part() {
    if !has(is_root(), "root, to run as another user") || !has_programs(&["setpriv"]) {
        return;
    }
    let (_folder, program) = copy();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).args(args);
        text(&command.output().unwrap())
    };
    let shown = as_nobody(&["free", "--full"]);
    let section = |title: &str| shown.split("\n\n").find(|part| part.starts_with(title)).unwrap_or_default().to_owned();
    assert!(section("SLAB BY CACHE").contains("Needs root.\nOf all caches together: "), "{shown}");
    let loose = section("WITHOUT A PATH");
    assert!(loose.contains("could not be seen: it needs the process's own user, root or CAP_SYS_PTRACE"), "{loose}");
    // What needs no right is there.
    assert!(section("SETTINGS").contains("vm.swappiness") && section("TMPFS BY MOUNT").contains("USED"), "{shown}");
    let json: Json = serde_json::from_str(&as_nobody(&["free", "--full", "--format", "json"])).unwrap();
    let survey = &json["survey"];
    assert_eq!((&survey["slab"], &survey["unknown"]["slab"]), (&Json::Null, &"needs root".into()));
    assert!(survey["extent"]["denied"].as_u64().unwrap() > 0, "{}", survey["extent"]);
    let denied = survey["posix"].as_array().is_none_or(|files| files.iter().all(|file| file["standing"] != "leaked"));
    assert!(denied, "what was not seen is not called leaked: {}", survey["posix"]);
}

#[test]
fn json_and_csv_tell_all_that_the_tables_tell() {
    let json: Json = serde_json::from_str(&text(&free(&["--full", "--format", "json"]))).unwrap();
    assert_eq!(json["schema"], "memtide.free/1");
    for part in ["tmpfs", "segments", "posix", "loose", "settings", "zones", "slab"] {
        let is_there = json["survey"][part].is_array() || json["survey"]["unknown"][part].is_string();
        assert!(is_there, "{part}: {}", json["survey"]["unknown"]);
    }
    assert!(json["reclaimable"].as_array().unwrap().iter().any(|part| part["key"] == "clean_cache"));
    let csv = text(&free(&["--full", "--format", "csv"]));
    assert!(
        csv.starts_with("name,bytes\n") && csv.contains("\ntmpfs./") && csv.contains("\nreclaimable.free,"),
        "{csv}"
    );
    assert!(!text(&free(&["--format", "csv"])).contains("\ntmpfs./"), "only where it is asked for");
}

fn tree(name: &str) -> String {
    format!("{}/tests/fixtures/roots/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_old_kernel_tells_what_it_has_and_why_the_rest_is_missing() {
    let shown = text(&free(&["--full", "--root", &tree("amazon-linux-2-4.14")]));
    for line in [
        // 35,248 KiB of 62,464 KiB.
        "34M in 5 caches, 1.4M of it in objects that nobody uses. Slab of /proc/meminfo is 61M: 27M beside",
        "/dev/shm tmpfs",
        "it is not recorded",
        "Found: - in mounts, 716K in System V segments",
        "There is no /dev/shm.",
        "2 segments with 720K. 1 is leaked, 336K: nobody is attached",
        "made by node[3344], goes with the last attachment",
        "file cache is given up sooner",
        "dentries and inodes are kept longer than contents of files",
        "without effect: vm.dirty_bytes is set",
        "kswapd wakes below 55M free and works up to 66M",
        "vm.watermark_boost_factor          - this kernel does not report it",
        "below low: kswapd reclaims",
        "zswap: not told by this kernel (Linux 5.19)",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let older = text(&free(&["--full", "--root", &tree("centos-7-3.10")]));
    assert!(older.contains("This kernel has no /proc/slabinfo"), "{older}");
    assert!(older.contains("Needs a kernel with System V IPC"), "{older}");
    assert!(!older.contains("vmalloc"), "3.10 counts address space there: {older}");
}

#[test]
fn keys_and_clicks_lead_through_the_sections_and_back() {
    let mut face = Face::starting(100, 30, Crowd::Server, options(), None);
    face.watch(60);
    face.keys("y");
    assert!(face.text().contains("RAM, part by part"), "{}", face.text());
    for (keys, title) in [
        ("tab", "Slab by cache"),
        ("right", "Shared memory and tmpfs"),
        ("tab", "Swap by process"),
        ("tab", " Settings\n Not read yet."),
        ("tab", "RAM, part by part"),
        ("shift-tab", " Settings\n Not read yet."),
        ("left left", "Shared memory and tmpfs"),
    ] {
        face.keys(keys);
        assert!(face.text().contains(title), "after {keys}: {}", face.text());
    }
    let row = face.lines().iter().position(|line| line.contains("Overview  Slab")).unwrap();
    let column = face.lines()[row].find("Swap").unwrap();
    face.click(column as u16, row as u16, std::time::Duration::from_millis(100));
    assert!(face.text().contains("Swap by process"), "{}", face.text());
    // A section stays where it was scrolled to; the list comes back with esc or with the key itself.
    face.keys("tab tab pagedown");
    let scrolled = face.text();
    assert!(!scrolled.contains("RAM, part by part"), "{scrolled}");
    face.keys("tab shift-tab");
    assert_eq!(face.text(), scrolled);
    face.keys("home");
    assert!(face.text().contains("RAM, part by part"), "{}", face.text());
    for back in ["esc", "y y", "y y"] {
        face.keys(back);
    }
    assert!(face.text().contains("COMMAND"), "{}", face.text());
}

#[test]
fn what_is_dear_is_asked_for_only_while_it_is_shown() {
    let mut face = Face::starting(100, 30, Crowd::Server, options(), None);
    face.watch(5);
    assert_eq!(face.app.request().system, None);
    let mut wish = |keys: &str| face.keys(keys).app.request().system.unwrap().survey;
    assert_eq!(wish("y"), SurveyWish::default(), "all of the overview is in the samples");
    assert_eq!(wish("tab"), SurveyWish { slab: true, ..SurveyWish::default() });
    assert_eq!(wish("tab"), SurveyWish { shared: true, holders: true, ..SurveyWish::default() });
    assert_eq!(wish("tab tab"), SurveyWish { settings: true, ..SurveyWish::default() });
    face.keys("esc");
    assert_eq!(face.app.request().system, None);
    // Where there is room the overview shows more.
    face.resize(200, 60);
    face.keys("y tab");
    let survey = face.app.request().system.unwrap().survey;
    assert_eq!(survey, SurveyWish { slab: true, shared: true, ..SurveyWish::default() });
}

/// Names of a process's threads.
fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks.filter_map(|task| Some(fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned())).collect()
}

#[test]
fn what_is_leaked_on_this_machine_stands_on_the_screen() {
    if !can_share() {
        return;
    }
    let mut maker = Program::of_segment("system-leaker", 3000);
    let pid = maker.pid();
    let segment = Segment::of(&maker);
    maker.end();
    let file = ShmFile::new("left", 2 << 20);
    let name = format!("/dev/shm/memtide-test-gone-{}", std::process::id());
    let opener = Program::of_deleted("system-opener", Path::new(&name), 1500);
    let terminal = memtide::<&str>([]).size(200, 100).start();
    terminal.wait_for_text(BAR);
    assert!(!threads(terminal.pid()).contains(&"survey".to_owned()), "nothing is surveyed unasked");
    terminal.press("y");
    terminal.wait_for_text("RAM, part by part");
    terminal.keys("Tab Tab");
    let standing = |screen: &support::screen::Screen, line: &str, words: &[&str]| {
        screen.line_with(line).is_some_and(|line| words.iter().all(|word| line.contains(word)))
    };
    let gone = format!("made by {pid}, which is gone");
    terminal
        .wait_for("the leaked segment", |screen| standing(screen, &gone, &["2.9M", "leaked", &segment.0.to_string()]));
    let left = file.0.to_str().unwrap().to_owned();
    terminal.wait_for("the file of nobody", |screen| {
        let who = ["nobody has it", "2.0M"];
        // Whether it is called leaked depends on whether all processes can be seen here.
        standing(screen, &left, &who) && (standing(screen, &left, &["leaked"]) || standing(screen, &left, &["idle"]))
    });
    let holder = format!("child[{}]", opener.pid());
    terminal.wait_for("the removed file", |screen| standing(screen, &name, &["deleted file", "1.5M", &holder]));
    assert!(threads(terminal.pid()).contains(&"survey".to_owned()));
    // It goes as its causes go.
    drop((segment, file, opener));
    terminal.wait_until_gone(&gone);
    terminal.wait_until_gone(&left);
    terminal.wait_until_gone(&name);
}
