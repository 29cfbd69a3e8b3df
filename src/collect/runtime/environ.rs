//! The settings about memory in `/proc/PID/environ`; everything else in it is secret and is not kept.

use crate::model::runtime::Settings;

/// Variables that are about memory as a whole.
const WHOLE: &[&[u8]] = &[
    b"GOGC",
    b"GOMEMLIMIT",
    b"MALLOC_ARENA_MAX",
    b"DOTNET_GCHeapHardLimit",
    b"DOTNET_GCHeapHardLimitPercent",
    b"COMPlus_GCHeapHardLimit",
    b"COMPlus_GCHeapHardLimitPercent",
];

/// Variables that hold options, of which some are about memory.
const OPTIONS: &[&[u8]] = &[b"NODE_OPTIONS", b"JAVA_TOOL_OPTIONS", b"JDK_JAVA_OPTIONS", b"_JAVA_OPTIONS"];

/// How an option about memory begins.
const PREFIXES: &[&[u8]] = &[
    b"--max-old-space-size",
    b"--max_old_space_size",
    b"--max-semi-space-size",
    b"--max_semi_space_size",
    b"--max-heap-size",
    b"--max_heap_size",
    b"-Xmx",
    b"-XX:MaxHeapSize=",
    b"-XX:MaxRAM",
    b"-XX:MinRAMPercentage=",
    b"-XX:MaxMetaspaceSize=",
    b"-XX:-UseContainerSupport",
];

/// More of a value than any setting of memory needs.
const MOST_VALUE: usize = 512;

/// Decodes `/proc/PID/environ` (proc_pid_environ(5)) and keeps the settings about memory.
pub fn parse_settings(bytes: &[u8]) -> Settings {
    let mut kept = Vec::new();
    for line in bytes.split(|byte| *byte == 0) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (&line[..equals], &line[equals + 1..]);
        let value = if WHOLE.contains(&name) {
            value.to_vec()
        } else if OPTIONS.contains(&name) {
            let about_memory = |word: &&[u8]| PREFIXES.iter().any(|prefix| word.starts_with(prefix));
            let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(about_memory).collect();
            words.join(&b' ')
        } else {
            continue;
        };
        if !value.is_empty() {
            kept.extend_from_slice(name);
            kept.push(b'=');
            kept.extend_from_slice(&value[..value.len().min(MOST_VALUE)]);
            kept.push(0);
        }
    }
    Settings::new(kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        let environ = b"PATH=/bin\0DB_PASSWORD=hunter2\0GOMEMLIMIT=1GiB\0\
            JAVA_TOOL_OPTIONS=-Dpassword=hunter2 -Xmx300m\0NODE_OPTIONS=--require ./secret.js --max-old-space-size=99\0\
            _JAVA_OPTIONS=-Dkey=hunter2\0";
        let settings = parse_settings(environ);
        assert!(!format!("{settings:?}").contains("hunter2") && !format!("{settings:?}").contains("secret"));
        assert_eq!(settings.get("GOMEMLIMIT").as_deref(), Some("1GiB"));
        assert_eq!(settings.get("JAVA_TOOL_OPTIONS").as_deref(), Some("-Xmx300m"));
        assert_eq!(settings.get("NODE_OPTIONS").as_deref(), Some("--max-old-space-size=99"));
        assert_eq!((settings.get("PATH"), settings.get("_JAVA_OPTIONS")), (None, None));
    }

    proptest! {
        #[test]
        fn any_environment_is_read_and_little_of_it_kept(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let padded = [b"NODE_OPTIONS=".as_slice(), &bytes].concat();
            parse_settings(&padded);
            prop_assert!(parse_settings(b"HOME=/root\0").is_empty());
        }
    }
}
