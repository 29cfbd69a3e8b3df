//! Control groups as they are read: recorded trees to the byte, and the groups of the machine the tests run on.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::census::Census;
use memtide::model::cgroup::CgroupVersion;
use memtide::model::cgroup_tree::{CgroupNode, CgroupTree};
use memtide::model::judgement::Analysis;
use memtide::model::reading::{Feature, Need, Reading};
use memtide::model::sample::Sample;
use memtide::model::snapshot::Snapshot;
use memtide::session::source::{FixtureSource, Source as _};
use support::live::memtide;
use support::programs::Program;
use support::require;

const MIB: u64 = 1 << 20;

fn demand() -> Demand {
    Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 5, cgroups: true, budget: 1.0 }
}

/// The tree of a recorded machine.
fn recorded(folder: &Path) -> (Sample, Arc<CgroupTree>) {
    let sample = FixtureSource::open(folder).next(&demand(), Duration::from_secs(1)).unwrap();
    let tree = sample.system.cgroups.clone().unwrap();
    (sample, tree)
}

fn scenario(name: &str) -> (Sample, Arc<CgroupTree>) {
    recorded(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roots").join(name))
}

fn paths(tree: &CgroupTree) -> Vec<String> {
    tree.nodes.iter().map(|node| node.path.escaped().into_owned()).collect()
}

fn node<'a>(tree: &'a CgroupTree, path: &str) -> &'a CgroupNode {
    tree.nodes.iter().find(|node| node.path.escaped() == path).unwrap_or_else(|| panic!("{path}: {:?}", paths(tree)))
}

/// The limit that binds a group, in MiB, and who sets it.
fn binding(tree: &CgroupTree, path: &str) -> Option<(u64, String)> {
    let place = tree.nodes.iter().position(|node| node.path.escaped() == path).unwrap();
    let (setter, limit) = tree.binding(&tree.parents(), place)?;
    Some((limit / MIB, tree.nodes[setter].path.escaped().into_owned()))
}

#[test]
fn the_session_of_a_user_on_v2_of_kernel_6_1() {
    let (sample, tree) = scenario("hidepid-6.1");
    let (slice, session) = ("/user.slice/user-1000.slice", "/user.slice/user-1000.slice/session-1.scope");
    assert_eq!(
        (tree.version, paths(&tree)),
        (CgroupVersion::V2, ["/", "/user.slice", slice, session].map(String::from).into())
    );
    let group = node(&tree, session);
    assert_eq!((group.usage, group.peak), (Reading::Value(100 * MIB), Reading::Value(120 * MIB)));
    assert_eq!((group.stat.anon, group.stat.kernel), (Reading::Value(50 * MIB), Reading::Value(6 * MIB)));
    assert_eq!((group.limits.max, group.limits.high), (Reading::Value(None), Reading::Value(None)));
    assert!(group.pressure.value().is_some_and(|pressure| pressure.some.total_us == 1_234_567));
    assert_eq!(node(&tree, slice).events.max, Reading::Value(3));
    assert_eq!(node(&tree, slice).peak, Reading::Unsupported(Need::Kernel(5, 19)), "the tree has no such file there");
    assert_eq!(node(&tree, "/").usage, Reading::Unsupported(Need::NotApplicable));
    let users = node(&tree, slice).label(|uid| sample.host.user(uid));
    assert!(users.starts_with("user-1000.slice ("), "{users}");
}

#[test]
fn nested_limits_on_v1_of_kernel_5_10() {
    let (sample, tree) = scenario("amazon-linux-2-5.10");
    let session = "/user.slice/user-1000.slice/session-5.scope";
    assert_eq!((tree.version, tree.nodes.len()), (CgroupVersion::V1, 4));
    assert_eq!(binding(&tree, session), Some((1024, "/user.slice".into())), "the inner 2 GiB bind nobody");
    assert_eq!(binding(&tree, "/"), None);
    assert_eq!(node(&tree, session).usage, Reading::Value(180 * MIB));
    assert_eq!(node(&tree, "/user.slice").swap, Reading::Value(5 * MIB), "memsw counts both");
    assert_eq!(node(&tree, "/").pressure, Reading::Unsupported(Need::Feature(Feature::Unified)));
    let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
    let census = Census::take(&tree, &snapshot);
    let counted: Vec<(String, u32)> =
        census.crowds.iter().zip(paths(&tree)).map(|(crowd, path)| (path, crowd.processes)).collect();
    let inside = snapshot.rows().filter(|row| row.process.identity.cgroup.memory.escaped() == session).count();
    assert!(
        inside > 0 && counted.iter().any(|(path, count)| path == session && *count == inside as u32),
        "{counted:?}"
    );
}

