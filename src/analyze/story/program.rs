//! What runs a program: each has its own tools to look into its memory.

use crate::model::process::Identity;
use crate::model::runtime::RuntimeKind;

/// What runs a program, as far as its name and its command line show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Node,
    Jvm,
    Python,
    Php,
    Postgres,
    Redis,
    /// Go, with the port where this program serves its profiles unless it was told otherwise, if it does.
    Go(Option<u16>),
    /// Anything else: compiled to machine code, or an interpreter without a tool of its own here.
    Native,
}

/// Programs written in Go, and where they serve `/debug/pprof` without being asked to.
const GO: &[(&str, Option<u16>)] = &[
    ("prometheus", Some(9090)),
    ("alertmanager", Some(9093)),
    ("node_exporter", Some(9100)),
    ("caddy", Some(2019)),
    ("influxd", Some(8086)),
    ("victoria-metrics", Some(8428)),
    ("dockerd", None),
    ("containerd", None),
    ("kubelet", None),
    ("kube-apiserver", None),
    ("etcd", None),
    ("grafana", None),
    ("grafana-server", None),
    ("traefik", None),
    ("consul", None),
    ("vault", None),
    ("nomad", None),
    ("minio", None),
    ("telegraf", None),
    ("cockroach", None),
];

/// What runs this process.
pub(super) fn runtime(identity: &Identity) -> Runtime {
    match identity.kind() {
        Some(RuntimeKind::Node) => Runtime::Node,
        Some(RuntimeKind::Jvm) => Runtime::Jvm,
        Some(RuntimeKind::Python) => Runtime::Python,
        Some(RuntimeKind::Php) => Runtime::Php,
        Some(RuntimeKind::Postgres) => Runtime::Postgres,
        Some(RuntimeKind::Redis) => Runtime::Redis,
        Some(_) => Runtime::Native,
        None => {
            let command = identity.command.escaped();
            let comm = identity.comm.escaped();
            let first = command.split_ascii_whitespace().next().unwrap_or_default();
            let program = first.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
            [program, &*comm].into_iter().find_map(by_go).unwrap_or(Runtime::Native)
        }
    }
}

/// What is known to be written in Go. The kernel keeps 15 bytes of a name.
fn by_go(name: &str) -> Option<Runtime> {
    let known = GO.iter().find(|(go, _)| *go == name || (name.len() == 15 && go.starts_with(name)));
    known.map(|(_, port)| Runtime::Go(*port))
}

/// A word of a command line that begins like this.
pub(super) fn has_option(identity: &Identity, option: &str) -> bool {
    identity.command.escaped().split_ascii_whitespace().any(|word| word.starts_with(option))
}

/// A word of a command line that is this program, wherever it lies: a script that an interpreter runs.
pub(super) fn has_program(identity: &Identity, program: &str) -> bool {
    let command = identity.command.escaped();
    command
        .split_ascii_whitespace()
        .any(|word| word.rsplit('/').next().is_some_and(|name| name.trim_end_matches(':') == program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_name_title_or_interpreter() {
        let of = |comm: &str, command: &str| {
            runtime(&Identity { comm: comm.into(), command: command.into(), ..Identity::default() })
        };
        assert_eq!(of("node", "/usr/bin/node app.js"), Runtime::Node);
        assert_eq!(of("MainThread", "node app.js"), Runtime::Node, "what newer releases call themselves");
        assert_eq!(of("java", "/opt/jdk/bin/java -jar a.jar"), Runtime::Jvm);
        assert_eq!(of("gunicorn", "/usr/bin/python3.11 /usr/bin/gunicorn app"), Runtime::Python);
        assert_eq!(of("python3", "python3 -m app"), Runtime::Python);
        assert_eq!(of("php-fpm8.2", "php-fpm: pool www"), Runtime::Php);
        assert_eq!(of("postgres", "postgres: 15/main: app shop [local] idle"), Runtime::Postgres);
        assert_eq!(of("prometheus", "/bin/prometheus --config.file=x"), Runtime::Go(Some(9090)));
        assert_eq!(of("dockerd", "/usr/bin/dockerd -H fd://"), Runtime::Go(None));
        assert_eq!(of("victoria-metric", ""), Runtime::Go(Some(8428)), "cut by the kernel");
        assert_eq!(of("nginx", "nginx: worker process"), Runtime::Native);
        assert_eq!(of("", ""), Runtime::Native);
    }
}
