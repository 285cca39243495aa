//! Owns how a transaction is shown.

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Transaction};
use everett_ledger::Network;
use serde::Serialize;

use super::coin::sat;
use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// A transaction in a block of a world's chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct TransactionView {
    pub(crate) world: WorldView,
    pub(crate) txid: String,
    pub(crate) wtxid: String,
    /// The block that holds it.
    pub(crate) block_hash: String,
    pub(crate) height: u32,
    /// Its place in the block; 0 is the coinbase.
    pub(crate) index: u32,
    /// 0 where the world's chain does not hold that block.
    pub(crate) confirmations: u32,
    pub(crate) version: i32,
    pub(crate) lock_time: u32,
    pub(crate) size_bytes: usize,
    pub(crate) virtual_size: usize,
    pub(crate) inputs: Vec<InputView>,
    pub(crate) outputs: Vec<OutputView>,
    pub(crate) hex: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct InputView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) sequence: u32,
    /// Hexadecimal.
    pub(crate) script_sig: String,
    /// Hexadecimal.
    pub(crate) witness: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct OutputView {
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
    /// Hexadecimal.
    pub(crate) script_pubkey: String,
    /// Its address, if it has one.
    pub(crate) address: Option<String>,
}

/// Where a transaction was found.
pub(crate) struct Place {
    pub(crate) world: WorldView,
    pub(crate) block_hash: String,
    pub(crate) height: u32,
    pub(crate) index: u32,
    pub(crate) confirmations: u32,
}

impl TransactionView {
    /// `None` if the bytes are no transaction.
    pub(crate) fn decode(place: Place, bytes: &[u8], network: Network) -> Option<TransactionView> {
        let transaction: Transaction = deserialize(bytes).ok()?;
        Some(TransactionView::new(place, &transaction, network))
    }

    pub(crate) fn new(
        place: Place,
        transaction: &Transaction,
        network: Network,
    ) -> TransactionView {
        let inputs = transaction.input.iter().map(|input| InputView {
            txid: input.previous_output.txid.to_string(),
            vout: input.previous_output.vout,
            sequence: input.sequence.to_consensus_u32(),
            script_sig: input.script_sig.as_bytes().to_lower_hex_string(),
            witness: input
                .witness
                .iter()
                .map(|item| item.to_lower_hex_string())
                .collect(),
        });
        let outputs = (0..)
            .zip(&transaction.output)
            .map(|(vout, output)| OutputView {
                vout,
                amount_sat: sat(output.value),
                script_pubkey: output.script_pubkey.as_bytes().to_lower_hex_string(),
                address: Address::from_script(&output.script_pubkey, network.to_bitcoin())
                    .ok()
                    .map(|address| address.to_string()),
            });
        TransactionView {
            world: place.world,
            txid: transaction.compute_txid().to_string(),
            wtxid: transaction.compute_wtxid().to_string(),
            block_hash: place.block_hash,
            height: place.height,
            index: place.index,
            confirmations: place.confirmations,
            version: transaction.version.0,
            lock_time: transaction.lock_time.to_consensus_u32(),
            size_bytes: transaction.total_size(),
            virtual_size: transaction.vsize(),
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            hex: serialize_hex(transaction),
        }
    }
}

impl View for TransactionView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("OUTPUT", Align::Right),
            ("BTC", Align::Right),
            ("TO", Align::Left),
        ]);
        for output in &self.outputs {
            table.row([
                output.vout.to_string(),
                btc(output.amount_sat),
                output
                    .address
                    .as_ref()
                    .unwrap_or(&output.script_pubkey)
                    .clone(),
            ]);
        }
        let mut inputs = String::new();
        for input in &self.inputs {
            inputs.push_str(&format!("spends {}:{}\n", input.txid, input.vout));
        }
        format!(
            "{}transaction {}\nin block {} (height {}, place {}), {} confirmations\n\
             {} bytes, {} virtual, version {}, lock time {}\n{inputs}{table}",
            self.world.line(),
            self.txid,
            self.block_hash,
            self.height,
            self.index,
            self.confirmations,
            self.size_bytes,
            self.virtual_size,
            self.version,
            self.lock_time
        )
    }
}