#[test]
fn a_container_sees_itself_as_the_root_in_both_versions() {
    let (sample, docker) = scenario("docker-cgroup-v1");
    let root = node(&docker, "/");
    assert_eq!((docker.version, root.usage), (CgroupVersion::V1, Reading::Value(200 * MIB)));
    assert_eq!(binding(&docker, "/"), Some((256, "/".into())));
    assert_eq!((root.events.max, root.events.oom_kill), (Reading::Value(41), Reading::Value(7)));
    assert_eq!((root.stat.anon, root.stat.shmem), (Reading::Value(100 * MIB), Reading::Value(4 * MIB)));
    assert_eq!((root.stat.kernel, root.peak), (Reading::Value(12 * MIB), Reading::Value(220 * MIB)));
    // Its processes' paths are the host's: they count for what is seen.
    let count = sample.processes.len() as u32;
    let census = Census::take(&docker, &Snapshot::derive(None, Arc::new(sample), Analysis::default()));
    assert_eq!(census.crowds[0].processes, count);

    let (_, pod) = scenario("kubernetes-cgroup-v2");
    let root = node(&pod, "/");
    assert_eq!(
        (pod.version, root.usage, root.peak),
        (CgroupVersion::V2, Reading::Value(470 * MIB), Reading::Value(500 * MIB))
    );
    assert_eq!((root.limits.max, root.limits.min), (Reading::Value(Some(512 * MIB)), Reading::Value(Some(128 * MIB))));
    assert_eq!((root.limits.swap_max, root.events.oom), (Reading::Value(Some(0)), Reading::Value(2)));
    assert_eq!((root.stat.slab, root.stat.page_tables), (Reading::Value(18 * MIB), Reading::Value(2 * MIB)));
    assert!(root.pressure.value().is_some_and(|pressure| (pressure.full.avg10 - 1.75).abs() < 1e-6));
}

/// Files of a machine in a folder.
fn write(folder: &Path, files: &[(String, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const ID: &str = "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f";

/// What procfs needs for a sample: no process but the first.
fn bare_machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("proc/meminfo".into(), "MemTotal: 2048000 kB\nMemFree: 1000000 kB\nMemAvailable: 1500000 kB\n"),
            ("proc/vmstat".into(), "pswpin 0\n"),
            ("proc/uptime".into(), "1000.00 1000.00\n"),
            ("proc/stat".into(), "btime 1700000000\n"),
            ("proc/self/cgroup".into(), "0::/\n"),
        ],
    );
    folder
}

#[test]
fn pods_and_containers_of_a_node_are_named_without_a_daemon() {
    let folder = bare_machine();
    let uid = "8f4e6f6a-1111-4222-8333-123456789abc";
    let pod = format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice", uid.replace('-', "_"));
    let container = format!("{pod}/cri-containerd-{ID}.scope");
    let docker = format!("system.slice/docker-{}.scope", "0123456789abcdef".repeat(4));
    write(
        folder.path(),
        &[
            ("cgroup/cgroup.controllers".into(), "memory\n"),
            (format!("cgroup/{pod}/memory.current"), "1000\n"),
            (format!("cgroup/{container}/memory.current"), "900\n"),
            (format!("cgroup/{docker}/memory.current"), "500\n"),
            ("cgroup/lxc.payload.web/memory.current".into(), "400\n"),
            (format!("var/log/pods/prod_web-7d9_{uid}/nginx/0.log"), ""),
            (
                format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
                r#"{"annotations": {"io.kubernetes.cri.container-name": "nginx", "io.kubernetes.cri.sandbox-name": "web-7d9"}}"#,
            ),
            (
                format!("var/lib/docker/containers/{}/config.v2.json", "0123456789abcdef".repeat(4)),
                r#"{"Name": "/orders-db"}"#,
            ),
        ],
    );
    let (_, tree) = recorded(folder.path());
    let label = |path: &str| node(&tree, &format!("/{path}")).label(|uid| uid.to_string().into());
    assert_eq!(label(&pod), "prod/web-7d9 (pod:8f4e6f6a)");
    assert_eq!(label(&container), "nginx in web-7d9 (containerd:4f4f4f4f4f4f)");
    assert_eq!(label(&docker), "orders-db (docker:0123456789ab)");
    assert_eq!(label("lxc.payload.web"), "web (lxc:web)");
    assert_eq!(label("kubepods.slice"), "kubepods.slice");
}

