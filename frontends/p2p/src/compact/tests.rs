use std::fs;
use std::path::PathBuf;

use bitcoin::block::Version;
use bitcoin::consensus::deserialize;
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Witness,
};
use bitcoin::{Transaction, absolute, transaction};
use everett_net::PeerId;
use proptest::prelude::*;

use super::*;
use crate::recent_transactions::{RecentLimits, RecentTransactions, Source};

/// Real blocks of every era; none, with a word about it, where the test data is not there.
fn real_blocks() -> Vec<(String, Bytes)> {
    let root = std::env::var_os("EVERETT_VECTORS").map(PathBuf::from);
    let root =
        root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let Ok(files) = fs::read_dir(root.join("vectors/blocks")) else {
        eprintln!("skipped: no blocks at $EVERETT_VECTORS or in ../shared");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "block")
    });
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, Bytes::from(fs::read(path).unwrap()))
    };
    paths.into_iter().map(read).collect()
}

fn transactions(block: &Bytes) -> Vec<RecentTransaction> {
    let (decoded, length) = decode_block(block).unwrap();
    let mut at = length - decoded.transactions.iter().map(|tx| tx.size).sum::<usize>();
    let transactions = decoded.transactions.iter().map(|_| {
        let transaction = RecentTransaction::within(block, at).unwrap();
        at += transaction.bytes.len();
        transaction
    });
    transactions.collect()
}

fn announced(block: &Bytes, nonce: u64) -> CompactBlock {
    CompactBlock::decode(&compact_block(block, nonce).unwrap().payload).unwrap()
}

/// Whether witnesses are committed to, as far as the block shows it: before they were, miners tried the commitment, but
/// without the nonce that belongs to it.
fn has_commitment(block: &Bytes) -> bool {
    let (decoded, _) = decode_block(block).unwrap();
    witness_commitment_index(&decoded).is_some() && decoded.transactions[0].has_witness()
}

/// A transaction that spends nothing in particular; `witness` bytes of witness if not 0.
fn payment(number: u32, witness: usize) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(bitcoin::Txid::all_zeros(), number),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: match witness {
                0 => Witness::new(),
                size => Witness::from_slice(&[vec![1; size]]),
            },
        }],
        output: vec![TxOut {
            value: Amount::from_sat(u64::from(number)),
            script_pubkey: ScriptBuf::new(),
        }],
    }
}

/// A block of a coinbase that commits to witnesses, and of these.
fn block_of(payments: Vec<Transaction>) -> Bytes {
    let mut coinbase = payment(0, 0);
    coinbase.input[0].previous_output = OutPoint::null();
    coinbase.input[0].script_sig = ScriptBuf::from_bytes(vec![1, 2, 3]);
    coinbase.input[0].witness = Witness::from_slice(&[[0; 32]]);
    coinbase.output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::new(),
    });
    let mut block = Block {
        header: Header {
            version: Version::TWO,
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: 0,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        },
        txdata: [vec![coinbase], payments].concat(),
    };
    let root = block.witness_root().unwrap().to_byte_array();
    block.txdata[0].output[1].script_pubkey = witness_commitment_script(&root, &[0; 32]);
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    Bytes::from(serialize(&block))
}

#[test]
fn the_other_implementation_makes_the_same_compact_block_of_a_real_block() {
    for (name, bytes) in real_blocks() {
        let ours = compact_block(&bytes, 0x0123_4567_89ab_cdef).unwrap();
        let block: Block = deserialize(&bytes).unwrap();
        let theirs =
            bitcoin::bip152::HeaderAndShortIds::from_block(&block, 0x0123_4567_89ab_cdef, 2, &[]);
        assert!(ours.payload == serialize(&theirs.unwrap()), "{name}");
        assert_eq!(ours.command.as_str(), "cmpctblock");
    }
}

