//! The whole machine: caches and swap.

use rustix::thread::CapabilitySet;

use super::Caches;
use crate::act::effect::{DropLevel, Plan, Refusal};
use crate::act::rights::{Missing, has_capability, may_write};
use crate::act::run::number;
use crate::act::swap::{Room, devices};
use crate::collect::root::ProcRoot;
use crate::model::shell::quote;
use crate::units::Bytes;

pub(super) fn drop_caches(level: DropLevel, root: &ProcRoot, caches: Caches) -> Plan {
    Plan {
        title: tr!("drop caches?").into(),
        targets: vec![tr!("this machine: sync, then vm.drop_caches={level}", level = number(level))],
        effects: drop_effects(level, caches),
        needs: tr!("root, and a /proc/sys that can be written.").into(),
        risk: tr!("files are read from disk again: the machine may be slower for minutes. No data is lost.").into(),
        undo: tr!("none, and none is needed: caches fill by themselves.").into(),
        refusal: drop_refusal(level, root),
    }
}

fn drop_effects(level: DropLevel, caches: Caches) -> Vec<String> {
    let show =
        |bytes: Option<u64>| bytes.map_or_else(|| tr!("an unknown amount").into(), |bytes| Bytes(bytes).to_string());
    let mut effects = vec![tr!("Dirty pages are written to disk first (sync), which can take a while.").to_owned()];
    if level != DropLevel::Slab {
        effects.push(tr!("Frees up to {clean} of clean page cache.", clean = show(caches.clean)));
    }
    if level != DropLevel::PageCache {
        effects.push(tr!("Frees part of {slab} of reclaimable slab (dentries and inodes).", slab = show(caches.slab)));
    }
    effects.push(
        tr!("Frees nothing that a process allocated, no shared memory, no tmpfs, no mapped code in use: MemAvailable, which \
         counts caches as free already, hardly moves.")
            .into(),
    );
    effects
}

fn drop_refusal(level: DropLevel, root: &ProcRoot) -> Option<Refusal> {
    let command = format!("sudo sh -c 'sync; sysctl -w vm.drop_caches={}'", number(level));
    let reason = match may_write(&root.proc.join("sys/vm/drop_caches")).err()? {
        Missing::Privilege => tr!("Not permitted: it takes root. Run this, or memtide under sudo:"),
        Missing::ReadOnly => tr!("Not permitted: /proc/sys is read-only here (a container). Run this on the host:"),
        Missing::Absent => tr!("This kernel or container has no vm.drop_caches. Run this on the host:"),
    };
    Some(Refusal { reason: reason.into(), command })
}

pub(super) fn recycle_swap(root: &ProcRoot) -> Plan {
    let devices = devices(root);
    let names: Vec<String> =
        devices.iter().map(|device| quote(&String::from_utf8_lossy(device.path.as_bytes()))).collect();
    let targets = devices.iter().map(|device| {
        tr!(
            "{path}  {used} of {size} used",
            path = device.path.escaped(),
            used = Bytes(device.used),
            size = Bytes(device.size)
        )
    });
    Plan {
        title: tr!("recycle swap?").into(),
        targets: targets.collect(),
        effects: vec![
            tr!("Takes each device out of use (swapoff), which reads back into RAM all that lies there, and back into use \
             (swapon).")
                .into(),
            tr!("It can take minutes, with progress told; X, or Ctrl-C of memtide act, stops it, and the device stays in use.").into(),
            tr!("It stops by itself where memory runs short.").into(),
        ],
        needs: tr!("CAP_SYS_ADMIN (root), swapoff and swapon; MemAvailable has to cover what is in swap.").into(),
        risk: tr!("a control group near its limit may meet it as its pages return; priorities are kept, other options of \
               swapon (discard) are not.")
            .into(),
        undo: tr!("none: the kernel swaps out again what it has to.").into(),
        refusal: recycle_refusal(root, &names, has_capability(CapabilitySet::SYS_ADMIN)),
    }
}

fn recycle_refusal(root: &ProcRoot, names: &[String], has_right: bool) -> Option<Refusal> {
    let refuse = |reason: String, command: String| Some(Refusal { reason, command });
    if names.is_empty() {
        return refuse(tr!("There is no swap to recycle.").into(), String::new());
    }
    match Room::read(root) {
        None => return refuse(tr!("MemAvailable is not known: nothing says whether it fits.").into(), String::new()),
        Some(space) if space.used == 0 => return refuse(tr!("Nothing lies in swap.").into(), String::new()),
        Some(space) if !space.is_enough() => {
            return refuse(
                tr!(
                    "Refused: {used} lies in swap, {available} is available and {reserve} of that is to stay free: the OOM killer would \
                     come first. Free memory, then try again.",
                    used = Bytes(space.used),
                    available = Bytes(space.available),
                    reserve = Bytes(space.reserve)
                ),
                String::new(),
            );
        }
        Some(_) => {}
    }
    if has_right {
        return None;
    }
    let names = names.join(" ");
    refuse(
        tr!("Not permitted: it takes root. Run this, or memtide under sudo:").into(),
        format!("sudo sh -c 'for d in \"$@\"; do swapoff \"$d\" && swapon \"$d\"; done' sh {names}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(available_kib: u64, swaps: &str) -> (tempfile::TempDir, ProcRoot) {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        std::fs::create_dir_all(&root.proc).unwrap();
        let meminfo = format!("MemTotal: 2000000 kB\nMemAvailable: {available_kib} kB\n");
        std::fs::write(root.proc.join("meminfo"), meminfo).unwrap();
        std::fs::write(root.proc.join("swaps"), format!("Filename Type Size Used Priority\n{swaps}")).unwrap();
        (folder, root)
    }

    const USED: &str = "/dev/zram0 partition 512000 307200 -2\n";

    #[test]
    fn swap_is_recycled_only_where_memory_covers_it() {
        let names = ["/dev/zram0".to_owned()];
        let refusal = |root: &ProcRoot, has_right| recycle_refusal(root, &names, has_right);
        // 300 MiB in swap and a reserve of 98 MiB.
        let (_folder, tight) = root(400_000, USED);
        let reason = refusal(&tight, true).unwrap().reason;
        assert!(reason.contains("300M lies in swap, 391M is available"), "{reason}");
        let (_folder, roomy) = root(500_000, USED);
        assert_eq!(refusal(&roomy, true), None);
        assert!(refusal(&roomy, false).unwrap().command.ends_with("sh /dev/zram0"));
    }

    #[test]
    fn where_nothing_is_in_swap_nothing_is_done() {
        let (_folder, none) = root(500_000, "");
        assert_eq!(recycle_swap(&none).refusal.unwrap().reason, "There is no swap to recycle.");
        let (_folder, empty) = root(500_000, "/swap\\040file file 512000 0 -2\n");
        let plan = recycle_swap(&empty);
        assert_eq!(plan.refusal.unwrap().reason, "Nothing lies in swap.");
        assert_eq!(plan.targets, ["/swap file  0 of 500M used"]);
    }
}
