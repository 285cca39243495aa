//! The output that an input spends, as far as its script needs to know it.
//! Borrowed from wherever the caller keeps its coins, so that no script is copied to be verified.
//! Refuses to say where the output came from: height, coinbase and maturity are the ledger's.

use bitcoin::{Amount, Script, TxOut};

/// Amount and script of the output that one input spends.
///
/// Slices of these stand in the order of the transaction's inputs, one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentOutput<'a> {
    /// Its value in satoshis.
    pub amount: Amount,
    /// Its locking script.
    pub script_pubkey: &'a Script,
}

impl<'a> From<&'a TxOut> for SpentOutput<'a> {
    fn from(output: &'a TxOut) -> Self {
        SpentOutput {
            amount: output.value,
            script_pubkey: &output.script_pubkey,
        }
    }
}
