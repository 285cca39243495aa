//! Owns the arguments by which a node keeps wallets; their names are Bitcoin Core's where it has them.

use clap::Args;
use clap::builder::BoolishValueParser;

/// Whether and which wallets are kept.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Wallets")]
pub(crate) struct WalletArgs {
    /// Keep no wallets
    #[arg(long)]
    pub(crate) disablewallet: bool,
    /// Load this wallet at the start; may be given several times [default: those that were told to]
    #[arg(long, value_name = "NAME")]
    pub(crate) wallet: Vec<String>,
    /// Addresses of each descriptor that are watched ahead [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) keypool: Option<u32>,
    /// Have the methods that Core had for accounts and single keys, and make a wallet where there is none
    /// [default: 1 on regtest, else 0]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "1", value_parser = BoolishValueParser::new())]
    pub(crate) walletcompat: Option<bool>,
    /// How many blocks a rival branch may be behind the best one and still be warned of [default: 6]
    #[arg(long, value_name = "N")]
    pub(crate) wallet_warn_blocks: Option<u32>,
}
