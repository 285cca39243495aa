//! Owns how a call fails: code, reason, metadata, field violations.
//! Promises that each of the ledger's errors has one place in the table of reasons, with its own words as the message.
//! Refuses a bare status: everything that a service answers carries `google.rpc.ErrorInfo`.

use std::collections::HashMap;

use everett_ledger::{
    BlockError, CompareError, Cursor, EventsError, ReadError, StoreError, TransactionError,
    WorldError,
};
use everett_node::{CallError, StreamError};
use everett_proto::ERROR_DOMAIN;
use everett_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A failed call.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    /// Field path and what is wrong with it.
    violations: Vec<(String, String)>,
}

impl Fault {
    pub(crate) fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Fault {
        Fault(Box::new(Inner {
            code,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            violations: Vec::new(),
        }))
    }

    /// A malformed field of the request.
    pub(crate) fn field(path: impl Into<String>, wrong: impl Into<String>) -> Fault {
        Fault::refused_field(ErrorReason::InvalidArgument, path, wrong)
    }

    /// A field of the request that is well formed and yet cannot be taken.
    pub(crate) fn refused_field(
        reason: ErrorReason,
        path: impl Into<String>,
        wrong: impl Into<String>,
    ) -> Fault {
        let (path, wrong) = (path.into(), wrong.into());
        let mut fault = Fault::new(Code::InvalidArgument, reason, format!("{path}: {wrong}"));
        fault.0.violations.push((path, wrong));
        fault
    }

    /// Where its client stands.
    pub(crate) fn at_cursor(self, cursor: Cursor) -> Fault {
        self.with("seq", cursor.seq)
            .with("block_hash", cursor.block)
    }

    /// Adds a piece of metadata for programs.
    pub(crate) fn with(mut self, key: &str, value: impl ToString) -> Fault {
        self.0.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    pub(crate) fn deadline_exceeded() -> Fault {
        Fault::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the deadline passed; the work was stopped",
        )
    }

    pub(crate) fn lab_disabled() -> Fault {
        Fault::new(
            Code::Unimplemented,
            ErrorReason::LabDisabled,
            "this node is not a lab; start one with `everett lab`",
        )
    }

    pub(crate) fn network_disabled() -> Fault {
        Fault::new(
            Code::FailedPrecondition,
            ErrorReason::NetworkDisabled,
            "this node is not on the P2P network: on regtest it joins when a peer option is given, such as --serve or \
             --connect, and elsewhere unless --no-p2p is",
        )
    }

    pub(crate) fn unauthenticated(message: &str) -> Fault {
        Fault::new(Code::Unauthenticated, ErrorReason::Unauthenticated, message)
    }
}