/// A group of the machine the tests run on, removed when it is dropped.
struct Group {
    folder: PathBuf,
    path: String,
    version: CgroupVersion,
}

impl Group {
    /// A new group with a limit in MiB; `None` where this machine lets nobody make one, which is said.
    fn limited(name: &str, mib: u64) -> Option<Self> {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let is_v1 = v1.join("memory.limit_in_bytes").exists();
        let (mount, version) =
            if is_v1 { (v1, CgroupVersion::V1) } else { (Path::new("/sys/fs/cgroup"), CgroupVersion::V2) };
        let path = format!("/memtide-{name}-{}", std::process::id());
        let group = Self { folder: mount.join(&path[1..]), path, version };
        let limit = if is_v1 { "memory.limit_in_bytes" } else { "memory.max" };
        let made =
            fs::create_dir(&group.folder).and_then(|()| fs::write(group.folder.join(limit), (mib * MIB).to_string()));
        match made {
            Ok(()) => Some(group),
            Err(error) => {
                let test = std::thread::current().name().unwrap_or("a test").to_owned();
                let why = format!("skipped: {test} needs a control group of its own: {error}\n");
                // Straight to the file: what a passing test prints is not shown.
                let _ = std::io::stderr().write_all(why.as_bytes());
                None
            }
        }
    }

