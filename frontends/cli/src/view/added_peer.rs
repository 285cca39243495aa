//! Owns how a peer that was added by hand is shown: whether it is connected, and if not, why and until when.
//! Promises one line a peer. Refuses to call it.

use std::time::{SystemTime, UNIX_EPOCH};

use everett_proto::v1;
use serde::Serialize;

use super::words::{exact, visible};
use super::world::seconds;

/// A peer that was added by hand, and how its calls go.
#[derive(Debug, Serialize)]
pub(crate) struct AddedPeerView {
    address: String,
    connected: bool,
    failures: u32,
    last_error: Option<String>,
    /// Unix seconds.
    next_call: Option<u64>,
}

impl From<v1::AddedPeer> for AddedPeerView {
    fn from(peer: v1::AddedPeer) -> AddedPeerView {
        AddedPeerView {
            address: peer.address,
            connected: peer.connected,
            failures: peer.failures,
            last_error: Some(peer.last_error).filter(|error| !error.is_empty()),
            next_call: peer.next_call_time.map(|time| seconds(Some(time))),
        }
    }
}

impl AddedPeerView {
    pub(crate) fn line(&self, now: SystemTime) -> String {
        let address = visible(&self.address);
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs());
        let state = match self.next_call {
            _ if self.connected => "connected".to_owned(),
            None => "being called".to_owned(),
            Some(next) => format!("called again in {}", exact(next.saturating_sub(now).max(1))),
        };
        match (&self.last_error, self.failures, self.connected) {
            (Some(error), 0, false) => {
                format!(
                    "added by hand: {address}, not connected: {}\n",
                    visible(error)
                )
            }
            (Some(error), failures, false) => {
                let times = if failures == 1 { "time" } else { "times" };
                let error = visible(error);
                format!("added by hand: {address}, {state}; failed {failures} {times}: {error}\n")
            }
            _ => format!("added by hand: {address}, {state}\n"),
        }
    }
}
