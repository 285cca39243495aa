//! Owns `everett tx`: a transaction of a world's chain, shown or verified.
//! Promises to verify with the coins of the block's parent, under the rules of the block that holds it.
//! Refuses to guess a coin that is not kept any more.

use std::process::ExitCode;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use everett_ledger::decode::decode_block;
use everett_ledger::{ChainStatus, Network, TransactionError};
use everett_proto::v1::ErrorReason;
use everett_script::Flags;

use super::script::{answer, trace_spend, usage};
use crate::args::{TxArgs, TxCommand, TxShowArgs, TxVerifyArgs};
use crate::at::At;
use crate::failure::Failure;
use crate::output::{show, write};
use crate::settings::Settings;
use crate::source::Source;
use crate::spend::{Spend, SpendError, Verdict, read_transaction};
use crate::view::block::BlockView;
use crate::view::transaction::{Place, TransactionView};
use crate::view::verdict::{FoundView, VerdictsView};

/// Runs the command.
pub(super) fn tx(settings: &Settings, args: TxArgs) -> Result<ExitCode, Failure> {
    match args {
        TxArgs {
            command: Some(_),
            show: TxShowArgs {
                txid: Some(txid), ..
            },
        } => Err(Failure::usage(format!(
            "{txid} stands before `verify`; write it after"
        ))),
        TxArgs {
            command: Some(TxCommand::Verify(args)),
            ..
        } => verify(settings, args),
        TxArgs { show: args, .. } => show_one(settings, args),
    }
}

