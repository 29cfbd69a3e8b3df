//! The small server: 512 MB, swap, Debian's 6.1 kernel, reached by ssh as any other server.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::guest::{Kernel, Machine, Root, program};
use crate::support::programs::child_program;
use crate::support::pty;
use crate::support::require::has_programs;

/// The modules that it needs, each after those that it builds on.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "net/sched/sch_netem",
    "mm/zsmalloc",
    "crypto/lzo-rle",
    "drivers/block/zram/zram",
];

const PASSWD: &str = "root:x:0:0::/:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\napp:x:1000:1000::/tmp:/bin/sh\n";

const SSHD: &str = "Port 22\nListenAddress 10.0.2.15\nHostKey /etc/ssh/host\nAuthorizedKeysFile /etc/ssh/user.pub\n\
                    PidFile none\nStrictModes no\nUsePAM no\nUseDNS no\nPasswordAuthentication no\n\
                    KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n";

/// A running one.
pub struct Guest {
    _machine: Machine,
    port: u16,
    folder: tempfile::TempDir,
}

impl Guest {
    /// Boots one and waits until it lets one in; `None` where this machine lacks what that takes.
    pub fn boot() -> Option<Self> {
        if !has_programs(&["/usr/sbin/sshd", "ssh", "ssh-keygen", "tc", "unshare", "setpriv", "prlimit"]) {
            return None;
        }
        let kernel = Kernel::installed()?;
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "user"] {
            let file = folder.path().join(key);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).status();
            assert!(made.unwrap().success());
        }
        let root = Root::with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix/init.sh"));
        root.copy(child_program(), "child");
        root.copy_program(Path::new(env!("CARGO_BIN_EXE_memtide")), "memtide");
        root.copy_program(Path::new("/usr/sbin/sshd"), "opt/sshd");
        for name in ["tc", "unshare", "setpriv", "prlimit"] {
            root.copy_program(&program(name), &format!("opt/{name}"));
        }
        root.copy_modules(&kernel, MODULES);
        root.copy(&folder.path().join("host"), "etc/ssh/host");
        root.copy(&folder.path().join("user.pub"), "etc/ssh/user.pub");
        for (file, text) in [
            ("etc/passwd", PASSWD),
            ("etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"),
            ("etc/ssh/config", SSHD),
        ] {
            root.write(file, text);
        }
        // Free a moment ago; whoever takes it in between makes qemu, and the test, fail and not hang.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let card = format!("user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22");
        let mut command = kernel.boot(&root, 512, &["-nic", &card]);
        let mut machine = Machine(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut console = BufReader::new(machine.0.stdout.take().unwrap());
        let mut told = String::new();
        while !told.contains("Server listening") {
            assert!(console.read_line(&mut told).unwrap() > 0, "it ended: {told}");
        }
        // Who writes on must find a reader.
        std::thread::spawn(move || std::io::copy(&mut console, &mut std::io::sink()));
        Some(Self { _machine: machine, port, folder })
    }

    fn ssh(&self) -> Vec<String> {
        let (key, port) = (self.folder.path().join("user").display().to_string(), self.port.to_string());
        let options =
            ["UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR", "IdentitiesOnly=yes"];
        let mut words: Vec<String> = ["-F", "/dev/null", "-p", &port, "-i", &key].map(str::to_owned).into();
        words.extend(options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words
    }

    /// What came of a command of its shell.
    pub fn run(&self, script: &str) -> Output {
        Command::new("ssh").args(self.ssh()).args(["root@127.0.0.1", script]).stdin(Stdio::null()).output().unwrap()
    }

    /// The same where it must succeed: what it printed.
    pub fn told(&self, script: &str) -> String {
        let output = self.run(script);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    /// A command of its shell in a terminal of 120x30.
    pub fn terminal(&self, script: &str) -> pty::Terminal {
        let script = format!("export LANG=C.UTF-8 XDG_CONFIG_HOME=/nonexistent; {script}");
        let words = [self.ssh(), vec!["-tt".into(), "root@127.0.0.1".into(), script]].concat();
        pty::Command::new("ssh").args(words).size(120, 30).start()
    }
}
