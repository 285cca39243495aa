//! Owns the arguments about PSBTs, messages, labels and descriptors; and transactions and PSBTs as they are handed over.

use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hex::FromHex;
use clap::{Subcommand, ValueEnum};

use super::BuildArgs;
use crate::args::script::text;

/// A transaction or a PSBT, as bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// A transaction.
    Transaction(Vec<u8>),
    /// A PSBT.
    Psbt(Vec<u8>),
}

/// What every PSBT begins with.
const PSBT_MAGIC: &[u8] = b"psbt\xff";

impl FromStr for Given {
    type Err = String;

    fn from_str(argument: &str) -> Result<Given, String> {
        let text = text(argument)?;
        let text = text.trim();
        let bytes = match Vec::<u8>::from_hex(text) {
            Ok(bytes) => bytes,
            Err(_) => STANDARD.decode(text).map_err(|_| {
                "neither hexadecimal nor base 64; @FILE reads a file, - standard input".to_owned()
            })?,
        };
        match bytes.starts_with(PSBT_MAGIC) {
            true => Ok(Given::Psbt(bytes)),
            false => Ok(Given::Transaction(bytes)),
        }
    }
}

/// A PSBT, as bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GivenPsbt(pub(crate) Vec<u8>);

impl FromStr for GivenPsbt {
    type Err = String;

    fn from_str(argument: &str) -> Result<GivenPsbt, String> {
        match argument.parse()? {
            Given::Psbt(bytes) => Ok(GivenPsbt(bytes)),
            Given::Transaction(_) => Err("that is no PSBT".to_owned()),
        }
    }
}

/// `everett wallet psbt`.
#[derive(Subcommand)]
pub(crate) enum PsbtCommand {
    /// Make a PSBT that pays, without signatures
    #[command(after_help = "\
Example:
  everett wallet --wallet audit psbt create bcrt1q… 0.5 -o pay.psbt")]
    Create(Box<BuildArgs>),
    /// Add what the wallet knows, and sign what it can
    #[command(after_help = "\
Example:
  everett wallet psbt sign @pay.psbt -o signed.psbt")]
    Sign {
        /// The PSBT in base 64; @FILE reads a file, - standard input
        #[arg(value_name = "PSBT")]
        psbt: GivenPsbt,
        /// Only fill in what the wallet knows
        #[arg(long)]
        only_update: bool,
        /// Leave inputs unfinished that are complete
        #[arg(long)]
        unfinished: bool,
        /// Write it to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Join what several have signed of one transaction
    #[command(after_help = "\
Example:
  everett wallet psbt combine @hers.psbt @his.psbt -o both.psbt")]
    Combine {
        /// The PSBTs
        #[arg(value_name = "PSBT", required = true, num_args = 2..)]
        psbts: Vec<GivenPsbt>,
        /// Write it to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Finish a PSBT that has all its signatures: the transaction
    #[command(after_help = "\
Examples:
  everett wallet psbt finalize @both.psbt -o tx.hex
  everett wallet send --raw @tx.hex                         sends it")]
    Finalize {
        /// The PSBT
        #[arg(value_name = "PSBT")]
        psbt: GivenPsbt,
        /// Write the transaction to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show what a PSBT pays, and which of its inputs are signed
    #[command(after_help = "\
Examples:
  everett wallet psbt show @pay.psbt
  everett wallet psbt show @pay.psbt --json")]
    Show {
        /// The PSBT
        #[arg(value_name = "PSBT")]
        psbt: GivenPsbt,
    },
}

/// `everett wallet message`.
#[derive(Subcommand)]
pub(crate) enum MessageCommand {
    /// Sign a message with the private key of a legacy address
    #[command(after_help = "\
Example:
  everett wallet message sign 1BvBMS… 'It is mine'")]
    Sign {
        /// The address
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// The message
        #[arg(value_name = "MESSAGE")]
        message: String,
    },
    /// Check whether a message was signed with the key of an address; exits 1 if not
    #[command(after_help = "\
Example:
  everett wallet message verify 1BvBMS… H9kP… 'It is mine'")]
    Verify {
        /// The address
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// The signature in base 64
        #[arg(value_name = "SIGNATURE")]
        signature: String,
        /// The message
        #[arg(value_name = "MESSAGE")]
        message: String,
    },
}

/// What a label is put on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Labelled {
    /// A transaction, by its id
    Tx,
    /// An address
    Addr,
    /// A public key
    Pubkey,
    /// An input, TXID:NUMBER
    Input,
    /// An output, TXID:NUMBER
    Output,
    /// An extended public key
    Xpub,
}

/// `everett wallet labels`.
#[derive(Subcommand)]
pub(crate) enum LabelsCommand {
    /// List the labels
    #[command(after_help = "\
Example:
  everett wallet labels list")]
    List,
    /// Put a label on something; an empty one takes it off
    #[command(after_help = "\
Examples:
  everett wallet labels set bcrt1q… rent
  everett wallet labels set --on tx TXID 'March'")]
    Set {
        /// What it is
        #[arg(long, value_name = "KIND", default_value = "addr")]
        on: Labelled,
        /// An address, a transaction's id, TXID:NUMBER, a key
        #[arg(value_name = "WHAT")]
        reference: String,
        /// The label
        #[arg(value_name = "TEXT")]
        label: String,
    },
    /// Write all labels as BIP329 has them: a JSON object a line
    #[command(after_help = "\
Example:
  everett wallet labels export -o labels.jsonl")]
    Export {
        /// Write to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take labels over that are written as BIP329 has them
    #[command(after_help = "\
Examples:
  everett wallet labels import labels.jsonl
  everett wallet labels import - < labels.jsonl")]
    Import {
        /// The file; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `everett wallet descriptors`.
#[derive(Subcommand)]
pub(crate) enum DescriptorsCommand {
    /// List the descriptors, with their ranges
    #[command(after_help = "\
Examples:
  everett wallet descriptors list
  everett wallet descriptors list --json")]
    List,
    /// Write the descriptors, one a line
    #[command(after_help = "\
Examples:
  everett wallet descriptors export -o public.txt
  everett wallet descriptors export --private -o secret.txt")]
    Export {
        /// With their private keys: whoever has them can spend all
        #[arg(long)]
        private: bool,
        /// Write to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take descriptors up, and look for what they were paid
    ///
    /// Those that are there already stay as they are used, unless --active or --internal says otherwise.
    #[command(after_help = "\
Examples:
  everett wallet descriptors import public.txt --active     one a line, with checksums
  everett wallet descriptors import - --no-rescan           from standard input
  everett wallet descriptors import vault.txt --label vault

Descriptors with private keys are secrets: hand them over in a file or through standard input.")]
    Import {
        /// The file, a descriptor a line; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Have new addresses come from those that are ranged; of several, `/1/*` is taken for change
        #[arg(long)]
        active: bool,
        /// They are for change
        #[arg(long)]
        internal: bool,
        /// Last index to watch of those that are ranged [default: as many as the keypool has, and what is watched already]
        #[arg(long, value_name = "INDEX")]
        range_end: Option<u32>,
        /// The label of addresses that are not ranged
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Do not look for what they were paid
        #[arg(long)]
        no_rescan: bool,
    },
}
