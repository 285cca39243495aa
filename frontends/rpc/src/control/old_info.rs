//! Owns the old `getinfo`, which Core has dropped and scripts still call.

use everett_ledger::Network;

use crate::call::Call;
use crate::json::{amount, object};
use crate::method::{Answer, Category, Method, Run};
use crate::network::{PROTOCOL_VERSION, VERSION};
use crate::show::difficulty;

pub(super) static GETINFO: Method = Method {
    name: "getinfo",
    category: Category::Hidden,
    about: "What Core's getinfo told until it was dropped, without what it told of wallets.",
    arguments: &[],
    result: "{...}    (json object) version, protocolversion, blocks, timeoffset, connections, proxy, difficulty, \
             testnet, relayfee, errors",
    at: true,
    run: Run::Read(info),
};

fn info(call: &Call) -> Answer {
    let world = call.world()?;
    let peers = call.handle().peers();
    let network = call.ledger().params().network;
    let limits = call.handle().mempool().config();
    Ok(object! {
        "version" => VERSION,
        "protocolversion" => PROTOCOL_VERSION,
        "blocks" => world.height(),
        "timeoffset" => 0,
        "connections" => peers.map_or(0, |peers| peers.list().len()),
        "proxy" => "",
        "difficulty" => difficulty(world.header().bits),
        "testnet" => matches!(network, Network::Testnet3 | Network::Testnet4),
        "relayfee" => amount(limits.min_relay_fee.sat_per_kvb()),
        "errors" => "",
    })
}
