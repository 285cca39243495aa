//! Owns WorldService: which worlds there are, how they differ, and holding on to one.

use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, BlockHash};
use everett_ledger::{Diff, Side, Tip};
use everett_proto::v1;
use everett_proto::v1::diff_worlds_response::Part;
use everett_proto::v1::world_service_server::WorldService;
use tonic::{Request, Response, Status};

use crate::calls::Calls;
use crate::convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;
use crate::reading::Reading;

/// Most changes in one message of a diff.
const CHANGES_A_MESSAGE: usize = 1_000;

pub(crate) struct Worlds(Calls);

impl Worlds {
    pub(crate) fn new(calls: Calls) -> Worlds {
        Worlds(calls)
    }
}

/// The messages of a diff, made as they are sent.
type Messages = Box<dyn Iterator<Item = Result<v1::DiffWorldsResponse, Status>> + Send>;

/// See [`Messages`].
pub(crate) type DiffStream = tokio_stream::Iter<Messages>;

#[tonic::async_trait]
impl WorldService for Worlds {
    async fn list_worlds(
        &self,
        request: Request<v1::ListWorldsRequest>,
    ) -> Result<Response<v1::ListWorldsResponse>, Status> {
        self.0.read(request, list_worlds).await
    }

    async fn get_world(
        &self,
        request: Request<v1::GetWorldRequest>,
    ) -> Result<Response<v1::GetWorldResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let world = reading.world("world", request.world)?;
                Ok(v1::GetWorldResponse {
                    world: Some(reading.tell(&world)?),
                })
            })
            .await
    }

    async fn compare_worlds(
        &self,
        request: Request<v1::CompareWorldsRequest>,
    ) -> Result<Response<v1::CompareWorldsResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let a = reading.world("a", request.a)?;
                let b = reading.world("b", request.b)?;
                let comparison = reading.ledger.compare(&a, &b);
                Ok(v1::CompareWorldsResponse {
                    a: Some(reading.tell(&a)?),
                    b: Some(reading.tell(&b)?),
                    fork_hash: comparison.fork_hash.to_string(),
                    fork_height: comparison.fork_height,
                    undone: comparison.undone.iter().map(BlockHash::to_string).collect(),
                    applied: comparison
                        .applied
                        .iter()
                        .map(BlockHash::to_string)
                        .collect(),
                })
            })
            .await
    }

    type DiffWorldsStream = DiffStream;

    async fn diff_worlds(
        &self,
        request: Request<v1::DiffWorldsRequest>,
    ) -> Result<Response<DiffStream>, Status> {
        self.0.read(request, diff_worlds).await
    }

    async fn list_conflicts(
        &self,
        request: Request<v1::ListConflictsRequest>,
    ) -> Result<Response<v1::ListConflictsResponse>, Status> {
        self.0.read(request, list_conflicts).await
    }

    async fn pin_world(
        &self,
        request: Request<v1::PinWorldRequest>,
    ) -> Result<Response<v1::PinWorldResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let ttl = request.ttl.map(ttl).transpose()?;
                let world = reading.world("world", request.world)?;
                let told = reading.tell(&world)?;
                let pinned = reading.pins.pin(world, ttl)?;
                Ok(v1::PinWorldResponse {
                    world: Some(told),
                    pin_id: pinned.id,
                    expire_time: Some(pinned.expires.into()),
                })
            })
            .await
    }

    async fn unpin_world(
        &self,
        request: Request<v1::UnpinWorldRequest>,
    ) -> Result<Response<v1::UnpinWorldResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                reading.pins.unpin(&request.pin_id)?;
                Ok(v1::UnpinWorldResponse {})
            })
            .await
    }
}

fn ttl(duration: prost_types::Duration) -> Result<Duration, Fault> {
    parse::duration(duration).ok_or_else(|| Fault::field("ttl", "a length of time is not negative"))
}

fn list_worlds(
    reading: &Reading<'_>,
    request: v1::ListWorldsRequest,
) -> Result<v1::ListWorldsResponse, Fault> {
    let size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Worlds, &request.page_token)?;
    for (index, status) in request.statuses.iter().enumerate() {
        if v1::WorldStatus::try_from(*status).is_err() {
            return Err(Fault::field(
                format!("statuses[{index}]"),
                format!("{status} is no status"),
            ));
        }
    }
    let mut tips = reading.ledger.tips();
    tips.retain(|tip| {
        request.statuses.is_empty()
            || request
                .statuses
                .contains(&convert::status(tip.status).into())
    });
    let list = [fingerprint(&tips)];
    let start = match &token {
        None => 0,
        Some(token) => {
            token.check(&list, &[])?;
            u64::from_be_bytes(token.position()?)
        }
    };
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(tips.len());
    let end = start.saturating_add(size).min(tips.len());
    let next_page_token = match end < tips.len() {
        true => Token::new(
            List::Worlds,
            &list,
            &[],
            (end as u64).to_be_bytes().to_vec(),
        )
        .to_text(),
        false => String::new(),
    };
    Ok(v1::ListWorldsResponse {
        worlds: tips[start..end].iter().map(convert::tip).collect(),
        next_page_token,
        total_size: i32::try_from(tips.len()).unwrap_or(i32::MAX),
    })
}

