//! Owns the queue between the node and the thread that writes.
//! Promises that putting something in takes a moment and never waits; refuses more than its limits, and counts that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use everett_proto::v1;
use everett_proto::v1::log_record::Body;
use parking_lot::{Condvar, Mutex};
use prost::Message;
use tokio::sync::watch;

use crate::frame::{MAX_RECORD_BYTES, encode};
use crate::record::timestamp;

/// Records that may wait to be written.
pub(crate) const MAX_RECORDS: usize = 16_384;
/// Bytes of records that may wait to be written.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Messages that are kept until a log is opened; a command without one never opens it.
const MAX_BEFORE_OPEN: usize = 256;

/// Where records go. Clones are the same queue.
#[derive(Clone, Default)]
pub struct Sink(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something to write, or nobody to write for.
    something: Condvar,
    /// The number of the last record that the system has.
    written: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The last number given out.
    seq: u64,
    /// Records that found no room since the last one that did.
    dropped: u64,
    /// All that were dropped, for metrics.
    lost: u64,
    open: bool,
}

/// What the thread gets to write: frames, and the number of the last of their records.
pub(crate) struct Group {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) last_seq: u64,
}

impl Sink {
    /// An empty queue that nobody writes out yet.
    pub fn new() -> Sink {
        Sink::default()
    }

    /// Puts a record in, and gives its number; `None` if there is no room, which is counted.
    pub fn put(&self, body: Body) -> Option<u64> {
        let mut state = self.0.state.lock();
        let room = match state.open {
            true => MAX_RECORDS,
            false => MAX_BEFORE_OPEN,
        };
        if state.frames.len() >= room || state.bytes >= MAX_BYTES {
            state.dropped += 1;
            state.lost += 1;
            return None;
        }
        if state.dropped > 0 {
            let count = std::mem::take(&mut state.dropped);
            state.add(Body::RecordsDropped(v1::RecordsDropped {
                count,
                reason: "the log's queue was full".to_owned(),
            }));
        }
        state.add(body);
        let seq = state.seq;
        drop(state);
        self.0.something.notify_one();
        Some(seq)
    }

    /// Puts a record in if there is room; where there is none, that is not counted: its owner comes again.
    pub(crate) fn put_if_room(&self, body: Body) -> Option<u64> {
        {
            let state = self.0.state.lock();
            if state.frames.len() >= MAX_RECORDS || state.bytes >= MAX_BYTES {
                return None;
            }
        }
        self.put(body)
    }

    /// Records that were dropped since the process began.
    pub fn lost(&self) -> u64 {
        self.0.state.lock().lost
    }

    /// Follows the number of the last record that the system has: what the process wrote outlives it.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.0.written.subscribe()
    }

    pub(crate) fn set_written(&self, seq: u64) {
        self.0.written.send_replace(seq);
    }

    /// From now on somebody writes.
    pub(crate) fn open(&self) {
        self.0.state.lock().open = true;
    }

    /// Nobody writes any more; what waits stays for who opens it next.
    pub(crate) fn close(&self) {
        self.0.state.lock().open = false;
        self.0.something.notify_all();
    }

    /// Whether nobody is to write any more.
    pub(crate) fn is_closed(&self) -> bool {
        !self.0.state.lock().open
    }

    /// All that waits; waits for something at most so long. `None` when it was closed and is empty.
    pub(crate) fn take(&self, patience: Duration) -> Option<Group> {
        let mut state = self.0.state.lock();
        if state.frames.is_empty() && state.open {
            self.0.something.wait_for(&mut state, patience);
        }
        if state.frames.is_empty() && !state.open {
            return None;
        }
        let frames = std::mem::take(&mut state.frames).into();
        state.bytes = 0;
        Some(Group {
            frames,
            last_seq: state.seq,
        })
    }
}

impl State {
    fn add(&mut self, body: Body) {
        self.seq += 1;
        let record = v1::LogRecord {
            seq: self.seq,
            time: Some(timestamp(SystemTime::now())),
            body: Some(body),
        };
        let mut record = record.encode_to_vec();
        if record.len() > MAX_RECORD_BYTES {
            let told = v1::LogRecord {
                seq: self.seq,
                time: Some(timestamp(SystemTime::now())),
                body: Some(Body::RecordsDropped(v1::RecordsDropped {
                    count: 1,
                    reason: format!("a record of {} bytes is too long", record.len()),
                })),
            };
            record = told.encode_to_vec();
        }
        let mut frame = Vec::new();
        encode(&record, &mut frame);
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Body {
        Body::Message(v1::LogMessage {
            text: text.to_owned(),
            ..v1::LogMessage::default()
        })
    }

    #[test]
    fn what_finds_no_room_is_counted_and_the_log_tells_it() {
        let sink = Sink::new();
        sink.open();
        for _ in 0..MAX_RECORDS {
            assert!(sink.put(message("x")).is_some());
        }
        for _ in 0..7 {
            assert!(sink.put(message("y")).is_none());
        }
        let group = sink.take(Duration::ZERO).unwrap();
        assert_eq!(group.frames.len(), MAX_RECORDS);
        assert!(sink.put(message("z")).is_some());
        let group = sink.take(Duration::ZERO).unwrap();
        let told = v1::LogRecord::decode(&group.frames[0][12..]).unwrap();
        let Some(Body::RecordsDropped(dropped)) = told.body else {
            panic!("{told:?}");
        };
        assert_eq!((dropped.count, sink.lost()), (7, 7));
        assert_eq!(group.frames.len(), 2);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let sink = Sink::new();
        sink.open();
        let long = "x".repeat(1 << 20);
        let taken = (0..100)
            .filter(|_| sink.put(message(&long)).is_some())
            .count();
        assert!(taken <= 33, "{taken}");
    }
}
