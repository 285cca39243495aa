//! Owns the key-value maps that a PSBT consists of, without their meanings.

use bitcoin::VarInt;
use bitcoin::consensus::encode::{Decodable, Encodable};

const MAGIC: &[u8] = b"psbt\xff";
/// The type of keys that are somebody's own.
const PROPRIETARY: u8 = 0xfc;
/// Entries of one map that are read.
const MAX_ENTRIES: usize = 100_000;

/// One map: keys with their values, in their order.
#[derive(Clone, Default, Debug)]
pub(super) struct Map(Vec<(Vec<u8>, Vec<u8>)>);

/// All maps of a PSBT.
#[derive(Clone, Debug)]
pub(super) struct Maps {
    pub(super) global: Map,
    pub(super) inputs: Vec<Map>,
    pub(super) outputs: Vec<Map>,
}

fn take_bytes(reader: &mut &[u8]) -> Option<Vec<u8>> {
    let length = VarInt::consensus_decode(reader).ok()?;
    let length = usize::try_from(length.0).ok()?;
    let (bytes, rest) = reader.split_at_checked(length)?;
    *reader = rest;
    Some(bytes.to_vec())
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    // Memory takes all that is written to it.
    let _ = VarInt(bytes.len() as u64).consensus_encode(out);
    out.extend_from_slice(bytes);
}

impl Map {
    fn read(reader: &mut &[u8]) -> Option<Map> {
        let mut map = Map::default();
        while map.0.len() < MAX_ENTRIES {
            let key = take_bytes(reader)?;
            if key.is_empty() {
                return Some(map);
            }
            map.0.push((key, take_bytes(reader)?));
        }
        None
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            put_bytes(key, out);
            put_bytes(value, out);
        }
        out.push(0);
    }

    /// The value of a key that is its type alone.
    pub(super) fn get(&self, key: u8) -> Option<&Vec<u8>> {
        let found = self.0.iter().find(|(name, _)| name.as_slice() == [key]);
        found.map(|(_, value)| value)
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, key: u8) -> Option<Vec<u8>> {
        let place = self
            .0
            .iter()
            .position(|(name, _)| name.as_slice() == [key])?;
        Some(self.0.remove(place).1)
    }

    /// Puts a value where its type belongs.
    pub(super) fn put(&mut self, key: u8, value: Vec<u8>) {
        let place = self
            .0
            .iter()
            .position(|(name, _)| name.first() > Some(&key));
        let place = place.unwrap_or(self.0.len());
        self.0.insert(place, (vec![key], value));
    }

    /// Puts a value behind all that have a meaning of their own.
    pub(super) fn put_last(&mut self, key: u8, value: Vec<u8>) {
        let place = self
            .0
            .iter()
            .position(|(name, _)| name.first() >= Some(&PROPRIETARY));
        let place = place.unwrap_or(self.0.len());
        self.0.insert(place, (vec![key], value));
    }

    /// Puts a value before all others.
    pub(super) fn put_first(&mut self, key: u8, value: Vec<u8>) {
        self.0.insert(0, (vec![key], value));
    }
}

impl Maps {
    /// The global map alone.
    pub(super) fn global(bytes: &[u8]) -> Option<Map> {
        Map::read(&mut bytes.strip_prefix(MAGIC)?)
    }

    /// All maps, if they take up all bytes.
    pub(super) fn read(bytes: &[u8], inputs: usize, outputs: usize) -> Option<Maps> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let reader = &mut rest;
        let global = Map::read(reader)?;
        // Each map takes a byte at least.
        if inputs > bytes.len() || outputs > bytes.len() {
            return None;
        }
        let inputs = (0..inputs)
            .map(|_| Map::read(reader))
            .collect::<Option<_>>()?;
        let outputs = (0..outputs)
            .map(|_| Map::read(reader))
            .collect::<Option<_>>()?;
        reader.is_empty().then_some(Maps {
            global,
            inputs,
            outputs,
        })
    }

    /// The bytes of all.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.global.write(&mut bytes);
        for map in self.inputs.iter().chain(&self.outputs) {
            map.write(&mut bytes);
        }
        bytes
    }
}
