//! Owns the bytes of the things that several tables hold: coins, outpoints, numbers, sealed rows.
//! Promises that what is written is read back the same, for every value of the types.
//! Refuses rows with bytes missing, bytes left over or a wrong checksum.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use smallvec::SmallVec;

use crate::coin::{Coin, ScriptPubKey};

/// A row that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The bytes of a row that are still to be read.
pub(super) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Source<'a> {
        Source(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Malformed("the row is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64_le(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn block_hash(&mut self) -> Result<BlockHash, Malformed> {
        Ok(BlockHash::from_byte_array(self.array()?))
    }

    /// LEB128: seven bits a byte, least significant first, the top bit says that more follow.
    pub(super) fn varint(&mut self) -> Result<u128, Malformed> {
        let mut value = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if shift == 126 && bits > 3 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is too long"))
    }

    pub(super) fn varint_u64(&mut self) -> Result<u64, Malformed> {
        u64::try_from(self.varint()?).map_err(|_| Malformed("a number is too large"))
    }

    pub(super) fn varint_usize(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.varint()?).map_err(|_| Malformed("a number is too large"))
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn remaining(&self) -> usize {
        self.0.len()
    }

    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed("the row has bytes left over"))
        }
    }
}

/// Writes LEB128.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u128) {
    while value > u128::from(u64::MAX) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    // Nearly all numbers start here, where shifting is cheaper.
    let mut value = value as u64;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Most bytes that an outpoint has.
pub(super) const OUTPOINT_LENGTH: usize = 37;

/// An outpoint's bytes: a key, or a part of one.
pub(super) type OutpointBytes = SmallVec<[u8; OUTPOINT_LENGTH]>;

/// Output numbers below this are one byte.
const SHORT_VOUT: u8 = 0xf8;

/// txid (internal order, 32) | output number, so that bytes sort as txid, then number: one byte
/// below 248, else `247 + n` and the number's `n` bytes (1 to 4, big-endian, the first not 0).
pub(super) fn outpoint_bytes(outpoint: &OutPoint) -> OutpointBytes {
    let mut bytes = OutpointBytes::from_slice(outpoint.txid.as_ref());
    match u8::try_from(outpoint.vout) {
        Ok(short) if short < SHORT_VOUT => bytes.push(short),
        _ => {
            let number = outpoint.vout.to_be_bytes();
            let zeros = outpoint.vout.leading_zeros() as usize / 8;
            bytes.push(SHORT_VOUT + 3 - zeros as u8);
            bytes.extend_from_slice(&number[zeros..]);
        }
    }
    bytes
}

/// Reads what [`outpoint_bytes`] wrote.
pub(super) fn read_outpoint(source: &mut Source<'_>) -> Result<OutPoint, Malformed> {
    let txid = Txid::from_byte_array(source.array()?);
    let first = source.u8()?;
    let vout = match first.checked_sub(SHORT_VOUT) {
        None => u32::from(first),
        Some(more @ 0..4) => {
            let bytes = source.take(usize::from(more) + 1)?;
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte))
        }
        Some(_) => return Err(Malformed("an output number is too long")),
    };
    Ok(OutPoint { txid, vout })
}

// The first number of a script's bytes: a template, or RAW + the script's length.
const P2PKH: u128 = 0;
const P2SH: u128 = 1;
const P2PK_EVEN: u128 = 2;
const P2PK_ODD: u128 = 3;
const P2WPKH: u128 = 4;
const P2WSH: u128 = 5;
const P2TR: u128 = 6;
const RAW: u128 = 7;

/// A script that is fixed bytes around `payload` bytes.
struct Template {
    code: u128,
    before: &'static [u8],
    payload: usize,
    after: &'static [u8],
}

/// Sorted by code, which is also the index.
const TEMPLATES: [Template; RAW as usize] = [
    template(P2PKH, &[0x76, 0xa9, 0x14], 20, &[0x88, 0xac]),
    template(P2SH, &[0xa9, 0x14], 20, &[0x87]),
    template(P2PK_EVEN, &[0x21, 0x02], 32, &[0xac]),
    template(P2PK_ODD, &[0x21, 0x03], 32, &[0xac]),
    template(P2WPKH, &[0x00, 0x14], 20, &[]),
    template(P2WSH, &[0x00, 0x20], 32, &[]),
    template(P2TR, &[0x51, 0x20], 32, &[]),
];

const LONGEST_TEMPLATE: usize = 35;

const fn template(
    code: u128,
    before: &'static [u8],
    payload: usize,
    after: &'static [u8],
) -> Template {
    Template {
        code,
        before,
        payload,
        after,
    }
}

