//! Names of containers and pods, from the files that engines keep: no daemon is asked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;

use crate::collect::root::ProcRoot;
use crate::model::reading::{BootMs, Denial, Need, Reading};
use crate::model::tenant::Tenant;
use crate::model::text::Text;

/// What is known of names.
#[derive(Default)]
pub(super) struct Names {
    /// By the id of the container or the uid of the pod, with the time of the look.
    known: HashMap<String, (Reading<Text>, BootMs)>,
    /// Names by id that only a list has, and when the lists were read.
    listed: HashMap<String, String>,
    listed_at: Option<BootMs>,
    is_list_denied: bool,
}

/// A name that was not found is looked for again after so long, milliseconds.
const RETRY_MS: u64 = 30_000;

/// Lists are read again for an id they lack, but not more often than this, milliseconds.
const LIST_MS: u64 = 10_000;

/// So many names are kept: more than there are groups.
const MOST: usize = 8_192;

/// A file of an engine is not larger than this, bytes.
const LARGEST: u64 = 4 << 20;

/// A folder of an engine has no more entries that are looked at.
const MOST_ENTRIES: usize = 20_000;

impl Names {
    /// The name that a tenant was given.
    pub(super) fn name(&mut self, tenant: &Tenant, root: &ProcRoot, at: BootMs) -> Reading<Text> {
        let key = match tenant {
            Tenant::Container { id, .. } => id,
            Tenant::Pod { uid } => uid,
            Tenant::Named { name, .. } => return Reading::Value(Text::from(name.as_str())),
            Tenant::User(_) => return Reading::Unsupported(Need::NotApplicable),
        };
        if let Some((reading, looked_at)) = self.known.get(key)
            && (matches!(reading, Reading::Value(_)) || at.since(*looked_at) < RETRY_MS)
        {
            return reading.clone();
        }
        let mut is_denied = false;
        let own = match tenant {
            Tenant::Pod { uid } => pod_of_kubelet(root, uid, &mut is_denied),
            _ => container(root, key, &mut is_denied),
        };
        let found = own.or_else(|| self.listed(key, root, at));
        let reading = match found {
            Some(name) => Reading::Value(Text::from(name.chars().take(200).collect::<String>().as_str())),
            None if is_denied || self.is_list_denied => Reading::Denied(Denial::Root),
            None => Reading::Unsupported(Need::NotApplicable),
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(key.clone(), (reading.clone(), at));
        reading
    }

    fn listed(&mut self, key: &str, root: &ProcRoot, at: BootMs) -> Option<String> {
        if !self.listed.contains_key(key) && self.listed_at.is_none_or(|listed| at.since(listed) >= LIST_MS) {
            self.listed_at = Some(at);
            self.is_list_denied = false;
            self.listed = read_lists(root, &mut self.is_list_denied);
        }
        self.listed.get(key).cloned()
    }
}

/// A whole file of a reasonable size.
fn read(path: &Path, is_denied: &mut bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)) {
        Ok(_) => Some(bytes),
        Err(error) => {
            *is_denied |= error.kind() == io::ErrorKind::PermissionDenied;
            None
        }
    }
}

/// Docker's own record of a container: `Name` has a slash before it.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Name")]
    name: String,
}

/// An OCI runtime bundle (`config.json`), as containerd keeps it.
#[derive(Deserialize)]
struct Bundle {
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    annotations: HashMap<String, String>,
}

/// Namespaces of containerd that are looked into: of Kubernetes, of Docker, of its own tools.
const NAMESPACES: [&str; 3] = ["k8s.io", "moby", "default"];

/// The name from the files of the container itself.
fn container(root: &ProcRoot, id: &str, is_denied: &mut bool) -> Option<String> {
    let docker = root.var.join("lib/docker/containers").join(id).join("config.v2.json");
    if let Some(bytes) = read(&docker, is_denied)
        && let Ok(config) = serde_json::from_slice::<DockerConfig>(&bytes)
    {
        return named(config.name.trim_start_matches('/'));
    }
    let tasks = root.run.join("containerd/io.containerd.runtime.v2.task");
    NAMESPACES.iter().find_map(|namespace| {
        let bytes = read(&tasks.join(namespace).join(id).join("config.json"), is_denied)?;
        name_of_bundle(&serde_json::from_slice(&bytes).ok()?)
    })
}

