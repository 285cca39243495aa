//! Owns the check of a transaction, input by input, in every live world.

use everett_ledger::decode::DecodedTransaction;
use everett_proto::v1;
use everett_proto::v1::verify_transaction_request::Subject;
use everett_wallet::{CoinState, CoinThere, VerifiedInput, Wallet};

use super::asking::Asking;
use super::psbt;
use crate::convert;
use crate::fault::Fault;
use crate::mempool_service::parse_transaction;

pub(crate) fn verify(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::VerifyTransactionRequest,
) -> Result<v1::VerifyTransactionResponse, Fault> {
    let tx = match request.subject {
        None => return Err(Fault::field("subject", "set transaction or psbt")),
        Some(Subject::Transaction(bytes)) => parse_transaction("transaction", &bytes)?.tx,
        Some(Subject::Psbt(bytes)) => {
            let mut psbt = psbt::parse("psbt", &bytes)?;
            // What lacks signatures is checked as it is.
            everett_wallet::keys::finalize(&mut psbt);
            psbt::extracted(&psbt)
        }
    };
    let verified = wallet.verify(&tx)?;
    let decoded = DecodedTransaction::new(tx);
    let mempool = match &verified.mempool {
        Ok(accepted) => convert::mempool::accepted(&decoded, accepted),
        Err(refused) => convert::mempool::refused(&decoded, &refused.rejection),
    };
    let inputs = (0u32..).zip(&verified.inputs);
    let everywhere = verified.inputs.iter().all(VerifiedInput::is_everywhere);
    Ok(v1::VerifyTransactionResponse {
        txid: verified.txid.to_string(),
        inputs: inputs
            .map(|(index, input)| tell(asking, index, input))
            .collect(),
        valid: verified.is_valid(),
        valid_everywhere: verified.is_valid() && everywhere,
        fee_sat: verified.fee.map(convert::sat),
        weight: verified.weight,
        reject_reason: match &verified.whole {
            Ok(()) => String::new(),
            Err(reject) => reject.to_string(),
        },
        mempool: Some(mempool),
        r#final: verified.is_final(),
    })
}

fn tell(asking: &Asking<'_>, index: u32, input: &VerifiedInput) -> v1::InputVerdict {
    let script = input.coin.as_ref().map(|coin| &coin.script_pubkey);
    v1::InputVerdict {
        input: index,
        outpoint: Some(convert::outpoint(&input.outpoint)),
        amount_sat: input.coin.as_ref().map(|coin| convert::sat(coin.value)),
        script_pubkey: script.map(|script| script.to_bytes()).unwrap_or_default(),
        mine: input.ours.is_some(),
        valid: input.script == Some(Ok(())),
        error: match &input.script {
            Some(Err(error)) => error.to_string(),
            _ => String::new(),
        },
        worlds: (input.worlds.iter())
            .map(|there| tell_there(asking, there))
            .collect(),
    }
}

fn tell_there(asking: &Asking<'_>, there: &CoinThere) -> v1::InputWorld {
    let ledger = asking.reading.ledger;
    let info = ledger.block_info(&there.tip);
    let best = ledger.best().hash() == there.tip;
    let told = v1::InputWorld {
        world: info.map(|info| convert::world(&info, best)),
        final_height: there.lock.height,
        final_time: there.lock.time.map(|time| convert::time(u64::from(time))),
        r#final: there.is_final,
        ..Default::default()
    };
    let id = |txid: Option<bitcoin::Txid>| txid.map_or_else(String::new, |txid| txid.to_string());
    match there.coin {
        CoinState::Unspent {
            height,
            mature,
            spender,
        } => {
            let kind = match mature {
                true => v1::InputStateKind::Unspent,
                false => v1::InputStateKind::Immature,
            };
            v1::InputWorld {
                kind: kind.into(),
                height,
                rival_txid: id(spender),
                ..told
            }
        }
        CoinState::Pending { spender } => v1::InputWorld {
            kind: v1::InputStateKind::Pending.into(),
            rival_txid: id(spender),
            ..told
        },
        CoinState::Spent { block } => v1::InputWorld {
            kind: v1::InputStateKind::Spent.into(),
            spent_block_hash: block.map_or_else(String::new, |block| block.to_string()),
            ..told
        },
        CoinState::Missing => v1::InputWorld {
            kind: v1::InputStateKind::Missing.into(),
            ..told
        },
    }
}
