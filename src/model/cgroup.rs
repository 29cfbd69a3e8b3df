//! Where a process belongs: its control group, and the systemd unit or container that the path names.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::reading::BootMs;
use super::tenant::Tenant;
use super::text::{Text, escape};

/// Which cgroup interface holds the memory controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CgroupVersion {
    /// The unified hierarchy (Documentation/admin-guide/cgroup-v2.rst).
    #[default]
    V2,
    /// The memory controller's own hierarchy (Documentation/admin-guide/cgroup-v1/memory.rst).
    V1,
}

/// A process's control group, as `/proc/PID/cgroup` names it (cgroups(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Membership {
    /// The path in the hierarchy of the memory controller, from that hierarchy's root.
    pub memory: Text,
    /// The path that systemd or a container engine manages; equals `memory` on a pure v2 system.
    pub managed: Text,
    /// The hierarchy that `memory` is a path of.
    pub version: CgroupVersion,
}

impl Membership {
    /// The systemd unit: the innermost path segment ending in `.service`, `.scope` or `.slice`.
    pub fn unit(&self) -> Option<Cow<'_, str>> {
        [&self.managed, &self.memory].into_iter().find_map(|path| {
            path.as_bytes()
                .rsplit(|byte| *byte == b'/')
                .find(|segment| [&b".service"[..], b".scope", b".slice"].iter().any(|kind| segment.ends_with(kind)))
                .map(escape)
        })
    }

    /// The container: the innermost path segment that names one, by the 12 digits of its id that engines show, with its
    /// engine where the path tells it (`docker:3f2a…`), or by its name (`lxc:web`).
    pub fn container(&self) -> Option<String> {
        [&self.managed, &self.memory].into_iter().find_map(|path| {
            let bytes = path.as_bytes();
            let ends = (0..bytes.len()).rev().filter(|end| bytes[*end] == b'/');
            std::iter::once(bytes.len()).chain(ends).find_map(|end| match Tenant::of(&bytes[..end])? {
                Tenant::Pod { .. } | Tenant::User(_) => None,
                tenant => tenant.short(),
            })
        })
    }
}

/// The memory limit of a cgroup and how near it is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimit {
    /// The group that sets the limit: the tightest of the process's group and its ancestors.
    pub path: Text,
    /// `memory.max` or `memory.limit_in_bytes`.
    pub limit: u64,
    /// `memory.current` or `memory.usage_in_bytes` of that group.
    pub usage: u64,
    /// File pages in `usage` that can be given back (`inactive_file`).
    pub inactive_file: u64,
    /// `memory.swap.max`, or what `memory.memsw.limit_in_bytes` leaves; `None` where swap has no limit.
    pub swap_limit: Option<u64>,
    /// `memory.swap.current`, or what `memory.memsw.usage_in_bytes` says.
    pub swap_usage: Option<u64>,
    /// Times the kernel killed for this limit (`memory.events` oom_kill, v1: `memory.oom_control`).
    pub oom_kills: Option<u64>,
}

/// The memory limit that binds the processes of one control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundGroup {
    /// The group that the processes are in, as [`Membership::memory`] names it.
    pub memory: Text,
    /// Its own limit or an ancestor's, whichever is the tightest.
    pub limit: CgroupLimit,
    /// When the limit and its use were read.
    pub at: BootMs,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(path: &str) -> Membership {
        Membership { memory: path.into(), managed: path.into(), version: CgroupVersion::V2 }
    }

    #[test]
    fn the_innermost_unit_is_named() {
        let path = membership("/system.slice/nginx.service");
        assert_eq!(path.unit().as_deref(), Some("nginx.service"));
        assert_eq!(membership("/user.slice/user-0.slice/session-3.scope").unit().as_deref(), Some("session-3.scope"));
        assert_eq!(membership("/").unit(), None);
    }

    #[test]
    fn containers_are_named_by_engine_and_short_id() {
        let id = "0123456789abcdef".repeat(4);
        let cases = [
            (format!("/system.slice/docker-{id}.scope"), "docker:0123456789ab"),
            (format!("/docker/{id}"), "docker:0123456789ab"),
            (
                format!("/kubepods.slice/kubepods-burstable.slice/x.slice/cri-containerd-{id}.scope"),
                "containerd:0123456789ab",
            ),
            (format!("/kubepods/burstable/pod12/{id}"), "0123456789ab"),
            (format!("/machine.slice/libpod-{id}.scope"), "libpod:0123456789ab"),
        ];
        for (path, shown) in cases {
            assert_eq!(membership(&path).container().as_deref(), Some(shown), "{path}");
        }
        assert_eq!(membership("/system.slice/nginx.service").container(), None);
    }
}
