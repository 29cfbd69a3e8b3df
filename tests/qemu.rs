//! memtide on another kernel: Debian's 6.1 in a machine of its own, which counts descriptors entry by entry, has
//! cgroup v2 with the memory controller, and swap that is in use.
//!
//! The guest prints what its kernel says and what memtide says (`tests/qemu/init.sh`); both are compared here.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use support::guest::{Kernel, Machine, Root};
use support::programs::child_program;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the guest has: this memtide with the libraries it is linked to, and the children.
fn root(kernel: &Kernel) -> Root {
    let root = Root::with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu/init.sh"));
    root.copy(child_program(), "child");
    root.copy_program(Path::new(env!("CARGO_BIN_EXE_memtide")), "memtide");
    root.copy_modules(kernel, &["mm/zsmalloc", "crypto/lzo-rle", "drivers/block/zram/zram"]);
    root.write("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
    root.write("etc/group", "root:x:0:\nnogroup:x:65534:\n");
    root
}

/// Boots it and gives all that came over the serial console.
fn boot(kernel: &Kernel) -> String {
    let root = root(kernel);
    let mut command = kernel.boot(&root, 512, &["-nic", "none"]);
    let mut machine = Machine(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut text = Vec::new();
    machine.0.stdout.take().unwrap().read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).replace('\r', "")
}

/// What the guest printed, by the name of the part.
struct Parts(BTreeMap<String, String>);

impl Parts {
    fn of(text: &str) -> Self {
        let parts = text.split("\n== ").skip(1).filter_map(|part| part.split_once('\n'));
        Self(parts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no part `{name}`: {:#?}", self.0))
    }

    /// What a run of memtide printed.
    fn json(&self, name: &str) -> Value {
        assert_eq!(self.get(&format!("{name} status")).trim(), "0", "{}", self.get(&format!("{name} errors")));
        serde_json::from_str(self.get(name)).unwrap_or_else(|error| panic!("{error}: {}", self.get(name)))
    }

    /// A value of a file of `Name:  12 kB` lines, in bytes.
    fn bytes(&self, part: &str, name: &str) -> u64 {
        let line = self.get(part).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let value = line.unwrap_or_else(|| panic!("{part} has no {name}: {}", self.get(part)));
        value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * KIB
    }
}

#[test]
fn on_debians_6_1_every_figure_is_the_kernels() {
    let Some(kernel) = Kernel::installed() else { return };
    let text = boot(&kernel);

    let parts = Parts::of(&text);
    assert!(parts.0.contains_key("end"), "{text}");

    let children: BTreeMap<&str, u64> = parts
        .get("children")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, pid)| (name, pid.parse().unwrap_or_else(|_| panic!("{text}"))))
        .collect();
    assert_eq!(children.len(), 4, "{text}");
    let ps = parts.json("ps");
    let process = |pid: u64| ps["processes"].as_array().unwrap().iter().find(|process| process["pid"] == pid).unwrap();
    for (name, pid) in &children {
        agrees(&parts, *pid, process(*pid), name);
    }
    what_they_were_told_to_have(&children, &process);
    kernel_threads_have_nothing(&ps);
    the_machine_agrees(&parts);
    another_user_is_denied(&parts, &children);
    changes_are_the_kernels(&parts);
}

/// Stopped, it has the same figures before and after, and those are memtide's.
fn agrees(parts: &Parts, pid: u64, process: &Value, name: &str) {
    let [before, after] = ["before", "after"].map(|when| format!("{when} rollup {pid}"));
    assert_eq!(parts.get(&before), parts.get(&after), "{name} was to stand still");
    let bytes = |lines: &[&str]| lines.iter().map(|line| parts.bytes(&before, line)).sum::<u64>();
    for (field, lines) in [
        ("pss", &["Pss"][..]),
        ("uss", &["Private_Clean", "Private_Dirty", "Private_Hugetlb"]),
        ("swap_pss", &["SwapPss"]),
        ("pss_anon", &["Pss_Anon"]),
        ("pss_shmem", &["Pss_Shmem"]),
    ] {
        assert_eq!(process[field].as_u64(), Some(bytes(lines)), "{name}: {field}: {process}");
    }
    // Before Linux 6.2 statm lacks what the last 64 faults of each thread brought, up to 16 pages each.
    let (rss, threads) = (process["rss"].as_u64().unwrap(), process["threads"].as_u64().unwrap());
    assert!(rss.abs_diff(bytes(&["Rss"])) <= threads * 64 * 16 * 4096, "{name}: {process}");
    let fds = parts.get(&format!("before fds {pid}")).trim().parse::<u64>().unwrap();
    assert_eq!(process["fds"].as_u64(), Some(fds), "{name}: {process}");
    assert_eq!(process["state"], "T", "{name}: {process}");
}

fn what_they_were_told_to_have<'a>(children: &BTreeMap<&str, u64>, process: &dyn Fn(u64) -> &'a Value) {
    let [holder, sharer, opener, threaded] =
        ["holder", "sharer", "opener", "threaded"].map(|name| process(children[name]));
    let number = |process: &Value, field: &str| process[field].as_u64().unwrap();
    // 40 MiB in a group of 24 MiB: the rest is in swap, and nobody else's.
    assert!(number(holder, "swap_pss") >= 16 * MIB, "{holder}");
    // VmSwap is counted as late as RSS.
    assert!(number(holder, "swap").abs_diff(number(holder, "swap_pss")) <= 64 * 4096, "{holder}");
    assert!(number(holder, "pss") + number(holder, "swap_pss") >= 40 * MIB, "{holder}");
    assert_eq!(number(opener, "fds"), number(threaded, "fds") + 50);
    assert_eq!((number(threaded, "threads"), number(opener, "threads")), (3, 1));
    assert_eq!((&holder["cgroup"], &opener["cgroup"]), (&"/app".into(), &"/own".into()));
    // Shared memory in swap is no VmSwap, and half of it is the other's.
    let half = number(sharer, "pss_shmem") + number(sharer, "swap_pss");
    assert!((4 * MIB..=4 * MIB + 256 * KIB).contains(&half), "{sharer}");
}

