//! Judges of growth on recordings of real programs, each with what is true of it: see leak-traces/README.md.
#![allow(unreachable_pub, reason = "the parts of a test program of its own")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

#[path = "leak-traces/score/mod.rs"]
mod score;
#[path = "leak-traces/trace.rs"]
mod trace;
#[path = "leak-traces/truth.rs"]
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memtide::model::reading::{BootMs, Reading};
use memtide::model::sample::Sample;
use score::baseline;
use score::case::Case;
use score::judge::{Candidate, Judge, Suspect, Verdict};
use score::metric::{Score, leaks, mistakes, table};
use score::replay::replay;
use trace::{Reader, Writer};
use truth::{Fact, Quantity, Set, Truth};

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak-traces/recordings")
}

/// The truths of all recordings, by name.
fn truths() -> Vec<Truth> {
    let mut names: Vec<String> = std::fs::read_dir(recordings())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names.iter().map(|name| Truth::read(&recordings(), name)).collect()
}

fn recording(scene: &str) -> PathBuf {
    recordings().join(format!("{scene}.jsonl.zst"))
}

/// The smallest recording: what holds of the format holds of each.
fn smallest() -> PathBuf {
    let all = truths().into_iter().map(|truth| recording(&truth.scene));
    all.min_by_key(|path| path.metadata().unwrap().len()).unwrap()
}

fn samples(path: &Path) -> Vec<Sample> {
    Reader::open(path).unwrap().map(Result::unwrap).collect()
}

/// What the judges made of all recordings: the cases of each, and the process time.
fn judge_all(count: usize, make: impl Fn(&Truth) -> Vec<Box<dyn Judge>>) -> (Vec<Vec<Case>>, BTreeMap<Set, u64>) {
    let mut cases = vec![Vec::new(); count];
    let mut process_ms = BTreeMap::<Set, u64>::new();
    for truth in truths() {
        let outcomes = replay(&recordings(), &truth, make(&truth));
        for (set, ms) in &outcomes[0].process_ms {
            *process_ms.entry(*set).or_default() += ms;
        }
        for (all, outcome) in cases.iter_mut().zip(outcomes) {
            all.extend(outcome.cases);
        }
    }
    (cases, process_ms)
}

#[test]
fn a_recording_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(&smallest());
    let copy = folder.path().join("copy");
    let mut writer = Writer::create(&copy, "copy", &samples[0].host).unwrap();
    for sample in &samples {
        writer.push(sample).unwrap();
    }
    writer.finish().unwrap();
    let mut count = 0;
    for (read, written) in Reader::open(&copy).unwrap().zip(&samples) {
        assert_eq!(read.unwrap(), *written);
        count += 1;
    }
    assert_eq!(count, samples.len());
}

#[test]
fn a_process_that_did_not_change_is_held_once() {
    let samples = samples(&smallest());
    let mut shared = 0;
    for pair in samples.windows(2) {
        for process in &pair[1].processes {
            if let Some(before) = pair[0].process(process.key) {
                assert_eq!(Arc::ptr_eq(before, process), before == process);
                shared += usize::from(Arc::ptr_eq(before, process));
            }
        }
    }
    assert!(shared > 0);
}

#[test]
fn a_recording_that_was_cut_is_an_error_and_not_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(smallest()).unwrap();
    let cut = folder.path().join("cut");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    assert!(Reader::open(&cut).unwrap().any(|sample| sample.is_err()));
}

#[test]
fn every_recording_holds_its_subjects_and_their_truth() {
    for truth in truths() {
        let reader = Reader::open(&recording(&truth.scene)).unwrap();
        assert_eq!(reader.header.scene, truth.scene);
        let (mut first, mut last) = (None, BootMs(0));
        let mut seen = BTreeSet::new();
        for sample in reader.map(Result::unwrap) {
            first.get_or_insert(sample.at);
            assert!(sample.at > last, "{}: time goes on", truth.scene);
            last = sample.at;
            assert!(sample.system.meminfo.mem_available.value().is_some() && sample.system.sysv_shm.value().is_some());
            for process in &sample.processes {
                let group = process.identity.cgroup.memory.escaped().into_owned();
                let is_complete =
                    matches!(process.resident, Reading::Value(_)) && process.fds.reading.value().is_some();
                if is_complete && !group.is_empty() {
                    seen.insert(group);
                }
            }
        }
        assert_eq!(last.since(first.unwrap()), truth.length_ms, "{}", truth.scene);
        for subject in &truth.subjects {
            assert!(seen.contains(&subject.group), "{}: {} is there", truth.scene, subject.name);
        }
        let groups: BTreeSet<_> = truth.subjects.iter().map(|subject| &subject.group).collect();
        assert_eq!(groups.len(), truth.subjects.len());
        for fact in truth.subjects.iter().flat_map(|subject| subject.facts.values()).chain(truth.machine.values()) {
            if let Fact::Leaking { onset_ms, per_minute, end } = fact {
                assert!(*onset_ms < truth.length_ms && per_minute.is_normal() && *per_minute > 0.0, "{}", truth.scene);
                assert!(end.as_ref().is_none_or(|end| end.at_ms > *onset_ms && end.limit > 0), "{}", truth.scene);
                assert!(end.as_ref().is_none_or(|end| end.was_met == (end.at_ms <= truth.length_ms)));
            }
        }
    }
}

