//! Owns the arguments of `everett wallet`, and its help.
//! Promises that no passphrase and no key is an argument; refuses to look anything up.

mod pay;
mod say;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bitcoin::{OutPoint, Txid};
use clap::{Args, Subcommand, ValueEnum};
use everett_node::parse_span;
use everett_wallet::MAX_UNLOCKED;

use super::ConnectArgs;
use crate::at::At;
pub(crate) use pay::{BuildArgs, FeeArgs, PaymentArgs, SendArgs};
pub(crate) use say::{
    DescriptorsCommand, Given, Labelled, LabelsCommand, MessageCommand, PsbtCommand,
};

/// `everett wallet`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  everett wallet create savings                     keys of its own, sealed with a passphrase
  everett wallet address new --label rent           an address to be paid to
  everett wallet balance                            a row for each live world, and what is safe
  everett wallet send bcrt1q… 0.5                   pays from coins that every live world has
  everett wallet payment TXID                       how it stands in each world
  everett wallet warnings --follow                  what rival branches would take away

The wallets are those of the node that runs on the data directory, or of the one that --connect names. \
Where just one is loaded, --wallet need not be said. Amounts are bitcoins; with --json, satoshis.")]
pub(crate) struct WalletCommandArgs {
    #[command(flatten)]
    pub(crate) target: WalletTarget,
    #[command(subcommand)]
    pub(crate) command: WalletCommand,
}

/// Which wallet, of which node.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Wallet")]
pub(crate) struct WalletTarget {
    /// Which wallet [default: the one that is loaded]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) wallet: Option<String>,
    /// Ask this node rather than the one on the data directory
    #[arg(long, global = true, value_name = "URL")]
    connect: Option<String>,
    /// The node's bearer token
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "EVERETT_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// For https://: the certificate (PEM) of the authority to trust, or the server's own
    #[arg(long, global = true, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl WalletTarget {
    /// The node that is meant.
    pub(crate) fn connect(&self) -> ConnectArgs {
        ConnectArgs {
            connect: self.connect.clone(),
            token: self.token.clone(),
            tls_ca: self.tls_ca.clone(),
        }
    }
}

