//! Owns a call's deadline, and the flag by which its work learns that nobody waits any more.
//! Promises that the work is told when the time is up and also when the client has gone away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

use crate::fault::Fault;

/// The header in which gRPC carries the time that a call may take.
const TIMEOUT_HEADER: &str = "grpc-timeout";

/// The protocol allows at most so many digits.
const MAX_TIMEOUT_DIGITS: usize = 8;

/// Our answer is due a little earlier than the deadline, by this part of it and at most [`MAX_MARGIN`]: the transport
/// has a timer of its own, set to the same moment, that would answer with a code of its own.
const MARGIN_PART: u32 = 8;
/// See [`MARGIN_PART`].
const MAX_MARGIN: Duration = Duration::from_millis(20);

/// When a call has to be answered; `None` leaves it all the time it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The earlier of what the client asks for and what the server allows, from now on.
    pub(crate) fn of(metadata: &MetadataMap, limit: Option<Duration>) -> Deadline {
        let asked = metadata
            .get(TIMEOUT_HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(parse_timeout);
        let time = match (asked, limit) {
            (Some(asked), Some(limit)) => Some(asked.min(limit)),
            (asked, limit) => asked.or(limit),
        };
        Deadline(time.and_then(|time| {
            let margin = (time / MARGIN_PART).min(MAX_MARGIN);
            Instant::now().checked_add(time - margin)
        }))
    }

    /// The moment as the runtime's timer wants it.
    pub(crate) fn instant(self) -> Option<tokio::time::Instant> {
        self.0.map(tokio::time::Instant::from_std)
    }

    /// Waits until it is over: for ever where there is none.
    pub(crate) async fn over(self) {
        match self.instant() {
            Some(moment) => tokio::time::sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }

    fn passed(self) -> bool {
        self.0.is_some_and(|moment| Instant::now() >= moment)
    }
}

/// Reads the protocol's form: up to eight digits and a unit of `H M S m u n`.
fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty()
        || digits.len() > MAX_TIMEOUT_DIGITS
        || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// What the work of a call asks whether to go on.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    deadline: Deadline,
    gone: Arc<AtomicBool>,
}

impl Patience {
    /// For a call with this deadline; the work has to stop when the [`Client`] is dropped.
    pub(crate) fn new(deadline: Deadline) -> (Patience, Client) {
        let gone = Arc::new(AtomicBool::new(false));
        let client = Client(gone.clone());
        (Patience { deadline, gone }, client)
    }

    /// Whether somebody still waits for the answer.
    pub(crate) fn lasts(&self) -> bool {
        !self.gone.load(Ordering::Relaxed) && !self.deadline.passed()
    }

    /// For what goes on after the first answer, such as a stream: only the deadline ends it.
    pub(crate) fn without_client(&self) -> Patience {
        Patience {
            deadline: self.deadline,
            gone: Arc::default(),
        }
    }

    /// Fails when nobody waits any more.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self.lasts() {
            true => Ok(()),
            false => Err(Fault::deadline_exceeded()),
        }
    }
}

/// The one who waits for an answer.
#[derive(Debug)]
pub(crate) struct Client(Arc<AtomicBool>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
