//! What a scrape is answered with: the metrics of the latest update, made when somebody asks and once for each update.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use tokio::sync::watch;

use crate::export::metrics::encode::{Format, encode};
use crate::export::metrics::{Choice, Wish, families};
use crate::model::reading::BootMs;
use crate::session::thread::Published;

/// What the session said last; nothing before the first sample.
pub type Latest = watch::Receiver<Option<Published>>;

/// The page of metrics.
pub struct Page {
    latest: Latest,
    wish: Arc<Wish>,
    /// Our own pid, where the kernel that is read is the one we run on.
    pid: Option<u32>,
    made: Mutex<Made>,
}

/// What was made of an update.
#[derive(Default)]
struct Made {
    of: Option<BootMs>,
    choice: Choice,
    /// The text in each format that was asked for.
    texts: Vec<(Format, Bytes)>,
}

impl Page {
    /// A page of what is wished of the latest update.
    pub fn new(latest: Latest, wish: Arc<Wish>, pid: Option<u32>) -> Self {
        Self { latest, wish, pid, made: Mutex::default() }
    }

    /// The text, or why there is none.
    pub fn text(&self, format: Format) -> Result<Bytes, String> {
        let update = match &*self.latest.borrow() {
            Some(Published::Update(update)) => Arc::clone(update),
            Some(Published::Failed(why)) => return Err(why.clone()),
            None => return Err("the first sample is being taken".into()),
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let at = update.snapshot.sample.at;
        if made.of != Some(at) {
            let choice = made.choice.renew(&update.snapshot, &self.wish);
            *made = Made { of: Some(at), choice, texts: Vec::new() };
        }
        if let Some((_, text)) = made.texts.iter().find(|(of, _)| *of == format) {
            return Ok(text.clone());
        }
        let text = Bytes::from(encode(&families(&update.snapshot, &made.choice, &self.wish, self.pid), format));
        made.texts.push((format, text.clone()));
        Ok(text)
    }
}
