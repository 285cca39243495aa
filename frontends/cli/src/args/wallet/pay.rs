//! Owns how a payment is written on the command line: who is paid how much, from which coins, at which rate.

use std::path::PathBuf;
use std::str::FromStr;

use bitcoin::{Amount, Denomination, OutPoint};
use clap::Args;

use super::{Given, In, Kind, Rate};

/// Bitcoins, in decimals.
pub(crate) fn amount(text: &str) -> Result<Amount, String> {
    let amount = Amount::from_str_in(text, Denomination::Bitcoin);
    amount.map_err(|error| format!("`{text}` is no amount in bitcoin: {error}"))
}

/// Somebody who is paid: `ADDRESS=1.5`, or `ADDRESS=all` for what the others leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Recipient {
    pub(crate) address: String,
    /// `None`: all that is left.
    pub(crate) amount: Option<Amount>,
}

impl FromStr for Recipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Recipient, String> {
        let parts = text.split_once('=');
        let (address, sum) =
            parts.ok_or_else(|| format!("`{text}` is not ADDRESS=AMOUNT, such as bcrt1q…=1.5"))?;
        Ok(Recipient {
            address: address.to_owned(),
            amount: match sum {
                "all" => None,
                sum => Some(amount(sum)?),
            },
        })
    }
}

/// What is paid to miners.
#[derive(Args, Clone, Default)]
pub(crate) struct FeeArgs {
    /// Satoshis for a virtual byte, with up to three decimals
    #[arg(long, value_name = "SAT/VB", conflicts_with = "target")]
    pub(crate) fee_rate: Option<Rate>,
    /// What is estimated for so many blocks [default: 6]
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) target: Option<u32>,
}

/// What a payment is to be.
#[derive(Args, Clone, Default)]
pub(crate) struct PaymentArgs {
    /// Who is paid
    #[arg(value_name = "ADDRESS", requires = "amount")]
    pub(crate) address: Option<String>,
    /// How much, in bitcoin
    #[arg(value_name = "AMOUNT", value_parser = amount)]
    pub(crate) amount: Option<Amount>,
    /// Who is paid how much; may be given several times. ADDRESS=all gets what the others leave
    #[arg(long, value_name = "ADDRESS=AMOUNT")]
    pub(crate) to: Vec<Recipient>,
    /// Pay all that there is to this address, and let nothing come back
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["address", "to"])]
    pub(crate) all: Option<String>,
    /// A coin that has to be spent; may be given several times
    #[arg(long, value_name = "TXID:VOUT")]
    pub(crate) coin: Vec<OutPoint>,
    /// Add other coins to those if they are not enough
    #[arg(long, requires = "coin")]
    pub(crate) add_coins: bool,
    /// In which worlds coins have to exist [default: all]
    #[arg(long = "in", value_name = "best|all")]
    pub(crate) scope: Option<In>,
    /// Take the fee from what is paid, in equal parts
    #[arg(long)]
    pub(crate) fee_from_amount: bool,
    /// Take pending coins that others sent, too
    #[arg(long)]
    pub(crate) untrusted: bool,
    /// Take coins of addresses that were paid from before, too, in a wallet that avoids those
    #[arg(long)]
    pub(crate) use_reused: bool,
    /// Where change goes [default: a new address of the wallet]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "change_kind")]
    pub(crate) change: Option<String>,
    /// The kind of the new address for change [default: one that fits the payment]
    #[arg(long, value_name = "KIND")]
    pub(crate) change_kind: Option<Kind>,
    /// Say that it may not be replaced (BIP125)
    #[arg(long)]
    pub(crate) not_replaceable: bool,
    /// What it is for; kept in the wallet
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) comment: String,
    /// Whom it is for, in words; kept in the wallet
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) comment_to: String,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
}

/// `everett wallet build`.
#[derive(Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) payment: PaymentArgs,
    /// Leave it unsigned: a PSBT
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// Write the signed one as a PSBT, too
    #[arg(long)]
    pub(crate) psbt: bool,
    /// Lock the coins that it takes, so that no other payment takes them
    #[arg(long)]
    pub(crate) lock: bool,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `everett wallet send`.
#[derive(Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) payment: PaymentArgs,
    /// Send a transaction (hexadecimal) or PSBT (base 64) that is signed; @FILE reads a file, - standard
    /// input
    #[arg(long, value_name = "TX|PSBT", conflicts_with_all = [
        "address", "to", "all", "coin", "scope", "fee_from_amount", "untrusted", "use_reused", "change", "change_kind",
        "not_replaceable", "comment", "comment_to", "fee_rate", "target",
    ])]
    pub(crate) raw: Option<Given>,
    /// The most that --raw may pay to miners (default: the wallet's limit, 0.1 unless it is set otherwise)
    #[arg(long, value_name = "BTC", requires = "raw", value_parser = amount)]
    pub(crate) max_fee: Option<Amount>,
    /// A name for this payment, 1 to 64 bytes: a repeat with the same one sends nothing and shows the first
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) request_id: Option<String>,
}
