//! Owns the reading of messages: each goes to whom it concerns.
//! Promises that what does not decode, is not known or has no meaning here costs nobody but its sender.
//! Refuses to answer what the connection itself answers: handshakes and pings.

use std::collections::BTreeSet;

use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use everett_net::{Message, PeerId};

use super::Protocol;
use super::misbehaviour::Reason;
use crate::addr_relay::from_addr;
use crate::serve::{MAX_INVENTORY, ServeError};

/// Satoshis that there can be.
const MAX_MONEY: u64 = 21_000_000 * 100_000_000;

impl Protocol {
    pub(super) fn on_message(&mut self, id: PeerId, message: Message) {
        match message.command.as_str() {
            // Taken apart where they are needed, or not at all.
            "block" => return self.on_block(id, message.payload),
            "tx" => return self.on_transaction(id, &message.payload),
            "cmpctblock" => return self.on_compact_block(id, &message.payload),
            "blocktxn" => return self.on_block_transactions(id, &message.payload),
            _ => {}
        }
        let decoded = match message.decode() {
            Ok(decoded) => decoded,
            Err(error) => return self.note(id, Reason::Undecodable(error.to_string())),
        };
        match decoded {
            NetworkMessage::Headers(headers) => self.on_headers(id, headers, false),
            NetworkMessage::Inv(entries) => self.on_inventory(id, &entries),
            NetworkMessage::NotFound(entries) => self.on_not_found(id, &entries),
            NetworkMessage::GetHeaders(asked) => self.on_getheaders(id, &asked),
            NetworkMessage::GetData(entries) => {
                let taken = self.with_requests(id, |_, requests, _| requests.getdata(&entries));
                self.asked_wrongly(id, taken);
            }
            NetworkMessage::GetBlockTxn(asked) => {
                let taken = self.with_requests(id, |_, requests, _| requests.getblocktxn(&asked));
                self.asked_wrongly(id, taken);
            }
            NetworkMessage::GetBlocks(asked) => {
                let answer = self.with_requests(id, |serving, requests, ledger| {
                    serving.inventory(requests, ledger, &asked)
                });
                if let Some(message) = self.asked_wrongly(id, answer).flatten() {
                    self.send_message(id, message);
                }
            }
            NetworkMessage::SendHeaders => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.prefers_headers = true;
                }
            }
            NetworkMessage::SendCmpct(message) => self.on_sendcmpct(id, &message),
            NetworkMessage::FeeFilter(rate) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    let rate = u64::try_from(rate).ok().filter(|rate| *rate <= MAX_MONEY);
                    peer.fee_filter = rate.unwrap_or(peer.fee_filter);
                }
            }
            NetworkMessage::Addr(addresses) => self.on_addresses(id, from_addr(addresses)),
            NetworkMessage::AddrV2(addresses) => self.on_addresses(id, addresses),
            NetworkMessage::GetAddr => self.on_getaddr(id),
            // Filters are not offered, so nobody may set one; as Bitcoin Core does.
            NetworkMessage::FilterLoad(_)
            | NetworkMessage::FilterAdd(_)
            | NetworkMessage::FilterClear => self.punish(id, Reason::NotWanted("filter")),
            NetworkMessage::MemPool => self.on_mempool_asked(id),
            _ => {}
        }
    }

    fn on_inventory(&mut self, id: PeerId, entries: &[Inventory]) {
        if entries.len() > MAX_INVENTORY {
            return self.punish(
                id,
                Reason::TooMany {
                    command: "inv",
                    count: entries.len(),
                    limit: MAX_INVENTORY,
                },
            );
        }
        let mut unknown = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in entries {
            match entry {
                Inventory::Block(hash) => {
                    if !seen.insert(*hash) {
                        continue;
                    }
                    let known = self.ledger.header(hash).is_some()
                        || self.pending_headers.contains_key(hash)
                        || self.download.asked.contains_key(hash);
                    self.peer_has(id, *hash);
                    if !known {
                        unknown.push(*hash);
                    }
                }
                Inventory::Transaction(_) | Inventory::WTx(_)
                    if !self.on_transaction_told(id, entry) =>
                {
                    return self.punish(id, Reason::NotWanted("inv"));
                }
                _ => {}
            }
        }
        self.want_headers(id, unknown);
    }

    fn on_not_found(&mut self, id: PeerId, entries: &[Inventory]) {
        for entry in entries.iter().take(MAX_INVENTORY) {
            match entry {
                Inventory::Block(hash)
                | Inventory::WitnessBlock(hash)
                | Inventory::CompactBlock(hash) => self.give_up(id, hash),
                _ => {}
            }
        }
        self.transactions_not_found(id, entries);
    }

    fn on_getheaders(&mut self, id: PeerId, asked: &GetHeadersMessage) {
        let answer = self.serving.headers(&self.ledger, asked);
        let Some(headers) = self.asked_wrongly(id, answer).flatten() else {
            return;
        };
        // Without this, a tip that the peer was told of, and answers by asking, would not be told again.
        let last = (headers.last()).map_or(self.best.hash, bitcoin::block::Header::block_hash);
        let main = (self.ledger.header(&last)).is_some_and(|info| info.on_best_chain);
        if let (true, Some(peer)) = (main, self.peers.get_mut(&id)) {
            peer.best_sent = Some(last);
        }
        self.send(id, NetworkMessage::Headers(headers));
    }

    /// What follows from a request that is not answered.
    pub(super) fn asked_wrongly<T>(
        &mut self,
        id: PeerId,
        answer: Result<T, ServeError>,
    ) -> Option<T> {
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        match error {
            ServeError::TooMany { count } => self.punish(
                id,
                Reason::TooMany {
                    command: "getdata",
                    count,
                    limit: MAX_INVENTORY,
                },
            ),
            ServeError::NoSuchTransaction { .. } => {
                self.punish(id, Reason::Senseless(error.to_string()));
            }
            ServeError::LongLocator { .. } => {
                self.let_go(id, Reason::Senseless(error.to_string()));
            }
            ServeError::Backlog => {
                self.punish(
                    id,
                    Reason::TooManyRequests(crate::serve::MAX_WAITING_REQUESTS),
                );
            }
            ServeError::TooDeep { hash } => self.punish(id, Reason::AskedTooDeep(hash)),
            // Not the peer's fault.
            ServeError::Unreadable { .. } => tracing::error!(%error, "a block is not served"),
        }
        None
    }
}
