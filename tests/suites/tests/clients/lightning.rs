//! `lightning-block-sync`, by which nodes of the Lightning Network follow the chain: over JSON-RPC, and over REST.

use std::sync::Mutex;

use bitcoin::block::Header;
use bitcoin::{BlockHash, Network, OutPoint};
use lightning::chain::transaction::TransactionData;
use lightning::chain::{BestBlock, Listen};
use lightning_block_sync::gossip::UtxoSource;
use lightning_block_sync::http::HttpEndpoint;
use lightning_block_sync::init::validate_best_block_header;
use lightning_block_sync::poll::{ChainPoller, ChainTip};
use lightning_block_sync::rest::RestClient;
use lightning_block_sync::rpc::RpcClient;
use lightning_block_sync::{SpvClient, UnboundedCache};

use crate::scene::Scene;

/// What a channel's monitor would have seen: the blocks on the chain that it knows.
#[derive(Default)]
struct Monitor {
    chain: Mutex<Vec<(u32, BlockHash)>>,
    undone: Mutex<usize>,
}

impl Listen for Monitor {
    fn filtered_block_connected(&self, header: &Header, _: &TransactionData, height: u32) {
        let mut chain = self.chain.lock().unwrap();
        if let Some((last, hash)) = chain.last() {
            assert_eq!((*last + 1, *hash), (height, header.prev_blockhash));
        }
        chain.push((height, header.block_hash()));
    }

    fn blocks_disconnected(&self, fork: BestBlock) {
        let mut chain = self.chain.lock().unwrap();
        let before = chain.len();
        chain.retain(|(height, _)| *height <= fork.height);
        *self.undone.lock().unwrap() += before - chain.len();
    }
}

/// Follows the node through a reorganisation.
fn follow<S: UtxoSource>(scene: &Scene, source: S) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let tip = runtime
        .block_on(validate_best_block_header(&source))
        .expect("a tip");
    let begin = scene.height();
    let monitor = Monitor::default();
    let mut cache = UnboundedCache::new();
    let poller = ChainPoller::new(&source, Network::Regtest);
    let mut client = SpvClient::new(tip, poller, &mut cache, &monitor);

    let payment = scene.payment(begin - 100, 1_000);
    let spent = payment.input[0].previous_output;
    let made = OutPoint::new(scene.send(&payment), 1);
    scene.mine(5);
    let (tip, connected) = runtime.block_on(client.poll_best_tip()).expect("an answer");
    assert!(matches!(tip, ChainTip::Better(_)) && connected);
    scene.reorganise(begin + 3);
    let (tip, connected) = runtime.block_on(client.poll_best_tip()).expect("an answer");
    assert!(matches!(tip, ChainTip::Better(_)) && connected);
    assert_eq!(*monitor.undone.lock().unwrap(), 3);
    let chain = monitor.chain.lock().unwrap().clone();
    assert_eq!(chain.len() as u64, scene.height() - begin);
    for (height, hash) in chain {
        assert_eq!(hash.to_string(), scene.hash(height.into()));
    }
    let (tip, connected) = runtime.block_on(client.poll_best_tip()).expect("an answer");
    assert!(matches!(tip, ChainTip::Common) && !connected);

    assert!(
        runtime
            .block_on(source.is_output_unspent(made))
            .expect("an answer")
    );
    assert!(
        !runtime
            .block_on(source.is_output_unspent(spent))
            .expect("an answer")
    );
    let hash = runtime
        .block_on(source.get_block_hash_by_height(7))
        .expect("an answer");
    assert_eq!(hash.to_string(), scene.hash(7));
}

fn endpoint(scene: &Scene) -> HttpEndpoint {
    HttpEndpoint::for_host("127.0.0.1".to_owned()).with_port(scene.node.port)
}

#[test]
fn lightnings_block_source_over_json_rpc_follows_reorganisations() {
    let scene = Scene::new();
    let login = everett_tests::rpc_client::base64(&scene.node.cookie());
    follow(&scene, RpcClient::new(&login, endpoint(&scene)));
}

#[test]
fn lightnings_block_source_over_rest_follows_reorganisations() {
    let scene = Scene::new();
    let rest = endpoint(&scene).with_path("/rest".to_owned());
    follow(&scene, RestClient::new(rest));
}
