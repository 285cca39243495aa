//! Owns how a played scenario is shown: the worlds, and what each party has in them.

use std::net::SocketAddr;
use std::path::PathBuf;

use everett_lab::{Played, PlayedWorld};
use everett_ledger::Network;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// A scenario that has been played.
pub(super) struct LabView {
    pub(super) played: Played,
    /// The scenario's file or name.
    pub(super) scenario: String,
    pub(super) network: Network,
    /// Where its data is, as long as it is there.
    pub(super) datadir: Option<PathBuf>,
    /// Where it is served, if it is.
    pub(super) grpc: Option<String>,
    /// Where JSON-RPC is served, if it is.
    pub(super) rpc: Option<String>,
    /// The file by which its callers log in.
    pub(super) rpc_cookie: Option<PathBuf>,
    /// Where its web page is, if it has one.
    pub(super) web: Option<String>,
    /// The console's socket, if there is one.
    pub(super) console: Option<PathBuf>,
    /// Where its figures are, if they are served.
    pub(super) metrics: Option<String>,
    /// Where peers may call, if it is on the network.
    pub(super) p2p: Option<Vec<SocketAddr>>,
}

/// A world in JSON, its balances in the scenario's order.
struct WorldJson<'a>(&'a PlayedWorld);

impl Serialize for WorldJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Balances<'a>(&'a [(String, i64)]);
        impl Serialize for Balances<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, sat)| (name, sat)))
            }
        }
        let world = self.0;
        let mut object = serializer.serialize_struct("World", 8)?;
        object.serialize_field("label", &world.label)?;
        object.serialize_field("tip_hash", &world.tip_hash.to_string())?;
        object.serialize_field("height", &world.height)?;
        object.serialize_field("status", world.status.as_str())?;
        object.serialize_field("best", &world.best)?;
        object.serialize_field("fork_hash", &world.fork_hash.to_string())?;
        object.serialize_field("fork_height", &world.fork_height)?;
        object.serialize_field("balances", &Balances(&world.balances))?;
        object.end()
    }
}

impl Serialize for LabView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let played = &self.played;
        let worlds: Vec<WorldJson<'_>> = played.worlds.iter().map(WorldJson).collect();
        let parties: Vec<Value> = played
            .parties
            .iter()
            .map(|party| {
                json!({
                    "name": party.name,
                    "address": party.address.to_string(),
                    "script_pubkey": party.script_pubkey.to_hex_string(),
                })
            })
            .collect();
        let blocks: Vec<Value> = played
            .blocks
            .iter()
            .map(|block| {
                json!({
                    "label": block.label,
                    "hash": block.hash.to_string(),
                    "height": block.height,
                })
            })
            .collect();
        let payments: Vec<Value> = played
            .payments
            .iter()
            .map(|payment| {
                json!({
                    "name": payment.name,
                    "txid": payment.txid.to_string(),
                    "block_hash": payment.block.to_string(),
                })
            })
            .collect();
        let unmet: Vec<Value> = played
            .unmet
            .iter()
            .map(|unmet| json!({ "step": unmet.step, "line": unmet.line, "what": unmet.what }))
            .collect();
        let mut object = serializer.serialize_struct("Lab", 16)?;
        object.serialize_field("title", &played.title)?;
        object.serialize_field("scenario", &self.scenario)?;
        object.serialize_field("network", &self.network.to_string())?;
        object.serialize_field("datadir", &self.datadir)?;
        object.serialize_field("worlds", &worlds)?;
        object.serialize_field("parties", &parties)?;
        object.serialize_field("blocks", &blocks)?;
        object.serialize_field("payments", &payments)?;
        object.serialize_field("unmet", &unmet)?;
        object.serialize_field("grpc", &self.grpc)?;
        object.serialize_field("rpc", &self.rpc)?;
        object.serialize_field("rpc_cookie", &self.rpc_cookie)?;
        object.serialize_field("web", &self.web)?;
        object.serialize_field("console", &self.console)?;
        object.serialize_field("metrics", &self.metrics)?;
        object.serialize_field("p2p", &self.p2p)?;
        object.end()
    }
}

impl View for LabView {
    fn text(&self) -> String {
        let mut text = format!("\n{}\n{}", self.worlds(), self.parties());
        if let Some(url) = &self.grpc {
            text.push_str(&format!("\nServing until Ctrl-C: gRPC on {url}\n"));
            if let Some(web) = &self.web {
                text.push_str(&format!("Look at it in a browser: {web}\n"));
            }
            if let Some(rpc) = &self.rpc {
                text.push_str(&format!("JSON-RPC as of bitcoind on {rpc}"));
                if let Some(cookie) = &self.rpc_cookie {
                    text.push_str(&format!(", cookie in {}", cookie.display()));
                }
                text.push('\n');
            }
            if let Some(datadir) = &self.datadir {
                text.push_str(&format!("Data in {}\n", datadir.display()));
            }
            text.push_str(&format!("\n  everett worlds --connect {url}\n"));
            if let (Some(party), Some(world)) =
                (self.played.parties.first(), self.played.worlds.get(1))
            {
                text.push_str(&format!(
                    "  everett balance --connect {url} --at {} {}\n",
                    world.tip_hash, party.address
                ));
            }
            if let Some(socket) = &self.console {
                text.push_str(&format!(
                    "  everett console --socket {}\n",
                    socket.display()
                ));
            }
        }
        text
    }
}

impl LabView {
    /// One row a world: what it is called, where it leaves the best one, what everybody has in it.
    fn worlds(&self) -> Table {
        let mut table = Table::new([
            ("", Align::Left),
            ("WORLD", Align::Left),
            ("HEIGHT", Align::Right),
            ("STATUS", Align::Left),
            ("FORK", Align::Left),
        ]);
        for party in &self.played.parties {
            table.column(&party.name, Align::Right);
        }
        table.column("TIP", Align::Left);
        for world in &self.played.worlds {
            let fork = match world.best {
                true => String::new(),
                false => self.fork_name(world),
            };
            let mut cells = vec![
                if world.best { "*" } else { "" }.to_owned(),
                world.label.clone().unwrap_or_else(|| "-".to_owned()),
                world.height.to_string(),
                world.status.as_str().to_owned(),
                fork,
            ];
            match world.balances.is_empty() {
                true => cells.extend(self.played.parties.iter().map(|_| "-".to_owned())),
                false => cells.extend(world.balances.iter().map(|(_, sat)| btc(*sat))),
            }
            cells.push(world.tip_hash.to_string());
            table.row(cells);
        }
        table
    }

    /// Where a world leaves the best one, by label if that block has one.
    fn fork_name(&self, world: &PlayedWorld) -> String {
        let mut blocks = self.played.blocks.iter();
        match blocks.find(|block| block.hash == world.fork_hash) {
            Some(block) => format!("{} ({})", block.label, world.fork_height),
            None => world.fork_height.to_string(),
        }
    }

    fn parties(&self) -> Table {
        let mut table = Table::new([("PARTY", Align::Left), ("ADDRESS", Align::Left)]);
        for party in &self.played.parties {
            table.row([party.name.clone(), party.address.to_string()]);
        }
        table
    }
}