/// What can be done with wallets.
#[derive(Subcommand)]
pub(crate) enum WalletCommand {
    /// List the wallets that there are, loaded or not
    #[command(after_help = "\
Examples:
  everett wallet list
  everett wallet list --json")]
    List,
    /// Make a wallet and load it
    #[command(after_help = "\
Examples:
  everett wallet create savings                             asks for a passphrase, twice
  everett wallet create savings --passphrase-file F         its first line
  everett wallet create play --no-passphrase                its keys lie open
  everett wallet create again --words < words.txt           from BIP39 words: looks for what they were paid
  everett wallet create again --words --born 2024-03-01     … from that day on: what a pruned node can do
  everett wallet create audit --watch-only                  then: everett wallet descriptors import

Words and passphrase are typed, or piped in a line each, words first.")]
    Create(CreateArgs),
    /// Load a wallet; one with a passphrase is locked
    #[command(after_help = "\
Examples:
  everett wallet load savings
  everett wallet load savings --at-start                    and whenever the node starts")]
    Load(LoadArgs),
    /// Unload a wallet; its file stays
    #[command(after_help = "\
Examples:
  everett wallet unload savings
  everett wallet unload savings --not-at-start              nor when the node starts")]
    Unload(UnloadArgs),
    /// Show what a wallet has in every live world, side by side
    #[command(after_help = "\
Examples:
  everett wallet balance
  everett wallet balance --at 6bf3b5b8…                     in one world alone
  everett wallet balance --json

SPENDABLE is what can be spent there; PENDING what others pay by transactions that wait; IMMATURE \
coinbases younger than 100 blocks. `safe` is what every live world has: whichever branch wins, it stays.")]
    Balance(AtWorldArgs),
    /// Give out and list addresses
    #[command(subcommand)]
    Address(AddressCommand),
    /// List the coins of a world, and lock some
    #[command(after_help = "\
Examples:
  everett wallet coins
  everett wallet coins --at 6bf3b5b8… --immature
  everett wallet coins --lock TXID:0                        is not chosen for payments any more")]
    Coins(CoinsArgs),
    /// List the wallet's transactions, the latest first, as they stand in a world
    #[command(after_help = "\
Examples:
  everett wallet history --limit 20
  everett wallet history --at 6bf3b5b8… --json")]
    History(HistoryArgs),
    /// Show a transaction of the wallet, and how it stands in every live world
    #[command(after_help = "\
Examples:
  everett wallet payment TXID
  everett wallet payment TXID --json")]
    Payment(TxidArgs),
    /// Give up a transaction that waits in no mempool: its coins are free again
    #[command(after_help = "\
Example:
  everett wallet abandon TXID")]
    Abandon(TxidArgs),
    /// Make a transaction ready and send nothing
    #[command(after_help = "\
Examples:
  everett wallet build bcrt1q… 0.5                          signed, in hexadecimal, on standard output
  everett wallet build --to bcrt1q…=0.5 --unsigned -o p.psbt    a PSBT in a file, to be signed elsewhere
  everett wallet verify @tx.hex                             check each input, then:
  everett wallet send --raw @tx.hex")]
    Build(BuildArgs),
    /// Check each input of a transaction: its script, and its coin in every live world
    #[command(after_help = "\
Examples:
  everett wallet verify 0200000001…
  everett wallet verify @tx.hex                             hexadecimal or a PSBT; - is standard input

Exits 1 if it could not be in the next block.")]
    Verify(VerifyArgs),
    /// Pay
    #[command(
        visible_alias = "send-many",
        after_help = "\
Examples:
  everett wallet send bcrt1q… 0.5
  everett wallet send --to bcrt1q…=0.5 --to bcrt1p…=0.25    several by one transaction
  everett wallet send --to bcrt1q…=all                      all that there is, and nothing comes back
  everett wallet send bcrt1q… 0.5 --fee-rate 12.5           satoshis for a virtual byte
  everett wallet send bcrt1q… 0.5 --coin TXID:1             from this coin
  everett wallet send bcrt1q… 0.5 --in best                 also from coins that a rival branch lacks
  everett wallet send --raw @tx.hex                         one that is signed already; also a PSBT

Without --in best only coins are taken that every live world has: whichever branch wins, the payment \
is as good."
    )]
    Send(SendArgs),
    /// Replace a payment that waits by one that pays more
    #[command(after_help = "\
Examples:
  everett wallet bump TXID                                  as estimated now
  everett wallet bump TXID --fee-rate 25                    satoshis for a virtual byte
  everett wallet bump TXID --build                          a PSBT, to be signed elsewhere")]
    Bump(BumpArgs),
    /// Have what waits and pays the wallet confirmed sooner, by a child that pays for both
    #[command(after_help = "\
Examples:
  everett wallet cpfp TXID
  everett wallet cpfp TXID --fee-rate 25                    of both together")]
    Cpfp(BumpArgs),
    /// Make, sign, join, finish and show PSBTs
    #[command(subcommand)]
    Psbt(PsbtCommand),
    /// Sign messages, and check signatures
    #[command(subcommand)]
    Message(MessageCommand),
    /// Set, list, export and import labels (BIP329)
    #[command(subcommand)]
    Labels(LabelsCommand),
    /// List, export and import descriptors
    #[command(subcommand)]
    Descriptors(DescriptorsCommand),
    /// Take up a single private key
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look for the wallet's transactions in the blocks of every live world again
    #[command(after_help = "\
Examples:
  everett wallet rescan                                     all blocks, on every branch
  everett wallet rescan --from 840000 --to 850000
  everett wallet rescan --abort                             ends the one that runs")]
    Rescan(RescanArgs),
    /// Write a copy of the wallet's file, while it is in use
    #[command(after_help = "\
Example:
  everett wallet --wallet savings backup /mnt/usb/savings.bak")]
    Backup(PathArgs),
    /// Make a wallet out of a backup
    #[command(after_help = "\
Example:
  everett wallet restore savings /mnt/usb/savings.bak")]
    Restore(RestoreArgs),
    /// Seal the private keys with a passphrase
    #[command(after_help = "\
