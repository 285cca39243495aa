//! Owns the settings of wallets: the options, then what the file adds to them.

use everett_node::NodeConfig;

use super::{Settings, rpc::either};
use crate::args::WalletArgs;

impl Settings {
    /// Which wallets a node keeps.
    pub(crate) fn wallets(&self, args: WalletArgs, config: &mut NodeConfig) {
        let file = self.file.clone();
        if args.disablewallet || file.disablewallet.unwrap_or(false) {
            config.wallets = None;
            return;
        }
        let Some(wallets) = &mut config.wallets else {
            return;
        };
        if let Some(keypool) = args.keypool.or(file.keypool) {
            wallets.keypool = keypool.max(1);
        }
        if let Some(compat) = args.walletcompat.or(file.walletcompat) {
            wallets.compat = compat;
        }
        if let Some(blocks) = args.wallet_warn_blocks.or(file.wallet_warn_blocks) {
            wallets.warn_blocks = blocks;
        }
        config.default_wallet = wallets.compat;
        config.open_wallets = either(args.wallet, file.wallet);
    }
}
