//! A node with coins to spend, for tests of transactions.

use bitcoin::Transaction;
use everett_ledger::decode::DecodedTransaction;
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};

use super::*;

/// A node with coins to spend, and who spends them.
pub(super) struct Purse {
    pub(super) rig: Rig,
    pub(super) spender: Spender,
}

impl Purse {
    pub(super) fn new() -> Purse {
        Purse::with(ProtocolConfig::default())
    }

    pub(super) fn with(config: ProtocolConfig) -> Purse {
        let mut purse = Purse {
            rig: Rig::with(HOUR, config),
            spender: Spender::new(1),
        };
        for number in 0..120 {
            let block = purse.mine(Vec::new());
            if number < 20 {
                purse.spender.learn(&block.txdata[0]);
            }
        }
        purse
    }

    /// A block on the best world, which the node's miner hands to the ledger.
    pub(super) fn mine(&mut self, transactions: Vec<Transaction>) -> Block {
        let block = self.block(transactions);
        self.rig
            .ledger
            .submit_block(&serialize(&block))
            .expect("memory");
        self.moved();
        block
    }

    pub(super) fn block(&self, transactions: Vec<Transaction>) -> Block {
        let ledger = &self.rig.ledger;
        let bytes = everett_scenario::mine(ledger, &ledger.best(), transactions, &payout(), None);
        bitcoin::consensus::deserialize(&bytes.expect("its coins are there")).expect("a block")
    }

    /// What a node does when the ledger has something new.
    pub(super) fn moved(&mut self) {
        self.rig.mempool.catch_up().expect("memory");
        self.rig.protocol.best_changed(self.rig.now);
        self.rig.protocol.mempool_changed(self.rig.now);
        self.rig.run();
    }

    pub(super) fn spend(&mut self, input: usize, fee: Fee) -> Transaction {
        self.spend_all(vec![input], fee)
    }

    pub(super) fn spend_all(&mut self, inputs: Vec<usize>, fee: Fee) -> Transaction {
        let tx = self.spender.make(&Order {
            inputs,
            outputs: vec![Lock::WitnessScript; 2],
            version: 2,
            fee,
            dust: false,
        });
        self.spender.learn(&tx);
        tx
    }

    pub(super) fn coin_of(&self, tx: &Transaction) -> usize {
        let txid = tx.compute_txid();
        let mut coins = self.spender.coins.iter();
        coins
            .position(|coin| coin.outpoint.txid == txid)
            .expect("it was learnt")
    }

    /// A user gives the node a transaction.
    pub(super) fn give(&mut self, tx: &Transaction) {
        let decoded = std::sync::Arc::new(DecodedTransaction::new(tx.clone()));
        self.rig
            .mempool
            .accept(&decoded)
            .expect("memory")
            .expect("it is good");
        self.rig.mempool.set_unbroadcast(&decoded.txid, true);
        self.rig
            .protocol
            .announce_transaction(&decoded.txid, self.rig.now);
        self.rig.run();
    }

    /// A peer with nothing said yet.
    pub(super) fn peer(&mut self, purpose: Purpose) -> PeerId {
        self.peer_with(purpose, |_| {})
    }

    pub(super) fn peer_with(
        &mut self,
        purpose: Purpose,
        change: impl FnOnce(&mut PeerInfo),
    ) -> PeerId {
        let id = self.rig.connect_with(purpose, change);
        self.rig.heard(id);
        id
    }

    pub(super) fn tell(&mut self, id: PeerId, tx: &Transaction) {
        self.rig.say(
            id,
            NetworkMessage::Inv(vec![Inventory::WTx(tx.compute_wtxid())]),
        );
    }

    /// What a peer was asked for since this was last asked.
    pub(super) fn asked(&mut self, id: PeerId) -> Vec<Inventory> {
        let heard = self.rig.heard(id).into_iter();
        heard
            .filter_map(|message| match message {
                NetworkMessage::GetData(entries) => Some(entries),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// What a peer was told of since this was last asked.
    pub(super) fn told(&mut self, id: PeerId) -> Vec<Inventory> {
        let heard = self.rig.heard(id).into_iter();
        heard
            .filter_map(|message| match message {
                NetworkMessage::Inv(entries) => Some(entries),
                _ => None,
            })
            .flatten()
            .filter(|entry| !matches!(entry, Inventory::Block(_)))
            .collect()
    }

    /// What a peer gets that asks.
    pub(super) fn fetch(&mut self, id: PeerId, entry: Inventory) -> Vec<NetworkMessage> {
        self.rig.heard(id);
        self.rig.say(id, NetworkMessage::GetData(vec![entry]));
        while self.rig.protocol.serve(id, self.rig.now) {}
        self.rig.run();
        self.rig.heard(id)
    }

    pub(super) fn holds(&self, tx: &Transaction) -> bool {
        let view = self.rig.mempool.view().expect("memory");
        view.contains_wtxid(&tx.compute_wtxid())
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.rig.wait(Duration::from_secs(seconds));
    }
}

pub(super) fn wtx(tx: &Transaction) -> Inventory {
    Inventory::WTx(tx.compute_wtxid())
}
