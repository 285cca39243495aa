//! Owns the lab: a ledger, and what it takes to make history on it.
//! Promises that nothing in it depends on anything but its seed and the calls made.
//! Refuses to hide the ledger: whatever it can be asked, it can be asked here.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use bitcoin::{BlockHash, ScriptBuf, Transaction};
use everett_ledger::{Ledger, Submitted, World};
use everett_scenario::{AddressKind, Party, Played, Scenario};
use parking_lot::Mutex;

use crate::at::At;
use crate::builder::LabBuilder;
use crate::error::LabError;
use crate::expect::Expect;
use crate::paying::Payments;
use crate::picture::Picture;
use crate::random::Random;
use crate::recording::{
    Head, RecordingError, RecordingReader, RecordingWriter, Replay, ReplayError, Replayed,
    record_ledger,
};

/// A ledger in memory, and the means to make history on it. The methods that do so stand with what they make:
/// blocks ([`Lab::mine`], [`Lab::grow`], …), payments ([`Lab::pay`], …), branches ([`Lab::fork`], [`Lab::reorg`]).
///
/// All of them take `&self`, so that a lab can be shared between threads; the same hashes come out only where the calls
/// come in the same order.
pub struct Lab {
    ledger: Ledger,
    seed: u64,
    pub(crate) spacing: u32,
    /// Whether the machine's clock tells block times.
    pub(crate) live: bool,
    pub(crate) state: Mutex<State>,
    /// Whom coinbases pay when nobody in particular mined them.
    nobody: OnceLock<Party>,
}

/// What changes with each call.
pub(crate) struct State {
    /// Makes block times and coinbases.
    pub(crate) random: Random,
    pub(crate) payments: Payments,
    labels: HashMap<BlockHash, String>,
}

impl Lab {
    /// A regtest of its own, in memory, at genesis. Opens no file and starts no thread; gone when dropped.
    pub fn new(seed: u64) -> Lab {
        let builder = Lab::builder().seed(seed);
        builder
            .open()
            .expect("a ledger in memory with default settings opens")
    }

    /// The same, with its files in a directory, which is made if need be; a history that is there goes on.
    ///
    /// # Errors
    ///
    /// [`LabError::Open`].
    pub fn in_directory(seed: u64, directory: impl AsRef<Path>) -> Result<Lab, LabError> {
        Lab::builder().seed(seed).in_directory(directory).open()
    }

    /// To choose more than the seed.
    pub fn builder() -> LabBuilder {
        LabBuilder::new()
    }

    /// A lab on a regtest ledger that is open already, such as a running node's. The machine's clock tells block times.
    pub fn around(ledger: Ledger, seed: u64) -> Lab {
        Lab::on(ledger, seed, 1, true)
    }

    pub(crate) fn on(ledger: Ledger, seed: u64, spacing: u32, live: bool) -> Lab {
        // Blocks of an earlier run in the same directory must not come out again.
        let before = ledger.best().height();
        Lab {
            ledger,
            seed,
            spacing,
            live,
            state: Mutex::new(State {
                random: Random::new(seed ^ u64::from(before) << 32),
                payments: Payments::default(),
                labels: HashMap::new(),
            }),
            nobody: OnceLock::new(),
        }
    }

    /// The ledger itself.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Someone with a key that follows from the seed and the name, and an address of the usual kind (P2WPKH).
    pub fn party(&self, name: &str) -> Party {
        self.party_of(name, AddressKind::default())
    }

    /// Someone with another kind of address.
    pub fn party_of(&self, name: &str, kind: AddressKind) -> Party {
        Party::new(&format!("lab {}", self.seed), name, kind)
    }

    /// Whom coinbases pay that were mined for nobody in particular.
    pub fn nobody(&self) -> &Party {
        // A seed of its own keeps this key apart from that of any name.
        let party = || {
            Party::new(
                &format!("lab {}\0nobody", self.seed),
                "nobody",
                AddressKind::default(),
            )
        };
        self.nobody.get_or_init(party)
    }

    pub(crate) fn payout(&self) -> &ScriptBuf {
        self.nobody().script_pubkey()
    }

    /// The best world.
    pub fn best(&self) -> World {
        self.ledger.best()
    }

    /// The world at genesis.
    ///
    /// # Errors
    ///
    /// [`LabError::World`] once the horizon has passed it.
    pub fn genesis(&self) -> Result<World, LabError> {
        self.world(0)
    }

    /// The world at a block.
    ///
    /// # Errors
    ///
    /// [`LabError::World`] if there is none, or none that can be read.
    pub fn world(&self, at: impl Into<At>) -> Result<World, LabError> {
        Ok(match at.into() {
            At::Best => self.ledger.best(),
            At::Height(height) => self.ledger.world_at_height(height)?,
            At::Block(hash) => self.ledger.world(&hash)?,
        })
    }

