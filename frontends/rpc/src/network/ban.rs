//! Owns whom the node has nothing to do with.

use std::time::Duration;

use everett_net::bans::Subnet;
use everett_node::{BanState, MAX_BAN};

use crate::call::Call;
use crate::error::{CLIENT_INVALID_IP_OR_SUBNET, CLIENT_NODE_ALREADY_ADDED, MISC_ERROR, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::site::unix;

pub(super) static SETBAN: Method = Method {
    name: "setban",
    category: Category::Network,
    about: "Bans an address or a subnet, or takes a ban back.",
    arguments: &[
        Argument::required(
            "subnet",
            Kind::Text,
            "The address, or a subnet such as 203.0.113.0/24",
        ),
        Argument::required("command", Kind::Text, "add or remove"),
        Argument::default(
            "bantime",
            Kind::Number,
            "0",
            "Seconds, or until when if absolute; 0 for a day",
        ),
        Argument::default(
            "absolute",
            Kind::Bool,
            "false",
            "Whether bantime is a time in unix seconds",
        ),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(set_ban),
};

/// Whether a ban covers a subnet: for an address, one on any subnet that holds it.
fn covers(ban: &BanState, text: &str, wanted: &Subnet) -> bool {
    let Ok(banned) = ban.subnet.parse::<Subnet>() else {
        return false;
    };
    match text.contains('/') {
        true => banned == *wanted,
        false => {
            let host = text.parse::<std::net::IpAddr>();
            host.is_ok_and(|host| banned.contains(&everett_net::Endpoint::from((host, 0)).host))
                || banned == *wanted
        }
    }
}

fn set_ban(call: &Call) -> Answer {
    let (text, command) = (call.text(0)?, call.text(1)?);
    if !["add", "remove"].contains(&command) {
        return Err(RpcError::new(MISC_ERROR, SETBAN.help()));
    }
    let subnet: Subnet = text
        .parse()
        .map_err(|_| RpcError::new(CLIENT_INVALID_IP_OR_SUBNET, "Error: Invalid IP/Subnet"))?;
    let peers = call.peers()?;
    if command == "remove" {
        return match peers.unban(text) {
            Ok(()) => Ok(Json::Null),
            Err(_) => Err(RpcError::new(
                CLIENT_INVALID_IP_OR_SUBNET,
                "Error: Unban failed. Requested address/subnet was not previously manually banned.",
            )),
        };
    }
    if peers.bans().iter().any(|ban| covers(ban, text, &subnet)) {
        return Err(RpcError::new(
            CLIENT_NODE_ALREADY_ADDED,
            "Error: IP/Subnet already banned",
        ));
    }
    let time: i64 = call.int_or(2, 0)?;
    let now = i64::try_from(call.ledger().clock().now()).unwrap_or(i64::MAX);
    let seconds = match call.bool_or(3, false)? {
        true if time < now => {
            return Err(RpcError::parameter(
                "Error: Absolute timestamp is in the past",
            ));
        }
        true => time - now,
        false => time,
    };
    let length = match u64::try_from(seconds) {
        Ok(0) | Err(_) => call.site.config.ban_time,
        Ok(seconds) => Duration::from_secs(seconds).min(MAX_BAN),
    };
    peers
        .ban(text, length)
        .map_err(|error| RpcError::new(CLIENT_INVALID_IP_OR_SUBNET, error.to_string()))?;
    Ok(Json::Null)
}

pub(super) static LISTBANNED: Method = Method {
    name: "listbanned",
    category: Category::Network,
    about: "The bans that hold.",
    arguments: &[],
    result: "[{\"address\", \"ban_created\", \"banned_until\", \"ban_duration\", \"time_remaining\"}, ...]    (json array) \
             The bans",
    at: false,
    run: Run::Read(list_banned),
};

fn list_banned(call: &Call) -> Answer {
    let now = call.ledger().clock().now();
    let bans = call.handle().peers().map(|peers| peers.bans());
    let ban = |ban: BanState| {
        let (created, until) = (unix(ban.created), unix(ban.until));
        let subnet = match ban.subnet.contains('/') {
            true => ban.subnet,
            // Core writes an address as the subnet of itself.
            false if ban.subnet.contains(':') => format!("{}/128", ban.subnet),
            false if ban.subnet.parse::<std::net::Ipv4Addr>().is_ok() => {
                format!("{}/32", ban.subnet)
            }
            false => ban.subnet,
        };
        object! {
            "address" => subnet,
            "ban_created" => created,
            "banned_until" => until,
            "ban_duration" => until.saturating_sub(created),
            "time_remaining" => until.saturating_sub(now),
        }
    };
    Ok(bans.unwrap_or_default().into_iter().map(ban).collect())
}

pub(super) static CLEARBANNED: Method = Method {
    name: "clearbanned",
    category: Category::Network,
    about: "Takes all bans back.",
    arguments: &[],
    result: "null    (json null)",
    at: false,
    run: Run::Read(clear_banned),
};

fn clear_banned(call: &Call) -> Answer {
    if let Some(peers) = call.handle().peers() {
        for ban in peers.bans() {
            // One that has ended meanwhile is gone as well.
            let _ = peers.unban(&ban.subnet);
        }
    }
    Ok(Json::Null)
}
