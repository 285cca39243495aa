//! Owns LedgerService: balances, coins and transactions at any world.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use everett_ledger::World;
use everett_proto::v1;
use everett_proto::v1::ledger_service_server::LedgerService;
use tonic::{Request, Response, Status};

use crate::MAX_BATCH_SCRIPTS;
use crate::calls::Calls;
use crate::convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;
use crate::reading::Reading;
use crate::transactions;

pub(crate) struct LedgerReads(Calls);

impl LedgerReads {
    pub(crate) fn new(calls: Calls) -> LedgerReads {
        LedgerReads(calls)
    }
}

#[tonic::async_trait]
impl LedgerService for LedgerReads {
    async fn get_balance(
        &self,
        request: Request<v1::GetBalanceRequest>,
    ) -> Result<Response<v1::GetBalanceResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let network = reading.ledger.params().network;
                let script = parse::script_hash("script", request.script.as_ref(), network)?;
                let world = reading.world("world", request.world)?;
                let balance = world.balance(&script)?;
                Ok(v1::GetBalanceResponse {
                    world: Some(reading.tell(&world)?),
                    balance: Some(convert::balance(request.script, &balance)),
                })
            })
            .await
    }

    async fn batch_get_balances(
        &self,
        request: Request<v1::BatchGetBalancesRequest>,
    ) -> Result<Response<v1::BatchGetBalancesResponse>, Status> {
        self.0.read(request, batch_get_balances).await
    }

    async fn list_unspent_outputs(
        &self,
        request: Request<v1::ListUnspentOutputsRequest>,
    ) -> Result<Response<v1::ListUnspentOutputsResponse>, Status> {
        self.0.read(request, list_unspent_outputs).await
    }

    async fn get_transaction_output(
        &self,
        request: Request<v1::GetTransactionOutputRequest>,
    ) -> Result<Response<v1::GetTransactionOutputResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let outpoint = parse::outpoint("outpoint", request.outpoint)?;
                let world = reading.world("world", request.world)?;
                let coin = world.coin(&outpoint)?;
                Ok(v1::GetTransactionOutputResponse {
                    world: Some(reading.tell(&world)?),
                    confirmations: coin
                        .as_ref()
                        .map_or(0, |coin| confirmations(&world, coin.height)),
                    output: coin.map(|coin| convert::unspent(&outpoint, &coin)),
                })
            })
            .await
    }

    async fn get_transaction(
        &self,
        request: Request<v1::GetTransactionRequest>,
    ) -> Result<Response<v1::GetTransactionResponse>, Status> {
        self.0.read(request, transactions::get).await
    }

    async fn get_utxo_set_info(
        &self,
        request: Request<v1::GetUtxoSetInfoRequest>,
    ) -> Result<Response<v1::GetUtxoSetInfoResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let world = reading.world("world", request.world)?;
                let info = world.set_info_while(|| reading.patience.lasts())?;
                Ok(v1::GetUtxoSetInfoResponse {
                    world: Some(reading.tell(&world)?),
                    txouts: info.txouts,
                    total_amount_sat: i64::try_from(info.total_sat).unwrap_or(i64::MAX),
                    bogosize: info.bogosize,
                    muhash: info.muhash_hex(),
                    hash_serialized_3: info.hash_serialized_3_hex(),
                })
            })
            .await
    }
}

/// Blocks from the one at `height` up to the world's tip, both counted.
fn confirmations(world: &World, height: u32) -> u32 {
    (world.height() + 1).saturating_sub(height)
}

fn batch_get_balances(
    reading: &Reading<'_>,
    request: v1::BatchGetBalancesRequest,
) -> Result<v1::BatchGetBalancesResponse, Fault> {
    if request.scripts.is_empty() || request.scripts.len() > MAX_BATCH_SCRIPTS {
        return Err(Fault::field(
            "scripts",
            format!(
                "{} scripts; a batch has 1 to {MAX_BATCH_SCRIPTS}",
                request.scripts.len()
            ),
        ));
    }
    let network = reading.ledger.params().network;
    let scripts = request
        .scripts
        .iter()
        .enumerate()
        .map(|(index, script)| {
            parse::script_hash(&format!("scripts[{index}]"), Some(script), network)
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let world = reading.world("world", request.world)?;
    let mut balances = Vec::with_capacity(scripts.len());
    for (script, hash) in request.scripts.into_iter().zip(scripts) {
        reading.patience.check()?;
        balances.push(convert::balance(Some(script), &world.balance(&hash)?));
    }
    Ok(v1::BatchGetBalancesResponse {
        world: Some(reading.tell(&world)?),
        balances,
    })
}

fn list_unspent_outputs(
    reading: &Reading<'_>,
    request: v1::ListUnspentOutputsRequest,
) -> Result<v1::ListUnspentOutputsResponse, Fault> {
    let size = paging::page_size(request.page_size)?;
    let network = reading.ledger.params().network;
    let script = parse::script_hash("script", request.script.as_ref(), network)?;
    let token = Token::parse(List::UnspentOutputs, &request.page_token)?;
    let world = reading.world("world", paging::pinned(token.as_ref(), 0, request.world))?;
    let blocks = [world.hash()];
    let after = match &token {
        None => None,
        Some(token) => {
            token.check(&blocks, &script.0)?;
            Some(outpoint_from(token.position()?))
        }
    };
    // One more than the page holds tells whether there is another page.
    let mut coins = world.coins_of(&script, after, size + 1)?;
    let more = coins.len() > size;
    coins.truncate(size);
    let next_page_token = match coins.last() {
        Some((last, _)) if more => {
            let position = position_of(last).to_vec();
            Token::new(List::UnspentOutputs, &blocks, &script.0, position).to_text()
        }
        _ => String::new(),
    };
    Ok(v1::ListUnspentOutputsResponse {
        world: Some(reading.tell(&world)?),
        outputs: coins
            .iter()
            .map(|(outpoint, coin)| convert::unspent(outpoint, coin))
            .collect(),
        next_page_token,
    })
}

/// An outpoint in a token: txid as hashed, vout big-endian.
fn position_of(outpoint: &OutPoint) -> [u8; 36] {
    let mut position = [0; 36];
    position[..32].copy_from_slice(outpoint.txid.as_byte_array());
    position[32..].copy_from_slice(&outpoint.vout.to_be_bytes());
    position
}

fn outpoint_from(position: [u8; 36]) -> OutPoint {
    let mut txid = [0; 32];
    txid.copy_from_slice(&position[..32]);
    let mut vout = [0; 4];
    vout.copy_from_slice(&position[32..]);
    OutPoint {
        txid: Txid::from_byte_array(txid),
        vout: u32::from_be_bytes(vout),
    }
}
