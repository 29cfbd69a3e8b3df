//! JVM: the heap of HotSpot.
//!
//! Options count in this order, the last of a kind winning: JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS (the `java` launcher
//! alone), the command line, _JAVA_OPTIONS. Without `-Xmx` the heap is MaxRAMPercentage (25) of what the JVM takes for
//! the machine's memory, or MinRAMPercentage (50) where that is little (`Arguments::set_heap_size` in HotSpot's
//! src/hotspot/share/runtime/arguments.cpp).

use super::Case;
use super::words::{percent, share, size};
use crate::model::runtime::{JvmCounters, Keeping, KnownLimit, OwnLimit};
use crate::units::Bytes;

const MIB: u64 = 1 << 20;

/// MaxHeapSize before anything is known of the machine: 96 MiB and three tenths for 64-bit pointers.
const SMALL: u64 = 96 * MIB * 13 / 10;

/// What the JVM takes for the machine's memory at most (MaxRAM).
const MOST_RAM: u64 = 128 << 30;

/// Where options come from, the least first.
const SOURCES: [(&str, &str); 4] = [
    ("JAVA_TOOL_OPTIONS", key!("in JAVA_TOOL_OPTIONS")),
    ("JDK_JAVA_OPTIONS", key!("in JDK_JAVA_OPTIONS")),
    ("", key!("on the command line")),
    ("_JAVA_OPTIONS", key!("in _JAVA_OPTIONS")),
];

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    let options = Options::of(case);
    let (bytes, source, is_told) = options.heap(case);
    OwnLimit::Known(KnownLimit {
        bytes,
        of: tr!("heap"),
        source,
        is_told,
        then: tr!("it collects all it can, then throws OutOfMemoryError"),
        keeping: Keeping::Fills,
    })
}

pub(super) fn facts(case: &Case<'_>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let counted = case.clues.and_then(|clues| clues.jvm.as_ref());
    if let Some(counted) = counted.and_then(|jvm| jvm.as_ref().value()) {
        let JvmCounters { collectors, used, capacity, metaspace, .. } = counted;
        facts.push((
            tr!("heap"),
            tr!(
                "{used} in use, garbage included, of {capacity} committed",
                used = Bytes(*used),
                capacity = Bytes(*capacity)
            ),
        ));
        // Counted from the first collection on.
        if *metaspace > 0 {
            facts.push((tr!("metaspace"), tr!("{metaspace} in use", metaspace = Bytes(*metaspace))));
        }
        if !collectors.is_empty() {
            facts.push((tr!("collectors"), collectors.join(", ")));
        }
    } else if let Some(why) = counted.and_then(crate::model::reading::Reading::explain) {
        facts.push((tr!("heap in use"), tr!("not seen: {why}", why)));
    }
    if let Some((value, by)) = Options::of(case).last("-XX:MaxMetaspaceSize=") {
        facts.push((tr!("metaspace limit"), tr!("{value} (-XX:MaxMetaspaceSize {by})", value, by)));
    }
    facts.push((tr!("beside it"), tr!("metaspace, code, threads and direct buffers are not in the heap").into()));
    facts
}

