//! The recording: begun when the trouble begins, it tells the same afterwards, without the server.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::pictures;
use crate::server::Server;

const FILE: &str = "web-1.memtide";

/// `memtide record` on the server.
pub struct Recorder {
    child: Child,
    file: PathBuf,
}

impl Recorder {
    /// Records a sample a second.
    pub fn start(server: &Server) -> Self {
        let mut command = server.command(&["memtide", "record", "-o", FILE, "--interval", "1s"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, file: server.path(FILE) }
    }

    /// What `memtide diagnose` says of it: that something leaks, by its exit status too.
    pub fn diagnosis(&self, server: &Server) -> Value {
        let output = server.memtide(&["diagnose", self.file.to_str().unwrap(), "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Ends it in order; then its file names the application, in words and on the screen.
    pub fn tells_it_afterwards(mut self, server: &Server) {
        let pid = server.truth().pid;
        let ended = server.command(&["pkill", "-INT", "-f", "^memtide record"]).status().unwrap();
        assert!(ended.success(), "there is one to end");
        assert!(self.child.wait().unwrap().success());

        let file = self.file.to_str().unwrap().to_owned();
        let output = server.memtide(&["report", &file]);
        let told = String::from_utf8(output.stdout).unwrap();
        for leak in ["leaks file descriptors", "leaks private memory"] {
            assert!(told.contains(&format!("node[{pid}] {leak}")), "{told}");
        }
        for advice in ["memtide inspect", "memtide heap capture", "memtide guard"] {
            assert!(told.contains(advice), "{advice}: {told}");
        }
        let terminal = server.terminal(&["memtide", "replay", FILE]).env("COLORTERM", "truecolor");
        let mut terminal = terminal.size(pictures::COLUMNS, pictures::ROWS).start();
        terminal.wait_for_text("node app.js");
        // To its end, where both leaks are known.
        terminal.press("l");
        let screen = terminal.wait_for("the end of the recording", |screen| {
            screen.lines()[0].contains(&format!("leak: node[{pid}]"))
                && screen.cell("node app.js", "VERDICT").is_some_and(|verdict| verdict == "leaking")
        });
        pictures::take("replay", &screen, "memtide replay: the end of a recording, with the leak that it tells of");
        terminal.press("q");
        assert!(terminal.wait_for_exit().success());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
