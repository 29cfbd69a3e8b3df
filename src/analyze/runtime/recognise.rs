//! Which runtime a process has: by its executable's name, its own name or title, its command line, and the files it
//! maps.

use std::borrow::Cow;

use crate::model::process::Identity;
use crate::model::runtime::{Clues, RuntimeKind};
use crate::model::text::Text;

/// What runs a process, by all that was read of it.
pub(super) fn kind(identity: &Identity, clues: &Clues) -> Option<RuntimeKind> {
    let exe = clues.exe.as_ref().value().map_or(Cow::Borrowed(""), Text::escaped);
    RuntimeKind::of_program(&exe)
        .or_else(|| clues.libraries.as_ref().value()?.iter().find_map(|library| by_library(&library.escaped())))
        .or_else(|| clues.go.as_ref().map(|_| RuntimeKind::Go))
        .or_else(|| identity.kind())
}

/// By the name of a mapped file.
fn by_library(path: &str) -> Option<RuntimeKind> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is = |stem: &str| name.starts_with(stem);
    Some(if is("libjvm.so") {
        RuntimeKind::Jvm
    } else if is("libcoreclr.so") {
        RuntimeKind::DotNet
    } else if is("libnode.so") {
        RuntimeKind::Node
    } else if is("libpython") {
        RuntimeKind::Python
    } else if is("libruby") {
        RuntimeKind::Ruby
    } else if is("libperl.so") {
        RuntimeKind::Perl
    } else if is("libphp") {
        RuntimeKind::Php
    } else {
        return None;
    })
}

/// The version of a runtime, where a path, a mapped file or a file beside the executable tells it.
pub(super) fn version(kind: RuntimeKind, clues: &Clues) -> Option<String> {
    if let Some(counted) = clues.jvm.as_ref().and_then(|jvm| jvm.as_ref().value())
        && kind == RuntimeKind::Jvm
        && counted.version.is_some()
    {
        return counted.version.clone();
    }
    if kind == RuntimeKind::Go {
        return clues.go.as_ref().map(|go| go.escaped().trim_start_matches("go").to_owned());
    }
    if let Some(release) = &clues.release {
        return Some(release.escaped().into_owned());
    }
    let libraries = clues.libraries.as_ref().value().map_or(&[][..], Vec::as_slice);
    let exe = clues.exe.as_ref().value();
    // The name of the program's own folder or library: `python3.11`, `postgresql/15/bin`, `libruby-3.1.so`.
    let stems: &[&str] = match kind {
        RuntimeKind::Node => &["/node/v", "/node-v", "/node/"],
        RuntimeKind::Jvm => &["/java-", "/jdk-", "/jdk", "/temurin-"],
        RuntimeKind::Python => &["/libpython", "/python", "/pypy"],
        RuntimeKind::DotNet => &["/Microsoft.NETCore.App/"],
        RuntimeKind::Ruby => &["/libruby-", "/libruby.so.", "/ruby"],
        RuntimeKind::Perl => &["/libperl.so.", "/perl"],
        RuntimeKind::Php => &["/php-fpm", "/php"],
        RuntimeKind::Postgres => &["/postgresql/", "/pgsql-"],
        _ => return None,
    };
    let paths: Vec<Cow<'_, str>> = libraries.iter().chain(exe).map(Text::escaped).collect();
    stems.iter().find_map(|stem| paths.iter().find_map(|path| number_after(path, stem)))
}

/// The version number that follows a stem in a path.
fn number_after(path: &str, stem: &str) -> Option<String> {
    path.match_indices(stem).find_map(|(at, _)| {
        let rest = &path[at + stem.len()..];
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..digits].trim_end_matches('.');
        number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{clues, identity};
    use crate::model::reading::Reading;

    #[test]
    fn a_runtime_in_a_library_is_found_by_what_is_mapped() {
        let mapped = |path: &str| {
            let clues = Clues { libraries: Reading::Value(vec![path.into()]), ..clues() };
            kind(&identity("/opt/app/server"), &clues)
        };
        assert_eq!(mapped("/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so"), Some(RuntimeKind::Jvm));
        assert_eq!(mapped("/usr/share/dotnet/shared/x/libcoreclr.so"), Some(RuntimeKind::DotNet));
        assert_eq!(mapped("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"), Some(RuntimeKind::Python));
        assert_eq!(mapped("/usr/lib/libc.so.6"), None);
        let go = Clues { go: Some("go1.22.1".into()), ..clues() };
        assert_eq!(kind(&identity("/opt/app/server"), &go), Some(RuntimeKind::Go));
    }

    #[test]
    fn versions_are_read_off_paths_and_markers() {
        let of = |kind, exe: &str, library: &str| {
            let clues =
                Clues { exe: Reading::Value(exe.into()), libraries: Reading::Value(vec![library.into()]), ..clues() };
            version(kind, &clues)
        };
        let some = |version: &str| Some(version.to_owned());
        assert_eq!(of(RuntimeKind::Node, "/root/.nvm/versions/node/v20.11.1/bin/node", ""), some("20.11.1"));
        assert_eq!(of(RuntimeKind::Node, "/usr/bin/node", ""), None);
        assert_eq!(of(RuntimeKind::Jvm, "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", ""), some("17"));
        assert_eq!(of(RuntimeKind::Python, "/usr/bin/python3.11", ""), some("3.11"));
        assert_eq!(of(RuntimeKind::Python, "/app", "/usr/lib/libpython3.12.so.1.0"), some("3.12"));
        assert_eq!(of(RuntimeKind::Postgres, "/usr/lib/postgresql/15/bin/postgres", ""), some("15"));
        assert_eq!(
            of(RuntimeKind::DotNet, "/usr/bin/dotnet", "/x/Microsoft.NETCore.App/8.0.4/libcoreclr.so"),
            some("8.0.4")
        );
        let clues = Clues { go: Some("go1.22.1".into()), release: Some("20.20.2".into()), ..clues() };
        assert_eq!(version(RuntimeKind::Go, &clues), some("1.22.1"));
        assert_eq!(version(RuntimeKind::Node, &clues), some("20.20.2"));
    }
}
