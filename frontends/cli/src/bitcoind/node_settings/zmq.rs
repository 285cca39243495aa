//! Owns what is published over ZMQ, as the options say it.

use super::super::arguments::Arguments;

/// The messages that may wait for a subscriber unless it is configured otherwise.
const DEFAULT_HIGH_WATER_MARK: i64 = 1_000;
/// What can be published.
const TOPICS: [&str; 5] = ["hashblock", "hashtx", "rawblock", "rawtx", "sequence"];

/// One kind of message at one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ZmqPublisher {
    /// `hashblock`, `hashtx`, `rawblock`, `rawtx` or `sequence`.
    pub(crate) topic: &'static str,
    /// Where, such as `tcp://127.0.0.1:28332` or `ipc:/run/zmq`.
    pub(crate) address: String,
    /// Messages that may wait for a subscriber.
    pub(crate) high_water_mark: i64,
}

/// All of them, a topic after the other.
pub(super) fn publishers(arguments: &Arguments) -> Vec<ZmqPublisher> {
    let publishers = TOPICS.iter().flat_map(|topic| {
        let high_water_mark = arguments
            .int(&format!("zmqpub{topic}hwm"))
            .unwrap_or(DEFAULT_HIGH_WATER_MARK);
        let addresses = arguments.list(&format!("zmqpub{topic}"));
        addresses.into_iter().map(move |address| ZmqPublisher {
            topic,
            // libzmq's word for what Core calls unix.
            address: address.replacen("unix:", "ipc:", 1),
            high_water_mark,
        })
    });
    publishers.collect()
}
