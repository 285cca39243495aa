//! Owns the people of a lab: a name, a key that follows from a seed and the name, one address.
//! Promises that the same seed and name give the same key, and the same payment the same
//! signature, everywhere; refuses to guard real money, for anyone who knows the seed has the keys.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Address, Amount, CompressedPublicKey, KnownHrp, NetworkKind, OutPoint, Script, ScriptBuf,
    Sequence, Transaction, TxIn, TxOut, Witness, ecdsa, taproot, transaction,
};
use everett_ledger::ScriptHash;

#[cfg(test)]
mod tests;

/// One context for all keys: building its tables takes longer than a signature.
static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// What precedes everything that is hashed into a key, so that no other use of the hash collides.
const KEY_TAG: &[u8] = b"everett lab party key";

/// What a party's address pays to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AddressKind {
    /// A witness public key hash (BIP141), spent with an ECDSA signature.
    #[default]
    P2wpkh,
    /// A taproot output without scripts (BIP341, BIP86), spent with a Schnorr signature.
    P2tr,
    /// A public key hash, spent with an ECDSA signature in the script of the input.
    P2pkh,
    /// A witness public key hash inside a script hash (BIP16, BIP141), spent with an ECDSA signature.
    P2shP2wpkh,
}

impl AddressKind {
    /// All of them.
    pub const ALL: [AddressKind; 4] = [
        AddressKind::P2wpkh,
        AddressKind::P2tr,
        AddressKind::P2pkh,
        AddressKind::P2shP2wpkh,
    ];

