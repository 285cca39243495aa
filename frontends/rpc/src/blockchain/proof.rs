//! Owns proofs that transactions lie in a block.

use std::collections::BTreeSet;

use bitcoin::MerkleBlock;
use bitcoin::Txid;
use bitcoin::consensus::encode::{deserialize_partial, serialize_hex};
use everett_ledger::BlockInfo;

use super::block::read_block;
use super::known_block;
use crate::call::{Call, parse_hex, parse_txid};
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::rawtransactions::find;

pub(super) static GETTXOUTPROOF: Method = Method {
    name: "gettxoutproof",
    category: Category::Blockchain,
    about: "A proof that transactions lie in a block. Without the block, it is looked for in the world that is asked: \
            by an unspent output, in the index of transactions, or in the last blocks.",
    arguments: &[
        Argument::required("txids", Kind::Array, "The ids of the transactions")
            .shown("[\"txid\",...]"),
        Argument::optional("blockhash", Kind::Text, "The block that holds them"),
    ],
    result: "\"hex\"    (string) The proof",
    at: true,
    run: Run::Read(tx_out_proof),
};

fn tx_out_proof(call: &Call) -> Answer {
    let mut txids = BTreeSet::new();
    let given = call.arg(0).array()?;
    if given.is_empty() {
        return Err(RpcError::parameter("Parameter 'txids' cannot be empty"));
    }
    for value in given {
        if !txids.insert(parse_txid(value, "txid")?) {
            return Err(RpcError::parameter(format!(
                "Invalid parameter, duplicated txid: {}",
                value.text()?
            )));
        }
    }
    let info = match call.maybe(1) {
        Some(_) => known_block(call, 1, "blockhash")?,
        None => find_block(call, &txids)?,
    };
    let bytes = call.ledger().block_bytes(&info.hash)?;
    let block = read_block(&info.hash, &bytes)?;
    let held = block
        .txdata
        .iter()
        .filter(|transaction| txids.contains(&transaction.compute_txid()))
        .count();
    if held != txids.len() {
        return Err(RpcError::not_found(
            "Not all transactions found in specified or retrieved block",
        ));
    }
    let proof = MerkleBlock::from_block_with_predicate(&block, |txid| txids.contains(txid));
    Ok(serialize_hex(&proof).into())
}

/// The block that holds one of the transactions.
fn find_block(call: &Call, txids: &BTreeSet<Txid>) -> Result<BlockInfo, RpcError> {
    let world = call.world()?;
    let ledger = call.ledger();
    let mut hash = None;
    for txid in txids {
        if let Some(height) = world.height_of_a_coin(txid)? {
            hash = world.block_hash_at(height);
            break;
        }
    }
    if let (None, Some(first)) = (hash, txids.first()) {
        let found = find(call, &world, first, None);
        hash = found.ok().map(|found| found.block);
    }
    hash.and_then(|hash| ledger.block_info(&hash))
        .ok_or_else(|| RpcError::not_found("Transaction not yet in block"))
}

pub(super) static VERIFYTXOUTPROOF: Method = Method {
    name: "verifytxoutproof",
    category: Category::Blockchain,
    about: "Which transactions a proof proves to lie in a block of the chain.",
    arguments: &[Argument::required(
        "proof",
        Kind::Text,
        "The proof in hexadecimal",
    )],
    result: "[\"txid\", ...]    (json array) The ids, none if the proof is wrong",
    at: true,
    run: Run::Read(verify_tx_out_proof),
};

fn verify_tx_out_proof(call: &Call) -> Answer {
    let bytes = parse_hex(call.arg(0), "proof")?;
    let (proof, _): (MerkleBlock, usize) = deserialize_partial(&bytes)
        .map_err(|_| RpcError::misc("SpanReader::read(): end of data: iostream error"))?;
    let nothing = Ok(Json::Array(Vec::new()));
    let (mut txids, mut places) = (Vec::new(), Vec::new());
    if proof.extract_matches(&mut txids, &mut places).is_err() {
        return nothing;
    }
    let hash = proof.header.block_hash();
    let world = call.world()?;
    let info = call.ledger().block_info(&hash);
    let info =
        info.filter(|info| world.block_hash_at(info.height) == Some(hash) && info.tx_count > 0);
    let info = info.ok_or_else(|| RpcError::not_found("Block not found in chain"))?;
    if info.tx_count != proof.txn.num_transactions() {
        return nothing;
    }
    Ok(txids.into_iter().collect())
}
