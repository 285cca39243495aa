//! A real server on a free port, with a ledger in a directory that goes away with it.

use std::sync::mpsc;
use std::time::Duration;

use bitcoin::hashes::Hash;
use everett_grpc::{BoundAddress, Grpc, GrpcConfig};
use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_node::{Node, NodeConfig};
use everett_proto::v1;
use everett_proto::v1::chain_service_client::ChainServiceClient;
use everett_proto::v1::lab_service_client::LabServiceClient;
use everett_proto::v1::ledger_service_client::LedgerServiceClient;
use everett_proto::v1::script::Script as Named;
use everett_proto::v1::world_ref::Ref;
use everett_proto::v1::world_service_client::WorldServiceClient;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A time at which the tests' blocks are mined: the clock stands still.
const NOW: u64 = 1_700_000_000;

/// How long anything that is waited for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a node that stops waits for calls and clients: longer than a test waits for the node, and than a busy machine takes
/// for the longest call.
const GRACE: Duration = Duration::from_secs(300);

/// A server and what it stands on.
pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) address: BoundAddress,
    pub(crate) channel: Channel,
    pub(crate) directory: TempDir,
}

/// What a test may change about its server.
pub(crate) struct Shape {
    pub(crate) network: Network,
    pub(crate) lab: bool,
    pub(crate) horizon: Option<u32>,
    pub(crate) tx_index: bool,
    pub(crate) wallets: bool,
    pub(crate) grpc: GrpcConfig,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            network: Network::Regtest,
            lab: true,
            horizon: None,
            tx_index: false,
            wallets: true,
            grpc: GrpcConfig {
                listen: "127.0.0.1:0".parse().expect("an address"),
                ..GrpcConfig::default()
            },
        }
    }
}

/// The settings of a node in `directory`.
pub(crate) fn node_config(shape: &Shape, directory: &TempDir) -> NodeConfig {
    let mut ledger = LedgerConfig::new(Params::new(shape.network), directory.path());
    ledger.horizon = shape.horizon;
    ledger.tx_index = shape.tx_index;
    ledger.clock = everett_ledger::Clock::fixed(NOW);
    let mut config = NodeConfig::new(ledger);
    config.lab = shape.lab;
    config.stop_grace = GRACE;
    match (&mut config.wallets, shape.wallets) {
        (Some(wallets), true) => {
            // Few addresses ahead and a cheap passphrase: wallets are made quickly.
            wallets.keypool = 5;
            wallets.kdf = everett_wallet::keys::Kdf {
                memory: 64,
                passes: 1,
                lanes: 1,
            };
        }
        (wallets, _) => *wallets = None,
    }
    config
}

impl TestNode {
    /// A lab on regtest.
    pub(crate) async fn lab() -> TestNode {
        TestNode::start(Shape::default()).await
    }

    pub(crate) async fn start(shape: Shape) -> TestNode {
        let directory = TempDir::new().expect("a directory");
        let config = node_config(&shape, &directory);
        let grpc = Grpc::new(shape.grpc);
        let address = grpc.bound_address();
        let node = Node::builder(config)
            .frontend(grpc)
            .start()
            .await
            .expect("the node starts");
        let channel = Channel::from_shared(format!("http://{}", address.get().expect("bound")))
            .expect("a URI")
            .connect_lazy();
        TestNode {
            node,
            address,
            channel,
            directory,
        }
    }

    pub(crate) fn worlds(&self) -> WorldServiceClient<Channel> {
        WorldServiceClient::new(self.channel.clone())
    }

