//! Shared memory: file systems in RAM, segments, `/dev/shm`, and files that no path leads to.

use super::{About, Sheet, SheetRow, Tone, column, counted, percent};
use crate::model::reading::Denial;
use crate::model::survey::{Attachment, Holders, Segment, Standing};

/// What all of it comes to, and what of it is found below.
pub fn shmem(about: &About<'_>) -> Sheet {
    let mut sheet = Sheet::new(tr!("Shared memory and tmpfs"), Vec::new());
    let Some(all) = about.snapshot.sample.system.meminfo.shmem.value() else {
        sheet.note(tr!("The kernel does not tell how much there is."), Tone::Warn);
        return sheet;
    };
    let all_of_it =
        tr!("{all} of RAM is shared memory and tmpfs (Shmem); only swap or its owner frees it.", all = about.size(all));
    let mut lead = vec![all_of_it];
    let survey = about.survey;
    let mounts = survey.and_then(|survey| survey.tmpfs.value());
    let segments = survey.and_then(|survey| survey.segments.value());
    let loose = survey.and_then(|survey| survey.loose.value());
    if let (Some(mounts), Some(segments), Some(loose)) = (mounts, segments, loose) {
        let in_mounts = mounts.iter().filter_map(|mount| mount.usage.value()).map(|usage| usage.used);
        let in_segments = segments.iter().map(|segment| segment.rss.value().unwrap_or(segment.size));
        // What a mount holds without a path is in the use of the mount.
        let in_loose = loose.iter().filter(|loose| !loose.is_of_mount).map(|loose| loose.bytes);
        let are_mounts_known = mounts.is_empty() || mounts.iter().any(|mount| mount.usage.value().is_some());
        let [mounts, segments, loose] = [in_mounts.collect::<Vec<_>>(), in_segments.collect(), in_loose.collect()]
            .map(|sizes| sizes.into_iter().fold(0u64, u64::saturating_add));
        let rest = i128::from(all) - i128::from(mounts) - i128::from(segments) - i128::from(loose);
        lead.push(tr!(
            "Found: {mounts} in mounts, {segments} in System V segments, {loose} in other files without a path.",
            mounts = if are_mounts_known { about.size(mounts) } else { "-".to_owned() },
            segments = about.size(segments),
            loose = about.size(loose)
        ));
        let rest = if rest >= 0 {
            tr!("{rest} more: mounts of other namespaces, graphics, what could not be seen.", rest = about.signed(rest))
        } else {
            tr!(
                "That is {rest} more than is in RAM: some is in swap, or less than was mapped is used.",
                rest = about.signed(-rest)
            )
        };
        lead.push(rest);
    }
    sheet.note(lead.join(" "), Tone::Plain);
    sheet
}

/// Mounts of tmpfs and how full they are.
pub fn tmpfs(about: &About<'_>) -> Sheet {
    let columns = vec![
        column("TMPFS", false, 0),
        column(key!("KIND"), false, 3),
        column(key!("USED"), true, 0),
        column(key!("LIMIT"), true, 1),
        column(key!("USE%"), true, 1),
        column(key!("INODES"), true, 2),
        column("", false, 0),
    ];
    let mut sheet = Sheet::new(tr!("tmpfs by mount"), columns);
    let Some(mounts) = about.part(&mut sheet, |survey| &survey.tmpfs) else { return sheet };
    if mounts.is_empty() {
        sheet.note(tr!("None is mounted here."), Tone::Muted);
    }
    sheet.fill(mounts.iter().map(|mount| {
        let path = mount.path.escaped().into_owned();
        let kind = mount.kind.escaped().into_owned();
        let Some(usage) = mount.usage.value() else {
            let none = || "-".to_owned();
            let why = mount.usage.explain().unwrap_or_default();
            return SheetRow::new(vec![path, kind, none(), none(), none(), none(), why], Tone::Muted);
        };
        let is_full = usage.used.saturating_mul(10) >= usage.size.saturating_mul(9);
        let cells = vec![
            path,
            kind,
            about.size(usage.used),
            about.size(usage.size),
            percent(usage.used, usage.size),
            usage.inodes.to_string(),
            if is_full { tr!("nearly full") } else { "" }.to_owned(),
        ];
        SheetRow::new(cells, if is_full { Tone::Warn } else { Tone::Plain })
    }));
    sheet
}

