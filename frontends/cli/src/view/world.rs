//! Owns how worlds are shown.

use bitcoin::Work;
use bitcoin::hex::DisplayHex;
use everett_ledger::{BlockInfo, ChainStatus, Tip};
use everett_proto::v1;
use serde::Serialize;

use crate::output::View;
use crate::table::{Align, Table};

/// One world: a block, and where it stands in the tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WorldView {
    pub(crate) tip_hash: String,
    pub(crate) height: u32,
    pub(crate) chainwork: String,
    /// The last block it shares with the best chain.
    pub(crate) fork_hash: String,
    pub(crate) fork_height: u32,
    /// `getchaintips`' word.
    pub(crate) status: &'static str,
    pub(crate) first_seen: u64,
    pub(crate) best: bool,
    /// Whether its balances can be read.
    pub(crate) live: bool,
}

impl WorldView {
    /// One line for the head of an answer.
    pub(crate) fn line(&self) -> String {
        let best = if self.best { ", best" } else { "" };
        format!(
            "at {} (height {}, {}{best})\n",
            self.tip_hash, self.height, self.status
        )
    }

    pub(crate) fn of_block(info: &BlockInfo, best: bool) -> WorldView {
        WorldView {
            tip_hash: info.hash.to_string(),
            height: info.height,
            chainwork: chainwork(info.chainwork),
            fork_hash: info.fork_hash.to_string(),
            fork_height: info.fork_height,
            status: info.status.as_str(),
            first_seen: info.first_seen,
            best,
            live: info.live,
        }
    }
}

impl From<&Tip> for WorldView {
    fn from(tip: &Tip) -> WorldView {
        WorldView {
            tip_hash: tip.hash.to_string(),
            height: tip.height,
            chainwork: chainwork(tip.chainwork),
            fork_hash: tip.fork_hash.to_string(),
            fork_height: tip.fork_height,
            status: tip.status.as_str(),
            first_seen: tip.first_seen,
            best: tip.best,
            live: tip.live,
        }
    }
}

impl From<v1::World> for WorldView {
    fn from(world: v1::World) -> WorldView {
        WorldView {
            status: status(world.status()),
            first_seen: seconds(world.first_seen_time),
            tip_hash: world.tip_hash,
            height: world.height,
            chainwork: world.chainwork,
            fork_hash: world.fork_hash,
            fork_height: world.fork_height,
            best: world.best,
            live: world.live,
        }
    }
}

/// 64 hexadecimal characters.
pub(crate) fn chainwork(work: Work) -> String {
    work.to_be_bytes().to_lower_hex_string()
}

/// The word for a status that a server sent.
pub(crate) fn status(status: v1::WorldStatus) -> &'static str {
    match status {
        v1::WorldStatus::Active => ChainStatus::Active.as_str(),
        v1::WorldStatus::ValidFork => ChainStatus::ValidFork.as_str(),
        v1::WorldStatus::ValidHeaders => ChainStatus::ValidHeaders.as_str(),
        v1::WorldStatus::HeadersOnly => ChainStatus::HeadersOnly.as_str(),
        v1::WorldStatus::Invalid => ChainStatus::Invalid.as_str(),
        v1::WorldStatus::Unspecified => "unknown",
    }
}

/// Unix seconds of a time that a server sent.
pub(crate) fn seconds(time: Option<prost_types::Timestamp>) -> u64 {
    time.and_then(|time| u64::try_from(time.seconds).ok())
        .unwrap_or(0)
}

/// Every leaf of the tree: the best one first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WorldsView {
    pub(crate) worlds: Vec<WorldView>,
}

impl View for WorldsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("", Align::Left),
            ("HEIGHT", Align::Right),
            ("STATUS", Align::Left),
            ("FORK", Align::Right),
            ("LENGTH", Align::Right),
            ("TIP", Align::Left),
        ]);
        for world in &self.worlds {
            let mark = match (world.best, world.live) {
                (true, _) => "*",
                (false, true) => " ",
                (false, false) => "-",
            };
            let (fork, length) = if world.best {
                (String::new(), String::new())
            } else {
                let length = world.height.saturating_sub(world.fork_height);
                (world.fork_height.to_string(), length.to_string())
            };
            table.row([
                mark.to_owned(),
                world.height.to_string(),
                world.status.to_owned(),
                fork,
                length,
                world.tip_hash.clone(),
            ]);
        }
        let live = self.worlds.iter().filter(|world| world.live).count();
        format!(
            "{table}{} worlds, {live} live (* best, - not live: its balances cannot be read)\n",
            self.worlds.len()
        )
    }
}
