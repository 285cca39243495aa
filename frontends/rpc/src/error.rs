//! Owns the errors that a caller sees: Core's codes, and a message.

use everett_ledger::{BlockError, ReadError, StoreError, TransactionError, WorldError};
use everett_mempool::MempoolError;
use everett_node::CallError;

use crate::json::{Json, object};

/// What happened while a command ran, where nothing else fits.
pub(crate) const MISC_ERROR: i32 = -1;
/// A value has the wrong type.
pub(crate) const TYPE_ERROR: i32 = -3;
/// An address or key, or whatever is looked up by one, is wrong or not there.
pub(crate) const INVALID_ADDRESS_OR_KEY: i32 = -5;
/// A parameter is missing, repeated, or out of its range.
pub(crate) const INVALID_PARAMETER: i32 = -8;
/// The database does not do what it should.
pub(crate) const DATABASE_ERROR: i32 = -20;
/// Bytes are not what they should be.
pub(crate) const DESERIALIZATION_ERROR: i32 = -22;
/// A transaction or block is refused.
pub(crate) const VERIFY_ERROR: i32 = -25;
/// A transaction is not let in.
pub(crate) const VERIFY_REJECTED: i32 = -26;
/// A transaction is confirmed already.
pub(crate) const VERIFY_ALREADY_IN_UTXO_SET: i32 = -27;
/// The node is not connected, or stops.
pub(crate) const CLIENT_NOT_CONNECTED: i32 = -9;
/// The node is catching up.
pub(crate) const CLIENT_IN_INITIAL_DOWNLOAD: i32 = -10;
/// The node was added before.
pub(crate) const CLIENT_NODE_ALREADY_ADDED: i32 = -23;
/// The node was not added.
pub(crate) const CLIENT_NODE_NOT_ADDED: i32 = -24;
/// The node to be disconnected is not connected.
pub(crate) const CLIENT_NODE_NOT_CONNECTED: i32 = -29;
/// An address or subnet is none.
pub(crate) const CLIENT_INVALID_IP_OR_SUBNET: i32 = -30;
/// The node keeps no connections.
pub(crate) const CLIENT_P2P_DISABLED: i32 = -31;
/// Something with a wallet that fits nothing else.
pub(crate) const WALLET_ERROR: i32 = -4;
/// A wallet has too little.
pub(crate) const WALLET_INSUFFICIENT_FUNDS: i32 = -6;
/// A label that there cannot be, or that nothing has.
pub(crate) const WALLET_INVALID_LABEL_NAME: i32 = -11;
/// A wallet has no address left to give out.
pub(crate) const WALLET_KEYPOOL_RAN_OUT: i32 = -12;
/// A wallet has to be unlocked first.
pub(crate) const WALLET_UNLOCK_NEEDED: i32 = -13;
/// The passphrase is not the wallet's.
pub(crate) const WALLET_PASSPHRASE_INCORRECT: i32 = -14;
/// A wallet has no passphrase, or has one already.
pub(crate) const WALLET_WRONG_ENC_STATE: i32 = -15;
/// A wallet was not sealed.
pub(crate) const WALLET_ENCRYPTION_FAILED: i32 = -16;
/// There is no such wallet.
pub(crate) const WALLET_NOT_FOUND: i32 = -18;
/// Which of several wallets is not said.
pub(crate) const WALLET_NOT_SPECIFIED: i32 = -19;
/// The wallet is loaded already.
pub(crate) const WALLET_ALREADY_LOADED: i32 = -35;
/// There is a wallet of that name.
pub(crate) const WALLET_ALREADY_EXISTS: i32 = -36;
/// There is no such method.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
/// Parameters that do not go together.
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// The request is none.
pub(crate) const INVALID_REQUEST: i32 = -32600;
/// Something broke here.
pub(crate) const INTERNAL_ERROR: i32 = -32603;
/// The bytes are not JSON.
pub(crate) const PARSE_ERROR: i32 = -32700;

/// What a call is refused with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RpcError {
    /// One of Core's codes.
    pub(crate) code: i32,
    /// What is wrong, in Core's words where it has some.
    pub(crate) message: String,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> RpcError {
        RpcError {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn parameter(message: impl Into<String>) -> RpcError {
        RpcError::new(INVALID_PARAMETER, message)
    }

    pub(crate) fn misc(message: impl Into<String>) -> RpcError {
        RpcError::new(MISC_ERROR, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> RpcError {
        RpcError::new(INVALID_ADDRESS_OR_KEY, message)
    }

    /// As it stands in a reply.
    pub(crate) fn json(&self) -> Json {
        object! { "code" => self.code, "message" => self.message.as_str() }
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> RpcError {
        RpcError::new(DATABASE_ERROR, error.to_string())
    }
}

impl From<ReadError> for RpcError {
    fn from(error: ReadError) -> RpcError {
        match error {
            ReadError::Cancelled => RpcError::new(CLIENT_NOT_CONNECTED, "Shutting down"),
            ReadError::Store(error) => error.into(),
            other => RpcError::misc(other.to_string()),
        }
    }
}

impl From<WorldError> for RpcError {
    fn from(error: WorldError) -> RpcError {
        match error {
            WorldError::Unknown { .. } => RpcError::not_found("Block not found"),
            WorldError::HeightUnknown { .. } => RpcError::parameter("Block height out of range"),
            other => RpcError::misc(other.to_string()),
        }
    }
}

impl From<BlockError> for RpcError {
    fn from(error: BlockError) -> RpcError {
        match error {
            BlockError::Unknown { .. } => RpcError::not_found("Block not found"),
            BlockError::HeaderOnly { .. } => {
                RpcError::misc("Block not available (not fully downloaded)")
            }
            BlockError::Pruned { .. } => RpcError::misc("Block not available (pruned data)"),
            BlockError::Store(error) => error.into(),
            other => RpcError::misc(other.to_string()),
        }
    }
}

impl From<TransactionError> for RpcError {
    fn from(error: TransactionError) -> RpcError {
        match error {
            TransactionError::Read(error) => error.into(),
            TransactionError::Block(error) => error.into(),
            other => RpcError::not_found(other.to_string()),
        }
    }
}

impl From<MempoolError> for RpcError {
    fn from(error: MempoolError) -> RpcError {
        match error {
            MempoolError::Read(error) => error.into(),
            MempoolError::Block(_) => RpcError::misc(error.to_string()),
        }
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> RpcError {
        match error {
            CallError::ShuttingDown => RpcError::new(CLIENT_NOT_CONNECTED, "Shutting down"),
            CallError::Panicked => RpcError::new(INTERNAL_ERROR, error.to_string()),
        }
    }
}
