//! Owns LabService: making history by hand.
//! Promises that outside lab mode every call answers `LAB_DISABLED`, before its request is looked at.

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Block, BlockHash, ScriptBuf, Transaction};
use everett_ledger::{Outcome, World};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::lab_service_server::LabService;
use everett_scenario::assemble::{self, MineError};
use everett_scenario::scenario::{PlayedWorld, Scenario};
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::chain_service::Told;
use crate::convert;
use crate::fault::Fault;
use crate::parse;
use crate::reading::Reading;
use crate::{MAX_MINED_BLOCKS, MAX_SCENARIO_BYTES};

/// How often a block that came out twice is mined again, each time a second later.
const MAX_TWINS: u32 = 600;

/// Nonces that are tried for a mended block; regtest takes two on average.
const MAX_NONCES: u32 = 1 << 20;

/// The script that anyone can spend: OP_TRUE.
const ANYONE: [u8; 1] = [0x51];

pub(crate) struct Lab(Calls);

impl Lab {
    pub(crate) fn new(calls: Calls) -> Lab {
        Lab(calls)
    }

    fn check(&self) -> Result<(), Fault> {
        match self.0.lab() {
            true => Ok(()),
            false => Err(Fault::lab_disabled()),
        }
    }
}

#[tonic::async_trait]
impl LabService for Lab {
    async fn mine_blocks(
        &self,
        request: Request<v1::MineBlocksRequest>,
    ) -> Result<Response<v1::MineBlocksResponse>, Status> {
        self.check()?;
        self.0.write(request, mine_blocks).await
    }

    async fn inject_block(
        &self,
        request: Request<v1::InjectBlockRequest>,
    ) -> Result<Response<v1::InjectBlockResponse>, Status> {
        self.check()?;
        self.0
            .write(request, |reading, request| {
                let bytes = match request.mend_header {
                    true => mend(&request.block)?,
                    false => request.block,
                };
                let told = Told::new(reading, &reading.ledger.submit_block(&bytes)?);
                Ok(v1::InjectBlockResponse {
                    world: told.world,
                    block: Some(told.block),
                    joined: told.joined,
                })
            })
            .await
    }

    async fn invalidate_block(
        &self,
        request: Request<v1::InvalidateBlockRequest>,
    ) -> Result<Response<v1::InvalidateBlockResponse>, Status> {
        self.check()?;
        self.0
            .write(request, |reading, request| {
                let hash = parse::block_hash("block_hash", &request.block_hash)?;
                reading.ledger.invalidate_block(&hash)?;
                Ok(v1::InvalidateBlockResponse {
                    world: Some(reading.tell(&reading.ledger.best())?),
                })
            })
            .await
    }

    async fn reconsider_block(
        &self,
        request: Request<v1::ReconsiderBlockRequest>,
    ) -> Result<Response<v1::ReconsiderBlockResponse>, Status> {
        self.check()?;
        self.0
            .write(request, |reading, request| {
                let hash = parse::block_hash("block_hash", &request.block_hash)?;
                reading.ledger.reconsider_block(&hash)?;
                Ok(v1::ReconsiderBlockResponse {
                    world: Some(reading.tell(&reading.ledger.best())?),
                })
            })
            .await
    }

    async fn play_scenario(
        &self,
        request: Request<v1::PlayScenarioRequest>,
    ) -> Result<Response<v1::PlayScenarioResponse>, Status> {
        self.check()?;
        self.0.write(request, play_scenario).await
    }
}

