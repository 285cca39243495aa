//! Owns the answers from a data directory.
//! Promises to work beside a node that runs on it; refuses to change anything there.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, BlockHash, OutPoint, Txid};
use everett_ledger::{BlockInfo, Ledger, Network, ScriptHash, Side, World, WorldError};
use everett_proto::v1::ErrorReason;

use super::Source;
use crate::at::At;
use crate::failure::Failure;
use crate::script_arg::ScriptArg;
use crate::view::balance::{BalanceView, BalancesView};
use crate::view::block::{BlockFacts, BlockView};
use crate::view::coin::{CoinView, CoinsView, sat};
use crate::view::conflict::{ConflictView, ConflictsView};
use crate::view::diff::{BalanceChangeView, CoinChangeView, DiffView};
use crate::view::transaction::{Place, PlaceView, TransactionView};
use crate::view::utxo_info::UtxoInfoView;
use crate::view::world::{WorldView, WorldsView};

/// How many coins are read at once.
const COINS_PER_READ: usize = 10_000;

/// A ledger, open for reading.
pub(crate) struct Directory {
    ledger: Ledger,
}

impl Directory {
    pub(crate) fn new(ledger: Ledger) -> Directory {
        Directory { ledger }
    }

    fn own_network(&self) -> Network {
        self.ledger.params().network
    }

    fn world(&self, at: At) -> Result<World, WorldError> {
        match at {
            At::Best => Ok(self.ledger.best()),
            At::Height(height) => self.ledger.world_at_height(height),
            At::Hash(hash) => self.ledger.world(&hash),
        }
    }

    fn info(&self, hash: &BlockHash) -> Result<BlockInfo, WorldError> {
        let unknown = WorldError::Unknown { hash: *hash };
        self.ledger.block_info(hash).ok_or(unknown)
    }

    fn show(&self, world: &World) -> Result<WorldView, WorldError> {
        let best = self.ledger.best().hash() == world.hash();
        Ok(WorldView::of_block(&self.info(&world.hash())?, best))
    }

    fn balance(
        &self,
        world: &World,
        script: &ScriptArg,
        hash: ScriptHash,
    ) -> Result<BalanceView, Failure> {
        let balance = world.balance(&hash)?;
        Ok(BalanceView {
            script: script.text.clone(),
            script_hash: hash.to_string(),
            confirmed_sat: sat(balance.confirmed),
            immature_sat: sat(balance.immature),
            utxo_count: u32::try_from(balance.coins).unwrap_or(u32::MAX),
        })
    }
}

impl Source for Directory {
    fn network(&self) -> Result<Network, Failure> {
        Ok(self.own_network())
    }

    fn coin(&self, at: At, outpoint: &OutPoint) -> Result<Option<CoinView>, Failure> {
        let coin = self.world(at)?.coin(outpoint)?;
        Ok(coin.map(|coin| CoinView::new(outpoint, &coin)))
    }

    fn worlds(&self) -> Result<WorldsView, Failure> {
        let worlds = self.ledger.tips().iter().map(WorldView::from).collect();
        Ok(WorldsView { worlds })
    }

    fn balances(&self, at: At, scripts: &[ScriptArg]) -> Result<BalancesView, Failure> {
        let hashes: Vec<ScriptHash> = scripts
            .iter()
            .map(|script| script.hash(self.own_network()))
            .collect::<Result<_, _>>()?;
        let world = self.world(at)?;
        let balances = scripts
            .iter()
            .zip(hashes)
            .map(|(script, hash)| self.balance(&world, script, hash))
            .collect::<Result<_, _>>()?;
        Ok(BalancesView {
            world: self.show(&world)?,
            balances,
        })
    }

    fn coins(&self, at: At, script: &ScriptArg, limit: usize) -> Result<CoinsView, Failure> {
        let hash = script.hash(self.own_network())?;
        let world = self.world(at)?;
        let mut outputs: Vec<CoinView> = Vec::new();
        let mut after: Option<OutPoint> = None;
        let mut more = true;
        // One more than wanted tells whether there are more.
        while more && outputs.len() <= limit {
            let wanted = (limit + 1 - outputs.len()).min(COINS_PER_READ);
            let read = world.coins_of(&hash, after, wanted)?;
            more = read.len() == wanted;
            after = read.last().map(|(outpoint, _)| *outpoint).or(after);
            outputs.extend(
                read.iter()
                    .map(|(outpoint, coin)| CoinView::new(outpoint, coin)),
            );
        }
        let more = outputs.len() > limit;
        outputs.truncate(limit);
        Ok(CoinsView {
            world: self.show(&world)?,
            script: script.text.clone(),
            script_hash: hash.to_string(),
            outputs,
            more,
        })
    }

