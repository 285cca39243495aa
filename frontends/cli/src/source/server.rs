//! Owns the answers from a server: package `everett.v1` over gRPC.
//! Promises that an answer of several pages is of one world; refuses to wait for ever: a server
//! that cannot be reached is a failure after a while.

mod peers;
mod snapshots;
pub(crate) mod wallet;

use std::path::PathBuf;
use std::time::Duration;

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::{Network, Params, ScriptHash};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::chain_service_client::ChainServiceClient;
use everett_proto::v1::diff_worlds_response::Part;
use everett_proto::v1::ledger_service_client::LedgerServiceClient;
use everett_proto::v1::world_ref::Ref;
use everett_proto::v1::world_service_client::WorldServiceClient;
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::Source;
use crate::at::At;
use crate::failure::Failure;
use crate::script_arg::{ScriptArg, ScriptKind};
use crate::view::balance::{BalanceView, BalancesView};
use crate::view::block::{BlockFacts, BlockView};
use crate::view::coin::{CoinView, CoinsView};
use crate::view::conflict::{ConflictView, ConflictsView};
use crate::view::diff::{BalanceChangeView, CoinChangeView, DiffView};
use crate::view::transaction::{Place, PlaceView, TransactionView};
use crate::view::utxo_info::UtxoInfoView;
use crate::view::world::{WorldView, WorldsView, seconds};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Items on a page: what servers allow at most.
const PAGE_SIZE: i32 = 1_000;
/// Scripts in one question: what servers allow at most.
const BATCH_SCRIPTS: usize = 1_000;
/// The longest message: a block and room for what surrounds it.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Where a server is and how it is entered.
#[derive(Clone, Debug)]
pub(crate) struct ServerAddress {
    /// `http://…` or `https://…`.
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    /// The certificate of the authority to trust, in PEM; `https://` needs one.
    pub(crate) tls_ca: Option<PathBuf>,
    /// The file that named it, where nobody else did.
    pub(crate) found: Option<PathBuf>,
}

/// Adds the token to every call.
#[derive(Clone)]
pub(crate) struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

pub(crate) type Wire = InterceptedService<Channel, Token>;

/// A connection to a server.
pub(crate) struct Server {
    runtime: Runtime,
    wire: Wire,
    url: String,
    /// What the user said the network is, to be held against what the server has.
    expected: Option<Network>,
}

