//! What may differ between servers, each run for real, on the screen and by keys. The small server of this test is
//! Debian's 6.1 kernel under qemu with 512 MB, swap and control groups of version 2, reached by ssh.
//!
//! | variant | the screen, here | commands and readers, elsewhere |
//! | --- | --- | --- |
//! | kernel 6.1, cgroup v2, 512 MB, swap | `draws_every_view` | `qemu.rs` |
//! | other kernels and distributions | | `kernels.rs`, `inspect_kernels.rs` (recorded trees) |
//! | unprivileged | `shows_what_a_user_may_see` | `faults.rs`, `doctor.rs`, `live.rs`, `cgroups.rs` |
//! | hidepid=2 | `says_that_others_are_hidden` | `faults.rs` |
//! | a container: pid, mount, user and cgroup name spaces | `takes_the_limit_of_its_container` | `cgroups.rs`, `kernels.rs` (recorded trees) |
//! | its own control group is exhausted | `answers_while_its_group_is_exhausted` | `record.rs` (a full disk) |
//! | RLIMIT_NOFILE 64 | `is_content_with_few_descriptors` | `faults.rs` |
//! | a slow and lossy link (netem) | `is_driven_over_a_bad_link` | `ssh.rs` (a good one, and a lost one) |
//! | 20,000 processes (a tree of files) | `a_list_of_20000_processes_is_walked_by_keys` | `hostile.rs` (100,000) |
//! | short lives, resize storms, a serial console | | `live.rs` |
#![allow(unreachable_pub, reason = "the parts of one test program")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

#[path = "matrix/guest.rs"]
mod guest;
mod support;

use guest::Guest;
use support::crowd::tree_of_many;
use support::live::{BAR, memtide};
use support::pty::Terminal;
use support::screen::Screen;

/// As another user, without any right.
const UNPRIVILEGED: &str = "/opt/setpriv --reuid 1000 --regid 1000 --clear-groups /memtide";

#[test]
fn on_a_small_server_of_an_older_kernel_every_variant_is_drawn_and_driven() {
    let Some(guest) = Guest::boot() else { return };
    draws_every_view(&guest);
    shows_what_a_user_may_see(&guest);
    says_that_others_are_hidden(&guest);
    takes_the_limit_of_its_container(&guest);
    is_content_with_few_descriptors(&guest);
    answers_while_its_group_is_exhausted(&guest);
    is_driven_over_a_bad_link(&guest);
}

/// Leaves it, and with it the terminal as it was.
fn leave(mut terminal: Terminal) {
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
}

/// Sorts by RSS, as a person does who sees whether it still answers.
fn sort(terminal: &Terminal) {
    terminal.press("M");
    terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
}

fn draws_every_view(guest: &Guest) {
    let kib = guest.told("sed -n 's/^MemTotal: *//p' /proc/meminfo");
    let total = kib.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024;
    let terminal = guest.terminal("exec /memtide");
    let screen = terminal.wait_for_text(BAR);
    let lines = screen.lines();
    assert!(lines[0].starts_with(&format!(" small  {total}M  up ")), "{}", screen.framed());
    assert!(lines[2].contains("0/256M") && lines[2].contains("PSI some"), "{}", screen.framed());
    terminal.wait_for("PSS and descriptors of sshd", |screen| {
        let cell = |head| screen.cell("sshd: ", head);
        cell("PSS").is_some_and(|pss| pss.ends_with('M')) && cell("FD").is_some_and(|fds| fds.parse::<u32>().is_ok())
    });
    terminal.press("y");
    terminal.wait_for_text("RAM, part by part");
    terminal.press("c");
    terminal.wait_for("the groups", |screen| screen.contains("CGROUP") && screen.contains("waited for memory"));
    terminal.press("V");
    terminal.wait_for_text("LEAKS AND GROWTH");
    terminal.press("Esc");
    terminal.wait_for_text("COMMAND");
    terminal.press("3");
    terminal.wait_for_text("LEADS TO");
    terminal.press("2");
    terminal.wait_for_text("[stack]");
    terminal.press("Esc");
    terminal.wait_for_text("COMMAND");
    leave(terminal);
}

fn shows_what_a_user_may_see(guest: &Guest) {
    let terminal = guest.terminal(&format!("exec {UNPRIVILEGED}"));
    terminal.wait_for("its own PSS, and no one else's", |screen| {
        let pss = |command| screen.cell(command, "PSS");
        pss("memtide").is_some_and(|pss| pss.ends_with('M')) && pss("sshd: ").is_some_and(|pss| pss == "-")
    });
    let screen = terminal.wait_for_text("not readable");
    assert!(screen.cell("sshd: ", "RSS").is_some_and(|rss| rss.ends_with('M')), "{}", screen.framed());
    terminal.press("/");
    terminal.type_text("sshd");
    terminal.press("Enter");
    terminal.wait_for_text("CAP_SYS_PTRACE");
    terminal.press("k");
    terminal.wait_for_text("signal to ");
    terminal.press("Enter");
    terminal.wait_for_text("Not permitted");
    terminal.press("Esc");
    terminal.wait_until_gone("Not permitted");
    leave(terminal);
}

fn says_that_others_are_hidden(guest: &Guest) {
    let script = format!("exec /opt/unshare --mount sh -c 'mount -o remount,hidepid=2 /proc && exec {UNPRIVILEGED}'");
    let terminal = guest.terminal(&script);
    let screen = terminal.wait_for_text("others hidden (hidepid)");
    assert_eq!(screen.body().len(), 1, "{}", screen.framed());
    assert!(screen.body()[0].contains("memtide"), "{}", screen.framed());
    sort(&terminal);
    leave(terminal);
}

