//! What a stranger needs first: what memtide may see and do here, completions, and manual pages.

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use support::require::has_programs;

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().expect("memtide starts")
}

fn powers(output: &Output) -> Vec<Value> {
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["schema"], "memtide.doctor/1");
    json["powers"].as_array().expect("powers").clone()
}

fn extent(powers: &[Value], name: &str) -> String {
    let power = powers.iter().find(|power| power["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(power["extent"] == "yes", power.get("grant").is_none(), "{power}");
    power["extent"].as_str().expect("a word").to_owned()
}

#[test]
fn who_is_not_root_may_less_and_is_told_what_grants_it() {
    if !rustix::process::geteuid().is_root() || !has_programs(&["setpriv"]) {
        return;
    }
    let of_root = powers(&memtide(&["doctor", "--format", "json"]));
    // A copy in a place that everybody may enter.
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let copy = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &copy);
    let open = |path: &Path| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("modes");
    };
    open(folder.path());
    open(&copy);
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&copy)
        .args(["doctor", "--format", "json"])
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .expect("setpriv starts");
    assert!(output.status.success(), "{output:?}");
    let of_nobody = powers(&output);
    for name in ["signals", "PSS, USS and swap"] {
        assert_ne!(extent(&of_nobody, name), "yes", "{name}");
    }
    for name in ["drop caches", "swap recycled"] {
        assert_eq!(extent(&of_nobody, name), "no", "{name}");
    }
    assert_eq!(extent(&of_root, "signals"), "yes");
    assert_eq!(of_root.len(), of_nobody.len());
}

#[test]
fn an_old_kernel_is_told_what_it_lacks() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/amazon-linux-2-4.14");
    let powers = powers(&memtide(&["doctor", "--root", root, "--format", "json"]));
    let pressure = powers.iter().find(|power| power["name"] == "memory pressure").expect("pressure");
    assert_eq!(pressure["extent"], "no");
    assert!(pressure["grant"].as_str().expect("a grant").contains("4.20"), "{pressure}");
}

#[test]
fn a_broken_file_of_settings_is_named_and_does_not_stop_the_doctor() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "interval = \"never\"\n").expect("a file");
    let output = memtide(&["doctor", "--config", file.to_str().expect("UTF-8"), "--format", "json"]);
    assert!(output.status.success());
    let powers = powers(&output);
    assert_eq!(extent(&powers, "settings"), "no");
    let settings = powers.iter().find(|power| power["name"] == "settings").expect("settings");
    assert!(settings["found"].as_str().expect("words").contains("config.toml"), "{settings}");
}

#[test]
fn bash_takes_the_completions_and_completes_a_command() {
    if !has_programs(&["bash"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memtide.bash");
    std::fs::write(&file, memtide(&["completions", "bash"]).stdout).expect("a file");
    let script = format!(
        "source {}; COMP_WORDS=(memtide diag); COMP_CWORD=1; _memtide memtide diag memtide; echo ${{COMPREPLY[*]}}",
        file.display()
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().expect("bash starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "diagnose", "{output:?}");
}

#[test]
fn zsh_and_fish_take_the_completions_and_complete_a_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, shell: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, memtide(&["completions", shell]).stdout).expect("a file");
        file
    };
    if has_programs(&["zsh"]) {
        write("_memtide", "zsh");
        // The list of commands is what compadd is given for the first word.
        let script = format!(
            "fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; print -r -- $_comps[memtide]; \
             _describe() {{ print -r -- ${{(P)4}} }}; source {0}/_memtide; _memtide_commands",
            folder.path().display()
        );
        let output = Command::new("zsh").args(["-f", "-c", &script]).output().expect("zsh starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("_memtide\n") && said.contains("diagnose:"), "{output:?}");
    }
    if has_programs(&["fish"]) {
        let file = write("memtide.fish", "fish");
        let script = format!("source {}; complete --do-complete 'memtide diag'", file.display());
        let output = Command::new("fish").args(["--no-config", "-c", &script]).output().expect("fish starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("diagnose\t"), "{output:?}");
    }
}

#[test]
fn completions_into_a_closed_pipe_are_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("memtide starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn every_command_has_a_manual_page_of_sound_roff() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    assert!(memtide(&["man", "--output", path]).status.success());
    let help = String::from_utf8(memtide(&["--help"]).stdout).expect("UTF-8");
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    let commands = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let mut pages = vec![folder.path().join("memtide.1")];
    pages.extend(
        commands
            .filter(|name| !["", "help"].contains(name))
            .map(|name| folder.path().join(format!("memtide-{name}.1"))),
    );
    assert!(pages.len() > 10, "{pages:?}");
    for page in &pages {
        assert!(page.is_file(), "{}", page.display());
    }
    let settings = folder.path().join("memtide.toml.5");
    std::fs::write(&settings, memtide(&["config", "--man"]).stdout).expect("a file");
    pages.push(settings);
    if !has_programs(&["man"]) {
        return;
    }
    for page in &pages {
        let output = Command::new("man")
            .args(["--warnings=w", "--encoding=utf8", "--local-file"])
            .arg(page)
            .env("MANPAGER", "cat")
            .output()
            .expect("man starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", page.display());
    }
}
