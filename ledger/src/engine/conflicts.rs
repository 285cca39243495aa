//! Owns the finding of conflicts: coins that a new block spends and a block of another branch spends otherwise.
//! Promises that each pair of such spends is told once, with the block that comes second, and that the sum of what was
//! told is what [`Ledger::conflicts`](crate::Ledger::conflicts) answers, whatever the order of arrival.
//! Refuses to fail a block: a rival that cannot be read is told without its conflicts.
//!
//! ```text
//!   overlay: outpoint -> [spent by R, spent by N]      N's versions are entered beside those of R: nothing to look for
//!   rivals:  coins that a block both made and spent    these leave no version; looked at once there is another branch
//!   R's bytes -> its transaction -> another one than N's? -> Conflict, one definition with compare.rs
//! ```
//!
//! A branch that was invalidated by hand, or is retired but held by somebody, counts as long as its versions are there:
//! it can come back without its blocks being connected again, and then nobody would tell.

use std::collections::HashMap;
use std::sync::Arc;

use bitcoin::{Amount, OutPoint};

use super::group::Group;
use super::rivals::{Recipients, Spends};
use crate::coin::ScriptPubKey;
use crate::conflict::{Conflict, classify, recipients};
use crate::decode::DecodedBlock;
use crate::events::{Event, EventKind};
use crate::id::BlockId;
use crate::overlay::OtherSpend;
use crate::store::StoreError;
use crate::world::WorldState;

/// Most conflicts in one event.
pub(crate) const MAX_CONFLICTS_AN_EVENT: usize = 256;

/// Most conflicts that the events of one block list, with all its rivals together; the rest is counted. A block of the
/// full size has some 24,000 inputs.
pub(crate) const MAX_CONFLICTS_A_BLOCK: usize = if cfg!(test) { 600 } else { 65_536 };

/// How the new block spends a coin that another branch spends too.
struct OwnSpend {
    transaction: usize,
    amount: Amount,
    script_pubkey: ScriptPubKey,
}

