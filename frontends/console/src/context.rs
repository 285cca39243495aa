//! Owns what all values of a session share: the ledger, its patience, its right to write, the blocks at hand.
//! Promises that a block's transactions are read once while something of the session holds them.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use bitcoin::hex::DisplayHex;
use bitcoin::{BlockHash, OutPoint, TxOut, Txid, Work};
use everett_ledger::decode::{DecodedTransaction, decode_block};
use everett_ledger::{BlockError, BlockInfo, Coin, Ledger, World, WorldError};
use everett_node::Handle;
use everett_proto::v1::ErrorReason;

use crate::budget::{Budget, Held};
use crate::fault::Fault;
use crate::limits::MAX_CACHED_BODIES;
use crate::patience::Patience;
use crate::pen::Pen;

/// The context as values hold it. A session lives on one thread.
pub(crate) type Ctx = Rc<Context>;

/// How many times its bytes a decoded transaction takes, about; with [`ENTRY_OVERHEAD`] for each.
const DECODED_FACTOR: u64 = 2;
const ENTRY_OVERHEAD: u64 = 256;

/// What a session works with.
pub(crate) struct Context {
    pub(crate) ledger: Ledger,
    /// The node that the ledger is of, if there is one.
    pub(crate) node: Option<Handle>,
    pub(crate) lab: bool,
    pub(crate) pen: Pen,
    pub(crate) patience: Patience,
    budget: Budget,
    /// The last ones asked for, the latest at the back.
    bodies: RefCell<VecDeque<Rc<Body>>>,
    /// What the last block asked for spent of earlier blocks.
    spent: RefCell<Option<Rc<SpentCoins>>>,
}

/// The transactions of a block.
pub(crate) struct Body {
    pub(crate) hash: BlockHash,
    pub(crate) transactions: Vec<Rc<Entry>>,
    pub(crate) weight: usize,
    places: OnceCell<HashMap<Txid, usize>>,
}

/// A transaction, counted as held while it is.
pub(crate) struct Entry {
    pub(crate) decoded: DecodedTransaction,
    _held: Held,
}

struct SpentCoins {
    block: BlockHash,
    coins: HashMap<OutPoint, Coin>,
}

impl Body {
    fn place(&self, txid: &Txid) -> Option<usize> {
        let places = self.places.get_or_init(|| {
            let all = self.transactions.iter().enumerate();
            all.map(|(index, entry)| (entry.decoded.txid, index))
                .collect()
        });
        places.get(txid).copied()
    }
}

impl Context {
    pub(crate) fn new(ledger: Ledger, node: Option<Handle>, lab: bool, pen: Pen) -> Ctx {
        Rc::new(Context {
            ledger,
            node,
            lab,
            pen,
            patience: Patience::new(),
            budget: Budget::default(),
            bodies: RefCell::default(),
            spent: RefCell::default(),
        })
    }

    /// What the tree knows of a block.
    pub(crate) fn info(&self, hash: &BlockHash) -> Result<BlockInfo, Fault> {
        let unknown = WorldError::Unknown { hash: *hash };
        Ok(self.ledger.block_info(hash).ok_or(unknown)?)
    }

    /// The world at a block; opened for each question, so that a variable keeps nothing from being retired.
    pub(crate) fn world(&self, hash: &BlockHash) -> Result<World, Fault> {
        self.patience.check()?;
        Ok(self.ledger.world(hash)?)
    }

    /// A transaction, counted.
    pub(crate) fn entry(&self, decoded: DecodedTransaction) -> Result<Rc<Entry>, Fault> {
        let bytes = decoded.size as u64 * DECODED_FACTOR + ENTRY_OVERHEAD;
        let held = self.budget.take(bytes)?;
        Ok(Rc::new(Entry {
            decoded,
            _held: held,
        }))
    }

