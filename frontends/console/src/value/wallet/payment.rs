//! Owns a payment of a wallet, and what becomes of it in each world, as scripts have them.

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::World;
use everett_ledger::decode::DecodedTransaction;
use everett_wallet::{PaymentState, Record, View};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::WalletValue;
use crate::book::Book;
use crate::fault::{Fault, Given};
use crate::limits::MAX_ARRAY_ITEMS;
use crate::show::{Align, Shown, Table, btc, facts};
use crate::value::transaction::Place;
use crate::value::{Tx, WorldValue};

/// A payment, whichever worlds have it.
#[derive(Clone)]
pub(crate) struct PaymentValue {
    wallet: WalletValue,
    txid: Txid,
    /// What it moved: what it pays us less what it takes from us, in satoshis.
    moved: i64,
    time: u64,
}

/// What becomes of a payment in one world.
#[derive(Clone)]
pub(crate) struct PaymentStateValue {
    world: WorldValue,
    state: PaymentState,
}

/// What a transaction gives the wallet, less what it takes.
fn moved(view: &View<'_>, record: &Record) -> i64 {
    let ours = |outpoint: &OutPoint| {
        let output = view.output(outpoint);
        output.map_or(0, |output| super::sat(output.amount))
    };
    // A transaction has fewer outputs than a u32 counts.
    let outputs = 0..record.tx.output.len() as u32;
    let given: i64 = outputs
        .map(|vout| ours(&OutPoint::new(record.txid, vout)))
        .sum();
    let inputs = record.tx.input.iter();
    let taken: i64 = inputs.map(|input| ours(&input.previous_output)).sum();
    given - taken
}

impl PaymentValue {
    fn of(wallet: &WalletValue, view: &View<'_>, record: &Record) -> PaymentValue {
        PaymentValue {
            wallet: wallet.clone(),
            txid: record.txid,
            moved: moved(view, record),
            time: record.time,
        }
    }

    /// The last one first.
    pub(super) fn list(wallet: &WalletValue) -> Result<Array, Fault> {
        wallet.look(|view| {
            let records = view.records().rev().take(MAX_ARRAY_ITEMS);
            let values = records.map(|record| {
                wallet.context.patience.check()?;
                Ok(Dynamic::from(PaymentValue::of(wallet, view, record)))
            });
            values.collect()
        })
    }

    pub(super) fn find(wallet: &WalletValue, txid: &Txid) -> Result<PaymentValue, Fault> {
        wallet.look(|view| {
            let record = view.record(txid).ok_or_else(|| {
                let message = format!("{txid} is no payment of this wallet");
                Fault::named("PAYMENT_UNKNOWN", message)
            })?;
            Ok(PaymentValue::of(wallet, view, record))
        })
    }

    fn state_in(&self, view: &View<'_>, world: &World) -> Result<PaymentStateValue, Fault> {
        Ok(PaymentStateValue {
            state: view.payment(&self.txid, world)?,
            world: WorldValue {
                context: self.wallet.context.clone(),
                hash: world.hash(),
                height: world.height(),
            },
        })
    }

    fn state(&self, at: Option<BlockHash>) -> Result<PaymentStateValue, Fault> {
        self.wallet.look(|view| match at {
            None => self.state_in(view, view.best()),
            Some(at) => self.state_in(view, &self.wallet.context.world(&at)?),
        })
    }

    fn states(&self) -> Result<Vec<PaymentStateValue>, Fault> {
        self.wallet.look(|view| {
            let mut rivals: Vec<&World> = view.rivals().iter().collect();
            rivals.sort_by_key(|world| (std::cmp::Reverse(world.height()), world.hash()));
            let worlds = std::iter::once(view.best()).chain(rivals);
            let state = |world| {
                self.wallet.context.patience.check()?;
                self.state_in(view, world)
            };
            worlds.map(state).collect()
        })
    }

    /// Its transaction; where a live world has it in a block, with its place there, the best world's before others'.
    fn tx(&self) -> Result<Tx, Fault> {
        let (found, place) = self.wallet.look(|view| {
            let worlds = std::iter::once(view.best()).chain(view.rivals());
            let mut places = worlds.filter_map(|world| view.state(world).place(&self.txid));
            let record = view.record(&self.txid);
            Ok((record.map(|record| record.tx.clone()), places.next()))
        })?;
        let found = found.ok_or_else(|| {
            let message = format!("the wallet has forgotten {}", self.txid);
            Fault::named("PAYMENT_UNKNOWN", message)
        })?;
        let decoded = DecodedTransaction::new((*found).clone());
        let mut tx = Tx::loose(&self.wallet.context, decoded)?;
        tx.place = place.map(|place| Place {
            block: place.block,
            height: place.height,
            index: place.index as usize,
        });
        Ok(tx)
    }
}

impl Shown for PaymentValue {
    const KIND: &'static str = "Payment";

    fn line(&self) -> String {
        format!("payment {}: {} BTC", self.txid, btc(self.moved))
    }