Examples:
  everett wallet encrypt                                    asks for a passphrase, twice
  everett wallet encrypt --passphrase-file F")]
    Encrypt(SecretArgs),
    /// Open the private keys for some time
    #[command(after_help = "\
Examples:
  everett wallet unlock                                     asks for the passphrase; for 60 seconds
  everett wallet unlock --for 10m < passphrase.txt
  everett wallet unlock --for 1h --passphrase-file F")]
    Unlock(UnlockArgs),
    /// Forget the private keys until the next unlock
    #[command(after_help = "\
Example:
  everett wallet --wallet savings lock")]
    Lock,
    /// Change the passphrase: the old one and the new one are typed, or piped in a line each
    #[command(after_help = "\
Examples:
  everett wallet passphrase                                 asks for the old one, and twice for the new one
  printf 'old\\nnew\\n' | everett wallet passphrase")]
    Passphrase,
    /// List what rival branches would take away if they became the best one
    #[command(after_help = "\
Examples:
  everett wallet warnings
  everett wallet warnings --follow --json                   an object a line, until Ctrl-C")]
    Warnings(WarningsArgs),
    /// Follow what happens to wallets: payments, balances, warnings
    #[command(after_help = "\
Examples:
  everett wallet events                                     of all wallets, until Ctrl-C
  everett wallet --wallet savings events --json             an object a line")]
    Events,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Read the passphrase from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Do without a passphrase: whoever reads the file can spend
    #[arg(long)]
    pub(crate) no_passphrase: bool,
    /// Only watch: it begins without keys, and private ones are refused
    #[arg(long, conflicts_with_all = ["passphrase_file", "words"])]
    pub(crate) watch_only: bool,
    /// Begin without keys
    #[arg(long, conflicts_with = "words")]
    pub(crate) blank: bool,
    /// Make its keys from BIP39 words, which are typed or piped in
    #[arg(long)]
    pub(crate) words: bool,
    /// Look for what the words were paid from this day or time on (RFC 3339), where they were not used before
    #[arg(long, value_name = "DATE", requires = "words")]
    pub(crate) born: Option<prost_types::Timestamp>,
    /// Do not look for what the words were paid
    #[arg(long, requires = "words", conflicts_with = "born")]
    pub(crate) no_rescan: bool,
    /// Leave coins of addresses alone that were paid from
    #[arg(long)]
    pub(crate) avoid_reuse: bool,
    /// Do not load it when the node starts
    #[arg(long)]
    pub(crate) not_at_start: bool,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Load it whenever the node starts, from now on
    #[arg(long)]
    pub(crate) at_start: bool,
}

#[derive(Args)]
pub(crate) struct UnloadArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Do not load it when the node starts any more
    #[arg(long)]
    pub(crate) not_at_start: bool,
}

#[derive(Args)]
pub(crate) struct AtWorldArgs {
    /// Which world: a block's hash, a height of the best chain, or `best` [default: all live ones]
    #[arg(long, value_name = "HASH|HEIGHT|best")]
    pub(crate) at: Option<At>,
}

/// The kinds of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Base58, one key's hash
    Legacy,
    /// Segwit inside P2SH
    P2shSegwit,
    /// Segwit
    Bech32,
    /// Taproot
    Bech32m,
}

/// `everett wallet address`.
#[derive(Subcommand)]
pub(crate) enum AddressCommand {
    /// Give out a new address
    #[command(after_help = "\
Examples:
  everett wallet address new --label rent
  everett wallet address new --kind bech32m                 taproot")]
    New {
        /// Its label
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        /// Its kind [default: the node's, bech32]
        #[arg(long, value_name = "KIND")]
        kind: Option<Kind>,
        /// One for change, of a transaction that is made by hand
        #[arg(long, conflicts_with = "label")]
        change: bool,
    },
    /// List the addresses that were given out or have a label, with what they hold
    #[command(after_help = "\
Examples:
  everett wallet address list
  everett wallet address list --label rent --at 6bf3b5b8…   what they hold in that world")]
    List {
        /// Which world [default: best]
        #[arg(long, value_name = "HASH|HEIGHT|best", default_value = "best")]
        at: At,
        /// Only those with this label
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Those for change as well
        #[arg(long)]
        change: bool,
    },
}

