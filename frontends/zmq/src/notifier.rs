//! Owns the publishers: each with a topic, a socket and a number that rises with its messages.
//! Promises that a message is told by all publishers of its topic in their order, each with its own number; what cannot be told
//! leaves a gap in the numbers.

use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid};

use crate::config::Topic;
use crate::socket::Socket;
use crate::wire::message;

/// What a message of `sequence` says of a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Label {
    /// A block was applied.
    Connected,
    /// A block was undone.
    Disconnected,
    /// A transaction waits, since this step of the mempool.
    Added(u64),
    /// A transaction waits no more, since this step of the mempool, and no block has it.
    Removed(u64),
}

/// One publisher.
struct Notifier {
    topic: Topic,
    socket: Arc<Socket>,
    /// The number of its next message.
    sequence: u32,
}

/// All publishers, in Core's order.
#[derive(Default)]
pub(crate) struct Notifiers {
    all: Vec<Notifier>,
}

/// A hash as it is displayed, which is the other way round than it is kept.
fn displayed(mut hash: [u8; 32]) -> [u8; 32] {
    hash.reverse();
    hash
}

/// The body of a message of `sequence`: the hash as it is displayed, a letter, and for transactions the mempool's
/// sequence in eight bytes, the lowest first.
fn sequence_body(hash: [u8; 32], label: Label) -> Vec<u8> {
    let mut body = displayed(hash).to_vec();
    let (letter, step) = match label {
        Label::Connected => (b'C', None),
        Label::Disconnected => (b'D', None),
        Label::Added(step) => (b'A', Some(step)),
        Label::Removed(step) => (b'R', Some(step)),
    };
    body.push(letter);
    if let Some(step) = step {
        body.extend(step.to_le_bytes());
    }
    body
}

impl Notifiers {
    /// Adds one behind the others.
    pub(crate) fn add(&mut self, topic: Topic, socket: Arc<Socket>) {
        self.all.push(Notifier {
            topic,
            socket,
            sequence: 0,
        });
    }

    /// Whether any of these topics is told.
    pub(crate) fn tell_any(&self, topics: &[Topic]) -> bool {
        self.all
            .iter()
            .any(|notifier| topics.contains(&notifier.topic))
    }

    fn tell(&mut self, bodies: &[(Topic, &[u8])]) {
        for notifier in &mut self.all {
            let body = bodies.iter().find(|(topic, _)| *topic == notifier.topic);
            let Some((topic, body)) = body else {
                continue;
            };
            let name = topic.as_str();
            let number = notifier.sequence.to_le_bytes();
            notifier
                .socket
                .publish(name, &message(&[name.as_bytes(), body, &number]));
            notifier.sequence = notifier.sequence.wrapping_add(1);
        }
    }

    /// Messages of these topics are lost, at least one each: their publishers leave a number out, by which subscribers see it.
    pub(crate) fn skip(&mut self, topics: &[Topic]) {
        for notifier in &mut self.all {
            if topics.contains(&notifier.topic) {
                notifier.sequence = notifier.sequence.wrapping_add(1);
            }
        }
    }

    /// A block is the best one.
    pub(crate) fn best_block(&mut self, hash: &BlockHash, bytes: Option<&[u8]>) {
        let shown = displayed(hash.to_byte_array());
        let mut bodies = vec![(Topic::HashBlock, &shown[..])];
        bodies.extend(bytes.map(|bytes| (Topic::RawBlock, bytes)));
        self.tell(&bodies);
    }

    /// A transaction of a block that was applied or undone.
    pub(crate) fn transaction(&mut self, txid: &Txid, bytes: &[u8]) {
        let shown = displayed(txid.to_byte_array());
        self.tell(&[(Topic::HashTx, &shown), (Topic::RawTx, bytes)]);
    }

    /// A transaction that waits now; its bytes where `rawtx` is told.
    pub(crate) fn added(&mut self, txid: &Txid, bytes: Option<&[u8]>, step: u64) {
        let shown = displayed(txid.to_byte_array());
        let body = sequence_body(txid.to_byte_array(), Label::Added(step));
        let mut bodies = vec![(Topic::HashTx, &shown[..]), (Topic::Sequence, &body[..])];
        bodies.extend(bytes.map(|bytes| (Topic::RawTx, bytes)));
        self.tell(&bodies);
    }

    /// What `sequence` says of a block or a transaction.
    pub(crate) fn sequence(&mut self, hash: [u8; 32], label: Label) {
        self.tell(&[(Topic::Sequence, &sequence_body(hash, label))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_sequence_is_the_hash_as_displayed_a_letter_and_a_step_for_transactions() {
        let mut hash = [0; 32];
        hash[0] = 7;
        let body = sequence_body(hash, Label::Connected);
        assert_eq!((body.len(), body[31], body[32]), (33, 7, b'C'));
        let body = sequence_body(hash, Label::Disconnected);
        assert_eq!((body.len(), body[32]), (33, b'D'));
        let body = sequence_body(hash, Label::Added(258));
        assert_eq!(&body[31..], [7, b'A', 2, 1, 0, 0, 0, 0, 0, 0]);
        let body = sequence_body(hash, Label::Removed(1));
        assert_eq!(&body[32..], [b'R', 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn what_is_lost_leaves_a_gap_in_the_numbers_of_its_topics_alone() {
        let address = "tcp://127.0.0.1:0".parse().unwrap();
        let stop = everett_node::StopSignal::new();
        let socket = Arc::new(Socket::bind(&address, 1, stop).await.unwrap());
        let mut notifiers = Notifiers::default();
        for topic in Topic::ALL {
            notifiers.add(topic, socket.clone());
        }
        notifiers.skip(&[Topic::HashTx, Topic::RawTx]);
        notifiers.best_block(&BlockHash::all_zeros(), None);
        let numbers = |notifiers: &Notifiers| -> Vec<u32> {
            notifiers.all.iter().map(|all| all.sequence).collect()
        };
        assert_eq!(numbers(&notifiers), [1, 1, 0, 1, 0]);
        notifiers.skip(&Topic::ALL);
        assert_eq!(numbers(&notifiers), [2, 2, 1, 2, 1]);
        notifiers.added(&Txid::all_zeros(), None, 1);
        assert_eq!(numbers(&notifiers), [2, 3, 1, 2, 2]);
    }
}