    /// Its name in scenario files: `p2wpkh`, `p2tr`, `p2pkh`, `p2sh-p2wpkh`.
    pub fn as_str(self) -> &'static str {
        match self {
            AddressKind::P2wpkh => "p2wpkh",
            AddressKind::P2tr => "p2tr",
            AddressKind::P2pkh => "p2pkh",
            AddressKind::P2shP2wpkh => "p2sh-p2wpkh",
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No address kind of that name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no kind of address; write p2wpkh, p2tr, p2pkh or p2sh-p2wpkh")]
pub struct UnknownAddressKind(pub String);

impl FromStr for AddressKind {
    type Err = UnknownAddressKind;

    fn from_str(text: &str) -> Result<AddressKind, UnknownAddressKind> {
        let named = AddressKind::ALL.into_iter();
        let mut found = named.filter(|kind| kind.as_str() == text);
        found
            .next()
            .ok_or_else(|| UnknownAddressKind(text.to_owned()))
    }
}

/// Why a payment could not be signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignError {
    /// A coin that is to be spent is not the party's own.
    #[error("{outpoint} does not belong to {party}: only its own coins can be spent")]
    NotOwned {
        /// The coin.
        outpoint: OutPoint,
        /// The party's name.
        party: String,
    },
    /// The digest to be signed could not be computed.
    #[error("the transaction cannot be signed: {0}")]
    Digest(String),
}

/// Someone with a name, a key and an address.
#[derive(Clone)]
pub struct Party {
    name: String,
    kind: AddressKind,
    keypair: Keypair,
    script_pubkey: ScriptBuf,
}

impl Party {
    /// The party of this name in the history of this seed.
    pub fn new(seed: &str, name: &str, kind: AddressKind) -> Party {
        let keypair = Keypair::from_secret_key(&SECP, &secret_key(seed, name));
        let public_key = CompressedPublicKey(PublicKey::from_keypair(&keypair));
        let script_pubkey = match kind {
            AddressKind::P2wpkh => ScriptBuf::new_p2wpkh(&public_key.wpubkey_hash()),
            AddressKind::P2tr => ScriptBuf::new_p2tr(&SECP, keypair.x_only_public_key().0, None),
            AddressKind::P2pkh => ScriptBuf::new_p2pkh(&public_key.pubkey_hash()),
            AddressKind::P2shP2wpkh => ScriptBuf::new_p2wpkh(&public_key.wpubkey_hash()).to_p2sh(),
        };
        Party {
            name: name.to_owned(),
            kind,
            keypair,
            script_pubkey,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its address pays to.
    pub fn kind(&self) -> AddressKind {
        self.kind
    }

    /// The script that pays it.
    pub fn script_pubkey(&self) -> &ScriptBuf {
        &self.script_pubkey
    }

    /// What the ledger's script index calls that script.
    pub fn script_hash(&self) -> ScriptHash {
        ScriptHash::of(&self.script_pubkey)
    }

    /// The address that pays it, on the network of this prefix.
    pub fn address(&self, hrp: KnownHrp) -> Address {
        let kind = match hrp {
            KnownHrp::Mainnet => NetworkKind::Main,
            _ => NetworkKind::Test,
        };
        match self.kind {
            AddressKind::P2wpkh => Address::p2wpkh(&self.public_key(), hrp),
            AddressKind::P2tr => {
                Address::p2tr(&SECP, self.keypair.x_only_public_key().0, None, hrp)
            }
            AddressKind::P2pkh => Address::p2pkh(self.public_key(), kind),
            AddressKind::P2shP2wpkh => Address::p2shwpkh(&self.public_key(), kind),
        }
    }

    fn public_key(&self) -> CompressedPublicKey {
        CompressedPublicKey(PublicKey::from_keypair(&self.keypair))
    }

    /// A signed transaction that spends these coins of the party, in this order, to these outputs.
    ///
    /// It is version 2, final at once, and does not signal that it may be replaced.
    ///
    /// # Errors
    ///
    /// [`SignError::NotOwned`] when one of the coins pays another script.
    pub fn spend(
        &self,
        coins: &[(OutPoint, TxOut)],
        outputs: Vec<TxOut>,
    ) -> Result<Transaction, SignError> {
        let mut transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: coins
                .iter()
                .map(|(outpoint, _)| TxIn {
                    previous_output: *outpoint,
                    script_sig: ScriptBuf::new(),
                    sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
                    witness: Witness::new(),
                })
                .collect(),
            output: outputs,
        };
        for (outpoint, output) in coins {
            if output.script_pubkey != self.script_pubkey {
                return Err(SignError::NotOwned {
                    outpoint: *outpoint,
                    party: self.name.clone(),
                });
            }
        }
        let spent: Vec<&TxOut> = coins.iter().map(|(_, output)| output).collect();
        let mut unlocked = Vec::with_capacity(coins.len());
        let mut cache = SighashCache::new(&transaction);
        for (index, output) in spent.iter().enumerate() {
            unlocked.push(match self.kind {
                AddressKind::P2wpkh => {
                    let script = self.script_pubkey.as_script();
                    let witness = self.ecdsa_witness(&mut cache, index, script, output.value)?;
                    (ScriptBuf::new(), witness)
                }
                AddressKind::P2shP2wpkh => {
                    let script = ScriptBuf::new_p2wpkh(&self.public_key().wpubkey_hash());
                    let witness = self.ecdsa_witness(&mut cache, index, &script, output.value)?;
                    let mut push = PushBytesBuf::new();
                    push.extend_from_slice(script.as_bytes())
                        .expect("22 bytes are within the limit of a push");
                    (Builder::new().push_slice(push).into_script(), witness)
                }
                AddressKind::P2tr => {
                    let witness = self.schnorr_witness(&mut cache, index, &spent)?;
                    (ScriptBuf::new(), witness)
                }
                AddressKind::P2pkh => (self.ecdsa_script(&cache, index)?, Witness::new()),
            });
        }
        for (input, (script, witness)) in transaction.input.iter_mut().zip(unlocked) {
            input.script_sig = script;
            input.witness = witness;
        }
        Ok(transaction)
    }

    fn ecdsa_witness(
        &self,
        cache: &mut SighashCache<&Transaction>,
        index: usize,
        script: &Script,
        amount: Amount,
    ) -> Result<Witness, SignError> {
        let digest = cache
            .p2wpkh_signature_hash(index, script, amount, EcdsaSighashType::All)
            .map_err(|error| SignError::Digest(error.to_string()))?;
        let signature = self.sign_ecdsa(digest.to_byte_array());
        Ok(Witness::p2wpkh(
            &signature,
            &PublicKey::from_keypair(&self.keypair),
        ))
    }

    /// Signature and key, as an input of an output to a public key hash shows them.
    fn ecdsa_script(
        &self,
        cache: &SighashCache<&Transaction>,
        index: usize,
    ) -> Result<ScriptBuf, SignError> {
        let kind = EcdsaSighashType::All.to_u32();
        let digest = cache
            .legacy_signature_hash(index, &self.script_pubkey, kind)
            .map_err(|error| SignError::Digest(error.to_string()))?;
        let signature = self.sign_ecdsa(digest.to_byte_array());
        Ok(Builder::new()
            .push_slice(signature.serialize())
            .push_slice(self.public_key().to_bytes())
            .into_script())
    }

    fn sign_ecdsa(&self, digest: [u8; 32]) -> ecdsa::Signature {
        let message = Message::from_digest(digest);
        ecdsa::Signature::sighash_all(SECP.sign_ecdsa(&message, &self.keypair.secret_key()))
    }

    fn schnorr_witness(
        &self,
        cache: &mut SighashCache<&Transaction>,
        index: usize,
        spent: &[&TxOut],
    ) -> Result<Witness, SignError> {
        let sighash_type = TapSighashType::Default;
        let digest = cache
            .taproot_key_spend_signature_hash(index, &Prevouts::All(spent), sighash_type)
            .map_err(|error| SignError::Digest(error.to_string()))?;
        let message = Message::from_digest(digest.to_byte_array());
        let tweaked = self.keypair.tap_tweak(&SECP, None).to_keypair();
        // Without auxiliary randomness, so that a scenario's bytes are the same everywhere.
        let signature = taproot::Signature {
            signature: SECP.sign_schnorr_no_aux_rand(&message, &tweaked),
            sighash_type,
        };
        Ok(Witness::p2tr_key_spend(&signature))
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({} {})", self.name, self.kind)
    }
}

/// The key of a name: a hash of seed and name, each with its length before it, and a counter that
/// steps over the hashes (about one in 2^128) that are no key.
fn secret_key(seed: &str, name: &str) -> SecretKey {
    let mut counter = 0u32;
    loop {
        let mut engine = sha256::Hash::engine();
        for part in [KEY_TAG, seed.as_bytes(), name.as_bytes()] {
            engine.input(&(part.len() as u64).to_le_bytes());
            engine.input(part);
        }
        engine.input(&counter.to_le_bytes());
        let digest = sha256::Hash::from_engine(engine);
        if let Ok(key) = SecretKey::from_slice(digest.as_byte_array()) {
            return key;
        }
        counter = counter.wrapping_add(1);
    }
}
