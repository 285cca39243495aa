//! Owns the queue between the node and the thread that writes.
//! Promises that putting something in takes a moment and never waits, and that packets leave half of the room to what
//! happens to the node; refuses more than its limits, and counts that.

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
/// Of these, how many there may be when a packet finds room still.
const MAX_RECORDS_BEFORE_PACKET: usize = MAX_RECORDS / 2;
/// And how many bytes.
const MAX_BYTES_BEFORE_PACKET: usize = MAX_BYTES / 2;
/// Bytes of the longest number of a record, with its tag.
const NUMBER: usize = 11;
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
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The last number given out.
    seq: u64,
    /// Records that found no room since the last one that did.
    dropped: u64,
    /// All that were dropped, for metrics.
    lost: u64,
    open: bool,
    /// The number of the last one who writes: one that failed may be about to end.
    writer: u64,
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
        self.insert(body, true)
    }

    /// Puts a message of the network in, whoever is connected sends as many as it likes: so there is room only while the
    /// queue is less than half full. What finds none is counted.
    pub fn put_packet(&self, packet: v1::Packet) -> Option<u64> {
        self.insert(Body::Packet(packet), true)
    }

    /// Puts a record in if there is room; where there is none, that is not counted: its owner comes again.
    pub(crate) fn put_if_room(&self, body: Body) -> Option<u64> {
        self.insert(body, false)
    }

    fn insert(&self, body: Body, counted: bool) -> Option<u64> {
        let most = match body {
            Body::Packet(_) => (MAX_RECORDS_BEFORE_PACKET, MAX_BYTES_BEFORE_PACKET),
            _ => (MAX_RECORDS, MAX_BYTES),
        };
        // Before anybody is held up: a packet may be long.
        let record = Encoded::new(body);
        let mut state = self.0.state.lock();
        let room = match state.open {
            true => most.0,
            false => MAX_BEFORE_OPEN,
        };
        if state.records.len() >= room || state.bytes >= most.1 {
            if counted {
                state.dropped += 1;
                state.lost += 1;
            }
            return None;
        }
        if state.dropped > 0 {
            let count = std::mem::take(&mut state.dropped);
            state.add(Encoded::new(Body::RecordsDropped(v1::RecordsDropped {
                count,
                reason: "the log's queue was full".to_owned(),
            })));
        }
        state.add(record);
        let seq = state.seq;
        drop(state);
        self.0.something.notify_one();
        Some(seq)
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

    /// From now on somebody writes: who holds the number that this gives, and nobody before.
    pub(crate) fn open(&self) -> u64 {
        let mut state = self.0.state.lock();
        state.open = true;
        state.writer += 1;
        let writer = state.writer;
        drop(state);
        self.0.something.notify_all();
        writer
    }

    /// Nobody writes any more; what waits stays for who opens it next.
    pub(crate) fn close(&self) {
        self.0.state.lock().open = false;
        self.0.something.notify_all();
    }

    /// Whether this writer is to write no more.
    pub(crate) fn is_closed(&self, writer: u64) -> bool {
        let state = self.0.state.lock();
        !state.open || state.writer != writer
    }

    /// All that waits, for this writer; waits for something at most so long. `None` when it was closed and is empty, or
    /// another one writes.
    pub(crate) fn take(&self, writer: u64, patience: Duration) -> Option<Group> {
        let mut state = self.0.state.lock();
        if state.records.is_empty() && state.open && state.writer == writer {
            self.0.something.wait_for(&mut state, patience);
        }
        if state.writer != writer || (state.records.is_empty() && !state.open) {
            return None;
        }
        let records = std::mem::take(&mut state.records);
        state.bytes = 0;
        let last_seq = state.seq;
        drop(state);
        // Nobody else waits for the checksums.
        let framed = |record: Vec<u8>| {
            let mut frame = Vec::new();
            encode(&record, &mut frame);
            frame
        };
        Some(Group {
            frames: records.into_iter().map(framed).collect(),
            last_seq,
        })
    }
}

