//! Owns the writing of what waits, of verdicts on it, and of what enters and leaves, as messages.

use std::sync::Arc;

use bitcoin::consensus::serialize;
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{Accepted, EntryInfo, FeeRate, Happened, Reason, Rejection, RejectionKind};
use everett_proto::v1;

use super::time;

/// One that would be let in, or was.
pub(crate) fn accepted(tx: &DecodedTransaction, accepted: &Accepted) -> v1::TransactionVerdict {
    let replaced = accepted.replaced.iter();
    v1::TransactionVerdict {
        allowed: true,
        fee_sat: accepted.fee,
        vsize: accepted.vsize,
        fee_rate_sat_per_kvb: accepted.effective.sat_per_kvb(),
        replaced_txids: replaced.map(|tx| tx.txid.to_string()).collect(),
        ..unjudged(tx)
    }
}

/// One that is not let in.
pub(crate) fn refused(tx: &DecodedTransaction, rejection: &Rejection) -> v1::TransactionVerdict {
    v1::TransactionVerdict {
        reject_reason: reject_reason(rejection),
        reject_debug_message: rejection.debug.clone(),
        ..unjudged(tx)
    }
}

/// One that was not looked at.
pub(crate) fn unjudged(tx: &DecodedTransaction) -> v1::TransactionVerdict {
    v1::TransactionVerdict {
        txid: tx.txid.to_string(),
        wtxid: tx.wtxid.to_string(),
        ..Default::default()
    }
}

/// One that waits already.
pub(crate) fn known(entry: &EntryInfo) -> v1::TransactionVerdict {
    let vsize = i64::try_from(entry.vsize).unwrap_or(i64::MAX);
    v1::TransactionVerdict {
        allowed: true,
        fee_sat: entry.fee,
        vsize: entry.vsize,
        fee_rate_sat_per_kvb: FeeRate::paid(entry.modified_fee, vsize).sat_per_kvb(),
        ..unjudged(&entry.tx)
    }
}

/// Bitcoin Core's words; inputs that are missing have a name of their own there.
pub(crate) fn reject_reason(rejection: &Rejection) -> String {
    match rejection.kind {
        RejectionKind::MissingInputs => "missing-inputs".to_owned(),
        _ => rejection.reason.to_string(),
    }
}

/// One that waits.
pub(crate) fn entry(entry: &EntryInfo, raw: bool) -> v1::MempoolTransaction {
    let ids = |txids: &[bitcoin::Txid]| txids.iter().map(ToString::to_string).collect();
    // The chunk's size is a weight: four units a virtual byte.
    let chunk = FeeRate::paid(entry.chunk.fee.saturating_mul(4), entry.chunk.size);
    v1::MempoolTransaction {
        txid: entry.tx.txid.to_string(),
        wtxid: entry.tx.wtxid.to_string(),
        raw: bytes(&entry.tx, raw),
        fee_sat: entry.fee,
        modified_fee_sat: entry.modified_fee,
        vsize: entry.vsize,
        weight: entry.weight,
        received_time: Some(time(entry.time)),
        received_height: entry.height,
        sequence: entry.sequence,
        depends_txids: ids(&entry.depends),
        spent_by_txids: ids(&entry.spent_by),
        ancestor_count: entry.ancestors.count,
        descendant_count: entry.descendants.count,
        mining_fee_rate_sat_per_kvb: chunk.sat_per_kvb(),
        unbroadcast: entry.unbroadcast,
    }
}

fn bytes(tx: &Arc<DecodedTransaction>, wanted: bool) -> Vec<u8> {
    match wanted {
        true => serialize(&tx.tx),
        false => Vec::new(),
    }
}

/// What entered or left.
pub(crate) fn event(happened: &Happened, with_raw: bool) -> v1::MempoolEvent {
    let tx = happened.tx();
    let event = v1::MempoolEvent {
        txid: tx.txid.to_string(),
        wtxid: tx.wtxid.to_string(),
        sequence: happened.sequence(),
        ..Default::default()
    };
    match happened {
        Happened::Entered {
            fee,
            vsize,
            returned,
            ..
        } => v1::MempoolEvent {
            kind: v1::MempoolEventKind::Accepted.into(),
            raw: bytes(tx, with_raw),
            fee_sat: *fee,
            vsize: *vsize,
            returned: *returned,
            ..event
        },
        Happened::Left { reason, .. } => v1::MempoolEvent {
            kind: v1::MempoolEventKind::Removed.into(),
            reason: removal(*reason).into(),
            ..event
        },
    }
}

fn removal(reason: Reason) -> v1::RemovalReason {
    match reason {
        Reason::Expiry => v1::RemovalReason::Expiry,
        Reason::SizeLimit => v1::RemovalReason::SizeLimit,
        Reason::Reorg => v1::RemovalReason::Reorg,
        Reason::Block => v1::RemovalReason::Block,
        Reason::Conflict => v1::RemovalReason::Conflict,
        Reason::Replaced => v1::RemovalReason::Replaced,
    }
}
