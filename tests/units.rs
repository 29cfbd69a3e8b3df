//! The systemd units, started by a real systemd in namespaces of its own, with this very memtide: hardened as they are,
//! they do what they are for.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::require::{has, has_programs};

/// Much longer than it takes systemd to start three programs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Puts itself into a control group of its own and begins a world of its own.
const OUTSIDE: &str = r#"
set -e
place=$1
mkdir "$place/groups"
mount -t cgroup2 none "$place/groups"
mkdir -p "$place/groups/memtide-units"
echo $$ >"$place/groups/memtide-units/cgroup.procs"
umount "$place/groups"
exec unshare --cgroup --mount --pid --net --uts --ipc --fork --kill-child sh -c "$2" sh "$place" "$3" "$4"
"#;

/// Lays this machine's files under what is written there, knows no units but ours, and becomes systemd.
const INSIDE: &str = r#"
set -e
place=$1 program=$2 units=$3 root=$1/root
mount --make-rprivate /
mount -t tmpfs none "$place"
mkdir "$place/upper" "$place/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs none "$root/sys/fs/cgroup"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
for folder in run tmp; do mount -t tmpfs none "$root/$folder"; done
mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
ip link set lo up
install -m 755 "$program" "$root/usr/local/bin/memtide"
mkdir -p "$root/units" "$root/etc/memtide"
cp "$units"/*.service "$root/units"
printf '[[rule]]\nname = "none"\nmatch = "name=no-such-program"\nwhen = "rss > 1G"\nthen = "notify"\n' >"$root/etc/memtide/rules.toml"
chmod 600 "$root/etc/memtide/rules.toml"
for target in sysinit basic multi-user network local-fs shutdown; do
  printf '[Unit]\nDefaultDependencies=no\n' >"$root/units/$target.target"
done
printf '[Unit]\nDefaultDependencies=no\nWants=memtide.service memtide-record.service memtide-guard.service\n' \
  >"$root/units/units.target"
rm -f "$root/etc/machine-id"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH=/units chroot "$root" \
  /lib/systemd/systemd --system --unit=units.target --show-status=no --log-target=null
"#;

/// A systemd and what it runs. Dropping it ends all of them.
struct Systemd {
    outside: Child,
    pid: String,
}

impl Systemd {
    fn start(place: &Path) -> Self {
        let units = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/systemd");
        let world = place.join("world");
        fs::create_dir(&world).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", OUTSIDE, "sh"]).arg(&world).arg(INSIDE).arg(env!("CARGO_BIN_EXE_memtide")).arg(units);
        let outside = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut systemd = Self { outside, pid: String::new() };
        let until = Instant::now() + PATIENCE;
        // Running, or degraded: the first two exit statuses.
        let is_up = |systemd: &Self| {
            let status = || systemd.inside(&["systemctl", "is-system-running"]).status.code();
            !systemd.pid.is_empty() && status().is_some_and(|code| code <= 1)
        };
        while !is_up(&systemd) {
            assert!(Instant::now() < until && systemd.outside.try_wait().unwrap().is_none(), "systemd did not start");
            std::thread::sleep(Duration::from_millis(100));
            let children = format!("/proc/{0}/task/{0}/children", systemd.outside.id());
            fs::read_to_string(children).unwrap_or_default().trim().clone_into(&mut systemd.pid);
        }
        systemd
    }

    /// Runs a program in its world.
    fn inside(&self, args: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--mount", "--pid", "--net", "--cgroup", "--root", "--wd"]);
        command.args(args).env("SYSTEMD_UNIT_PATH", "/units").output().unwrap()
    }

    /// Waits until a program in its world says what it should.
    fn wait_for(&self, args: &[&str], is_said: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let output = self.inside(args);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if is_said(&said) {
                return;
            }
            assert!(Instant::now() < until, "{args:?}: {output:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = self.outside.kill();
        let _ = self.outside.wait();
        // The groups are empty once everything has ended.
        let remove =
            "mkdir $0/g && mount -t cgroup2 none $0/g && find $0/g/memtide-units -depth -type d -exec rmdir {} +";
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let folder = tempfile::tempdir().unwrap();
            let removed = Command::new("unshare").args(["--mount", "sh", "-c", remove]).arg(folder.path()).output();
            if removed.is_ok_and(|output| output.status.success()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn systemd_starts_all_three_hardened_and_they_do_what_they_are_for() {
    let is_root = has(rustix::process::geteuid().is_root(), "root");
    if !is_root || !has_programs(&["unshare", "nsenter", "ip", "systemctl", "/lib/systemd/systemd"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let systemd = Systemd::start(place.path());
    for unit in ["memtide", "memtide-record", "memtide-guard"] {
        systemd.wait_for(&["systemctl", "is-active", unit], |said| said.trim() == "active");
    }
    let memtide = "/usr/local/bin/memtide";
    let flight = "/var/lib/memtide-record/flight";
    systemd.wait_for(&[memtide, "verify", "--format", "json", flight], |said| {
        let verified: serde_json::Value = serde_json::from_str(said).unwrap_or_default();
        verified["is_sound"] == true && verified["samples"].as_u64() > Some(0)
    });
    systemd.wait_for(&["cat", "/proc/net/tcp"], |said| said.contains("0100007F:26FE"));
    // Who writes metrics sees root's processes, and who records does too: systemd itself is there, with its PSS.
    systemd.wait_for(&[memtide, "export", flight, "pid=1", "-o", "pid,name,pss"], |said| {
        said.lines().skip(1).any(|row| row.contains("systemd") && !row.ends_with(','))
    });
    let of = |unit: &str, what: &str| {
        let output = systemd.inside(&["systemctl", "show", "--value", "--property", what, unit]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for unit in ["memtide", "memtide-record"] {
        let pid = of(unit, "MainPID");
        let status = String::from_utf8(systemd.inside(&["cat", &format!("/proc/{pid}/status")]).stdout).unwrap();
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:\t")?.split('\t').next()).unwrap();
        assert!(uid.parse::<u32>().unwrap() > 60_000, "{unit} has a user of its own: {uid}");
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{unit}: {status}");
    }
    for unit in ["memtide", "memtide-record", "memtide-guard"] {
        assert_eq!(of(unit, "NRestarts"), "0", "{unit} was started once");
        assert!(systemd.inside(&["systemctl", "stop", unit]).status.success(), "{unit}");
        assert_eq!(of(unit, "Result"), "success", "{unit} ended as it should");
    }
}