/// A record that has no number yet.
struct Encoded(Vec<u8>);

impl Encoded {
    /// What it says, now; of what is too long, that it is.
    fn new(body: Body) -> Encoded {
        let mut record = Encoded::whole(body);
        if record.len() + NUMBER > MAX_RECORD_BYTES {
            record = Encoded::whole(Body::RecordsDropped(v1::RecordsDropped {
                count: 1,
                reason: format!("a record of {} bytes is too long", record.len()),
            }));
        }
        Encoded(record)
    }

    fn whole(body: Body) -> Vec<u8> {
        let record = v1::LogRecord {
            seq: 0,
            time: Some(timestamp(SystemTime::now())),
            body: Some(body),
        };
        let mut bytes = Vec::with_capacity(record.encoded_len() + NUMBER);
        record.encode_raw(&mut bytes);
        bytes
    }

    /// With its number: fields of protobuf may follow each other in any order.
    fn numbered(self, seq: u64) -> Vec<u8> {
        let number = v1::LogRecord {
            seq,
            ..v1::LogRecord::default()
        };
        let mut record = self.0;
        number.encode_raw(&mut record);
        record
    }
}

impl State {
    fn add(&mut self, record: Encoded) {
        self.seq += 1;
        let record = record.numbered(self.seq);
        self.bytes += record.len();
        self.records.push_back(record);
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
        let writer = sink.open();
        for _ in 0..MAX_RECORDS {
            assert!(sink.put(message("x")).is_some());
        }
        for _ in 0..7 {
            assert!(sink.put(message("y")).is_none());
        }
        let group = sink.take(writer, Duration::ZERO).unwrap();
        assert_eq!(group.frames.len(), MAX_RECORDS);
        assert!(sink.put(message("z")).is_some());
        let group = sink.take(writer, Duration::ZERO).unwrap();
        let told = v1::LogRecord::decode(&group.frames[0][12..]).unwrap();
        let Some(Body::RecordsDropped(dropped)) = told.body else {
            panic!("{told:?}");
        };
        assert_eq!((dropped.count, sink.lost()), (7, 7));
        assert_eq!(group.frames.len(), 2);
    }

    fn packet(payload: usize) -> v1::Packet {
        v1::Packet {
            command: "inv".to_owned(),
            payload: vec![7; payload],
            payload_bytes: payload as u32,
            ..v1::Packet::default()
        }
    }

    #[test]
    fn packets_leave_half_of_the_room_to_what_happens_to_the_node() {
        for payload in [0, 1 << 20] {
            let sink = Sink::new();
            let writer = sink.open();
            let packets = (0..MAX_RECORDS)
                .filter(|_| sink.put_packet(packet(payload)).is_some())
                .count();
            assert_eq!(packets, if payload == 0 { MAX_RECORDS / 2 } else { 16 });
            for _ in 0..1_000 {
                assert!(sink.put(message("x")).is_some());
            }
            let group = sink.take(writer, Duration::ZERO).unwrap();
            // And the record of how many packets found none.
            assert_eq!(group.frames.len(), packets + 1 + 1_000);
            assert!(sink.put_packet(packet(payload)).is_some());
        }
    }

    #[test]
    fn a_record_has_its_number_and_what_it_says() {
        let sink = Sink::new();
        let writer = sink.open();
        let most = MAX_RECORD_BYTES;
        for payload in [3, most - 100, most - 1, most] {
            sink.put_packet(packet(payload));
        }
        let group = sink.take(writer, Duration::ZERO).unwrap();
        let records = group.frames.iter();
        let records = records.map(|frame| v1::LogRecord::decode(&frame[12..]).unwrap());
        let records: Vec<v1::LogRecord> = records.collect();
        let numbers: Vec<u64> = records.iter().map(|record| record.seq).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        let kinds: Vec<&str> = records.iter().map(crate::record::kind).collect();
        assert_eq!(kinds, ["packet", "packet", "dropped", "dropped"]);
        assert_eq!(records[0].body, Some(Body::Packet(packet(3))));
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