/// Kubernetes says container and pod, nerdctl a name; else there is the host name.
fn name_of_bundle(bundle: &Bundle) -> Option<String> {
    let annotation = |key: &str| bundle.annotations.get(key).filter(|value| !value.is_empty());
    let kubernetes = annotation("io.kubernetes.cri.container-name")
        .or_else(|| annotation("io.kubernetes.container.name"))
        .zip(annotation("io.kubernetes.cri.sandbox-name").or_else(|| annotation("io.kubernetes.pod.name")))
        .map(|(container, pod)| format!("{container} in {pod}"));
    let sandbox = || {
        let is_sandbox = annotation("io.kubernetes.cri.container-type").is_some_and(|kind| kind == "sandbox");
        let pod = annotation("io.kubernetes.cri.sandbox-name").filter(|_| is_sandbox);
        pod.map(|pod| format!("sandbox of {pod}"))
    };
    kubernetes.or_else(sandbox).or_else(|| annotation("nerdctl/name").cloned()).or_else(|| named(&bundle.hostname))
}

fn named(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

/// The pod's name is the host name that its hosts file ends with.
fn pod_of_kubelet(root: &ProcRoot, uid: &str, is_denied: &mut bool) -> Option<String> {
    let bytes = read(&root.var.join("lib/kubelet/pods").join(uid).join("etc-hosts"), is_denied)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut words = lines.next_back()?.split_whitespace();
    let (address, name) = (words.next()?, words.next_back()?);
    let is_own = !address.starts_with("127.") && !address.contains(':') && !name.ends_with("localhost");
    is_own.then(|| name.to_owned())
}

/// A line of the list that podman and CRI-O keep of their containers.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Names by id that stand in lists: podman's and CRI-O's storage, and the logs of Kubernetes.
fn read_lists(root: &ProcRoot, is_denied: &mut bool) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for list in ["containers.json", "volatile-containers.json"] {
        let path = root.var.join("lib/containers/storage/overlay-containers").join(list);
        let stored = read(&path, is_denied).and_then(|bytes| serde_json::from_slice::<Vec<Stored>>(&bytes).ok());
        for container in stored.into_iter().flatten() {
            if let Some(name) = container.names.into_iter().next() {
                names.insert(container.id, name);
            }
        }
    }
    // POD_NAMESPACE_CONTAINER-ID.log, and NAMESPACE_POD_UID.
    for name in entries(&root.var.join("log/containers"), is_denied) {
        if let Some((stem, id)) = name.strip_suffix(".log").and_then(|stem| stem.rsplit_once('-'))
            && let [pod, _, container] = stem.splitn(3, '_').collect::<Vec<_>>()[..]
        {
            names.insert(id.to_owned(), format!("{container} in {pod}"));
        }
    }
    for name in entries(&root.var.join("log/pods"), is_denied) {
        if let [namespace, pod, uid] = name.splitn(3, '_').collect::<Vec<_>>()[..] {
            names.insert(uid.to_owned(), format!("{namespace}/{pod}"));
        }
    }
    names
}

