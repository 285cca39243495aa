//! Owns coins of one key (P2WPKH), and the signing of what spends them: for whoever needs many real signatures.
//! Promises the same bytes each time.
//! Refuses to choose coins or fees.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey, ecdsa};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{
    Amount, CompressedPublicKey, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute, transaction,
};

/// A key.
pub struct Signer {
    /// For whoever checks signatures.
    pub secp: Secp256k1<All>,
    secret: SecretKey,
    /// Its public half.
    pub public: PublicKey,
    /// The script of its coins.
    pub script: ScriptBuf,
}

/// What was signed, to be checked alone.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    /// The signature hash.
    pub message: Message,
    /// Its signature.
    pub signature: ecdsa::Signature,
}

impl Default for Signer {
    fn default() -> Signer {
        Signer::new()
    }
}

impl Signer {
    /// The key that it always is.
    pub fn new() -> Signer {
        let secp = Secp256k1::new();
        let secret = SecretKey::from_slice(&[7; 32]).expect("one of the field");
        let public = secret.public_key(&secp);
        let script = ScriptBuf::new_p2wpkh(&CompressedPublicKey(public).wpubkey_hash());
        Signer {
            secp,
            secret,
            public,
            script,
        }
    }

    /// Spends coins into so many outputs of equal value, all of this key, and says what was signed for each input.
    pub fn spend(
        &self,
        coins: &[(OutPoint, Amount)],
        outputs: usize,
        fee: Amount,
    ) -> (Transaction, Vec<Signed>) {
        let worth: Amount = coins.iter().map(|(_, value)| *value).sum();
        let output = TxOut {
            value: (worth - fee) / outputs as u64,
            script_pubkey: self.script.clone(),
        };
        let inputs = coins.iter().map(|(outpoint, _)| TxIn {
            previous_output: *outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        });
        let mut tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: inputs.collect(),
            output: vec![output; outputs],
        };
        let mut cache = SighashCache::new(&tx);
        let signed: Vec<Signed> = (coins.iter().enumerate())
            .map(|(index, (_, value))| {
                let hash = cache
                    .p2wpkh_signature_hash(index, &self.script, *value, EcdsaSighashType::All)
                    .expect("a P2WPKH coin");
                let message = Message::from_digest(hash.to_byte_array());
                let signature = self.secp.sign_ecdsa(&message, &self.secret);
                Signed { message, signature }
            })
            .collect();
        for (input, signed) in tx.input.iter_mut().zip(&signed) {
            let signature = bitcoin::ecdsa::Signature::sighash_all(signed.signature);
            input.witness = Witness::p2wpkh(&signature, &self.public);
        }
        (tx, signed)
    }
}
