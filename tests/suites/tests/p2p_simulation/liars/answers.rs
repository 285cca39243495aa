//! Owns what false peers answer.
//! Promises that each lie is told in the form of an answer too.
//! Refuses pings: the sessions answer those, also a liar's.

use bitcoin::Block;
use bitcoin::bip152::{BlockTransactions, HeaderAndShortIds};
use bitcoin::consensus::serialize;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_compact_blocks::{BlockTxn, CmpctBlock, GetBlockTxn};
use everett_net::{MAX_HEADERS, Message};
use everett_tests::flaw::Mutation;
use everett_tests::naive::mutated;

use super::{Liar, Lie, Truth, headers_after};

/// The block as a compact one.
pub(super) fn compact(block: &Block, nonce: u64) -> Option<Message> {
    let compact_block = HeaderAndShortIds::from_block(block, nonce, 2, &[]).ok()?;
    Some(NetworkMessage::CmpctBlock(CmpctBlock { compact_block }).into())
}

impl Liar {
    /// What it answers.
    pub(crate) fn answer(&mut self, message: &Message, truth: &Truth<'_>) -> Vec<Message> {
        match message.decode() {
            Ok(NetworkMessage::GetHeaders(asked)) => self.answer_headers(&asked, truth),
            Ok(NetworkMessage::GetData(wanted)) => self.answer_data(&wanted, truth),
            Ok(NetworkMessage::GetBlockTxn(asked)) => self.answer_transactions(&asked, truth),
            _ => Vec::new(),
        }
    }

    fn answer_headers(&mut self, asked: &GetHeadersMessage, truth: &Truth<'_>) -> Vec<Message> {
        if !self.gives_headers {
            return Vec::new();
        }
        let mut headers = match self.lie {
            Lie::LowWork => return vec![self.low_work(truth, Some(asked))],
            Lie::Invalid | Lie::Garbage => headers_after(truth, self.forged.last(), asked),
            Lie::Mutates | Lie::Silent | Lie::Floods => headers_after(truth, None, asked),
        };
        if self.lie == Lie::Garbage && !headers.is_empty() {
            let place = self.random.below(headers.len());
            match self.random.below(16) {
                // Nothing, for half of the time.
                0..8 => {}
                8 => headers.clear(),
                9 => headers.reverse(),
                10 => {
                    headers.remove(place);
                }
                11 => headers[place].nonce = headers[place].nonce.wrapping_add(1),
                12 => headers[place].time ^= 1 << self.random.below(32),
                13 => headers = vec![headers[0]; MAX_HEADERS],
                _ => return Vec::new(),
            }
        }
        vec![NetworkMessage::Headers(headers).into()]
    }

    fn answer_data(&mut self, wanted: &[Inventory], truth: &Truth<'_>) -> Vec<Message> {
        if matches!(self.lie, Lie::Silent | Lie::LowWork) {
            return Vec::new();
        }
        let mut answers = Vec::new();
        for item in wanted {
            let (Inventory::Block(hash)
            | Inventory::WitnessBlock(hash)
            | Inventory::CompactBlock(hash)) = item
            else {
                continue;
            };
            let own = (self.forged.iter())
                .flat_map(|forged| &forged.blocks)
                .find(|block| block.block_hash() == *hash)
                .cloned();
            let block = truth.block(hash);
            match (self.lie, own, block) {
                (Lie::Invalid, Some(own), _) => answers.push(Message::block(serialize(&own))),
                (Lie::Garbage, _, Some(block)) => match self.random.below(4) {
                    0 => answers.push(NetworkMessage::NotFound(vec![*item]).into()),
                    1 => {
                        let mut bytes = serialize(block);
                        bytes.truncate(self.random.below(bytes.len()));
                        answers.push(Message::block(bytes));
                    }
                    2 => answers.push(Message::block(serialize(
                        &truth.naive.entry(truth.best()).block,
                    ))),
                    _ => {}
                },
                (Lie::Mutates, _, Some(block)) if self.random.percent(70) => {
                    answers.push(self.mutate(block));
                }
                (Lie::Mutates | Lie::Invalid | Lie::Floods, _, Some(block)) => {
                    answers.push(Message::block(serialize(block)));
                }
                _ => {}
            }
        }
        answers
    }

    /// Transactions of other blocks, too few, or too many.
    fn answer_transactions(&mut self, asked: &GetBlockTxn, truth: &Truth<'_>) -> Vec<Message> {
        if !matches!(self.lie, Lie::Mutates | Lie::Garbage | Lie::Invalid) {
            return Vec::new();
        }
        let hash = asked.txs_request.block_hash;
        let index = self.random.pick(truth.mined).copied();
        let other = index.map(|index| &truth.naive.entry(index).block);
        let block = truth.block(&hash).filter(|_| self.random.percent(30));
        let transactions = (block.or(other)).map_or(Vec::new(), |block| block.txdata.clone());
        let transactions = BlockTransactions {
            block_hash: hash,
            transactions,
        };
        vec![NetworkMessage::BlockTxn(BlockTxn { transactions }).into()]
    }

    /// The block with another body under its header, whole or, now and then, as a compact one.
    pub(super) fn mutate(&mut self, block: &Block) -> Message {
        let mut other = block.clone();
        match self.random.below(6) {
            0..3 => {
                let mutation = self.random.pick(&Mutation::ALL).copied();
                return Message::block(mutated(block, mutation));
            }
            3 => {
                other.txdata.truncate(1);
                other.txdata[0].lock_time = bitcoin::absolute::LockTime::from_consensus(1);
            }
            4 => {
                let place = self.random.below(other.txdata.len());
                let output = &mut other.txdata[place].output[0];
                output.value = bitcoin::Amount::from_sat(output.value.to_sat() ^ 1);
            }
            _ => other.txdata.clear(),
        }
        match self.random.one_in(3) && !other.txdata.is_empty() {
            true => compact(&other, self.random.number())
                .unwrap_or_else(|| Message::block(serialize(&other))),
            false => Message::block(serialize(&other)),
        }
    }
}
