//! Owns the settings of JSON-RPC, as the options say them.

use std::time::Duration;

use everett_rpc::{CookiePermissions, RpcConfig, default_port};

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::super::layout::Layout;
use super::mining;

/// What the options say; `None` where nothing is to be served.
pub(super) fn config(
    arguments: &Arguments,
    chain: Chain,
    layout: &Layout,
) -> Result<Option<RpcConfig>, InitError> {
    if !arguments.flag("server", true) {
        return Ok(None);
    }
    check_bind_ports(arguments)?;
    let mut config = RpcConfig::new(&layout.network);
    let port = arguments.text("rpcport").and_then(|port| port.parse().ok());
    // Named, so that a busy one is an error as in Core.
    config.port = Some(port.unwrap_or(default_port(chain.network())));
    config.bind = arguments.list("rpcbind");
    config.allow = arguments.list("rpcallowip");
    config.user = arguments.text("rpcuser").unwrap_or_default();
    config.password = arguments.text("rpcpassword").unwrap_or_default();
    config.auth = arguments.list("rpcauth");
    config.whitelist = arguments.list("rpcwhitelist");
    config.whitelist_default = arguments
        .is_set("rpcwhitelistdefault")
        .then(|| arguments.flag("rpcwhitelistdefault", true));
    config.cookie = arguments
        .path("rpccookiefile", ".cookie")
        .map(|path| layout.file(&path));
    config.cookie_permissions = match arguments.text("rpccookieperms").as_deref() {
        None | Some("owner") => CookiePermissions::Owner,
        Some("group") => CookiePermissions::Group,
        Some("all") => CookiePermissions::All,
        Some(other) => {
            return Err(InitError::new(format!(
                "Invalid -rpccookieperms={other}; must be one of 'owner', 'group', or 'all'."
            )));
        }
    };
    let at_least_one = |name: &str| {
        let number = arguments.int(name);
        number.map(|number| usize::try_from(number).unwrap_or(0).max(1))
    };
    config.threads = at_least_one("rpcthreads").unwrap_or(config.threads);
    config.work_queue = at_least_one("rpcworkqueue").unwrap_or(config.work_queue);
    if let Some(seconds) = at_least_one("rpcservertimeout") {
        config.timeout = Duration::from_secs(seconds as u64);
    }
    if let Some(seconds) = arguments.int("bantime") {
        config.ban_time = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    }
    config.block_filters = block_filters(arguments)?;
    config.rest = arguments.flag("rest", false);
    config.mining = mining::config(arguments, chain)?;
    if let Some(descriptor) = arguments.text("everettgenerateto") {
        config.generate_to = descriptor;
    }
    if let Some(path) = arguments.path("debuglogfile", "debug.log") {
        config.log_path = layout.file(&path);
    }
    Ok(Some(config))
}

/// Refuses ports of `-rpcbind` that are none, whether they are used or not.
fn check_bind_ports(arguments: &Arguments) -> Result<(), InitError> {
    for text in arguments.list("rpcbind") {
        let Some((host, port)) = text.rsplit_once(':') else {
            continue;
        };
        // More colons than one are an address of IPv6, unless it stands in brackets.
        let is_port = !host.contains(':') || host.ends_with(']');
        if is_port && port.parse::<u16>().map_or(0, |port| port) == 0 {
            return Err(InitError::new(format!(
                "Invalid port specified in -rpcbind: '{text}'"
            )));
        }
    }
    Ok(())
}

/// Whether filters of blocks are made, by `-blockfilterindex`.
pub(super) fn block_filters(arguments: &Arguments) -> Result<bool, InitError> {
    let kinds = arguments.list("blockfilterindex");
    if let Some(kind) = kinds
        .iter()
        .find(|kind| !matches!(kind.as_str(), "" | "0" | "1" | "basic"))
    {
        return Err(InitError::new(format!(
            "Unknown -blockfilterindex value {kind}."
        )));
    }
    Ok(kinds.iter().any(|kind| kind != "0"))
}
