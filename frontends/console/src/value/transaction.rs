//! Owns the transaction as scripts have it: where it stands, what it spends, whether its scripts allow that.
//! Promises to verify with the coins of the block's parent, under the rules of the block that holds it.
//! Refuses to guess a coin that is not there.

use std::rc::Rc;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{BlockHash, Transaction, TxOut, Txid};
use everett_ledger::decode::{DecodedTransaction, decode_transaction};
use everett_proto::v1::ErrorReason;
use everett_script::{Flags, PreparedTransaction};
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::{Block, Input, Output, Verdict, Verdicts, WorldValue};
use crate::book::Book;
use crate::context::{Ctx, Entry, output_of};
use crate::fault::{Fault, Given};
use crate::show::{Align, Shown, btc, facts};
use crate::which::as_index;

/// A transaction.
#[derive(Clone)]
pub(crate) struct Tx {
    pub(crate) context: Ctx,
    entry: Rc<Entry>,
    /// Where it stands; nowhere, if a script made it from its bytes.
    pub(crate) place: Option<Place>,
}

/// A transaction's place in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) block: BlockHash,
    pub(crate) height: u32,
    /// 0 is the coinbase.
    pub(crate) index: usize,
}

impl Tx {
    pub(crate) fn in_block(block: &Block, index: usize, entry: Rc<Entry>) -> Tx {
        Tx {
            context: block.context.clone(),
            entry,
            place: Some(Place {
                block: block.hash,
                height: block.height,
                index,
            }),
        }
    }

    /// In the chain of a world.
    pub(crate) fn find(context: &Ctx, world: &BlockHash, txid: &Txid) -> Result<Tx, Fault> {
        let world = context.world(world)?;
        let found = context.ledger.find_transaction(&world, txid, None)?;
        Ok(Tx {
            context: context.clone(),
            entry: context.entry(DecodedTransaction::new(found.transaction))?,
            place: Some(Place {
                block: found.block,
                height: found.height,
                index: found.index,
            }),
        })
    }

    /// From its bytes.
    pub(crate) fn decode(context: &Ctx, bytes: &[u8]) -> Result<Tx, Fault> {
        let (decoded, length) = decode_transaction(bytes)
            .map_err(|error| Fault::argument(format!("it is no transaction: {error}")))?;
        if length < bytes.len() {
            let surplus = bytes.len() - length;
            return Err(Fault::argument(format!(
                "{surplus} bytes stand behind the transaction's {length}; hand over nothing else"
            )));
        }
        Tx::loose(context, decoded)
    }

    /// In no block.
    pub(crate) fn loose(context: &Ctx, decoded: DecodedTransaction) -> Result<Tx, Fault> {
        Ok(Tx {
            context: context.clone(),
            entry: context.entry(decoded)?,
            place: None,
        })
    }

    pub(crate) fn txid(&self) -> Txid {
        self.entry.decoded.txid
    }

    pub(crate) fn tx(&self) -> &Transaction {
        &self.entry.decoded.tx
    }

    /// What its inputs spend: at its block's parent, or in the best world if it is in no block.
    pub(crate) fn outputs_spent(&self) -> Result<Vec<TxOut>, Fault> {
        if self.tx().is_coinbase() {
            return Ok(Vec::new());
        }
        if let Some(place) = self.place {
            return self.context.outputs_spent(&place.block, place.index);
        }
        let best = self.context.ledger.best();
        let spent = |input: &bitcoin::TxIn| {
            let outpoint = &input.previous_output;
            let coin = best.coin(outpoint)?.map(|coin| output_of(&coin));
            let output = coin.or_else(|| self.context.waiting_output(outpoint));
            output.ok_or_else(|| {
                Fault::new(
                    ErrorReason::TxUnknown,
                    format!("there is no coin {outpoint} in the best world, and none that waits"),
                )
            })
        };
        self.tx().input.iter().map(spent).collect()
    }

    /// The rules for its scripts: those of its block, or of the next one.
    fn flags(&self) -> Flags {
        let params = self.context.ledger.params();
        match self.place {
            Some(place) => params.script_flags(place.height, &place.block),
            None => {
                let best = self.context.ledger.best();
                // The exceptions are blocks of the past.
                params.script_flags(best.height().saturating_add(1), &best.hash())
            }
        }
    }

    /// Runs the scripts of one input, or of all.
    fn verify(&self, input: Option<usize>, flags: Option<Flags>) -> Result<Vec<Verdict>, Fault> {
        let flags = flags.unwrap_or_else(|| self.flags());
        let tx = self.tx();
        if tx.is_coinbase() {
            return match input {
                None => Ok(Vec::new()),
                Some(_) => Err(Fault::argument(format!(
                    "{} is a coinbase: it spends nothing, so it has no input to verify",
                    self.txid()
                ))),
            };
        }
        let inputs = match input {
            Some(input) if input >= tx.input.len() => {
                return Err(Fault::argument(format!(
                    "there is no input {input}: the transaction has {}, counted from 0",
                    tx.input.len()
                )));
            }
            Some(input) => input..input + 1,
            None => 0..tx.input.len(),
        };
        let outputs = self.outputs_spent()?;
        let spent: Vec<_> = outputs
            .iter()
            .map(everett_script::SpentOutput::from)
            .collect();
        let prepared = PreparedTransaction::new(tx, &spent)
            .map_err(|error| Fault::new(ErrorReason::Internal, error))?;
        let verdict = |input: usize| {
            self.context.patience.check()?;
            Ok(Verdict {
                txid: self.txid(),
                input,
                outpoint: tx.input[input].previous_output,
                output: outputs[input].clone(),
                flags,
                result: prepared.verify_input(input, flags),
            })
        };
        inputs.map(verdict).collect()
    }

