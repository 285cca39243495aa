//! Owns how a command fails: one message that says what, where and what to do.
//! Promises the same reasons for the same failures, whether a directory or a server was asked:
//! those of the gRPC interface; refuses to print more than one message.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use everett_grpc::GrpcError;
use everett_ledger::{
    BlockError, CompareError, OpenError, ReadError, StoreError, TransactionError, WorldError,
};
use everett_metrics::MetricsError;
use everett_node::NodeError;
use everett_node::import::ImportError;
use everett_node::snapshots::SnapshotsError;
use everett_proto::v1::ErrorReason;
use everett_rpc::RpcError;
use everett_web::WebError;
use serde_json::json;
use tonic_types::StatusExt;

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// The command failed.
    Failed = 1,
    /// The command was called wrongly.
    Usage = 2,
}

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    reason: String,
    message: String,
}

impl Failure {
    /// Something went wrong; `message` says what, where, and what to do.
    pub(crate) fn new(reason: ErrorReason, message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Failed,
            reason: reason.reason().to_owned(),
            message: message.to_string(),
        }
    }

    /// A failure that has no reason among those of the gRPC interface.
    pub(crate) fn named(reason: &str, message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Failed,
            reason: reason.to_owned(),
            message: message.to_string(),
        }
    }

    /// The command was called wrongly.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Usage,
            ..Failure::new(ErrorReason::InvalidArgument, message)
        }
    }

    /// The command was called wrongly, for a reason with a name of its own.
    pub(crate) fn usage_for(reason: &str, message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Usage,
            ..Failure::named(reason, message)
        }
    }

    /// Puts what was being done before the message.
    pub(crate) fn while_doing(mut self, what: impl fmt::Display) -> Failure {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds what this program's options can do about a failure of that reason.
    pub(crate) fn advise(mut self, reason: ErrorReason, advice: &str) -> Failure {
        if self.reason == reason.reason() {
            self.message = format!("{}: {advice}", self.message);
        }
        self
    }

    /// As [`Failure::advise`], for a reason that has no number.
    pub(crate) fn advise_for(mut self, reason: &str, advice: &str) -> Failure {
        if self.reason == reason {
            self.message = format!("{}: {advice}", self.message);
        }
        self
    }

    /// Adds what is to be known of something that may have been done although no answer came: the node is gone, it stops, or
    /// it took too long.
    pub(crate) fn advise_unanswered(self, advice: &str) -> Failure {
        self.advise_for(CONNECTION_LOST, advice)
            .advise(ErrorReason::ShuttingDown, advice)
            .advise(ErrorReason::DeadlineExceeded, advice)
    }

    /// Whether it has this reason.
    pub(crate) fn is_for(&self, reason: &str) -> bool {
        self.reason == reason
    }

    /// Writes the message to standard error, and says how the process ends.
    pub(crate) fn report(self, as_json: bool) -> ExitCode {
        if as_json {
            let error = json!({
                "error": {
                    "code": self.exit as u8,
                    "reason": self.reason,
                    "message": self.message,
                }
            });
            let _ = writeln!(std::io::stderr(), "{error}");
        } else {
            // Whoever closed it does not want to know.
            let _ = writeln!(std::io::stderr(), "everett: {}", self.message);
        }
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Failure {
        let reason = match error {
            WorldError::Unknown { .. } | WorldError::HeightUnknown { .. } => {
                ErrorReason::WorldUnknown
            }
            WorldError::Retired { .. } => ErrorReason::WorldRetired,
            WorldError::Invalidated { .. } => ErrorReason::WorldInvalidated,
            WorldError::NotValidated { .. } => ErrorReason::WorldNotValidated,
        };
        Failure::new(reason, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let reason = match error {
            StoreError::DiskFull { .. } | StoreError::MapFull { .. } => ErrorReason::DiskFull,
            StoreError::ReadOnly { .. } => ErrorReason::ReadOnly,
            StoreError::InUse { .. } => return Failure::named("IN_USE", error),
            StoreError::NoLedger { .. } => return Failure::named("NO_LEDGER", error),
            StoreError::OtherNetwork { .. } => return Failure::named("OTHER_NETWORK", error),
            StoreError::NewerSchema { .. } => return Failure::named("NEWER_SCHEMA", error),
            _ => ErrorReason::StoreFailed,
        };
        Failure::new(reason, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        match error {
            OpenError::Store(error) => error.into(),
            other => Failure::usage(other),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Expired { .. } => Failure::new(ErrorReason::WorldRetired, error),
            other => Failure::new(ErrorReason::StoreFailed, other),
        }
    }
}

impl From<BlockError> for Failure {
    fn from(error: BlockError) -> Failure {
        match error {
            BlockError::Store(error) => error.into(),
            BlockError::Unknown { .. }
            | BlockError::HeaderOnly { .. }
            | BlockError::Pruned { .. } => Failure::new(ErrorReason::BlockUnknown, error),
            BlockError::Genesis | BlockError::PrunedAbove { .. } => {
                Failure::new(ErrorReason::BlockFixed, error)
            }
            other => Failure::new(ErrorReason::StoreFailed, other),
        }
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Failure {
        match error {
            CompareError::Read(error) => error.into(),
            CompareError::Block(error) => error.into(),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Failure {
        match error {
            TransactionError::Read(error) => error.into(),
            TransactionError::Block(error) => error.into(),
            TransactionError::NotInBlock { .. } | TransactionError::NotInWorld { .. } => {
                Failure::new(ErrorReason::TxUnknown, error)
            }
            TransactionError::NotIndexed { .. } => Failure::new(ErrorReason::IndexDisabled, error),
        }
    }
}

impl From<SnapshotsError> for Failure {
    fn from(error: SnapshotsError) -> Failure {
        use SnapshotsError as E;
        let reason = match error {
            E::Store(error) => return error.into(),
            E::BadName { .. } => return Failure::usage(error),
            E::Unknown { .. } => ErrorReason::SnapshotUnknown,
            E::Exists { .. } => ErrorReason::SnapshotExists,
            E::InUse { .. } | E::Busy { .. } | E::NotSettled { .. } => ErrorReason::SnapshotBusy,
            E::Damaged { .. } | E::NewerFormat { .. } => ErrorReason::SnapshotDamaged,
            E::OtherNetwork { .. } => return Failure::named("OTHER_NETWORK", error),
            E::NotEmpty { .. } => return Failure::named("NOT_EMPTY", error),
            E::HalfRestored { .. } => return Failure::named("HALF_RESTORED", error),
            E::Cancelled => return Failure::named("INTERRUPTED", error),
            E::TooMany { .. } | E::DiskFull { .. } => ErrorReason::DiskFull,
            _ => ErrorReason::StoreFailed,
        };
        Failure::new(reason, error)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        match &error {
            ImportError::Store { .. } => Failure::new(ErrorReason::StoreFailed, error),
            ImportError::TooManyFrames { .. } => Failure::usage(error),
            _ => Failure::named("FILE_FAILED", error),
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Failure {
        match error {
            NodeError::Open(error) => error.into(),
            NodeError::LabOnMainnet | NodeError::NoReaders => Failure::usage(error),
            NodeError::Frontend { source, .. } => match source.downcast_ref::<GrpcError>() {
                Some(GrpcError::OpenBeyondLoopback { .. }) => {
                    Failure::usage(format!("{source} (--grpc-token, --grpc-allow-open)"))
                }
                _ => match source.downcast_ref::<WebError>() {
                    Some(WebError::OpenBeyondLoopback { .. }) => Failure::usage(format!(
                        "{source} (--user NAME:PASS, --user-file FILE), or listen on 127.0.0.1 (--webui)"
                    )),
                    Some(WebError::Listen { .. }) => Failure::named(
                        "WEB_ADDRESS",
                        format!("{source} (--webui ADDRESS:PORT, --no-web)"),
                    ),
                    _ => match source.downcast_ref::<MetricsError>() {
                        Some(MetricsError::OpenBeyondLoopback { .. }) => Failure::usage(source),
                        _ => match source.downcast_ref::<RpcError>() {
                            Some(RpcError::Listen { .. }) => Failure::named("RPC_ADDRESS", source),
                            Some(_) => Failure::usage(source),
                            None => Failure::named("NODE_FAILED", source),
                        },
                    },
                },
            },
            other => Failure::named("NODE_FAILED", other),
        }
    }
}

/// The reason of a call whose answer did not come: what it asked for may have been done.
pub(crate) const CONNECTION_LOST: &str = "CONNECTION_LOST";

/// A server that was there and is gone; what it answers has a reason of its own.
fn connection_lost(mut cause: &dyn std::error::Error) -> Failure {
    while let Some(below) = cause.source() {
        cause = below;
    }
    Failure::named(
        CONNECTION_LOST,
        format!(
            "the connection to the node was lost before its answer came ({cause}); look whether it runs"
        ),
    )
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Failure {
        let exit = match status.code() {
            tonic::Code::InvalidArgument => Exit::Usage,
            _ => Exit::Failed,
        };
        let reason = match status.get_details_error_info() {
            Some(info) => info.reason,
            None => match std::error::Error::source(&status) {
                Some(cause) => return connection_lost(cause),
                None => status.code().to_string().to_uppercase().replace(' ', "_"),
            },
        };
        let message = match status.message() {
            "" => status.code().to_string(),
            message => message.to_owned(),
        };
        Failure {
            exit,
            reason,
            message,
        }
    }
}
