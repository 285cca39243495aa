//! Owns the way from a running node, over gRPC, to a recording: what it has, and then what comes.
//! Promises that no block between the two is lost: the events are asked for before the blocks are listed.
//! Refuses to reconnect: a node that goes away ends the recording, which is whole up to there.

use std::collections::HashSet;
use std::path::Path;

use bitcoin::BlockHash;
use everett_ledger::{INVALIDATED_BY_HAND, Network, Params};
use everett_proto::v1;
use everett_proto::v1::chain_service_client::ChainServiceClient;
use everett_proto::v1::event_service_client::EventServiceClient;
use everett_proto::v1::stream_events_request::Start;
use everett_proto::v1::stream_events_response::Message;
use everett_proto::v1::world_ref::Ref;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::{Entry, Happening, Head, Moment, RecordingError, RecordingWriter, UNKNOWN_MAGIC};

/// Headers on a page: what servers allow at most.
const PAGE_SIZE: i32 = 1_000;

/// The longest message: a block and room for what surrounds it.
const MAX_MESSAGE_BYTES: usize = 40 << 20;

/// Bytes of a header.
const HEADER_BYTES: usize = 80;

/// Why a node could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The node refused a call or went away; what was recorded before is kept.
    #[error("the node answers {doing} with {}: {}", status.code(), status.message())]
    Call {
        /// What it was asked.
        doing: &'static str,
        /// Its answer.
        status: Box<Status>,
    },
    /// The node's genesis block is that of no network.
    #[error("the node's genesis block {0} is that of no network known here")]
    UnknownNetwork(String),
    /// An answer makes no sense.
    #[error("the node's answer to {doing} makes no sense: {detail}")]
    Nonsense {
        /// What it was asked.
        doing: &'static str,
        /// What is wrong with the answer.
        detail: String,
    },
    /// The token cannot be sent.
    #[error("the token is not of visible ASCII characters")]
    Token,
    /// The recording could not be written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Records a running node into a new file: the blocks at height `from` and above that it has, on all branches, in the