/// System V segments; those that nobody has any more are marked.
pub fn segments(about: &About<'_>) -> Sheet {
    let columns = vec![
        column("ID", true, 0),
        column(key!("KEY"), false, 5),
        column(key!("OWNER"), false, 3),
        column(key!("MODE"), true, 6),
        column(key!("SIZE"), true, 0),
        column("RAM", true, 1),
        column(key!("SWAP"), true, 4),
        column(key!("ATTACHED"), true, 2),
        column(key!("STANDING"), false, 0),
        column(key!("WHO"), false, 0),
    ];
    let mut sheet = Sheet::new(tr!("System V shared memory"), columns);
    let Some(segments) = about.part(&mut sheet, |survey| &survey.segments) else { return sheet };
    let leaked: Vec<_> = segments.iter().filter(|segment| segment.standing() == Standing::Leaked).collect();
    let held = segments.iter().map(Segment::held).fold(0u64, u64::saturating_add);
    if segments.is_empty() {
        sheet.note(tr!("There is no segment."), Tone::Good);
        return sheet;
    }
    let lead = tr!(
        "{count} with {held}.",
        count = counted(segments.len(), tr!("segment" => "counted"), tr!("segments" => "counted")),
        held = about.size(held)
    );
    if leaked.is_empty() {
        sheet.note(lead, Tone::Plain);
    } else {
        let lost = leaked.iter().map(|segment| segment.held()).fold(0u64, u64::saturating_add);
        let are = if leaked.len() == 1 { tr!("is") } else { tr!("are") };
        let said = tr!(
            "{lead} {leaked} {are} leaked, {lost}: nobody is attached and who made it is gone. `ipcrm -m ID` removes one.",
            lead,
            leaked = leaked.len(),
            are,
            lost = about.size(lost)
        );
        sheet.note(said, Tone::Bad);
    }
    sheet.fill(segments.iter().map(|segment| {
        let standing = segment.standing();
        let (word, tone) = tone_of(standing);
        let maker = match (segment.creator, segment.is_creator_alive) {
            (0, _) => tr!("made by a process of another pid namespace").to_owned(),
            (pid, Some(true)) => tr!("made by {pid}", pid = about.process(pid)),
            (pid, Some(false)) => tr!("made by {pid}, which is gone", pid),
            (pid, None) => tr!("made by {pid}", pid),
        };
        let mut who =
            if segment.holders.count > 0 { format!("{}; {maker}", holders(about, &segment.holders)) } else { maker };
        if segment.attached == 0 && segment.detached_s > 0 {
            who = tr!("{who}, left {time} ago", who, time = about.ago(segment.detached_s.cast_signed()));
        }
        if segment.is_destroyed() {
            who.push_str(tr!(", goes with the last attachment"));
        }
        let cells = vec![
            segment.id.to_string(),
            format!("0x{:08x}", segment.key),
            about.user(segment.uid),
            format!("{:03o}", segment.mode & 0o777),
            about.size(segment.size),
            about.known(&segment.rss),
            about.known(&segment.swap),
            segment.attached.to_string(),
            word.to_owned(),
            who,
        ];
        SheetRow::new(cells, tone)
    }));
    sheet
}

fn tone_of(standing: Standing) -> (&'static str, Tone) {
    let tone = match standing {
        Standing::InUse => Tone::Plain,
        Standing::Idle => Tone::Warn,
        Standing::Leaked => Tone::Bad,
    };
    (standing.word(), tone)
}

/// `node[7], bash[9] and 3 more`.
fn holders(about: &About<'_>, holders: &Holders) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = holders.pids.iter().take(NAMED).map(|pid| about.process(*pid)).collect();
    match holders.count as usize - named.len() {
        0 => named.join(", "),
        more => tr!("{named} and {more} more", named = named.join(", "), more),
    }
}

/// How far the look at all processes has come; nothing where it is complete.
fn extent(about: &About<'_>, sheet: &mut Sheet) {
    let Some(extent) = about.survey.map(|survey| survey.extent) else { return };
    if extent.waiting > 0 {
        let said = tr!(
            "Looked at {waiting} of {count} processes so far.",
            waiting = extent.processes - extent.waiting,
            count = extent.processes
        );
        sheet.note(said, Tone::Muted);
    }
    if extent.denied > 0 {
        let grant = Denial::Ptrace.grant();
        let who = counted(extent.denied as usize, tr!("process" => "counted"), tr!("processes" => "counted"));
        sheet.note(tr!("What {who} of other users have could not be seen: it {grant}.", who, grant), Tone::Warn);
    }
    if extent.is_hiding {
        let said =
            tr!("Processes that /proc does not show here, or of other pid namespaces, may have something as well.");
        sheet.note(said, Tone::Muted);
    }
    if extent.left_out > 0 {
        sheet.note(tr!("{left_out} more were found than can be kept.", left_out = extent.left_out), Tone::Muted);
    }
}

