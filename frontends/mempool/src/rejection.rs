//! Owns the answer "no": why a transaction or a package is not let in.
//! Promises Bitcoin Core's reject reasons and debug texts, letter by letter.

use std::borrow::Cow;
use std::fmt;

use everett_ledger::Reject;

/// What follows from a rejection. The kinds are those of Bitcoin Core's `TxValidationResult`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RejectionKind {
    /// `TX_CONSENSUS`: no block may ever hold it.
    Consensus,
    /// `TX_INPUTS_NOT_STANDARD`: what it spends, or how, is not standard.
    InputsNotStandard,
    /// `TX_NOT_STANDARD`: it is not standard by itself.
    NotStandard,
    /// `TX_MISSING_INPUTS`: something it spends is not there: it may be an orphan.
    MissingInputs,
    /// `TX_PREMATURE_SPEND`: it cannot be in the next block, perhaps in a later one.
    PrematureSpend,
    /// `TX_WITNESS_MUTATED`: its witnesses may not be those it was made with: another copy may be good.
    WitnessMutated,
    /// `TX_WITNESS_STRIPPED`: its witnesses are missing.
    WitnessStripped,
    /// `TX_CONFLICT`: it is here already, or confirmed.
    Conflict,
    /// `TX_MEMPOOL_POLICY`: it does not fit to what is pending.
    MempoolPolicy,
    /// `TX_RECONSIDERABLE`: it pays too little by itself; with another transaction it may do.
    Reconsiderable,
}

/// Why a transaction is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// What follows from it.
    pub kind: RejectionKind,
    /// Bitcoin Core's reject reason, such as `min relay fee not met`.
    pub reason: Cow<'static, str>,
    /// What exactly was wrong; often empty.
    pub debug: String,
}

impl Rejection {
    pub(crate) fn new(
        kind: RejectionKind,
        reason: impl Into<Cow<'static, str>>,
        debug: impl Into<String>,
    ) -> Rejection {
        Rejection {
            kind,
            reason: reason.into(),
            debug: debug.into(),
        }
    }

    pub(crate) fn consensus(reject: Reject) -> Rejection {
        Rejection::new(RejectionKind::Consensus, reject.reason, reject.debug)
    }

    pub(crate) fn not_standard(reason: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::new(RejectionKind::NotStandard, reason, "")
    }

    pub(crate) fn policy(
        reason: impl Into<Cow<'static, str>>,
        debug: impl Into<String>,
    ) -> Rejection {
        Rejection::new(RejectionKind::MempoolPolicy, reason, debug)
    }

    pub(crate) fn fee(reason: impl Into<Cow<'static, str>>, debug: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::Reconsiderable, reason, debug)
    }
}

impl fmt::Display for Rejection {
    /// Reason and debug text as Bitcoin Core joins them: `reason, debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, &self.reason, &self.debug)
    }
}

impl std::error::Error for Rejection {}

/// Why a package as a whole is not let in: Bitcoin Core's `PackageValidationResult`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PackageRejectionKind {
    /// `PCKG_POLICY`: the package itself breaks a rule.
    Policy,
    /// `PCKG_TX`: one of its transactions does.
    Transaction,
}

/// Why a package is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackageRejection {
    /// What follows from it.
    pub kind: PackageRejectionKind,
    /// Bitcoin Core's reason, such as `package-not-sorted` or `transaction failed`.
    pub reason: Cow<'static, str>,
    /// What exactly was wrong; often empty.
    pub debug: String,
}

impl PackageRejection {
    pub(crate) fn policy(
        reason: impl Into<Cow<'static, str>>,
        debug: impl Into<String>,
    ) -> PackageRejection {
        PackageRejection {
            kind: PackageRejectionKind::Policy,
            reason: reason.into(),
            debug: debug.into(),
        }
    }

    pub(crate) fn transaction(reason: &'static str) -> PackageRejection {
        PackageRejection {
            kind: PackageRejectionKind::Transaction,
            reason: reason.into(),
            debug: String::new(),
        }
    }
}

impl fmt::Display for PackageRejection {
    /// Reason and debug text as Bitcoin Core joins them: `reason, debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, &self.reason, &self.debug)
    }
}

impl std::error::Error for PackageRejection {}

fn joined(f: &mut fmt::Formatter<'_>, reason: &str, debug: &str) -> fmt::Result {
    f.write_str(reason)?;
    match debug.is_empty() {
        true => Ok(()),
        false => write!(f, ", {debug}"),
    }
}
