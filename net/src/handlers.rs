//! Owns functions that are called with messages of one type: the way to use a pool without a loop of one's own.
//! Promises that a peer's messages are handled in order, one after the other, and those of different peers side by side.
//! Refuses to hold peers up for each other: a slow handler stops only the peer whose message it has.
//!
//! ```no_run
//! use bitcoin::Network;
//! use everett_net::handlers::{GetAddr, Inv};
//! use everett_net::{Peer, Pool, PoolConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = PoolConfig::new(Network::Bitcoin);
//! config.connect = vec!["127.0.0.1:8333".parse()?];
//! let (pool, events) = Pool::start(config)?;
//! pool.on(|peer: Peer, Inv(announced)| async move {
//!     println!("peer {} announces {} things", peer.id(), announced.len());
//! });
//! pool.on_established(|peer| async move {
//!     let _ = peer.send(bitcoin::p2p::message::NetworkMessage::GetAddr);
//! });
//! events.dispatch().await;
//! # Ok(())
//! # }
//! ```

mod dispatch;
mod types;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use crate::connection::{LostReason, Peer};
use crate::message::{Command, Message};
use crate::pool::Pool;

pub use types::*;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type OnMessage = Arc<dyn Fn(Peer, Message) -> Task + Send + Sync>;
type OnEstablished = Arc<dyn Fn(Peer) -> Task + Send + Sync>;
type OnLost = Arc<dyn Fn(Peer, LostReason) -> Task + Send + Sync>;

/// The handlers of a pool.
#[derive(Default)]
pub(crate) struct Handlers {
    registered: RwLock<Registered>,
}

#[derive(Default)]
struct Registered {
    by_name: HashMap<Command, Vec<OnMessage>>,
    any: Vec<OnMessage>,
    established: Vec<OnEstablished>,
    lost: Vec<OnLost>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers")
    }
}

impl Handlers {
    fn register(&self, action: impl FnOnce(&mut Registered)) {
        action(
            &mut self
                .registered
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Those that want a message of this name.
    fn of(&self, command: &Command) -> Vec<OnMessage> {
        let registered = self
            .registered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let named = registered.by_name.get(command).into_iter().flatten();
        named.chain(&registered.any).cloned().collect()
    }

    fn of_established(&self) -> Vec<OnEstablished> {
        let registered = self
            .registered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        registered.established.clone()
    }

    fn of_lost(&self) -> Vec<OnLost> {
        let registered = self
            .registered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        registered.lost.clone()
    }
}

impl Pool {
    /// Calls `handler` with each message of one type; the type is that of its second argument. Several handlers of a
    /// type are called in the order in which they were registered.
    ///
    /// A message that does not decode is counted ([`Counters::undecodable`](crate::Counters::undecodable)) and dropped.
    /// Handlers are called while [`PoolEvents::dispatch`](crate::PoolEvents::dispatch) runs.
    pub fn on<M, H, F>(&self, handler: H)
    where
        M: Payload,
        H: Fn(Peer, M) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let command = Command::new(M::NAME).expect("payloads have names of the protocol");
        self.on_raw(command, move |peer, message| -> Task {
            match message.decode().map(M::from_message) {
                Ok(Some(payload)) => Box::pin(handler(peer, payload)),
                _ => {
                    peer.count_undecodable();
                    Box::pin(std::future::ready(()))
                }
            }
        });
    }

    /// Calls `handler` with each message of this name, as its bytes came.
    pub fn on_raw<H, F>(&self, command: Command, handler: H)
    where
        H: Fn(Peer, Message) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handler: OnMessage = Arc::new(move |peer, message| Box::pin(handler(peer, message)));
        self.handlers().register(|registered| {
            registered.by_name.entry(command).or_default().push(handler);
        });
    }

    /// Calls `handler` with each message of whatever name, after those that want it by name.
    pub fn on_any<H, F>(&self, handler: H)
    where
        H: Fn(Peer, Message) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handler: OnMessage = Arc::new(move |peer, message| Box::pin(handler(peer, message)));
        self.handlers()
            .register(|registered| registered.any.push(handler));
    }

    /// Calls `handler` with each peer whose handshake is over, before any of its messages.
    pub fn on_established<H, F>(&self, handler: H)
    where
        H: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handler: OnEstablished = Arc::new(move |peer| Box::pin(handler(peer)));
        self.handlers()
            .register(|registered| registered.established.push(handler));
    }

    /// Calls `handler` with each peer that was established and is lost, after all of its messages, and why it is.
    pub fn on_lost<H, F>(&self, handler: H)
    where
        H: Fn(Peer, LostReason) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handler: OnLost = Arc::new(move |peer, reason| Box::pin(handler(peer, reason)));
        self.handlers()
            .register(|registered| registered.lost.push(handler));
    }
}

#[cfg(test)]
mod tests;
