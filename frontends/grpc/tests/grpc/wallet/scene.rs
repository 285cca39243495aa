//! Owns the node that the tests ask: two wallets, the miner's with a mature coin of 50 BTC.

use everett_proto::v1;
use everett_proto::v1::fee_choice::Fee;
use everett_proto::v1::wallet_service_client::WalletServiceClient;
use tonic::transport::Channel;

use crate::support::*;

/// Satoshis of a bitcoin.
pub(crate) const BTC: i64 = 100_000_000;

/// A node with the wallets `miner`, which has 50 BTC, and `alice`.
pub(crate) struct Scene {
    pub(crate) node: TestNode,
    pub(crate) client: WalletServiceClient<Channel>,
}

pub(crate) fn client(node: &TestNode) -> WalletServiceClient<Channel> {
    WalletServiceClient::new(node.channel.clone())
}

pub(crate) fn new_wallet(name: &str) -> v1::CreateWalletRequest {
    v1::CreateWalletRequest {
        name: name.to_owned(),
        ..Default::default()
    }
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        let node = TestNode::lab().await;
        let mut client = client(&node);
        for name in ["miner", "alice"] {
            client.create_wallet(new_wallet(name)).await.unwrap();
        }
        let mut scene = Scene { node, client };
        let own = scene.address("miner", "").await;
        scene.node.mine(None, 1, address(&own)).await;
        scene.node.mine(None, 100, None).await;
        scene
    }

    pub(crate) async fn address(&mut self, wallet: &str, label: &str) -> String {
        let request = v1::NewAddressRequest {
            wallet: Some(wallet.to_owned()),
            label: label.to_owned(),
            ..Default::default()
        };
        let answer = self.client.new_address(request).await.unwrap();
        answer.into_inner().address.unwrap().address
    }

    pub(crate) async fn wallet(&mut self, name: &str) -> v1::GetWalletResponse {
        let request = v1::GetWalletRequest {
            wallet: Some(name.to_owned()),
            worlds: Vec::new(),
        };
        self.client.get_wallet(request).await.unwrap().into_inner()
    }

    /// What a wallet can spend in the best world.
    pub(crate) async fn spendable(&mut self, name: &str) -> i64 {
        self.wallet(name).await.balances[0].spendable_sat
    }

    pub(crate) async fn send(&mut self, from: &str, to: &str, sat: i64) -> String {
        let request = send(from, terms(to, sat));
        let sent = self.client.send_transaction(request).await.unwrap();
        sent.into_inner().txid
    }

    pub(crate) async fn coins(
        &mut self,
        name: &str,
        world: Option<v1::WorldRef>,
    ) -> Vec<v1::WalletCoin> {
        let request = v1::ListCoinsRequest {
            wallet: Some(name.to_owned()),
            world,
            ..Default::default()
        };
        self.client
            .list_coins(request)
            .await
            .unwrap()
            .into_inner()
            .coins
    }

    /// The payment as it stands in every live world.
    pub(crate) async fn payment(&mut self, name: &str, txid: &str) -> v1::Payment {
        let request = v1::GetPaymentRequest {
            wallet: Some(name.to_owned()),
            txid: txid.to_owned(),
            worlds: Vec::new(),
        };
        let answer = self.client.get_payment(request).await.unwrap();
        answer.into_inner().payment.unwrap()
    }

    /// A block with these transactions.
    pub(crate) async fn block_with(
        &self,
        parent: Option<v1::WorldRef>,
        transactions: &[Vec<u8>],
    ) -> String {
        let request = v1::MineBlocksRequest {
            parent,
            transactions: transactions.to_vec(),
            ..Default::default()
        };
        let mined = self.node.make().mine_blocks(request).await.unwrap();
        mined.into_inner().block_hashes[0].clone()
    }

    pub(crate) async fn best(&self) -> String {
        let answer = self
            .node
            .worlds()
            .get_world(v1::GetWorldRequest::default())
            .await;
        answer.unwrap().into_inner().world.unwrap().tip_hash
    }
}

/// One recipient.
pub(crate) fn terms(to: &str, sat: i64) -> v1::PaymentTerms {
    v1::PaymentTerms {
        recipients: vec![v1::Recipient {
            script: address(to),
            amount_sat: sat,
            ..Default::default()
        }],
        fee: rate(2_000),
        ..Default::default()
    }
}

pub(crate) fn rate(sat_per_kvb: i64) -> Option<v1::FeeChoice> {
    Some(v1::FeeChoice {
        fee: Some(Fee::RateSatPerKvb(sat_per_kvb)),
    })
}

pub(crate) fn send(from: &str, terms: v1::PaymentTerms) -> v1::SendTransactionRequest {
    v1::SendTransactionRequest {
        request_id: String::new(),
        wallet: Some(from.to_owned()),
        max_fee_sat: None,
        payment: Some(v1::send_transaction_request::Payment::Terms(terms)),
    }
}

pub(crate) fn build(from: &str, terms: v1::PaymentTerms) -> v1::BuildTransactionRequest {
    v1::BuildTransactionRequest {
        wallet: Some(from.to_owned()),
        terms: Some(terms),
        sign: true,
        lock_coins: false,
    }
}