    fn verify_one(&self, input: &Dynamic, flags: Option<Flags>) -> Given<Verdict> {
        let input = as_index(input, "an input")?;
        let mut verdicts = self.verify(Some(input), flags)?;
        Ok(verdicts
            .pop()
            .ok_or_else(|| Fault::argument(format!("there is no input {input}")))?)
    }

    fn verify_all(&self, flags: Option<Flags>) -> Given<Verdicts> {
        Ok(Verdicts {
            txid: self.txid(),
            verdicts: self.verify(None, flags)?,
        })
    }

    /// What it takes in beyond what it pays out; `None` for a coinbase.
    fn fee(&self) -> Result<Option<i64>, Fault> {
        if self.tx().is_coinbase() {
            return Ok(None);
        }
        let sum = |outputs: &[TxOut]| -> i128 {
            outputs
                .iter()
                .map(|output| i128::from(output.value.to_sat()))
                .sum()
        };
        let fee = sum(&self.outputs_spent()?) - sum(&self.tx().output);
        // Only of an invalid transaction could it be otherwise.
        Ok(Some(i64::try_from(fee).unwrap_or(i64::MIN)))
    }

    fn confirmations(&self) -> i64 {
        let Some(place) = self.place else { return 0 };
        let best = self.context.ledger.best();
        match best.block_hash_at(place.height) == Some(place.block) {
            true => i64::from(best.height()) + 1 - i64::from(place.height),
            false => 0,
        }
    }

    /// The tips whose chains hold its block.
    fn worlds(&self) -> Array {
        let Some(place) = self.place else {
            return Array::new();
        };
        let ledger = &self.context.ledger;
        let tips = ledger.tips();
        let holding = tips.iter().filter(|tip| {
            let world = ledger.world(&tip.hash).ok();
            let block = world.and_then(|world| world.block_hash_at(place.height));
            block == Some(place.block)
        });
        holding
            .map(|tip| Dynamic::from(WorldValue::of_tip(&self.context, tip)))
            .collect()
    }

    fn inputs(&self) -> Vec<Input> {
        (0..self.tx().input.len())
            .map(|index| Input {
                tx: self.clone(),
                index,
            })
            .collect()
    }

    fn outputs(&self) -> Vec<Output> {
        let network = self.context.ledger.params().network;
        let outputs = self.tx().output.iter().enumerate();
        let output = |(vout, output): (usize, &TxOut)| Output {
            output: output.clone(),
            vout: Some(vout),
            network,
        };
        outputs.map(output).collect()
    }
}

impl Shown for Tx {
    const KIND: &'static str = "Transaction";

    fn line(&self) -> String {
        match self.place {
            Some(place) => format!(
                "transaction {} (block {}, place {})",
                self.txid(),
                place.block,
                place.index
            ),
            None => format!("transaction {} (in no block)", self.txid()),
        }
    }

    fn text(&self) -> Result<String, Fault> {
        let decoded = &self.entry.decoded;
        let tx = self.tx();
        let mut lines = vec![
            ("transaction", decoded.txid.to_string()),
            ("wtxid", decoded.wtxid.to_string()),
        ];
        if let Some(place) = self.place {
            lines.push((
                "in block",
                format!(
                    "{} (height {}, place {})",
                    place.block, place.height, place.index
                ),
            ));
            lines.push(("confirmations", self.confirmations().to_string()));
        }
        lines.extend([
            (
                "size",
                format!(
                    "{} bytes, {} virtual, weight {}",
                    decoded.size,
                    tx.vsize(),
                    tx.weight()
                ),
            ),
            ("version", tx.version.0.to_string()),
            ("lock time", tx.lock_time.to_consensus_u32().to_string()),
        ]);
        // Shown without what it spends, where that is not to be had.
        if let Ok(Some(fee)) = self.fee() {
            lines.push(("fee", format!("{} BTC", btc(fee))));
        }
        let mut text = facts(lines);
        for input in self.inputs() {
            text.push_str(&input.paragraph());
        }
        for output in self.outputs() {
            text.push_str(&output.paragraph());
        }
        Ok(text)
    }

