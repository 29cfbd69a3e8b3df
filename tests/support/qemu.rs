//! Debian's kernel in a machine of its own: what boots there, and what it says on its serial console.
//!
//! `MEMTIDE_TEST_KERNEL` may name a folder with `boot` and `lib/modules` in it instead of the installed kernel.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::programs::{child_program, compiler};
use super::require::{has, has_programs};

/// The newest kernel for virtual machines that is installed: its image and its modules.
fn kernel() -> Option<(PathBuf, PathBuf)> {
    let root = std::env::var_os("MEMTIDE_TEST_KERNEL").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let mut images: Vec<PathBuf> = fs::read_dir(root.join("boot")).ok()?.flatten().map(|entry| entry.path()).collect();
    images.retain(|image| {
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-") && name.ends_with("-cloud-amd64")
    });
    images.sort();
    let image = images.pop()?;
    let release = image.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
    let modules = root.join("lib/modules").join(release).join("kernel");
    modules.is_dir().then_some((image, modules))
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap()
}

/// A machine that is to be booted: what its first process runs, and what it has beside that.
pub struct Guest {
    image: PathBuf,
    folder: tempfile::TempDir,
}

impl Guest {
    /// One that runs a script of `tests/qemu`, with busybox, this memtide, the children and a module for swap. `None`
    /// where it can't be had here.
    pub fn running(script: &str) -> Option<Self> {
        if !has_programs(&["qemu-system-x86_64", "busybox", "cpio", "ldd", &compiler()]) {
            return None;
        }
        let kernel = kernel();
        if !has(kernel.is_some(), "Debian's kernel for virtual machines (linux-image-cloud-amd64)") {
            return None;
        }
        let (image, modules) = kernel?;
        let guest = Self { image, folder: tempfile::tempdir().unwrap() };
        fs::create_dir(guest.root()).unwrap();
        for folder in ["bin", "proc", "sys", "dev", "etc", "modules"] {
            fs::create_dir(guest.root().join(folder)).unwrap();
        }
        guest.copy(&program("busybox"), "bin/busybox");
        guest.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu").join(script), "init");
        guest.copy(child_program(), "child");
        guest.copy_program(env!("CARGO_BIN_EXE_memtide"), "memtide");
        for module in ["mm/zsmalloc.ko", "crypto/lzo-rle.ko", "drivers/block/zram/zram.ko"] {
            guest.copy(&modules.join(module), &format!("modules/{}", module.rsplit('/').next().unwrap()));
        }
        fs::write(guest.root().join("etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n").unwrap();
        fs::write(guest.root().join("etc/group"), "root:x:0:\nnogroup:x:65534:\n").unwrap();
        Some(guest)
    }

    /// The folder that becomes its root.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Gives it a file.
    pub fn copy(&self, from: &Path, to: &str) {
        let to = self.root().join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    /// Gives it a program with the libraries that it is linked to.
    pub fn copy_program(&self, from: &str, to: &str) {
        self.copy(from.as_ref(), to);
        let libraries = Command::new("ldd").arg(from).output().unwrap();
        for word in String::from_utf8(libraries.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
        {
            self.copy(Path::new(word), word);
        }
    }

    /// Boots it, and gives what it printed until it was switched off.
    pub fn boot(self) -> Parts {
        let archive = self.folder.path().join("initramfs");
        let pack = "cd \"$0\" && find . | cpio --quiet -o -H newc >\"$1\"";
        let status = Command::new("sh").args(["-c", pack]).args([&self.root(), &archive]).status().unwrap();
        assert!(status.success());
        let mut machine = Machine(
            Command::new("qemu-system-x86_64")
                .args(["-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none", "-monitor", "none"])
                .args(["-serial", "stdio", "-no-reboot", "-nic", "none", "-append"])
                // Without the last two a machine that can't go on would wait for ever.
                .arg("console=ttyS0 quiet psi=1 panic=-1 oops=panic")
                .args(["-kernel".as_ref(), self.image.as_os_str(), "-initrd".as_ref(), archive.as_os_str()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut text = Vec::new();
        machine.0.stdout.take().unwrap().read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        let parts = Parts::of(&text);
        assert!(parts.0.contains_key("end"), "{text}");
        parts
    }
}

/// A machine that is switched off when the test ends.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the guest printed, by the name of the part: it follows a line `== NAME`.
#[derive(Debug)]
pub struct Parts(BTreeMap<String, String>);

impl Parts {
    fn of(text: &str) -> Self {
        let parts = text.split("\n== ").skip(1).filter_map(|part| part.split_once('\n'));
        Self(parts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }

    /// A part.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no part `{name}`: {:#?}", self.0))
    }

    /// What a run of memtide printed.
    pub fn json(&self, name: &str) -> Value {
        assert_eq!(self.get(&format!("{name} status")).trim(), "0", "{}", self.get(&format!("{name} errors")));
        serde_json::from_str(self.get(name)).unwrap_or_else(|error| panic!("{error}: {}", self.get(name)))
    }

    /// A value of a file of `Name:  12 kB` lines, in bytes.
    pub fn bytes(&self, part: &str, name: &str) -> u64 {
        let line = self.get(part).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let value = line.unwrap_or_else(|| panic!("{part} has no {name}: {}", self.get(part)));
        value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }
}
