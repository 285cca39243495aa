//! Owns one client's stream of what enters and leaves the mempool.
//! Promises that a client which does not read costs a bounded queue for a bounded time, and learns from where to go on.
//! Refuses to begin behind changes that are not kept any more.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use everett_mempool::{Change, ChangesGone, Mempool};
use everett_node::{CallError, StopSignal};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::stream_transactions_response::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;
use tonic::Code;

use crate::config::StreamLimits;
use crate::convert::mempool as convert;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::parse;
use crate::responses::Responses;

/// Messages that wait for a client to read; more wait in the mempool's records.
const QUEUE: usize = 64;
/// Changes that are taken from those records at once.
const CHANGES_AT_ONCE: usize = 64;

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    after: Option<u64>,
    /// The run that `after` is of; empty where the client does not say.
    run: String,
    raw: bool,
    heartbeat: Duration,
}

impl Wish {
    pub(crate) fn parse(request: v1::StreamTransactionsRequest) -> Result<Wish, Fault> {
        Ok(Wish {
            after: request.after_change,
            run: request.run,
            raw: request.include_raw,
            heartbeat: parse::heartbeat(request.heartbeat)?,
        })
    }
}

/// The name of a mempool's run: 16 hexadecimal digits.
pub(crate) fn run(mempool: &Mempool) -> String {
    format!("{:016x}", mempool.run())
}

/// Begins to send.
pub(crate) fn begin(
    mempool: Mempool,
    wish: Wish,
    limits: StreamLimits,
    deadline: Deadline,
    stop: StopSignal,
    place: OwnedSemaphorePermit,
) -> Result<Responses<v1::StreamTransactionsResponse>, Fault> {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (told, end) = oneshot::channel();
    let latest = mempool.change_number();
    let newest = *latest.borrow();
    let done = wish.after.unwrap_or(newest);
    let run = run(&mempool);
    if !wish.run.is_empty() && wish.run != run {
        let message = "the changes that came are of another run of the node: list what waits, and go on from there";
        let fault = Fault::new(Code::OutOfRange, ErrorReason::CursorOfOtherRun, message);
        return Err(fault.with("run", run));
    }
    if done > newest {
        let message = format!(
            "change {done} is of another run of the node, this one has come to {newest}: list what waits, and go on from there"
        );
        let fault = Fault::new(Code::OutOfRange, ErrorReason::CursorAhead, message);
        return Err(fault.with("seq", done).with("next", newest + 1));
    }
    let sending = Sending {
        run,
        mempool,
        latest,
        wish,
        limits,
        sender,
        done,
        heartbeat_due: Instant::now(),
    };
    tokio::spawn(async move {
        let why = tokio::select! {
            why = sending.run() => why,
            () = deadline.over() => Some(Fault::deadline_exceeded()),
            () = stop.wait() => Some(CallError::ShuttingDown.into()),
        };
        if let Some(why) = why {
            // The client may be gone.
            let _ = told.send(Some(why));
        }
    });
    Ok(Responses::new(messages, end, place))
}

/// Why the sending stopped; `None` when the client is gone.
type Ended = Option<Fault>;

struct Sending {
    run: String,
    mempool: Mempool,
    latest: watch::Receiver<u64>,
    wish: Wish,
    limits: StreamLimits,
    sender: mpsc::Sender<v1::StreamTransactionsResponse>,
    /// The last change of which all was sent.
    done: u64,
    heartbeat_due: Instant,
}

impl Sending {
    async fn run(mut self) -> Ended {
        // The first message says where the stream begins.
        if let Err(ended) = self.heartbeat().await {
            return ended;
        }
        loop {
            if let Err(ended) = self.step().await {
                return ended;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        self.latest.borrow_and_update();
        loop {
            let changes = self.mempool.changes_after(self.done, CHANGES_AT_ONCE);
            let changes = changes.map_err(|gone| Some(expired(gone)))?;
            if changes.is_empty() {
                break;
            }
            for change in changes {
                self.tell(&change).await?;
            }
        }
        tokio::select! {
            changed = self.latest.changed() => changed.map_err(|_| Some(CallError::ShuttingDown.into())),
            () = tokio::time::sleep_until(self.heartbeat_due) => self.heartbeat().await,
            () = self.sender.closed() => Err(None),
        }
    }

    async fn tell(&mut self, change: &Arc<Change>) -> Result<(), Ended> {
        for (index, happened) in change.happened.iter().enumerate() {
            let mut event = convert::event(happened, self.wish.raw);
            event.change = change.number;
            event.last = index + 1 == change.happened.len();
            event.block_hash = change.world.to_string();
            self.send(Message::Event(event)).await?;
        }
        self.done = change.number;
        Ok(())
    }

    async fn heartbeat(&mut self) -> Result<(), Ended> {
        let heartbeat = v1::MempoolHeartbeat {
            change: self.done,
            run: self.run.clone(),
            time: Some(SystemTime::now().into()),
        };
        self.send(Message::Heartbeat(heartbeat)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        let message = v1::StreamTransactionsResponse {
            message: Some(message),
        };
        let patience = self.limits.slow_consumer;
        match tokio::time::timeout(patience, self.sender.send(message)).await {
            Ok(Ok(())) => {
                self.heartbeat_due = Instant::now() + self.wish.heartbeat;
                Ok(())
            }
            Ok(Err(_)) => Err(None),
            Err(_) => {
                let text = format!(
                    "nothing was read from this stream for {} s; start again behind the last change of which all came",
                    patience.as_secs()
                );
                let fault = Fault::new(Code::ResourceExhausted, ErrorReason::SlowConsumer, text);
                Err(Some(fault.with("change", self.done)))
            }
        }
    }
}

fn expired(gone: ChangesGone) -> Fault {
    let fault = Fault::new(
        Code::OutOfRange,
        ErrorReason::CursorExpired,
        gone.to_string(),
    );
    fault.with("oldest", gone.oldest).with("seq", gone.wanted)
}