impl From<Fault> for Status {
    fn from(Fault(inner): Fault) -> Status {
        let mut details =
            ErrorDetails::with_error_info(inner.reason.reason(), ERROR_DOMAIN, inner.metadata);
        for (path, wrong) in inner.violations {
            details.add_bad_request_violation(path, wrong);
        }
        Status::with_error_details(inner.code, inner.message, details)
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Fault {
        match error {
            CallError::ShuttingDown => Fault::new(
                Code::Unavailable,
                ErrorReason::ShuttingDown,
                error.to_string(),
            ),
            CallError::Panicked => {
                Fault::new(Code::Internal, ErrorReason::Internal, error.to_string())
            }
        }
    }
}

impl From<WorldError> for Fault {
    fn from(error: WorldError) -> Fault {
        let message = error.to_string();
        match error {
            WorldError::Unknown { hash } => {
                Fault::new(Code::NotFound, ErrorReason::WorldUnknown, message)
                    .with("block_hash", hash)
            }
            WorldError::HeightUnknown { height, best } => {
                Fault::new(Code::NotFound, ErrorReason::WorldUnknown, message)
                    .with("height", height)
                    .with("best_height", best)
            }
            WorldError::Retired {
                hash,
                height,
                horizon,
            } => Fault::new(Code::FailedPrecondition, ErrorReason::WorldRetired, message)
                .with("block_hash", hash)
                .with("height", height)
                .with("horizon", horizon),
            WorldError::Invalidated { hash, reason } => {
                Fault::new(Code::Aborted, ErrorReason::WorldInvalidated, message)
                    .with("block_hash", hash)
                    .with("reject_reason", reason)
            }
            WorldError::NotValidated { hash, status } => Fault::new(
                Code::FailedPrecondition,
                ErrorReason::WorldNotValidated,
                message,
            )
            .with("block_hash", hash)
            .with("status", status.as_str()),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        let (code, reason) = match &error {
            StoreError::DiskFull { .. } | StoreError::MapFull { .. } => {
                (Code::ResourceExhausted, ErrorReason::DiskFull)
            }
            StoreError::ReadOnly { .. } => (Code::FailedPrecondition, ErrorReason::ReadOnly),
            _ => (Code::Internal, ErrorReason::StoreFailed),
        };
        Fault::new(code, reason, error.to_string())
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Fault {
        let message = error.to_string();
        match error {
            ReadError::Expired { hash } => {
                Fault::new(Code::FailedPrecondition, ErrorReason::WorldRetired, message)
                    .with("block_hash", hash)
            }
            ReadError::Outdated { hash } => {
                Fault::new(Code::Unavailable, ErrorReason::StoreFailed, message)
                    .with("block_hash", hash)
            }
            ReadError::Cancelled => Fault::deadline_exceeded(),
            ReadError::Inconsistent { .. } => {
                Fault::new(Code::DataLoss, ErrorReason::StoreFailed, message)
            }
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<BlockError> for Fault {
    fn from(error: BlockError) -> Fault {
        let message = error.to_string();
        match error {
            BlockError::Unknown { hash }
            | BlockError::HeaderOnly { hash }
            | BlockError::Pruned { hash, .. } => {
                Fault::new(Code::NotFound, ErrorReason::BlockUnknown, message)
                    .with("block_hash", hash)
            }
            BlockError::Genesis | BlockError::PrunedAbove { .. } => {
                Fault::new(Code::FailedPrecondition, ErrorReason::BlockFixed, message)
            }
            BlockError::Undecodable { hash, .. } => {
                Fault::new(Code::DataLoss, ErrorReason::StoreFailed, message)
                    .with("block_hash", hash)
            }
            BlockError::Store(error) => error.into(),
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
        let message = error.to_string();
        match error {
            TransactionError::NotInBlock { txid, block } => {
                Fault::new(Code::NotFound, ErrorReason::TxUnknown, message)
                    .with("txid", txid)
                    .with("block_hash", block)
            }
            TransactionError::NotIndexed { txid, .. } => Fault::new(
                Code::FailedPrecondition,
                ErrorReason::IndexDisabled,
                message,
            )
            .with("txid", txid)
            .with("index", "txs"),
            TransactionError::NotInWorld { txid, .. } => {
                Fault::new(Code::NotFound, ErrorReason::TxUnknown, message).with("txid", txid)
            }
            TransactionError::Read(error) => error.into(),
            TransactionError::Block(error) => error.into(),
        }
    }
}

impl From<EventsError> for Fault {
    fn from(error: EventsError) -> Fault {
        let message = error.to_string();
        match error {
            EventsError::CursorExpired { cursor, oldest } => {
                let fault = Fault::new(Code::OutOfRange, ErrorReason::CursorExpired, message);
                fault.at_cursor(cursor).with("oldest", oldest)
            }
            EventsError::CursorAhead { seq, next } => {
                Fault::new(Code::OutOfRange, ErrorReason::CursorAhead, message)
                    .with("seq", seq)
                    .with("next", next)
            }
            EventsError::UnknownBlocks { last, .. } => {
                Fault::new(Code::NotFound, ErrorReason::BlockUnknown, message)
                    .with("block_hash", last)
            }
            EventsError::EmptyLocator => Fault::field("locator.block_hashes", message),
            EventsError::BadName { .. } => Fault::field("subscriber", message),
            EventsError::Unregistered { name } => {
                Fault::new(Code::NotFound, ErrorReason::SubscriberUnknown, message)
                    .with("subscriber", name)
            }
            EventsError::OtherPolicy { name, registered } => Fault::new(
                Code::FailedPrecondition,
                ErrorReason::SubscriberPolicy,
                message,
            )
            .with("subscriber", name)
            .with("policy", registered.as_str()),
            EventsError::TooMany { limit } => Fault::new(
                Code::ResourceExhausted,
                ErrorReason::SubscriberQuota,
                message,
            )
            .with("quota", limit),
            EventsError::Unnamed => Fault::new(Code::Internal, ErrorReason::Internal, message),
            EventsError::ReadOnly | EventsError::Outdated => {
                Fault::new(Code::FailedPrecondition, ErrorReason::ReadOnly, message)
            }
            EventsError::Store(error) => error.into(),
        }
    }
}

impl From<StreamError> for Fault {
    fn from(error: StreamError) -> Fault {
        match error {
            StreamError::Events(error) => error.into(),
            StreamError::Call(error) => error.into(),
        }
    }
}
