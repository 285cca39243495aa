//! Owns the handing in of blocks and headers.

use bitcoin::block::Header;
use bitcoin::consensus::encode::{deserialize, deserialize_partial, serialize};
use bitcoin::hex::FromHex;
use bitcoin::{Block, VarInt, Witness};
use everett_ledger::decode::{DecodedBlock, decode_transaction};
use everett_ledger::rules::witnesses::witness_commitment_index;
use everett_ledger::{ChainStatus, Outcome};

use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError, VERIFY_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// The nonce of a witness commitment that a coinbase without one is given.
const WITNESS_NONCE: [u8; 32] = [0; 32];

pub(super) static SUBMITBLOCK: Method = Method {
    name: "submitblock",
    category: Category::Mining,
    about: "Hands in a block (BIP22).",
    arguments: &[
        Argument::required("hexdata", Kind::Text, "The block in hexadecimal"),
        Argument::optional("dummy", Kind::Text, "Of no effect"),
    ],
    result: "null    (json null) It is the best block now; or (string) why not: inconclusive for one that is valid on \
             another branch, duplicate, or what is wrong with it",
    at: false,
    run: Run::Submit(submit_block),
};

fn submit_block(call: &Call) -> Answer {
    let undecodable = || RpcError::new(DESERIALIZATION_ERROR, "Block decode failed");
    let bytes = Vec::<u8>::from_hex(call.text(0)?).map_err(|_| undecodable())?;
    let submitted = match with_witness_nonce(call, &bytes) {
        Some(block) => call.ledger().submit_block(&serialize(&block))?,
        None => call.ledger().submit_block(&bytes)?,
    };
    Ok(match submitted.outcome {
        Outcome::Undecodable(_) => return Err(undecodable()),
        // Core has not looked at a block off the best chain yet when it answers.
        Outcome::Accepted {
            best: false,
            status,
            ..
        } if status != ChainStatus::Active => Json::from("inconclusive"),
        outcome => Json::from(outcome.bip22()),
    })
}

/// Miners may leave out the coinbase's witness, which every block with a commitment has to have.
fn with_witness_nonce(call: &Call, bytes: &[u8]) -> Option<Block> {
    // The ledger decodes the block; what has to be known here stands at its beginning.
    let (header, transactions) = bytes.split_first_chunk::<{ Header::SIZE }>()?;
    let (_, count) = deserialize_partial::<VarInt>(transactions).ok()?;
    let (coinbase, _) = decode_transaction(&transactions[count..]).ok()?;
    let bare = coinbase.tx.input.first()?.witness.is_empty();
    let header: Header = deserialize(header).ok()?;
    let alone = DecodedBlock::new(header, vec![coinbase]);
    if !bare || witness_commitment_index(&alone).is_none() {
        return None;
    }
    let parent = call.ledger().header(&header.prev_blockhash)?;
    if parent.height + 1 < call.ledger().params().segwit_height {
        return None;
    }
    let mut block: Block = deserialize(bytes).ok()?;
    let input = block.txdata.first_mut()?.input.first_mut()?;
    input.witness = Witness::from_slice(&[WITNESS_NONCE]);
    Some(block)
}

pub(super) static SUBMITHEADER: Method = Method {
    name: "submitheader",
    category: Category::Mining,
    about: "Hands in a header, whose block may come later.",
    arguments: &[Argument::required(
        "hexdata",
        Kind::Text,
        "The header in hexadecimal",
    )],
    result: "null    (json null) It is valid",
    at: false,
    run: Run::Submit(submit_header),
};

fn submit_header(call: &Call) -> Answer {
    let bytes = Vec::<u8>::from_hex(call.text(0)?).ok();
    let header: Option<Header> = bytes.and_then(|bytes| {
        let header = bytes.get(..80)?;
        deserialize(header).ok()
    });
    let header =
        header.ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, "Block header decode failed"))?;
    if call.ledger().header(&header.prev_blockhash).is_none() {
        return Err(RpcError::new(
            VERIFY_ERROR,
            format!(
                "Must submit previous header ({}) first",
                header.prev_blockhash
            ),
        ));
    }
    match call.ledger().submit_headers(&[header])? {
        Ok(()) => Ok(Json::Null),
        Err((_, reject)) => Err(RpcError::new(VERIFY_ERROR, reject.reason.into_owned())),
    }
}
