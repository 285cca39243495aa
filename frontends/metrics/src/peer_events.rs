//! Owns the counts that are made out of peer events: connections that began, ended, failed, and what peers did wrong.
//! Promises to say how many events it could not keep up with.

use std::time::Duration;

use everett_node::meters::{Counter, Described};
use everett_node::{Handle, PeerEventKind};
use tokio::sync::broadcast::error::RecvError;

/// What happened to connections.
const EVENTS: Described = Described {
    name: "everett_peer_events_total",
    help: "What happened to connections since the node started: established, lost, failed, misbehaved; missed ones were not looked at.",
};

/// How often it is looked whether the node has a network.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Counts for as long as it is let.
pub(crate) async fn count(handle: &Handle) {
    let peers = loop {
        match handle.peers() {
            Some(peers) => break peers,
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    let counter = |event| handle.meters().counter(EVENTS, &[("event", event)]);
    let [established, lost, failed, misbehaved, missed]: [Counter; 5] =
        ["established", "lost", "failed", "misbehaved", "missed"].map(counter);
    let mut events = peers.events();
    // Who holds the network would keep its end from being heard.
    drop(peers);
    loop {
        match events.recv().await {
            Ok(event) => match event.kind {
                PeerEventKind::Established => established.one(),
                PeerEventKind::Lost(_) => lost.one(),
                PeerEventKind::Failed(_) => failed.one(),
                PeerEventKind::Misbehaved(_) => misbehaved.one(),
            },
            Err(RecvError::Lagged(count)) => missed.add(count),
            // A network that failed may be started again.
            Err(RecvError::Closed) => {
                tokio::time::sleep(LOOK_EVERY).await;
                if let Some(peers) = handle.peers() {
                    events = peers.events();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use everett_ledger::{LedgerConfig, Network, Params};
    use everett_node::{Node, NodeConfig};
    use everett_tests::peers_double::{EVENTS as HELD, PeersDouble};

    use super::*;

    #[tokio::test]
    async fn events_are_counted_and_those_that_were_missed_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let node = Node::builder(NodeConfig::new(ledger))
            .start()
            .await
            .unwrap();
        let double = Arc::new(PeersDouble::sample());
        node.handle().serve_peers(double.clone());
        let counted = |event| node.handle().meters().counter(EVENTS, &[("event", event)]);
        let counting = tokio::spawn({
            let handle = node.handle().clone();
            async move { count(&handle).await }
        });
        tokio::task::yield_now().await;
        double.tell(PeerEventKind::Established, Some(1));
        double.tell(PeerEventKind::Misbehaved("lied".to_owned()), Some(1));
        tokio::task::yield_now().await;
        assert_eq!(
            (counted("established").get(), counted("misbehaved").get()),
            (1, 1)
        );
        // On one thread nobody counts meanwhile.
        for _ in 0..HELD + 5 {
            double.tell(PeerEventKind::Failed("away".to_owned()), None);
        }
        tokio::task::yield_now().await;
        assert_eq!(
            (counted("failed").get(), counted("missed").get()),
            (HELD as u64, 5)
        );
        counting.abort();
        node.stop().await;
    }
}
