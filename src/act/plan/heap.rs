//! A heap snapshot of Node.js: how it would be taken, what it costs, what it risks.

use std::path::Path;

use super::describe;
use crate::act::effect::{Plan, Refusal, Target};
use crate::act::heap::{Look, Options, Way, Why, look};
use crate::act::signal;
use crate::collect::root::ProcRoot;
use crate::model::shell::quote;
use crate::units::Bytes;

pub(super) fn snapshot(target: &Target, file: &str, options: Options, root: &ProcRoot) -> Plan {
    let looked = look(root, target, Some(Path::new(file)), options.force);
    let mut plan = match &looked {
        Ok(look) => Plan { effects: effects(look, file), risk: risk(look.way), ..Plan::default() },
        Err(error) => {
            // Who may not look at it may under sudo; everybody else is refused for good.
            let is_denied = error.why == Why::Refused && error.text.contains("not permitted");
            let command = if is_denied {
                format!("sudo memtide heap capture {} -o {}", target.key.pid, quote(file))
            } else {
                String::new()
            };
            let reason = tr!("Refused: {text}.", text = error.text);
            Plan { refusal: Some(Refusal { reason, command }), ..Plan::default() }
        }
    };
    plan.title = tr!("take a heap snapshot of process {pid}?", pid = target.key.pid);
    plan.targets = vec![describe(target, root)];
    plan.needs = tr!("its own user or root, with the right to ptrace it; Node.js.").into();
    plan.undo = tr!("delete the file.").into();
    plan
}

/// The statistics of a V8 heap: nothing happens but that its inspector may have to be opened.
pub fn statistics(target: &Target, root: &ProcRoot) -> (Plan, Option<Way>) {
    let mut plan = Plan {
        title: tr!("open the inspector of process {pid} for its statistics?", pid = target.key.pid),
        targets: vec![describe(target, root)],
        effects: vec![tr!(of OPENS).into()],
        needs: tr!("its own user or root, with the right to ptrace it; Node.js.").into(),
        risk: tr!(of OWN_HANDLER).trim_start().into(),
        ..Plan::default()
    };
    match look(root, target, None, true) {
        Ok(look) => (plan, Some(look.way)),
        Err(error) => {
            plan.refusal = Some(Refusal { reason: tr!("Refused: {text}.", text = error.text), command: String::new() });
            (plan, None)
        }
    }
}

/// The histogram of a JVM's classes.
pub fn histogram(target: &Target, all: bool, root: &ProcRoot) -> Plan {
    let first = if all {
        tr!("All objects are counted, garbage too, without a collection.")
    } else {
        tr!("A full collection runs, then the live objects are counted.")
    };
    let plan = Plan {
        title: tr!("count the objects of JVM {pid} by class?", pid = target.key.pid),
        effects: vec![first.into(), tr!("A socket /tmp/.java_pidN stays in its /tmp, as after jcmd.").into()],
        risk: tr!("all its threads stand still meanwhile, on a large heap for seconds.").into(),
        undo: tr!("none, and none is needed.").into(),
        ..Plan::default()
    };
    let command = format!("sudo -u {} jcmd {} GC.class_histogram", quote(&target.user), target.key.pid);
    super::process::of_jvm(target, root, plan, command)
}

const OPENS: &str = key!(
    "SIGUSR1 opens its inspector on the loopback, where any program of this machine can command it; it is \
                     closed again afterwards. The program writes a line about it to its stderr."
);

const OWN_HANDLER: &str =
    key!(" A program that handles SIGUSR1 itself does what it does then instead, which can't be seen from outside.");

fn effects(look: &Look, file: &str) -> Vec<String> {
    let how = match look.way {
        Way::Open(address) | Way::Opened(address) => {
            tr!("Its inspector listens on {address} already: it is asked for the snapshot and stays as it is.", address)
        }
        Way::Writes(signal) => tr!(
            "SIG{signal} makes it write the snapshot to its own folder (--heapsnapshot-signal); the file is moved from there.",
            signal = signal::name(signal)
        ),
        Way::Opens => tr!(of OPENS).into(),
    };
    vec![
        how,
        tr!(
            "The live objects of its heap (at most {heap}, garbage included) are written to {file}, up to about {disk} large, for you \
             alone to read.",
            heap = Bytes(look.heap),
            file,
            disk = Bytes(look.disk)
        ),
        tr!(
            "It takes up to about {memory} of memory beside the heap until it is written.",
            memory = Bytes(look.memory)
        ),
    ]
}

fn risk(way: Way) -> String {
    let own = match way {
        Way::Opens => tr!(of OWN_HANDLER),
        _ => "",
    };
    tr!(
        "its program stands still meanwhile, for up to a second for each 5 MB of heap; the file holds whatever the program \
         knows, secrets too.{own}",
        own
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::effect::Signal;

    #[test]
    fn each_way_names_what_it_does_to_the_process() {
        let look = |way| Look { way, version: None, heap: 100 << 20, memory: 200 << 20, disk: 150 << 20 };
        for (way, told) in [
            (Way::Open("127.0.0.1:9229".parse().unwrap()), "127.0.0.1:9229 already"),
            (Way::Writes(Signal(12)), "SIGUSR2"),
            (Way::Opens, "SIGUSR1 opens its inspector on the loopback"),
        ] {
            let effects = effects(&look(way), "/var/tmp/x.heapsnapshot").join(" ");
            assert!(effects.contains(told) && effects.contains("150M") && effects.contains("200M"), "{effects}");
        }
        assert!(risk(Way::Opens).contains("handles SIGUSR1 itself") && !risk(Way::Writes(Signal(12))).contains("USR1"));
    }
}
