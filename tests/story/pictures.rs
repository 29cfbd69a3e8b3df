//! The README's pictures of the views: what was on the screen while the story was played.

use std::fs;

use crate::support::screen::Screen;
use crate::support::svg;

/// The size of a picture, in cells.
pub const COLUMNS: u16 = 110;
/// Its height.
pub const ROWS: u16 = 26;

/// Each view that has one, with what must be on it.
const VIEWS: &[(&str, &[&str])] = &[
    ("processes", &["HISTORY", "node app.js", "nginx: worker process"]),
    ("leaks", &["LEAKS AND ", "leaking", "fd limit"]),
    ("descriptors", &["3 Descriptors", "app.log"]),
    ("system", &["RAM, part by part"]),
    ("cgroups", &["CGROUP", "2.00G"]),
    ("replay", &["node app.js", "leaking"]),
];

fn path(view: &str) -> String {
    format!("{}/assets/screens/{view}.svg", env!("CARGO_MANIFEST_DIR"))
}

/// Takes a picture where they are wanted.
pub fn take(view: &str, screen: &Screen, title: &str) {
    assert!(VIEWS.iter().any(|(name, _)| *name == view));
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/screens")).unwrap();
        fs::write(path(view), svg::render(screen.cells(), title)).unwrap();
    }
}

/// Each picture is there, whole, shows what it is of, and is shown in the README.
pub fn are_in_the_readme() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for (view, texts) in VIEWS {
        let picture = fs::read_to_string(path(view)).unwrap_or_else(|error| panic!("{view}: {error}"));
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{view}");
        for text in *texts {
            assert!(picture.contains(text), "{text} is not on the picture of {view}");
        }
        assert!(readme.contains(&format!("](assets/screens/{view}.svg)")), "the README shows {view}");
    }
}
