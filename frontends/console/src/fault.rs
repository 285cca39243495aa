//! Owns how a call of a script fails: a reason for programs, a message for people.
//! Promises the reasons of the gRPC interface for the same failures; refuses to know where in the script it was.

use everett_lab::MineError;
use everett_ledger::{
    BlockError, CompareError, ReadError, StoreError, TransactionError, WorldError,
};
use everett_node::{CallError, PeerError};
use everett_proto::v1::ErrorReason;
use rhai::{Dynamic, EvalAltResult, Position};

/// A failure that a script can catch: `catch (error)` gives `error.reason` and `error.message`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// What a function of the console gives to a script.
pub(crate) type Given<T> = Result<T, Box<EvalAltResult>>;

impl Fault {
    pub(crate) fn new(reason: ErrorReason, message: impl std::fmt::Display) -> Fault {
        Fault::named(reason.reason(), message)
    }

    /// One whose reason the gRPC interface does not have.
    pub(crate) fn named(reason: &'static str, message: impl std::fmt::Display) -> Fault {
        Fault {
            reason,
            message: message.to_string(),
        }
    }

    /// The function was called wrongly.
    pub(crate) fn argument(message: impl std::fmt::Display) -> Fault {
        Fault::new(ErrorReason::InvalidArgument, message)
    }
}

impl From<Fault> for Box<EvalAltResult> {
    fn from(fault: Fault) -> Box<EvalAltResult> {
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(fault),
            Position::NONE,
        ))
    }
}

impl From<WorldError> for Fault {
    fn from(error: WorldError) -> Fault {
        let reason = match error {
            WorldError::Unknown { .. } | WorldError::HeightUnknown { .. } => {
                ErrorReason::WorldUnknown
            }
            WorldError::Retired { .. } => ErrorReason::WorldRetired,
            WorldError::Invalidated { .. } => ErrorReason::WorldInvalidated,
            WorldError::NotValidated { .. } => ErrorReason::WorldNotValidated,
        };
        Fault::new(reason, error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        let reason = match error {
            StoreError::DiskFull { .. } | StoreError::MapFull { .. } => ErrorReason::DiskFull,
            StoreError::ReadOnly { .. } => ErrorReason::ReadOnly,
            _ => ErrorReason::StoreFailed,
        };
        Fault::new(reason, error)
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Fault {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Expired { .. } => Fault::new(ErrorReason::WorldRetired, error),
            other => Fault::new(ErrorReason::StoreFailed, other),
        }
    }
}

impl From<BlockError> for Fault {
    fn from(error: BlockError) -> Fault {
        match error {
            BlockError::Store(error) => error.into(),
            BlockError::Unknown { .. }
            | BlockError::HeaderOnly { .. }
            | BlockError::Pruned { .. } => Fault::new(ErrorReason::BlockUnknown, error),
            BlockError::Genesis | BlockError::PrunedAbove { .. } => {
                Fault::new(ErrorReason::BlockFixed, error)
            }
            other => Fault::new(ErrorReason::StoreFailed, other),
        }
    }
}

impl From<CompareError> for Fault {
    fn from(error: CompareError) -> Fault {
        match error {
            CompareError::Read(error) => error.into(),
            CompareError::Block(error) => error.into(),
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Fault {
        match error {
            TransactionError::Read(error) => error.into(),
            TransactionError::Block(error) => error.into(),
            TransactionError::NotInBlock { .. } | TransactionError::NotInWorld { .. } => {
                Fault::new(ErrorReason::TxUnknown, error)
            }
            TransactionError::NotIndexed { .. } => Fault::new(ErrorReason::IndexDisabled, error),
        }
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Fault {
        let reason = match error {
            CallError::ShuttingDown => ErrorReason::ShuttingDown,
            CallError::Panicked => ErrorReason::Internal,
        };
        Fault::new(reason, error)
    }
}

impl From<PeerError> for Fault {
    fn from(error: PeerError) -> Fault {
        let reason = match error {
            PeerError::Address { .. } | PeerError::Subnet { .. } => ErrorReason::InvalidArgument,
            PeerError::Known(_) => ErrorReason::PeerKnown,
            PeerError::Banned { .. } => ErrorReason::PeerBanned,
            PeerError::Unknown(_) | PeerError::NotBanned(_) => ErrorReason::PeerUnknown,
        };
        Fault::new(reason, error)
    }
}

impl From<MineError> for Fault {
    fn from(error: MineError) -> Fault {
        match error {
            MineError::Read(error) => error.into(),
            other => Fault::argument(other),
        }
    }
}
