//! The program from outside: what goes to stdout, what to stderr, and the exit status.

use std::process::{Command, Output};

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().expect("memtide starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

#[test]
fn without_a_terminal_it_points_at_the_commands_that_print() {
    let output = memtide(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("`memtide ps`"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_once() {
    for args in [
        &["report", "/nonexistent"][..],
        &["inspect", "1", "--since", "/nonexistent"],
        &["heap", "show", "/nonexistent"],
    ] {
        let output = memtide(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said, "memtide: /nonexistent: No such file or directory (os error 2)\n", "{args:?}");
    }
}

#[test]
fn the_first_by_pss_are_those_of_the_whole_list() {
    let pids = |args: &[&str]| -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&stdout(&memtide(args))).expect("JSON");
        assert_eq!(json["schema"], "memtide.ps/1");
        json["processes"].as_array().expect("processes").iter().map(|process| process["pss"].to_string()).collect()
    };
    let top = pids(&["ps", "--top", "3", "--format", "json"]);
    assert_eq!(top.len(), 3);
    let numbers: Vec<u64> = top.iter().map(|pss| pss.parse().expect("PSS is known")).collect();
    assert!(numbers.is_sorted_by(|a, b| a >= b), "{numbers:?}");
}

#[test]
fn the_first_by_any_field_are_the_first_of_the_whole_list() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/amazon-linux-2-5.10");
    for sort in ["pss", "rss", "swap", "fds", "threads", "user", "command", "pid", "pss_anon"] {
        for rest in [&[][..], &["--reverse"], &["rss>1M"], &["pss>1M", "--reverse"], &["fds>3"]] {
            let args = [&["ps", "--root", root, "--sort", sort][..], rest].concat();
            let whole = stdout(&memtide(&args));
            let first = stdout(&memtide(&[&args[..], &["--top", "4"]].concat()));
            assert!(whole.lines().count() > 2, "{args:?}: {whole}");
            // Columns are as wide as what they show.
            let words = |text: &str| -> Vec<String> {
                text.lines().take(5).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
            };
            assert_eq!(words(&first), words(&whole), "{args:?}");
        }
    }
}

#[test]
fn a_filter_a_group_and_a_sum_make_a_table() {
    let output = memtide(&["ps", "-g", "command", "-t", "rss>=0"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.lines().next().is_some_and(|head| head.contains("PSS") && head.ends_with("COMMAND")), "{text}");
    assert!(text.lines().last().is_some_and(|last| last.ends_with("groups")), "{text}");
    assert!(text.contains(" memtide\n"), "{text}");
}

#[test]
fn csv_has_a_head_and_a_record_a_process() {
    let text = stdout(&memtide(&["ps", "--format", "csv", "-o", "pid,rss,command", "name=memtide"]));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("pid,rss,command"));
    assert!(lines.any(|line| line.contains("--format csv")), "{text}");
}

#[test]
fn a_filter_is_answered_although_no_column_shows_what_it_asks_for() {
    let text = stdout(&memtide(&["ps", "-o", "pid", "--no-header", "name=memtide fd_percent>0"]));
    assert!(text.lines().count() >= 1 && text.trim().lines().all(|pid| pid.trim().parse::<u32>().is_ok()), "{text}");
}

#[test]
fn every_field_is_listed() {
    let text = stdout(&memtide(&["ps", "--list-fields"]));
    for field in memtide::model::field::PROCESS_FIELDS {
        assert!(text.contains(&format!("\n{} ", field.key)), "{}", field.key);
    }
}

#[test]
fn free_accounts_for_all_of_ram() {
    let json: serde_json::Value = serde_json::from_str(&stdout(&memtide(&["free", "--format", "json"]))).expect("JSON");
    let sum: u64 = json["ram"].as_array().expect("parts").iter().filter_map(|part| part["bytes"].as_u64()).sum();
    let overlap = json["overlap"].as_u64().expect("a number");
    assert_eq!(sum - overlap, json["system"]["mem_total"].as_u64().expect("a number"));
}

#[test]
fn wrong_usage_is_told_with_the_mend_and_status_2() {
    for (args, mend) in [
        (&["ps", "--sort", "psss"][..], "use one of pid"),
        (&["ps", "rss>"], "rss>"),
        (&["ps", "--sort", "growth"], "`memtide` shows it live"),
        (&["ps", "growth>1M"], "`memtide` filters it live"),
        (&["ps", "--watch=1y"], "10m, 1h"),
        (&["diagnose", "--for", "0s"], "use 1s to 7d"),
        (&["diagnose", "1", "2"], "only one PID"),
        (&["diagnose", "a", "b"], "only one recording"),
        (&["record", "-o", "x", "--rotate", "5"], "use 100M, 2G, 10m"),
        (&["record", "-o", "x", "--keep", "1K"], "use 64K or more"),
        (&["record", "-o", "/"], "say --rotate or --keep"),
    ] {
        let output = memtide(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(mend), "{args:?}: {error}");
    }
}

#[test]
fn a_watch_of_a_recorded_tree_is_a_story_as_text_and_as_json() {
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/amazon-linux-2-4.14");
    let text = memtide(&["diagnose", "--root", tree, "--for", "1s"]);
    assert_eq!(text.status.code(), Some(0));
    assert!(stdout(&text).contains("Not enough data yet: 30 s more are needed."), "{}", stdout(&text));
    let json = memtide(&["diagnose", "--root", tree, "--for", "1s", "--format", "json", "1"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&json)).expect("JSON");
    assert_eq!((&json["schema"], &json["outcome"]), (&"memtide.diagnose/1".into(), &"not enough data".into()));
    assert_eq!((&json["asked"]["pid"], &json["needs_ms"]), (&1.into(), &30_000.into()));
}

#[test]
fn a_recording_is_verified_and_repaired_as_text_and_as_json() {
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/amazon-linux-2-4.14");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let record = memtide(&["record", "--root", tree, "-o", &at("r"), "--for", "1s", "--interval", "100ms"]);
    assert_eq!(record.status.code(), Some(0), "{record:?}");
    let sound = memtide(&["verify", &at("r")]);
    assert!(sound.status.success() && stdout(&sound).ends_with("\nsound\n"), "{}", stdout(&sound));

    let mut bytes = std::fs::read(at("r")).expect("it is there");
    let middle = bytes.len() * 9 / 10;
    bytes[middle] ^= 1;
    std::fs::write(at("damaged"), &bytes).expect("it can be written");
    let damaged = memtide(&["verify", "--format", "json", &at("damaged")]);
    assert_eq!(damaged.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_str(&stdout(&damaged)).expect("JSON");
    assert_eq!((&json["schema"], &json["is_sound"]), (&"memtide.verify/1".into(), &false.into()));
    let left = json["samples"].as_u64().expect("a number");
    let lost = &json["losses"][0];
    assert_eq!(lost["why"], "damaged", "{json:#}");
    assert!((lost["offset"].as_u64().expect("a number")..).contains(&(middle as u64)), "{json:#}");

    let repaired = memtide(&["repair", &at("damaged"), "-o", &at("repaired"), "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&repaired)).expect("JSON");
    assert_eq!((&json["schema"], json["samples"].as_u64()), (&"memtide.repair/1".into(), Some(left)));
    assert_eq!(json["losses"][0]["why"], "damaged");
    let again = memtide(&["verify", "--format", "json", &at("repaired")]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&again)).expect("JSON");
    assert_eq!((again.status.code(), json["samples"].as_u64()), (Some(0), Some(left)));
    // What is there is never written over.
    assert_eq!(memtide(&["repair", &at("damaged"), "-o", &at("repaired")]).status.code(), Some(1));
}

#[test]
fn a_tree_without_processes_is_a_clear_error() {
    let output = memtide(&["ps", "--root", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mount -t proc"));
}

#[test]
fn the_default_configuration_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, memtide(&["config", "--print-default"]).stdout).expect("it can be written");
    let file = file.to_str().expect("a plain path");
    // Its settings are read before the terminal is asked for, so an error in them would be told.
    assert_eq!(stdout(&memtide(&["config", "--path", "--config", file])).trim(), file);
}
