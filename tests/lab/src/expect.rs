//! Owns expectations about a world.
//! Promises to look at all of them, and that what does not hold is told with what was found and the tree of worlds.
//! Refuses to be forgotten: expectations that nobody asked about panic where they do not hold.

use std::fmt;
use std::panic::Location;

use bitcoin::{Amount, BlockHash, Denomination, Transaction, Txid};
use everett_ledger::{ChainStatus, ConflictKind, Ledger, World};
use everett_scenario::Party;

use crate::at::At;
use crate::error::LabError;
use crate::lab::Lab;
use crate::picture::{Picture, short};

/// Expectations about the world at one block; [`Lab::expect`] begins them.
///
/// Each method adds one. At the end of the statement those that do not hold make a panic, all in one message, with the
/// tree of worlds. [`Expect::verify`] makes an error of them instead.
///
/// ```
/// # use everett_lab::Lab;
/// # fn main() -> Result<(), everett_lab::LabError> {
/// let lab = Lab::new(1);
/// let tip = lab.grow(0, 3)?;
/// lab.expect(&tip).height(3).best();
/// let unmet = lab.expect(&tip).height(4).verify().unwrap_err();
/// assert!(unmet.to_string().contains("expected height 4, found 3"));
/// # Ok(())
/// # }
/// ```
pub struct Expect<'l> {
    lab: &'l Lab,
    hash: Result<BlockHash, LabError>,
    place: &'static Location<'static>,
    unmet: Vec<String>,
    verified: bool,
}

/// What did not hold.
#[derive(Clone, Debug)]
pub struct Unmet {
    /// The block at which it was expected; `None` if there is none such.
    pub block: Option<BlockHash>,
    /// Where in the test's source, as `file:line:column`.
    pub place: String,
    /// What was expected and what was found, one a line.
    pub what: Vec<String>,
    /// The tree of worlds.
    pub picture: Picture,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = self.block.as_ref().map_or("no block".to_owned(), short);
        writeln!(f, "at {block} ({}):", self.place)?;
        for what in &self.what {
            writeln!(f, "  {what}")?;
        }
        write!(f, "the worlds:\n{}", self.picture)
    }
}

impl std::error::Error for Unmet {}

