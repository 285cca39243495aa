//! Owns the comparison of transactions by themselves: what is one, its id, its bytes, and whether it is valid so far.

use anyhow::Result;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, OutPoint, TxOut};
use everett_generate::{Case, Entropy, case, mutate_bytes};
use everett_ledger::decode::decode_transaction;
use everett_ledger::rules::transaction::check_transaction;
use serde_json::json;

use crate::kernel::{ReadTransaction, read_transaction};
use crate::report::Disagreement;

/// Amounts around the limits.
const AMOUNTS: [u64; 8] = [
    0,
    1,
    2_100_000_000_000_000,
    2_100_000_000_000_001,
    1_050_000_000_000_000,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Compares transactions.
pub struct Transactions {
    vectors: Vec<Case>,
    /// Compared; read by both; valid for both.
    counts: [u64; 3],
}

impl Transactions {
    /// One that starts from these cases too.
    pub fn new(vectors: Vec<Case>) -> Transactions {
        Transactions {
            vectors,
            counts: [0; 3],
        }
    }

    /// Compares the transaction of this number.
    pub fn compare(&mut self, seed: u64, number: u64) -> Result<Option<Disagreement>> {
        let mut entropy = Entropy::seeded(!seed, number);
        let mut bytes = transaction(&self.vectors, &mut entropy);
        let (own, core) = (own(&bytes), read_transaction(&bytes)?);
        self.counts[0] += 1;
        self.counts[1] += u64::from(core.is_some());
        self.counts[2] += u64::from(core.as_ref().is_some_and(|core| core.valid));
        if own == core {
            return Ok(None);
        }
        minimise(&mut bytes)?;
        let (own, core) = (self::own(&bytes), read_transaction(&bytes)?);
        let line = json!({
            "transaction": bytes.to_lower_hex_string(),
            "everett": format!("{own:?}"),
            "core": format!("{core:?}"),
        });
        Ok(Some(Disagreement { line, blocks: None }))
    }

    /// Transactions compared.
    pub fn compared(&self) -> u64 {
        self.counts[0]
    }

    /// A line for the end.
    pub fn summary(&self) -> String {
        let [compared, read, valid] = self.counts;
        format!("transactions: {compared} compared, {read} could be read, {valid} of them valid")
    }
}

/// Everett's answer in Core's form.
fn own(bytes: &[u8]) -> Option<ReadTransaction> {
    let (decoded, length) = decode_transaction(bytes).ok()?;
    Some(ReadTransaction {
        txid: decoded.txid.to_byte_array(),
        valid: check_transaction(&decoded).is_ok(),
        // What was read is what is written: the encoding is canonical, or else it is not read.
        bytes: bytes[..length].to_vec(),
    })
}

fn transaction(vectors: &[Case], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let (_, case) = case(vectors, entropy);
    let mut tx = case.tx;
    let inputs = tx.input.len();
    match entropy.below(8) {
        0 => tx.output.push(TxOut {
            value: Amount::from_sat(*entropy.pick(&AMOUNTS)),
            script_pubkey: vec![0x51; entropy.below(4)].into(),
        }),
        1 if !tx.output.is_empty() => {
            let at = entropy.below(tx.output.len());
            tx.output[at].value = Amount::from_sat(*entropy.pick(&AMOUNTS));
        }
        2 if inputs > 0 => {
            let at = entropy.below(inputs);
            tx.input[at].previous_output = OutPoint::null();
        }
        3 if inputs > 0 => {
            tx.input.truncate(1);
            tx.input[0].previous_output = OutPoint::null();
            tx.input[0].script_sig = vec![1; *entropy.pick(&[1, 2, 3, 99, 100, 101])].into();
        }
        4 if inputs > 1 => {
            let at = entropy.below(inputs - 1);
            tx.input[at].previous_output = tx.input[inputs - 1].previous_output;
        }
        5 => tx.output.clear(),
        6 if entropy.below(8) == 7 => tx.input.clear(),
        _ => {}
    }
    let mut bytes = serialize(&tx);
    if entropy.below(2) == 1 {
        mutate_bytes(&mut bytes, entropy);
    }
    bytes
}

/// Takes bytes away as long as the two still disagree.
fn minimise(bytes: &mut Vec<u8>) -> Result<()> {
    let mut piece = bytes.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let mut fewer = bytes.clone();
            fewer.drain(at..(at + piece).min(bytes.len()));
            if own(&fewer) != read_transaction(&fewer)? {
                *bytes = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    Ok(())
}
