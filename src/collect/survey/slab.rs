//! Slab by cache. Reading `/proc/slabinfo` takes locks of the allocator: never in every sample.

use std::collections::HashMap;
use std::sync::Arc;

use rustix::io::Errno;

use crate::collect::files::Buffer;
use crate::collect::parse::{MOST_BYTES, lines, take_number};
use crate::collect::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::survey::SlabCache;
use crate::model::text::Text;

/// Reads slab, and remembers which caches are reclaimable: that never changes.
#[derive(Default)]
pub(super) struct SlabReader {
    reclaimable: HashMap<Text, Option<bool>>,
}

impl SlabReader {
    pub(super) fn read(&mut self, root: &ProcRoot, buffer: &mut Buffer) -> Reading<Arc<[SlabCache]>> {
        let mut caches = match buffer.read_path(&root.proc.join("slabinfo")) {
            Ok(bytes) => parse_slabinfo(bytes, root.page_size),
            Err(Errno::ACCESS | Errno::PERM) => return Reading::Denied(Denial::Root),
            Err(_) => return Reading::Unsupported(Need::Feature(Feature::SlabInfo)),
        };
        caches.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        for cache in &mut caches {
            let name = cache.name.clone();
            let known = self.reclaimable.entry(name).or_insert_with_key(|name| is_reclaimable(root, name, buffer));
            cache.is_reclaimable = *known;
        }
        Reading::Value(caches.into())
    }
}

/// SLUB's `/sys/kernel/slab/NAME/reclaim_account`, which is root's to read.
fn is_reclaimable(root: &ProcRoot, name: &Text, buffer: &mut Buffer) -> Option<bool> {
    let name = std::str::from_utf8(name.as_bytes()).ok().filter(|name| !name.contains('/') && *name != "..")?;
    let path = root.sys.join("kernel/slab").join(name).join("reclaim_account");
    buffer.read_path(&path).ok().map(|bytes| bytes.first() == Some(&b'1'))
}

/// Decodes `/proc/slabinfo` (slabinfo(5)), version 2: name, objects in use, objects, object size, objects a slab, pages
/// a slab, tunables, and behind `slabdata` the slabs in use and all of them. What is no cache is left out.
pub fn parse_slabinfo(bytes: &[u8], page_size: u64) -> Vec<SlabCache> {
    let cache = |line: &[u8]| {
        let blank = line.iter().position(|byte| *byte == b' ')?;
        let (name, mut rest) = (&line[..blank], &line[blank..]);
        let mut next = || take_number(&mut rest);
        let (active, objects, object_size, _, pages) = (next()?, next()?, next()?, next()?, next()?);
        let place = line.windows(DATA.len()).position(|window| window == DATA)?;
        let mut data = &line[place + DATA.len()..];
        take_number(&mut data)?;
        let slabs = take_number(&mut data)?;
        let bytes = slabs.saturating_mul(pages).saturating_mul(page_size).min(MOST_BYTES);
        Some(SlabCache { name: Text::new(name), active, objects, object_size, bytes, is_reclaimable: None })
    };
    lines(bytes).filter(|line| !line.starts_with(b"#") && !line.starts_with(b"slabinfo")).filter_map(cache).collect()
}

const DATA: &[u8] = b": slabdata";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "slabinfo - version: 2.1\n\
        # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n\
        dentry             60000  63000    192   21    1 : tunables    0    0    0 : slabdata   3000   3000      0\n\
        kmalloc-8k            40     40   8192    4    8 : tunables    0    0    0 : slabdata     10     10      0\n\
        broken 1 2\n";

    #[test]
    fn a_cache_has_the_pages_of_its_slabs() {
        let caches = parse_slabinfo(TEXT.as_bytes(), 4096);
        assert_eq!(caches.len(), 2);
        assert_eq!((caches[0].bytes, caches[0].idle()), (3000 * 4096, 3000 * 4096 - 60_000 * 192));
        assert_eq!((caches[1].bytes, caches[1].idle()), (10 * 8 * 4096, 0));
    }

    #[test]
    fn the_largest_stands_first_and_who_can_shrink_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        let unknown = SlabReader::default().read(&root, &mut Buffer::new());
        assert_eq!(unknown.value(), None);
        std::fs::create_dir_all(&root.proc).unwrap();
        std::fs::write(root.proc.join("slabinfo"), TEXT).unwrap();
        for (name, account) in [("dentry", "1\n"), ("kmalloc-8k", "0\n")] {
            let cache = root.sys.join("kernel/slab").join(name);
            std::fs::create_dir_all(&cache).unwrap();
            std::fs::write(cache.join("reclaim_account"), account).unwrap();
        }
        let caches = SlabReader::default().read(&root, &mut Buffer::new()).value().unwrap();
        let told: Vec<_> = caches.iter().map(|cache| (cache.name.escaped(), cache.is_reclaimable)).collect();
        assert_eq!(told, [("dentry".into(), Some(true)), ("kmalloc-8k".into(), Some(false))]);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_slabinfo(&bytes, 4096);
            parse_slabinfo(&[b"a 1 2 3 4 5 : slabdata ", &bytes[..]].concat(), 4096);
        }
    }
}
