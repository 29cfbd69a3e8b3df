//! The Chrome DevTools protocol over the inspector's WebSocket: calls, and the events that come before their answer.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::door::{self, Door};
use super::error::{HeapError, Why};
use super::websocket::WebSocket;
use super::wire::Patience;
use crate::act::process::Held;

/// How long the inspector's own thread may take to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the program itself may be busy before it is asked for anything that costs.
pub(super) const BUSY: Duration = Duration::from_secs(30);

/// A connection to an inspector.
pub(super) struct Session<'a> {
    socket: WebSocket<'a>,
    last: u64,
}

/// What comes without being an answer.
pub(super) enum Event<'e> {
    /// `HeapProfiler.addHeapSnapshotChunk`.
    Chunk(&'e str),
    /// `HeapProfiler.reportHeapSnapshotProgress`: so much of so much.
    Progress(u64, u64),
}

/// A message of the inspector.
#[derive(Deserialize)]
struct Message<'m> {
    id: Option<u64>,
    #[serde(borrow)]
    method: Option<Cow<'m, str>>,
    #[serde(borrow)]
    params: Option<Params<'m>>,
    result: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Params<'m> {
    #[serde(borrow)]
    chunk: Option<Cow<'m, str>>,
    done: Option<u64>,
    total: Option<u64>,
}

impl<'a> Session<'a> {
    /// Connects, and makes sure of whom to.
    pub(super) fn open(held: &Held<'_>, door: &Door, patience: Patience<'a>) -> Result<Self, HeapError> {
        let wire = door::connect(held, door.address, patience.at_most(CONNECT))?;
        let mut socket = WebSocket::open(wire, &door.address.to_string(), &door.path)?;
        door::prove(held, &socket.wire)?;
        socket.wire.patience = patience;
        Ok(Self { socket, last: 0 })
    }

    /// Gives the next call other bounds.
    pub(super) fn set_patience(&mut self, patience: Patience<'a>) {
        self.socket.wire.patience = patience;
    }

    /// Sends a call and does not wait.
    pub(super) fn send(&mut self, method: &str, params: &Value) -> Result<u64, HeapError> {
        self.last += 1;
        self.socket.send(&json!({"id": self.last, "method": method, "params": params}).to_string())?;
        Ok(self.last)
    }

    /// Calls, takes the events on the way, and gives the answer.
    pub(super) fn call(
        &mut self,
        method: &str,
        params: &Value,
        mut event: impl FnMut(Event<'_>) -> Result<(), HeapError>,
    ) -> Result<Value, HeapError> {
        let id = self.send(method, params)?;
        loop {
            let Some(bytes) = self.socket.receive()? else {
                let patience = self.socket.wire.patience;
                return Err(patience.check().err().unwrap_or_else(|| HeapError::failed("it closed the connection")));
            };
            let message: Message<'_> = serde_json::from_slice(bytes)
                .map_err(|error| HeapError::failed(format!("a message of the inspector can't be read: {error}")))?;
            match (message.id, message.params) {
                (Some(answered), _) if answered == id => {
                    return match message.error {
                        Some(error) => Err(HeapError::failed(format!("{method}: {}", words(&error["message"])))),
                        None => Ok(message.result.unwrap_or_default()),
                    };
                }
                (None, Some(Params { chunk: Some(chunk), .. }))
                    if message.method.as_deref() == Some("HeapProfiler.addHeapSnapshotChunk") =>
                {
                    event(Event::Chunk(&chunk))?;
                }
                (None, Some(Params { done: Some(done), total: Some(total), .. })) => {
                    event(Event::Progress(done, total))?;
                }
                _ => {}
            }
        }
    }

    /// Evaluates an expression in the program, and gives its value.
    pub(super) fn evaluate(&mut self, expression: &str) -> Result<Value, HeapError> {
        let mut answer = self.call("Runtime.evaluate", &evaluation(expression), |_| Ok(()))?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            return Err(HeapError::failed(format!("it throws: {}", words(&thrown["exception"]["description"]))));
        }
        Ok(answer["result"]["value"].take())
    }
}

/// The arguments of `Runtime.evaluate`. The API of the command line has `require` also where the program has none.
pub(super) fn evaluation(expression: &str) -> Value {
    json!({"expression": expression, "returnByValue": true, "includeCommandLineAPI": true, "silent": true})
}

/// What the process says, made harmless and short.
fn words(value: &Value) -> String {
    let text = value.as_str().unwrap_or("no reason told");
    let first = text.lines().next().unwrap_or_default();
    crate::model::text::escape(first.as_bytes()).chars().take(200).collect()
}

/// The modules of Node.js, from a program of either kind of modules.
const MODULES: &str = "const get=(name)=>{try{return process.getBuiltinModule(name)}catch{}try{return require(name)}catch{}\
                       try{return process.mainModule.require(name)}catch{}};";

/// What is asked before anything is begun: who it is, and how large its heap is.
pub(super) fn statistics() -> String {
    format!(
        "(()=>{{{MODULES}const v8=get('v8');return JSON.stringify({{pid:process.pid,version:process.version,\
         uptime:process.uptime(),memory:process.memoryUsage(),heap:v8&&v8.getHeapStatistics(),\
         spaces:v8&&v8.getHeapSpaceStatistics()}})}})()"
    )
}

/// Closes the inspector. The answer may never come: the connection goes with it.
pub(super) fn closing() -> String {
    format!("(()=>{{{MODULES}if(process._debugEnd)process._debugEnd();else get('inspector').close()}})()")
}

/// Closes an inspector that was opened by us; what to say where it is still open after `time`.
pub(super) fn close(held: &Held<'_>, door: &Door, time: Duration) -> Result<(), String> {
    // Whoever wanted it no more still wants it closed.
    let control = crate::act::control::Control::new(Duration::ZERO);
    let patience = Patience { control: &control, held: Some(held), deadline: std::time::Instant::now() + time };
    let ask = || -> Result<(), HeapError> {
        let mut session = Session::open(held, door, patience)?;
        session.send("Runtime.evaluate", &evaluation(&closing()))?;
        while door::is_open(held, door) {
            patience.pause()?;
        }
        Ok(())
    };
    match ask() {
        _ if !door::is_open(held, door) => Ok(()),
        Err(error) if error.why == Why::TimedOut => Err(format!(
            "its inspector on {} is still open: it is asked to close it and will as soon as it is no longer busy",
            door.address
        )),
        Err(error) => Err(format!(
            "its inspector on {} is still open ({error}): process._debugEnd() closes it, or its end",
            door.address
        )),
        Ok(()) => Ok(()),
    }
}
