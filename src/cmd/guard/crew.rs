//! Threads that carry decisions out, started before they are needed: where memory is nearly gone none could be. What is
//! done in no time never waits behind a hook.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::guard::decision::Decision;
use crate::session::guard::carry::{Carrier, Told};

/// Threads of each kind.
const EACH: usize = 3;

/// The stack of one: none of what they do is deep.
const STACK: usize = 512 << 10;

/// What a crew reports.
pub(super) enum Report {
    /// A step of a decision begins.
    Began(u64, usize),
    /// A step has ended.
    Ended(Box<Decision>, usize, Result<String, String>, Duration),
    /// All of them have, and whether well.
    Done(u64, bool),
}

/// The threads.
pub(super) struct Crew {
    quick: Sender<Decision>,
    slow: Sender<Decision>,
}

impl Crew {
    pub(super) fn start(carrier: Carrier, report: &UnboundedSender<Report>) -> io::Result<Self> {
        let carrier = Arc::new(carrier);
        let start = |name: &str| -> io::Result<Sender<Decision>> {
            let (sender, receiver) = channel();
            let receiver = Arc::new(Mutex::new(receiver));
            for _ in 0..EACH {
                let (receiver, carrier, report) = (Arc::clone(&receiver), Arc::clone(&carrier), report.clone());
                std::thread::Builder::new()
                    .name(name.into())
                    .stack_size(STACK)
                    .spawn(move || work(&receiver, &carrier, &report))?;
            }
            Ok(sender)
        };
        Ok(Self { quick: start("quick")?, slow: start("slow")? })
    }

    /// Has a decision carried out.
    pub(super) fn take(&self, decision: Decision) {
        let is_quick = decision.steps.iter().skip(decision.first).all(crate::guard::step::Step::is_quick);
        let queue = if is_quick { &self.quick } else { &self.slow };
        // The threads end only with the program.
        let _ = queue.send(decision);
    }
}

fn work(queue: &Mutex<Receiver<Decision>>, carrier: &Carrier, report: &UnboundedSender<Report>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(decision) = next else { return };
        // Without a listener the program is at its end.
        let send = |told| drop(report.send(told));
        let is_done = carrier.carry(&decision, |told| match told {
            Told::Began(index) => send(Report::Began(decision.id, index)),
            Told::Ended(index, result, took) => {
                send(Report::Ended(Box::new(decision.clone()), index, result, took));
            }
        });
        send(Report::Done(decision.id, is_done));
    }
}
