//! What a program was told about its own memory, as far as its command line shows it.

use crate::model::process::Identity;

/// A limit that a program keeps to, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimit {
    /// It fills this much as it sees fit and then makes room itself: a cache, a collected heap.
    Given(u64),
    /// It may have been given a limit in a file or over the network.
    Unseen,
    /// It ends when it needs more.
    Fatal(u64),
}

/// The limit of its own that a process has; `mem_total` is the machine's, or its container's.
pub fn own_limit(identity: &Identity, mem_total: u64) -> Option<OwnLimit> {
    let command = identity.command.escaped();
    let mut words = command.split_ascii_whitespace();
    let program = words.next()?.rsplit('/').next()?.trim_end_matches(':');
    let rest = || words.clone();
    match program {
        "java" => {
            let option = |name: &str| rest().find_map(|word| word.strip_prefix(name).and_then(parse_size));
            let percent = || {
                let value = rest().find_map(|word| word.strip_prefix("-XX:MaxRAMPercentage="))?;
                value.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))
            };
            let heap = option("-Xmx")
                .or_else(|| option("-XX:MaxHeapSize="))
                .unwrap_or_else(|| (mem_total as f64 * percent().unwrap_or(25.0) / 100.0) as u64);
            Some(OwnLimit::Given(heap))
        }
        "node" | "nodejs" => {
            let value = rest().find_map(|word| {
                let word =
                    word.strip_prefix("--max-old-space-size").or_else(|| word.strip_prefix("--max_old_space_size"))?;
                word.strip_prefix('=')?.parse::<u64>().ok()
            })?;
            Some(OwnLimit::Fatal(value.saturating_mul(1 << 20)))
        }
        // Its arguments give way to a title once it runs.
        "redis-server" | "valkey-server" | "keydb-server" => {
            Some(after(rest(), "--maxmemory").and_then(parse_size).map_or(OwnLimit::Unseen, OwnLimit::Given))
        }
        // memcached(1): 64 megabytes unless told otherwise.
        "memcached" => {
            let megabytes = after(rest(), "-m").and_then(|value| value.parse::<u64>().ok()).unwrap_or(64);
            Some(OwnLimit::Given(megabytes.saturating_mul(1 << 20)))
        }
        _ => None,
    }
}

fn after<'a>(mut words: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    words.find(|word| *word == name)?;
    words.next()
}

/// `512m`, `2G`, `100mb`, `1048576`.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    number.checked_mul(1 << unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(command: &str) -> Option<OwnLimit> {
        own_limit(&Identity { command: command.into(), ..Identity::default() }, 2 << 30)
    }

    #[test]
    fn what_was_told_is_known() {
        assert_eq!(limit("/usr/bin/java -Xms64m -Xmx512m -jar app.jar"), Some(OwnLimit::Given(512 << 20)));
        assert_eq!(limit("java -jar app.jar"), Some(OwnLimit::Given(512 << 20)), "a quarter of the machine");
        assert_eq!(limit("java -XX:MaxRAMPercentage=50.0 App"), Some(OwnLimit::Given(1 << 30)));
        assert_eq!(limit("node --max-old-space-size=384 app.js"), Some(OwnLimit::Fatal(384 << 20)));
        assert_eq!(limit("node app.js"), None);
        assert_eq!(limit("redis-server --port 1 --maxmemory 100mb"), Some(OwnLimit::Given(100 << 20)));
        assert_eq!(limit("redis-server *:6379"), Some(OwnLimit::Unseen));
        assert_eq!(limit("memcached -u nobody"), Some(OwnLimit::Given(64 << 20)));
        assert_eq!(limit(""), None);
    }
}