impl Template {
    /// The part of `script` that varies, if it has this template.
    fn payload<'a>(&self, script: &'a [u8]) -> Option<&'a [u8]> {
        let payload = script.strip_prefix(self.before)?.strip_suffix(self.after)?;
        (payload.len() == self.payload).then_some(payload)
    }
}

/// Writes a coin: varint(height * 2 + coinbase) | amount | script.
///
/// - amount: varint(mantissa * 10 + exponent), where the value in satoshis is
///   mantissa * 10^exponent and the exponent as large as it can be up to 9; 0 for nothing.
/// - script: varint(template) | its 20 or 32 bytes, or varint(7 + length) | the bytes.
pub(super) fn put_coin(out: &mut Vec<u8>, coin: &Coin) {
    put_varint(out, u128::from(coin.height) * 2 + u128::from(coin.coinbase));
    let (mut mantissa, mut exponent) = (coin.amount.to_sat(), 0u8);
    while exponent < 9 && mantissa != 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        exponent += 1;
    }
    put_varint(out, u128::from(mantissa) * 10 + u128::from(exponent));
    let script = coin.script_pubkey.as_bytes();
    let matched = TEMPLATES
        .iter()
        .find_map(|template| Some((template.code, template.payload(script)?)));
    let (code, payload) = matched.unwrap_or((RAW + script.len() as u128, script));
    put_varint(out, code);
    out.extend_from_slice(payload);
}

/// Reads what [`put_coin`] wrote.
pub(super) fn read_coin(source: &mut Source<'_>) -> Result<Coin, Malformed> {
    let place = source.varint_u64()?;
    let height = u32::try_from(place >> 1).map_err(|_| Malformed("a height is too large"))?;
    let coded = source.varint()?;
    let scale = 10u128.pow((coded % 10) as u32);
    let sat = (coded / 10)
        .checked_mul(scale)
        .and_then(|sat| u64::try_from(sat).ok())
        .ok_or(Malformed("an amount is too large"))?;
    let code = source.varint_usize()?;
    let script_pubkey = match TEMPLATES.get(code) {
        Some(template) => {
            let payload = source.take(template.payload)?;
            let mut script = [0; LONGEST_TEMPLATE];
            let length = template.before.len() + template.payload + template.after.len();
            let (head, tail) = script[..length].split_at_mut(template.before.len());
            head.copy_from_slice(template.before);
            tail[..template.payload].copy_from_slice(payload);
            tail[template.payload..].copy_from_slice(template.after);
            ScriptPubKey::new(&script[..length])
        }
        None => ScriptPubKey::new(source.take(code - TEMPLATES.len())?),
    };
    Ok(Coin {
        amount: Amount::from_sat(sat),
        script_pubkey,
        height,
        coinbase: place & 1 == 1,
    })
}

/// Writes varint(count), then outpoint | coin each.
pub(super) fn put_coins(out: &mut Vec<u8>, coins: &[(OutPoint, Coin)]) {
    put_varint(out, coins.len() as u128);
    for (outpoint, coin) in coins {
        out.extend_from_slice(&outpoint_bytes(outpoint));
        put_coin(out, coin);
    }
}

/// Reads what [`put_coins`] wrote.
pub(super) fn read_coins(source: &mut Source<'_>) -> Result<Vec<(OutPoint, Coin)>, Malformed> {
    const LEAST_ROW: usize = 33 + 3;
    let count = source.varint_usize()?;
    // A count that the row cannot hold must not make us allocate for it.
    if count > source.remaining() / LEAST_ROW {
        return Err(Malformed("the row is too short for its coins"));
    }
    let mut coins = Vec::with_capacity(count);
    for _ in 0..count {
        coins.push((read_outpoint(source)?, read_coin(source)?));
    }
    Ok(coins)
}

/// Where a sealed row's bytes start.
const SEAL_LENGTH: usize = 4;

/// A new sealed row: room for the checksum, then what the caller writes.
pub(super) fn unsealed() -> Vec<u8> {
    vec![0; SEAL_LENGTH]
}

/// Makes `row` a new sealed row, in the memory that it has.
pub(super) fn start_unsealed(row: &mut Vec<u8>) {
    row.clear();
    row.extend_from_slice(&[0; SEAL_LENGTH]);
}

/// Fills in the checksum: CRC-32 of key | row, u32 little-endian, in front of the row.
pub(super) fn seal(key: &[u8], mut row: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(key, &row[SEAL_LENGTH..]);
    row[..SEAL_LENGTH].copy_from_slice(&checksum.to_le_bytes());
    row
}

/// Checks what [`seal`] made and hands out the row behind the checksum.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<Source<'a>, Malformed> {
    let mut source = Source::new(sealed);
    let found = source.u32_le()?;
    if found == checksum(key, source.0) {
        Ok(source)
    } else {
        Err(Malformed("its checksum is wrong"))
    }
}

fn checksum(key: &[u8], row: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(row);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
