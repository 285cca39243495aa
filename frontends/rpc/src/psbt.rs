//! Owns partially signed transactions: version 0 (BIP174) and version 2 (BIP370), read into one form.
//! Promises that one is written in the version in which it came.
//! Refuses what has bytes behind its end.

mod maps;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
};

use crate::error::{DESERIALIZATION_ERROR, RpcError};
use crate::transaction::encode_stripped;
use maps::{Map, Maps};

/// Lock times below this are heights.
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// Key types of version 2.
mod key {
    pub(super) const UNSIGNED_TX: u8 = 0x00;
    pub(super) const TX_VERSION: u8 = 0x02;
    pub(super) const FALLBACK_LOCKTIME: u8 = 0x03;
    pub(super) const INPUT_COUNT: u8 = 0x04;
    pub(super) const OUTPUT_COUNT: u8 = 0x05;
    pub(super) const MODIFIABLE: u8 = 0x06;
    pub(super) const VERSION: u8 = 0xfb;
    pub(super) const PREVIOUS_TXID: u8 = 0x0e;
    pub(super) const PREVIOUS_VOUT: u8 = 0x0f;
    pub(super) const SEQUENCE: u8 = 0x10;
    pub(super) const TIME_LOCKTIME: u8 = 0x11;
    pub(super) const HEIGHT_LOCKTIME: u8 = 0x12;
    pub(super) const AMOUNT: u8 = 0x03;
    pub(super) const SCRIPT: u8 = 0x04;
}

/// What version 2 says of an input beyond the transaction.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct InputExtra {
    /// Whether its sequence was given.
    pub(crate) sequence: Option<u32>,
    pub(crate) time: Option<u32>,
    pub(crate) height: Option<u32>,
}

/// A partially signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    pub(crate) psbt: Psbt,
    /// 0 or 2.
    pub(crate) version: u32,
    pub(crate) fallback: Option<u32>,
    pub(crate) modifiable: Option<u8>,
    pub(crate) extras: Vec<InputExtra>,
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn count(map: &Map, key: u8) -> Option<usize> {
    let count: bitcoin::VarInt = deserialize(map.get(key)?).ok()?;
    usize::try_from(count.0).ok()
}

impl Partial {
    /// One without any signatures.
    pub(crate) fn new(transaction: Transaction, version: u32) -> Result<Partial, RpcError> {
        let fallback = Some(transaction.lock_time.to_consensus_u32());
        let extras = transaction.input.iter().map(|input| InputExtra {
            sequence: Some(input.sequence.0),
            ..InputExtra::default()
        });
        let extras = extras.collect();
        let psbt = Psbt::from_unsigned_tx(transaction)
            .map_err(|error| RpcError::new(DESERIALIZATION_ERROR, error.to_string()))?;
        Ok(Partial {
            psbt,
            version,
            fallback,
            modifiable: None,
            extras,
        })
    }

    /// One of version 0.
    pub(crate) fn of(psbt: Psbt) -> Partial {
        let extras = psbt.unsigned_tx.input.iter().map(|input| InputExtra {
            sequence: Some(input.sequence.0),
            ..InputExtra::default()
        });
        Partial {
            version: 0,
            fallback: Some(psbt.unsigned_tx.lock_time.to_consensus_u32()),
            modifiable: None,
            extras: extras.collect(),
            psbt,
        }
    }

