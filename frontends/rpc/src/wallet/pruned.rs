//! Owns what a wallet is told of transactions of old blocks by hand.
//! Promises that a transaction is taken up only with a proof that a block of the best chain has it.

use bitcoin::MerkleBlock;
use bitcoin::consensus::deserialize;

use crate::call::{Call, parse_hex};
use crate::error::{DESERIALIZATION_ERROR, RpcError, WALLET_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::transaction::decode_hex;

pub(super) static IMPORTPRUNEDFUNDS: Method = Method {
    name: "importprunedfunds",
    category: Category::Wallet,
    about: "Takes up a transaction with a proof that a block of the best chain has it; that block is looked into again, and has to be there. What \
            spent its coins since is not looked for.",
    arguments: &[
        Argument::required(
            "rawtransaction",
            Kind::Text,
            "The transaction in hexadecimal",
        ),
        Argument::required(
            "txoutproof",
            Kind::Text,
            "The proof, as gettxoutproof makes it",
        ),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(import),
};

pub(super) static REMOVEPRUNEDFUNDS: Method = Method {
    name: "removeprunedfunds",
    category: Category::Wallet,
    about: "Forgets a transaction of the wallet, in every world: its coins are not the wallet's any more until its blocks are looked into again.",
    arguments: &[Argument::required("txid", Kind::Text, "Its id")],
    result: "null    (json null)",
    at: false,
    run: Run::Read(remove),
};

fn import(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let tx = decode_hex(call.text(0)?, true, true).ok_or_else(|| {
        RpcError::new(
            DESERIALIZATION_ERROR,
            "TX decode failed. Make sure the tx has at least one input.",
        )
    })?;
    let txid = tx.compute_txid();
    let wrong = || RpcError::not_found("Something wrong with merkleblock");
    let proof: MerkleBlock = deserialize(&parse_hex(call.arg(1), "proof")?).map_err(|_| wrong())?;
    let (mut txids, mut places) = (Vec::new(), Vec::new());
    proof
        .extract_matches(&mut txids, &mut places)
        .map_err(|_| wrong())?;
    let hash = proof.header.block_hash();
    let best = call.ledger().best();
    let info = call.ledger().block_info(&hash);
    let info = info.filter(|info| best.block_hash_at(info.height) == Some(hash));
    let info = info.ok_or_else(|| RpcError::not_found("Block not found in chain"))?;
    if !txids.contains(&txid) {
        return Err(RpcError::not_found(
            "Transaction given doesn't exist in proof",
        ));
    }
    let ours = {
        let view = wallet.view()?;
        let pays =
            |output: &bitcoin::TxOut| view.keyring().slot_of(&output.script_pubkey).is_some();
        let spends = |input: &bitcoin::TxIn| view.output(&input.previous_output).is_some();
        tx.output.iter().any(pays) || tx.input.iter().any(spends)
    };
    if !ours {
        return Err(RpcError::not_found(
            "No addresses in wallet correspond to included transaction",
        ));
    }
    wallet.rescan(info.height, Some(info.height), &mut |_, _| call.goes_on())?;
    Ok(Json::Null)
}

fn remove(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let txid = call.txid(0, "txid")?;
    wallet.forget(&txid).map_err(|error| match error {
        everett_wallet::WalletError::NoSuchTransaction { .. } => RpcError::new(
            WALLET_ERROR,
            format!("Transaction {txid} does not belong to this wallet"),
        ),
        other => other.into(),
    })?;
    Ok(Json::Null)
}
