//! Owns what a passphrase opens: a random data key, which seals each secret.
//! Promises that a wrong passphrase opens nothing, and that no sealed byte can be changed or moved without being found out.
//! Refuses empty passphrases, and costs out of bounds.
//!
//! ```text
//! passphrase, salt -> Argon2id -> key -> opens the data key -> opens each secret
//! ```
//!
//! Sealing is XChaCha20-Poly1305 with a random nonce: `nonce 24 | ciphertext | tag 16`. What is authenticated with it is the
//! wallet's id (16 bytes), then `data key`, or a descriptor's number (u32 big-endian). Row `seal` of table `meta`:
//! `1 | memory u32, in KiB | passes u32 | lanes u32 | salt 16 | the sealed data key 72`.

use argon2::{Algorithm, Argon2, Params, Version};
use bitcoin::secp256k1::rand::{RngCore, rngs::OsRng};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::KeyError;
use crate::slot::DescriptorNumber;
use crate::store::codec::Source;
use crate::store::{Malformed, WalletId};

const KEY_LENGTH: usize = 32;
const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const FORMAT: u8 = 1;
/// Most memory that a passphrase may cost, in KiB: a damaged or foreign file must not take all there is.
const MAX_MEMORY: u32 = 4 * 1024 * 1024;
/// Most passes over it, and most lanes.
const MAX_PASSES: u32 = 1_000;
const MAX_LANES: u32 = 64;

/// A key that is overwritten when it is dropped.
pub(crate) type Key = Zeroizing<[u8; KEY_LENGTH]>;

/// What a passphrase costs who tries one: the parameters of Argon2id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kdf {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes that could be filled at once.
    pub lanes: u32,
}

impl Default for Kdf {
    /// 64 MiB, 3 passes, 1 lane: some 0.2 s.
    fn default() -> Kdf {
        Kdf {
            memory: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

impl Kdf {
    /// As little as there is: for tests.
    pub const CHEAP: Kdf = Kdf {
        memory: 8,
        passes: 1,
        lanes: 1,
    };

    fn key(self, passphrase: &str, salt: &[u8]) -> Result<Key, KeyError> {
        if passphrase.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        let cost = |detail: String| KeyError::Cost(detail);
        if self.memory > MAX_MEMORY || self.passes > MAX_PASSES || self.lanes > MAX_LANES {
            return Err(cost(format!("{self:?}")));
        }
        let params = Params::new(self.memory, self.passes, self.lanes, Some(KEY_LENGTH))
            .map_err(|error| cost(error.to_string()))?;
        let mut key = Key::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
            .map_err(|error| cost(error.to_string()))?;
        Ok(key)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// Seals bytes: nonce, ciphertext, tag.
fn close(key: &Key, bytes: &[u8], tied_to: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LENGTH];
    OsRng.fill_bytes(&mut nonce);
    let payload = Payload {
        msg: bytes,
        aad: tied_to,
    };
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), payload)
        .expect("only 256 GiB are too long for the cipher");
    [&nonce[..], &sealed].concat()
}

/// Opens what [`close`] made; `None` with another key, other bytes, or tied to something else.
fn open(key: &Key, sealed: &[u8], tied_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
    let payload = Payload {
        msg: sealed,
        aad: tied_to,
    };
    let opened = cipher(key).decrypt(&XNonce::from(*nonce), payload);
    opened.ok().map(Zeroizing::new)
}

fn tied_to(wallet: &WalletId, what: &[u8]) -> Vec<u8> {
    [&wallet[..], what].concat()
}

const DATA_KEY: &[u8] = b"data key";

/// The data key, sealed by a passphrase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seal {
    kdf: Kdf,
    salt: [u8; SALT_LENGTH],
    data_key: Vec<u8>,
}

/// The data key, open.
pub(crate) struct DataKey(Key);

impl Seal {
    /// A new data key, sealed by a passphrase.
    pub(crate) fn new(
        wallet: &WalletId,
        passphrase: &str,
        kdf: Kdf,
    ) -> Result<(Seal, DataKey), KeyError> {
        let mut key = Key::default();
        OsRng.fill_bytes(&mut *key);
        let data_key = DataKey(key);
        Ok((Seal::of(wallet, &data_key, passphrase, kdf)?, data_key))
    }

    /// Seals a data key by a passphrase.
    pub(crate) fn of(
        wallet: &WalletId,
        data_key: &DataKey,
        passphrase: &str,
        kdf: Kdf,
    ) -> Result<Seal, KeyError> {
        let mut salt = [0; SALT_LENGTH];
        OsRng.fill_bytes(&mut salt);
        let key = kdf.key(passphrase, &salt)?;
        Ok(Seal {
            kdf,
            salt,
            data_key: close(&key, &*data_key.0, &tied_to(wallet, DATA_KEY)),
        })
    }

    /// Opens the data key.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongPassphrase`].
    pub(crate) fn open(&self, wallet: &WalletId, passphrase: &str) -> Result<DataKey, KeyError> {
        let key = match self.kdf.key(passphrase, &self.salt) {
            Err(KeyError::EmptyPassphrase) => return Err(KeyError::WrongPassphrase),
            key => key?,
        };
        let opened = open(&key, &self.data_key, &tied_to(wallet, DATA_KEY))
            .ok_or(KeyError::WrongPassphrase)?;
        let mut data_key = Key::default();
        data_key.copy_from_slice(opened.get(..KEY_LENGTH).ok_or(KeyError::WrongPassphrase)?);
        Ok(DataKey(data_key))
    }

    /// What the passphrase costs.
    pub(crate) fn kdf(&self) -> Kdf {
        self.kdf
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = vec![FORMAT];
        for number in [self.kdf.memory, self.kdf.passes, self.kdf.lanes] {
            row.extend_from_slice(&number.to_le_bytes());
        }
        row.extend_from_slice(&self.salt);
        row.extend_from_slice(&self.data_key);
        row
    }

    pub(crate) fn read(value: &[u8]) -> Result<Seal, Malformed> {
        let mut source = Source::new(value);
        if source.u8()? != FORMAT {
            return Err(Malformed("sealed in a way that this version does not know"));
        }
        let kdf = Kdf {
            memory: source.u32()?,
            passes: source.u32()?,
            lanes: source.u32()?,
        };
        let salt = source.array()?;
        let data_key = source
            .take(NONCE_LENGTH + KEY_LENGTH + TAG_LENGTH)?
            .to_vec();
        source.end()?;
        Ok(Seal {
            kdf,
            salt,
            data_key,
        })
    }
}

impl DataKey {
    /// Seals the secret of a descriptor.
    pub(crate) fn seal(
        &self,
        wallet: &WalletId,
        number: DescriptorNumber,
        secret: &[u8],
    ) -> Vec<u8> {
        close(&self.0, secret, &tied_to(wallet, &number.0.to_be_bytes()))
    }

    /// Opens it; `None` where it is not what was sealed for that descriptor.
    pub(crate) fn open(
        &self,
        wallet: &WalletId,
        number: DescriptorNumber,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.0, sealed, &tied_to(wallet, &number.0.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests;