    /// Reads one in base 64.
    pub(crate) fn parse(text: &str) -> Result<Partial, RpcError> {
        let failed =
            |why: &str| RpcError::new(DESERIALIZATION_ERROR, format!("TX decode failed {why}"));
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| failed("invalid base64"))?;
        if bytes.len() < 5 {
            return Err(failed("SpanReader::read(): end of data: iostream error"));
        }
        if !bytes.starts_with(b"psbt\xff") {
            return Err(failed("Invalid PSBT magic bytes: iostream error"));
        }
        let partial = Partial::from_bytes(&bytes).map_err(|why| failed(&why))?;
        partial.check_spent().map_err(failed)?;
        Ok(partial)
    }

    /// Whether the transactions that inputs say they spend from are those: who signed by another one could sign away more than is
    /// told here.
    fn check_spent(&self) -> Result<(), &'static str> {
        let spent = self.psbt.unsigned_tx.input.iter().zip(&self.psbt.inputs);
        for (input, told) in spent {
            let Some(tx) = &told.non_witness_utxo else {
                continue;
            };
            let OutPoint { txid, vout } = input.previous_output;
            if tx.compute_txid() != txid {
                return Err("Non-witness UTXO does not match outpoint hash: iostream error");
            }
            if tx.output.get(vout as usize).is_none() {
                return Err("Input specifies output index that does not exist: iostream error");
            }
        }
        Ok(())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Partial, String> {
        let cut_off = || "SpanReader::read(): end of data: iostream error".to_owned();
        let version = Maps::global(bytes)
            .ok_or_else(cut_off)?
            .get(key::VERSION)
            .map_or(Some(0), |bytes| number(bytes));
        match version {
            Some(2) => {}
            Some(0) => {
                let psbt = Psbt::deserialize(bytes).map_err(|error| error.to_string())?;
                let fallback = Some(psbt.unsigned_tx.lock_time.to_consensus_u32());
                let extras = psbt.unsigned_tx.input.iter().map(|input| InputExtra {
                    sequence: Some(input.sequence.0),
                    ..InputExtra::default()
                });
                return Ok(Partial {
                    version: 0,
                    fallback,
                    modifiable: None,
                    extras: extras.collect(),
                    psbt,
                });
            }
            _ => return Err("Unsupported version number: iostream error".to_owned()),
        }
        let global = Maps::global(bytes).ok_or_else(cut_off)?;
        let inputs = count(&global, key::INPUT_COUNT).ok_or("Input count is missing")?;
        let outputs = count(&global, key::OUTPUT_COUNT).ok_or("Output count is missing")?;
        let mut maps = Maps::read(bytes, inputs, outputs).ok_or_else(cut_off)?;
        Partial::from_maps(&mut maps).ok_or_else(|| "Required fields are missing".to_owned())
    }

    /// Takes what is of version 2 out, and reads the rest as version 0.
    fn from_maps(maps: &mut Maps) -> Option<Partial> {
        let version = number(&maps.global.take(key::TX_VERSION)?)?;
        let fallback = match maps.global.take(key::FALLBACK_LOCKTIME) {
            Some(bytes) => Some(number(&bytes)?),
            None => None,
        };
        maps.global.take(key::INPUT_COUNT);
        maps.global.take(key::OUTPUT_COUNT);
        maps.global.take(key::VERSION);
        let modifiable = maps.global.take(key::MODIFIABLE);
        let modifiable = modifiable.and_then(|bytes| bytes.first().copied());
        let mut extras = Vec::with_capacity(maps.inputs.len());
        let mut input = Vec::with_capacity(maps.inputs.len());
        for map in &mut maps.inputs {
            let txid: Txid = deserialize(&map.take(key::PREVIOUS_TXID)?).ok()?;
            let vout = number(&map.take(key::PREVIOUS_VOUT)?)?;
            let mut optional = |key| map.take(key).and_then(|bytes| number(&bytes));
            let extra = InputExtra {
                sequence: optional(key::SEQUENCE),
                time: optional(key::TIME_LOCKTIME),
                height: optional(key::HEIGHT_LOCKTIME),
            };
            extras.push(extra);
            input.push(TxIn {
                previous_output: OutPoint::new(txid, vout),
                script_sig: ScriptBuf::new(),
                sequence: Sequence(extra.sequence.unwrap_or(u32::MAX)),
                witness: Witness::new(),
            });
        }
        let mut output = Vec::with_capacity(maps.outputs.len());
        for map in &mut maps.outputs {
            let amount: [u8; 8] = map.take(key::AMOUNT)?.try_into().ok()?;
            output.push(TxOut {
                value: Amount::from_sat(u64::from_le_bytes(amount)),
                script_pubkey: ScriptBuf::from_bytes(map.take(key::SCRIPT)?),
            });
        }
        let transaction = Transaction {
            version: Version(version as i32),
            lock_time: LockTime::from_consensus(lock_time(&extras, fallback)?),
            input,
            output,
        };
        maps.global
            .put_first(key::UNSIGNED_TX, encode_stripped(&transaction));
        let psbt = Psbt::deserialize(&maps.write()).ok()?;
        Some(Partial {
            psbt,
            version: 2,
            fallback,
            modifiable,
            extras,
        })
    }

    /// In base 64.
    pub(crate) fn text(&self) -> String {
        STANDARD.encode(self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut psbt = self.psbt.clone();
        let whole = psbt
            .inputs
            .iter_mut()
            .filter_map(|input| input.non_witness_utxo.as_mut());
        // The id of a transaction that is spent does not cover its witnesses.
        for input in whole.flat_map(|transaction| &mut transaction.input) {
            input.witness.clear();
        }
        let bytes = psbt.serialize();
        if self.version < 2 {
            return bytes;
        }
        let (inputs, outputs) = (self.psbt.inputs.len(), self.psbt.outputs.len());
        let Some(mut maps) = Maps::read(&bytes, inputs, outputs) else {
            return bytes;
        };
        let transaction = &self.psbt.unsigned_tx;
        let global = &mut maps.global;
        global.take(key::UNSIGNED_TX);
        let counted = |count: usize| serialize(&bitcoin::VarInt(count as u64));
        let version = transaction.version.0.to_le_bytes();
        global.put(key::TX_VERSION, version.to_vec());
        if let Some(fallback) = self.fallback {
            global.put(key::FALLBACK_LOCKTIME, fallback.to_le_bytes().to_vec());
        }
        global.put(key::INPUT_COUNT, counted(inputs));
        global.put(key::OUTPUT_COUNT, counted(outputs));
        if let Some(modifiable) = self.modifiable {
            global.put(key::MODIFIABLE, vec![modifiable]);
        }
        global.put(key::VERSION, 2_u32.to_le_bytes().to_vec());
        let all = maps
            .inputs
            .iter_mut()
            .zip(&transaction.input)
            .zip(&self.extras);
        for ((map, input), extra) in all {
            let outpoint = input.previous_output;
            map.put_last(key::PREVIOUS_TXID, serialize(&outpoint.txid));
            map.put_last(key::PREVIOUS_VOUT, outpoint.vout.to_le_bytes().to_vec());
            for (key, value) in [
                (key::SEQUENCE, extra.sequence),
                (key::TIME_LOCKTIME, extra.time),
                (key::HEIGHT_LOCKTIME, extra.height),
            ] {
                if let Some(value) = value {
                    map.put_last(key, value.to_le_bytes().to_vec());
                }
            }
        }
        for (map, output) in maps.outputs.iter_mut().zip(&transaction.output) {
            map.put(key::AMOUNT, output.value.to_sat().to_le_bytes().to_vec());
            map.put(key::SCRIPT, output.script_pubkey.to_bytes());
        }
        maps.write()
    }
}

/// The lock time that the inputs ask for together; `None` where they contradict each other.
fn lock_time(extras: &[InputExtra], fallback: Option<u32>) -> Option<u32> {
    let asking: Vec<&InputExtra> = extras
        .iter()
        .filter(|extra| extra.time.is_some() || extra.height.is_some())
        .collect();
    if asking.is_empty() {
        return Some(fallback.unwrap_or(0));
    }
    let heights: Option<Vec<u32>> = asking.iter().map(|extra| extra.height).collect();
    let times: Option<Vec<u32>> = asking.iter().map(|extra| extra.time).collect();
    let fits = |lock: &u32| *lock < LOCK_TIME_THRESHOLD;
    match (heights, times) {
        (Some(heights), _) => heights.into_iter().max().filter(fits),
        (None, Some(times)) => times.into_iter().max(),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