    fn json(&self) -> Result<Value, Fault> {
        let decoded = &self.entry.decoded;
        let tx = self.tx();
        let inputs = self.inputs();
        let inputs: Vec<Value> = inputs.iter().map(Shown::json).collect::<Result<_, _>>()?;
        let outputs = self.outputs();
        let outputs: Vec<Value> = outputs.iter().map(Shown::json).collect::<Result<_, _>>()?;
        Ok(json!({
            "txid": decoded.txid.to_string(),
            "wtxid": decoded.wtxid.to_string(),
            "block_hash": self.place.map(|place| place.block.to_string()),
            "height": self.place.map(|place| place.height),
            "index": self.place.map(|place| place.index),
            "confirmations": self.confirmations(),
            "version": tx.version.0,
            "lock_time": tx.lock_time.to_consensus_u32(),
            "size_bytes": decoded.size,
            "virtual_size": tx.vsize(),
            "weight": tx.weight().to_wu(),
            "fee_sat": self.fee().ok().flatten(),
            "inputs": inputs,
            "outputs": outputs,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("PLACE", Align::Right),
            ("INPUTS", Align::Right),
            ("OUTPUTS", Align::Right),
            ("BTC", Align::Right),
            ("VSIZE", Align::Right),
            ("TRANSACTION", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let tx = self.tx();
        let paid = tx.output.iter().fold(0u64, |sum, output| {
            sum.saturating_add(output.value.to_sat())
        });
        Ok(vec![
            self.place
                .map_or(String::new(), |place| place.index.to_string()),
            tx.input.len().to_string(),
            tx.output.len().to_string(),
            btc(i64::try_from(paid).unwrap_or(i64::MAX)),
            tx.vsize().to_string(),
            self.txid().to_string(),
        ])
    }
}

/// Bitcoin Core's names joined by commas, or the name of a set.
fn flags(value: &Dynamic) -> Result<Flags, Fault> {
    let text = value
        .as_immutable_string_ref()
        .map_err(|kind| Fault::argument(format!("flags are named by a text, not by a {kind}")))?;
    match text.as_str() {
        "consensus" => Ok(Flags::CONSENSUS),
        "standard" => Ok(Flags::STANDARD),
        names => names.parse().map_err(Fault::argument),
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<Tx>(engine, "a transaction")
        .equal_by(|tx| (tx.entry.decoded.wtxid, tx.place.map(|place| place.block)))
        .get("txid", "its id", |tx| Ok(tx.txid().to_string()))
        .get("wtxid", "its id with witnesses", |tx| Ok(tx.entry.decoded.wtxid.to_string()))
        .get("block", "the block that holds it, or ()", |tx| match tx.place {
            Some(place) => Ok(Dynamic::from(Block::at(&tx.context, &place.block)?)),
            None => Ok(Dynamic::UNIT),
        })
        .get("block_hash", "hash of that block, or ()", |tx| {
            Ok(tx.place.map_or(Dynamic::UNIT, |place| place.block.to_string().into()))
        })
        .get("height", "height of that block, or ()", |tx| {
            Ok(tx.place.map_or(Dynamic::UNIT, |place| i64::from(place.height).into()))
        })
        .get("index", "its place in that block, or (); 0 is the coinbase", |tx| {
            Ok(tx.place.map_or(Dynamic::UNIT, |place| (place.index as i64).into()))
        })
        .get("confirmations", "how deep it lies in the best chain; 0 if it is not there", |tx| {
            Ok(tx.confirmations())
        })
        .method("worlds()", "the tips whose chains hold it", |tx| -> Given<Array> {
            Ok(tx.worlds())
        })
        .get("inputs", "what it spends", |tx| {
            Ok(tx.inputs().into_iter().map(Dynamic::from).collect::<Array>())
        })
        .get("outputs", "what it pays", |tx| {
            Ok(tx.outputs().into_iter().map(Dynamic::from).collect::<Array>())
        })
        .get("fee_sat", "its fee in satoshis, or () for a coinbase", |tx| {
            Ok(tx.fee()?.map_or(Dynamic::UNIT, Dynamic::from))
        })
        .get("is_coinbase", "whether it makes new coins", |tx| Ok(tx.tx().is_coinbase()))
        .get("version", "its version", |tx| Ok(i64::from(tx.tx().version.0)))
        .get("lock_time", "its lock time", |tx| {
            Ok(i64::from(tx.tx().lock_time.to_consensus_u32()))
        })
        .get("size", "its bytes, with witnesses", |tx| Ok(tx.entry.decoded.size as i64))
        .get("vsize", "its virtual bytes (BIP141)", |tx| Ok(tx.tx().vsize() as i64))
        .get("weight", "its weight (BIP141)", |tx| Ok(tx.tx().weight().to_wu() as i64))
        .method("verify()", "runs the scripts of all its inputs, under its block's rules", |tx| {
            tx.verify_all(None)
        })
        .method1("verify(input)", "runs the script of one input, counted from 0", |tx, input| {
            tx.verify_one(&input, None)
        })
        .method2(
            "verify(input, flags)",
            "the same under other rules: \"consensus\", \"standard\", or Bitcoin Core's names like \"P2SH,WITNESS\"",
            |tx, input, named| tx.verify_one(&input, Some(flags(&named)?)),
        )
        .method("hex()", "its bytes in hexadecimal", |tx| Ok(serialize_hex(tx.tx())));
}