impl Group<'_> {
    /// Says which coins a block spends that blocks of other branches spend in other transactions. `others`: the other
    /// spends of the coins that it spent and had not made itself.
    pub(super) fn tell_conflicts(
        &mut self,
        world: &WorldState,
        block: &DecodedBlock,
        others: Vec<OtherSpend>,
    ) -> Result<(), StoreError> {
        let (base, _) = self.shared.overlay_floor.load();
        let alone = self.engine.rivals.count() as u32 == world.height().saturating_sub(base);
        if alone {
            return Ok(());
        }
        let meter = &self.shared.meter;
        meter
            .conflicts
            .time(1, || self.look_for_conflicts(world, block, others))
    }

    fn look_for_conflicts(
        &mut self,
        world: &WorldState,
        block: &DecodedBlock,
        mut others: Vec<OtherSpend>,
    ) -> Result<(), StoreError> {
        self.add_passing_spends(world, block, &mut others);
        others.retain(|other| !world.path.holds(other.height, other.block));
        others.sort_unstable();
        others.dedup();
        if others.is_empty() {
            return Ok(());
        }
        let own = self.own_spends(world.id, block, &others);
        let mut told = Told::new(world.id, block);
        for spends in others.chunk_by(|a, b| a.block == b.block) {
            for event in self.conflicts_with(spends, &own, &mut told) {
                self.event(&event)?;
            }
        }
        Ok(())
    }

    /// Adds the spends that no version tells of: of coins that were made in the same block, here or there.
    fn add_passing_spends(
        &mut self,
        world: &WorldState,
        block: &DecodedBlock,
        others: &mut Vec<OtherSpend>,
    ) {
        let shared = self.shared;
        // Below the lowest fork there is one branch. Retired ones that come back may leave further down.
        let lowest_fork = match self.engine.retired.is_empty() {
            true => self.engine.earliest_fork,
            false => 0,
        };
        let rivals = &mut self.engine.rivals;
        if let Err(error) = rivals.look_above(lowest_fork, shared) {
            tracing::warn!(%error, "conflicts over coins that a block makes and spends may be missing");
        }
        for outpoint in rivals.passing_of(world.id) {
            shared.overlay.coins.spends(outpoint, others);
        }
        for transaction in block.transactions.iter().skip(1) {
            for input in &transaction.tx.input {
                rivals.passing_spends(&input.previous_output, others);
            }
        }
    }

    /// How the block itself spends those coins.
    fn own_spends(
        &self,
        id: BlockId,
        block: &DecodedBlock,
        others: &[OtherSpend],
    ) -> HashMap<OutPoint, OwnSpend> {
        let mut coins: HashMap<OutPoint, Option<(Amount, ScriptPubKey)>> =
            others.iter().map(|other| (other.outpoint, None)).collect();
        for (outpoint, coin) in self.last_delta().into_iter().flat_map(|delta| &delta.spent) {
            if let Some(found) = coins.get_mut(outpoint) {
                *found = Some((coin.amount, coin.script_pubkey.clone()));
            }
        }
        if !self.engine.rivals.passing_of(id).is_empty() {
            for transaction in &block.transactions {
                for (vout, output) in (0..).zip(&transaction.tx.output) {
                    let outpoint = OutPoint::new(transaction.txid, vout);
                    if let Some(found) = coins.get_mut(&outpoint) {
                        let script = ScriptPubKey::new(output.script_pubkey.as_bytes());
                        *found = Some((output.value, script));
                    }
                }
            }
        }
        let mut own = HashMap::with_capacity(coins.len());
        for (transaction, spender) in block.transactions.iter().enumerate().skip(1) {
            for input in &spender.tx.input {
                let outpoint = input.previous_output;
                if let Some(Some((amount, script_pubkey))) = coins.remove(&outpoint) {
                    let spend = OwnSpend {
                        transaction,
                        amount,
                        script_pubkey,
                    };
                    own.insert(outpoint, spend);
                }
            }
        }
        own
    }

    /// The events about one rival, whose spends these are.
    fn conflicts_with(
        &mut self,
        spends: &[OtherSpend],
        own: &HashMap<OutPoint, OwnSpend>,
        told: &mut Told<'_>,
    ) -> Vec<Event> {
        let shared = self.shared;
        let rival = spends[0].block;
        let (from, fork) = {
            let tree = shared.tree.read();
            let fork = tree.fork_point(rival, told.id);
            (tree.node(rival).hash, tree.node(fork).hash)
        };
        let event = Event {
            fork,
            ..Event::step(EventKind::ConflictFound, from, told.block.hash, self.now())
        };
        let theirs = match self.engine.rivals.spends(rival, shared) {
            Ok(theirs) => theirs,
            Err(error) => {
                tracing::warn!(%error, %from, to = %told.block.hash, "conflicts cannot be listed");
                return vec![Event {
                    unlisted: spends.len() as u32,
                    ..event
                }];
            }
        };
        let mut of_theirs = HashMap::new();
        let (mut events, mut unlisted) = (Vec::new(), 0);
        let mut conflicts = Vec::new();
        for spend in spends {
            let Some(mine) = own.get(&spend.outpoint) else {
                continue;
            };
            let Some(conflict) = told.conflict(&event, spend, mine, &theirs, &mut of_theirs) else {
                continue;
            };
            if told.listed == MAX_CONFLICTS_A_BLOCK {
                unlisted += 1;
                continue;
            }
            told.listed += 1;
            conflicts.push(conflict);
            if conflicts.len() == MAX_CONFLICTS_AN_EVENT {
                let conflicts = std::mem::take(&mut conflicts);
                events.push(Event {
                    conflicts,
                    ..event.clone()
                });
            }
        }
        if !conflicts.is_empty() || unlisted > 0 {
            events.push(Event {
                conflicts,
                unlisted,
                ..event
            });
        }
        events
    }
}

/// What was told of a new block's conflicts so far.
struct Told<'b> {
    id: BlockId,
    block: &'b DecodedBlock,
    /// Conflicts listed, with all rivals together.
    listed: usize,
    /// Who is paid by its transactions, each worked out once.
    recipients: HashMap<usize, Recipients>,
}

impl<'b> Told<'b> {
    fn new(id: BlockId, block: &'b DecodedBlock) -> Told<'b> {
        Told {
            id,
            block,
            listed: 0,
            recipients: HashMap::new(),
        }
    }

    /// The conflict over a coin; `None` if both blocks spend it in the same transaction.
    fn conflict(
        &mut self,
        event: &Event,
        spend: &OtherSpend,
        mine: &OwnSpend,
        theirs: &Spends,
        of_theirs: &mut HashMap<usize, Recipients>,
    ) -> Option<Conflict> {
        let (their_place, txid_a) = theirs.spender(&spend.outpoint)?;
        let transaction = &self.block.transactions[mine.transaction];
        if txid_a == transaction.txid {
            return None;
        }
        let of_mine = self
            .recipients
            .entry(mine.transaction)
            .or_insert_with(|| Arc::from(recipients(&transaction.tx)));
        let of_theirs = of_theirs
            .entry(their_place)
            .or_insert_with(|| theirs.recipients(their_place));
        Some(Conflict {
            outpoint: spend.outpoint,
            amount: mine.amount,
            script_pubkey: mine.script_pubkey.clone(),
            txid_a,
            txid_b: transaction.txid,
            block_a: event.from,
            block_b: event.to,
            kind: classify(of_theirs, of_mine),
        })
    }
}