#[test]
fn a_real_block_comes_back_byte_for_byte_from_whatever_part_of_its_transactions_is_at_hand() {
    for (number, (name, bytes)) in real_blocks().into_iter().enumerate() {
        let all = transactions(&bytes);
        let segwit = has_commitment(&bytes);
        let mut strangers: Vec<RecentTransaction> = (0..500)
            .map(|number| {
                let bytes = Bytes::from(serialize(&payment(number, 0)));
                RecentTransaction::within(&bytes, 0).unwrap()
            })
            .collect();
        for every in [1, 2, 3, 7, usize::MAX] {
            let at_hand = all.iter().skip(1).step_by(every);
            strangers.extend(at_hand.cloned());
            let partial =
                PartialBlock::begin(announced(&bytes, number as u64), &strangers).unwrap();
            assert_eq!(partial.transactions(), all.len(), "{name}");
            let missing: Vec<usize> = partial.missing().collect();
            if every == 1 {
                assert!(missing.is_empty() && partial.request().is_none(), "{name}");
            } else {
                check_request(&partial, &missing);
            }
            // As they come over the wire.
            let answer = missing.iter().map(|place| &all[*place].bytes[..]);
            let answer = BlockTransactions::encode(&partial.hash(), answer);
            let answer = BlockTransactions::decode(&answer.payload).unwrap();
            assert_eq!(answer.hash, partial.hash());
            let filled = partial.fill(answer.transactions, segwit).unwrap();
            assert!(filled == bytes, "{name}");
            strangers.truncate(500);
        }
    }
}

