//! Owns how the figures of a whole UTXO set are shown.

use serde::Serialize;

use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;

/// The UTXO set of one world, in figures that other nodes have too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct UtxoInfoView {
    pub(crate) world: WorldView,
    pub(crate) txouts: u64,
    pub(crate) total_amount_sat: i64,
    pub(crate) bogosize: u64,
    pub(crate) muhash: String,
    pub(crate) hash_serialized_3: String,
}

impl View for UtxoInfoView {
    fn text(&self) -> String {
        format!(
            "{}coins              {}\namount             {} BTC\nbogosize           {}\n\
             muhash             {}\nhash_serialized_3  {}\n",
            self.world.line(),
            self.txouts,
            btc(self.total_amount_sat),
            self.bogosize,
            self.muhash,
            self.hash_serialized_3
        )
    }
}
