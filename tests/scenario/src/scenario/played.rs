//! Owns what is known after a play: the worlds, and who has what in them.
//! Promises the ledger's order of worlds and the file's order of parties.

use bitcoin::{Address, BlockHash, KnownHrp, ScriptBuf, Txid};
use everett_ledger::ChainStatus;

use super::expect::Unmet;
use super::play::{PlayCause, Stage};
use super::story::Scenario;
use crate::party::Party;

/// What a play left behind.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Played {
    /// The scenario's title.
    pub title: String,
    /// Every leaf of the ledger's tree at the end, in the ledger's order: the best one first.
    pub worlds: Vec<PlayedWorld>,
    /// Who took part, in the file's order.
    pub parties: Vec<PlayedParty>,
    /// The blocks that got a label, in the order of their making.
    pub blocks: Vec<PlayedBlock>,
    /// The payments that got a name, in the order of their making.
    pub payments: Vec<PlayedPayment>,
    /// How many blocks were made.
    pub mined: u32,
    /// The expectations that did not hold, in order; empty when all did.
    pub unmet: Vec<Unmet>,
}

/// A leaf of the tree at the end of a play.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct PlayedWorld {
    /// Its hash.
    pub tip_hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// Its status, in the meaning of getchaintips.
    pub status: ChainStatus,
    /// Whether it is the best one.
    pub best: bool,
    /// The label of the tip, if the scenario gave it one.
    pub label: Option<String>,
    /// Where it leaves the best chain; itself if it is the best one.
    pub fork_hash: BlockHash,
    /// The height of that block.
    pub fork_height: u32,
    /// Each party's name and satoshis in it, in the file's order; empty where no world can be read
    /// (an invalid or retired tip).
    pub balances: Vec<(String, i64)>,
}

/// Someone who took part.
#[derive(Clone, PartialEq, Debug)]
pub struct PlayedParty {
    /// The name.
    pub name: String,
    /// The address, on the ledger's network.
    pub address: Address,
    /// The script that it stands for.
    pub script_pubkey: ScriptBuf,
}

/// A block with a label.
#[derive(Clone, PartialEq, Debug)]
pub struct PlayedBlock {
    /// The label.
    pub label: String,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
}

/// A payment with a name.
#[derive(Clone, PartialEq, Debug)]
pub struct PlayedPayment {
    /// The name.
    pub name: String,
    /// The transaction.
    pub txid: Txid,
    /// The block that confirmed it first.
    pub block: BlockHash,
}

impl Stage<'_> {
    /// The play's result, read from the ledger as it stands now.
    pub(super) fn curtain(self, scenario: &Scenario) -> Result<Played, PlayCause> {
        let hrp = KnownHrp::from(self.ledger.params().network.to_bitcoin());
        let parties: Vec<&Party> = scenario
            .parties
            .iter()
            .map(|(name, _)| self.party(name))
            .collect();
        let mut worlds = Vec::new();
        for tip in self.ledger.tips() {
            let label = self.named_blocks.iter().find(|b| b.hash == tip.hash);
            let mut balances = Vec::new();
            if tip.live
                && let Ok(world) = self.ledger.world(&tip.hash)
            {
                for party in &parties {
                    let confirmed = world.balance(&party.script_hash())?.confirmed;
                    balances.push((party.name().to_owned(), confirmed.to_sat() as i64));
                }
            }
            worlds.push(PlayedWorld {
                tip_hash: tip.hash,
                height: tip.height,
                status: tip.status,
                best: tip.best,
                label: label.map(|block| block.label.clone()),
                fork_hash: tip.fork_hash,
                fork_height: tip.fork_height,
                balances,
            });
        }
        Ok(Played {
            title: scenario.title.clone(),
            worlds,
            parties: parties
                .into_iter()
                .map(|party| PlayedParty {
                    name: party.name().to_owned(),
                    address: party.address(hrp),
                    script_pubkey: party.script_pubkey().clone(),
                })
                .collect(),
            blocks: self.named_blocks,
            payments: self.named_payments,
            mined: self.mined,
            unmet: self.unmet,
        })
    }
}