/// All options, in the order in which they count, with their source.
struct Options(Vec<(String, &'static str)>);

impl Options {
    fn of(case: &Case<'_>) -> Self {
        let mut all = Vec::new();
        for (variable, by) in SOURCES {
            if variable.is_empty() {
                all.extend(case.words.iter().skip(1).map(|word| ((*word).to_owned(), tr!(of by))));
            } else if let Some(value) = case.settings.get(variable) {
                all.extend(value.split_ascii_whitespace().map(|word| (word.to_owned(), tr!(of by))));
            }
        }
        Self(all)
    }

    /// The value of the last option that begins like this, and where it stands.
    fn last(&self, prefix: &str) -> Option<(&str, &'static str)> {
        self.0.iter().rev().find_map(|(word, by)| Some((word.strip_prefix(prefix)?, *by)))
    }

    fn has(&self, option: &str) -> bool {
        self.0.iter().any(|(word, _)| word == option)
    }

    fn percent(&self, name: &str) -> Option<(f64, String)> {
        let (value, by) = self.last(name)?;
        Some((percent(value)?, format!("{name}{value} {by}")))
    }

    fn heap(&self, case: &Case<'_>) -> (u64, String, bool) {
        // Two names of one option: whichever comes last.
        let told = self.0.iter().rev().find_map(|(word, by)| {
            let value = word.strip_prefix("-Xmx").or_else(|| word.strip_prefix("-XX:MaxHeapSize="))?;
            Some((rounded(size(value)?), format!("{word} {by}"), true))
        });
        if let Some(told) = told {
            return told;
        }
        let is_blind = self.has("-XX:-UseContainerSupport");
        let seen = if is_blind { case.room.machine } else { case.room.seen() };
        let most = self.last("-XX:MaxRAM=").and_then(|(value, _)| size(value)).unwrap_or(MOST_RAM);
        let seen = seen.min(most);
        let max = self.percent("-XX:MaxRAMPercentage=");
        let by_max = share(seen, max.as_ref().map_or(25.0, |max| max.0));
        let min = self.percent("-XX:MinRAMPercentage=");
        let by_min = share(seen, min.as_ref().map_or(50.0, |min| min.0));
        let of =
            if seen < case.room.machine { tr!("of its control group's limit") } else { tr!("of the machine's memory") };
        if by_min < SMALL {
            let is_told = min.is_some();
            let rule = min.map_or_else(|| tr!("the default: half").to_owned(), |min| min.1);
            return (
                rounded(by_min),
                tr!("{rule} {of} ({seen}), which is little", rule, of, seen = Bytes(seen)),
                is_told,
            );
        }
        let is_told = max.is_some();
        let rule = max.map_or_else(|| tr!("the default: a quarter").to_owned(), |max| max.1);
        (rounded(by_max.max(SMALL)), tr!("{rule} {of} ({seen})", rule, of, seen = Bytes(seen)), is_told)
    }
}

/// Up to what the collector's regions need (the heap's alignment, 2 MiB for the most part).
fn rounded(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(2 * MIB).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{known, room};
    use crate::model::process::Identity;
    use crate::model::runtime::Settings;

    fn told(command: &str, settings: &'static [u8], machine_mib: u64) -> (u64, String) {
        let identity = Identity { command: command.into(), settings: Settings::new(settings), ..Identity::default() };
        let limit = known(&identity, room(machine_mib * MIB));
        assert_eq!(limit.keeping, Keeping::Fills);
        (limit.bytes / MIB, limit.source)
    }

    #[test]
    fn what_was_told_last_counts() {
        assert_eq!(
            told("/usr/bin/java -Xms64m -Xmx512m -jar app.jar", b"", 2048),
            (512, "-Xmx512m on the command line".into())
        );
        assert_eq!(told("java -Xmx512m -XX:MaxHeapSize=256m A", b"", 2048).0, 256);
        assert_eq!(told("java -Xmx512m A", b"JAVA_TOOL_OPTIONS=-Xmx100m\0", 2048).0, 512);
        assert_eq!(
            told("java -Xmx512m A", b"_JAVA_OPTIONS=-Xmx100m -Xss1m\0", 2048),
            (100, "-Xmx100m in _JAVA_OPTIONS".into())
        );
        assert_eq!(told("java A", b"JDK_JAVA_OPTIONS=-XX:MaxRAMPercentage=75\0", 2000).0, 1500);
        assert_eq!(told("java -XX:MaxRAMPercentage=50.0 App", b"", 2048).0, 1024);
    }

    #[test]
    fn without_a_word_it_is_a_quarter_or_half_of_little() {
        assert_eq!(
            told("java -jar app.jar", b"", 2048),
            (512, "the default: a quarter of the machine's memory (2.00G)".into())
        );
        assert_eq!(told("java A", b"", 200).0, 100);
        // As OpenJDK 17 itself says in control groups with these limits (-XX:+PrintFlagsFinal).
        for (limit_mib, mib, with_half) in
            [(300, 126, 150), (512, 128, 256), (700, 176, 350), (1000, 250, 500), (5000, 1250, 2500)]
        {
            assert_eq!(told("java A", b"", limit_mib).0, mib, "{limit_mib}");
            assert_eq!(told("java -XX:MaxRAMPercentage=50 A", b"", limit_mib).0, with_half, "{limit_mib}");
        }
        assert_eq!(told("java -XX:MaxRAM=1g A", b"", 8192).0, 256);
    }
}
