//! Histograms in files: what `memtide heap histogram --format json` wrote, a heap profile of Go, or what
//! `jcmd PID GC.class_histogram` printed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::export::histogram::read as read_json;
use crate::model::histogram::{Histogram, is_gzip, parse_hotspot, parse_pprof, unpack};
use crate::model::text::escape;

/// The longest file, compressed and not, bytes.
pub const MOST_PACKED: usize = 64 << 20;
/// See above.
pub const MOST: usize = 512 << 20;

/// So much of a file tells what it is.
const BEGINNING: u64 = 4096;

/// A heap profile of Go, compressed or not.
pub fn of_profile(bytes: &[u8], source: &str) -> Result<Histogram, String> {
    let source = escape(source.as_bytes());
    if !is_gzip(bytes) {
        return parse_pprof(bytes, &source).map_err(|why| why.to_string());
    }
    let unpacked = unpack(bytes, MOST).ok_or("it can't be decompressed: it is damaged, or far too long")?;
    parse_pprof(&unpacked, &source).map_err(|why| why.to_string())
}

/// The histogram in a file; `None` where it is something else.
pub(super) fn of_file(path: &Path) -> Result<Option<Histogram>, String> {
    let told = |error: io::Error| error.to_string();
    let beginning = beginning(path).map_err(told)?;
    let text = beginning.trim_ascii_start();
    let first = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    if first.is_some_and(|first| first.starts_with(b"\"snapshot\"")) {
        return Ok(None);
    }
    let is_ours = contains(&beginning, b"\"jvm_classes\"")
        || contains(&beginning, b"\"go_functions\"")
        || contains(&beginning, b"memtide.heap_histogram")
        || first.is_some_and(|first| first.starts_with(b"\"bytes\""));
    if first.is_some() {
        return if is_ours { read_json(&whole(path, MOST)?).map(Some) } else { Ok(None) };
    }
    if contains(&beginning, b"#instances") {
        let bytes = whole(path, MOST)?;
        let text = String::from_utf8_lossy(&bytes);
        let known = parse_hotspot(&text, 0, 0);
        return Ok(known.map(|histogram| Histogram { pid: None, time_ms: None, source: String::new(), ..histogram }));
    }
    // What is neither is told of as a snapshot that it is not.
    let length = path.metadata().map_err(told)?.len();
    if length > MOST_PACKED as u64 {
        return Ok(None);
    }
    Ok(of_profile(&whole(path, MOST_PACKED)?, &path.to_string_lossy()).ok())
}

/// The beginning of what is in a file, compressed or not.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    file.by_ref().take(BEGINNING).read_to_end(&mut bytes)?;
    if is_gzip(&bytes) {
        let mut unpacked = Vec::new();
        // Of a damaged one there is less, or nothing; who opens it says so.
        let _ = flate2::bufread::MultiGzDecoder::new(&bytes[..]).take(BEGINNING).read_to_end(&mut unpacked);
        return Ok(unpacked);
    }
    Ok(bytes)
}

fn whole(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() > most { Err(format!("it has more than {most} bytes")) } else { Ok(bytes) }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}
