//! Owns the laws of what the node makes of its peers' messages: compact blocks, and headers of little work.

use bitcoin::bip152::HeaderAndShortIds;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::{deserialize_partial, serialize};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, Work};
use bytes::Bytes;
use everett_ledger::decode::decode_block;
use everett_ledger::{Network, Params};
use everett_p2p::compact::{BlockTransactions, CompactBlock, PartialBlock, compact_block};
use everett_p2p::presync::{ChainStart, Presync, PresyncParams, PresyncPhase, Step};
use everett_p2p::recent_transactions::RecentTransaction;

use crate::memory::bounded;

/// Most messages that one input makes.
const MAX_MESSAGES: usize = 200;
/// Headers that are mined for one message are fewer.
const MAX_MINED: u8 = 40;

/// Bytes as a `cmpctblock` message, as a `blocktxn` message, and as a block that becomes one.
pub fn compact_blocks(bytes: &[u8]) {
    let other = deserialize_partial::<HeaderAndShortIds>(bytes);
    bounded(bytes.len(), || {
        let payload = Bytes::copy_from_slice(bytes);
        if let Ok(compact) = CompactBlock::decode(&payload) {
            // Both read the same, but for forms of transactions that only one of them takes.
            if let Ok((other, _)) = &other {
                assert_eq!((compact.header, compact.nonce), (other.header, other.nonce));
                assert_eq!(compact.short_ids.len(), other.short_ids.len());
                assert_eq!(compact.prefilled.len(), other.prefilled_txs.len());
            }
            assert!(compact.short_ids.len() * 6 + compact.prefilled.len() * 11 <= bytes.len());
            complete(compact);
        }
        if let Ok(answer) = BlockTransactions::decode(&payload) {
            let transactions = answer.transactions.iter().map(|tx| &tx.bytes[..]);
            let again = BlockTransactions::encode(&answer.hash, transactions);
            assert_eq!(BlockTransactions::decode(&again.payload), Ok(answer));
        }
        there_and_back(&payload);
    });
}

/// Whatever fills the gaps, what comes out is a block with that header, or nothing.
fn complete(compact: CompactBlock) {
    let at_hand: Vec<RecentTransaction> =
        compact.prefilled.iter().map(|(_, tx)| tx.clone()).collect();
    let header = compact.header;
    let Ok(partial) = PartialBlock::begin(compact, &at_hand) else {
        return;
    };
    let missing: Vec<usize> = partial.missing().collect();
    assert_eq!(partial.request().is_none(), missing.is_empty());
    assert!(missing.is_sorted() && missing.iter().all(|place| *place < partial.transactions()));
    let filling = at_hand
        .iter()
        .cycle()
        .take(missing.len())
        .cloned()
        .collect();
    if let Ok(block) = partial.fill(filling, true) {
        let (decoded, length) = decode_block(&block).expect("what is put together is a block");
        assert_eq!((decoded.header, length), (header, block.len()));
    }
}

/// A block that becomes a compact one comes back as it was.
fn there_and_back(block: &Bytes) {
    let Ok(message) = compact_block(block, 1) else {
        return;
    };
    let (decoded, length) = decode_block(block).expect("only blocks become compact");
    let compact = match CompactBlock::decode(&message.payload) {
        Ok(compact) => compact,
        // A transaction without inputs and outputs is in no block.
        Err(_) => return,
    };
    assert_eq!(compact.transactions(), decoded.transactions.len());
    let mut at = length - decoded.transactions.iter().map(|tx| tx.size).sum::<usize>();
    let mut at_hand = Vec::new();
    for transaction in &decoded.transactions {
        at_hand.push(RecentTransaction::within(block, at).expect("it was decoded there"));
        at += transaction.size;
    }
    // Equal transactions have equal short ids.
    if let Ok(partial) = PartialBlock::begin(compact, &at_hand) {
        assert_eq!(partial.missing().count(), 0);
        if let Ok(filled) = partial.fill(Vec::new(), true) {
            assert_eq!(filled, block[..length]);
        }
    }
}

