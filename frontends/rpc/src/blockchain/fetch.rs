//! Owns what is taken from others on request: a block of one peer, and a set of coins, which is refused.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::BlockError;
use everett_net::PeerId;

use crate::call::Call;
use crate::error::{INTERNAL_ERROR, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// What a file of coins begins with.
const MAGIC: [u8; 5] = *b"utxo\xff";
/// Bytes of its head: the five, a version, the network, the block, a count.
const HEAD: usize = 5 + 2 + 4 + 32 + 8;
/// The version that is read.
const VERSION: u16 = 2;

pub(super) static GETBLOCKFROMPEER: Method = Method {
    name: "getblockfrompeer",
    category: Category::Blockchain,
    about: "Asks one peer for a block whose header is known, such as one of submitheader. It is validated when it comes. \
            A block that was pruned is not fetched again: what was judged once is not stored a second time.",
    arguments: &[
        Argument::required("blockhash", Kind::Text, "The block"),
        Argument::required(
            "peer_id",
            Kind::Number,
            "The peer's number, as in getpeerinfo",
        ),
    ],
    result: "{}    (empty JSON object) It was asked",
    at: false,
    run: Run::Read(block_from_peer),
};

fn block_from_peer(call: &Call) -> Answer {
    let hash = call.block_hash(0, "blockhash")?;
    let peer: i64 = call.int(1)?;
    if call.ledger().header(&hash).is_none() {
        return Err(RpcError::misc("Block header missing"));
    }
    match call.ledger().block_bytes(&hash) {
        Ok(_) => return Err(RpcError::misc("Block already downloaded")),
        Err(BlockError::Pruned { .. }) => {
            return Err(RpcError::misc(
                "Block was validated here and pruned; it is not stored a second time",
            ));
        }
        Err(_) => {}
    }
    let peer = PeerId(u64::try_from(peer).unwrap_or(u64::MAX));
    match call.peers()?.fetch_block(peer, &hash) {
        Ok(()) => Ok(Json::Object(Vec::new())),
        Err(error) => Err(RpcError::misc(error.to_string())),
    }
}

pub(super) static LOADTXOUTSET: Method = Method {
    name: "loadtxoutset",
    category: Category::Blockchain,
    about: "Would begin with a set of coins that was written by dumptxoutset. It is always refused: every world here is \
            validated from the genesis block on.",
    arguments: &[Argument::required(
        "path",
        Kind::Text,
        "The file, relative to the data directory",
    )],
    result: "{\"coins_loaded\", \"tip_hash\", \"base_height\", \"path\"}    (json object) In Core",
    at: false,
    run: Run::Read(load_tx_out_set),
};

fn load_tx_out_set(call: &Call) -> Answer {
    let path = call.site.config.directory.join(Path::new(call.text(0)?));
    let shown = path.display();
    let unreadable = || RpcError::parameter(format!("Couldn't open file {shown} for reading."));
    let mut file = File::open(&path).map_err(|_| unreadable())?;
    let mut head = [0; HEAD];
    let wrong = |what: &str| {
        RpcError::new(
            crate::error::DESERIALIZATION_ERROR,
            format!("Unable to parse metadata: {what}"),
        )
    };
    file.read_exact(&mut head)
        .map_err(|_| wrong("the file ends within its head"))?;
    if head[..5] != MAGIC {
        return Err(wrong(
            "Invalid UTXO set snapshot magic bytes. Please check if this is indeed a snapshot file or if you are using an outdated snapshot format.",
        ));
    }
    let version = u16::from_le_bytes([head[5], head[6]]);
    if version != VERSION {
        return Err(wrong(&format!(
            "Version of snapshot {version} does not match any of the supported versions."
        )));
    }
    if head[7..11] != call.ledger().params().magic {
        return Err(wrong("the snapshot is of another network"));
    }
    let mut base = [0; 32];
    base.copy_from_slice(&head[11..43]);
    let base = BlockHash::from_byte_array(base);
    Err(RpcError::new(
        INTERNAL_ERROR,
        format!(
            "Unable to load UTXO snapshot: it is of block {base}, and no coins are taken on trust here: every world is \
             validated from the genesis block on. Hand in the blocks instead (everett import, submitblock, or a peer). \
             ({shown})"
        ),
    ))
}
