//! Owns the search for transactions.

use bitcoin::hashes::Hash;
use everett_ledger::{BlockInfo, FoundTransaction, TransactionError};

use super::{find, network, waiting};
use crate::blockchain::{read_block, spent, verbosity};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::{Verbosity, transaction_json};
use crate::transaction::encode_hex;

pub(super) static GETRAWTRANSACTION: Method = Method {
    name: "getrawtransaction",
    category: Category::Rawtransactions,
    about: "A transaction that waits, or one of the chain that is asked, or of a block of any branch. Without an index of transactions \
            (--txindex) and without the block, those with an unspent output and those of the last blocks are found.",
    arguments: &[
        Argument::required("txid", Kind::Text, "The id of the transaction"),
        Argument::default(
            "verbosity|verbose",
            Kind::Any,
            "0",
            "0 for its bytes, 1 for its fields, 2 also for what it spends",
        ),
        Argument::optional("blockhash", Kind::Text, "The block that holds it"),
    ],
    result: "\"hex\"    (string) Its bytes, or (json object) its fields",
    at: true,
    run: Run::Read(raw_transaction),
};

fn raw_transaction(call: &Call) -> Answer {
    let ledger = call.ledger();
    let txid = call.txid(0, "parameter 1")?;
    let genesis = ledger.params().genesis.header.merkle_root;
    if txid.to_byte_array() == genesis.to_byte_array() {
        return Err(RpcError::not_found(
            "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved",
        ));
    }
    let level = verbosity(call.maybe(1), 0, true)?;
    let in_block = match call.maybe(2) {
        None => None,
        Some(_) => {
            let hash = call.block_hash(2, "parameter 3")?;
            let info = ledger.block_info(&hash);
            Some(info.ok_or_else(|| RpcError::not_found("Block hash not found"))?)
        }
    };
    if in_block.is_none() && !call.names_world() {
        let waiting = waiting(call, std::iter::once(txid))?;
        if let Some(transaction) = waiting.into_iter().flatten().next() {
            return Ok(match level <= 0 {
                true => encode_hex(&transaction).into(),
                false => {
                    transaction_json(&transaction, network(call), None, Verbosity::Details, true)
                }
            });
        }
    }
    let world = call.world()?;
    let hash = in_block.as_ref().map(|info| info.hash);
    let found = find(call, &world, &txid, hash.as_ref()).map_err(not_found)?;
    if level <= 0 {
        return Ok(encode_hex(&found.transaction).into());
    }
    let info = ledger
        .block_info(&found.block)
        .ok_or_else(|| RpcError::not_found("Block hash not found"))?;
    let holds = world.block_hash_at(info.height) == Some(info.hash);
    let mut json = Json::Object(Vec::new());
    if in_block.is_some() {
        json.push("in_active_chain", holds);
    }
    let fields = match level {
        1 => transaction_json(
            &found.transaction,
            network(call),
            None,
            Verbosity::Details,
            true,
        ),
        _ => with_spent(call, &info, &found)?,
    };
    if let (Json::Object(all), Json::Object(fields)) = (&mut json, fields) {
        all.extend(fields);
    }
    json.push("blockhash", info.hash);
    match holds {
        true => {
            json.push("confirmations", world.height() - info.height + 1);
            json.push("time", info.header.time);
            json.push("blocktime", info.header.time);
        }
        false => json.push("confirmations", 0),
    }
    Ok(json)
}

fn with_spent(call: &Call, info: &BlockInfo, found: &FoundTransaction) -> Answer {
    let bytes = call.ledger().block_bytes(&info.hash)?;
    let block = read_block(&info.hash, &bytes)?;
    let spent = spent(call, info, &block)?;
    let spent = spent.get(found.index).and_then(|spent| spent.as_deref());
    Ok(transaction_json(
        &found.transaction,
        network(call),
        spent,
        Verbosity::Previous,
        true,
    ))
}

fn not_found(error: TransactionError) -> RpcError {
    let message = match &error {
        TransactionError::NotInBlock { .. } => "No such transaction found in the provided block",
        TransactionError::NotInWorld { .. } => "No such mempool or blockchain transaction",
        TransactionError::NotIndexed { .. } => {
            "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries"
        }
        TransactionError::Block(_) => return RpcError::misc("Block not available"),
        TransactionError::Read(_) => return error.into(),
    };
    RpcError::not_found(format!(
        "{message}. Use gettransaction for wallet transactions."
    ))
}