impl<'l> Expect<'l> {
    pub(crate) fn new(lab: &'l Lab, at: At, place: &'static Location<'static>) -> Expect<'l> {
        let hash = lab.hash(at);
        let mut expect = Expect {
            lab,
            unmet: Vec::new(),
            hash: Ok(lab.best().hash()),
            place,
            verified: false,
        };
        if let Err(error) = &hash {
            expect.unmet.push(error.to_string());
        }
        expect.hash = hash;
        expect
    }

    /// Looks at the block, if there is one; what the look says does not hold is noted.
    fn look(
        mut self,
        look: impl FnOnce(&Lab, &BlockHash) -> Result<Option<String>, LabError>,
    ) -> Self {
        if let Ok(hash) = &self.hash {
            match look(self.lab, hash) {
                Ok(unmet) => self.unmet.extend(unmet),
                Err(error) => self.unmet.push(error.to_string()),
            }
        }
        self
    }

    /// A party has so much there, coinbases that are not yet mature included.
    pub fn balance(self, party: &Party, amount: Amount) -> Self {
        self.look(|lab, hash| {
            let found = lab.balance(hash, party)?;
            Ok(unless(found == amount, || {
                format!(
                    "expected {} to have {}, found {}",
                    party.name(),
                    btc(amount),
                    btc(found)
                )
            }))
        })
    }

    /// The transaction is in the block or one of its ancestors.
    pub fn has_tx(self, transaction: &Transaction) -> Self {
        self.transaction(transaction, true)
    }

    /// The transaction is neither in the block nor in any of its ancestors.
    pub fn has_no_tx(self, transaction: &Transaction) -> Self {
        self.transaction(transaction, false)
    }

    fn transaction(self, transaction: &Transaction, wanted: bool) -> Self {
        let txid = transaction.compute_txid();
        self.look(|lab, hash| {
            let found = has_transaction(lab.ledger(), &lab.world(hash)?, &txid)?;
            Ok(unless(found == wanted, || {
                let (expected, found) = match wanted {
                    true => ("expected", "it is not on this chain"),
                    false => ("expected no", "it is there"),
                };
                format!("{expected} transaction {txid}, {found}")
            }))
        })
    }

    /// It is the best world.
    pub fn best(self) -> Self {
        self.leads(true)
    }

    /// It is not the best world.
    pub fn not_best(self) -> Self {
        self.leads(false)
    }

    fn leads(self, wanted: bool) -> Self {
        self.look(|lab, hash| {
            let best = lab.best();
            let found = best.hash() == *hash;
            Ok(unless(found == wanted, || match wanted {
                true => format!(
                    "expected it to be the best world, which is {} at height {}",
                    short(&best.hash()),
                    best.height()
                ),
                false => "expected another world to be the best, this one is".to_owned(),
            }))
        })
    }

    /// It stands at this height.
    pub fn height(self, height: u32) -> Self {
        self.look(|lab, hash| {
            let found = lab.world(hash)?.height();
            Ok(unless(found == height, || {
                format!("expected height {height}, found {found}")
            }))
        })
    }

    /// Its block has this status, in the words of `getchaintips`. Holds for blocks without a world too.
    pub fn status(self, status: ChainStatus) -> Self {
        self.look(|lab, hash| {
            let found = lab.ledger().block_info(hash).map(|info| info.status);
            let name = |status: Option<ChainStatus>| status.map_or("unknown", ChainStatus::as_str);
            Ok(unless(found == Some(status), || {
                format!("expected status {}, found {}", status.as_str(), name(found))
            }))
        })
    }

    /// So many coins are spent by different transactions here and in the world at `other`, as this kind of conflict.
    pub fn conflicts(self, other: impl Into<At>, kind: ConflictKind, coins: usize) -> Self {
        let other = other.into();
        self.look(|lab, hash| {
            let (here, there) = (lab.world(hash)?, lab.world(other)?);
            let conflicts = lab.ledger().conflicts(&here, &there)?;
            let found = conflicts.iter().filter(|one| one.kind == kind).count();
            Ok(unless(found == coins, || {
                format!(
                    "expected {coins} coins in conflict ({kind:?}) with {}, found {found} ({} of any kind)",
                    short(&there.hash()),
                    conflicts.len()
                )
            }))
        })
    }

    /// Anything else; `what` says it for the message.
    pub fn that(self, what: &str, holds: impl FnOnce(&World) -> bool) -> Self {
        self.look(|lab, hash| {
            let world = lab.world(hash)?;
            Ok(unless(holds(&world), || {
                format!("expected {what}, it is not so")
            }))
        })
    }

    /// Makes an error of what does not hold, instead of a panic.
    ///
    /// # Errors
    ///
    /// [`Unmet`], with all of it.
    pub fn verify(mut self) -> Result<(), Box<Unmet>> {
        self.verified = true;
        match self.unmet.is_empty() {
            true => Ok(()),
            false => Err(Box::new(self.report())),
        }
    }

    fn report(&self) -> Unmet {
        Unmet {
            block: self.hash.as_ref().ok().copied(),
            place: self.place.to_string(),
            what: self.unmet.clone(),
            picture: self.lab.picture(),
        }
    }
}

impl Drop for Expect<'_> {
    fn drop(&mut self) {
        if !self.verified && !self.unmet.is_empty() && !std::thread::panicking() {
            panic!("an expectation does not hold {}", self.report());
        }
    }
}

/// What does not hold, unless it does.
fn unless(holds: bool, what: impl FnOnce() -> String) -> Option<String> {
    (!holds).then(what)
}

fn btc(amount: Amount) -> impl fmt::Display {
    amount.display_in(Denomination::Bitcoin).show_denomination()
}

/// Whether a block of this world's chain has the transaction.
pub(crate) fn has_transaction(
    ledger: &Ledger,
    world: &World,
    txid: &Txid,
) -> Result<bool, LabError> {
    for height in (0..=world.height()).rev() {
        let Some(hash) = world.block_hash_at(height) else {
            continue;
        };
        let bytes = ledger.block_bytes(&hash)?;
        let holds = everett_ledger::decode::decode_block(&bytes)
            .is_ok_and(|(block, _)| block.transactions.iter().any(|tx| tx.txid == *txid));
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}
