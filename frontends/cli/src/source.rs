//! Owns where the reading commands get their answers: a data directory or a server.
//! Promises that both answer alike; refuses to write anything.

mod directory;
pub(crate) mod server;

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::Network;

pub(crate) use directory::Directory;
pub(crate) use server::{Server, ServerAddress, channel};

use crate::at::At;
use crate::failure::Failure;
use crate::script_arg::ScriptArg;
use crate::view::balance::BalancesView;
use crate::view::block::BlockView;
use crate::view::coin::{CoinView, CoinsView};
use crate::view::conflict::ConflictsView;
use crate::view::diff::DiffView;
use crate::view::transaction::TransactionView;
use crate::view::utxo_info::UtxoInfoView;
use crate::view::world::WorldsView;

/// Something that can be asked about worlds.
pub(crate) trait Source {
    /// Which network it is of.
    fn network(&self) -> Result<Network, Failure>;

    /// The unspent coin at an outpoint in the world at a block.
    fn coin(&self, at: At, outpoint: &OutPoint) -> Result<Option<CoinView>, Failure>;

    /// Every leaf of the tree.
    fn worlds(&self) -> Result<WorldsView, Failure>;

    /// What scripts have at a block.
    fn balances(&self, at: At, scripts: &[ScriptArg]) -> Result<BalancesView, Failure>;

    /// The coins of a script at a block, at most `limit` of them.
    fn coins(&self, at: At, script: &ScriptArg, limit: usize) -> Result<CoinsView, Failure>;

    /// What sets two worlds apart.
    fn diff(&self, a: At, b: At) -> Result<DiffView, Failure>;

    /// The coins that two worlds spend in different transactions.
    fn conflicts(&self, a: At, b: At) -> Result<ConflictsView, Failure>;

    /// The figures of the UTXO set at a block.
    fn utxo_info(&self, at: At) -> Result<UtxoInfoView, Failure>;

    /// A block, on whatever branch, whether a world can be read there or not.
    fn block(&self, at: At) -> Result<BlockView, Failure>;

    /// A transaction of the chain that ends at a block; of whatever world holds it where no block is named.
    fn transaction(
        &self,
        at: Option<At>,
        txid: &Txid,
        in_block: Option<&BlockHash>,
    ) -> Result<TransactionView, Failure>;
}