impl Server {
    /// Connects.
    pub(crate) fn connect(
        address: &ServerAddress,
        expected: Option<Network>,
    ) -> Result<Server, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(ErrorReason::Internal, error))?;
        let token = address.token.as_ref().map(|token| {
            let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| Failure::usage("the token is not of visible ASCII characters"))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        let channel = runtime.block_on(channel(address))?;
        Ok(Server {
            runtime,
            wire: InterceptedService::new(channel, Token(token.transpose()?)),
            url: address.url.clone(),
            expected,
        })
    }

    fn world_client(&self) -> WorldServiceClient<Wire> {
        WorldServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn ledger_client(&self) -> LedgerServiceClient<Wire> {
        LedgerServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn chain_client(&self) -> ChainServiceClient<Wire> {
        ChainServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Runs a call to its end.
    fn call<T>(
        &self,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, Failure> {
        Ok(self.runtime.block_on(call)?.into_inner())
    }

    /// Refuses to ask a server of another network than the one the user named, if he named one.
    fn check_network(&self) -> Result<(), Failure> {
        match self.expected {
            Some(_) => self.own_network().map(drop),
            None => Ok(()),
        }
    }

    /// The server's network, by its genesis block.
    fn own_network(&self) -> Result<Network, Failure> {
        let request = v1::GetBlockHeaderRequest {
            world: Some(world_ref(At::Height(0))),
        };
        let header = self
            .call(self.chain_client().get_block_header(request))?
            .header
            .unwrap_or_default();
        let has_it =
            |network: &Network| Params::new(*network).genesis_hash().to_string() == header.hash;
        let network = Network::ALL.into_iter().find(has_it).ok_or_else(|| {
            Failure::named(
                "OTHER_NETWORK",
                format!("{} has a genesis block of no known network", self.url),
            )
        })?;
        match self.expected {
            Some(expected) if expected != network => Err(Failure::named(
                "OTHER_NETWORK",
                format!(
                    "{} serves {network}, not {expected}; leave --network out",
                    self.url
                ),
            )),
            _ => Ok(network),
        }
    }
}

impl Source for Server {
    fn network(&self) -> Result<Network, Failure> {
        self.own_network()
    }

    fn coin(&self, at: At, outpoint: &OutPoint) -> Result<Option<CoinView>, Failure> {
        let request = v1::GetTransactionOutputRequest {
            world: Some(world_ref(at)),
            outpoint: Some(v1::OutPoint {
                txid: outpoint.txid.to_string(),
                vout: outpoint.vout,
            }),
        };
        let answer = self.call(self.ledger_client().get_transaction_output(request))?;
        Ok(answer.output.map(CoinView::from))
    }

    fn worlds(&self) -> Result<WorldsView, Failure> {
        self.check_network()?;
        let mut worlds = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListWorldsRequest {
                page_size: PAGE_SIZE,
                page_token,
                ..v1::ListWorldsRequest::default()
            };
            let page = self.call(self.world_client().list_worlds(request))?;
            worlds.extend(page.worlds.into_iter().map(WorldView::from));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(WorldsView { worlds });
            }
        }
    }

    fn balances(&self, at: At, scripts: &[ScriptArg]) -> Result<BalancesView, Failure> {
        let network = self.own_network()?;
        let hashes: Vec<ScriptHash> = scripts
            .iter()
            .map(|script| script.hash(network))
            .collect::<Result<_, _>>()?;
        let mut world = world_ref(at);
        let mut shown = None;
        let mut balances = Vec::with_capacity(scripts.len());
        for (scripts, hashes) in scripts
            .chunks(BATCH_SCRIPTS)
            .zip(hashes.chunks(BATCH_SCRIPTS))
        {
            let request = v1::BatchGetBalancesRequest {
                world: Some(world.clone()),
                scripts: scripts.iter().map(script).collect(),
            };
            let answer = self.call(self.ledger_client().batch_get_balances(request))?;
            let answered = resolved(answer.world)?;
            // The next batch is of the same world, whatever happens meanwhile.
            world = exactly(&answered);
            shown.get_or_insert(answered);
            for ((script, hash), balance) in scripts.iter().zip(hashes).zip(answer.balances) {
                balances.push(BalanceView {
                    script: script.text.clone(),
                    script_hash: hash.to_string(),
                    confirmed_sat: balance.confirmed_sat,
                    immature_sat: balance.immature_sat,
                    utxo_count: balance.utxo_count,
                });
            }
        }
        Ok(BalancesView {
            world: shown.ok_or_else(no_world)?,
            balances,
        })
    }

    fn coins(&self, at: At, arg: &ScriptArg, limit: usize) -> Result<CoinsView, Failure> {
        let hash = arg.hash(self.own_network()?)?;
        let mut world = world_ref(at);
        let mut outputs: Vec<CoinView> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListUnspentOutputsRequest {
                world: Some(world),
                script: Some(script(arg)),
                page_size: PAGE_SIZE,
                page_token,
            };
            let page = self.call(self.ledger_client().list_unspent_outputs(request))?;
            let shown = resolved(page.world)?;
            world = exactly(&shown);
            outputs.extend(page.outputs.into_iter().map(CoinView::from));
            page_token = page.next_page_token;
            if page_token.is_empty() || outputs.len() > limit {
                let more = outputs.len() > limit;
                outputs.truncate(limit);
                return Ok(CoinsView {
                    world: shown,
                    script: arg.text.clone(),
                    script_hash: hash.to_string(),
                    outputs,
                    more,
                });
            }
        }
    }

    fn diff(&self, a: At, b: At) -> Result<DiffView, Failure> {
        self.check_network()?;
        let request = v1::CompareWorldsRequest {
            a: Some(world_ref(a)),
            b: Some(world_ref(b)),
        };
        let compared = self.call(self.world_client().compare_worlds(request))?;
        let (a, b) = (resolved(compared.a)?, resolved(compared.b)?);
        let request = v1::DiffWorldsRequest {
            a: Some(exactly(&a)),
            b: Some(exactly(&b)),
        };
        let mut view = DiffView {
            a,
            b,
            fork_hash: compared.fork_hash,
            fork_height: compared.fork_height,
            undone: compared.undone,
            applied: compared.applied,
            coins: Vec::new(),
            balances: Vec::new(),
        };
        self.runtime.block_on(async {
            let mut parts = self.world_client().diff_worlds(request).await?.into_inner();
            while let Some(message) = parts.message().await? {
                take_part(&mut view, message.part);
            }
            Ok::<_, Failure>(view)
        })
    }

    fn conflicts(&self, a: At, b: At) -> Result<ConflictsView, Failure> {
        self.check_network()?;
        let (mut a, mut b) = (world_ref(a), world_ref(b));
        let mut conflicts = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListConflictsRequest {
                a: Some(a),
                b: Some(b),
                page_size: PAGE_SIZE,
                page_token,
            };
            let page = self.call(self.world_client().list_conflicts(request))?;
            let (shown_a, shown_b) = (resolved(page.a)?, resolved(page.b)?);
            (a, b) = (exactly(&shown_a), exactly(&shown_b));
            conflicts.extend(page.conflicts.into_iter().map(ConflictView::from));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(ConflictsView {
                    a: shown_a,
                    b: shown_b,
                    fork_hash: page.fork_hash,
                    conflicts,
                });
            }
        }
    }

    fn utxo_info(&self, at: At) -> Result<UtxoInfoView, Failure> {
        self.check_network()?;
        let request = v1::GetUtxoSetInfoRequest {
            world: Some(world_ref(at)),
        };
        let info = self.call(self.ledger_client().get_utxo_set_info(request))?;
        Ok(UtxoInfoView {
            world: resolved(info.world)?,
            txouts: info.txouts,
            total_amount_sat: info.total_amount_sat,
            bogosize: info.bogosize,
            muhash: info.muhash,
            hash_serialized_3: info.hash_serialized_3,
        })
    }

    fn block(&self, at: At) -> Result<BlockView, Failure> {
        self.check_network()?;
        let request = v1::GetBlockRequest {
            world: Some(world_ref(at)),
        };
        let answer = self.call(self.chain_client().get_block(request))?;
        let header = answer.header.unwrap_or_default();
        let facts = BlockFacts {
            world: resolved(answer.world)?,
            median_time_past: seconds(header.median_time_past),
            next_hash: Some(header.next_hash).filter(|hash| !hash.is_empty()),
            reject_reason: Some(header.reject_reason).filter(|reason| !reason.is_empty()),
            reject_debug: Some(header.reject_debug_message).filter(|text| !text.is_empty()),
        };
        BlockView::new(facts, answer.block).ok_or_else(|| undecodable(&self.url, "block"))
    }

    fn transaction(
        &self,
        at: Option<At>,
        txid: &Txid,
        in_block: Option<&BlockHash>,
    ) -> Result<TransactionView, Failure> {
        let network = self.own_network()?;
        let request = v1::GetTransactionRequest {
            world: at.map(world_ref),
            txid: txid.to_string(),
            block_hash: in_block.map(BlockHash::to_string).unwrap_or_default(),
        };
        let answer = self.call(self.ledger_client().get_transaction(request))?;
        let found = answer.transaction.unwrap_or_default();
        let place = Place {
            world: resolved(answer.world)?,
            block_hash: found.block_hash,
            height: found.height,
            index: found.index,
            confirmations: found.confirmations,
            indexed: answer.indexed,
            places: answer.places.into_iter().map(PlaceView::from).collect(),
            place_count: u64::from(answer.place_count),
            conflicts: answer
                .conflicts
                .into_iter()
                .map(ConflictView::from)
                .collect(),
        };
        TransactionView::decode(place, &found.raw, network)
            .ok_or_else(|| undecodable(&self.url, "transaction"))
    }
}