#[test]
fn both_sets_have_leaks_and_sound_programs_and_share_no_scene_subject() {
    let all = truths();
    for set in [Set::Train, Set::HeldOut] {
        let subjects = || all.iter().flat_map(|truth| &truth.subjects).filter(|subject| subject.set == set);
        assert!(subjects().filter(|subject| subject.class == "leak").count() >= 5);
        let classes: BTreeSet<_> = subjects().map(|subject| &subject.class).filter(|class| *class != "leak").collect();
        assert!(classes.len() >= 4, "{classes:?}");
    }
}

#[test]
fn the_readme_lists_who_was_watched() {
    let mut table = String::from("| subject | set | what it does | what is true |\n| --- | --- | --- | --- |\n");
    for truth in truths() {
        for subject in &truth.subjects {
            let set = if subject.set == Set::Train { "train" } else { "held out" };
            let mut facts: Vec<String> = subject.facts.iter().map(|(quantity, fact)| said(*quantity, fact)).collect();
            if !facts.iter().any(|fact| fact.contains("/min")) {
                facts.insert(
                    0,
                    if subject.class == "leak" { "a leak of the machine".into() } else { subject.class.clone() },
                );
            }
            writeln!(table, "| {}/{} | {set} | {} | {} |", truth.scene, subject.name, subject.what, facts.join("; "))
                .unwrap();
        }
        for (quantity, fact) in &truth.machine {
            writeln!(table, "| {}/machine | | | {} |", truth.scene, said(*quantity, fact)).unwrap();
        }
    }
    let readme = recordings().with_file_name("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let (begin, end) = ("<!-- subjects:begin -->\n", "<!-- subjects:end -->");
    let (start, stop) = (text.find(begin).unwrap() + begin.len(), text.find(end).unwrap());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&readme, format!("{}{table}{}", &text[..start], &text[stop..])).unwrap();
        return;
    }
    assert_eq!(&text[start..stop], table, "run `BLESS=1 cargo test --test leak_traces readme`");
}

/// A fact in words.
fn said(quantity: Quantity, fact: &Fact) -> String {
    let name = format!("{quantity:?}").to_lowercase();
    let Fact::Leaking { onset_ms, per_minute, end } = fact else { return format!("{name}: not scored") };
    let is_bytes = !matches!(quantity, Quantity::Fds | Quantity::Threads);
    let number = |value: f64| if is_bytes { format!("{:.1} MiB", value / 1_048_576.0) } else { format!("{value:.0}") };
    let mut said = format!("{name}: {}/min from {} s", number(*per_minute), onset_ms / 1000);
    if let Some(end) = end {
        let about = if end.was_met { "" } else { "~" };
        write!(said, ", {} met at {about}{} s", number(end.limit as f64), end.at_ms / 1000).unwrap();
    }
    said
}

/// Knows the truth.
struct Oracle {
    truth: Truth,
    first: Option<BootMs>,
    verdicts: Vec<Verdict>,
}

impl Judge for Oracle {
    fn ingest(&mut self, sample: &Sample) {
        let first = *self.first.get_or_insert(sample.at);
        self.verdicts.clear();
        let mut call = |suspect: Suspect, quantity: Quantity, fact: &Fact| {
            let Fact::Leaking { onset_ms, per_minute, end } = fact else { return };
            if sample.at.since(first) >= *onset_ms {
                let exhausted_at = end.as_ref().map(|end| BootMs(first.0 + end.at_ms));
                self.verdicts.push(Verdict { suspect, quantity, per_minute: *per_minute, exhausted_at });
            }
        };
        for subject in &self.truth.subjects {
            let members: Vec<_> = sample
                .processes
                .iter()
                .filter(|process| process.identity.cgroup.memory.as_bytes() == subject.group.as_bytes())
                .map(|process| process.key)
                .collect();
            for (quantity, fact) in subject.facts.iter().filter(|_| !members.is_empty()) {
                call(Suspect::Group(members.clone()), *quantity, fact);
            }
        }
        for (quantity, fact) in &self.truth.machine {
            call(Suspect::Machine, *quantity, fact);
        }
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.clone()
    }
}