    /// Hands in a block as it is, good or bad.
    ///
    /// # Errors
    ///
    /// [`LabError::Store`]; what is wrong with the block is in the answer.
    pub fn submit(&self, block: &[u8]) -> Result<Submitted, LabError> {
        Ok(self.ledger.submit_block(block)?)
    }

    /// Takes a block back by hand, with all that is built on it.
    ///
    /// # Errors
    ///
    /// [`LabError::World`], [`LabError::Block`].
    pub fn invalidate(&self, at: impl Into<At>) -> Result<(), LabError> {
        let hash = self.hash(at.into())?;
        Ok(self.ledger.invalidate_block(&hash)?)
    }

    /// Takes [`Lab::invalidate`] back.
    ///
    /// # Errors
    ///
    /// [`LabError::World`], [`LabError::Block`].
    pub fn reconsider(&self, at: impl Into<At>) -> Result<(), LabError> {
        let hash = self.hash(at.into())?;
        Ok(self.ledger.reconsider_block(&hash)?)
    }

    /// Plays a scenario file's story in this lab.
    ///
    /// # Errors
    ///
    /// The step that cannot be done; what came before it has happened.
    pub fn play(&self, scenario: &Scenario) -> Result<Played, everett_scenario::PlayError> {
        scenario.play(&self.ledger)
    }

    /// Records all blocks of the lab into a new file, in the order in which they came; how many entries there are. See
    /// [`recording`](crate::recording).
    ///
    /// # Errors
    ///
    /// [`RecordingError`], also where there is a file already.
    pub fn record(&self, path: impl AsRef<Path>) -> Result<u64, RecordingError> {
        let head = Head::new(
            self.ledger.params(),
            format!("a lab with seed {}", self.seed),
        );
        let mut writer = RecordingWriter::create(path, &head)?;
        record_ledger(&self.ledger, 1, &mut writer, &mut |_, _| ())?;
        let entries = writer.entries();
        writer.finish()?;
        Ok(entries)
    }

    /// Replays a recording in this lab, at full speed; [`Replay`] does it otherwise.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub fn replay(&self, path: impl AsRef<Path>) -> Result<Replayed, ReplayError> {
        self.replaying().run(RecordingReader::open(path)?)
    }

    /// A replay on this lab, with its clock, for which pace and watch may still be chosen.
    pub fn replaying(&self) -> Replay<'_> {
        let replay = Replay::new(&self.ledger);
        match self.live {
            true => replay,
            false => replay.moving(self.ledger.clock()),
        }
    }

    /// What is expected of the world at a block; see [`Expect`].
    #[must_use = "add what is expected of the world"]
    #[track_caller]
    pub fn expect(&self, at: impl Into<At>) -> Expect<'_> {
        Expect::new(self, at.into(), std::panic::Location::caller())
    }

    /// The tree of worlds, to be printed.
    pub fn picture(&self) -> Picture {
        Picture::of(&self.ledger, &self.state.lock().labels)
    }

    /// Gives a block a name, which pictures and messages then show.
    ///
    /// # Errors
    ///
    /// [`LabError::World`] for a height above the best tip.
    pub fn label(&self, at: impl Into<At>, name: &str) -> Result<(), LabError> {
        let hash = self.hash(at.into())?;
        self.state.lock().labels.insert(hash, name.to_owned());
        Ok(())
    }

    /// What a party has at a block, coinbases that are not yet mature included.
    ///
    /// # Errors
    ///
    /// [`LabError::World`], [`LabError::Read`].
    pub fn balance(&self, at: impl Into<At>, party: &Party) -> Result<bitcoin::Amount, LabError> {
        Ok(self.world(at)?.balance(&party.script_hash())?.confirmed)
    }

    /// Whether a transaction is in the block or one of its ancestors.
    ///
    /// # Errors
    ///
    /// [`LabError::World`], and what reading blocks answers.
    pub fn has_transaction(
        &self,
        at: impl Into<At>,
        transaction: &Transaction,
    ) -> Result<bool, LabError> {
        let world = self.world(at)?;
        crate::expect::has_transaction(&self.ledger, &world, &transaction.compute_txid())
    }

    pub(crate) fn hash(&self, at: At) -> Result<BlockHash, LabError> {
        match at {
            At::Block(hash) => Ok(hash),
            at => Ok(self.world(at)?.hash()),
        }
    }
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lab(seed {})\n{}", self.seed, self.picture())
    }
}
