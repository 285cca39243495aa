//! Owns the settings of JSON-RPC: the options, then what the file adds to them.

use std::path::Path;
use std::time::Duration;

use everett_log::LOG_DIRECTORY;
use everett_mempool::FeeRate;
use everett_rpc::{CookiePermissions, RpcConfig};

use super::Settings;
use crate::args::RpcArgs;

impl Settings {
    /// How a node on this directory serves JSON-RPC, if it does.
    pub(crate) fn rpc(&self, args: RpcArgs, directory: &Path) -> Option<RpcConfig> {
        let file = self.file.clone();
        if args.no_rpc || file.no_rpc.unwrap_or(false) {
            return None;
        }
        let mut config = RpcConfig::new(directory);
        config.port = args.rpcport.or(file.rpcport);
        config.rest = args.rest.or(file.rest).unwrap_or(false);
        config.bind = either(args.rpcbind, file.rpcbind);
        config.allow = either(args.rpcallowip, file.rpcallowip);
        config.user = args.rpcuser.or(file.rpcuser).unwrap_or_default();
        config.password = args.rpcpassword.or(file.rpcpassword).unwrap_or_default();
        config.auth = either(args.rpcauth, file.rpcauth);
        config.whitelist = either(args.rpcwhitelist, file.rpcwhitelist);
        config.whitelist_default = args.rpcwhitelistdefault.or(file.rpcwhitelistdefault);
        if let Some(path) = args.rpccookiefile.or(file.rpccookiefile) {
            let named = !path.as_os_str().is_empty();
            config.cookie = named.then(|| directory.join(path));
        }
        let who = args.rpccookieperms.or(file.rpccookieperms);
        config.cookie_permissions = match who.as_deref() {
            Some("group") => CookiePermissions::Group,
            Some("all") => CookiePermissions::All,
            _ => CookiePermissions::Owner,
        };
        if let Some(threads) = args.rpcthreads.or(file.rpcthreads) {
            config.threads = threads;
        }
        if let Some(queue) = args.rpcworkqueue.or(file.rpcworkqueue) {
            config.work_queue = queue;
        }
        if let Some(seconds) = args.rpcservertimeout.or(file.rpcservertimeout) {
            config.timeout = Duration::from_secs(seconds);
        }
        let mining = &mut config.mining;
        if let Some(weight) = args.blockmaxweight.or(file.blockmaxweight) {
            mining.max_weight = weight;
        }
        if let Some(weight) = args.blockreservedweight.or(file.blockreservedweight) {
            mining.reserved_weight = weight;
        }
        if let Some(fee) = args.blockmintxfee.or(file.blockmintxfee) {
            mining.min_fee = FeeRate::per_kvb(i64::try_from(fee.to_sat()).unwrap_or(i64::MAX));
        }
        mining.version = args.blockversion.or(file.blockversion);
        if let Some(descriptor) = args.generate_to.or(file.generate_to) {
            config.generate_to = descriptor;
        }
        config.log_path = directory.join(LOG_DIRECTORY);
        Some(config)
    }
}

/// What the command line lists, or else the file.
pub(super) fn either(args: Vec<String>, file: Vec<String>) -> Vec<String> {
    if args.is_empty() { file } else { args }
}
