//! Steady load: so many requests a second through nginx, by a clock that no slow answer moves.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::truth::get;

/// Who visits the server. Dropping it ends the visits.
pub struct Load {
    /// Requests a second: 0 is a pause, none the end. It is held while a request is under way.
    rate: Arc<Mutex<Option<u32>>>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// So many requests a second for this path.
    pub fn start(port: u16, path: &'static str, rate: u32) -> Self {
        let shared = Arc::new(Mutex::new(Some(rate)));
        let rate = Arc::clone(&shared);
        let visit = move || {
            let mut next = Instant::now();
            loop {
                match *rate.lock().unwrap() {
                    None => return,
                    Some(0) => next = Instant::now() + Duration::from_millis(5),
                    Some(rate) => {
                        // Nobody answers while the application is started anew.
                        let _ = get(port, path);
                        next += Duration::from_secs(1) / rate;
                    }
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        };
        Self { rate: shared, thread: Some(std::thread::spawn(visit)) }
    }

    /// Visits so often from now on; with 0, no request is under way afterwards.
    pub fn set(&self, rate: u32) {
        *self.rate.lock().unwrap() = Some(rate);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Ok(mut rate) = self.rate.lock() {
            *rate = None;
        }
        // It ends by itself, and a test that failed says why by itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
