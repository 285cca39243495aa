use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::Network;
use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{BlockHash, Txid};
use tokio::sync::mpsc;

use super::*;
use crate::{PoolConfig, Purpose};

fn config() -> PoolConfig {
    let mut config = PoolConfig::new(Network::Regtest);
    config.outgoing = 0;
    config.block_relay_only = 0;
    config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.session.deliver_pings = true;
    config
}

#[tokio::test]
async fn handlers_get_what_they_ask_for_in_order() {
    let (sender, mut heard) = mpsc::unbounded_channel::<String>();
    let (called, events) = Pool::start(config()).unwrap();
    let say = move |what: String| {
        let _ = sender.send(what);
    };
    let (a, b, c, d, e) = (say.clone(), say.clone(), say.clone(), say.clone(), say);
    called.on_established(move |peer| {
        a(format!("established {}", peer.is_connected()));
        async {}
    });
    called.on(move |_, Inv(items)| {
        let b = b.clone();
        async move {
            // The first is slow, and still comes first.
            tokio::time::sleep(Duration::from_millis(20 * items.len() as u64)).await;
            b(format!("inv {}", items.len()));
        }
    });
    called.on(move |_, GetAddr| {
        c("getaddr".into());
        async {}
    });
    called.on_raw(Command::new("own").unwrap(), move |_, message| {
        d(format!("own {:?}", message.payload));
        async {}
    });
    called.on_lost(move |peer, reason| {
        e(format!("lost {} {reason}", peer.counters().undecodable));
        async {}
    });
    let dispatching = tokio::spawn(events.dispatch());

    let (caller, mut caller_events) = Pool::start(config()).unwrap();
    caller.connect(called.listening()[0].into(), Purpose::Manual);
    let Some(crate::PoolEvent::Established(info)) = caller_events.next().await else {
        panic!("not established");
    };
    let transaction = Inventory::Transaction(Txid::all_zeros());
    let block = Inventory::Block(BlockHash::all_zeros());
    let own = Message::new(Command::new("own").unwrap(), &b"x"[..]);
    let broken = Message::new(Command::new("inv").unwrap(), &b"\x05"[..]);
    for message in [
        NetworkMessage::Inv(vec![transaction, block]).into(),
        NetworkMessage::Inv(vec![block]).into(),
        broken,
        NetworkMessage::GetAddr.into(),
        own,
    ] {
        caller.send(info.id, message).unwrap();
    }
    for expected in [
        "established true",
        "inv 2",
        "inv 1",
        "getaddr",
        "own b\"x\"",
    ] {
        assert_eq!(heard.recv().await.unwrap(), expected);
    }
    caller.shut_down().await;
    let lost = "lost 1 the peer closed the connection";
    assert_eq!(heard.recv().await.unwrap(), lost);
    called.shut_down().await;
    drop(called);
    dispatching.await.unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_peer_the_connection_and_nobody_else() {
    let (sender, mut heard) = mpsc::unbounded_channel::<String>();
    let (called, events) = Pool::start(config()).unwrap();
    called.on(|_, GetAddr| async { panic!("a test") });
    let say = sender.clone();
    called.on(move |_, Inv(items)| {
        let _ = say.send(format!("inv {}", items.len()));
        async {}
    });
    called.on_lost(move |_, reason| {
        let _ = sender.send(format!("lost {reason}"));
        async {}
    });
    let dispatching = tokio::spawn(events.dispatch());
    let config = || crate::SessionConfig::new(bitcoin::p2p::Magic::REGTEST);
    let at = || called.listening()[0].into();
    let bad = crate::Connection::open(at(), config()).await.unwrap();
    let good = crate::Connection::open(at(), config()).await.unwrap();
    bad.send(NetworkMessage::GetAddr).unwrap();
    let lost = "lost disconnected: a handler panicked";
    assert_eq!(heard.recv().await.unwrap(), lost);
    good.send(NetworkMessage::Inv(vec![])).unwrap();
    assert_eq!(heard.recv().await.unwrap(), "inv 0");
    called.shut_down().await;
    dispatching.await.unwrap();
}
