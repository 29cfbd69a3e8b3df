//! What a stranger installs: the static program, which needs nothing, and the Debian package, made and installed for real.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use support::pty;
use support::require::{has, has_programs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The largest that the program may be, stripped.
const MOST_BYTES: u64 = 8 << 20;

/// A program of a release build, if it was built: `cargo static` and `cargo build --release` make them.
fn built(target: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_memtide")).ancestors().nth(2).unwrap();
    let program = folder.join(target).join("release/memtide");
    has(program.is_file(), &program.display().to_string()).then_some(program)
}

fn static_program() -> Option<PathBuf> {
    built("x86_64-unknown-linux-musl")
}

fn is_root() -> bool {
    has(rustix::process::geteuid().is_root(), "root")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_release_is_at_most_8_mib() {
    for target in ["", "x86_64-unknown-linux-musl"] {
        let Some(program) = built(target) else { continue };
        let bytes = program.metadata().unwrap().len();
        assert!(bytes <= MOST_BYTES, "{}: {bytes} bytes", program.display());
        if has_programs(&["readelf"]) {
            let sections = text(&Command::new("readelf").args(["-SW"]).arg(&program).output().unwrap());
            assert!(sections.contains(".text") && !sections.contains(".symtab"), "it is stripped");
        }
    }
}

#[test]
fn the_static_program_asks_for_no_library_no_loader_and_no_kernel_version() {
    let Some(program) = static_program() else { return };
    if !has_programs(&["readelf"]) {
        return;
    }
    let read = |what: &str, file: &Path| text(&Command::new("readelf").args([what, "-W"]).arg(file).output().unwrap());
    let (dynamic, headers, notes) = (read("-d", &program), read("-l", &program), read("-n", &program));
    assert!(!dynamic.contains("NEEDED"), "{dynamic}");
    assert!(headers.contains("LOAD") && !headers.contains("INTERP"), "{headers}");
    assert!(!notes.contains("NT_GNU_ABI_TAG"), "{notes}");
    // The same questions about a program that asks for all three.
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    assert!(read("-d", &shell).contains("NEEDED") && read("-l", &shell).contains("INTERP"));
    assert!(read("-n", &shell).contains("NT_GNU_ABI_TAG"));
}

/// Makes a root of nothing but the program and /proc, and runs in it what is asked for.
const EMPTY: &str = r#"
set -e
root=$1 program=$2; shift 2
mount -t tmpfs none "$root"
mkdir "$root/proc"
mount -t proc proc "$root/proc"
cp "$program" "$root/memtide"
exec env -i PATH="$PATH" TERM=xterm-256color LANG=C.UTF-8 HOME=/ XDG_STATE_HOME=/dev/null chroot "$root" /memtide "$@"
"#;

#[test]
fn the_static_program_runs_where_there_is_nothing_but_proc() {
    let Some(program) = static_program().filter(|_| is_root() && has_programs(&["unshare"])) else { return };
    let folder = tempfile::tempdir().unwrap();
    let alone = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", EMPTY, "sh"];
    let run = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(alone).arg(folder.path()).arg(&program).args(args).output().unwrap()
    };
    for (args, status, said) in [
        (&["ps", "--format", "csv"][..], 0, "memtide ps --format csv"),
        (&["free"], 0, "unaccounted"),
        (&["inspect", "1"], 0, "memtide inspect 1"),
        (&["diagnose", "--for", "1s"], 0, "watched"),
        (&["doctor"], 0, "kernel"),
        (&["config", "--print-default"], 0, "[keys]"),
        (&["record", "-o", "/a.memtide", "--for", "1s"], 0, "/a.memtide"),
        (&["ps", "--sort", "nothing"], 2, "is no field"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
    let command = pty::Command::new("unshare").args(alone);
    let mut terminal = command.args([folder.path(), &program]).start();
    terminal.wait_for_text("F1 help");
    terminal.press("V");
    terminal.wait_for_text("GROWTH");
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
}

/// The package of the static program, where that was built; it is made once.
fn package() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = || {
        let program = static_program().filter(|_| has_programs(&["dpkg-deb", "gzip", "md5sum"]))?;
        Some(make_package(&program, Path::new(env!("CARGO_TARGET_TMPDIR"))))
    };
    MADE.get_or_init(made).clone()
}

/// Makes the package in a folder.
fn make_package(program: &Path, folder: &Path) -> PathBuf {
    let mut build = Command::new(format!("{ROOT}/assets/debian/build"));
    let output = build.arg(program).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

#[test]
fn two_builds_give_the_same_package_and_lintian_finds_no_error() {
    let (Some(program), Some(first)) = (static_program(), package()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let second = make_package(&program, folder.path());
    assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "{}", first.display());
    let fields = text(&Command::new("dpkg-deb").arg("-f").arg(&first).output().unwrap());
    assert!(fields.contains(&format!("Version: {}-1\n", env!("CARGO_PKG_VERSION"))), "{fields}");
    assert_eq!(fields.matches('@').count(), 1, "no placeholder is left but in the address: {fields}");
    if has_programs(&["lintian"]) {
        let output = Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(&first).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// Installs a package over this machine's own files, none of which is touched, and looks at it.
const INSTALL: &str = r#"
set -e
place=$1 package=$2
mount -t tmpfs none "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
mount --rbind /proc "$place/root/proc"
mount --rbind /dev "$place/root/dev"
cp "$package" "$place/root/package.deb"
inside() { echo "== $1"; chroot "$place/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root sh -ec "$2"; }
inside install 'dpkg --path-include="/usr/share/*" -i /package.deb'
inside version 'cd /; memtide --version'
inside pages 'man -w memtide; man -w memtide-guard; man -w memtide.toml'
inside verify 'dpkg --verify memtide'
inside conffiles 'dpkg-query -W -f "\${Conffiles}" memtide'
inside owners 'stat -c "%U %a %n" /usr/bin/memtide /etc/memtide /etc/memtide/*'
inside doctor 'memtide doctor --format json'
inside machine "sed -i 's/^#theme = .*/theme = \"light\"/' /etc/memtide/config.toml; memtide config --path"
inside changed 'dpkg --verify memtide || true'
inside remove 'dpkg -r memtide; ls /etc/memtide; ls /usr/bin/memtide 2>&1 || true'
inside purge 'dpkg -P memtide; dpkg-query -W memtide 2>&1 || true'
echo "== left"
find "$place/upper" -name '*memtide*' ! -path '*/var/lib/dpkg/*' ! -path '*/root/*'
"#;

#[test]
fn the_package_is_installed_checked_and_leaves_nothing_behind() {
    let Some(package) = package().filter(|_| is_root() && has_programs(&["dpkg", "man", "unshare"])) else { return };
    let place = tempfile::tempdir().unwrap();
    let output =
        Command::new("unshare").args(["--mount", "sh", "-c", INSTALL, "sh"]).arg(place.path()).arg(&package).output();
    let output = output.unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let part = |name: &str| -> &str {
        let rest = said.split(&format!("== {name}\n")).nth(1).unwrap_or_else(|| panic!("no {name}: {said}"));
        rest.split("== ").next().unwrap().trim()
    };
    assert_eq!(part("version"), format!("memtide {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(part("pages").lines().count(), 3, "{}", part("pages"));
    assert_eq!(part("verify"), "", "every file has the checksum that the package says");
    assert!(
        part("conffiles").contains("/etc/memtide/config.toml") && part("conffiles").contains("/etc/memtide/rules.toml")
    );
    for line in ["root 755 /usr/bin/memtide", "root 644 /etc/memtide/config.toml", "root 600 /etc/memtide/rules.toml"] {
        assert!(part("owners").contains(line), "{}", part("owners"));
    }
    assert!(part("doctor").contains("/root/.config/memtide/config.toml, below it /etc/memtide/config.toml"));
    assert!(part("changed").contains("c /etc/memtide/config.toml"), "{}", part("changed"));
    assert!(part("remove").contains("config.toml\nrules.toml"), "what a person changed stays: {}", part("remove"));
    assert!(part("remove").contains("cannot access '/usr/bin/memtide'"), "{}", part("remove"));
    assert!(part("purge").contains("no packages found"), "{}", part("purge"));
    assert_eq!(part("left"), "", "nothing of it is left");
}

#[test]
fn the_settings_of_the_package_are_the_defaults_and_set_nothing() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    assert!(Command::new("dpkg-deb").arg("-x").args([&package, &tree]).status().unwrap().success());
    let settings = fs::read_to_string(tree.join("etc/memtide/config.toml")).unwrap();
    let set: toml::Table = settings.parse().unwrap();
    assert_eq!(set.keys().collect::<Vec<_>>(), ["keys"]);
    assert!(set["keys"].as_table().unwrap().is_empty());
    // Without the signs of comments it is what the program prints.
    let is_setting = |line: &&str| line.split(" = ").next().is_some_and(|key| !key.contains(' '));
    let shown: Vec<&str> = settings.lines().filter_map(|line| line.strip_prefix('#')).filter(is_setting).collect();
    assert!(shown.contains(&"sort = \"pss\"") && shown.contains(&"hints = true"), "{shown:?}");
    let rules = fs::read_to_string(tree.join("etc/memtide/rules.toml")).unwrap();
    assert!(rules.lines().all(|line| line.is_empty() || line.starts_with('#')), "no rule holds: {rules}");
    let uncommented: String =
        rules.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    assert!(uncommented.contains("[[rule]]"));
    for unit in fs::read_dir(tree.join("lib/systemd/system")).unwrap() {
        let unit = fs::read_to_string(unit.unwrap().path()).unwrap();
        assert!(unit.contains("ExecStart=/usr/bin/memtide") && !unit.contains("/usr/local"), "{unit}");
    }
}

/// The capabilities that a unit names, as setpriv(1) calls them.
fn capabilities(unit: &str) -> String {
    let line = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let names = line.split(' ').map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()));
    format!("-all,{}", names.collect::<Vec<_>>().join(","))
}

#[test]
fn the_recorder_sees_all_with_the_rights_of_its_unit_and_without_them_less() {
    if !is_root() || !has_programs(&["setpriv"]) {
        return;
    }
    let unit = fs::read_to_string(format!("{ROOT}/assets/systemd/memtide-record.service")).unwrap();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let open = |path: &Path| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    open(folder.path());
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    open(&program);
    // As DynamicUser makes it: the folder lies elsewhere, and where it is said to be is a link.
    let (state, link) = (folder.path().join("private"), folder.path().join("state"));
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(65534), Some(65534)).unwrap();
    std::os::unix::fs::symlink(&state, &link).unwrap();
    let with = |rights: &str, args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.args([set, rights]);
        }
        let output = command.arg(&program).args(args).env("HOME", "/nonexistent").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        output.stdout
    };
    let rights = capabilities(&unit);
    let seen = |rights: &str, name: &str| {
        let doctor: serde_json::Value = serde_json::from_slice(&with(rights, &["doctor", "--format", "json"])).unwrap();
        let powers = doctor["powers"].as_array().unwrap();
        let power = powers.iter().find(|power| power["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        power["extent"].as_str().unwrap().to_owned()
    };
    for name in ["open files", "slab by cache"] {
        assert_eq!(seen(&rights, name), "yes", "{name}");
    }
    assert_ne!(seen("-all", "slab by cache"), "yes", "the capabilities are what it takes");
    let own = format!("pid={}", std::process::id());
    let pss = |rights: &str| -> serde_json::Value {
        let list = with(rights, &["ps", &own, "-o", "pid,pss", "--format", "json"]);
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        list["processes"][0]["pss"].clone()
    };
    assert!(pss(&rights).as_u64().is_some_and(|bytes| bytes > 0), "PSS of root's process");
    assert!(pss("-all").is_null(), "{}", pss("-all"));
    let flight = link.join("flight");
    let flight = flight.to_str().unwrap();
    with(&rights, &["record", "--keep", "1h", "--interval", "200ms", "--for", "1s", "-o", flight]);
    let verified = Command::new(&program).args(["verify", flight, "--format", "json"]).output().unwrap();
    let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["is_sound"], true);
    assert!(verified["samples"].as_u64().unwrap() > 1, "{verified}");
}
