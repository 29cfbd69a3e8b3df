//! A machine of its own with Debian's kernel for virtual machines: cgroup v2 with the memory controller, and a root
//! that holds what a test puts there.
//!
//! `MEMTIDE_TEST_KERNEL` may name a folder with `boot` and `lib/modules` in it instead of the installed kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::programs::compiler;
use super::require::{has, has_programs};

/// The kernel that is started: its image and its modules.
pub struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// The newest one that is installed. Where it or what else a guest takes is missing, the test should return.
    pub fn installed() -> Option<Self> {
        if !has_programs(&["qemu-system-x86_64", "busybox", "cpio", "ldd", "strip", &compiler()]) {
            return None;
        }
        let kernel = Self::newest();
        has(kernel.is_some(), "Debian's kernel for virtual machines (linux-image-cloud-amd64)");
        kernel
    }

    fn newest() -> Option<Self> {
        let root = std::env::var_os("MEMTIDE_TEST_KERNEL").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let mut images: Vec<PathBuf> =
            fs::read_dir(root.join("boot")).ok()?.flatten().map(|entry| entry.path()).collect();
        images.retain(|image| {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("vmlinuz-") && name.ends_with("-cloud-amd64")
        });
        images.sort();
        let image = images.pop()?;
        let release = image.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
        let modules = root.join("lib/modules").join(release).join("kernel");
        modules.is_dir().then_some(Self { image, modules })
    }

    /// The command that boots it on a root, with so many MiB and more options of qemu. It ends when the guest does.
    pub fn boot(&self, root: &Root, mib: u32, options: &[&str]) -> Command {
        let archive = root.folder.path().join("initramfs");
        let pack = "cd \"$0\" && find . | cpio --quiet -o -H newc >\"$1\"";
        let status = Command::new("sh").args(["-c", pack]).args([&root.root(), &archive]).status().unwrap();
        assert!(status.success());
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-accel", "tcg", "-cpu", "max", "-m", &mib.to_string(), "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-no-reboot", "-append"])
            // Without the last two a machine that can't go on would wait for ever.
            .arg("console=ttyS0 quiet psi=1 panic=-1 oops=panic")
            .args(["-kernel".as_ref(), self.image.as_os_str(), "-initrd".as_ref(), archive.as_os_str()])
            .args(options);
        command
    }
}

/// The folder that becomes the guest's root.
pub struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    /// One with busybox and with this as its first process.
    pub fn with(init: &Path) -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["bin", "proc", "sys", "dev", "etc", "modules"] {
            fs::create_dir_all(root.root().join(folder)).unwrap();
        }
        root.copy(&program("busybox"), "bin/busybox");
        root.copy(init, "init");
        root
    }

    /// Where it is while it is filled.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Copies a file.
    pub fn copy(&self, from: &Path, to: &str) {
        let to = self.root().join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    /// Copies a program, without what debuggers read of it, with the libraries that it is linked to: the root is in
    /// the guest's memory.
    pub fn copy_program(&self, from: &Path, to: &str) {
        self.copy(from, to);
        let copy = self.root().join(to.trim_start_matches('/'));
        assert!(Command::new("strip").arg("--strip-debug").arg(&copy).status().unwrap().success());
        let libraries = Command::new("ldd").arg(from).output().unwrap();
        for word in String::from_utf8(libraries.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
        {
            self.copy(Path::new(word), word);
        }
    }

    /// Copies modules of the kernel to `/modules`.
    pub fn copy_modules(&self, kernel: &Kernel, modules: &[&str]) {
        for module in modules {
            let name = module.rsplit('/').next().unwrap();
            self.copy(&kernel.modules.join(format!("{module}.ko")), &format!("modules/{name}.ko"));
        }
    }

    /// Writes a file.
    pub fn write(&self, to: &str, text: &str) {
        let to = self.root().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }
}

/// Where a program is.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is there"))
}

/// A machine that is switched off when the test ends.
pub struct Machine(pub Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
