//! Owns the false peers: what each says of its own accord and answers to what it is asked.
//! Promises well-formed messages but where the lie is in the form, and chance from the seed alone.
//! Refuses to know more than any peer can: the blocks that were mined, and what it makes itself.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use bitcoin::block::Header;
use bitcoin::consensus::serialize;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::SendCmpct;
use bitcoin::{Block, BlockHash, Wtxid};
use everett_net::{MAX_HEADERS, Message};
use everett_tests::flaw::Flaw;
use everett_tests::mint::{Mint, Parent};
use everett_tests::naive::{GENESIS, NaiveLedger};
use everett_tests::random::Random;

mod answers;
mod floods;

/// Chains of its own that a false peer remembers.
const MAX_FORGED: usize = 8;
/// Addresses that one may come from, one after the other, when it is not let in any more.
const ADDRESSES: u8 = 6;

/// What a false peer does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Lie {
    /// Gives bodies that are not those of their headers, asked and unasked.
    Mutates,
    /// Makes blocks with proof of work that break a rule, and others on top of them.
    Invalid,
    /// Tells of chains of little work, again and again.
    LowWork,
    /// Tells of each block and transaction first, and answers nothing.
    Silent,
    /// Says what does not decode, and tells of blocks with proof of work that it never gives.
    Garbage,
    /// Sends as much of everything as it can.
    Floods,
}

impl Lie {
    pub(crate) const ALL: [Lie; 6] = [
        Lie::Mutates,
        Lie::Invalid,
        Lie::LowWork,
        Lie::Silent,
        Lie::Garbage,
        Lie::Floods,
    ];

    /// The lie, as it is counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Lie::Mutates => "who mutate",
            Lie::Invalid => "with invalid blocks",
            Lie::LowWork => "with little work",
            Lie::Silent => "silent ones",
            Lie::Garbage => "with garbage",
            Lie::Floods => "who flood",
        }
    }
}

/// What everybody can know: the blocks that were mined.
pub(crate) struct Truth<'a> {
    pub(crate) naive: &'a NaiveLedger,
    /// Indices of those mined in the simulation, the best of them last but for ties.
    pub(crate) mined: &'a [usize],
    /// Of little work; none where no chain has little.
    pub(crate) low_work: &'a [Header],
    /// Transactions that nodes were given lately.
    pub(crate) given: &'a [Wtxid],
}

impl Truth<'_> {
    fn best(&self) -> usize {
        let best = (self.mined.iter().copied()).max_by_key(|index| self.naive.entry(*index).height);
        best.unwrap_or(GENESIS)
    }

    fn block(&self, hash: &BlockHash) -> Option<&Block> {
        let mut indices = (0..self.naive.len()).rev();
        let index = indices.find(|index| self.naive.entry(*index).hash == *hash)?;
        Some(&self.naive.entry(index).block)
    }
}

/// Blocks that a false peer has made, on one of those that were mined.
struct Forged {
    base: usize,
    blocks: Vec<Block>,
}

pub(crate) struct Liar {
    pub(crate) lie: Lie,
    /// Wants to hear of every tip, or says so.
    pub(crate) wants_tips: bool,
    number: usize,
    address: u8,
    random: Random,
    mint: Mint,
    forged: Vec<Forged>,
    /// It gives headers to those who ask; a silent one may not.
    gives_headers: bool,
}

impl Liar {
    pub(crate) fn new(lie: Lie, number: usize, mut mint: Mint, random: &mut Random) -> Liar {
        mint.reseed(random.number());
        Liar {
            lie,
            wants_tips: random.percent(50),
            number,
            address: 0,
            random: Random::new(random.number()),
            mint,
            forged: Vec::new(),
            gives_headers: lie != Lie::Silent || random.percent(50),
        }
    }