/// Calls everybody or nobody.
struct Stubborn {
    calls: bool,
    verdicts: Vec<Verdict>,
}

impl Judge for Stubborn {
    fn ingest(&mut self, sample: &Sample) {
        let all = sample.processes.iter().filter(|_| self.calls).map(|process| Verdict {
            suspect: Suspect::Process(process.key),
            quantity: Quantity::Memory,
            per_minute: 1.0,
            exhausted_at: None,
        });
        self.verdicts = all.collect();
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.clone()
    }
}

#[test]
fn who_knows_the_truth_gets_full_marks_and_who_does_not_look_gets_none() {
    let (cases, process_ms) = judge_all(3, |truth| {
        vec![
            Box::new(Oracle { truth: truth.clone(), first: None, verdicts: Vec::new() }),
            Box::new(Stubborn { calls: false, verdicts: Vec::new() }),
            Box::new(Stubborn { calls: true, verdicts: Vec::new() }),
        ]
    });
    let [oracle, silent, loud] = [0, 1, 2].map(|judge| Score::of(cases[judge].iter(), process_ms.values().sum()));
    assert_eq!((oracle.f1(), oracle.missed, oracle.wrong), (1.0, 0, 0), "{}", mistakes(cases[0].iter()));
    assert_eq!((oracle.eta_good.0, oracle.false_alarms_a_day, oracle.rate_error), (oracle.eta_good.1, 0.0, Some(0.0)));
    assert!(oracle.delay.unwrap() < 0.02 && oracle.eta_error.unwrap() < 1e-9 && oracle.eta_good.1 > 10);

    assert_eq!((silent.recall(), silent.precision(), silent.delay, silent.eta_error), (0.0, 1.0, Some(1.0), Some(1.0)));
    assert!(loud.precision() < 0.5 && loud.recall() > 0.5 && loud.false_alarms_a_day > 100.0, "{loud:?}");
}

#[test]
fn the_same_recording_gives_the_same_verdicts() {
    let said = || {
        let mut history = memtide::analyze::history::History::default();
        let samples = samples(&smallest());
        samples
            .iter()
            .map(|sample| {
                history.push(sample);
                history.findings(sample)
            })
            .collect::<Vec<_>>()
    };
    let first = said();
    assert_eq!(first, said());
    assert!(first.iter().any(|findings| !findings.is_empty()));
}

#[test]
fn the_judges_are_scored_on_all_recordings() {
    let candidates: Vec<Candidate> =
        [score::memtide::candidate(), score::memtide::late()].into_iter().chain(baseline::candidates()).collect();
    let (cases, process_ms) =
        judge_all(candidates.len(), |_| candidates.iter().map(|candidate| (candidate.make)()).collect());
    let mut report = String::new();
    for (title, set) in [("Train", Some(Set::Train)), ("Held out", Some(Set::HeldOut)), ("All", None)] {
        let of_set = |case: &&Case| set.is_none_or(|set| case.set == set);
        let time = process_ms.iter().filter(|(of, _)| set.is_none_or(|set| **of == set)).map(|(_, ms)| ms).sum();
        let scores: Vec<Score> = cases.iter().map(|cases| Score::of(cases.iter().filter(of_set), time)).collect();
        let rows = candidates.iter().zip(&scores).map(|(candidate, score)| (candidate.name, score));
        writeln!(report, "\n{title}\n\n{}", table(rows)).unwrap();
    }
    // Straight to the file: what a passing test prints is not shown.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), report.as_bytes());
    for (candidate, cases) in candidates.iter().zip(&cases) {
        writeln!(report, "\n{}\n\n{}\n{}", candidate.name, mistakes(cases.iter()), leaks(cases.iter())).unwrap();
    }
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("leak-traces.md"), report).unwrap();

    let own = Score::of(cases[0].iter(), process_ms.values().sum());
    assert_eq!(candidates[0].name, "memtide");
    assert!(own.f1() >= 0.97 && own.wrong == 0, "{own:?}\n{}", mistakes(cases[0].iter()));
    let late = Score::of(cases[1].iter(), process_ms.values().sum());
    assert!(late.precision() >= 0.95 && late.recall() >= 0.85, "{late:?}\n{}", mistakes(cases[1].iter()));
    assert!(
        own.eta_error.is_some_and(|error| error <= 0.15) && own.rate_error.is_some_and(|error| error <= 0.15),
        "{own:?}"
    );

    // What is easy is found by all: a benchmark on which nothing is found, or nothing is wrong, measures nothing.
    for (candidate, cases) in candidates.iter().zip(&cases) {
        let score = Score::of(cases.iter(), process_ms.values().sum());
        assert!(score.recall() > 0.3, "{}: {score:?}", candidate.name);
    }
}
