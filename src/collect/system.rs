//! The machine's own memory files.

use std::path::{Path, PathBuf};

use procfs::prelude::FromRead as _;
use rustix::io::Errno;

use super::error::CollectError;
use super::files::Buffer;
use super::parse::{MOST_BYTES, kilobytes, lines, split_line, take_bytes, take_number};
use super::root::ProcRoot;
use super::sysv::read_sysv_shm;
use crate::model::reading::{BootMs, Denial, Feature, Need, Reading, Stamped};
use crate::model::system::{Balloon, Meminfo, Pressure, Stall, SwapDevice, SystemSample, SysvShm, Vmstat, Zram};
use crate::model::text::Text;

/// Reads the machine. It remembers which optional devices are there, so that a sample does not search for them.
pub(super) struct SystemReader {
    zram: Vec<PathBuf>,
    has_zfs: bool,
    /// Whether MemTotal counts what the balloon holds.
    has_balloon_in_total: bool,
    sysv_shm: Stamped<SysvShm>,
    samples_until_search: u32,
}

/// System V segments are counted this often, milliseconds.
const SYSV_AGE_MS: u64 = 5_000;

/// zram devices and ZFS come and go seldom.
const SAMPLES_BETWEEN_SEARCHES: u32 = 60;

impl SystemReader {
    pub(super) fn new() -> Self {
        Self {
            zram: Vec::new(),
            has_zfs: false,
            has_balloon_in_total: false,
            sysv_shm: Stamped::pending(),
            samples_until_search: 0,
        }
    }

    /// Everything but cgroup limits, System V segments and the uptime, which other readers own.
    pub(super) fn read(&mut self, root: &ProcRoot, buffer: &mut Buffer) -> Result<SystemSample, CollectError> {
        if self.samples_until_search == 0 {
            self.search(root);
            self.samples_until_search = SAMPLES_BETWEEN_SEARCHES;
        }
        self.samples_until_search -= 1;
        let path = root.proc.join("meminfo");
        let meminfo = parse_meminfo(buffer.read_path(&path).map_err(|error| CollectError::read(&path, error))?);
        if meminfo.mem_total.value().is_none() {
            return Err(CollectError::Format { path, problem: "no MemTotal line" });
        }
        let vmstat = buffer.read_path(&root.proc.join("vmstat")).map(parse_vmstat).unwrap_or_default();
        let swaps = if meminfo.swap_total.value() == Some(0) {
            Vec::new()
        } else {
            buffer.read_path(&root.proc.join("swaps")).map(parse_swaps).unwrap_or_default()
        };
        let balloon = balloon(&meminfo, &vmstat, root.page_size)
            .map(|bytes| Balloon { bytes, is_in_total: self.has_balloon_in_total });
        let [zfs_arc, zfs_arc_min] = self.read_arc(root, buffer);
        Ok(SystemSample {
            vmstat,
            pressure: read_pressure(&root.proc.join("pressure/memory"), buffer),
            swaps,
            zram: self.zram.iter().filter_map(|device| read_zram(device, buffer)).collect(),
            zfs_arc,
            zfs_arc_min,
            balloon,
            cgroup_limit: Reading::Pending,
            bound_groups: Vec::new(),
            cgroups: None,
            sysv_shm: Reading::Pending,
            uptime_s: 0,
            meminfo,
        })
    }

    /// System V shared memory. A machine may have thousands of segments: they are not counted in every sample.
    pub(super) fn sysv_shm(&mut self, root: &ProcRoot, buffer: &mut Buffer, at: BootMs) -> Reading<SysvShm> {
        if self.sysv_shm.reading == Reading::Pending || at.since(self.sysv_shm.at) >= SYSV_AGE_MS {
            self.sysv_shm = Stamped::new(read_sysv_shm(root, buffer), at);
        }
        self.sysv_shm.at(at, SYSV_AGE_MS)
    }