fn mine_blocks(
    reading: &Reading<'_>,
    request: v1::MineBlocksRequest,
) -> Result<v1::MineBlocksResponse, Fault> {
    let count = request.count.max(1);
    if count > MAX_MINED_BLOCKS {
        return Err(Fault::field(
            "count",
            format!("{count} blocks; one call mines at most {MAX_MINED_BLOCKS}"),
        ));
    }
    let mut transactions = request
        .transactions
        .iter()
        .enumerate()
        .map(|(index, bytes)| {
            deserialize::<Transaction>(bytes)
                .map_err(|error| Fault::field(format!("transactions[{index}]"), error.to_string()))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let network = reading.ledger.params().network;
    let payout = match &request.payout {
        None => ScriptBuf::from_bytes(ANYONE.to_vec()),
        payout => parse::script_pubkey("payout", payout.as_ref(), network)?,
    };
    let mut time = parse::header_time("time", request.time)?;
    let mut tip = reading.world("parent", request.parent)?;
    let mut block_hashes = Vec::new();
    for _ in 0..count {
        reading.patience.check()?;
        tip = mine(
            reading,
            &tip,
            std::mem::take(&mut transactions),
            &payout,
            time.take(),
        )?;
        block_hashes.push(tip.hash().to_string());
    }
    Ok(v1::MineBlocksResponse {
        world: Some(reading.tell(&tip)?),
        block_hashes,
    })
}

/// Mines one block that is not there yet and hands it in.
fn mine(
    reading: &Reading<'_>,
    parent: &World,
    transactions: Vec<Transaction>,
    payout: &ScriptBuf,
    time: Option<u32>,
) -> Result<World, Fault> {
    let mut at = time;
    for _ in 0..MAX_TWINS {
        reading.patience.check()?;
        let block = assemble::mine(reading.ledger, parent, transactions.clone(), payout, at)
            .map_err(refused_mining)?;
        match reading.ledger.submit_block(&block)?.outcome {
            Outcome::Accepted { hash, .. } => return Ok(reading.ledger.world(&hash)?),
            // The same choices on the same parent make the same block: a second later they do not.
            Outcome::Known { .. } if time.is_none() => at = Some(next_second(&block)?),
            Outcome::Known { hash, .. } => {
                return Err(Fault::field(
                    "time",
                    format!(
                        "block {hash}, mined at this time, is there already; choose another time"
                    ),
                )
                .with("block_hash", hash));
            }
            Outcome::Rejected { hash, reject, .. } => {
                return Err(Fault::refused_field(
                    ErrorReason::BlockRejected,
                    "transactions",
                    format!("the block is rejected: {reject}"),
                )
                .with("reject_reason", &reject.reason)
                .with("block_hash", hash));
            }
            other @ (Outcome::Orphan { .. } | Outcome::Undecodable(_)) => {
                return Err(Fault::new(
                    Code::Internal,
                    ErrorReason::Internal,
                    format!("a block mined on a known parent came to nothing: {other:?}"),
                ));
            }
        }
    }
    Err(Fault::field(
        "parent",
        format!("{MAX_TWINS} such blocks are there already; choose a time"),
    ))
}

/// The second after a block's.
fn next_second(block: &[u8]) -> Result<u32, Fault> {
    /// Length of a header in bytes.
    const HEADER_BYTES: usize = 80;
    block
        .get(..HEADER_BYTES)
        .and_then(|bytes| deserialize::<Header>(bytes).ok())
        .and_then(|header| header.time.checked_add(1))
        .ok_or_else(|| Fault::field("time", "the last second that a header can hold is over"))
}

fn refused_mining(error: MineError) -> Fault {
    match error {
        MineError::Read(error) => error.into(),
        MineError::TooHard { .. } | MineError::NoNonce { .. } => {
            Fault::field("parent", error.to_string())
        }
        error @ (MineError::MissingCoin { .. }
        | MineError::Overspent { .. }
        | MineError::Coinbase { .. }
        | MineError::AmountOverflow { .. }) => {
            let reason = match error {
                MineError::Overspent { .. } => "bad-txns-in-belowout",
                MineError::Coinbase { .. } => "bad-cb-multiple",
                MineError::AmountOverflow { .. } => "bad-txns-txouttotal-toolarge",
                _ => "bad-txns-inputs-missingorspent",
            };
            Fault::refused_field(
                ErrorReason::BlockRejected,
                "transactions",
                error.to_string(),
            )
            .with("reject_reason", reason)
        }
    }
}

/// Makes a block's merkle root and nonce right.
fn mend(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut block: Block =
        deserialize(bytes).map_err(|error| Fault::field("block", error.to_string()))?;
    block.header.merkle_root = block
        .compute_merkle_root()
        .ok_or_else(|| Fault::field("block", "a block without transactions has no merkle root"))?;
    let target = block.header.target();
    for nonce in 0..MAX_NONCES {
        block.header.nonce = nonce;
        let hash: BlockHash = block.header.block_hash();
        if target.is_met_by(hash) {
            return Ok(serialize(&block));
        }
    }
    Err(Fault::field(
        "block",
        format!("its target is too hard: none of {MAX_NONCES} nonces meets it"),
    ))
}

fn play_scenario(
    reading: &Reading<'_>,
    request: v1::PlayScenarioRequest,
) -> Result<v1::PlayScenarioResponse, Fault> {
    if request.scenario.len() > MAX_SCENARIO_BYTES {
        return Err(Fault::field(
            "scenario",
            format!(
                "{} bytes; a scenario has at most {MAX_SCENARIO_BYTES}",
                request.scenario.len()
            ),
        ));
    }
    let scenario = Scenario::parse(&request.scenario)
        .map_err(|error| Fault::field("scenario", error.to_string()))?;
    let played = scenario.play(reading.ledger).map_err(|error| {
        Fault::new(
            Code::FailedPrecondition,
            ErrorReason::ScenarioFailed,
            error.to_string(),
        )
        .with("step", error.step)
        .with("line", error.line)
    })?;
    Ok(v1::PlayScenarioResponse {
        world: Some(reading.tell(&reading.ledger.best())?),
        worlds: played
            .worlds
            .iter()
            .map(|world| tell_played(reading, world))
            .collect(),
        unmet: played.unmet.iter().map(ToString::to_string).collect(),
        parties: played
            .parties
            .iter()
            .map(|party| v1::ScenarioParty {
                name: party.name.clone(),
                address: party.address.to_string(),
                script_pubkey: party.script_pubkey.to_bytes(),
            })
            .collect(),
        blocks: played
            .blocks
            .iter()
            .map(|block| v1::ScenarioBlock {
                label: block.label.clone(),
                block_hash: block.hash.to_string(),
                height: block.height,
            })
            .collect(),
    })
}

fn tell_played(reading: &Reading<'_>, played: &PlayedWorld) -> v1::PlayedWorld {
    v1::PlayedWorld {
        world: reading
            .ledger
            .block_info(&played.tip_hash)
            .map(|info| convert::world(&info, played.best)),
        balances: played
            .balances
            .iter()
            .map(|(name, sat)| v1::NamedBalance {
                name: name.clone(),
                confirmed_sat: *sat,
            })
            .collect(),
        label: played.label.clone().unwrap_or_default(),
    }
}
