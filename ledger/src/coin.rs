//! Owns what a coin is: an unspent output with the place where it was made.
//! Promises cheap clones: the script's bytes are shared, never copied.

use std::ops::Deref;
use std::sync::Arc;

use bitcoin::{Amount, Script};

/// A script pubkey whose bytes are shared between all who hold it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScriptPubKey(Arc<[u8]>);

impl ScriptPubKey {
    /// Copies the bytes once.
    pub fn new(bytes: &[u8]) -> ScriptPubKey {
        ScriptPubKey(Arc::from(bytes))
    }
}

impl Deref for ScriptPubKey {
    type Target = Script;

    fn deref(&self) -> &Script {
        Script::from_bytes(&self.0)
    }
}

impl std::fmt::Debug for ScriptPubKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptPubKey({:x})", self.deref())
    }
}

/// An unspent transaction output, and where it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coin {
    /// The output's value.
    pub amount: Amount,
    /// The output's script.
    pub script_pubkey: ScriptPubKey,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether a coinbase transaction made it.
    pub coinbase: bool,
}

impl Coin {
    /// Whether an output with this script is never entered into the UTXO set:
    /// it starts with OP_RETURN or is longer than the 10,000 bytes that a script may have.
    pub fn is_unspendable(script: &Script) -> bool {
        const MAX_SCRIPT_SIZE: usize = 10_000;
        script.is_op_return() || script.len() > MAX_SCRIPT_SIZE
    }
}