fn takes_the_limit_of_its_container(guest: &Guest) {
    // As an engine does it: the group first, name spaces in it, and file systems of its own for proc and groups.
    guest.told("mkdir /sys/fs/cgroup/box && echo 64M >/sys/fs/cgroup/box/memory.max");
    let inside =
        "mount -t tmpfs none /sys && mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec /memtide";
    let script = format!(
        "echo $$ >/sys/fs/cgroup/box/cgroup.procs && exec /opt/unshare --pid --mount --user --map-root-user --cgroup \
         --fork --mount-proc sh -c '{inside}'"
    );
    let terminal = guest.terminal(&script);
    let screen = terminal.wait_for("the limit of the container", |screen| screen.lines()[1].contains("/64M "));
    assert_eq!(screen.body().len(), 1, "{}", screen.framed());
    assert_eq!(screen.cell("memtide", "PID").as_deref(), Some("1"), "{}", screen.framed());
    terminal.press("c");
    let screen = terminal.wait_for("its own group alone", |screen| {
        screen.lines().iter().any(|line| line.ends_with(" /") && line.contains("64M"))
    });
    assert!(!screen.contains("box"), "{}", screen.framed());
    terminal.press("Esc");
    terminal.wait_for_text("COMMAND");
    leave(terminal);
}

fn is_content_with_few_descriptors(guest: &Guest) {
    guest.told(
        "(setsid /child few family 150 </dev/null >/tmp/few 2>&1 &) ; until grep -q ready /tmp/few; do sleep 0.1; done",
    );
    let terminal = guest.terminal("exec /opt/prlimit --nofile=64:64 /memtide");
    terminal.wait_for_text(BAR);
    terminal.press("/");
    terminal.type_text("few");
    terminal.press("Enter");
    terminal.wait_for_text("filter: few (151 of ");
    terminal.press("End");
    // The last ones are as well known as the first.
    terminal.wait_for("all that is known of the last of them", |screen| {
        screen.body().iter().rfind(|line| line.contains("child few")).is_some_and(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            cells[2].ends_with('K') && cells[6] == "3"
        })
    });
    leave(terminal);
    guest.told("kill $(pidof child)");
}

fn answers_while_its_group_is_exhausted(guest: &Guest) {
    let group = "/sys/fs/cgroup/full";
    guest.told(&format!("mkdir {group} && echo 64M >{group}/memory.max && echo 0 >{group}/memory.swap.max"));
    let leak = format!("echo $$ >{group}/cgroup.procs; while [ -e /tmp/leak ]; do /child full leak 1024 5; done");
    guest.told(&format!("echo '{leak}' >/tmp/leak; setsid sh /tmp/leak </dev/null >/dev/null 2>&1 &"));
    let terminal = guest.terminal(&format!("echo $$ >{group}/cgroup.procs && exec /memtide"));
    terminal.wait_for_text(BAR);
    let kills = |screen: &Screen| {
        let line = screen.line_with("OOM kills ")?;
        line.split_once("OOM kills ")?.1.split_whitespace().next()?.parse::<u32>().ok()
    };
    // The kernel kills next to it, again and again.
    terminal.wait_for("three kills in its group", |screen| kills(screen).is_some_and(|kills| kills >= 3));
    sort(&terminal);
    terminal.press("F1");
    terminal.wait_until_gone("PID USER");
    terminal.press("Esc");
    terminal.wait_for_text("COMMAND");
    let before = kills(&terminal.screen()).unwrap();
    terminal.wait_for("one more", |screen| kills(screen).is_some_and(|kills| kills > before));
    let events = guest.told(&format!("cat {group}/memory.events"));
    let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap();
    assert!(killed.parse::<u32>().unwrap() >= before, "{events}");
    leave(terminal);
    guest.told("rm /tmp/leak; kill $(pidof child) 2>/dev/null; true");
}

fn is_driven_over_a_bad_link(guest: &Guest) {
    guest.told("/opt/tc qdisc add dev eth0 root netem delay 150ms 30ms loss 10% rate 64kbit");
    let terminal = guest.terminal("exec /memtide");
    terminal.wait_for_text(BAR);
    sort(&terminal);
    terminal.press("y");
    terminal.wait_for_text("RAM, part by part");
    terminal.press("Esc");
    terminal.wait_for_text("COMMAND");
    terminal.resize(60, 15);
    terminal.wait_for("the new size", |screen| screen.lines()[14].contains("q quit"));
    leave(terminal);
    let counted = guest.told("/opt/tc -s qdisc show dev eth0");
    let dropped = counted.split_once("dropped ").and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
    assert!(dropped.parse::<u32>().unwrap() > 0, "packets were lost: {counted}");
}

#[test]
fn a_list_of_20000_processes_is_walked_by_keys() {
    let folder = tree_of_many(20_000);
    let terminal = memtide(["--root", folder.path().to_str().unwrap()]).size(100, 30).start();
    terminal.wait_for("all of them", |screen| screen.lines()[0].contains("20000 processes"));
    terminal.press("N");
    let first = |screen: &Screen| screen.body().first()?.split_whitespace().next()?.parse::<u32>().ok();
    terminal.wait_for("the first pid on top", |screen| first(screen) == Some(1));
    terminal.press("End");
    terminal
        .wait_for("the last pid", |screen| screen.body().iter().any(|line| line.trim_start().starts_with("20000 ")));
    terminal.press("/");
    terminal.type_text("pid>19990");
    terminal.wait_for("ten of them, while it is typed", |screen| screen.body().len() == 10);
    terminal.press("Enter");
    terminal.press("t");
    terminal.wait_for("a tree", |screen| screen.contains("many"));
    leave(terminal);
}
