//! Owns ChainService: blocks and headers of every branch, and handing in a block.

use everett_ledger::{BlockInfo, Submitted};
use everett_proto::v1;
use everett_proto::v1::chain_service_server::ChainService;
use tonic::{Request, Response, Status};

use crate::calls::Calls;
use crate::convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::reading::Reading;

pub(crate) struct Chain(Calls);

impl Chain {
    pub(crate) fn new(calls: Calls) -> Chain {
        Chain(calls)
    }
}

#[tonic::async_trait]
impl ChainService for Chain {
    async fn get_block(
        &self,
        request: Request<v1::GetBlockRequest>,
    ) -> Result<Response<v1::GetBlockResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let info = reading.block("world", request.world)?;
                let block = reading.ledger.block_bytes(&info.hash)?;
                Ok(v1::GetBlockResponse {
                    world: Some(tell(reading, &info)),
                    header: Some(convert::header(&info)),
                    block,
                })
            })
            .await
    }

    async fn get_block_header(
        &self,
        request: Request<v1::GetBlockHeaderRequest>,
    ) -> Result<Response<v1::GetBlockHeaderResponse>, Status> {
        self.0
            .read(request, |reading, request| {
                let info = reading.block("world", request.world)?;
                Ok(v1::GetBlockHeaderResponse {
                    world: Some(tell(reading, &info)),
                    header: Some(convert::header(&info)),
                })
            })
            .await
    }

    async fn list_headers(
        &self,
        request: Request<v1::ListHeadersRequest>,
    ) -> Result<Response<v1::ListHeadersResponse>, Status> {
        self.0.read(request, list_headers).await
    }

    async fn submit_block(
        &self,
        request: Request<v1::SubmitBlockRequest>,
    ) -> Result<Response<v1::SubmitBlockResponse>, Status> {
        self.0
            .submit(request, |reading, request| {
                let submitted = reading.ledger.submit_block(&request.block)?;
                let told = Told::new(reading, &submitted);
                Ok(v1::SubmitBlockResponse {
                    world: told.world,
                    block: Some(told.block),
                    joined: told.joined,
                })
            })
            .await
    }
}

fn tell(reading: &Reading<'_>, info: &BlockInfo) -> v1::World {
    convert::world(info, reading.ledger.best().hash() == info.hash)
}

/// What became of a block that was handed in, in messages.
pub(crate) struct Told {
    pub(crate) world: Option<v1::World>,
    pub(crate) block: v1::BlockOutcome,
    pub(crate) joined: Vec<v1::BlockOutcome>,
}

impl Told {
    pub(crate) fn new(reading: &Reading<'_>, submitted: &Submitted) -> Told {
        let info = convert::outcome_hash(&submitted.outcome)
            .and_then(|hash| reading.ledger.block_info(&hash));
        Told {
            world: info.map(|info| tell(reading, &info)),
            block: convert::outcome(&submitted.outcome),
            joined: submitted
                .joined
                .iter()
                .map(|(_, outcome)| convert::outcome(outcome))
                .collect(),
        }
    }
}

fn list_headers(
    reading: &Reading<'_>,
    request: v1::ListHeadersRequest,
) -> Result<v1::ListHeadersResponse, Fault> {
    let size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Headers, &request.page_token)?;
    let world = reading.world(
        "world",
        paging::pinned(token.as_ref(), 0, request.world.clone()),
    )?;
    let blocks = [world.hash()];
    let mut filter = request.start_height.to_be_bytes().to_vec();
    filter.extend(request.end_height.map_or([0xff; 4], u32::to_be_bytes));
    filter.push(u8::from(request.all_branches));

    let (mut height, mut skip) = match &token {
        None => (request.start_height, 0),
        Some(token) => {
            token.check(&blocks, &filter)?;
            let position = u64::from_be_bytes(token.position()?);
            ((position >> 32) as u32, position as u32 as usize)
        }
    };
    let last = last_height(reading, &world, &request);
    let mut headers = Vec::new();
    // `skip` counts the blocks of a height that earlier pages had: later arrivals stand behind them.
    while height <= last && headers.len() < size {
        reading.patience.check()?;
        let here = blocks_at(reading, &world, height, request.all_branches);
        let room = size - headers.len();
        let taken = here.iter().skip(skip).take(room).map(convert::header);
        let before = headers.len();
        headers.extend(taken);
        skip += headers.len() - before;
        if skip >= here.len() {
            height += 1;
            skip = 0;
        }
    }
    let next_page_token = match height <= last {
        true => {
            let position = (u64::from(height) << 32) | skip as u64;
            let position = position.to_be_bytes().to_vec();
            Token::new(List::Headers, &blocks, &filter, position).to_text()
        }
        false => String::new(),
    };
    Ok(v1::ListHeadersResponse {
        world: Some(reading.tell(&world)?),
        headers,
        next_page_token,
    })
}

/// The height at which a list of headers ends.
fn last_height(
    reading: &Reading<'_>,
    world: &everett_ledger::World,
    request: &v1::ListHeadersRequest,
) -> u32 {
    let highest = match request.all_branches {
        false => world.height(),
        true => reading
            .ledger
            .tips()
            .iter()
            .map(|tip| tip.height)
            .max()
            .unwrap_or(0),
    };
    request.end_height.map_or(highest, |end| end.min(highest))
}

fn blocks_at(
    reading: &Reading<'_>,
    world: &everett_ledger::World,
    height: u32,
    all_branches: bool,
) -> Vec<BlockInfo> {
    match all_branches {
        true => reading.ledger.blocks_at_height(height),
        false => world
            .block_hash_at(height)
            .and_then(|hash| reading.ledger.block_info(&hash))
            .into_iter()
            .collect(),
    }
}