/// POSIX shared memory: files below `/dev/shm`; those that nobody has are marked.
pub fn posix(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("POSIX SHARED MEMORY"), false, 0),
        column(key!("OWNER"), false, 2),
        column(key!("SIZE"), true, 0),
        column(key!("LENGTH"), true, 4),
        column(key!("CHANGED"), true, 3),
        column(key!("STANDING"), false, 0),
        column(key!("WHO"), false, 0),
    ];
    let mut sheet = Sheet::new(tr!("POSIX shared memory: /dev/shm"), columns);
    let Some(files) = about.part(&mut sheet, |survey| &survey.posix) else { return sheet };
    if files.is_empty() {
        sheet.note(tr!("There is no file."), Tone::Good);
        return sheet;
    }
    let sum = files.iter().map(|file| file.allocated).fold(0u64, u64::saturating_add);
    let leaked: Vec<_> = files.iter().filter(|file| file.standing() == Standing::Leaked).collect();
    let lead = tr!(
        "{count} with {sum}.",
        count = counted(files.len(), tr!("file" => "counted"), tr!("files" => "counted")),
        sum = about.size(sum)
    );
    if leaked.is_empty() {
        sheet.note(lead, Tone::Plain);
    } else {
        let lost = leaked.iter().map(|file| file.allocated).fold(0u64, u64::saturating_add);
        let are = if leaked.len() == 1 { tr!("is") } else { tr!("are") };
        let said = tr!(
            "{lead} {leaked} {are} leaked, {lost}: no process has it open or mapped; rm frees it.",
            lead,
            leaked = leaked.len(),
            are,
            lost = about.size(lost)
        );
        sheet.note(said, Tone::Bad);
    }
    extent(about, &mut sheet);
    // Before the first look at all processes, and in a recording, which has none.
    let is_looked_at = about.survey.is_some_and(|survey| survey.extent.processes > 0);
    sheet.fill(files.iter().map(|file| {
        let (word, tone) = tone_of(file.standing());
        let (word, tone) = if is_looked_at { (word, tone) } else { ("-", Tone::Plain) };
        let who = match &file.held {
            _ if !is_looked_at => tr!("who has it was not looked at").to_owned(),
            Attachment::Held(found) => holders(about, found),
            Attachment::Nobody => tr!("nobody has it").to_owned(),
            Attachment::NobodySeen => tr!("nobody has it as far as can be seen").to_owned(),
        };
        let cells = vec![
            file.path.escaped().into_owned(),
            about.user(file.uid),
            about.size(file.allocated),
            about.size(file.length),
            tr!("{time} ago", time = about.ago(file.modified_s)),
            word.to_owned(),
            who,
        ];
        SheetRow::new(cells, tone)
    }));
    sheet
}

