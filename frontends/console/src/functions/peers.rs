//! Owns the functions about the node's peers.
//! Promises that those that change something are refused without leave, before their arguments are looked at.
//! Refuses to make peers up: a ledger without a node has none, and says so.

use std::sync::Arc;
use std::time::Duration;

use everett_net::PeerId;
use everett_node::{DEFAULT_BAN, MAX_BAN, PeerRef, Peers, parse_span};
use everett_proto::v1::ErrorReason;
use rhai::{Array, Engine};

use crate::book::Book;
use crate::context::Ctx;
use crate::fault::{Fault, Given};
use crate::value::{BanValue, PeerValue, SyncValue};

/// Makes the functions known to an engine.
pub(super) fn register(engine: &mut Engine, book: &Book, context: &Ctx) {
    reading(engine, book, context);
    steering(engine, book, context);
}

fn reading(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function("peers()", "the peers that are connected, the oldest first");
    let of = context.clone();
    engine.register_fn("peers", move || -> Given<Array> {
        Ok(PeerValue::list(&*peers(&of)?))
    });
    book.function("peer(id)", "the peer with this number");
    let of = context.clone();
    engine.register_fn("peer", move |id: i64| -> Given<PeerValue> {
        let found = PeerValue::find(&*peers(&of)?, number(id)?);
        let missing = || {
            let message = format!("no peer {id} is connected; peers() lists those that are");
            Fault::new(ErrorReason::PeerUnknown, message)
        };
        Ok(found.ok_or_else(missing)?)
    });
    book.function("sync_progress()", "how far the node has synced");
    let of = context.clone();
    // `sync` is a word that Rhai keeps for itself.
    engine.register_fn("sync_progress", move || -> Given<SyncValue> {
        Ok(SyncValue::read(&*peers(&of)?))
    });
    book.function("bans()", "the addresses and subnets that are banned");
    let of = context.clone();
    engine.register_fn("bans", move || -> Given<Array> {
        Ok(BanValue::list(&*peers(&of)?))
    });
}

fn steering(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function(
        "add_peer(address)",
        "calls a peer whenever it is not connected; gives its address with the port (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("add_peer", move |address: &str| -> Given<String> {
        Ok(add(&of, address, false)?)
    });
    book.function(
        "add_peer(address, once)",
        "the same; true for `once` calls it just once (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn(
        "add_peer",
        move |address: &str, once: bool| -> Given<String> { Ok(add(&of, address, once)?) },
    );
    book.function(
        "disconnect(peer)",
        "ends a connection, by its number or its address (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("disconnect", move |id: i64| -> Given<()> {
        let peers = may(&of, "disconnect")?;
        let peer = PeerRef::Id(PeerId(number(id)?));
        Ok(peers.disconnect(peer).map_err(Fault::from)?)
    });
    let of = context.clone();
    engine.register_fn("disconnect", move |address: &str| -> Given<()> {
        let peers = may(&of, "disconnect")?;
        let peer = PeerRef::Address(address);
        Ok(peers.disconnect(peer).map_err(Fault::from)?)
    });
    let of = context.clone();
    engine.register_fn("disconnect", move |peer: PeerValue| -> Given<()> {
        let peers = may(&of, "disconnect")?;
        let peer = PeerRef::Id(peer.id());
        Ok(peers.disconnect(peer).map_err(Fault::from)?)
    });
    book.function(
        "ban(subnet)",
        "refuses an address or a subnet for a day (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("ban", move |subnet: &str| -> Given<BanValue> {
        let peers = may(&of, "ban")?;
        Ok(ban(&*peers, subnet, DEFAULT_BAN)?)
    });
    book.function(
        "ban(subnet, time)",
        "for so many seconds, or for a time such as \"2w\" (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("ban", move |subnet: &str, time: i64| -> Given<BanValue> {
        let peers = may(&of, "ban")?;
        let time = u64::try_from(time).unwrap_or(0);
        Ok(ban(&*peers, subnet, Duration::from_secs(time))?)
    });
    let of = context.clone();
    engine.register_fn("ban", move |subnet: &str, time: &str| -> Given<BanValue> {
        let peers = may(&of, "ban")?;
        let time = parse_span(time).map_err(Fault::argument)?;
        Ok(ban(&*peers, subnet, time)?)
    });
    book.function("unban(subnet)", "takes a ban back (--allow-write)");
    let of = context.clone();
    engine.register_fn("unban", move |subnet: &str| -> Given<()> {
        let peers = may(&of, "unban")?;
        Ok(peers.unban(subnet).map_err(Fault::from)?)
    });
}

/// The node's network.
fn peers(context: &Ctx) -> Result<Arc<dyn Peers>, Fault> {
    let peers = context.node.as_ref().and_then(|node| node.peers());
    peers.ok_or_else(|| {
        let why = match context.node {
            Some(_) => "this node is not on the P2P network: on regtest it joins when a peer option is given, such as --serve",
            None => "peers are those of a running node, and this console reads a data directory",
        };
        Fault::new(ErrorReason::NetworkDisabled, why)
    })
}

/// The node's network, for those who may steer it.
fn may(context: &Ctx, what: &str) -> Result<Arc<dyn Peers>, Fault> {
    context.pen.check(what)?;
    context.patience.check()?;
    peers(context)
}

fn number(id: i64) -> Result<u64, Fault> {
    u64::try_from(id).map_err(|_| Fault::argument(format!("{id} is no peer's number")))
}

fn add(context: &Ctx, address: &str, once: bool) -> Result<String, Fault> {
    Ok(may(context, "add_peer")?
        .add(address, once, false)?
        .to_string())
}

fn ban(peers: &dyn Peers, subnet: &str, time: Duration) -> Result<BanValue, Fault> {
    if time.is_zero() || time > MAX_BAN {
        return Err(Fault::argument(
            "a ban lasts longer than nothing and at most a hundred years",
        ));
    }
    Ok(BanValue::of(peers.ban(subnet, time)?))
}

#[cfg(test)]
mod tests;
