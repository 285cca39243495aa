//! Owns what it means that two branches spend one coin in different transactions.
//! Promises a kind that depends on who is paid, not on the order of the outputs. Refuses to look for conflicts.

use bitcoin::{Amount, BlockHash, OutPoint, Transaction, Txid};

use crate::coin::ScriptPubKey;

/// What kind of difference two spends of one coin make.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConflictKind {
    /// The same scripts get the same amounts: only the way of spending differs.
    SameRecipients,
    /// The same scripts get other amounts: a change of the fee, mostly.
    FeeBump,
    /// Somebody else is paid.
    DoubleSpend,
}

impl ConflictKind {
    pub(crate) const ALL: [ConflictKind; 3] = [
        ConflictKind::SameRecipients,
        ConflictKind::FeeBump,
        ConflictKind::DoubleSpend,
    ];

    /// What kind of difference it makes that one of two transactions is confirmed and not the other.
    pub fn between(a: &Transaction, b: &Transaction) -> ConflictKind {
        classify(&recipients(a), &recipients(b))
    }
}

/// A coin that two branches spend in different transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The coin.
    pub outpoint: OutPoint,
    /// Its value.
    pub amount: Amount,
    /// Its script.
    pub script_pubkey: ScriptPubKey,
    /// The transaction that spends it in the first world.
    pub txid_a: Txid,
    /// The transaction that spends it in the second.
    pub txid_b: Txid,
    /// The block of the first one.
    pub block_a: BlockHash,
    /// The block of the second one.
    pub block_b: BlockHash,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
}

/// Who gets what, in an order of its own, so that two transactions can be compared.
pub(crate) fn recipients(transaction: &Transaction) -> Vec<(Vec<u8>, Amount)> {
    let mut paid: Vec<(Vec<u8>, Amount)> = transaction
        .output
        .iter()
        .map(|output| (output.script_pubkey.to_bytes(), output.value))
        .collect();
    paid.sort();
    paid
}

/// What kind of difference two spends of one coin make, by who gets what in each.
pub(crate) fn classify(a: &[(Vec<u8>, Amount)], b: &[(Vec<u8>, Amount)]) -> ConflictKind {
    if a == b {
        ConflictKind::SameRecipients
    } else if a
        .iter()
        .map(|(script, _)| script)
        .eq(b.iter().map(|(script, _)| script))
    {
        ConflictKind::FeeBump
    } else {
        ConflictKind::DoubleSpend
    }
}