    pub(crate) fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn chain(&self) -> ChainServiceClient<Channel> {
        ChainServiceClient::new(self.channel.clone())
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX)
    }

    pub(crate) fn make(&self) -> LabServiceClient<Channel> {
        LabServiceClient::new(self.channel.clone())
    }

    /// Mines `count` blocks on `parent` that pay `payout`; their hashes.
    pub(crate) async fn mine(
        &self,
        parent: Option<v1::WorldRef>,
        count: u32,
        payout: Option<v1::Script>,
    ) -> Vec<String> {
        let request = v1::MineBlocksRequest {
            parent,
            count,
            payout,
            ..Default::default()
        };
        let answer = self.make().mine_blocks(request).await.expect("mined");
        answer.into_inner().block_hashes
    }

    /// Keeps whoever wants to write to the ledger waiting, until what comes back is dropped.
    pub(crate) async fn hold_writer(&self) -> mpsc::Sender<()> {
        let handle = self.node.handle().clone();
        let (release, released) = mpsc::channel();
        let (holding, holds) = oneshot::channel();
        tokio::spawn(async move {
            let hold = move |_: &Ledger| {
                let _ = holding.send(());
                // An error: it was dropped.
                let _ = released.recv();
            };
            handle.write(hold).await
        });
        holds.await.expect("its turn comes");
        release
    }

    /// Waits until the best world has a block that was mined.
    pub(crate) async fn has_mined(&self) {
        let ledger = self.node.handle().ledger();
        let mut events = ledger.event_seq();
        while ledger.best().height() == 0 {
            let changed = tokio::time::timeout(PATIENCE, events.changed());
            changed.await.expect("in time").expect("it runs");
        }
    }

    /// Plays the lab's own scenario of a payment and its double-spend.
    pub(crate) async fn play(&self) -> Story {
        let request = v1::PlayScenarioRequest {
            scenario: everett_scenario::scenario::DOUBLE_SPEND.to_owned(),
        };
        let played = self
            .make()
            .play_scenario(request)
            .await
            .expect("played")
            .into_inner();
        assert_eq!(played.unmet, Vec::<String>::new());
        Story(played)
    }
}

/// What the scenario left behind.
pub(crate) struct Story(pub(crate) v1::PlayScenarioResponse);

impl Story {
    /// The world at a block that the scenario names.
    pub(crate) fn at(&self, label: &str) -> Option<v1::WorldRef> {
        at(self.hash(label))
    }

    /// The block that the scenario calls so.
    pub(crate) fn hash(&self, label: &str) -> &str {
        let block = self.0.blocks.iter().find(|block| block.label == label);
        &block.expect("a label of the scenario").block_hash
    }

    pub(crate) fn script(&self, name: &str) -> Option<v1::Script> {
        script(self.party(name).script_pubkey.clone())
    }

    pub(crate) fn party(&self, name: &str) -> &v1::ScenarioParty {
        let party = self.0.parties.iter().find(|party| party.name == name);
        party.expect("a party of the scenario")
    }
}

/// The world at a block.
pub(crate) fn at(hash: &str) -> Option<v1::WorldRef> {
    Some(v1::WorldRef {
        r#ref: Some(Ref::BlockHash(hash.to_owned())),
    })
}

pub(crate) fn best() -> Option<v1::WorldRef> {
    Some(v1::WorldRef {
        r#ref: Some(Ref::Best(true)),
    })
}

pub(crate) fn at_height(height: u32) -> Option<v1::WorldRef> {
    Some(v1::WorldRef {
        r#ref: Some(Ref::BestHeight(height)),
    })
}

pub(crate) fn pinned(id: &str) -> Option<v1::WorldRef> {
    Some(v1::WorldRef {
        r#ref: Some(Ref::PinId(id.to_owned())),
    })
}

pub(crate) fn script(bytes: impl Into<Vec<u8>>) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::ScriptPubkey(bytes.into())),
    })
}

pub(crate) fn address(text: &str) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::Address(text.to_owned())),
    })
}

pub(crate) fn script_hash(text: &str) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::ScriptHash(text.to_owned())),
    })
}

/// A hash that no block has.
pub(crate) fn nowhere() -> String {
    bitcoin::BlockHash::from_byte_array([7; 32]).to_string()
}

/// Checks code and reason of a refusal, and gives its details.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: v1::ErrorReason,
) -> ErrorDetails {
    let status = answer.expect_err("a refusal");
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo").clone();
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason.reason(), everett_proto::ERROR_DOMAIN),
        "{status:?}"
    );
    details
}

/// Checks that a field was refused, and gives what was wrong with it.
#[track_caller]
pub(crate) fn refused_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) -> String {
    let details = refused(
        answer,
        Code::InvalidArgument,
        v1::ErrorReason::InvalidArgument,
    );
    let violations = &details.bad_request().expect("BadRequest").field_violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, field, "{}", violations[0].description);
    violations[0].description.clone()
}