    /// A block's transactions.
    pub(crate) fn body(&self, hash: &BlockHash) -> Result<Rc<Body>, Fault> {
        self.patience.check()?;
        let cached = self
            .bodies
            .borrow()
            .iter()
            .find(|body| body.hash == *hash)
            .cloned();
        if let Some(body) = cached {
            return Ok(body);
        }
        let bytes = self.ledger.block_bytes(hash)?;
        let (block, _) = decode_block(&bytes).map_err(|source| BlockError::Undecodable {
            hash: *hash,
            source,
        })?;
        // What is about to be pushed out makes room first.
        let mut bodies = self.bodies.borrow_mut();
        if bodies.len() == MAX_CACHED_BODIES {
            bodies.pop_front();
        }
        let weight = block.stripped_size * 3 + block.size;
        let entries = block.transactions.into_iter().map(|tx| self.entry(tx));
        let body = Rc::new(Body {
            hash: *hash,
            transactions: entries.collect::<Result<_, _>>()?,
            weight,
            places: OnceCell::new(),
        });
        bodies.push_back(body.clone());
        Ok(body)
    }

    /// What the inputs of a block's transaction spend, in their order.
    pub(crate) fn outputs_spent(
        &self,
        block: &BlockHash,
        index: usize,
    ) -> Result<Vec<TxOut>, Fault> {
        let body = self.body(block)?;
        let entry = body.transactions.get(index);
        let entry = entry
            .ok_or_else(|| Fault::argument(format!("block {block} has no transaction {index}")))?;
        let inputs = &entry.decoded.tx.input;
        inputs
            .iter()
            .map(|input| self.output_spent(&body, index, &input.previous_output))
            .collect()
    }

    fn output_spent(&self, body: &Body, index: usize, outpoint: &OutPoint) -> Result<TxOut, Fault> {
        if let Some(place) = body.place(&outpoint.txid)
            && place < index
        {
            let made_here = &body.transactions[place].decoded.tx.output;
            if let Some(output) = made_here.get(outpoint.vout as usize) {
                return Ok(output.clone());
            }
        }
        let coin = match self.spent_by(&body.hash)? {
            Some(spent) => spent.coins.get(outpoint).cloned(),
            // Never connected: what its parent has is what it could spend.
            None => {
                let parent = self.info(&body.hash)?.header.prev_blockhash;
                self.world(&parent)?.coin(outpoint).map_err(Fault::from)?
            }
        };
        coin.map(|coin| output_of(&coin)).ok_or_else(|| {
            Fault::new(
                ErrorReason::TxUnknown,
                format!(
                    "the coin {outpoint} is not at the parent of block {}: it was spent there already, or never was",
                    body.hash
                ),
            )
        })
    }

    fn spent_by(&self, block: &BlockHash) -> Result<Option<Rc<SpentCoins>>, Fault> {
        let cached = self.spent.borrow().clone();
        if let Some(spent) = cached.filter(|spent| spent.block == *block) {
            return Ok(Some(spent));
        }
        let Some(coins) = self.ledger.coins_spent_by(block)? else {
            return Ok(None);
        };
        let spent = Rc::new(SpentCoins {
            block: *block,
            coins: coins.into_iter().collect(),
        });
        self.spent.replace(Some(spent.clone()));
        Ok(Some(spent))
    }

    /// An output of a transaction that waits in the mempool.
    pub(crate) fn waiting_output(&self, outpoint: &OutPoint) -> Option<TxOut> {
        let view = self.node.as_ref()?.mempool().view().ok()?;
        let waits = view.transaction(&outpoint.txid)?;
        waits.tx.output.get(outpoint.vout as usize).cloned()
    }

    /// Makes a change to the ledger, if this console may.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        self.patience.check()?;
        self.pen.write(what, &self.ledger, work)
    }
}

/// The output that a coin is.
pub(crate) fn output_of(coin: &Coin) -> TxOut {
    TxOut {
        value: coin.amount,
        script_pubkey: bitcoin::ScriptBuf::from_bytes(coin.script_pubkey.to_bytes()),
    }
}

/// 64 hexadecimal characters.
pub(crate) fn work_hex(work: Work) -> String {
    work.to_be_bytes().to_lower_hex_string()
}
