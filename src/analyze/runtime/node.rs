//! Node.js: the heap of V8.
//!
//! `v8.getHeapStatistics().heap_size_limit` is the old generation and three semi-spaces. The old generation is, in
//! this order: `--max-old-space-size-percentage` (Node.js 24), `--max-old-space-size`, both on the command line before
//! those of NODE_OPTIONS; else half of the memory that Node.js sees, at least 256 MiB and at most 2 GiB, or 4 GiB from
//! 15 GiB of memory on (`Heap::HeapSizeFromPhysicalMemory` and `Heap::MaxOldGenerationSize` in V8's
//! src/heap/heap.cc, `SetIsolateCreateParamsForNode` in src/api/environment.cc).

use super::words::{last_of, percent, share};
use super::{Case, Room};
use crate::model::cgroup::CgroupVersion;
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};
use crate::units::Bytes;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The page that V8 rounds its spaces to.
const PAGE: u64 = 256 << 10;

/// Releases before this one have 1.4 GiB whatever the machine has.
const FIRST_BY_MEMORY: u32 = 12;

/// The first release whose libuv (1.45) reads the limits of cgroup v2.
const FIRST_OF_CGROUP_V2: u32 = 20;

/// What V8 gives itself.
struct Heap {
    old: u64,
    semi: u64,
    source: String,
    is_told: bool,
}

impl Heap {
    fn size(&self) -> u64 {
        self.old.saturating_add(self.semi.saturating_mul(3))
    }
}

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    let heap = heap(case);
    OwnLimit::Known(KnownLimit {
        bytes: heap.size(),
        of: tr!("heap"),
        source: heap.source,
        then: tr!("it ends itself (JavaScript heap out of memory)"),
        is_told: heap.is_told,
        keeping: Keeping::Ends,
    })
}

pub(super) fn facts(case: &Case<'_>) -> Vec<(&'static str, String)> {
    let heap = heap(case);
    vec![
        (tr!("old space"), tr!("at most {old}", old = Bytes(heap.old))),
        (tr!("semi-spaces"), tr!("3 of at most {semi}: the young generation", semi = Bytes(heap.semi))),
        (tr!("beside it"), tr!("Buffers, native modules and stacks are not in the heap").into()),
    ]
}

fn heap(case: &Case<'_>) -> Heap {
    let own = own_options(case.words);
    let inherited = case.settings.get("NODE_OPTIONS");
    let inherited: Vec<&str> =
        inherited.as_deref().map(|options| options.split_ascii_whitespace().collect()).unwrap_or_default();
    let find = |names: &[&str]| {
        let told = |words: &[&str], by: &'static str| last_of(words, names).map(|value| (value.to_owned(), by));
        told(own, tr!("on the command line")).or_else(|| told(&inherited, tr!("in NODE_OPTIONS")))
    };
    let mib = |names: &[&str]| {
        let (value, by) = find(names)?;
        let mib: u64 = value.parse().ok().filter(|mib| *mib > 0)?;
        Some((mib.saturating_mul(MIB), format!("{}={value} {by}", names[0])))
    };
    let seen = seen(case.room, case.major());
    let default = default_old(seen, case.major());
    let semi = mib(&["--max-semi-space-size", "--max_semi_space_size"]);
    let semi = semi.map_or_else(|| default_semi(default), |(semi, _)| semi);
    // V8 rounds it up.
    let semi = semi.checked_next_power_of_two().unwrap_or(semi);
    let by_percent = find(&["--max-old-space-size-percentage"]).and_then(|(value, by)| {
        let part = share(seen, percent(&value)?);
        Some((part, format!("--max-old-space-size-percentage={value} {by}")))
    });
    let told = by_percent.or_else(|| mib(&["--max-old-space-size", "--max_old_space_size"]));
    if let Some((old, source)) = told {
        return Heap { old, semi, source, is_told: true };
    }
    if let Some((whole, source)) = mib(&["--max-heap-size", "--max_heap_size"]) {
        return Heap { old: whole.saturating_sub(3 * semi), semi, source, is_told: true };
    }
    let of =
        if seen < case.room.machine { tr!("of its control group's limit") } else { tr!("of the machine's memory") };
    let rule = match case.major() {
        Some(major) if major < FIRST_BY_MEMORY => tr!("the default of Node.js before 12").to_owned(),
        _ if default == (seen / 2).next_multiple_of(PAGE) => {
            tr!("the default: half {of} ({seen})", of, seen = Bytes(seen))
        }
        _ if default == 256 * MIB => {
            tr!("the default: the least there is, as half {of} ({seen}) is less", of, seen = Bytes(seen))
        }
        _ => tr!("the default: the most there is, as half {of} ({seen}) is more", of, seen = Bytes(seen)),
    };
    Heap { old: default, semi, source: rule, is_told: false }
}

/// The options before the script: what follows it is the script's own.
fn own_options<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    /// Options with a word of their own behind them.
    const WITH_VALUE: &[&str] =
        &["-r", "--require", "--import", "-C", "--conditions", "--loader", "--experimental-loader", "--title"];
    let mut end = 1;
    while let Some(word) = words.get(end) {
        if !word.starts_with('-') || ["-e", "--eval", "-p", "--print", "-pe", "--", "-"].contains(word) {
            break;
        }
        end += if WITH_VALUE.contains(word) { 2 } else { 1 };
    }
    words.get(1..end.min(words.len())).unwrap_or_default()
}

