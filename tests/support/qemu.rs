//! What a script of `tests/qemu` says of a machine of its own, on its serial console.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::guest::{Kernel, Machine, Root};
use super::programs::child_program;

/// A machine that is to be booted: its kernel, and what it has.
pub struct Guest {
    kernel: Kernel,
    root: Root,
}

impl Guest {
    /// One that runs a script of `tests/qemu`, with busybox, this memtide, the children and a module for swap. `None`
    /// where it can't be had here.
    pub fn running(script: &str) -> Option<Self> {
        let kernel = Kernel::installed()?;
        let root = Root::with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu").join(script));
        root.copy(child_program(), "child");
        root.copy_program(Path::new(env!("CARGO_BIN_EXE_memtide")), "memtide");
        root.copy_modules(&kernel, &["mm/zsmalloc", "crypto/lzo-rle", "drivers/block/zram/zram"]);
        root.write("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
        root.write("etc/group", "root:x:0:\nnogroup:x:65534:\n");
        Some(Self { kernel, root })
    }

    /// The folder that becomes its root.
    pub fn root(&self) -> PathBuf {
        self.root.root()
    }

    /// Gives it a file.
    pub fn copy(&self, from: &Path, to: &str) {
        self.root.copy(from, to);
    }

    /// Gives it a program with the libraries that it is linked to.
    pub fn copy_program(&self, from: &str, to: &str) {
        self.root.copy_program(from.as_ref(), to);
    }

    /// Boots it, and gives what it printed until it was switched off.
    pub fn boot(self) -> Parts {
        let mut command = self.kernel.boot(&self.root, 512, &["-nic", "none"]);
        let mut machine = Machine(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut text = Vec::new();
        machine.0.stdout.take().unwrap().read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        let parts = Parts::of(&text);
        assert!(parts.0.contains_key("end"), "{text}");
        parts
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
