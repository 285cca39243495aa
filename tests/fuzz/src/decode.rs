//! Owns the laws of reading: what is read is what was written, two readers agree, and counts take no more memory than
//! there are bytes.

use bitcoin::Script;
use bitcoin::consensus::{deserialize_partial, serialize};
use everett_ledger::decode::{
    DecodeFault, DecodedBlock, DecodedTransaction, decode_block, decode_header, decode_transaction,
};
use everett_ledger::rules::witnesses::{witness_commitment_index, witness_root};
use everett_ledger::rules::transaction::check_transaction;
use everett_ledger::rules::{ScriptsAssumedValid, check_block};
use everett_ledger::{Network, Params};
use everett_script::assembly::{format, parse, to_asm, to_asm_with_hash_types};
use everett_script::instruction::{Instructions, is_push_only};
use everett_script::legacy_sigops;
use everett_script::policy::Template;

use crate::memory::bounded;

/// Bytes as a script: instructions cover it, its text is read back, counts are ordered. Bytes as text of a script.
pub fn script_decode(bytes: &[u8]) {
    bounded(bytes.len(), || {
        let mut instructions = Instructions::new(bytes);
        let mut whole = true;
        while let Some(read) = instructions.next() {
            whole &= read.is_ok();
        }
        assert!(
            instructions.rest().is_empty(),
            "instructions left bytes over"
        );

        let script = Script::from_bytes(bytes);
        let reread = parse(&format(script)).expect("what was formatted can be parsed");
        assert_eq!(reread.as_bytes(), bytes, "text and bytes differ");
        let shown = to_asm(script);
        assert_eq!(whole, !shown.ends_with("[error]"), "{shown}");
        to_asm_with_hash_types(script);

        assert!(legacy_sigops(script, true) <= legacy_sigops(script, false));
        assert!(whole || !is_push_only(bytes));
        Template::of(bytes);

        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(parsed) = parse(text)
        {
            assert_eq!(parse(&format(&parsed)).as_ref(), Ok(&parsed));
        }
    });
}

/// Bytes as a transaction: read by both of two readers or by none, written back as they were.
///
/// The other reader, the `bitcoin` crate's, is Core's equal but where there are no inputs. What has neither inputs nor
/// outputs it takes for the witness form with an unknown flag; and a witness record that nothing can be in, which Core
/// calls superfluous, it reads. It has no part in the bound on memory: it allocates in its own way.
pub fn transaction_decode(bytes: &[u8]) {
    let other = deserialize_partial::<bitcoin::Transaction>(bytes);
    bounded(bytes.len(), || {
        let own = decode_transaction(bytes);
        if let Ok((decoded, length)) = &own {
            check_decoded(decoded, &bytes[..*length]);
            let _ = check_transaction(decoded);
        }
        match (own, &other) {
            (Ok((decoded, length)), Ok((tx, other_length))) => {
                assert_eq!((&decoded.tx, length), (tx, *other_length));
                assert!(!tx.input.is_empty(), "read by both without inputs");
            }
            (Ok((decoded, _)), Err(error)) => assert!(
                decoded.tx.input.is_empty() && decoded.tx.output.is_empty(),
                "the other reader refuses it: {error}"
            ),
            (Err(error), Ok((tx, _))) => assert!(
                tx.input.is_empty() && error.what == DecodeFault::SuperfluousWitness,
                "only the other reader reads it: {error}"
            ),
            (Err(_), Err(_)) => {}
        }
    });
}

/// Bytes as a block: the same, and the rules that need no chain are held against it.
pub fn block_decode(bytes: &[u8]) {
    bounded(bytes.len(), || {
        let Ok((block, length)) = decode_block(bytes) else {
            return;
        };
        assert!(length <= bytes.len());
        assert_eq!(block.size, length);
        let (header, hash) = decode_header(bytes).expect("a block has a header");
        assert_eq!((header, hash), (block.header, block.hash));
        assert!(block.stripped_size <= block.size);
        let remade = DecodedBlock::new(block.header, block.transactions.clone());
        assert_eq!(remade, block);
        for transaction in &block.transactions {
            assert!(transaction.stripped_size <= transaction.size);
        }
        if let Some(index) = witness_commitment_index(&block) {
            assert!(index < block.transactions[0].tx.output.len());
        }
        witness_root(&block);
        for network in [Network::Regtest, Network::Signet] {
            let _ = check_block(&block, &Params::new(network), &ScriptsAssumedValid);
        }
    });
}

fn check_decoded(decoded: &DecodedTransaction, bytes: &[u8]) {
    assert_eq!(&DecodedTransaction::new(decoded.tx.clone()), decoded);
    assert_eq!(decoded.size, bytes.len());
    if !decoded.tx.input.is_empty() {
        assert_eq!(serialize(&decoded.tx), bytes, "written back otherwise");
        assert_eq!(decoded.tx.compute_txid(), decoded.txid);
        assert_eq!(decoded.tx.compute_wtxid(), decoded.wtxid);
    }
}
