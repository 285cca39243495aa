//! Owns what false peers send without an end: headers of little work, garbage, floods.
//! Promises to keep to what a message may hold, so that it is the protocol that has to deal with it.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::Address;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::{Txid, Wtxid};
use everett_net::limits::payload_limit;
use everett_net::{Command, MAX_HEADERS, Message};
use everett_tests::random::Random;

use super::{Liar, Truth};

/// Entries of one message of a flood.
const MANY: u64 = 300;

/// Names of messages whose payload garbage can be.
const NAMES: [&str; 16] = [
    "headers",
    "block",
    "inv",
    "getdata",
    "getheaders",
    "getblocks",
    "cmpctblock",
    "getblocktxn",
    "blocktxn",
    "addr",
    "addrv2",
    "tx",
    "sendcmpct",
    "feefilter",
    "notfound",
    "nonsense",
];

fn hash(random: &mut Random) -> [u8; 32] {
    let mut bytes = [0; 32];
    for eight in bytes.chunks_exact_mut(8) {
        eight.copy_from_slice(&random.number().to_le_bytes());
    }
    bytes
}

fn bytes(random: &mut Random, most: usize) -> Vec<u8> {
    (0..random.below(most))
        .map(|_| random.number() as u8)
        .collect()
}

fn inventory(random: &mut Random) -> Inventory {
    let bytes = hash(random);
    match random.below(4) {
        0 => Inventory::Block(BlockHash::from_byte_array(bytes)),
        1 => Inventory::WitnessBlock(BlockHash::from_byte_array(bytes)),
        2 => Inventory::Transaction(Txid::from_byte_array(bytes)),
        _ => Inventory::WTx(Wtxid::from_byte_array(bytes)),
    }
}

impl Liar {
    /// Headers of a chain that has too little work wherever it ends; where there is none, of nothing that is known.
    pub(super) fn low_work(
        &mut self,
        truth: &Truth<'_>,
        asked: Option<&GetHeadersMessage>,
    ) -> Message {
        let chain = truth.low_work;
        let after = asked.and_then(|asked| {
            let place = |header: &bitcoin::block::Header| {
                asked.locator_hashes.contains(&header.block_hash())
            };
            chain.iter().rposition(place)
        });
        let from = match after {
            // On it goes, or from the start again, or from anywhere.
            Some(at) if self.random.percent(60) => at + 1,
            _ if self.random.one_in(8) && !chain.is_empty() => self.random.below(chain.len()),
            _ => 0,
        };
        let end = chain.len().min(from + MAX_HEADERS);
        NetworkMessage::Headers(chain[from.min(end)..end].to_vec()).into()
    }

    /// Something that does not decode, or that nobody asked for, or a block that will never come.
    pub(super) fn garbage(&mut self, truth: &Truth<'_>) -> Vec<Message> {
        match self.random.below(8) {
            0..4 => {
                self.forge(truth, None);
                self.announce_forged(truth)
            }
            4 => {
                let best = Inventory::WitnessBlock(truth.naive.entry(truth.best()).hash);
                vec![NetworkMessage::NotFound(vec![best]).into()]
            }
            _ => {
                let name = self.random.pick(&NAMES).copied().unwrap_or("nonsense");
                let command = Command::new(name).expect("short names");
                let limit = payload_limit(&command).min(400) as usize;
                let payload = bytes(&mut self.random, limit);
                vec![Message::new(command, payload)]
            }
        }
    }

    /// A message of each of a few kinds.
    pub(super) fn flood(&mut self, truth: &Truth<'_>) -> Vec<Message> {
        let random = &mut self.random;
        let mut said: Vec<Message> = vec![NetworkMessage::Ping(random.number()).into()];
        let count = random.between(1, MANY) as usize;
        said.push(match random.below(10) {
            0..3 => NetworkMessage::Inv((0..count).map(|_| inventory(random)).collect()).into(),
            3 => NetworkMessage::GetData((0..count).map(|_| inventory(random)).collect()).into(),
            4 => {
                let known = (random.pick(truth.mined)).map(|index| truth.naive.entry(*index).hash);
                let wanted = known.map(Inventory::WitnessBlock).into_iter();
                NetworkMessage::GetData(wanted.cycle().take(20).collect()).into()
            }
            5 => {
                let hash = |_| BlockHash::from_byte_array(hash(random));
                let asked = GetHeadersMessage {
                    version: 70_016,
                    locator_hashes: (0..101).map(hash).collect(),
                    stop_hash: BlockHash::all_zeros(),
                };
                NetworkMessage::GetHeaders(asked).into()
            }
            6 => NetworkMessage::GetAddr.into(),
            7 => NetworkMessage::FeeFilter(random.number() as i64 >> 20).into(),
            _ => {
                let count = if random.one_in(2) { 10 } else { 1_000 };
                let address = |_| {
                    let ip = std::net::Ipv4Addr::from(random.number() as u32);
                    let services = ServiceFlags::from(random.number());
                    let time = 1_296_688_602 + (random.number() as u32 >> 4);
                    (time, Address::new(&(ip, 8_333).into(), services))
                };
                NetworkMessage::Addr((0..count).map(address).collect()).into()
            }
        });
        said
    }
}
