//! Owns the key of a coin that its owner locked: txid 32 in internal byte order, output u32 big-endian.

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;

use crate::store::Malformed;
use crate::store::codec::Source;

/// The key of a coin.
pub(crate) fn encode(outpoint: &OutPoint) -> Vec<u8> {
    let mut key = outpoint.txid.as_byte_array().to_vec();
    key.extend_from_slice(&outpoint.vout.to_be_bytes());
    key
}

/// Reads a key.
pub(crate) fn decode(key: &[u8]) -> Result<OutPoint, Malformed> {
    let mut key = Source::new(key);
    let txid = bitcoin::Txid::from_byte_array(key.array()?);
    let vout = key.u32_be()?;
    key.end()?;
    Ok(OutPoint { txid, vout })
}
