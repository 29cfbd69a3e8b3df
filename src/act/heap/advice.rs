//! What is done with the heaps of what is not Node.js.

use crate::model::runtime::RuntimeKind;

/// Why there is no V8 heap snapshot of it, and what there is.
pub(super) fn not_node(kind: Option<RuntimeKind>, pid: u32) -> String {
    match kind {
        None | Some(RuntimeKind::Node) => {
            "it is not Node.js, as far as its executable and its libraries tell: it has no V8 heap to take a snapshot of"
                .to_owned()
        }
        Some(kind) => format!("it is {} and not Node.js. {}", kind.title(), instead(kind, pid)),
    }
}

/// What tells of the heap of a runtime: a sentence without its full stop.
pub fn instead(kind: RuntimeKind, pid: u32) -> String {
    match kind {
        RuntimeKind::Node => format!("Its heap snapshot: memtide heap capture {pid}"),
        RuntimeKind::Jvm => format!(
            "Its classes: memtide heap histogram {pid}; all of its heap: memtide act heap_dump /var/tmp/app.hprof --pid {pid}"
        ),
        RuntimeKind::Python => format!(
            "memray sees what it allocates from now on (pip install memray; it needs gdb or lldb): memray attach \
             --aggregate -o /var/tmp/{pid}.memray {pid}; then memray stats /var/tmp/{pid}.memray. By its own means, \
             started anew: PYTHONTRACEMALLOC=10 and tracemalloc.take_snapshot().statistics('lineno')"
        ),
        RuntimeKind::Go => "Its profile, where it serves net/http/pprof: memtide heap histogram \
             http://127.0.0.1:6060/debug/pprof/heap, with its own port; or a file that runtime/pprof wrote"
            .to_owned(),
        RuntimeKind::DotNet => format!("Its heap: dotnet-gcdump collect -p {pid}, which is not read here"),
        RuntimeKind::Ruby => {
            "Its heap: ObjectSpace.dump_all(output: file) in the program itself, which is not read here".to_owned()
        }
        RuntimeKind::Php => {
            "Its heap: the extension meminfo or memprof in the program itself, which are not read here".to_owned()
        }
        other => format!("The heap of {} is not supported", other.title()),
    }
}