/// order in which they came, and with `follow` those that come, each with its moment, until `stop` is done. How many
/// entries there are. `watch` is told of each.
///
/// # Errors
///
/// [`FollowError`]. What was recorded before it stays in the file, without an end.
pub async fn follow_server(
    channel: Channel,
    token: Option<&str>,
    path: &Path,
    from: u32,
    follow: bool,
    stop: impl Future<Output = ()>,
    watch: &mut (dyn FnMut(&Entry, u64) + Send),
) -> Result<u64, FollowError> {
    let token = Token::new(token)?;
    let service = InterceptedService::new(channel, token);
    let mut node = Node {
        chain: ChainServiceClient::new(service.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES),
        recorded: HashSet::new(),
        invalidated: HashSet::new(),
    };
    let params = node.network().await?;
    let mut head = Head::new(&params, "a running node, over gRPC");
    if params.network == Network::Signet {
        // Signets of one's own have the same genesis block and another magic, which gRPC does not tell.
        head.magic = UNKNOWN_MAGIC;
    }
    let mut writer = RecordingWriter::create(path, &head)?;
    let mut events = match follow {
        true => Some(subscribe(service).await?),
        false => None,
    };
    let mut append = |entry: Entry| -> Result<(), FollowError> {
        writer.append(&entry)?;
        // Whoever looks at the file while it grows sees whole frames, and a crash costs nothing.
        writer.flush()?;
        watch(&entry, writer.entries());
        Ok(())
    };
    let mut stop = std::pin::pin!(stop);
    let mut stopped = false;
    tokio::select! {
        taken = node.snapshot(from, &mut append) => taken?,
        // Entries are appended whole: what was taken up to here is a recording too.
        () = &mut stop => stopped = true,
    }
    while !stopped && let Some(stream) = &mut events {
        let message = tokio::select! {
            message = stream.message() => message,
            () = &mut stop => {
                stopped = true;
                continue;
            }
        };
        let message = message.map_err(call("StreamEvents"))?;
        let Some(message) = message.and_then(|response| response.message) else {
            break;
        };
        if let Message::Event(event) = message {
            node.happened(&event, &mut append).await?;
        }
    }
    if stopped {
        match node.look_for_reconsidered(Moment::now(), &mut append).await {
            // A node that has gone meanwhile has nothing more to tell.
            Ok(()) | Err(FollowError::Call { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let entries = writer.entries();
    writer.finish()?;
    Ok(entries)
}

/// A node that is being recorded.
struct Node {
    chain: ChainServiceClient<InterceptedService<Channel, Token>>,
    recorded: HashSet<String>,
    invalidated: HashSet<String>,
}

/// A header that was listed.
struct Listed {
    arrival: u64,
    header: v1::BlockHeader,
}

type Append<'a> = dyn FnMut(Entry) -> Result<(), FollowError> + Send + 'a;

impl Node {
    /// The network, by its genesis block.
    async fn network(&mut self) -> Result<Params, FollowError> {
        let request = v1::GetBlockHeaderRequest {
            world: Some(v1::WorldRef {
                r#ref: Some(Ref::BestHeight(0)),
            }),
        };
        let answer = self.chain.get_block_header(request).await;
        let header = answer.map_err(call("GetBlockHeader"))?.into_inner().header;
        let genesis = header.map(|header| header.hash).unwrap_or_default();
        Network::ALL
            .into_iter()
            .map(Params::new)
            .find(|params| params.genesis_hash().to_string() == genesis)
            .ok_or(FollowError::UnknownNetwork(genesis))
    }

    /// Records what the node has.
    async fn snapshot(&mut self, from: u32, append: &mut Append<'_>) -> Result<(), FollowError> {
        let mut request = v1::ListHeadersRequest {
            world: None,
            start_height: from.max(1),
            end_height: None,
            all_branches: true,
            page_size: PAGE_SIZE,
            page_token: String::new(),
        };
        let mut listed: Vec<Listed> = Vec::new();
        loop {
            let answer = self.chain.list_headers(request.clone()).await;
            let page = answer.map_err(call("ListHeaders"))?.into_inner();
            // A header whose block is not here has no place in the order of arrival.
            listed.extend(page.headers.into_iter().filter_map(|header| {
                let arrival = header.arrival?;
                Some(Listed { arrival, header })
            }));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        listed.sort_unstable_by_key(|listed| listed.arrival);
        let mut last = Moment::default();
        for Listed { header, .. } in &listed {
            let seen = header.first_seen_time.map_or(0, |time| time.seconds);
            last = last.max(Moment::of_second(seen.max(0) as u64));
            self.block(&header.hash, last, append).await?;
        }
        for Listed { header, .. } in listed {
            if header.reject_reason == INVALIDATED_BY_HAND {
                self.invalidate(&header.hash, last, append)?;
            }
        }
        Ok(())
    }

    /// Records what an event tells.
    async fn happened(
        &mut self,
        event: &v1::Event,
        append: &mut Append<'_>,
    ) -> Result<(), FollowError> {
        let now = Moment::now();
        self.look_for_reconsidered(now, append).await?;
        match event.kind() {
            v1::EventKind::TipAdded | v1::EventKind::TipExtended => {
                self.block(&event.to_hash, now, append).await
            }
            // What was a world before broke no rule.
            v1::EventKind::BlockInvalid if self.recorded.contains(&event.to_hash) => {
                self.invalidate(&event.to_hash, now, append)
            }
            v1::EventKind::BlockInvalid => {
                let request = v1::GetBlockHeaderRequest {
                    world: Some(by_hash(&event.to_hash)),
                };
                let answer = self.chain.get_block_header(request).await;
                let header = answer.map_err(call("GetBlockHeader"))?.into_inner().header;
                // A block that broke a rule came too, if it got so far as to be kept.
                match header.is_some_and(|header| header.arrival.is_some()) {
                    true => self.block(&event.to_hash, now, append).await,
                    false => Ok(()),
                }
            }
            v1::EventKind::BestChanged => {
                for hash in &event.applied {
                    self.block(hash, now, append).await?;
                    if self.invalidated.remove(hash) {
                        let what = Happening::Reconsidered(parse_hash(hash)?);
                        append(Entry { at: now, what })?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Records that blocks invalidated by hand are no longer so. Where that makes no other block the best one, no event
    /// tells.
    async fn look_for_reconsidered(
        &mut self,
        now: Moment,
        append: &mut Append<'_>,
    ) -> Result<(), FollowError> {
        for hash in self.invalidated.clone() {
            let request = v1::GetBlockHeaderRequest {
                world: Some(by_hash(&hash)),
            };
            let answer = self.chain.get_block_header(request).await;
            let header = answer.map_err(call("GetBlockHeader"))?.into_inner().header;
            if header.is_some_and(|header| header.reject_reason.is_empty()) {
                self.invalidated.remove(&hash);
                let what = Happening::Reconsidered(parse_hash(&hash)?);
                append(Entry { at: now, what })?;
            }
        }
        Ok(())
    }

    /// Records a block, once.
    async fn block(
        &mut self,
        hash: &str,
        at: Moment,
        append: &mut Append<'_>,
    ) -> Result<(), FollowError> {
        if self.recorded.contains(hash) {
            return Ok(());
        }
        let request = v1::GetBlockRequest {
            world: Some(by_hash(hash)),
        };
        let answer = self.chain.get_block(request).await;
        let block = answer.map_err(call("GetBlock"))?.into_inner().block;
        if block.len() < HEADER_BYTES {
            return Err(FollowError::Nonsense {
                doing: "GetBlock",
                detail: format!("block {hash} has {} bytes", block.len()),
            });
        }
        append(Entry {
            at,
            what: Happening::Block(block),
        })?;
        self.recorded.insert(hash.to_owned());
        Ok(())
    }

    fn invalidate(
        &mut self,
        hash: &str,
        at: Moment,
        append: &mut Append<'_>,
    ) -> Result<(), FollowError> {
        if self.invalidated.insert(hash.to_owned()) {
            let what = Happening::Invalidated(parse_hash(hash)?);
            append(Entry { at, what })?;
        }
        Ok(())
    }
}

/// Asks for what happens from now on.
async fn subscribe(
    service: InterceptedService<Channel, Token>,
) -> Result<Streaming<v1::StreamEventsResponse>, FollowError> {
    let request = v1::StreamEventsRequest {
        policy: v1::EventPolicy::Lossless.into(),
        start: Some(Start::Now(true)),
        ..v1::StreamEventsRequest::default()
    };
    let answer = EventServiceClient::new(service)
        .stream_events(request)
        .await;
    Ok(answer.map_err(call("StreamEvents"))?.into_inner())
}

fn by_hash(hash: &str) -> v1::WorldRef {
    v1::WorldRef {
        r#ref: Some(Ref::BlockHash(hash.to_owned())),
    }
}

fn parse_hash(hash: &str) -> Result<BlockHash, FollowError> {
    hash.parse().map_err(|_| FollowError::Nonsense {
        doing: "StreamEvents",
        detail: format!("`{hash}` is no block hash"),
    })
}

fn call(doing: &'static str) -> impl Fn(Status) -> FollowError {
    move |status| FollowError::Call {
        doing,
        status: Box::new(status),
    }
}

/// Adds the token to every call.
#[derive(Clone)]
struct Token(Option<MetadataValue<Ascii>>);

impl Token {
    fn new(token: Option<&str>) -> Result<Token, FollowError> {
        let Some(token) = token else {
            return Ok(Token(None));
        };
        let value = format!("Bearer {}", token.trim()).parse();
        let mut value: MetadataValue<Ascii> = value.map_err(|_| FollowError::Token)?;
        value.set_sensitive(true);
        Ok(Token(Some(value)))
    }
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", token.clone());
        }
        Ok(request)
    }
}
