//! The subjects of a scene while they run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::group::Group;
use crate::reports::Reports;
use crate::scene::{Scene, Spec, sources};

/// A subject, its load and its control group.
pub struct Actor<'a> {
    pub spec: &'a Spec,
    pub group: Group,
    pub reports: Reports,
    /// When the kernel first killed for its limit, milliseconds since boot.
    pub killed_at: Option<u64>,
    children: Vec<Child>,
    is_stopped: bool,
}

/// Everything a scene needs beside the subjects.
pub struct Stage {
    folder: TempDir,
    swap: Option<PathBuf>,
}

impl Stage {
    /// Compiles the programs and turns swap on.
    pub fn set(scene: &Scene) -> Self {
        let folder = TempDir::with_prefix("leak-traces-").unwrap();
        let programs = sources().join("programs");
        let make = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
        make(
            Command::new("cc")
                .args(["-O1", "-Wall", "-o"])
                .arg(folder.path().join("native"))
                .arg(programs.join("native.c")),
        );
        if scene.subjects.iter().any(|spec| spec.run.contains("java ")) {
            make(Command::new("javac").arg("-d").arg(folder.path()).arg(programs.join("Heap.java")));
        }
        // Servers drop their rights and still have to get in.
        make(Command::new("chmod").arg("755").arg(folder.path()));
        make(Command::new("mount").args(["-t", "tmpfs", "-o", "size=4g", "tmpfs"]).arg(shm(folder.path())));
        let swap = scene.swap_mib.map(|mib| {
            let file = folder.path().join("swapfile");
            make(Command::new("fallocate").arg("-l").arg(format!("{mib}M")).arg(&file));
            make(Command::new("chmod").arg("600").arg(&file));
            make(Command::new("mkswap").stdout(Stdio::null()).arg(&file));
            make(Command::new("swapon").arg(&file));
            file
        });
        Self { folder, swap }
    }

    /// Starts a subject.
    pub fn start<'a>(&self, scene: &Scene, spec: &'a Spec) -> Actor<'a> {
        let group = Group::create(&scene.name, &spec.name, spec.limit_mib, spec.both_mib);
        let reports = Reports::default();
        let limit = spec.nofile.map(|count| format!("ulimit -n {count}; ")).unwrap_or_default();
        let run = format!("echo $$ > {}; {limit}exec {}", group.door().display(), spec.run);
        let mut children = vec![self.shell(&run, &spec.name)];
        if let Some(load) = &spec.load {
            children.push(self.shell(&format!("exec {load}"), &format!("{}-load", spec.name)));
        }
        for child in &mut children {
            reports.listen(child.stdout.take().unwrap());
        }
        Actor { spec, group, reports, killed_at: None, children, is_stopped: false }
    }

    fn shell(&self, command: &str, name: &str) -> Child {
        let own = self.folder.path().join(name);
        std::fs::create_dir_all(&own).unwrap();
        let log = std::fs::File::create(self.folder.path().join(format!("{name}.log"))).unwrap();
        Command::new("sh")
            .args(["-c", command])
            .current_dir(sources().join("programs"))
            .env("TMP", own)
            .env("STAGE", self.folder.path())
            .env("SHM", shm(self.folder.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Shows what the subjects complained about.
    pub fn show_complaints(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            let is_log = entry.path().extension().is_some_and(|extension| extension == "log");
            if let Some(text) = std::fs::read(entry.path()).ok().filter(|text| is_log && !text.is_empty()) {
                eprintln!("{}: {}", entry.file_name().display(), String::from_utf8_lossy(&text[..text.len().min(600)]));
            }
        }
    }
}

fn shm(folder: &Path) -> PathBuf {
    let path = folder.join("shm");
    std::fs::create_dir_all(&path).unwrap();
    path
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(shm(self.folder.path())).status();
        if let Some(file) = &self.swap {
            // It fails while a group that is being removed has pages there and no room for them.
            let is_off = || Command::new("swapoff").arg(file).status().is_ok_and(|status| status.success());
            for _ in 0..60 {
                if is_off() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
            eprintln!("{} is still swapped to", file.display());
        }
    }
}

impl Actor<'_> {
    /// Stops and continues it where its part says so; notices when it is killed.
    pub fn direct(&mut self, second: u64, now: u64) {
        let must_stop = self.spec.stopped_s.is_some_and(|[from, until]| (from..until).contains(&second));
        if must_stop != self.is_stopped {
            self.group.signal(if must_stop { Signal::STOP } else { Signal::CONT });
            self.is_stopped = must_stop;
        }
        if self.killed_at.is_none() && self.group.oom_kills() > 0 {
            self.killed_at = Some(now);
        }
    }
}

impl Drop for Actor<'_> {
    fn drop(&mut self) {
        for load in self.children.iter_mut().skip(1) {
            let _ = load.kill();
        }
        // The group ends its own processes when it is dropped; here they are reaped, so that it gets empty.
        self.group.signal(Signal::CONT);
        self.group.signal(Signal::TERM);
        let mut children = std::mem::take(&mut self.children);
        std::thread::spawn(move || {
            for child in &mut children {
                let _ = child.wait();
            }
        });
    }
}
