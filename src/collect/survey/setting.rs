//! Settings of the kernel and the watermarks of its zones.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;

use crate::collect::files::Buffer;
use crate::collect::parse::{MOST_BYTES, lines, narrow, take_number};
use crate::collect::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::survey::{SETTINGS, Setting, Zone, Zones};
use crate::model::text::escape;

/// Reads every setting of [`SETTINGS`].
pub(super) fn read_settings(root: &ProcRoot, buffer: &mut Buffer) -> Reading<Arc<[Reading<Setting>]>> {
    let path = |file: &str| -> PathBuf {
        file.strip_prefix("/sys/").map_or_else(|| root.proc.join("sys").join(file), |file| root.sys.join(file))
    };
    let read = |buffer: &mut Buffer, file: &str| match buffer.read_path(&path(file)) {
        Ok(bytes) => Reading::Value(parse_setting(bytes)),
        Err(error) => reading_of_error(error),
    };
    Reading::Value(SETTINGS.iter().map(|spec| read(buffer, spec.file)).collect())
}

fn reading_of_error<T>(error: Errno) -> Reading<T> {
    match error {
        Errno::ACCESS | Errno::PERM => Reading::Denied(Denial::Root),
        _ => Reading::Unsupported(Need::Feature(Feature::Line)),
    }
}

/// A value as it is written: a number, a word, or of several words the one in brackets.
pub fn parse_setting(bytes: &[u8]) -> Setting {
    let text = bytes.trim_ascii();
    let open = text.iter().position(|byte| *byte == b'[');
    let chosen = open.and_then(|open| {
        let rest = &text[open + 1..];
        rest.iter().position(|byte| *byte == b']').map(|close| &rest[..close])
    });
    let text = chosen.unwrap_or(text);
    let mut rest = text;
    let number = take_number(&mut rest).filter(|_| rest.is_empty());
    Setting { text: escape(text).into_owned(), number }
}

/// Reads `/proc/zoneinfo`, and of `/proc/vmstat` what the limits of dirty pages come to.
pub(super) fn read_zones(root: &ProcRoot, buffer: &mut Buffer) -> Reading<Zones> {
    let mut zones = match buffer.read_path(&root.proc.join("zoneinfo")) {
        Ok(bytes) => Zones { zones: parse_zoneinfo(bytes, root.page_size), ..Zones::default() },
        Err(error) => return reading_of_error(error),
    };
    if let Ok(bytes) = buffer.read_path(&root.proc.join("vmstat")) {
        let line = |name: &[u8]| {
            let mut rest = lines(bytes).find_map(|line| line.strip_prefix(name))?;
            take_number(&mut rest).map(|pages| pages.saturating_mul(root.page_size).min(MOST_BYTES))
        };
        zones.dirty_background = line(b"nr_dirty_background_threshold ");
        zones.dirty = line(b"nr_dirty_threshold ");
    }
    Reading::Value(zones)
}

/// Decodes `/proc/zoneinfo` (proc_zoneinfo(5)); zones without memory are left out. Before Linux 3.9 there is no
/// `managed`: `present` stands for it.
pub fn parse_zoneinfo(bytes: &[u8], page_size: u64) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for line in lines(bytes) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { continue };
        if first == b"Node" {
            let node = words.next().and_then(|mut word| take_number(&mut word)).map_or(0, narrow);
            let name = words.next_back().map(escape).unwrap_or_default().into_owned();
            zones.push(Zone { node, name, ..Zone::default() });
            continue;
        }
        let Some(zone) = zones.last_mut() else { continue };
        // `pages free N` begins with a word more.
        let name = if first == b"pages" { words.next().unwrap_or_default() } else { first };
        let Some(pages) = words.next().and_then(|mut word| take_number(&mut word)) else { continue };
        let bytes = pages.saturating_mul(page_size).min(MOST_BYTES);
        match name {
            b"free" => zone.free = bytes,
            b"min" => zone.min = bytes,
            b"low" => zone.low = bytes,
            b"high" => zone.high = bytes,
            b"present" if zone.managed == 0 => zone.managed = bytes,
            b"managed" => zone.managed = bytes,
            _ => {}
        }
    }
    zones.retain(|zone| zone.managed > 0);
    zones
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_choice_the_chosen_word_is_the_value() {
        assert_eq!(parse_setting(b"always [madvise] never\n"), Setting { text: "madvise".into(), number: None });
        assert_eq!(parse_setting(b"60\n"), Setting { text: "60".into(), number: Some(60) });
        assert_eq!(parse_setting(b"18446744073692774399\n").number, Some(18_446_744_073_692_774_399));
        assert_eq!(parse_setting(b"Y\n").text, "Y");
        assert_eq!(parse_setting(b"\x1b[2J").text, "\\x1b[2J");
    }

    #[test]
    fn zones_without_memory_are_left_out() {
        let text = b"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 750546\n  pages free     3840\n        \
            boost    0\n        min      15\n        low      18\n        high     21\n        spanned  4095\n        \
            present  3998\n        managed  3840\n        protection: (0, 3170)\n  pagesets\n    cpu: 0\n              \
            count:    0\n              high:     9\nNode 0, zone  Movable\n  pages free     0\n        min      0\n        \
            present  0\n        managed  0\nNode 1, zone   Normal\n  pages free 7\n        min 1\n        present 9\n";
        let zones = parse_zoneinfo(text, 4096);
        let dma = Zone {
            node: 0,
            name: "DMA".into(),
            free: 3840 * 4096,
            min: 15 * 4096,
            low: 18 * 4096,
            high: 21 * 4096,
            managed: 3840 * 4096,
        };
        assert_eq!(zones[0], dma);
        assert_eq!((zones.len(), zones[1].node, zones[1].name.as_str()), (2, 1, "Normal"));
        assert_eq!(zones[1].managed, 9 * 4096, "before Linux 3.9 what is present stands for what is managed");
    }

    #[test]
    fn settings_that_are_not_there_are_unknown_and_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        std::fs::create_dir_all(root.proc.join("sys/vm")).unwrap();
        std::fs::write(root.proc.join("sys/vm/swappiness"), "60\n").unwrap();
        let settings = read_settings(&root, &mut Buffer::new()).value().unwrap();
        assert_eq!(settings.len(), SETTINGS.len());
        let known: Vec<_> = settings.iter().filter_map(|setting| setting.as_ref().value()).collect();
        assert_eq!(known, [&Setting { text: "60".into(), number: Some(60) }]);
        assert_eq!(read_zones(&root, &mut Buffer::new()).value(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_setting(&bytes);
            parse_zoneinfo(&bytes, 4096);
            parse_zoneinfo(&[b"Node 0, zone X\n pages free ", &bytes[..]].concat(), 4096);
        }
    }
}