fn entries(folder: &Path, is_denied: &mut bool) -> Vec<String> {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            entries.flatten().take(MOST_ENTRIES).filter_map(|entry| entry.file_name().into_string().ok()).collect()
        }
        Err(error) => {
            *is_denied |= error.kind() == io::ErrorKind::PermissionDenied;
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2a9c013f2a9c013f2a9c013f2a9c013f2a9c013f2a9c013f2a9c013f2a9c01";
    const UID: &str = "8f4e6f6a-1111-4222-8333-123456789abc";

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, ProcRoot) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path.replace("ID", ID).replace("POD", UID));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("ID", ID)).unwrap();
        }
        let root = ProcRoot::recorded(folder.path());
        (folder, root)
    }

    fn name(tenant: &Tenant, files: &[(&str, &str)]) -> Option<String> {
        let (_folder, root) = machine(files);
        let reading = Names::default().name(tenant, &root, BootMs(1));
        reading.value().map(|name| name.escaped().into_owned())
    }

    fn container() -> Tenant {
        Tenant::Container { engine: "docker".into(), id: ID.into() }
    }

    #[test]
    fn every_engine_is_asked_by_its_own_files() {
        let bundle = "run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json";
        let kubernetes = r#"{"hostname": "h", "annotations": {"io.kubernetes.cri.container-name": "nginx",
            "io.kubernetes.cri.sandbox-name": "web-7d9", "io.kubernetes.cri.container-type": "container"}}"#;
        let sandbox = r#"{"annotations": {"io.kubernetes.cri.sandbox-name": "web-7d9",
            "io.kubernetes.cri.container-type": "sandbox"}}"#;
        for (path, text, shown) in [
            ("var/lib/docker/containers/ID/config.v2.json", r#"{"ID": "x", "Name": "/web", "State": {}}"#, "web"),
            (bundle, kubernetes, "nginx in web-7d9"),
            (bundle, sandbox, "sandbox of web-7d9"),
            (bundle, r#"{"annotations": {"nerdctl/name": "api"}, "hostname": "h"}"#, "api"),
            (bundle, r#"{"hostname": "db-1"}"#, "db-1"),
            (
                "var/lib/containers/storage/overlay-containers/containers.json",
                r#"[{"id": "other", "names": ["x"]}, {"id": "ID", "names": ["cache", "alias"]}]"#,
                "cache",
            ),
            ("var/log/containers/web-7d9_prod_side_car-ID.log", "", "side_car in web-7d9"),
        ] {
            assert_eq!(name(&container(), &[(path, text)]).as_deref(), Some(shown), "{path}");
        }
        let pod = Tenant::Pod { uid: UID.into() };
        assert_eq!(name(&pod, &[("var/log/pods/prod_web-7d9_POD/x", "")]).as_deref(), Some("prod/web-7d9"));
        let hosts =
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\nfe00::0\tip6-localnet\n10.42.0.7\tweb-7d9\n";
        assert_eq!(name(&pod, &[("var/lib/kubelet/pods/POD/etc-hosts", hosts)]).as_deref(), Some("web-7d9"));
    }

    #[test]
    fn what_is_damaged_or_not_there_is_no_name() {
        for text in ["", "{", "[]", "{\"Name\": 5}", "{\"Name\": \"\"}", "\u{0}\u{1}"] {
            assert_eq!(name(&container(), &[("var/lib/docker/containers/ID/config.v2.json", text)]), None, "{text:?}");
        }
        assert_eq!(name(&container(), &[("var/log/containers/no-name.log", "")]), None);
        assert_eq!(name(&Tenant::User(5), &[]), None);
    }

    #[test]
    fn a_name_that_a_terminal_would_obey_is_escaped_where_it_is_shown() {
        let text = "{\"Name\": \"/we\\u001b[2Jb\"}";
        assert_eq!(
            name(&container(), &[("var/lib/docker/containers/ID/config.v2.json", text)]).as_deref(),
            Some("we\\x1b[2Jb")
        );
    }

    #[test]
    fn a_name_that_comes_later_is_found_later_and_then_kept() {
        let (folder, root) = machine(&[]);
        let mut names = Names::default();
        assert_eq!(names.name(&container(), &root, BootMs(1)), Reading::Unsupported(Need::NotApplicable));
        let home = folder.path().join("var/lib/docker/containers").join(ID);
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("config.v2.json"), "{\"Name\": \"/web\"}").unwrap();
        assert_eq!(names.name(&container(), &root, BootMs(RETRY_MS)), Reading::Unsupported(Need::NotApplicable));
        assert_eq!(names.name(&container(), &root, BootMs(1 + RETRY_MS)), Reading::Value("web".into()));
        std::fs::remove_dir_all(home).unwrap();
        assert_eq!(names.name(&container(), &root, BootMs(9 * RETRY_MS)), Reading::Value("web".into()));
    }
}