#[derive(Args)]
pub(crate) struct CoinsArgs {
    /// Which world: a block's hash, a height of the best chain, or `best`
    #[arg(long, value_name = "HASH|HEIGHT|best", default_value = "best")]
    pub(crate) at: At,
    /// Coinbases that are too young to be spent as well
    #[arg(long)]
    pub(crate) immature: bool,
    /// Keep a coin from being chosen for payments
    #[arg(long, value_name = "TXID:VOUT", conflicts_with = "unlock")]
    pub(crate) lock: Option<OutPoint>,
    /// Let a coin be chosen again
    #[arg(long, value_name = "TXID:VOUT")]
    pub(crate) unlock: Option<OutPoint>,
}

#[derive(Args)]
pub(crate) struct HistoryArgs {
    /// Which world: a block's hash, a height of the best chain, or `best`
    #[arg(long, value_name = "HASH|HEIGHT|best", default_value = "best")]
    pub(crate) at: At,
    /// How many to list at most
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,
}

#[derive(Args)]
pub(crate) struct TxidArgs {
    /// The transaction's id
    #[arg(value_name = "TXID")]
    pub(crate) txid: Txid,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// A transaction in hexadecimal or a PSBT in base 64; @FILE reads a file, - standard input
    #[arg(value_name = "TX|PSBT")]
    pub(crate) given: Given,
}

#[derive(Args)]
pub(crate) struct BumpArgs {
    /// The transaction that waits
    #[arg(value_name = "TXID")]
    pub(crate) txid: Txid,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
    /// Make it ready as a PSBT without signatures, and send nothing
    #[arg(long)]
    pub(crate) build: bool,
}

/// `everett wallet key`.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Take up a private key in WIF, with every address of it; it is typed, or piped in
    #[command(after_help = "\
Examples:
  everett wallet key import --label paper < key.txt
  everett wallet key import --no-rescan")]
    Import {
        /// The label of its addresses
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        /// Do not look for what it was paid
        #[arg(long)]
        no_rescan: bool,
        /// Read it from the first line of a file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct RescanArgs {
    /// The first height
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    pub(crate) from: u32,
    /// The last height [default: the tips]
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) to: Option<u32>,
    /// End the scan that runs, whoever asked for it; one that an import asked for is not taken up again
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) abort: bool,
}

#[derive(Args)]
pub(crate) struct PathArgs {
    /// A file that does not exist, on the node's machine
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The name that it gets
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The backup, on the node's machine
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct SecretArgs {
    /// Read the passphrase from the first line of a file [default: it is typed, or piped in]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

fn parse_unlocked(text: &str) -> Result<Duration, String> {
    let time = parse_span(text)?;
    match time <= MAX_UNLOCKED {
        true => Ok(time),
        false => Err("longer than 100,000,000 seconds".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// For how long: 90s, 30m, 24h; 100,000,000 seconds at most
    #[arg(long = "for", value_name = "TIME", value_parser = parse_unlocked, default_value = "60s")]
    pub(crate) time: Duration,
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
}

#[derive(Args)]
pub(crate) struct WarningsArgs {
    /// Tell of new ones, too, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// How many blocks a branch may be behind the best one and still be warned of [default: 6]
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) behind: Option<u32>,
}

/// In which worlds coins have to exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum In {
    /// In every live one
    All,
    /// In the best one
    Best,
}

/// A fee rate in satoshis for a virtual byte, kept for 1,000 of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate(pub(crate) i64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        /// Digits behind the point that make a difference.
        const DECIMALS: usize = 3;
        let wrong =
            || format!("`{text}` is no fee rate: satoshis for a virtual byte, such as 12.5");
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > DECIMALS {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let part: i64 = format!("{part:0<DECIMALS$}").parse().map_err(|_| wrong())?;
        let rate = whole
            .checked_mul(1_000)
            .and_then(|rate| rate.checked_add(part));
        rate.map(Rate).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests;