/// Stands for a list of tips: another list has another one.
fn fingerprint(tips: &[Tip]) -> BlockHash {
    let mut bytes = Vec::with_capacity(tips.len() * 33);
    for tip in tips {
        bytes.extend_from_slice(tip.hash.as_byte_array());
        bytes.push(convert::status(tip.status) as u8);
    }
    BlockHash::from_byte_array(sha256::Hash::hash(&bytes).to_byte_array())
}

fn diff_worlds(reading: &Reading<'_>, request: v1::DiffWorldsRequest) -> Result<DiffStream, Fault> {
    let a = reading.world("a", request.a)?;
    let b = reading.world("b", request.b)?;
    let network = reading.ledger.params().network;
    let Diff {
        comparison,
        coins,
        balances,
    } = reading.ledger.diff(&a, &b)?;
    let summary = v1::DiffSummary {
        a: Some(reading.tell(&a)?),
        b: Some(reading.tell(&b)?),
        fork_hash: comparison.fork_hash.to_string(),
        fork_height: comparison.fork_height,
        undone_count: count(comparison.undone.len()),
        applied_count: count(comparison.applied.len()),
        coin_count: coins.len() as u64,
        balance_count: balances.len() as u64,
    };
    let coins = chunks(coins).map(|coins| {
        Part::Coins(v1::CoinChanges {
            changes: coins
                .iter()
                .map(|change| v1::CoinChange {
                    side: match change.side {
                        Side::A => v1::DiffSide::OnlyInA,
                        Side::B => v1::DiffSide::OnlyInB,
                    }
                    .into(),
                    output: Some(convert::unspent(&change.outpoint, &change.coin)),
                })
                .collect(),
        })
    });
    let balances = chunks(balances).map(move |balances| {
        Part::Balances(v1::BalanceChanges {
            changes: balances
                .iter()
                .map(|change| v1::BalanceChange {
                    script_pubkey: change.script_pubkey.as_bytes().to_vec(),
                    address: convert::address(&change.script_pubkey, network),
                    balance_a_sat: convert::sat(Amount::from_sat(change.sat_a)),
                    balance_b_sat: convert::sat(Amount::from_sat(change.sat_b)),
                })
                .collect(),
        })
    });
    let patience = reading.patience.without_client();
    let messages: Messages = Box::new(
        std::iter::once(Part::Summary(summary))
            .chain(coins)
            .chain(balances)
            .map(move |part| {
                patience.check()?;
                Ok(v1::DiffWorldsResponse { part: Some(part) })
            }),
    );
    Ok(tokio_stream::iter(messages))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Cuts a list into the pieces that one message holds.
fn chunks<T: Send + 'static>(items: Vec<T>) -> impl Iterator<Item = Vec<T>> + Send {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = items.by_ref().take(CHANGES_A_MESSAGE).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn list_conflicts(
    reading: &Reading<'_>,
    request: v1::ListConflictsRequest,
) -> Result<v1::ListConflictsResponse, Fault> {
    let size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Conflicts, &request.page_token)?;
    let a = reading.world("a", paging::pinned(token.as_ref(), 0, request.a))?;
    let b = reading.world("b", paging::pinned(token.as_ref(), 1, request.b))?;
    let blocks = [a.hash(), b.hash()];
    let start = match &token {
        None => 0,
        Some(token) => {
            token.check(&blocks, &[])?;
            u64::from_be_bytes(token.position()?)
        }
    };
    let conflicts = reading.ledger.conflicts(&a, &b)?;
    let start = usize::try_from(start)
        .unwrap_or(usize::MAX)
        .min(conflicts.len());
    let end = start.saturating_add(size).min(conflicts.len());
    let next_page_token = match end < conflicts.len() {
        true => {
            let position = (end as u64).to_be_bytes().to_vec();
            Token::new(List::Conflicts, &blocks, &[], position).to_text()
        }
        false => String::new(),
    };
    Ok(v1::ListConflictsResponse {
        conflicts: conflicts[start..end]
            .iter()
            .map(convert::conflict)
            .collect(),
        fork_hash: reading.ledger.compare(&a, &b).fork_hash.to_string(),
        next_page_token,
        a: Some(reading.tell(&a)?),
        b: Some(reading.tell(&b)?),
    })
}
