//! Owns what the clients meet: a node whose coins belong to one key, steered over its own JSON-RPC.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, Block, OutPoint, Transaction, Txid};
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use everett_tests::signer::Signer;
use serde_json::{Value, json};

/// A node and its key.
pub(crate) struct Scene {
    pub(crate) node: RpcNode,
    pub(crate) rpc: RpcClient,
    signer: Signer,
}

impl Scene {
    /// One whose first coin can be spent.
    pub(crate) fn new() -> Scene {
        let node = RpcNode::start_with(|config| config.rest = true);
        let scene = Scene {
            rpc: node.client(),
            node,
            signer: Signer::new(),
        };
        scene.mine(101);
        scene
    }

    /// The descriptor of the key's script.
    pub(crate) fn descriptor(&self) -> String {
        let script = self.signer.script.to_hex_string();
        let info = self
            .rpc
            .call("getdescriptorinfo", json!([format!("raw({script})")]));
        info["descriptor"]
            .as_str()
            .expect("a descriptor")
            .to_owned()
    }

    /// Mines on the best tip; the hashes.
    pub(crate) fn mine(&self, blocks: u32) -> Vec<String> {
        let params = json!([blocks, self.descriptor()]);
        let mined = self.rpc.call("generatetodescriptor", params);
        let mined = mined.as_array().expect("a list").iter();
        mined
            .map(|hash| hash.as_str().expect("a hash").to_owned())
            .collect()
    }

    /// The hash of the best chain's block at a height.
    pub(crate) fn hash(&self, height: u64) -> String {
        self.rpc.text("getblockhash", json!([height]))
    }

    /// The best height.
    pub(crate) fn height(&self) -> u64 {
        self.rpc
            .call("getblockcount", json!([]))
            .as_u64()
            .expect("a number")
    }

    /// Undoes the blocks from a height on, and mines one more than they were.
    pub(crate) fn reorganise(&self, from: u64) {
        let undone = self.height() + 1 - from;
        self.rpc.call("invalidateblock", json!([self.hash(from)]));
        // To another script, or it could be the very block that was just undone.
        self.rpc.call("generateblock", json!(["raw(51)", []]));
        self.mine(u32::try_from(undone).expect("few"));
    }

    /// A payment of the coinbase of a block.
    pub(crate) fn payment(&self, height: u64, fee: u64) -> Transaction {
        let block: Value = self.rpc.call("getblock", json!([self.hash(height), 0]));
        let bytes = block.as_str().expect("hexadecimal");
        let block: Block = bitcoin::consensus::encode::deserialize_hex(bytes).expect("a block");
        let coinbase = &block.txdata[0];
        let coin = (
            OutPoint::new(coinbase.compute_txid(), 0),
            coinbase.output[0].value,
        );
        self.signer.spend(&[coin], 2, Amount::from_sat(fee)).0
    }

    /// Hands a transaction in.
    pub(crate) fn send(&self, tx: &Transaction) -> Txid {
        let txid = self
            .rpc
            .text("sendrawtransaction", json!([serialize_hex(tx)]));
        assert_eq!(txid, tx.compute_txid().to_string());
        tx.compute_txid()
    }
}