fn check_request(partial: &PartialBlock, missing: &[usize]) {
    let Some(message) = partial.request() else {
        assert!(missing.is_empty());
        return;
    };
    let Ok(NetworkMessage::GetBlockTxn(request)) = message.decode() else {
        panic!("{message:?}");
    };
    assert_eq!(request.txs_request.block_hash, partial.hash());
    let asked = request
        .txs_request
        .indexes
        .iter()
        .map(|index| *index as usize);
    assert!(asked.eq(missing.iter().copied()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_block_comes_back_from_any_part_of_it(
        witnesses in prop::collection::vec(0usize..80, 0..40),
        at_hand in any::<u64>(),
        prefilled in any::<u64>(),
        nonce in any::<u64>(),
    ) {
        let payments = witnesses.iter().enumerate();
        let bytes = block_of(payments.map(|(number, size)| payment(number as u32, *size)).collect());
        let all = transactions(&bytes);
        // Other nodes may send more than the coinbase.
        let prefilled: Vec<usize> = (1..all.len()).filter(|place| prefilled >> place & 1 == 1).collect();
        let block: Block = deserialize(&bytes).unwrap();
        let theirs = bitcoin::bip152::HeaderAndShortIds::from_block(&block, nonce, 2, &prefilled).unwrap();
        let compact = CompactBlock::decode(&Bytes::from(serialize(&theirs))).unwrap();
        prop_assert_eq!(compact.prefilled.len(), 1 + prefilled.len());

        let mut recent = RecentTransactions::new(RecentLimits::default());
        for (place, transaction) in all.iter().enumerate() {
            if at_hand >> place & 1 == 1 {
                recent.insert(transaction, Source::Refused);
            }
        }
        let partial = PartialBlock::begin(compact, recent.iter()).unwrap();
        let missing: Vec<usize> = partial.missing().collect();
        let expected = (1..all.len()).filter(|place| !prefilled.contains(place) && at_hand >> place & 1 == 0);
        prop_assert!(expected.eq(missing.iter().copied()));
        let answer = missing.iter().map(|place| all[*place].clone()).collect();
        prop_assert_eq!(partial.fill(answer, true).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_promise_more_than_they_hold(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        truncated in any::<bool>(),
    ) {
        let bytes = block_of((0..20).map(|number| payment(number, number as usize)).collect());
        let mut payload = compact_block(&bytes, 1).unwrap().payload.to_vec();
        for (place, byte) in flips {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if truncated {
            payload.truncate(cut.index(payload.len()));
        }
        let payload = Bytes::from(payload);
        if let Ok(compact) = CompactBlock::decode(&payload) {
            prop_assert!(compact.short_ids.len() * SHORT_ID_SIZE + compact.prefilled.len() <= payload.len());
            let all = transactions(&bytes);
            if let Ok(partial) = PartialBlock::begin(compact, &all) {
                let missing = partial.missing().map(|_| all[0].clone()).collect();
                let _ = partial.fill(missing, true);
            }
        }
        let _ = BlockTransactions::decode(&payload);
    }
}

#[test]
fn two_short_ids_that_are_equal_make_the_block_be_fetched_whole() {
    let bytes = block_of((0..10).map(|number| payment(number, 5)).collect());
    let mut compact = announced(&bytes, 0);
    compact.short_ids[3] = compact.short_ids[7];
    let error = PartialBlock::begin(compact, []).unwrap_err();
    assert!(matches!(error, CompactError::Unusable(_)), "{error}");
    assert!(!error.is_misbehaviour());
}

#[test]
fn a_transaction_that_only_has_the_right_short_id_is_found_out_and_nobody_is_blamed() {
    let bytes = block_of((0..10).map(|number| payment(number, 5)).collect());
    let mut at_hand = transactions(&bytes);
    let mut compact = announced(&bytes, 0);
    let keys = ShortId::calculate_siphash_keys(&compact.header, compact.nonce);
    let other = RecentTransaction::within(&Bytes::from(serialize(&payment(77, 7))), 0).unwrap();
    compact.short_ids[3] = short_id(keys, &other.wtxid);
    at_hand[4] = other;
    let partial = PartialBlock::begin(compact, &at_hand).unwrap();
    assert_eq!(partial.missing().count(), 0);
    let error = partial.fill(Vec::new(), true).unwrap_err();
    assert!(matches!(error, CompactError::Unusable(_)), "{error}");
}

#[test]
fn two_candidates_for_one_place_are_both_left_out_and_one_that_comes_twice_is_not() {
    let bytes = block_of((0..40).map(|number| payment(number, 5)).collect());
    let all = transactions(&bytes);
    // Ids so short that they collide: three bits.
    let id = |wtxid: &Wtxid| u64::from(wtxid.to_byte_array()[0] & 7);
    let places = Places::new(vec![(1, 10), (2, 20), (3, 30), (9, 39)]).unwrap();
    let named = |wanted: u64| {
        let all = all
            .iter()
            .filter(move |transaction| id(&transaction.wtxid) == wanted);
        all.cloned().collect::<Vec<_>>()
    };
    let (ones, twos) = (named(1), named(2));
    assert!(ones.len() > 2 && twos.len() > 1);
    let candidates = [&ones[..], &twos[..1], &twos[..1]].concat();
    let mut transactions = vec![None; 40];
    places.fill(&mut transactions, &candidates, id);
    assert_eq!(transactions[10], None);
    assert_eq!(transactions[20].as_ref(), twos.first());
    assert_eq!(transactions.iter().flatten().count(), 1);
    assert!(Places::new(vec![(5, 1), (6, 2), (5, 3)]).is_none());
}

#[test]
fn a_block_with_other_witnesses_than_it_commits_to_is_not_put_together() {
    let bytes = block_of((0..5).map(|number| payment(number, 5)).collect());
    let all = transactions(&bytes);
    let partial = PartialBlock::begin(announced(&bytes, 0), &all).unwrap();
    assert!(partial.clone().fill(Vec::new(), true).is_ok());
    // The same txid, another witness: the merkle root alone does not tell.
    let other = payment(2, 6);
    let twisted = RecentTransaction::within(&Bytes::from(serialize(&other)), 0).unwrap();
    assert_eq!(twisted.txid, all[3].txid);
    let mut twisted_block = partial.clone();
    twisted_block.transactions[3] = Some(twisted);
    let error = twisted_block.fill(Vec::new(), true).unwrap_err();
    assert!(matches!(error, CompactError::Unusable(_)), "{error}");
    // Before witnesses are committed to, there must be none.
    let error = partial.fill(Vec::new(), false).unwrap_err();
    assert!(matches!(error, CompactError::Unusable(_)), "{error}");
}

#[test]
fn an_answer_of_too_few_or_too_many_transactions_is_the_peers_fault() {
    let bytes = block_of((0..5).map(|number| payment(number, 5)).collect());
    let all = transactions(&bytes);
    let partial = PartialBlock::begin(announced(&bytes, 0), &all[..3]).unwrap();
    assert_eq!(partial.missing().collect::<Vec<_>>(), [3, 4, 5]);
    for answer in [&all[3..5], &all[2..6], &[]] {
        let error = partial.clone().fill(answer.to_vec(), true).unwrap_err();
        assert!(error.is_misbehaviour(), "{error}");
    }
    // In the wrong order, or another transaction: whose fault it is cannot be told.
    let turned = [all[4].clone(), all[3].clone(), all[5].clone()];
    let error = partial.clone().fill(turned.to_vec(), true).unwrap_err();
    assert!(matches!(error, CompactError::Unusable(_)), "{error}");
    assert_eq!(partial.fill(all[3..].to_vec(), true).unwrap(), bytes);
}

/// A `cmpctblock` with these numbers of short ids and places, as distances, of one prefilled transaction each.
fn by_hand(short_ids: usize, distances: &[u64]) -> Bytes {
    let bytes = block_of(Vec::new());
    let coinbase = transactions(&bytes).remove(0).bytes;
    let mut payload = bytes[..HEADER_SIZE].to_vec();
    payload.extend([0; 8]);
    payload.extend(serialize(&VarInt::from(short_ids)));
    payload.extend((0..short_ids * SHORT_ID_SIZE).map(|byte| byte as u8));
    payload.extend(serialize(&VarInt::from(distances.len())));
    for distance in distances {
        payload.extend(serialize(&VarInt::from(*distance)));
        payload.extend(&coinbase[..]);
    }
    Bytes::from(payload)
}

#[test]
fn places_beyond_the_blocks_end_are_the_peers_fault() {
    let decode =
        |short_ids, distances: &[u64]| CompactBlock::decode(&by_hand(short_ids, distances));
    let places = |compact: CompactBlock| -> Vec<usize> {
        compact.prefilled.iter().map(|(place, _)| *place).collect()
    };
    assert_eq!(places(decode(3, &[0]).unwrap()), [0]);
    assert_eq!(places(decode(3, &[3]).unwrap()), [3]);
    assert_eq!(places(decode(3, &[1, 0, 1]).unwrap()), [1, 2, 4]);
    for (short_ids, distances) in [(3, &[4][..]), (3, &[0, 4]), (0, &[1]), (3, &[65_535])] {
        let error = decode(short_ids, distances).unwrap_err();
        assert!(
            error.is_misbehaviour(),
            "{short_ids} {distances:?}: {error}"
        );
    }
    let error = decode(0, &[]).unwrap_err();
    assert!(error.is_misbehaviour(), "{error}");
    let error = decode(3, &[65_536]).unwrap_err();
    assert!(matches!(error, CompactError::Undecodable(_)), "{error}");
}

#[test]
fn numbers_of_transactions_are_limited_before_anything_is_made_for_them() {
    let whole = by_hand(65_534, &[0]);
    assert_eq!(CompactBlock::decode(&whole).unwrap().transactions(), 65_535);
    let error = CompactBlock::decode(&by_hand(65_535, &[0])).unwrap_err();
    assert!(matches!(error, CompactError::Undecodable(_)), "{error}");
    let mut promises = whole[..HEADER_SIZE + 8].to_vec();
    promises.extend([0xff; 9]);
    let error = CompactBlock::decode(&Bytes::from(promises)).unwrap_err();
    assert!(matches!(error, CompactError::Undecodable(_)), "{error}");
    let mut answer = vec![0; 32];
    answer.extend([0xfd, 0xff, 0xff]);
    assert!(BlockTransactions::decode(&Bytes::from(answer)).is_err());
}

#[test]
fn a_message_that_ends_too_early_does_not_decode() {
    let bytes = block_of((0..3).map(|number| payment(number, 5)).collect());
    let whole = compact_block(&bytes, 0).unwrap().payload;
    for length in 0..whole.len() {
        let error = CompactBlock::decode(&whole.slice(..length)).unwrap_err();
        assert!(
            matches!(error, CompactError::Undecodable(_)),
            "{length}: {error}"
        );
    }
    let longer = Bytes::from([&whole[..], &[0]].concat());
    assert_eq!(
        CompactBlock::decode(&longer).unwrap(),
        CompactBlock::decode(&whole).unwrap()
    );
    assert!(compact_block(&bytes[..bytes.len() - 1], 0).is_err());
}

#[test]
fn three_peers_at_most_complete_a_block_and_the_last_place_is_for_one_that_we_called() {
    let bytes = block_of((0..3).map(|number| payment(number, 5)).collect());
    let partial = PartialBlock::begin(announced(&bytes, 0), []).unwrap();
    let hash = partial.hash();
    let mut all = Reconstructions::new();
    assert_eq!(
        all.begin(PeerId(1), false, partial.clone()),
        Ok(Turn::First)
    );
    assert_eq!(
        all.begin(PeerId(1), false, partial.clone()),
        Err(Refused::Repeated)
    );
    assert_eq!(
        all.begin(PeerId(2), false, partial.clone()),
        Ok(Turn::Further)
    );
    assert_eq!(
        all.begin(PeerId(3), false, partial.clone()),
        Err(Refused::Block)
    );
    assert_eq!(
        all.begin(PeerId(4), true, partial.clone()),
        Ok(Turn::Further)
    );
    assert_eq!(
        all.begin(PeerId(5), true, partial.clone()),
        Err(Refused::Block)
    );
    assert_eq!(all.of_block(&hash), MAX_RECONSTRUCTIONS_PER_BLOCK);
    assert!(all.awaits(&hash, PeerId(2)) && !all.awaits(&hash, PeerId(3)));

    assert!(all.take(&hash, PeerId(3)).is_none());
    assert_eq!(all.take(&hash, PeerId(2)).unwrap().1, Turn::Further);
    assert_eq!(all.take(&hash, PeerId(1)).unwrap().1, Turn::First);
    // One that we called has a place, so the last is anyone's.
    assert_eq!(
        all.begin(PeerId(6), false, partial.clone()),
        Ok(Turn::Further)
    );
    assert_eq!(
        all.begin(PeerId(7), false, partial.clone()),
        Ok(Turn::Further)
    );
    assert_eq!(all.forget_peer(PeerId(6)), []);
    assert_eq!(all.forget_block(&hash), [PeerId(4), PeerId(7)]);
    assert_eq!(all.of_block(&hash), 0);

    let mut headers = (0..).map(|nonce| {
        let mut partial = partial.clone();
        partial.header.nonce = nonce;
        partial.hash = partial.header.block_hash();
        partial
    });
    for _ in 0..MAX_RECONSTRUCTIONS_PER_PEER {
        all.begin(PeerId(1), true, headers.next().unwrap()).unwrap();
    }
    let one_more = all.begin(PeerId(1), true, headers.next().unwrap());
    assert_eq!(one_more, Err(Refused::Peer));
    assert_eq!(
        all.forget_peer(PeerId(1)).len(),
        MAX_RECONSTRUCTIONS_PER_PEER
    );
}