    fn search(&mut self, root: &ProcRoot) {
        self.has_zfs = arcstats(root).exists();
        self.has_balloon_in_total = std::fs::read_dir(root.sys.join("bus/virtio/drivers/virtio_balloon"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|device| std::fs::read(device.path().join("features")).ok())
            .any(|features| features.get(DEFLATE_ON_OOM) == Some(&b'1'));
        self.zram = std::fs::read_dir(root.sys.join("block"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("zram"))
            .map(|entry| entry.path())
            .collect();
        self.zram.sort();
    }

    /// The size of the ARC and the least it shrinks to.
    fn read_arc(&self, root: &ProcRoot, buffer: &mut Buffer) -> [Reading<u64>; 2] {
        let absent = Reading::Unsupported(Need::Feature(Feature::Zfs));
        if !self.has_zfs {
            return [absent; 2];
        }
        let Ok(bytes) = buffer.read_path(&arcstats(root)) else { return [absent; 2] };
        [&b"size "[..], b"c_min "].map(|name| parse_arc_line(bytes, name).map_or(absent, Reading::Value))
    }
}

/// The place of `VIRTIO_BALLOON_F_DEFLATE_ON_OOM` among the digits of a virtio device's `features`.
const DEFLATE_ON_OOM: usize = 2;

/// What the balloon holds, bytes: its line in meminfo, before Linux 6.16 the difference of the two counters.
fn balloon(meminfo: &Meminfo, vmstat: &Vmstat, page_size: u64) -> Reading<u64> {
    let counted = vmstat.balloon_inflate.value().zip(vmstat.balloon_deflate.value());
    let counted = counted.map(|(taken, given)| taken.saturating_sub(given).saturating_mul(page_size).min(MOST_BYTES));
    let absent = Reading::Unsupported(Need::Feature(Feature::Balloon));
    meminfo.balloon.value().or(counted).map_or(absent, Reading::Value)
}

fn arcstats(root: &ProcRoot) -> PathBuf {
    root.proc.join("spl/kstat/zfs/arcstats")
}

/// Decodes `/proc/meminfo` (proc_meminfo(5)). Before Linux 4.16 there is no sum of all pools of huge pages: the pool
/// of the default size stands for it.
pub fn parse_meminfo(bytes: &[u8]) -> Meminfo {
    let mut meminfo = Meminfo::default();
    let (mut huge_pages, mut huge_page_size) = (None, None);
    for (name, mut value) in lines(bytes).filter_map(split_line) {
        match name {
            b"HugePages_Total" => huge_pages = take_number(&mut value),
            b"Hugepagesize" => huge_page_size = Some(kilobytes(value)),
            name => {
                if let Some(line) = meminfo.line_mut(name) {
                    *line = Reading::Value(kilobytes(value));
                }
            }
        }
    }
    if let (None, Some(count), Some(size)) = (meminfo.hugetlb.value(), huge_pages, huge_page_size) {
        meminfo.hugetlb = Reading::Value(count.saturating_mul(size).min(MOST_BYTES));
    }
    meminfo
}

/// Decodes `/proc/vmstat`. Stalls are summed over zones, and so are scans before Linux 4.8; before Linux 5.9 refaults
/// were one line.
pub fn parse_vmstat(bytes: &[u8]) -> Vmstat {
    let mut vmstat = Vmstat::default();
    for line in lines(bytes) {
        let Some(blank) = line.iter().position(|byte| *byte == b' ') else { continue };
        let (name, mut rest) = (&line[..blank], &line[blank..]);
        let Some(value) = take_number(&mut rest) else { continue };
        let place = match name {
            b"workingset_refault" => Some(&mut vmstat.refault_file),
            // Counts sleeps of those who reclaim, not pages.
            b"pgscan_direct_throttle" => None,
            name if name.starts_with(b"allocstall") => Some(&mut vmstat.allocation_stalls),
            name if name.starts_with(b"pgscan_direct") => Some(&mut vmstat.direct_scans),
            name if name.starts_with(b"pgscan_kswapd") => Some(&mut vmstat.kswapd_scans),
            name => vmstat.line_mut(name),
        };
        if let Some(place) = place {
            *place = Reading::Value(place.value().unwrap_or(0).saturating_add(value));
        }
    }
    vmstat
}

/// Reads pressure stall information (Linux 4.20). A kernel with PSI switched off has the file and answers
/// EOPNOTSUPP, or lacks the file.
fn read_pressure(path: &Path, buffer: &mut Buffer) -> Reading<Pressure> {
    let absent = Reading::Unsupported(Need::Feature(Feature::Psi));
    match buffer.read_path(path) {
        Ok(bytes) => parse_pressure(bytes).map_or(absent, Reading::Value),
        Err(Errno::ACCESS | Errno::PERM) => Reading::Denied(Denial::Root),
        Err(_) => absent,
    }
}

/// Decodes `/proc/pressure/memory`: a `some` and a `full` line (Documentation/accounting/psi.rst).
pub fn parse_pressure(bytes: &[u8]) -> Option<Pressure> {
    // The decoder takes it that a word and a blank begin each line, and panics where a torn file has less.
    let mut heads = lines(bytes).map(|line| line.get(..5));
    if heads.next()? != Some(b"some ") || heads.next()? != Some(b"full ") {
        return None;
    }
    let read = procfs::MemoryPressure::from_read(bytes).ok()?;
    Some(Pressure { some: stall(&read.some)?, full: stall(&read.full)? })
}

/// `None` where a share is no finite number, which no kernel writes.
fn stall(read: &procfs::PressureRecord) -> Option<Stall> {
    let is_plain = [read.avg10, read.avg60, read.avg300].into_iter().all(f32::is_finite);
    is_plain.then_some(Stall { avg10: read.avg10, avg60: read.avg60, avg300: read.avg300, total_us: read.total })
}

/// Decodes `/proc/swaps`: a head line, then path, kind, size, use (KiB) and priority. Blanks in a path are written
/// as `\040`.
pub fn parse_swaps(bytes: &[u8]) -> Vec<SwapDevice> {
    let device = |line: &[u8]| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (path, kind) = (words.next()?, words.next()?);
        Some(SwapDevice {
            path: Text::new(super::survey::unescape(path)),
            kind: Text::new(kind),
            size: kilobytes(words.next()?),
            used: kilobytes(words.next()?),
            priority: std::str::from_utf8(words.next()?).ok()?.parse().ok()?,
        })
    };
    lines(bytes).skip(1).filter_map(device).collect()
}

fn read_zram(device: &Path, buffer: &mut Buffer) -> Option<Zram> {
    let mut rest = buffer.read_path(&device.join("mm_stat")).ok()?;
    let name = device.file_name()?.as_encoded_bytes();
    Some(Zram {
        name: Text::new(name),
        original: take_bytes(&mut rest)?,
        compressed: take_bytes(&mut rest)?,
        used: take_bytes(&mut rest)?,
    })
}

/// Finds a line in ZFS's arcstats: name (with the blank after it), type, value.
fn parse_arc_line(bytes: &[u8], name: &[u8]) -> Option<u64> {
    let mut rest = lines(bytes).find_map(|line| line.strip_prefix(name))?;
    take_number(&mut rest)?;
    take_bytes(&mut rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_this_kernel_lacks_stay_unknown() {
        let meminfo = parse_meminfo(b"MemTotal:  2041832 kB\nMemFree: 10 kB\nNewThing: 5 kB\nInactive(file):  7 kB\n");
        assert_eq!(meminfo.mem_total, Reading::Value(2_041_832 * 1024));
        assert_eq!(meminfo.inactive_file, Reading::Value(7 * 1024));
        assert_eq!(meminfo.percpu, Reading::Unsupported(Need::Feature(Feature::Line)));
    }

    #[test]
    fn the_default_pool_of_huge_pages_stands_for_all_where_there_is_no_sum() {
        let text = b"HugePages_Total:      12\nHugePages_Free: 3\nHugepagesize:       2048 kB\n";
        assert_eq!(parse_meminfo(text).hugetlb, Reading::Value(24 << 20));
        let newer = [&text[..], b"Hugetlb:  1048576 kB\n"].concat();
        assert_eq!(parse_meminfo(&newer).hugetlb, Reading::Value(1 << 30));
        assert_eq!(parse_meminfo(b"HugePages_Total: 12\n").hugetlb.value(), None);
    }

    #[test]
    fn stalls_are_summed_over_zones() {
        let vmstat = parse_vmstat(b"pswpin 3\nallocstall_dma 1\nallocstall_normal 4\nworkingset_refault 9\n");
        assert_eq!(vmstat.swap_in, Reading::Value(3));
        assert_eq!(vmstat.allocation_stalls, Reading::Value(5));
        assert_eq!(vmstat.refault_file, Reading::Value(9));
    }

    #[test]
    fn scans_before_4_8_are_summed_over_zones() {
        let vmstat = parse_vmstat(
            b"pgscan_kswapd_dma 1\npgscan_kswapd_normal 2\npgscan_direct_dma32 4\npgscan_direct_throttle 8\n",
        );
        assert_eq!(vmstat.kswapd_scans, Reading::Value(3));
        assert_eq!(vmstat.direct_scans, Reading::Value(4));
    }

    #[test]
    fn a_torn_pressure_file_has_no_value() {
        let whole = b"some avg10=1.50 avg60=0.25 avg300=0.00 total=7\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=3\n";
        let pressure = parse_pressure(whole).unwrap();
        assert_eq!((pressure.some.avg10, pressure.some.total_us, pressure.full.total_us), (1.5, 7, 3));
        let torn = (0..whole.len() - 2).filter(|length| parse_pressure(&whole[..*length]).is_some());
        assert_eq!(torn.count(), 0);
        assert_eq!(parse_pressure("some\u{e9} x=1\nfull avg10=1".as_bytes()), None);
        assert_eq!(parse_pressure(&whole.map(|byte| if byte == b'1' { b'x' } else { byte })), None);
    }

    #[test]
    fn swap_devices_are_read() {
        let text = b"Filename\tType\tSize\tUsed\tPriority\n/swapfile   file\t524284\t307200\t-2\n";
        let swaps = parse_swaps(text);
        assert_eq!(swaps.len(), 1);
        assert_eq!((swaps[0].size, swaps[0].used, swaps[0].priority), (524_284 << 10, 307_200 << 10, -2));
        let text = b"Filename\tType\tSize\tUsed\tPriority\n/srv/my\\040swap file 4 0 -2\n";
        assert_eq!(parse_swaps(text)[0].path.escaped(), "/srv/my swap");
        let text = b"Filename\tType\tSize\tUsed\tPriority\n/a\\040b\\134c file 4 0 -2\n/a\\09 file 4 0 -3\n";
        assert_eq!(parse_swaps(text)[0].path.as_bytes(), b"/a b\\c");
        assert_eq!(parse_swaps(text)[1].path.as_bytes(), b"/a\\09");
    }

    #[test]
    fn the_balloon_is_told_by_its_line_or_else_by_its_counters() {
        let vmstat = parse_vmstat(b"balloon_inflate 700\nballoon_deflate 200\n");
        assert_eq!(balloon(&Meminfo::default(), &vmstat, 4096), Reading::Value(500 * 4096));
        let newer = parse_meminfo(b"MemTotal: 9 kB\nBalloon:   8 kB\n");
        assert_eq!(balloon(&newer, &vmstat, 4096), Reading::Value(8192));
        assert_eq!(balloon(&Meminfo::default(), &Vmstat::default(), 4096).value(), None);
    }

    #[test]
    fn a_balloon_that_gives_way_is_still_in_the_total() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        let device = root.sys.join("bus/virtio/drivers/virtio_balloon/virtio0");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::create_dir_all(&root.proc).unwrap();
        std::fs::write(root.proc.join("meminfo"), "MemTotal: 9 kB\nBalloon: 4 kB\n").unwrap();
        for (features, is_in_total) in [("0010", true), ("1100", false), ("", false)] {
            std::fs::write(device.join("features"), features).unwrap();
            let sample = SystemReader::new().read(&root, &mut Buffer::new()).unwrap();
            assert_eq!(sample.balloon, Reading::Value(Balloon { bytes: 4096, is_in_total }), "{features}");
        }
    }

    #[test]
    fn a_value_of_the_arc_is_the_third_word() {
        let text = b"hits 4 10\nsize                            4    123456\nc_min     4   77\nc 4 1\n";
        assert_eq!(parse_arc_line(text, b"size "), Some(123_456));
        assert_eq!(parse_arc_line(text, b"c_min "), Some(77));
        assert_eq!(parse_arc_line(text, b"c_max "), None);
    }
}