fn show_one(settings: &Settings, args: TxShowArgs) -> Result<ExitCode, Failure> {
    let txid = args
        .txid
        .ok_or_else(|| Failure::usage("name a transaction by its id"))?;
    let found = find(args.at, args.in_block);
    let source = settings.source(args.connect)?;
    let transaction = look_up(source.as_ref(), found, &txid, args.in_block.as_ref())?;
    if args.hex {
        write(&(transaction.hex + "\n"))?;
    } else {
        show(&transaction, settings.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a transaction, and says which options help where it is not found.
fn look_up(
    source: &dyn Source,
    at: Option<At>,
    txid: &Txid,
    in_block: Option<&BlockHash>,
) -> Result<TransactionView, Failure> {
    let found = source.transaction(at, txid, in_block);
    found.map_err(|failure| {
        failure.advise(
            ErrorReason::IndexDisabled,
            "--in-block HASH names it, and --at HASH|HEIGHT a world whose last blocks hold it",
        )
    })
}

/// The world to look in, if one is named.
fn find(at: Option<At>, in_block: Option<BlockHash>) -> Option<At> {
    at.or(in_block.map(At::Hash))
}

fn verify(settings: &Settings, args: TxVerifyArgs) -> Result<ExitCode, Failure> {
    let at = find(args.at, args.in_block);
    let source = settings.source(args.connect)?;
    let source = source.as_ref();
    let view = match args.in_block {
        // No world can be read at a block that was refused, but it is there to be looked into.
        Some(block) if args.at.is_none_or(|at| at == At::Hash(block)) => {
            let stored = source.block(At::Hash(block))?;
            match stored.status == ChainStatus::Invalid.as_str() {
                true => in_refused_block(source.network()?, &stored, block, &args.txid)?,
                false => look_up(source, at, &args.txid, Some(&block))?,
            }
        }
        _ => look_up(source, at, &args.txid, args.in_block.as_ref())?,
    };
    let block: BlockHash = answered(view.block_hash.parse(), "block hash")?;
    let tx: Transaction = answered(read_transaction(&view.hex), "transaction")?;
    let flags = match args.flags {
        Some(flags) => flags,
        None => flags_at(settings, source, view.height, &block)?,
    };
    if tx.is_coinbase() {
        return verify_coinbase(settings, &view, tx, flags, args.input);
    }
    if let Some(input) = args.input
        && input >= tx.input.len()
    {
        let inputs = tx.input.len();
        return Err(usage(SpendError::InputOutOfRange { input, inputs }));
    }
    let spent = spent_outputs(source, &view, block, &tx)?;
    let spend = Spend::new(tx, spent, args.input, flags).map_err(usage)?;
    if args.trace {
        return trace_spend(&spend, settings.json);
    }
    let verdicts = spend.verify().map_err(usage)?;
    answer_found(settings, &view, &spend, &verdicts)
}

/// A transaction of a block that breaks a rule.
fn in_refused_block(
    network: Network,
    stored: &BlockView,
    block: BlockHash,
    txid: &Txid,
) -> Result<TransactionView, Failure> {
    let (decoded, _) = answered(decode_block(&stored.bytes), "block")?;
    let found = (0u32..)
        .zip(&decoded.transactions)
        .find(|(_, transaction)| transaction.txid == *txid);
    let (index, transaction) = found.ok_or_else(|| {
        let txid = *txid;
        Failure::from(TransactionError::NotInBlock { txid, block })
    })?;
    let place = Place {
        world: stored.world(),
        block_hash: stored.hash.clone(),
        height: stored.height,
        index,
        confirmations: 0,
        indexed: false,
        places: Vec::new(),
        place_count: 0,
        conflicts: Vec::new(),
    };
    Ok(TransactionView::new(place, &transaction.tx, network))
}

/// A coinbase spends nothing: it is right, but no input of it can be verified.
fn verify_coinbase(
    settings: &Settings,
    view: &TransactionView,
    tx: Transaction,
    flags: Flags,
    input: Option<usize>,
) -> Result<ExitCode, Failure> {
    if input.is_some() {
        return Err(Failure::usage(format!(
            "{} is a coinbase: it spends nothing, so it has no input to verify",
            view.txid
        )));
    }
    let spend = Spend {
        tx,
        spent: Vec::new(),
        input,
        flags,
    };
    answer_found(settings, view, &spend, &[])
}

fn answer_found(
    settings: &Settings,
    view: &TransactionView,
    spend: &Spend,
    verdicts: &[Verdict],
) -> Result<ExitCode, Failure> {
    let found = FoundView {
        world: view.world.clone(),
        block_hash: view.block_hash.clone(),
        height: view.height,
        index: view.index,
    };
    let verdicts = VerdictsView::new(spend, verdicts, Some(found));
    answer(&verdicts, settings.json)
}

/// The rules for the scripts of a block.
fn flags_at(
    settings: &Settings,
    source: &dyn Source,
    height: u32,
    block: &BlockHash,
) -> Result<Flags, Failure> {
    let network = source.network()?;
    Ok(settings.params(network)?.script_flags(height, block))
}

/// What the inputs of a transaction spend: outputs of its own block, or coins at the block's parent.
fn spent_outputs(
    source: &dyn Source,
    view: &TransactionView,
    block: BlockHash,
    tx: &Transaction,
) -> Result<Vec<TxOut>, Failure> {
    let stored = source.block(At::Hash(block))?;
    let (decoded, _) = answered(decode_block(&stored.bytes), "block")?;
    let parent = At::Hash(decoded.header.prev_blockhash);
    let own = decoded.transactions.iter().take(view.index as usize);
    let own: Vec<(Txid, &[TxOut])> = own.map(|tx| (tx.txid, tx.tx.output.as_slice())).collect();
    let find = |outpoint: &OutPoint| -> Result<Option<TxOut>, Failure> {
        let made_here = own.iter().find(|(txid, _)| *txid == outpoint.txid);
        if let Some((_, outputs)) = made_here {
            return Ok(outputs.get(outpoint.vout as usize).cloned());
        }
        let Some(coin) = source.coin(parent, outpoint)? else {
            return Ok(None);
        };
        let script = answered(Vec::<u8>::from_hex(&coin.script_pubkey), "script")?;
        Ok(Some(TxOut {
            value: Amount::from_sat(coin.amount_sat.unsigned_abs()),
            script_pubkey: ScriptBuf::from_bytes(script),
        }))
    };
    let missing = |outpoint: &OutPoint| {
        let message = format!(
            "the coin {outpoint} that {} spends is not at its block's parent",
            view.txid
        );
        match stored.reject_reason {
            // That may be what is wrong with the block.
            Some(_) => Failure::named("COIN_MISSING", message),
            None => Failure::new(ErrorReason::StoreFailed, message),
        }
    };
    let inputs = tx.input.iter().map(|input| &input.previous_output);
    inputs
        .map(|outpoint| find(outpoint)?.ok_or_else(|| missing(outpoint)))
        .collect()
}

/// What a source gave, which can be read unless the source is broken.
fn answered<T, E: std::fmt::Display>(value: Result<T, E>, what: &str) -> Result<T, Failure> {
    value.map_err(|error| {
        Failure::new(
            ErrorReason::StoreFailed,
            format!("a stored {what} does not decode: {error}"),
        )
    })
}