fn kernel_threads_have_nothing(ps: &Value) {
    let kthreadd = ps["processes"].as_array().unwrap().iter().find(|process| process["name"] == "kthreadd").unwrap();
    assert_eq!((&kthreadd["rss"], &kthreadd["fds"]), (&0.into(), &0.into()), "{kthreadd}");
    assert!(kthreadd["pss"].is_null(), "{kthreadd}");
    assert_eq!(kthreadd["unknown"]["pss"], "does not apply here");
}

fn the_machine_agrees(parts: &Parts) {
    let free = parts.json("free");
    let system = |key: &str| free["system"][key].as_u64().unwrap();
    for (key, line) in [("mem_total", "MemTotal"), ("swap_total", "SwapTotal")] {
        assert_eq!(system(key), parts.bytes("before meminfo", line), "{key}");
    }
    let used = parts.bytes("before meminfo", "SwapTotal") - parts.bytes("before meminfo", "SwapFree");
    assert!(used >= 16 * MIB && system("swap_used").abs_diff(used) <= MIB, "{used}: {free}");
    let sum: u64 = free["ram"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sum - free["overlap"].as_u64().unwrap(), system("mem_total"));
    let zram = free["ram"].as_array().unwrap().iter().find(|part| part["key"] == "zram").unwrap();
    assert!(zram["bytes"].as_u64().unwrap() > 0, "{free}");
    assert_eq!(free["swap"][0]["path"], "/dev/zram0");
    assert_eq!(free["cgroup_limit"], serde_json::json!({"path": "/own", "bytes": 96 * MIB}));
    // The kernel computes the averages anew every two seconds.
    let some = free["system"]["psi_some"].as_f64().unwrap();
    let looks = ["before pressure", "after pressure"].map(|part| {
        let line = parts.get(part).lines().find_map(|line| line.strip_prefix("some avg10=")).unwrap();
        line.split(' ').next().unwrap().parse::<f64>().unwrap()
    });
    let (least, most) = (looks[0].min(looks[1]), looks[0].max(looks[1]));
    assert!((least - 0.01..=most + 0.01).contains(&some), "{some}: {looks:?}");
}

