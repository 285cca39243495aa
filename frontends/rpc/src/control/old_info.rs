//! Owns the old `getinfo`, which Core has dropped and scripts still call.

use everett_ledger::Network;

use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Category, Method, Run};
use crate::network::{PROTOCOL_VERSION, VERSION};
use crate::show::difficulty;

pub(super) static GETINFO: Method = Method {
    name: "getinfo",
    category: Category::Hidden,
    about: "What Core's getinfo told until it was dropped; of a wallet where one is loaded.",
    arguments: &[],
    result: "{...}    (json object) version, protocolversion, walletversion, balance, blocks, timeoffset, connections, proxy, difficulty, \
             testnet, keypoolsize, unlocked_until, paytxfee, relayfee, errors",
    at: true,
    run: Run::Read(info),
};

fn info(call: &Call) -> Answer {
    let world = call.world()?;
    let peers = call.handle().peers();
    let network = call.ledger().params().network;
    let limits = call.handle().mempool().config();
    let wallet = crate::wallet::old_info(call);
    let of_wallet = |json: &mut Json, names: &[&str]| {
        for name in names {
            let value = wallet.as_ref().and_then(|wallet| wallet.find(name));
            json.push_some(name, value.cloned());
        }
    };
    let mut json = object! {
        "version" => VERSION,
        "protocolversion" => PROTOCOL_VERSION,
    };
    of_wallet(&mut json, &["walletversion", "balance"]);
    let rest = object! {
        "blocks" => world.height(),
        "timeoffset" => 0,
        "connections" => peers.map_or(0, |peers| peers.list().len()),
        "proxy" => "",
        "difficulty" => difficulty(world.header().bits),
        "testnet" => matches!(network, Network::Testnet3 | Network::Testnet4),
    };
    for (name, value) in rest.object()? {
        json.push(name, value.clone());
    }
    of_wallet(&mut json, &["keypoolsize", "unlocked_until", "paytxfee"]);
    json.push("relayfee", amount(limits.min_relay_fee.sat_per_kvb()));
    json.push("errors", "");
    Ok(json)
}
