//! Owns the frontend: its sockets, and the task that follows the mempool.

use std::io;
use std::sync::Arc;

use everett_node::{Frontend, Handle, Starting, Task};
use tokio::sync::watch;
use tracing::info;

use crate::address::Address;
use crate::config::ZmqConfig;
use crate::follow::Follower;
use crate::notifier::Notifiers;
use crate::socket::Socket;

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
pub enum ZmqError {
    /// An address cannot be listened on.
    #[error(
        "ZeroMQ messages cannot be published on {address}: {source}; choose another address with --zmqpub…, or stop what \
         uses it"
    )]
    Listen {
        /// The configured address.
        address: Address,
        /// The system's reason.
        source: io::Error,
    },
}

/// The publishers as a frontend of the node.
pub struct Zmq {
    config: ZmqConfig,
    bound: watch::Sender<Vec<Address>>,
}

/// Tells where messages are published, also after the node has taken the publishers over.
#[derive(Clone, Debug)]
pub struct BoundAddresses {
    bound: watch::Receiver<Vec<Address>>,
}

impl BoundAddresses {
    /// The addresses, each once, in the order of publications; empty before the start. Ports that were left to the system
    /// are the ones it chose.
    pub fn get(&self) -> Vec<Address> {
        self.bound.borrow().clone()
    }
}

impl Zmq {
    /// Publishers that are not started yet.
    pub fn new(config: ZmqConfig) -> Zmq {
        Zmq {
            config,
            bound: watch::Sender::new(Vec::new()),
        }
    }

    /// Tells where messages are published: take it before the node takes the publishers.
    pub fn bound_addresses(&self) -> BoundAddresses {
        BoundAddresses {
            bound: self.bound.subscribe(),
        }
    }

    async fn publish(&self, handle: Handle) -> Result<Task, ZmqError> {
        let mut sockets: Vec<(&Address, Arc<Socket>)> = Vec::new();
        let mut notifiers = Notifiers::default();
        for publication in self.config.publications() {
            let address = &publication.address;
            let bound = sockets.iter().find(|(known, _)| *known == address);
            let socket = match bound {
                Some((_, socket)) => socket.clone(),
                None => {
                    let stop = handle.stop_signal().clone();
                    let socket = Socket::bind(address, publication.high_water_mark, stop)
                        .await
                        .map_err(|source| ZmqError::Listen {
                            address: address.clone(),
                            source,
                        })?;
                    let socket = Arc::new(socket);
                    sockets.push((address, socket.clone()));
                    socket
                }
            };
            notifiers.add(publication.topic, socket);
        }
        let addresses = sockets.iter().map(|(_, socket)| socket.address().clone());
        let addresses: Vec<Address> = addresses.collect();
        info!(?addresses, "ZeroMQ messages are published");
        self.bound.send_replace(addresses);
        let follower = Follower::new(handle, notifiers);
        Ok(tokio::spawn(async move { Ok(follower.run().await?) }))
    }
}

impl Frontend for Zmq {
    fn name(&self) -> &str {
        "zmq"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.publish(handle).await?) })
    }
}