    fn text(&self) -> Result<String, Fault> {
        let mut text = facts([
            ("payment", self.txid.to_string()),
            ("moves", format!("{} BTC", btc(self.moved))),
            ("time", self.time.to_string()),
        ]);
        let mut table = Table::new(PaymentStateValue::columns());
        for state in self.states()? {
            table.row(state.cells()?);
        }
        text.push_str(&table.to_string());
        Ok(text)
    }

    fn json(&self) -> Result<Value, Fault> {
        let states = self.states()?;
        let states = states.iter().map(Shown::json);
        Ok(json!({
            "txid": self.txid.to_string(),
            "amount_sat": self.moved,
            "time": self.time,
            "states": states.collect::<Result<Vec<_>, _>>()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("BTC", Align::Right),
            ("STATE", Align::Left),
            ("DEEP", Align::Right),
            ("PAYMENT", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let state = self.state(None)?.state;
        Ok(vec![
            btc(self.moved),
            state.word().to_owned(),
            state.confirmations().to_string(),
            self.txid.to_string(),
        ])
    }
}

impl PaymentStateValue {
    fn by(&self) -> Option<Txid> {
        match self.state {
            PaymentState::Conflicted { by, .. } => by,
            _ => None,
        }
    }

    fn block(&self) -> Option<BlockHash> {
        match self.state {
            PaymentState::Confirmed { place, .. } => Some(place.block),
            PaymentState::Conflicted { block, .. } => block,
            _ => None,
        }
    }

    fn detail(&self) -> String {
        match self.state {
            PaymentState::Confirmed {
                place,
                confirmations,
            } => format!("at {}, {confirmations} deep", place.height),
            PaymentState::Pending { in_mempool: true } => "in the mempool".to_owned(),
            PaymentState::Pending { in_mempool: false } => "not in the mempool".to_owned(),
            PaymentState::Conflicted { by: Some(by), .. } => format!("by {by}"),
            PaymentState::Conflicted { by: None, .. } => "what it spends is spent".to_owned(),
            PaymentState::Gone {
                missing: Some(missing),
            } => format!("{missing} is not there"),
            PaymentState::Gone { missing: None } => "mined in another world".to_owned(),
        }
    }
}

impl Shown for PaymentStateValue {
    const KIND: &'static str = "PaymentState";

    fn line(&self) -> String {
        format!("{} in {}", self.state.word(), self.world.line())
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(facts([
            ("state", self.state.word().to_owned()),
            ("that is", self.detail()),
            ("in", self.world.line()),
        ]))
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({
            "world": { "tip_hash": self.world.hash.to_string(), "height": self.world.height },
            "state": self.state.word(),
            "confirmations": self.state.confirmations(),
            "block_hash": self.block().map(|block| block.to_string()),
            "by": self.by().map(|by| by.to_string()),
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("STATE", Align::Left),
            ("HEIGHT", Align::Right),
            ("WORLD", Align::Left),
            ("THAT IS", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![
            self.state.word().to_owned(),
            self.world.height.to_string(),
            self.world.hash.to_string(),
            self.detail(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<PaymentValue>(engine, "a payment of a wallet, whichever worlds have it")
        .equal_by(|payment| payment.txid)
        .get("txid", "its transaction", |payment| {
            Ok(payment.txid.to_string())
        })
        .get(
            "amount_sat",
            "what it gives the wallet, less what it takes, in satoshis",
            |payment| Ok(payment.moved),
        )
        .get("btc", "the same in bitcoin, as text", |payment| {
            Ok(btc(payment.moved))
        })
        .get("time", "when it was made, Unix seconds", |payment| {
            Ok(i64::try_from(payment.time).unwrap_or(i64::MAX))
        })
        .get("state", "what becomes of it in the best world", |payment| {
            Ok(Dynamic::from(payment.state(None)?))
        })
        .method1(
            "state(at)",
            "what becomes of it in the world at a block",
            |payment, at| {
                let at = payment.wallet.context.which_block(&at)?;
                Ok(payment.state(Some(at))?)
            },
        )
        .get(
            "states",
            "what becomes of it in each live world, the best one first",
            |payment| {
                let states = payment.states()?;
                Ok(states.into_iter().map(Dynamic::from).collect::<Array>())
            },
        )
        .method("tx()", "its transaction", |payment| -> Given<Tx> {
            Ok(payment.tx()?)
        });
    book.kind::<PaymentStateValue>(engine, "what becomes of a payment in one world")
        .equal_by(|state| (state.world.hash, state.state))
        .get("word", "confirmed, pending, conflicted or gone", |state| {
            Ok(state.state.word())
        })
        .get(
            "confirmations",
            "how deep it lies; 0 unless it is confirmed",
            |state| Ok(i64::from(state.state.confirmations())),
        )
        .get(
            "by",
            "the transaction that stands in its way, or ()",
            |state| Ok(state.by().map_or(Dynamic::UNIT, |by| by.to_string().into())),
        )
        .get(
            "block",
            "the block that has it, or what stands in its way; or ()",
            |state| {
                Ok(state
                    .block()
                    .map_or(Dynamic::UNIT, |block| block.to_string().into()))
            },
        )
        .get("world", "the world", |state| {
            Ok(Dynamic::from(state.world.clone()))
        });
}