    fn diff(&self, a: At, b: At) -> Result<DiffView, Failure> {
        let (a, b) = (self.world(a)?, self.world(b)?);
        let diff = self.ledger.diff(&a, &b)?;
        let hex = |hashes: Vec<BlockHash>| hashes.iter().map(BlockHash::to_string).collect();
        let coins = diff.coins.iter().map(|change| CoinChangeView {
            only_in: match change.side {
                Side::A => "a",
                Side::B => "b",
            },
            coin: CoinView::new(&change.outpoint, &change.coin),
        });
        let network = self.own_network().to_bitcoin();
        let balances = diff.balances.iter().map(|change| BalanceChangeView {
            script_pubkey: change.script_pubkey.as_bytes().to_lower_hex_string(),
            address: Address::from_script(&change.script_pubkey, network)
                .ok()
                .map(|address| address.to_string()),
            balance_a_sat: i64::try_from(change.sat_a).unwrap_or(i64::MAX),
            balance_b_sat: i64::try_from(change.sat_b).unwrap_or(i64::MAX),
        });
        Ok(DiffView {
            a: self.show(&a)?,
            b: self.show(&b)?,
            fork_hash: diff.comparison.fork_hash.to_string(),
            fork_height: diff.comparison.fork_height,
            coins: coins.collect(),
            balances: balances.collect(),
            undone: hex(diff.comparison.undone),
            applied: hex(diff.comparison.applied),
        })
    }

    fn conflicts(&self, a: At, b: At) -> Result<ConflictsView, Failure> {
        let (a, b) = (self.world(a)?, self.world(b)?);
        let conflicts = self.ledger.conflicts(&a, &b)?;
        Ok(ConflictsView {
            a: self.show(&a)?,
            b: self.show(&b)?,
            fork_hash: self.ledger.compare(&a, &b).fork_hash.to_string(),
            conflicts: conflicts.iter().map(ConflictView::from).collect(),
        })
    }

    fn utxo_info(&self, at: At) -> Result<UtxoInfoView, Failure> {
        let world = self.world(at)?;
        let info = world.set_info()?;
        Ok(UtxoInfoView {
            world: self.show(&world)?,
            txouts: info.txouts,
            total_amount_sat: i64::try_from(info.total_sat).unwrap_or(i64::MAX),
            bogosize: info.bogosize,
            muhash: info.muhash_hex(),
            hash_serialized_3: info.hash_serialized_3_hex(),
        })
    }

    fn block(&self, at: At) -> Result<BlockView, Failure> {
        let best = self.ledger.best();
        let hash = match at {
            At::Best => best.hash(),
            At::Hash(hash) => hash,
            At::Height(height) => best
                .block_hash_at(height)
                .ok_or(WorldError::HeightUnknown {
                    height,
                    best: best.height(),
                })?,
        };
        let info = self.info(&hash)?;
        let bytes = self.ledger.block_bytes(&hash)?;
        let facts = BlockFacts {
            world: WorldView::of_block(&info, best.hash() == hash),
            median_time_past: info.median_time_past.into(),
            next_hash: info.next_hash.map(|hash| hash.to_string()),
            reject_reason: info.reject_reason,
            reject_debug: info.reject_debug,
        };
        BlockView::new(facts, bytes).ok_or_else(|| {
            Failure::new(
                ErrorReason::StoreFailed,
                format!("the stored block {hash} does not decode"),
            )
        })
    }

    fn transaction(
        &self,
        at: Option<At>,
        txid: &Txid,
        in_block: Option<&BlockHash>,
    ) -> Result<TransactionView, Failure> {
        let world = at.map(|at| self.world(at)).transpose()?;
        if let (Some(hash), Some(world)) = (in_block, &world) {
            let info = self.info(hash)?;
            if world.block_hash_at(info.height) != Some(*hash) {
                return Err(Failure::usage(format!(
                    "block {hash} is not on the chain of {}; leave --at out, or name a block above it",
                    world.hash()
                )));
            }
        }
        let answer = self.ledger.whereabouts(txid, world, in_block)?;
        let confirmations = answer.confirmations();
        let (world, found) = (&answer.world, answer.found);
        let place = Place {
            world: self.show(world)?,
            block_hash: found.block.to_string(),
            height: found.height,
            index: u32::try_from(found.index).unwrap_or(u32::MAX),
            confirmations,
            indexed: answer.indexed,
            places: answer.places.iter().map(PlaceView::from).collect(),
            place_count: answer.place_count as u64,
            conflicts: answer.conflicts.iter().map(ConflictView::from).collect(),
        };
        Ok(TransactionView::new(
            place,
            &found.transaction,
            self.own_network(),
        ))
    }
}
