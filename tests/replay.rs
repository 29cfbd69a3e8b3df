//! A recording in the real program in a real terminal: what is replayed is what was shown live, at any moment of it.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::PathBuf;

use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;
use support::face::Face;
use support::live::memtide;
use support::machine::{Crowd, sample};
use support::pty::Terminal;
use support::screen::Screen;

/// A recording of so many seconds of a server, a sample a second.
struct Recording {
    folder: tempfile::TempDir,
}

impl Recording {
    fn of(crowds: impl Iterator<Item = Crowd>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(Vec::new(), None, Redaction::default()).unwrap();
        for (second, crowd) in crowds.enumerate() {
            writer.append(&sample(crowd, second as u64)).unwrap();
        }
        std::fs::write(folder.path().join("server.mt"), writer.sink()).unwrap();
        Self { folder }
    }

    fn of_server(seconds: usize) -> Self {
        Self::of(std::iter::repeat_n(Crowd::Server, seconds))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("server.mt")
    }

    fn replay(&self, args: &[&str]) -> Terminal {
        let path = self.path();
        let args = ["replay", path.to_str().unwrap()].into_iter().chain(args.iter().copied());
        memtide(args).size(140, 30).start()
    }
}

fn is_judged(screen: &Screen) -> bool {
    screen.contains("REPLAY") && !screen.contains("judging")
}

/// The list of processes, without the last lines, which the time bar has in a replay.
fn list(lines: &[String]) -> Vec<String> {
    let head = lines.iter().position(|line| line.contains("COMMAND")).unwrap();
    lines[head..lines.len() - 4].iter().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn what_is_replayed_is_what_was_shown_live() {
    const SECONDS: usize = 241;
    let recording = Recording::of_server(SECONDS);
    let terminal = recording.replay(&["--at", "end"]);
    let replayed = terminal.wait_for("the end, judged", is_judged);
    let mut face = Face::new(140, 30);
    face.watch(SECONDS as u64 - 150);
    assert_eq!(list(&replayed.lines()), list(&face.lines()), "{}", replayed.framed());
}

#[test]
fn a_recording_is_walked_by_samples_times_and_events() {
    // The server, then for the last two minutes another crowd: who was there has ended.
    let crowds = std::iter::repeat_n(Crowd::Server, 180).chain(std::iter::repeat_n(Crowd::Nobody, 120));
    let recording = Recording::of(crowds);
    let terminal = recording.replay(&[]);
    let clock = |screen: &Screen| screen.lines()[0].rsplit(' ').find(|word| word.contains(':')).map(str::to_owned);
    let first = clock(&terminal.wait_for("the first moment", is_judged)).unwrap();
    terminal.press("]");
    let second = clock(&terminal.wait_for("the next", |screen| clock(screen).is_some_and(|now| now > first))).unwrap();
    terminal.press("[");
    terminal.wait_for("the first again", |screen| clock(screen).is_some_and(|now| now == first && now < second));

    terminal.press("J");
    terminal.type_text("+2m\r");
    terminal.wait_for("two minutes on, judged", |screen| {
        is_judged(screen) && clock(screen).is_some_and(|now| now > second) && screen.contains("leak: node[1234]")
    });

    terminal.press(")");
    terminal.wait_for_text("node[1234] leaks private memory");
    terminal.press(")");
    terminal.wait_for_text("ended, RSS");
    terminal.press("(");
    terminal.wait_for_text("node[1234] leaks private memory");
    terminal.press("(");
    terminal.wait_for_text("backup[1950] ended, RSS");
    terminal.press("k");
    terminal.wait_for_text("this is a recording");

    terminal.keys("J");
    terminal.type_text("soon\r");
    terminal.wait_for_text("`soon` is no time");
    terminal.press("Esc");
    terminal.keys("+ + + + + + + p");
    terminal.wait_for("the end, at which it stops", |screen| {
        screen.contains("REPLAY ") && !screen.contains("REPLAY x") && clock(screen).is_some_and(|now| now > second)
    });
    terminal.press("q");
}

#[test]
fn a_file_that_is_no_recording_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "nothing of the kind").unwrap();
    let mut terminal = memtide(["replay", path.to_str().unwrap()]).start();
    let status = terminal.wait_for_exit();
    assert_eq!(status.exit_code(), 1);
    assert!(terminal.screen().contains("notes.txt"), "{}", terminal.screen().framed());
}

fn report(recording: &Recording, format: &str) -> String {
    let path = recording.path();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["report", path.to_str().unwrap(), "--format", format])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_report_tells_the_same_in_words_in_json_and_as_a_page() {
    let recording = Recording::of_server(300);
    let json: serde_json::Value = serde_json::from_str(&report(&recording, "json")).unwrap();
    assert_eq!(json["schema"], "memtide.report/1");
    let headline = json["story"]["headline"]["text"].as_str().unwrap();
    assert!(headline.contains("node[1234] leaks"), "{headline}");
    // 20 MiB a minute for five minutes, less the second between the first sample and the last.
    let gained = json["growers"][0]["gained"].as_u64().unwrap() >> 20;
    assert!((97..=100).contains(&gained), "{gained}");
    assert_eq!(json["peak"]["largest"][0]["pid"], 1234);
    assert!(json["used"]["points"].as_array().unwrap().iter().filter(|point| point.is_number()).count() > 100);

    let text = report(&recording, "text");
    for part in
        [headline, "Peak: ", "Who gained most private memory", "+100M", "Swap and pressure", "leaks private memory"]
    {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&text).contains(&words(part)), "{part}: {text}");
    }
    let page = report(&recording, "html");
    assert!(page.contains(&format!("<h1>{headline}</h1>")), "{page}");
    assert!(!page.contains("<script") && !page.contains("http"), "it needs nothing else");
}

#[test]
fn what_a_process_calls_itself_is_no_markup_in_a_page() {
    let page = report(&Recording::of(std::iter::repeat_n(Crowd::Odd, 3)), "html");
    assert!(!page.contains('\u{1b}') && page.contains("</html>"));
    let largest = page.split("The largest of").nth(1).unwrap();
    assert!(largest.contains("<td class=\"text\">"), "{largest}");
}