/// Memory that only open descriptors and mappings keep.
pub fn loose(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("WITHOUT A PATH"), false, 0),
        column(key!("KIND"), false, 1),
        column(key!("SIZE"), true, 0),
        column(key!("WHO"), false, 0),
    ];
    let mut sheet = Sheet::new(tr!("Without a path: deleted but open, memfd, shared maps"), columns);
    let Some(found) = about.part(&mut sheet, |survey| &survey.loose) else { return sheet };
    let sum = found.iter().map(|loose| loose.bytes).fold(0u64, u64::saturating_add);
    let lead = match found.len() {
        0 => tr!("None was found.").to_owned(),
        count => {
            tr!(
                "{count} with {sum}: freed once nobody has it any more.",
                count = counted(count, tr!("file" => "counted"), tr!("files" => "counted")),
                sum = about.size(sum)
            )
        }
    };
    sheet.note(lead, Tone::Plain);
    extent(about, &mut sheet);
    sheet.fill(found.iter().map(|loose| {
        let size = about.size(loose.bytes);
        let cells = vec![
            loose.path.escaped().into_owned(),
            loose.kind.word().to_owned(),
            if loose.is_extent { format!("<={size}") } else { size },
            holders(about, &loose.holders),
        ];
        SheetRow::new(cells, Tone::Plain)
    }));
    sheet
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{about, text};
    use super::*;
    use crate::model::reading::{BootMs, Feature, Need, Reading};
    use crate::model::survey::{Extent, Loose, LooseKind, ShmFile, Survey, Surveyed, Tmpfs, TmpfsUse};
    use crate::model::testing::{process, snapshot};

    fn surveyed<T, const N: usize>(values: [T; N]) -> Surveyed<Arc<[T]>> {
        Surveyed { reading: Reading::Value(values.into()), at: BootMs(0), cost_us: 0, left_out: 0 }
    }

    fn held(pids: &[u32]) -> Holders {
        let mut holders = Holders::default();
        for pid in pids {
            holders.add(*pid);
        }
        holders
    }

    fn segment(id: u32, attached: u64, is_creator_alive: Option<bool>) -> Segment {
        Segment {
            key: 0x2a,
            id,
            uid: 1000,
            mode: 0o600,
            size: 8 << 20,
            rss: Reading::Value(4 << 20),
            swap: Reading::Value(0),
            attached,
            creator: 7,
            is_creator_alive,
            last: 7,
            holders: if attached > 0 { held(&[7]) } else { Holders::default() },
            detached_s: 0,
            changed_s: 0,
        }
    }

    #[test]
    fn a_segment_of_nobody_is_marked_with_the_way_to_remove_it() {
        let segments_found =
            surveyed([segment(1, 1, Some(true)), segment(2, 0, Some(false)), segment(3, 0, Some(true))]);
        let survey = Survey { segments: segments_found, ..Survey::default() };
        let snapshot = snapshot(vec![Arc::new(process(7, "postgres", "postgres"))]);
        let sheet = segments(&about(&snapshot, Some(&survey)));
        let shown = text(&sheet);
        assert!(shown.contains("3 segments with 12M. 1 is leaked, 4.0M"), "{shown}");
        assert!(shown.contains("in use | postgres[7]; made by postgres[7]"), "{shown}");
        assert!(shown.contains("leaked | made by 7, which is gone"), "{shown}");
        let tones: Vec<Tone> = sheet.rows.iter().map(|row| row.tone).collect();
        assert_eq!(tones, [Tone::Plain, Tone::Bad, Tone::Warn]);
    }

    #[test]
    fn what_was_not_seen_is_not_called_leaked() {
        let file =
            |held| ShmFile { path: "/dev/shm/x".into(), uid: 0, length: 1, allocated: 4096, modified_s: 0, held };
        let files = [file(Attachment::NobodySeen), file(Attachment::Held(held(&[1, 2, 3, 4, 5])))];
        let extent = Extent { processes: 10, seen: 6, denied: 4, ..Extent::default() };
        let survey = Survey { posix: surveyed(files), extent, ..Survey::default() };
        let snapshot = snapshot(Vec::new());
        let shown = text(&posix(&about(&snapshot, Some(&survey))));
        assert!(!shown.contains("leaked") && shown.contains("as far as can be seen"), "{shown}");
        assert!(shown.contains("What 4 processes of other users have could not be seen: it needs"), "{shown}");
        assert!(shown.contains("1, 2, 3 and 2 more"), "{shown}");
    }

    #[test]
    fn what_is_found_and_what_is_not_sum_up_to_shmem() {
        let mount = |usage| Tmpfs { path: "/run".into(), kind: "tmpfs".into(), device: 1, usage };
        let usage = TmpfsUse { used: 10 << 20, size: 11 << 20, inodes: 5 };
        let mounts =
            surveyed([mount(Reading::Value(usage)), mount(Reading::Unsupported(Need::Feature(Feature::Covered)))]);
        let memory = Loose {
            path: "pool".into(),
            kind: LooseKind::Memfd,
            bytes: 2 << 20,
            is_extent: true,
            is_of_mount: false,
            holders: held(&[7]),
        };
        let survey = Survey {
            tmpfs: mounts,
            segments: surveyed([segment(1, 1, Some(true))]),
            loose: surveyed([memory]),
            ..Survey::default()
        };
        let snapshot = snapshot(Vec::new());
        let about = about(&snapshot, Some(&survey));
        let shown = text(&shmem(&about));
        assert!(
            shown.contains("26M of RAM is shared memory") && shown.contains("10M more: mounts of other"),
            "{shown}"
        );
        let shown = text(&tmpfs(&about));
        assert!(shown.contains("10M | 11M | 90.9% | 5 | nearly full"), "{shown}");
        assert!(shown.contains("another file system is mounted over it"), "{shown}");
        assert!(text(&loose(&about)).contains("pool | memfd | <=2.0M | 7"), "{}", text(&loose(&about)));
    }
}
