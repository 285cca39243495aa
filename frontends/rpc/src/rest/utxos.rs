//! Owns the question which outputs are unspent (BIP64): on the path, or as bytes in the body.

use bitcoin::consensus::encode::{VarInt, deserialize_partial, serialize};
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::Coin;

use super::answer::{Found, RestError};
use super::ask::{Ask, Format, hash, number};
use crate::json::{Json, object};
use crate::show::script_json;

/// Most outputs of one question.
const MAX_OUTPOINTS: usize = 15;
/// Most bytes of a request's body: some times what so many outpoints need in hexadecimal with space between the bytes, so that
/// who asks for a few more is told how many may be.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;
/// The height that Core gives coins which wait for a block.
const PENDING_HEIGHT: u32 = 0x7fff_ffff;
/// Bytes of an outpoint.
const OUTPOINT_BYTES: usize = 36;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Wanted {
    /// Whether what waits counts as well.
    pending: bool,
    outpoints: Vec<OutPoint>,
}

fn parse_error() -> RestError {
    RestError::bad("Parse error")
}

fn empty() -> RestError {
    RestError::bad("Error: empty request")
}

impl Wanted {
    /// From the parts of a path.
    fn of_path(parts: &[&str]) -> Result<Wanted, RestError> {
        let pending = parts.first() == Some(&"checkmempool");
        let outpoint = |part: &&str| {
            let (txid, vout) = part.split_once('-')?;
            Some(OutPoint::new(hash::<Txid>(txid).ok()?, number(vout)?))
        };
        let outpoints = parts.iter().skip(usize::from(pending)).map(outpoint);
        let outpoints = outpoints.collect::<Option<Vec<_>>>();
        let outpoints = outpoints.ok_or_else(parse_error)?;
        match outpoints.is_empty() {
            true => Err(empty()),
            false => Ok(Wanted { pending, outpoints }),
        }
    }

    /// From bytes: a byte that is not zero if what waits counts, and outpoints behind their count. What follows is left.
    ///
    /// Core reads its own length in front of them as a part of them, and so looks for outputs that nobody asked for.
    fn of_bytes(bytes: &[u8]) -> Option<Wanted> {
        let (flag, rest) = bytes.split_first()?;
        let (count, used) = deserialize_partial::<VarInt>(rest).ok()?;
        let rest = rest.get(used..)?;
        let count = usize::try_from(count.0).ok()?;
        // Before anything is reserved: that many have to be there.
        let rest = rest.get(..count.checked_mul(OUTPOINT_BYTES)?)?;
        let outpoint = |bytes| {
            deserialize_partial(bytes)
                .ok()
                .map(|(outpoint, _)| outpoint)
        };
        let outpoints = rest.chunks(OUTPOINT_BYTES).map(outpoint);
        Some(Wanted {
            pending: *flag != 0,
            outpoints: outpoints.collect::<Option<_>>()?,
        })
    }

    fn read(ask: &Ask) -> Result<Wanted, RestError> {
        // The first character stands between the name and the first part.
        let mut characters = ask.argument.chars();
        characters.next();
        let path = characters.as_str();
        let on_path = !path.is_empty();
        if !on_path && ask.body.is_empty() {
            return Err(empty());
        }
        let parts: Vec<&str> = path.split('/').collect();
        let wanted = match on_path {
            true => Wanted::of_path(&parts)?,
            false => Wanted::default(),
        };
        let bytes = match ask.format {
            Format::Binary => ask.body.to_vec(),
            Format::Hex => parse_hex(&ask.body),
            Format::Json if on_path => return Ok(wanted),
            Format::Json => return Err(empty()),
            Format::Undefined => return Err(RestError::no_format()),
        };
        match (bytes.is_empty(), on_path) {
            (true, _) => Ok(wanted),
            (false, true) => Err(RestError::bad(
                "Combination of URI scheme inputs and raw post data is not allowed",
            )),
            (false, false) => Wanted::of_bytes(&bytes).ok_or_else(parse_error),
        }
    }
}

/// Hexadecimal with space between its bytes; nothing if it is none.
fn parse_hex(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for word in text.split([' ', '\u{c}', '\n', '\r', '\t', '\u{b}']) {
        match Vec::from_hex(word) {
            Ok(more) => bytes.extend(more),
            Err(_) => return Vec::new(),
        }
    }
    bytes
}

/// What was found, and where.
struct Answered {
    height: u32,
    hash: BlockHash,
    coins: Vec<Option<Coin>>,
}

