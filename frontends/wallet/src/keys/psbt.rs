//! Owns the reading of PSBTs (BIP174) that others made.
//! Promises that one which was cut is told as such.

use bitcoin::Psbt;
use thiserror::Error;

/// What a PSBT begins with.
const MAGIC: &[u8] = b"psbt\xff";

/// Why bytes are no PSBT.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NoPsbt {
    /// They begin otherwise.
    #[error("it does not begin as a PSBT (BIP174) does")]
    Beginning,
    /// They end in the middle of something.
    #[error("it is cut: its {length} bytes end in the middle of the PSBT")]
    Cut {
        /// How many they are.
        length: usize,
    },
    /// Something in them cannot be.
    #[error("it is no PSBT (BIP174): {0}")]
    Malformed(String),
}

/// Reads a PSBT of version 0.
///
/// # Errors
///
/// [`NoPsbt`]: what is wrong with it.
pub fn read_psbt(bytes: &[u8]) -> Result<Psbt, NoPsbt> {
    if !bytes.starts_with(MAGIC) {
        return Err(NoPsbt::Beginning);
    }
    Psbt::deserialize(bytes).map_err(|error| match is_end(&error) {
        true => NoPsbt::Cut {
            length: bytes.len(),
        },
        false => NoPsbt::Malformed(error.to_string()),
    })
}

/// Whether there was nothing more to read, wherever that was noticed.
fn is_end(error: &bitcoin::psbt::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref().map(bitcoin::io::Error::kind);
        if kind == Some(bitcoin::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_psbt_that_is_cut_anywhere_is_told_as_cut_and_something_else_as_that() {
        let tx = bitcoin::Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![bitcoin::TxIn::default()],
            output: vec![bitcoin::TxOut {
                value: bitcoin::Amount::ONE_BTC,
                script_pubkey: bitcoin::ScriptBuf::from_bytes(vec![0x51]),
            }],
        };
        let whole = Psbt::from_unsigned_tx(tx).unwrap().serialize();
        read_psbt(&whole).unwrap();
        for length in MAGIC.len()..whole.len() {
            assert_eq!(read_psbt(&whole[..length]), Err(NoPsbt::Cut { length }));
        }
        for something in [b"".as_slice(), b"psbt", b"a letter"] {
            assert_eq!(read_psbt(something), Err(NoPsbt::Beginning));
        }
    }
}
