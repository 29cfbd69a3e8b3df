//! The statistics of V8's heap, as the process tells them itself.

use std::time::Duration;

use serde_json::Value;

use super::error::HeapError;
use crate::model::v8::{HeapSpace, HeapStats};

/// No V8 has more spaces than this.
const MOST_SPACES: usize = 64;

/// Reads what the process says.
pub(super) fn parse(said: &Value) -> Result<HeapStats, HeapError> {
    let (heap, memory) = (&said["heap"], &said["memory"]);
    let of = |from: &Value, name: &str| from[name].as_u64();
    let used = of(heap, "used_heap_size").or_else(|| of(memory, "heapUsed"));
    let total = of(heap, "total_heap_size").or_else(|| of(memory, "heapTotal"));
    let (Some(used), Some(total)) = (used, total) else {
        return Err(HeapError::failed("it does not tell the size of its heap"));
    };
    let plain = |value: &Value| {
        value.as_str().map(|text| crate::model::text::escape(text.as_bytes()).chars().take(40).collect::<String>())
    };
    let spaces = said["spaces"].as_array().map(Vec::as_slice).unwrap_or_default().iter().take(MOST_SPACES);
    let spaces = spaces.map(|space| {
        let of = |name: &str| space[name].as_u64().unwrap_or(0);
        HeapSpace {
            name: plain(&space["space_name"]).unwrap_or_default(),
            size: of("space_size"),
            used: of("space_used_size"),
            available: of("space_available_size"),
            physical: of("physical_space_size"),
        }
    });
    Ok(HeapStats {
        version: plain(&said["version"]).map(|version| version.trim_start_matches('v').to_owned()),
        uptime: said["uptime"].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        used,
        total,
        physical: of(heap, "total_physical_size"),
        limit: of(heap, "heap_size_limit"),
        available: of(heap, "total_available_size"),
        external: of(memory, "external").or_else(|| of(heap, "external_memory")),
        array_buffers: of(memory, "arrayBuffers"),
        malloced: of(heap, "malloced_memory"),
        peak_malloced: of(heap, "peak_malloced_memory"),
        rss: of(memory, "rss"),
        native_contexts: of(heap, "number_of_native_contexts"),
        detached_contexts: of(heap, "number_of_detached_contexts"),
        spaces: spaces.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_told_is_not_zero() {
        let stats = parse(&json!({"memory": {"heapUsed": 5, "heapTotal": 9, "external": 3}})).unwrap();
        assert_eq!((stats.used, stats.total, stats.external), (5, 9, Some(3)));
        assert_eq!((stats.limit, stats.native_contexts, stats.spaces.len()), (None, None, 0));
        for bad in [json!({}), json!({"heap": []}), json!({"memory": {"heapUsed": "5"}}), json!(null)] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hostile_name_of_a_space_is_made_harmless() {
        let said = json!({"version": "v20.1.0", "memory": {"heapUsed": 1, "heapTotal": 1},
            "spaces": [{"space_name": "old\u{1b}[2J", "space_size": 7}]});
        let stats = parse(&said).unwrap();
        assert_eq!((stats.version.as_deref(), stats.spaces[0].name.as_str()), (Some("20.1.0"), "old\\x1b[2J"));
    }
}
