//! `memtide export`: what was recorded, as other programs read it.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use memtide::model::sample::Sample;
use serde_json::Value as Json;
use support::machine::Crowd;
use support::programs::{Program, compiler};
use support::recordings::{seconds, write};
use support::require;
use tempfile::TempDir;

/// When the machine made of numbers begins, milliseconds since the epoch.
const BEGAN: i64 = 1_785_000_000_000;

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().unwrap()
}

fn export(recording: &Path, args: &[&str]) -> String {
    let output = memtide(&[&["export", recording.to_str().unwrap()], args].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A recording of a machine made of numbers, and what is in it.
fn recording(crowd: Crowd, length: u64) -> (TempDir, PathBuf, Vec<Sample>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.memtide");
    let samples = seconds(crowd, length);
    std::fs::write(&path, write(&samples).bytes).unwrap();
    (folder, path, samples)
}

fn rows(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_row_is_a_process_in_a_sample_and_csv_and_json_lines_say_the_same() {
    for crowd in [Crowd::Server, Crowd::Odd] {
        let (_folder, path, samples) = recording(crowd, 30);
        let lines = rows(&export(&path, &["--format", "jsonl"]));
        assert_eq!(lines.len(), samples.iter().map(|sample| sample.processes.len()).sum::<usize>());
        let csv = export(&path, &[]);
        let mut csv = csv::Reader::from_reader(csv.as_bytes());
        let heads = csv.headers().unwrap().clone();
        for (record, line) in csv.records().map(Result::unwrap).zip(&lines) {
            assert_eq!(heads.len(), line.as_object().unwrap().len());
            for (head, field) in heads.iter().zip(&record) {
                match &line[head] {
                    Json::Null => assert_eq!(field, "", "{head}"),
                    Json::String(text) => assert_eq!(field, text, "{head}"),
                    number => {
                        // Reading a number from JSON may cost its last bit.
                        let (csv, json) = (field.parse::<f64>().unwrap(), number.as_f64().unwrap());
                        assert!((csv - json).abs() <= 1e-15 * json.abs() * 4.0, "{head}: {csv} and {json}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_range_a_filter_and_fields_narrow_it() {
    let (_folder, path, samples) = recording(Crowd::Server, 60);
    let pid = samples[0].processes.iter().find(|process| process.identity.comm.escaped() == "node").unwrap().key.pid;
    let fields = ["--format", "jsonl", "-o", "pid,rss", "name=node"];
    let all = rows(&export(&path, &fields));
    assert_eq!(all.len(), 60);
    assert!(all.iter().all(|row| row["pid"] == pid && row.as_object().unwrap().len() == 4), "{:?}", all[0]);
    let times = |more: &[&str]| -> (i64, i64, usize) {
        let rows = rows(&export(&path, &[&fields[..], more].concat()));
        let second = |row: Option<&Json>| (row.unwrap()["wall_ms"].as_i64().unwrap() - BEGAN) / 1000;
        (second(rows.first()), second(rows.last()), rows.len())
    };
    assert_eq!(times(&["--from", "+10s", "--to", "+20s"]), (10, 20, 11));
    assert_eq!(times(&["--from", "-5s"]), (54, 59, 6));
    // 10.5 s after the beginning there was no sample: the next one is the first.
    assert_eq!(times(&["--from", "2026-07-25T17:20:10.5Z", "--to", "2026-07-25T17:20:12Z"]), (11, 12, 2));
}

#[test]
fn growth_and_verdict_are_judged_anew_from_what_was_recorded() {
    let (_folder, path, _samples) = recording(Crowd::Server, 300);
    let rows = rows(&export(&path, &["--format", "jsonl", "-o", "name,growth,verdict", "--from", "-0s", "name=node"]));
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["growth"].as_f64().unwrap() > 1e6, "{rows:?}");
    assert!(
        ["growing", "leaking"].iter().any(|word| rows[0]["verdict"].as_str().unwrap().starts_with(word)),
        "{rows:?}"
    );
}

#[test]
fn the_machine_is_a_row_a_sample() {
    let (_folder, path, samples) = recording(Crowd::Server, 10);
    let rows = rows(&export(&path, &["--machine", "--format", "jsonl"]));
    assert_eq!(rows.len(), 10);
    for (row, sample) in rows.iter().zip(&samples) {
        assert_eq!(row["mem_total"].as_u64(), sample.system.meminfo.mem_total.value());
        assert_eq!(row["host"], "web-1");
    }
}

#[test]
fn openmetrics_of_the_past_are_taken_by_prometheus_with_their_times() {
    if !require::has_programs(&["promtool"]) {
        return;
    }
    let (folder, path, samples) = recording(Crowd::Odd, 20);
    for args in [&["-o", "pss,rss,fds,fd_percent,age,growth,verdict"][..], &["--machine"]] {
        let text = export(&path, &[args, &["--format", "openmetrics"]].concat());
        let count = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(count > samples.len(), "{text}");
        let (file, data) = (folder.path().join("past.txt"), folder.path().join(format!("data-{}", args.len())));
        std::fs::write(&file, &text).unwrap();
        let taken = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data])
            .output()
            .unwrap();
        assert!(taken.status.success(), "{}\n{text}", String::from_utf8_lossy(&taken.stderr));
        // It wants to see a log of what is not in blocks yet.
        std::fs::create_dir(data.join("wal")).unwrap();
        let dumped = Command::new("promtool").args(["tsdb", "dump"]).arg(&data).output().unwrap();
        let dumped = String::from_utf8(dumped.stdout).unwrap();
        let times = dumped.lines().filter_map(|line| line.rsplit_once(' ')?.1.parse::<i64>().ok());
        assert_eq!(dumped.lines().count(), count, "every number, once");
        assert!(times.clone().all(|at| (BEGAN..BEGAN + 20_000).contains(&at) && at % 1000 == 0));
    }
}

#[test]
fn what_was_recorded_of_a_program_is_what_the_kernel_said() {
    if !require::has_programs(&[&compiler()]) {
        return;
    }
    let holder = Program::holder("export-holder", 32 << 10);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("now.memtide");
    let output = memtide(&["record", "-o", path.to_str().unwrap(), "--interval", "200ms", "--for", "2s"]);
    assert!(output.status.success(), "{output:?}");
    let filter = format!("pid={}", holder.pid());
    let rows = rows(&export(&path, &["--format", "jsonl", "-o", "rss,private,command", &filter]));
    assert!(rows.len() >= 5, "{rows:?}");
    for row in &rows {
        let mib = row["rss"].as_f64().unwrap() / f64::from(1 << 20);
        assert!((32.0..35.0).contains(&mib), "{row}");
    }
    // Command lines are read in turn.
    assert!(rows.last().unwrap()["command"].as_str().unwrap().contains("export-holder"), "{rows:?}");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let (folder, path, _samples) = recording(Crowd::Server, 3);
    let out = folder.path().join("out.csv");
    let arguments = ["export", path.to_str().unwrap(), "--output", out.to_str().unwrap()];
    assert!(memtide(&arguments).status.success());
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text, export(&path, &[]));
    let again = memtide(&arguments);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
    let nothing = memtide(&["export", out.to_str().unwrap()]);
    assert_eq!(nothing.status.code(), Some(1), "no recording: {nothing:?}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_is_refused_with_the_mend() {
    let (_folder, path, _samples) = recording(Crowd::Server, 3);
    let output = memtide(&["export", path.to_str().unwrap(), "--format", "parquet"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--features parquet"), "{output:?}");
}

/// Parquet, asked by `DuckDB` from PyPI: `MEMTIDE_DUCKDB` names a python3 that has it.
#[cfg(feature = "parquet")]
mod parquet {
    use super::*;

    /// The rows that a query gives, each a list.
    fn ask(python: &str, query: &str) -> Json {
        let script = "import duckdb, json, sys\n\
                      print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str))";
        let output = Command::new(python).args(["-c", script, query]).output().unwrap();
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn duckdb_reads_every_row_with_its_types() {
        let python = std::env::var("MEMTIDE_DUCKDB").unwrap_or_else(|_| "python3".into());
        let has = Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|it| it.status.success());
        if !require::has(has, "DuckDB for Python (MEMTIDE_DUCKDB names a python3 that has it)") {
            return;
        }
        for (crowd, length) in [(Crowd::Server, 60), (Crowd::Odd, 10)] {
            let (folder, path, samples) = recording(crowd, length);
            let file = folder.path().join("day.parquet");
            export(&path, &["--format", "parquet", "--output", file.to_str().unwrap()]);
            let lines = rows(&export(&path, &["--format", "jsonl"]));
            let ask = |query: &str| ask(&python, &query.replace("DAY", &format!("'{}'", file.display())));
            assert_eq!(ask("select count(*) from DAY")[0][0], lines.len());
            let times = ask("select epoch_ms(min(wall_ms)), epoch_ms(max(wall_ms)), count(distinct wall_ms) from DAY");
            let last = samples.last().unwrap().wall_ms;
            assert_eq!(times[0], serde_json::json!([BEGAN, last, samples.len()]));
            let types = ask("select column_name, column_type from (describe select * from DAY)");
            let kind = |name: &str| {
                let rows = types.as_array().unwrap();
                rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}"))[1].clone()
            };
            let kinds = ["wall_ms", "pss", "fd_percent", "command"].map(kind);
            assert_eq!(kinds, ["TIMESTAMP WITH TIME ZONE", "BIGINT", "DOUBLE", "VARCHAR"].map(Json::from));
            // Every value of every row, the unknown among them.
            let fields = ["pid", "name", "user", "rss", "pss", "swap", "fds", "fd_percent", "command"];
            let all = ask(&format!("select {} from DAY", fields.join(", ")));
            for (row, line) in all.as_array().unwrap().iter().zip(&lines) {
                for (value, field) in row.as_array().unwrap().iter().zip(fields) {
                    assert_eq!(value, &line[field], "{field}");
                }
            }
        }
    }

    #[test]
    fn groups_of_rows_follow_each_other() {
        let python = std::env::var("MEMTIDE_DUCKDB").unwrap_or_else(|_| "python3".into());
        let has = Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|it| it.status.success());
        if !require::has(has, "DuckDB for Python (MEMTIDE_DUCKDB names a python3 that has it)") {
            return;
        }
        let (folder, path, samples) = recording(Crowd::Server, 12_000);
        let file = folder.path().join("day.parquet");
        export(&path, &["--format", "parquet", "-o", "pid,rss", "--output", file.to_str().unwrap()]);
        let count: usize = samples.iter().map(|sample| sample.processes.len()).sum();
        assert!(count > 70_000, "{count}");
        let query = format!("select count(*), sum(rss) from '{}'", file.display());
        let sum: u64 = samples
            .iter()
            .flat_map(|sample| &sample.processes)
            .filter_map(|process| process.resident.value())
            .map(|resident| resident.rss)
            .sum();
        let answer = ask(&python, &query);
        assert_eq!(answer[0][0], count);
        assert_eq!(answer[0][1].to_string().trim_matches('"'), sum.to_string());
    }
}
