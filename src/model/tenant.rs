//! Who lives in a control group, as far as its path tells: a container, a pod, a machine, a user.

use super::text::escape;

/// Whose control group it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// A container with the id that its engine gave it; the engine is empty where the path does not tell it.
    Container {
        /// `docker`, `libpod`, `containerd`, `crio`.
        engine: String,
        /// 64 hexadecimal digits.
        id: String,
    },
    /// A container or virtual machine with a name of its own: LXC, systemd-machined.
    Named {
        /// `lxc`, `machine`.
        engine: &'static str,
        /// Its name, escaped.
        name: String,
    },
    /// A Kubernetes pod.
    Pod {
        /// Its uid, as the API server writes it; a static pod's is a hash.
        uid: String,
    },
    /// All sessions and services of a user (`user-UID.slice`).
    User(u32),
}

impl Tenant {
    /// The tenant that the last segment of a path names.
    pub fn of(path: &[u8]) -> Option<Self> {
        let mut segments = path.rsplit(|byte| *byte == b'/').map(|segment| std::str::from_utf8(segment).unwrap_or(""));
        let segment = segments.next()?;
        let parent = segments.next().unwrap_or("");
        let stem = segment.strip_suffix(".scope").or_else(|| segment.strip_suffix(".slice")).unwrap_or(segment);
        container(path, stem)
            .or_else(|| pod(path, stem))
            .or_else(|| named(parent, segment))
            .or_else(|| segment.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok().map(Self::User))
    }

    /// Engine and id as short as engines show them (`docker:3f2a9c01bead`), or the name; `None` for a user.
    pub fn short(&self) -> Option<String> {
        match self {
            Self::Container { engine, id } if engine.is_empty() => Some(id[..12].to_owned()),
            Self::Container { engine, id } => Some(format!("{engine}:{}", &id[..12])),
            Self::Named { engine, name } => Some(format!("{engine}:{name}")),
            Self::Pod { uid } => Some(format!("pod:{}", uid.get(..8).unwrap_or(uid))),
            Self::User(_) => None,
        }
    }
}

fn container(path: &[u8], stem: &str) -> Option<Tenant> {
    let (engine, id) = stem.rsplit_once('-').unwrap_or(("", stem));
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let engine = match engine {
        "cri-containerd" => "containerd",
        "" if path.starts_with(b"/docker/") => "docker",
        other => other,
    };
    Some(Tenant::Container { engine: escape(engine.as_bytes()).into_owned(), id: id.to_owned() })
}

/// `/kubepods/burstable/podUID`, or `kubepods-burstable-podUID.slice` with `_` for `-` (the kubelet's two cgroup drivers).
fn pod(path: &[u8], stem: &str) -> Option<Tenant> {
    let is_of_kubernetes = path.windows(8).any(|part| part == b"kubepods");
    let (_, uid) = stem.rsplit_once("-pod").or_else(|| stem.strip_prefix("pod").map(|uid| ("", uid)))?;
    let uid = uid.replace('_', "-");
    let is_uid = (8..=64).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (is_of_kubernetes && is_uid).then_some(Tenant::Pod { uid })
}

/// `lxc.payload.NAME`, `/lxc/NAME` before LXC 4, `machine-NAME.scope` of systemd-machined.
fn named(parent: &str, segment: &str) -> Option<Tenant> {
    let (engine, name) = if let Some(name) = segment.strip_prefix("lxc.payload.") {
        ("lxc", name.to_owned())
    } else if parent == "lxc" {
        ("lxc", segment.to_owned())
    } else {
        ("machine", segment.strip_prefix("machine-")?.strip_suffix(".scope")?.replace("\\x2d", "-"))
    };
    (!name.is_empty()).then(|| Tenant::Named { engine, name: escape(name.as_bytes()).into_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tenants_are_known_by_the_paths_that_engines_make() {
        let id = "0123456789abcdef".repeat(4);
        for (path, short) in [
            (format!("/system.slice/docker-{id}.scope"), "docker:0123456789ab"),
            (format!("/docker/{id}"), "docker:0123456789ab"),
            (format!("/kubepods.slice/x.slice/cri-containerd-{id}.scope"), "containerd:0123456789ab"),
            (format!("/kubepods.slice/x.slice/crio-{id}.scope"), "crio:0123456789ab"),
            (format!("/kubepods/besteffort/pod1/{id}"), "0123456789ab"),
            (format!("/machine.slice/libpod-{id}.scope"), "libpod:0123456789ab"),
            ("/kubepods/burstable/pod8f4e6f6a-1111-4222-8333-123456789abc".into(), "pod:8f4e6f6a"),
            ("/kubepods.slice/kubepods-burstable-pod8f4e6f6a_1111_4222_8333_123456789abc.slice".into(), "pod:8f4e6f6a"),
            ("/lxc.payload.web-1".into(), "lxc:web-1"),
            ("/lxc/web".into(), "lxc:web"),
            ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope".into(), "machine:qemu-1-vm"),
        ] {
            assert_eq!(Tenant::of(path.as_bytes()).and_then(|tenant| tenant.short()).as_deref(), Some(short), "{path}");
        }
        let pod = Tenant::of(b"/kubepods.slice/kubepods-pod8f4e6f6a_1111_4222_8333_123456789abc.slice");
        assert_eq!(pod, Some(Tenant::Pod { uid: "8f4e6f6a-1111-4222-8333-123456789abc".into() }));
        assert_eq!(Tenant::of(b"/user.slice/user-1000.slice"), Some(Tenant::User(1000)));
        for nobody in ["/", "", "/system.slice/nginx.service", "/system.slice/podman.service", "/kubepods/burstable"] {
            assert_eq!(Tenant::of(nobody.as_bytes()), None, "{nobody}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_group_is_called_nothing_a_terminal_obeys_comes_out(path in proptest::collection::vec(any::<u8>(), 0..100), begin in "(/lxc/|/machine-|/kubepods/pod|/lxc.payload.)?") {
            let path = [begin.as_bytes(), &path].concat();
            if let Some(short) = Tenant::of(&path).and_then(|tenant| tenant.short()) {
                prop_assert!(!short.chars().any(char::is_control), "{short:?}");
            }
        }
    }
}
