//! Descriptors by folder: where in the file system most of them lead.

use std::collections::BTreeMap;

use super::descriptor::Target;
use crate::model::text::Text;

/// A folder and what is open in it and below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The folder, without a slash at its end but for `/`.
    pub folder: Text,
    /// Descriptors that lead there.
    pub count: u32,
    /// Different paths among them.
    pub paths: u32,
}

/// Sums targets with a path by the folder they are in, the most first. Where that gives more than `most` folders, those
/// with the fewest are counted with the folder around them, so that each descriptor is counted once.
pub fn by_prefix<'a>(targets: impl IntoIterator<Item = &'a Target>, most: usize) -> Vec<Prefix> {
    let mut folders: BTreeMap<&[u8], (u32, u32)> = BTreeMap::new();
    for target in targets {
        if let Some(folder) = parent(target.name.as_bytes()) {
            let (count, paths) = folders.entry(folder).or_default();
            *count = count.saturating_add(target.count);
            *paths = paths.saturating_add(1);
        }
    }
    let depth = |folder: &[u8]| folder.split(|byte| *byte == b'/').count();
    while folders.len() > most.max(1) {
        // The deepest of the smallest: a folder never swallows what is above it.
        let smallest = folders.iter().filter(|(folder, _)| **folder != b"/");
        let smallest = smallest.min_by_key(|(folder, (count, _))| (*count, usize::MAX - depth(folder)));
        let Some((folder, (count, paths))) = smallest.map(|(folder, sum)| (*folder, *sum)) else { break };
        folders.remove(folder);
        let (above_count, above_paths) = folders.entry(parent(folder).unwrap_or(b"/")).or_default();
        *above_count = above_count.saturating_add(count);
        *above_paths = above_paths.saturating_add(paths);
    }
    let mut prefixes: Vec<Prefix> = folders
        .into_iter()
        .map(|(folder, (count, paths))| Prefix { folder: Text::new(folder), count, paths })
        .collect();
    prefixes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.folder.cmp(&b.folder)));
    prefixes
}

/// The folder that a path is in; `None` for what is no absolute path.
fn parent(path: &[u8]) -> Option<&[u8]> {
    if path.first() != Some(&b'/') || path == b"/" {
        return None;
    }
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    Some(if slash == 0 { b"/" } else { &path[..slash] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::inspect::descriptor::DescriptorKind;

    fn target(path: &str, count: u32) -> Target {
        Target {
            kind: DescriptorKind::File,
            name: path.into(),
            is_deleted: false,
            socket: None,
            count,
            lowest: 0,
            highest: 0,
            blocks: 0,
            info: None,
        }
    }

    fn shown(targets: &[Target], most: usize) -> Vec<(String, u32, u32)> {
        by_prefix(targets, most).into_iter().map(|p| (p.folder.escaped().into_owned(), p.count, p.paths)).collect()
    }

    #[test]
    fn files_are_summed_by_folder_and_small_folders_by_the_one_around_them() {
        let targets = [
            target("/var/log/app/1.log", 300),
            target("/var/log/app/2.log", 20),
            target("/var/log/a/x", 1),
            target("/var/log/b/y", 2),
            target("/dev", 1),
            target("pipe:[7]", 9),
        ];
        assert_eq!(shown(&targets, 9)[0], ("/var/log/app".into(), 320, 2));
        assert_eq!(
            shown(&targets, 3),
            [("/var/log/app".into(), 320, 2), ("/".into(), 2, 2), ("/var/log/b".into(), 2, 1)]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_counted_twice(paths in proptest::collection::vec("(/[ab]{1,2}){1,5}", 1..40), most in 1usize..8) {
            let targets: Vec<Target> = paths.iter().map(|path| target(path, 3)).collect();
            let prefixes = by_prefix(&targets, most);
            prop_assert!(prefixes.len() <= most);
            prop_assert_eq!(prefixes.iter().map(|prefix| prefix.count).sum::<u32>(), 3 * targets.len() as u32);
        }
    }
}