/// Bytes as what a peer answers in a sync of headers of little work: honest ones, those of another chain, some repeated,
/// left out, without proof of work, or none.
pub fn headers_presync(bytes: &[u8]) {
    let params = Params::new(Network::Regtest);
    let genesis = params.genesis.header;
    let sizes = PresyncParams {
        commitment_period: 3,
        window: 20,
    };
    let start = ChainStart {
        hash: genesis.block_hash(),
        height: 0,
        bits: genesis.bits,
        chainwork: genesis.work(),
        median_time_past: genesis.time,
        locator: vec![genesis.block_hash()],
    };
    let mut bytes = bytes.iter().copied();
    let needed = u32::from(bytes.next().unwrap_or_default());
    let needed = (0..needed).fold(genesis.work(), |sum: Work, _| sum + genesis.work());
    let mut seed = [0; 32];
    for byte in &mut seed[..24] {
        *byte = bytes.next().unwrap_or_default();
    }
    // Time for some 600 headers.
    let now = u64::from(genesis.time);
    let mut sync = Presync::with_sizes(sizes, start, needed, now, seed);
    let bound = sync.bytes() + 4_096 + (usize::from(u8::MAX) + 2 * 256) * 48 * 2;

    let mut kept = genesis.block_hash();
    for _ in 0..MAX_MESSAGES {
        let Some(choice) = bytes.next() else { break };
        let mut headers = answer(&sync, &genesis, choice, bytes.next().unwrap_or_default());
        // Mostly honest, so that random choices reach the second download.
        if choice & 0x70 == 0x70
            && let Some(place) = bytes.next()
            && !headers.is_empty()
        {
            let place = usize::from(place) % headers.len();
            match bytes.next().unwrap_or_default() % 4 {
                0 => drop(headers.remove(place)),
                1 => headers[place].nonce ^= 1,
                2 => headers[place].bits = CompactTarget::from_consensus(0x2000_ffff),
                _ => headers[place].prev_blockhash = BlockHash::all_zeros(),
            }
        }
        let step = sync.receive(&headers, choice & 0x83 != 0x83, &params);
        assert!(sync.bytes() <= bound, "{} bytes", sync.bytes());
        let goes_on = match step {
            Step::More { locator } => locator == sync.locator(),
            Step::Ready { headers, next } => {
                assert!(!headers.is_empty());
                for header in headers {
                    assert_eq!(header.prev_blockhash, kept, "a gap in what is kept");
                    kept = header.block_hash();
                }
                next.is_ok()
            }
            Step::Done(_) | Step::Failed(_) => false,
        };
        assert_eq!(goes_on, sync.phase() != PresyncPhase::Ended);
        if !goes_on {
            assert_eq!(sync.bytes(), size_of::<Presync>());
            assert!(sync.locator().is_empty());
            return;
        }
    }
}

/// Headers on top of what was asked for, of one of two chains.
fn answer(sync: &Presync, genesis: &Header, choice: u8, count: u8) -> Vec<Header> {
    let mut parent = sync
        .locator()
        .first()
        .copied()
        .unwrap_or(genesis.block_hash());
    let chain = [u8::from(choice & 0x2c == 0x2c)];
    (0..count % MAX_MINED)
        .map(|_| {
            let mut header = Header {
                version: Version::TWO,
                prev_blockhash: parent,
                merkle_root: TxMerkleNode::from_raw_hash(sha256d::Hash::hash(&chain)),
                time: genesis.time,
                bits: genesis.bits,
                nonce: 0,
            };
            while header.validate_pow(header.target()).is_err() {
                header.nonce += 1;
            }
            parent = header.block_hash();
            header
        })
        .collect()
}

/// A `cmpctblock` message of each block, and the block itself.
pub(crate) fn compact_seeds(blocks: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let announced = blocks.iter().filter_map(|block| {
        let message = compact_block(block, 1).ok()?;
        Some(message.payload.to_vec())
    });
    let announced: Vec<Vec<u8>> = announced.collect();
    let answers = blocks.iter().filter_map(|block| {
        let (decoded, _) = decode_block(block).ok()?;
        let transactions = decoded
            .transactions
            .iter()
            .take(20)
            .map(|tx| serialize(&tx.tx));
        let transactions: Vec<Vec<u8>> = transactions.collect();
        let bytes = transactions.iter().map(Vec::as_slice);
        Some(
            BlockTransactions::encode(&decoded.hash, bytes)
                .payload
                .to_vec(),
        )
    });
    let answers: Vec<Vec<u8>> = answers.collect();
    [blocks, announced, answers].concat()
}