fn look_up(ask: &Ask, wanted: &Wanted) -> Result<Answered, RestError> {
    if wanted.pending {
        let mempool = ask.site().handle.mempool();
        let view = match ask.is_elsewhere() {
            true => mempool.view_on(&ask.world()?)?,
            false => mempool.view()?,
        };
        let coin = |outpoint: &OutPoint| {
            let mut coin = view.coin(outpoint)?;
            if let Some(coin) = &mut coin
                && view.contains(&outpoint.txid)
            {
                coin.height = PENDING_HEIGHT;
            }
            Ok::<_, RestError>(coin)
        };
        return Ok(Answered {
            height: view.world().height(),
            hash: view.world().hash(),
            coins: wanted
                .outpoints
                .iter()
                .map(coin)
                .collect::<Result<_, _>>()?,
        });
    }
    let world = ask.world()?;
    let coins = wanted.outpoints.iter().map(|outpoint| world.coin(outpoint));
    Ok(Answered {
        height: world.height(),
        hash: world.hash(),
        coins: coins.collect::<Result<_, _>>()?,
    })
}

impl Answered {
    /// The height, the block, a bit for each outpoint (the first is the lowest of the first byte), and the coins that are
    /// there: a version of 0, the height, the output.
    fn bytes(&self) -> Vec<u8> {
        let mut bitmap = vec![0_u8; self.coins.len().div_ceil(8)];
        for (index, coin) in self.coins.iter().enumerate() {
            if let Some(byte) = bitmap.get_mut(index / 8) {
                *byte |= u8::from(coin.is_some()) << (index % 8);
            }
        }
        let mut bytes = self.height.to_le_bytes().to_vec();
        bytes.extend(self.hash.to_byte_array());
        bytes.extend(serialize(&bitmap));
        let found: Vec<&Coin> = self.coins.iter().flatten().collect();
        bytes.extend(serialize(&VarInt(found.len() as u64)));
        for coin in found {
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(coin.height.to_le_bytes());
            bytes.extend(serialize(&bitcoin::TxOut {
                value: coin.amount,
                script_pubkey: (*coin.script_pubkey).to_owned(),
            }));
        }
        bytes
    }

    fn json(&self, network: bitcoin::Network) -> Json {
        let bits = self.coins.iter();
        let bits = bits.map(|coin| if coin.is_some() { '1' } else { '0' });
        let shown = |coin: &Coin| {
            object! {
                "height" => coin.height,
                "value" => coin.amount,
                "scriptPubKey" => script_json(&coin.script_pubkey, network),
            }
        };
        object! {
            "chainHeight" => self.height,
            "chaintipHash" => self.hash,
            "bitmap" => bits.collect::<String>(),
            "utxos" => self.coins.iter().flatten().map(shown).collect::<Json>(),
        }
    }
}

/// Which of some outputs are unspent.
pub(super) fn utxos(ask: &Ask) -> Result<Found, RestError> {
    let wanted = Wanted::read(ask)?;
    let tried = wanted.outpoints.len();
    if tried > MAX_OUTPOINTS {
        return Err(RestError::bad(format!(
            "Error: max outpoints exceeded (max: {MAX_OUTPOINTS}, tried: {tried})"
        )));
    }
    let answered = look_up(ask, &wanted)?;
    Found::encode(
        ask.format,
        || answered.bytes(),
        || Ok(answered.json(ask.network())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outpoints_come_as_bytes_and_what_is_cut_off_is_refused() {
        let outpoint = OutPoint::new(Txid::from_byte_array([7; 32]), 3);
        let mut bytes = vec![1, 2];
        bytes.extend(serialize(&outpoint));
        bytes.extend(serialize(&outpoint));
        let wanted = Wanted::of_bytes(&bytes).unwrap();
        assert!(wanted.pending);
        assert_eq!(wanted.outpoints, [outpoint, outpoint]);
        assert_eq!(Wanted::of_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Wanted::of_bytes(&[0]), None);
        let huge = [&[0, 0xff][..], &[0xff; 8]].concat();
        assert_eq!(Wanted::of_bytes(&huge), None);
        bytes.push(9);
        assert_eq!(Wanted::of_bytes(&bytes), Some(wanted));
    }

    #[test]
    fn hexadecimal_may_have_spaces_and_is_nothing_when_it_is_wrong() {
        assert_eq!(parse_hex(b"00 ff\n"), [0, 255]);
        assert!(parse_hex(b"0").is_empty());
        assert!(parse_hex(b"00zz").is_empty());
    }

    #[test]
    fn a_path_names_outpoints_behind_the_word_for_what_waits() {
        let txid = "07".repeat(32);
        let named = format!("{txid}-3");
        let wanted = Wanted::of_path(&["checkmempool", &named]).unwrap();
        assert!(wanted.pending);
        assert_eq!(wanted.outpoints[0].vout, 3);
        assert_eq!(Wanted::of_path(&["checkmempool"]), Err(empty()));
        let twice = format!("{txid}-3-4");
        assert_eq!(Wanted::of_path(&[&twice]), Err(parse_error()));
        assert_eq!(Wanted::of_path(&["checkmempool", ""]), Err(parse_error()));
    }
}