/// Connects to a server.
pub(crate) async fn channel(address: &ServerAddress) -> Result<Channel, Failure> {
    endpoint(address)?.connect().await.map_err(|error| {
        let mut why = error.to_string();
        let mut below = std::error::Error::source(&error);
        while let Some(error) = below {
            why = error.to_string();
            below = error.source();
        }
        let advice = match &address.found {
            None => "start one with `everett run`, or name a data directory with --datadir instead".to_owned(),
            Some(file) => format!(
                "{} names it, but the node is gone; start it with `everett run`, or name another with --connect",
                file.display()
            ),
        };
        Failure::named(
            "UNREACHABLE",
            format!("no server at {}: {why}; {advice}", address.url),
        )
    })
}

fn endpoint(address: &ServerAddress) -> Result<Endpoint, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!(
            "--connect {}: {why}; write it like http://127.0.0.1:8390",
            address.url
        ))
    };
    let secure = address.url.starts_with("https://");
    if !secure && !address.url.starts_with("http://") {
        return Err(wrong("the address lacks http:// or https://".to_owned()));
    }
    let endpoint = Endpoint::from_shared(address.url.clone())
        .map_err(|error| wrong(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT);
    if !secure {
        return Ok(endpoint);
    }
    let Some(path) = &address.tls_ca else {
        return Err(Failure::usage(
            "https:// needs --tls-ca: the certificate (PEM) of the authority that vouches for the \
             server, or the server's own",
        ));
    };
    let pem = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("--tls-ca {}: {error}", path.display())))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    endpoint
        .tls_config(tls)
        .map_err(|error| wrong(error.to_string()))
}

