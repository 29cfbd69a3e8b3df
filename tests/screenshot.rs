//! The picture in the README is a real screen of the real program.
//!
//! `BLESS=1 cargo test --test screenshot` takes it anew, as root and in five minutes: in a pid namespace of its own, so
//! that nothing else of the machine is on it, beside a Node application that leaks and an nginx that does not.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::pty::Command;
use support::svg;

const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/screenshot.svg");

/// Starts the crowd and memtide; the names of the files are the folder's own.
const SCRIPT: &str = r#"
hostname web-1
nginx -p . -c nginx.conf
/usr/bin/python3 -m http.server --bind 127.0.0.1 8642 >/dev/null 2>&1 &
setpriv --reuid=www-data --regid=www-data --clear-groups node app.js >/dev/null &
tail -f error.log &
PATH="$PWD:$PATH" exec memtide
"#;

const NGINX: &str = "user www-data;\nworker_processes 8;\npid nginx.pid;\nerror_log error.log;\nevents {}\n\
                     http { access_log off; server { listen 127.0.0.1:8643; } }\n";

#[test]
fn the_picture_is_of_a_real_screen() {
    if std::env::var_os("BLESS").is_some() {
        fs::write(PICTURE, take()).unwrap();
    }
    let picture = fs::read_to_string(PICTURE).expect("assets/screenshot.svg can be read");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    for text in ["COMMAND", "HISTORY", "node app.js", "nginx", "F1"] {
        assert!(picture.contains(text), "{text} is not on the picture");
    }
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains("](assets/screenshot.svg)"), "the README shows it");
}

fn take() -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/leak.js");
    fs::copy(app, folder.path().join("app.js")).unwrap();
    fs::write(folder.path().join("nginx.conf"), NGINX).unwrap();
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &folder.path().join("memtide"));
    let terminal = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "sh", "-c", SCRIPT])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("COLORTERM", "truecolor")
        .folder(folder.path())
        .size(120, 26)
        .start();
    let is_block = |c: &char| ('▁'..='█').contains(c);
    loop {
        let screen = terminal.wait_for_output();
        let lines = screen.lines();
        let graph = lines[3].chars().filter(is_block).count();
        let history = screen.line_with("node app.js").map_or(0, |line| line.chars().filter(is_block).count());
        // Beside the time at which memory is full the graph has 83 columns.
        if lines[0].contains("leak: ") && graph >= 78 && history >= 12 {
            return svg::render(screen.cells(), "memtide: a Node application that leaks, sorted by PSS");
        }
    }
}