    /// Where it is at present.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 1 + self.address, 0, 1 + self.number as u8)
    }

    /// Comes from another address from now on, if it has one left.
    pub(crate) fn moves(&mut self) -> bool {
        let more = self.address + 1 < ADDRESSES;
        self.address += u8::from(more);
        more
    }

    /// What it says when a connection stands.
    pub(crate) fn greeting(&mut self) -> Vec<Message> {
        let compact = SendCmpct {
            send_compact: self.random.percent(50),
            version: 2,
        };
        let mut greeting: Vec<Message> = vec![NetworkMessage::SendCmpct(compact).into()];
        if self.random.percent(50) {
            greeting.push(NetworkMessage::SendHeaders.into());
        }
        greeting
    }

    /// What it says on a connection of its own accord, four times a second.
    pub(crate) fn speak(&mut self, truth: &Truth<'_>) -> Vec<Message> {
        match self.lie {
            Lie::Mutates if self.random.one_in(12) => {
                let best = truth.naive.entry(truth.best());
                vec![self.mutate(&best.block)]
            }
            Lie::Invalid if self.random.one_in(24) => {
                let flaw = self.random.pick(&Flaw::ALL).copied();
                self.forge(truth, flaw);
                self.announce_forged(truth)
            }
            Lie::LowWork if self.random.one_in(20) => vec![self.low_work(truth, None)],
            Lie::Silent if !truth.given.is_empty() && self.random.one_in(2) => {
                let all = truth.given.iter().map(|wtxid| Inventory::WTx(*wtxid));
                vec![NetworkMessage::Inv(all.collect()).into()]
            }
            Lie::Silent if self.random.one_in(3) => self.announce_best(truth),
            Lie::Garbage if self.random.one_in(8) => self.garbage(truth),
            Lie::Floods => self.flood(truth),
            _ => Vec::new(),
        }
    }

    /// Makes one to four blocks, the first with a flaw if one is asked for.
    fn forge(&mut self, truth: &Truth<'_>, flaw: Option<Flaw>) {
        let base = match self.random.percent(80) {
            true => truth.best(),
            false => (self.random.pick(truth.mined).copied()).unwrap_or(truth.best()),
        };
        let mut parent = truth.naive.parent(base);
        let mut blocks: Vec<Block> = Vec::new();
        for number in 0..=self.random.below(4) {
            let (block, _) = match number {
                0 => self.mint.block(&parent, 2, flaw),
                _ => self.mint.block(&parent, 0, None),
            };
            parent = Parent {
                hash: block.block_hash(),
                height: parent.height + 1,
                time: block.header.time,
                ..parent
            };
            blocks.push(block);
        }
        if self.forged.len() >= MAX_FORGED {
            self.forged.remove(0);
        }
        self.forged.push(Forged { base, blocks });
    }

    fn announce_forged(&mut self, truth: &Truth<'_>) -> Vec<Message> {
        let Some(forged) = self.forged.last() else {
            return Vec::new();
        };
        let (Some(first), Some(last)) = (forged.blocks.first(), forged.blocks.last()) else {
            return Vec::new();
        };
        // A block that is only held back must not be whole in what is said of it.
        let told = match self.lie {
            Lie::Invalid => self.random.below(4),
            _ => self.random.below(2),
        };
        vec![match told {
            0 => {
                let headers = forged.blocks.iter().map(|block| block.header);
                NetworkMessage::Headers(headers.collect()).into()
            }
            1 => NetworkMessage::Inv(vec![Inventory::Block(last.block_hash())]).into(),
            2 => Message::block(serialize(first)),
            _ => match answers::compact(first, self.random.number()) {
                Some(compact) => compact,
                None => {
                    let best = truth.naive.entry(truth.best());
                    NetworkMessage::Inv(vec![Inventory::Block(best.hash)]).into()
                }
            },
        }]
    }

    /// Tells of the best block as one who has it.
    fn announce_best(&mut self, truth: &Truth<'_>) -> Vec<Message> {
        let index = match self.random.percent(80) {
            true => truth.best(),
            false => (self.random.pick(truth.mined).copied()).unwrap_or(truth.best()),
        };
        let entry = truth.naive.entry(index);
        let told = match self.random.below(3) {
            0 => Some(NetworkMessage::Headers(vec![entry.block.header]).into()),
            1 => answers::compact(&entry.block, self.random.number()),
            _ => None,
        };
        let inventory = || NetworkMessage::Inv(vec![Inventory::Block(entry.hash)]).into();
        vec![told.unwrap_or_else(inventory)]
    }
}

/// The chain up to the end of `forged`, or else up to the best block, from where the asker's begins to differ.
fn headers_after(
    truth: &Truth<'_>,
    forged: Option<&Forged>,
    asked: &GetHeadersMessage,
) -> Vec<Header> {
    let known: HashSet<BlockHash> = asked.locator_hashes.iter().copied().collect();
    let mut headers: Vec<Header> = Vec::new();
    let mut index = truth.best();
    if let Some(forged) = forged {
        index = forged.base;
        for block in forged.blocks.iter().rev() {
            if known.contains(&block.block_hash()) {
                index = GENESIS;
                break;
            }
            headers.push(block.header);
        }
    }
    while index != GENESIS && !known.contains(&truth.naive.entry(index).hash) {
        headers.push(truth.naive.entry(index).block.header);
        index = truth.naive.entry(index).parent;
    }
    headers.reverse();
    headers.truncate(MAX_HEADERS);
    headers
}