fn take_part(view: &mut DiffView, part: Option<Part>) {
    match part {
        Some(Part::Coins(coins)) => {
            for change in coins.changes {
                let only_in = match change.side() {
                    v1::DiffSide::OnlyInA => "a",
                    v1::DiffSide::OnlyInB => "b",
                    v1::DiffSide::Unspecified => "unknown",
                };
                let coin = CoinView::from(change.output.unwrap_or_default());
                view.coins.push(CoinChangeView { only_in, coin });
            }
        }
        Some(Part::Balances(balances)) => {
            for change in balances.changes {
                view.balances.push(BalanceChangeView {
                    script_pubkey: bitcoin::hex::DisplayHex::to_lower_hex_string(
                        change.script_pubkey.as_slice(),
                    ),
                    address: Some(change.address).filter(|address| !address.is_empty()),
                    balance_a_sat: change.balance_a_sat,
                    balance_b_sat: change.balance_b_sat,
                });
            }
        }
        Some(Part::Summary(_)) | None => {}
    }
}

fn world_ref(at: At) -> v1::WorldRef {
    v1::WorldRef {
        r#ref: Some(match at {
            At::Best => Ref::Best(true),
            At::Height(height) => Ref::BestHeight(height),
            At::Hash(hash) => Ref::BlockHash(hash.to_string()),
        }),
    }
}

/// The world that an answer was of, whatever becomes the best one.
fn exactly(world: &WorldView) -> v1::WorldRef {
    v1::WorldRef {
        r#ref: Some(Ref::BlockHash(world.tip_hash.clone())),
    }
}

fn script(arg: &ScriptArg) -> v1::Script {
    use v1::script::Script;
    v1::Script {
        script: Some(match &arg.kind {
            ScriptKind::Address(_) => Script::Address(arg.text.clone()),
            ScriptKind::Script(script) => Script::ScriptPubkey(script.to_bytes()),
            ScriptKind::Hash(hash) => Script::ScriptHash(hash.to_string()),
        }),
    }
}

fn resolved(world: Option<v1::World>) -> Result<WorldView, Failure> {
    world.map(WorldView::from).ok_or_else(no_world)
}

fn no_world() -> Failure {
    Failure::new(
        ErrorReason::Internal,
        "the server answered without naming a world; is it an everett of another version?",
    )
}

fn undecodable(url: &str, what: &str) -> Failure {
    Failure::new(
        ErrorReason::Internal,
        format!("{url} sent a {what} that does not decode; is it an everett of another version?"),
    )
}