    fn add(&self, pid: u32) {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    fn number(&self, v2: &str, v1: &str) -> u64 {
        let name = if self.version == CgroupVersion::V2 { v2 } else { v1 };
        fs::read_to_string(self.folder.join(name)).unwrap().trim().parse().unwrap()
    }

    fn stat(&self, v2: &str, v1: &str) -> u64 {
        let name = if self.version == CgroupVersion::V2 { v2 } else { v1 };
        let text = fs::read_to_string(self.folder.join("memory.stat")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group goes once the last of its processes has: the kernel takes a moment for it.
        let since = std::time::Instant::now();
        while fs::remove_dir(&self.folder).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
            && since.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Samples the machine until its tree satisfies a condition.
fn live(what: &str, collector: &mut Collector, mut condition: impl FnMut(&Sample, &CgroupTree) -> bool) -> Sample {
    let since = std::time::Instant::now();
    loop {
        let sample = collector.sample(&demand(), Duration::from_secs(1)).unwrap();
        let tree = sample.system.cgroups.clone().unwrap();
        if condition(&sample, &tree) {
            return sample;
        }
        assert!(since.elapsed() < Duration::from_mins(1), "waited in vain for {what}: {:?}", paths(&tree));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_real_group_with_a_limit_reads_as_its_own_files_say_and_vanishes_with_them() {
    let Some(group) = Group::limited("live", 256) else { return };
    let mut holder = Program::sleeper_in("cgroup-live", &group.folder);
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let find = |tree: &CgroupTree| tree.nodes.iter().find(|node| node.path.escaped() == group.path).cloned();
    let pid = holder.pid();
    // What is sampled and what is read beside it agree once nothing moves any more.
    let sample = live("the group and its process", &mut collector, |sample, tree| {
        let process = sample.processes.iter().find(|process| process.key.pid == pid);
        let is_there = process.is_some_and(|process| process.identity.cgroup.memory.escaped() == group.path);
        let agrees = |node: Arc<CgroupNode>| {
            node.usage.value() == Some(group.number("memory.current", "memory.usage_in_bytes"))
                && node.stat.anon.value() == Some(group.stat("anon ", "total_rss "))
                && node.stat.file.value() == Some(group.stat("file ", "total_cache "))
        };
        is_there && find(tree).is_some_and(agrees)
    });
    let tree = sample.system.cgroups.clone().unwrap();
    let node = find(&tree).unwrap();
    assert_eq!(node.limits.max, Reading::Value(Some(256 * MIB)));
    assert!(node.stat.anon.value().is_some_and(|bytes| bytes > 0), "{node:?}");
    assert_eq!(binding(&tree, &group.path).map(|(limit, _)| limit), Some(256));
    let census = Census::take(&tree, &Snapshot::derive(None, Arc::new(sample), Analysis::default()));
    let place = tree.nodes.iter().position(|node| node.path.escaped() == group.path).unwrap();
    assert_eq!((census.crowds[place].processes, census.crowds[place].own), (1, 1));
    assert!(census.crowds[place].pss.known > 0.0);

    let inner = group.folder.join("inner");
    fs::create_dir(&inner).unwrap();
    let inner_path = format!("{}/inner", group.path);
    live("the inner group", &mut collector, |_, tree| paths(tree).contains(&inner_path));
    fs::remove_dir(&inner).unwrap();
    live("the inner group gone", &mut collector, |_, tree| !paths(tree).contains(&inner_path));
    holder.end();
}

#[test]
fn the_view_opens_on_this_machine_finds_a_group_and_leads_to_its_process() {
    let Some(group) = Group::limited("view", 200) else { return };
    let holder = Program::holder("cgroup-view", 8 << 10);
    group.add(holder.pid());
    let terminal = memtide(["--interval", "500ms"]).size(160, 30).start();
    terminal.wait_for_text("F1 help");
    terminal.press("c");
    terminal.wait_for_text("CGROUP");
    terminal.press("/");
    terminal.wait_for_text("filter:");
    terminal.type_text(&group.path[1..]);
    terminal.press("Enter");
    terminal.wait_for("only the group", |screen| {
        screen.line_with(&group.path[1..]).is_some_and(|line| line.contains("200M"))
    });
    terminal.press("End");
    terminal.wait_for_text("limit 200M its own");
    terminal.press("Enter");
    terminal.wait_for("its process", |screen| {
        screen.body().first().and_then(|line| line.split_whitespace().next()) == Some(&holder.pid().to_string())
    });
}

/// memtide as nobody, where nobody can run it.
fn as_nobody(folder: &Path, args: &[&str]) -> support::pty::Terminal {
    let program = folder.join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    for path in [folder, &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    support::pty::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args([program.to_str().unwrap()])
        .args(args)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .size(160, 30)
        .start()
}

fn can_be_nobody() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    require::has(is_root, "root, to run as another user") && require::has_programs(&["setpriv"])
}

#[test]
fn without_rights_the_groups_of_the_machine_are_seen_all_the_same() {
    if !can_be_nobody() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let terminal = as_nobody(folder.path(), &[]);
    terminal.wait_for_text("F1 help");
    terminal.press("c");
    let screen = terminal.wait_for("the root and what it is made of", |screen| {
        screen.lines().iter().any(|line| line.ends_with(" /")) && screen.contains(" usage")
    });
    assert!(!screen.contains("STOPPED"), "{}", screen.framed());
}

#[test]
fn a_name_that_only_root_may_read_is_missing_with_its_reason() {
    if !can_be_nobody() {
        return;
    }
    let folder = bare_machine();
    write(
        folder.path(),
        &[
            (format!("cgroup/docker-{ID}.scope/memory.current"), "500\n"),
            (format!("var/lib/docker/containers/{ID}/config.v2.json"), r#"{"Name": "/orders-db"}"#),
        ],
    );
    let docker = folder.path().join("var/lib/docker");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o700)).unwrap();
    let terminal = as_nobody(folder.path(), &["--root", folder.path().to_str().unwrap()]);
    terminal.wait_for_text("F1 help");
    terminal.press("c");
    terminal.wait_for_text("docker:4f4f4f4f4f4f");
    terminal.press("End");
    terminal.wait_for_text("name: needs root");
    assert!(!terminal.screen().contains("orders-db"));
}
