//! Owns how a transaction is shown.

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Transaction};
use everett_ledger::{ChainStatus, Held, Network};
use everett_proto::v1;
use serde::Serialize;

use super::coin::sat;
use super::conflict::ConflictView;
use super::world::{WorldView, status};
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
    /// Whether a transaction index says where else it is. If not, `places` has this block alone.
    pub(crate) indexed: bool,
    /// The blocks that hold it.
    pub(crate) places: Vec<PlaceView>,
    pub(crate) place_count: u64,
    /// Transactions on other branches that spend one of its coins; it is `txid_a` itself.
    pub(crate) conflicts: Vec<ConflictView>,
    pub(crate) hex: String,
}

/// A block that holds a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PlaceView {
    pub(crate) block_hash: String,
    pub(crate) height: u32,
    pub(crate) index: u32,
    /// In the words of `getchaintips`.
    pub(crate) status: &'static str,
    /// The worlds that it is confirmed in through this block.
    pub(crate) worlds: Vec<DepthView>,
    pub(crate) world_count: u64,
}

/// How deep a transaction lies in a world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DepthView {
    pub(crate) tip_hash: String,
    pub(crate) tip_height: u32,
    pub(crate) confirmations: u32,
    pub(crate) best: bool,
}

impl From<&Held> for PlaceView {
    fn from(held: &Held) -> PlaceView {
        let place = &held.place;
        let worlds = held.worlds.iter().map(|tip| DepthView {
            tip_hash: tip.hash.to_string(),
            tip_height: tip.height,
            confirmations: (tip.height + 1).saturating_sub(place.height),
            best: tip.status == ChainStatus::Active,
        });
        PlaceView {
            block_hash: place.block.to_string(),
            height: place.height,
            index: place.index,
            status: place.status.as_str(),
            worlds: worlds.collect(),
            world_count: held.world_count as u64,
        }
    }
}

impl From<v1::TransactionPlace> for PlaceView {
    fn from(place: v1::TransactionPlace) -> PlaceView {
        let status = status(place.status());
        let worlds = place.worlds.into_iter().map(|world| DepthView {
            tip_hash: world.tip_hash,
            tip_height: world.tip_height,
            confirmations: world.confirmations,
            best: world.best,
        });
        PlaceView {
            block_hash: place.block_hash,
            height: place.height,
            index: place.index,
            status,
            worlds: worlds.collect(),
            world_count: u64::from(place.world_count),
        }
    }
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
    pub(crate) indexed: bool,
    pub(crate) places: Vec<PlaceView>,
    pub(crate) place_count: u64,
    pub(crate) conflicts: Vec<ConflictView>,
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
            indexed: place.indexed,
            places: place.places,
            place_count: place.place_count,
            conflicts: place.conflicts,
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
             {} bytes, {} virtual, version {}, lock time {}\n{inputs}{table}{}{}",
            self.world.line(),
            self.txid,
            self.block_hash,
            self.height,
            self.index,
            self.confirmations,
            self.size_bytes,
            self.virtual_size,
            self.version,
            self.lock_time,
            self.places_text(),
            self.conflicts_text(),
        )
    }
}

impl TransactionView {
    /// The worlds it is confirmed in.
    fn places_text(&self) -> String {
        if self.places.is_empty() {
            return String::new();
        }
        let mut table = Table::new([
            ("DEPTH", Align::Right),
            ("WORLD", Align::Left),
            ("IN BLOCK", Align::Left),
        ]);
        for place in &self.places {
            for world in &place.worlds {
                let best = if world.best { " (best)" } else { "" };
                table.row([
                    world.confirmations.to_string(),
                    format!("{}{best}", world.tip_hash),
                    place.block_hash.clone(),
                ]);
            }
            let more = place.world_count.saturating_sub(place.worlds.len() as u64);
            if place.world_count == 0 {
                table.row([
                    "-".to_owned(),
                    format!("no world, the block is {}", place.status),
                    place.block_hash.clone(),
                ]);
            } else if more > 0 {
                table.row([
                    String::new(),
                    format!("and {more} more worlds"),
                    place.block_hash.clone(),
                ]);
            }
        }
        let more = match self.place_count.saturating_sub(self.places.len() as u64) {
            0 => String::new(),
            more => format!("and {more} more blocks\n"),
        };
        let elsewhere = match self.indexed {
            true => "",
            false => {
                "other blocks may hold it too: there is no complete transaction index (--txindex)\n"
            }
        };
        format!("\n{table}{more}{elsewhere}")
    }

    /// What stands against it.
    fn conflicts_text(&self) -> String {
        if self.conflicts.is_empty() {
            return String::new();
        }
        let mut table = Table::new([
            ("KIND", Align::Left),
            ("BTC", Align::Right),
            ("CONFLICTS WITH", Align::Left),
            ("OVER", Align::Left),
        ]);
        for conflict in &self.conflicts {
            table.row([
                conflict.kind.to_owned(),
                btc(conflict.amount_sat),
                conflict.txid_b.clone(),
                format!("{}:{}", conflict.txid, conflict.vout),
            ]);
        }
        format!("\n{table}")
    }
}
