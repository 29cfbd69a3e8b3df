//! Stores in memory: Redis and its kin, memcached.

use super::Case;
use super::words::{after, size};
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};

/// Redis lets its arguments give way to a title once it runs, and takes a limit over the network too.
pub(super) fn redis(case: &Case<'_>) -> OwnLimit {
    let known = |value: &str, source: String| {
        let bytes = size(value).filter(|bytes| *bytes > 0)?;
        Some(OwnLimit::Known(KnownLimit {
            bytes,
            of: tr!("data"),
            source,
            then: tr!("it evicts keys, or refuses writes (maxmemory-policy)"),
            is_told: true,
            keeping: Keeping::Fills,
        }))
    };
    let told = after(case.words, "--maxmemory")
        .and_then(|value| known(value, tr!("--maxmemory {value} on the command line", value)));
    let written = || {
        let config = case.clues?.config.as_ref()?;
        let lines = config.lines.as_ref()?.escaped();
        // Newlines are escaped.
        let value = lines.split("\\n").filter_map(|line| {
            let (name, value) = line.trim().split_once(' ')?;
            name.eq_ignore_ascii_case("maxmemory").then(|| value.trim().trim_matches('"').to_owned())
        });
        // The last of several counts.
        let value = value.last()?;
        known(&value, tr!("maxmemory {value} in {path}", value, path = config.path.escaped()))
    };
    told.or_else(written)
        .unwrap_or_else(|| OwnLimit::Unseen(tr!("redis-cli CONFIG GET maxmemory tells it; 0 is none").into()))
}

/// 64 megabytes unless told otherwise (memcached(1)).
pub(super) fn memcached(case: &Case<'_>) -> OwnLimit {
    let word = case.words.iter().rev().find_map(|word| {
        word.strip_prefix("--memory-limit=").or_else(|| word.strip_prefix("-m").filter(|rest| !rest.is_empty()))
    });
    let told = after(case.words, "-m").or(word).and_then(|value| value.parse::<u64>().ok());
    OwnLimit::Known(KnownLimit {
        bytes: told.unwrap_or(64).saturating_mul(1 << 20),
        of: tr!("items"),
        source: told.map_or_else(|| tr!("the default").to_owned(), |mib| tr!("-m {mib} on the command line", mib)),
        then: tr!("it drops the items that were used least"),
        is_told: told.is_some(),
        keeping: Keeping::Fills,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{clues, identity, known, room};
    use crate::analyze::runtime::{derive, own_limit};
    use crate::model::runtime::{Clues, ConfigFile};

    #[test]
    fn a_store_is_told_its_limit_or_it_is_not_seen() {
        assert_eq!(known(&identity("redis-server --port 1 --maxmemory 100mb"), room(1 << 31)).bytes, 100 << 20);
        assert!(matches!(own_limit(&identity("redis-server *:6379"), room(1 << 31)), Some(OwnLimit::Unseen(_))));
        assert!(matches!(own_limit(&identity("redis-server --maxmemory 0"), room(1 << 31)), Some(OwnLimit::Unseen(_))));
        assert_eq!(known(&identity("memcached -u nobody"), room(1 << 31)).bytes, 64 << 20);
        assert_eq!(known(&identity("memcached -m 128 -l ::1"), room(1 << 31)).bytes, 128 << 20);
        assert_eq!(known(&identity("memcached -m256"), room(1 << 31)).bytes, 256 << 20);
    }

    #[test]
    fn the_configuration_file_is_asked_where_it_is_named() {
        let config = |lines: &str| ConfigFile { path: "/etc/redis/redis.conf".into(), lines: Some(lines.into()) };
        let of = |lines| {
            let clues = Clues { config: Some(config(lines)), ..clues() };
            derive(&identity("redis-server /etc/redis/redis.conf"), &clues, None).unwrap().limit
        };
        let OwnLimit::Known(limit) = of("maxmemory 1gb\nmaxmemory 2gb\n") else { panic!() };
        assert_eq!((limit.bytes, limit.source.as_str()), (2 << 30, "maxmemory 2gb in /etc/redis/redis.conf"));
        assert!(matches!(of("maxmemory-policy noeviction\n"), OwnLimit::Unseen(_)));
    }
}