/// What memtide changed is read back from the kernel: groups of v2, swap, and what takes every capability.
fn changes_are_the_kernels(parts: &Parts) {
    let group = |when: &str, file: &str| -> String {
        let line =
            parts.get(&format!("{when} group")).lines().find_map(|line| line.strip_prefix(file)?.strip_prefix(' '));
        line.unwrap().to_owned()
    };
    let bytes = |when: &str, file: &str| group(when, file).parse::<u64>().unwrap();
    let undo = |name: &str| parts.json(name)["undo"].as_str().unwrap().to_owned();

    // The group of a process is not another one's.
    assert_eq!(
        (undo("high"), group("high", "high")),
        ("memtide act memory.high max --cgroup /own".into(), "max".into())
    );
    assert_eq!(undo("high app"), "memtide act memory.high max --cgroup /app");
    assert_eq!(bytes("high app", "high"), 20 * MIB);
    assert_eq!(
        (undo("high undone"), group("high undone", "high")),
        (format!("memtide act memory.high {} --cgroup /app", 20 * MIB), "max".into())
    );

    let reclaimed = parts.json("reclaim");
    assert!(reclaimed["results"][0]["text"].as_str().unwrap().contains("4.0M of 4.0M taken"), "{reclaimed}");
    assert!(bytes("reclaim", "current") + 3 * MIB <= bytes("high undone", "current"), "{reclaimed}");
    assert!(bytes("reclaim", "swap.current") >= bytes("high undone", "swap.current") + 2 * MIB, "{reclaimed}");
    assert_eq!(
        (undo("max"), group("max", "max")),
        (format!("memtide act memory.max {} --cgroup /app", 24 * MIB), "max".into())
    );

    // This is root with every capability, unlike root in most containers.
    let limits: Vec<&str> = parts.get("nofile opener").split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits, ["5000", "5000"]);
    assert!(undo("nofile").starts_with("memtide act nofile 1024:4096 --pid "), "{}", undo("nofile"));
    assert_eq!(parts.get("adj opener").lines().nth(1), Some("-500"));
    let caches = parts.json("caches");
    assert!(caches["results"][0]["text"].as_str().unwrap().starts_with("drop_caches 3: "), "{caches}");

    // What lay in swap is in RAM, and the device is in use with the priority that it had.
    let swap =
        |when: &str| parts.get(&format!("{when} swaps")).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (swap("caches"), swap("recycle"));
    assert!(before[3].parse::<u64>().unwrap() >= 16 * 1024, "{before:?}");
    assert_eq!((&after[0], &after[2], &after[4]), (&before[0], &before[2], &before[4]));
    assert!(after[3].parse::<u64>().unwrap() <= 1024, "{after:?}");
    let recycled = parts.json("recycle");
    assert!(recycled["results"][0]["text"].as_str().unwrap().contains("back in RAM, in use again"), "{recycled}");
    assert!(bytes("recycle", "current") >= bytes("caches", "current") + 16 * MIB, "{recycled}");

    assert_eq!(parts.get("init status").trim(), "1");
    assert!(parts.get("init errors").contains("Pid 1 is refused"), "{}", parts.get("init errors"));
    assert_eq!(parts.get("refused status").trim(), "1");
    let told = parts.get("refused errors");
    assert!(
        told.contains("Not permitted") && told.contains("echo 1073741824 | sudo tee /sys/fs/cgroup/app/memory.max"),
        "{told}"
    );
}

/// Before Linux 6.2 the number of descriptors is the owner's to know too.
fn another_user_is_denied(parts: &Parts, children: &BTreeMap<&str, u64>) {
    let denied = parts.json("denied");
    let all = denied["processes"].as_array().unwrap();
    let holder = all.iter().find(|process| process["pid"] == children["holder"]).unwrap();
    for field in ["pss", "uss", "swap_pss", "fds"] {
        assert!(holder[field].is_null(), "{field}: {holder}");
        assert!(holder["unknown"][field].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{holder}");
    }
    assert!(holder["rss"].as_u64().unwrap() > 0, "{holder}");
    assert!(parts.get("denied errors").contains("setcap cap_sys_ptrace+ep memtide"));
}
