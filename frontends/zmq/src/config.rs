//! Owns what is published where.
//! Promises the order in which Core goes by its publishers, which is the order of messages at one address.

use std::fmt;

use crate::address::{Address, InvalidAddress};

/// Messages that may wait for a subscriber unless it is configured otherwise, as in Core.
pub const DEFAULT_HIGH_WATER_MARK: u32 = 1000;

/// What messages tell. In the order of Core's publishers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Topic {
    /// The hash of a new best block.
    HashBlock,
    /// The id of a transaction that waits, or of a block that was applied or undone.
    HashTx,
    /// The bytes of a new best block.
    RawBlock,
    /// The bytes of such a transaction.
    RawTx,
    /// Blocks applied and undone, transactions that enter and leave the mempool.
    Sequence,
}

impl Topic {
    /// All of them, in order.
    pub const ALL: [Topic; 5] = [
        Topic::HashBlock,
        Topic::HashTx,
        Topic::RawBlock,
        Topic::RawTx,
        Topic::Sequence,
    ];

    /// The first part of its messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Topic::HashBlock => "hashblock",
            Topic::HashTx => "hashtx",
            Topic::RawBlock => "rawblock",
            Topic::RawTx => "rawtx",
            Topic::Sequence => "sequence",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A topic at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    /// What is told.
    pub topic: Topic,
    /// Where.
    pub address: Address,
    /// The address as it was given.
    pub given: String,
    /// Messages that may wait for a subscriber; 0 for any number. At one address that of its first publication counts.
    pub high_water_mark: u32,
}

/// What is published where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ZmqConfig {
    publications: Vec<Publication>,
}

impl ZmqConfig {
    /// Publishes a topic at an address (`zmqpub<topic>`), with room for `high_water_mark` messages a subscriber
    /// (`zmqpub<topic>hwm`; 0 for any number).
    ///
    /// # Errors
    ///
    /// What is no address.
    pub fn publish(
        &mut self,
        topic: Topic,
        address: &str,
        high_water_mark: u32,
    ) -> Result<(), InvalidAddress> {
        self.publications.push(Publication {
            topic,
            address: address.parse()?,
            given: match address.strip_prefix("unix:") {
                Some(path) => format!("ipc://{path}"),
                None => address.to_owned(),
            },
            high_water_mark,
        });
        // Stable: addresses of one topic stay in the order in which they were given.
        self.publications
            .sort_by_key(|publication| publication.topic);
        Ok(())
    }

    /// Topic by topic, and for each topic in the order in which they were given.
    pub fn publications(&self) -> &[Publication] {
        &self.publications
    }

    /// Whether nothing is published.
    pub fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_go_by_topic_and_then_as_they_were_given() {
        let mut config = ZmqConfig::default();
        config
            .publish(Topic::Sequence, "tcp://127.0.0.1:1", 1)
            .unwrap();
        config
            .publish(Topic::HashTx, "tcp://127.0.0.1:2", 1)
            .unwrap();
        config
            .publish(Topic::HashBlock, "tcp://127.0.0.1:3", 1)
            .unwrap();
        config
            .publish(Topic::HashTx, "tcp://127.0.0.1:1", 1)
            .unwrap();
        let order: Vec<String> = config
            .publications()
            .iter()
            .map(|publication| format!("{} {}", publication.topic, publication.given))
            .collect();
        assert_eq!(
            order,
            [
                "hashblock tcp://127.0.0.1:3",
                "hashtx tcp://127.0.0.1:2",
                "hashtx tcp://127.0.0.1:1",
                "sequence tcp://127.0.0.1:1"
            ]
        );
    }
}
