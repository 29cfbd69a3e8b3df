//! What programs say of themselves: `QUANTITY VALUE` a line, how much is lost so far.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

use rustix::time::{ClockId, clock_gettime};

use crate::truth::Quantity;

/// One line and when it came, milliseconds since boot.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub at: u64,
    pub quantity: Quantity,
    pub value: f64,
}

/// All lines of one subject, from several pipes.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<Vec<Report>>>);

/// Milliseconds since boot.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

impl Reports {
    /// Listens until the pipe is closed.
    pub fn listen(&self, pipe: impl Read + Send + 'static) {
        let all = Arc::clone(&self.0);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let Some((quantity, value)) = line.split_once(' ') else { continue };
                let quantity = match quantity {
                    "memory" => Quantity::Memory,
                    "fds" => Quantity::Fds,
                    "threads" => Quantity::Threads,
                    "shmem" => Quantity::Shmem,
                    "kernel" => Quantity::Kernel,
                    _ => continue,
                };
                let Ok(value) = value.parse() else { continue };
                all.lock().unwrap().push(Report { at: now(), quantity, value });
            }
        });
    }

    /// Since when, milliseconds since boot, and how much a millisecond; `None` where nothing was lost. A count that
    /// falls began anew: what was lost before stays lost. `paused` milliseconds are left out.
    pub fn rate(&self, quantity: Quantity, paused: u64) -> Option<(u64, f64)> {
        let all = self.0.lock().unwrap();
        let reports: Vec<&Report> = all.iter().filter(|report| report.quantity == quantity).collect();
        let first = reports.first()?;
        let (mut sum, mut until) = (0.0, first.at);
        for pair in reports.windows(2) {
            let more = pair[1].value - pair[0].value;
            if more > 0.0 {
                sum += more;
                until = pair[1].at;
            }
        }
        let length = (until - first.at).saturating_sub(paused);
        if sum == 0.0 || length == 0 {
            return None;
        }
        let rate = sum / length as f64;
        let before = (first.value / rate) as u64;
        Some((first.at.saturating_sub(before), rate))
    }
}
