//! The counters of a JVM: the file that HotSpot keeps in `/tmp/hsperfdata_USER/PID` unless it was started with
//! `-XX:-UsePerfData` (src/hotspot/share/runtime/perfMemory.hpp).

use std::collections::BTreeMap;

use crate::model::runtime::JvmCounters;

const MAGIC: &[u8] = &[0xca, 0xfe, 0xc0, 0xc0];

/// The file's own header, and that of an entry.
const PROLOGUE: usize = 32;
const ENTRY: usize = 20;

/// More entries than any release has.
const MOST_ENTRIES: usize = 4096;

/// Decodes a file of counters; `None` where it is none, or is just being made.
pub fn parse_counters(bytes: &[u8]) -> Option<JvmCounters> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let is_little = match bytes.get(4)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let word = |bytes: &[u8], at: usize| {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) } as usize)
    };
    let long = |bytes: &[u8], at: usize| {
        let eight: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if is_little { u64::from_le_bytes(eight) } else { u64::from_be_bytes(eight) })
    };
    let mut numbers: BTreeMap<&[u8], u64> = BTreeMap::new();
    let mut texts: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    let mut at = word(bytes, 24)?.max(PROLOGUE);
    for _ in 0..word(bytes, 28)?.min(MOST_ENTRIES) {
        let Some(length) = word(bytes, at).filter(|length| *length >= ENTRY) else { break };
        let Some(entry) = bytes.get(at..at.saturating_add(length)) else { break };
        let (Some(name_at), Some(data_at)) = (word(entry, 4), word(entry, 16)) else { break };
        let name = entry.get(name_at..).map(until_nul).unwrap_or_default();
        match entry.get(12) {
            Some(b'J') => {
                numbers.extend(long(entry, data_at).map(|number| (name, number)));
            }
            Some(b'B') => {
                texts.extend(entry.get(data_at..).map(|text| (name, until_nul(text))));
            }
            _ => {}
        }
        at += length;
    }
    Some(counters(&numbers, &texts))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn counters(numbers: &BTreeMap<&[u8], u64>, texts: &BTreeMap<&[u8], &[u8]>) -> JvmCounters {
    let number = |name: String| numbers.get(name.as_bytes()).copied();
    let text = |name: &str| texts.get(name.as_bytes()).map(|text| String::from_utf8_lossy(text).into_owned());
    let (mut used, mut capacity, mut most) = (0u64, 0u64, Vec::new());
    // Generation 2 was the permanent one, until Java 7: no part of the heap.
    for generation in 0..2 {
        let of = |rest: &str| number(format!("sun.gc.generation.{generation}.{rest}"));
        for space in 0..4 {
            used = used.saturating_add(of(&format!("space.{space}.used")).unwrap_or(0));
            capacity = capacity.saturating_add(of(&format!("space.{space}.capacity")).unwrap_or(0));
        }
        most.extend(of("maxCapacity"));
    }
    let collectors: Vec<String> = (0..3).filter_map(|nth| text(&format!("sun.gc.collector.{nth}.name"))).collect();
    // Where generations are made of regions each may take the whole heap.
    let is_shared = collectors.iter().any(|name| name.contains("G1"));
    let most = if is_shared { most.into_iter().max() } else { Some(most.into_iter().fold(0, u64::saturating_add)) };
    JvmCounters {
        version: text("java.property.java.version").filter(|version| !version.is_empty()),
        collectors,
        used,
        capacity,
        most: most.unwrap_or(0),
        metaspace: number("sun.gc.metaspace.used".into()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(name: &str, value: u64) -> Vec<u8> {
        entry(name, b'J', &value.to_le_bytes())
    }

    fn text(name: &str, value: &str) -> Vec<u8> {
        entry(name, b'B', &[value.as_bytes(), b"\0"].concat())
    }

    fn entry(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
        let data_at = (ENTRY + name.len() + 1).next_multiple_of(8);
        let length = (data_at + data.len()).next_multiple_of(4);
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&(ENTRY as u32).to_le_bytes());
        bytes[12] = kind;
        bytes[16..20].copy_from_slice(&(data_at as u32).to_le_bytes());
        bytes[ENTRY..ENTRY + name.len()].copy_from_slice(name.as_bytes());
        bytes[data_at..data_at + data.len()].copy_from_slice(data);
        bytes
    }

    fn file(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; PROLOGUE];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = 1;
        bytes[24..28].copy_from_slice(&(PROLOGUE as u32).to_le_bytes());
        bytes[28..32].copy_from_slice(&(entries.len() as u32).to_le_bytes());
        bytes.extend(entries.concat());
        bytes
    }

    fn serial() -> Vec<u8> {
        file(&[
            text("java.property.java.version", "17.0.15"),
            text("sun.gc.collector.0.name", "Copy"),
            text("sun.gc.collector.1.name", "MSC"),
            number("sun.gc.generation.0.space.0.used", 10),
            number("sun.gc.generation.0.space.0.capacity", 20),
            number("sun.gc.generation.1.space.0.used", 100),
            number("sun.gc.generation.1.space.0.capacity", 200),
            number("sun.gc.generation.0.maxCapacity", 300),
            number("sun.gc.generation.1.maxCapacity", 700),
            number("sun.gc.metaspace.used", 5),
        ])
    }

    #[test]
    fn the_heap_is_the_sum_of_its_spaces() {
        let counters = parse_counters(&serial()).unwrap();
        assert_eq!(counters.version.as_deref(), Some("17.0.15"));
        assert_eq!((counters.used, counters.capacity, counters.most, counters.metaspace), (110, 220, 1000, 5));
        assert_eq!(counters.collectors, ["Copy", "MSC"]);
    }

    #[test]
    fn generations_that_share_the_heap_are_counted_once() {
        let shared = file(&[
            text("sun.gc.collector.0.name", "G1 young collection pauses"),
            number("sun.gc.generation.0.maxCapacity", 500),
            number("sun.gc.generation.1.maxCapacity", 500),
        ]);
        assert_eq!(parse_counters(&shared).unwrap().most, 500);
    }

    #[test]
    fn what_is_no_file_of_counters_is_none() {
        assert_eq!(parse_counters(b""), None);
        assert_eq!(parse_counters(&[0; 64]), None);
        assert_eq!(parse_counters(&MAGIC.repeat(2)), None);
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_no_panic(at in 0usize..900, byte in any::<u8>(), cut in 0usize..900) {
            let mut bytes = serial();
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len() - cut % bytes.len());
            parse_counters(&bytes);
        }
    }
}