/// The memory that Node.js takes for the machine's (`uv_get_constrained_memory`).
fn seen(room: Room, major: Option<u32>) -> u64 {
    let is_blind = room.version == CgroupVersion::V2 && major.is_some_and(|major| major < FIRST_OF_CGROUP_V2);
    if is_blind { room.machine } else { room.seen() }
}

/// The old generation where nobody said anything.
fn default_old(seen: u64, major: Option<u32>) -> u64 {
    if major.is_some_and(|major| major < FIRST_BY_MEMORY) {
        return 1400 * MIB;
    }
    let most = if seen / GIB >= 15 { 4 * GIB } else { 2 * GIB };
    (seen / 2).min(most).max(256 * MIB).next_multiple_of(PAGE)
}

/// A semi-space: a share of the old generation's default, 1 to 16 MiB, before it is rounded.
fn default_semi(old: u64) -> u64 {
    let ratio = if old <= 256 * MIB { 256 } else { 128 };
    (old / ratio).clamp(MIB, 16 * MIB).next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{known, room};
    use crate::model::process::Identity;
    use crate::model::runtime::Settings;

    fn told(command: &str, options: &str, machine_mib: u64) -> (u64, String) {
        let settings = Settings::new(format!("NODE_OPTIONS={options}\0").into_bytes());
        let identity = Identity { command: command.into(), settings, ..Identity::default() };
        let limit = known(&identity, room(machine_mib * MIB));
        (limit.bytes / MIB, limit.source)
    }

    /// As Node.js 20.20 itself says on a machine of 24105 MiB (`v8.getHeapStatistics().heap_size_limit`).
    #[test]
    fn the_limit_is_what_v8_says_of_itself() {
        for (options, mib) in [
            ("", 4144),
            ("--max-old-space-size=100", 148),
            ("--max-old-space-size=384", 432),
            ("--max_old_space_size=2048", 2096),
            ("--max-semi-space-size=64", 4288),
            ("--max-semi-space-size=64 --max-old-space-size=384", 576),
            ("--max_semi_space_size=1", 4099),
            ("--max-heap-size=500", 500),
        ] {
            assert_eq!(told(&format!("node {options} app.js"), "", 24105).0, mib, "{options}");
            assert_eq!(told("node app.js", options, 24105).0, mib, "{options} in NODE_OPTIONS");
        }
    }

    #[test]
    fn the_command_line_overrides_the_environment_and_the_script_has_options_of_its_own() {
        let (mib, source) = told("node --max-old-space-size=300 app.js", "--max-old-space-size=500", 2048);
        assert_eq!((mib, source.as_str()), (324, "--max-old-space-size=300 on the command line"));
        let (mib, source) = told("node app.js --max-old-space-size=300", "--max-old-space-size=500", 2048);
        assert_eq!((mib, source.as_str()), (524, "--max-old-space-size=500 in NODE_OPTIONS"));
        assert_eq!(told("node -r ./trace.js --max-old-space-size=300 app.js", "", 2048).0, 324);
        assert_eq!(told("node --max-old-space-size=nonsense app.js", "", 2048).0, 1048);
    }

    #[test]
    fn the_default_is_half_of_the_memory_within_bounds() {
        assert_eq!(
            told("node app.js", "", 2048),
            (1024 + 24, "the default: half of the machine's memory (2.00G)".into())
        );
        // As Node.js 20.20 itself says in control groups with these limits.
        for (limit_mib, mib, with_500_mib, with_semi_5_mib) in [
            (300, 259, 503, 280),
            (512, 259, 503, 280),
            (700, 362, 512, 374),
            (1000, 512, 512, 524),
            (5000, 2096, 548, 2072),
        ] {
            assert_eq!(told("node app.js", "", limit_mib).0, mib, "{limit_mib}");
            assert_eq!(told("node --max-old-space-size=500 app.js", "", limit_mib).0, with_500_mib, "{limit_mib}");
            assert_eq!(told("node --max-semi-space-size=5 app.js", "", limit_mib).0, with_semi_5_mib, "{limit_mib}");
        }
        assert_eq!(told("node app.js", "", 8192).0, 2048 + 48);
        assert_eq!(told("node app.js", "", 32768).0, 4096 + 48);
    }

    #[test]
    fn a_share_is_of_what_node_sees() {
        let (mib, source) = told("node --max-old-space-size-percentage=50 app.js", "--max-old-space-size=99", 2000);
        assert_eq!((mib, source.as_str()), (1000 + 24, "--max-old-space-size-percentage=50 on the command line"));
    }

    #[test]
    fn releases_before_20_do_not_see_the_limits_of_cgroup_v2() {
        let room = Room { machine: 8 * GIB, group: Some(GIB), version: CgroupVersion::V2 };
        assert_eq!(seen(room, Some(18)), 8 * GIB);
        assert_eq!((seen(room, Some(20)), seen(room, None)), (GIB, GIB));
        assert_eq!(seen(Room { version: CgroupVersion::V1, ..room }, Some(18)), GIB);
        assert_eq!(default_old(8 * GIB, Some(10)), 1400 * MIB);
    }
}
