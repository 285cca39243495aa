//! Owns the model that nothing can be wrong with: one chain, its coins in one `HashMap`.

use std::collections::HashMap;
use std::convert::Infallible;

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;
use everett_ledger::coin::Coin;
use everett_ledger::decode::{DecodedBlock, decode_block};
use everett_ledger::delta::Delta;
use everett_ledger::params::Params;
use everett_ledger::rules::{
    BlockScripts, Chain, CoinSource, ConnectError, HeaderFacts, Reject, ScriptCheck, ScriptFailure,
    check_block, check_block_in_context, check_header, connect,
};
use everett_ledger::setinfo::{SetInfo, SetInfoBuilder};
use everett_script::{PreparedTransaction, SpentOutput};

/// Runs each script, in order, on this thread.
pub(crate) struct OneByOne;

impl ScriptCheck for OneByOne {
    fn check(&self, scripts: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        for (index, transaction) in scripts.transactions.iter().enumerate() {
            let coins = scripts.spent.of(index);
            if coins.is_empty() {
                continue;
            }
            let spent: Vec<_> = coins
                .iter()
                .map(|coin| SpentOutput {
                    amount: coin.amount,
                    script_pubkey: &coin.script_pubkey,
                })
                .collect();
            let prepared = PreparedTransaction::new(&transaction.tx, &spent).unwrap();
            prepared
                .verify(scripts.flags)
                .map_err(|failed| ScriptFailure {
                    transaction: index,
                    input: failed.input,
                    text: failed.error.to_string(),
                })?;
        }
        Ok(())
    }
}

/// A chain and its coins.
#[derive(Clone)]
pub(crate) struct NaiveWorld {
    pub(crate) params: Params,
    headers: Vec<HeaderFacts>,
    coins: HashMap<OutPoint, Coin>,
}

impl Chain for NaiveWorld {
    fn height(&self) -> u32 {
        self.headers.len() as u32 - 1
    }

    fn header(&self, height: u32) -> HeaderFacts {
        self.headers[height as usize]
    }
}

impl CoinSource for NaiveWorld {
    type Error = Infallible;

    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.coins.get(outpoint).cloned())
    }
}

impl NaiveWorld {
    pub(crate) fn new(params: Params) -> NaiveWorld {
        let genesis = facts(&DecodedBlock::from(params.genesis.clone()));
        NaiveWorld {
            params,
            headers: vec![genesis],
            coins: HashMap::new(),
        }
    }

    /// Judges a block on this chain; in the answer's words if it is no good.
    pub(crate) fn judge(&self, bytes: &[u8], now: u64) -> Result<(DecodedBlock, Delta), String> {
        let (block, _) = decode_block(bytes).map_err(|_| "Block decode failed".to_owned())?;
        let scripts = &OneByOne;
        let reason = |reject: Reject| reject.reason.into_owned();
        check_block(&block, &self.params, scripts).map_err(reason)?;
        if block.header.prev_blockhash != self.header(self.height()).hash {
            return Err("prev-blk-not-found".to_owned());
        }
        check_header(&block.header, self, &self.params, now).map_err(reason)?;
        check_block_in_context(&block, self, &self.params).map_err(reason)?;
        match connect(&block, self, self, &self.params, scripts) {
            Ok(connected) => Ok((block, connected.delta)),
            Err(ConnectError::Reject(reject)) => Err(reason(reject)),
            Err(ConnectError::Source(never)) => match never {},
        }
    }

    /// Adds a block that was judged good.
    pub(crate) fn apply(&mut self, block: HeaderFacts, delta: &Delta) {
        for (outpoint, coin) in &delta.spent {
            assert_eq!(self.coins.remove(outpoint).as_ref(), Some(coin));
        }
        for (outpoint, coin) in &delta.created {
            assert_eq!(self.coins.insert(*outpoint, coin.clone()), None);
        }
        self.headers.push(block);
    }

    /// Takes the last block off again.
    pub(crate) fn undo(&mut self, delta: &Delta) {
        for (outpoint, coin) in &delta.created {
            assert_eq!(self.coins.remove(outpoint).as_ref(), Some(coin));
        }
        for (outpoint, coin) in &delta.spent {
            assert_eq!(self.coins.insert(*outpoint, coin.clone()), None);
        }
        self.headers.pop();
    }

    pub(crate) fn set_info(&self) -> SetInfo {
        let mut coins: Vec<_> = self.coins.iter().collect();
        coins.sort_by_key(|(outpoint, _)| (outpoint.txid.to_byte_array(), outpoint.vout));
        let mut builder = SetInfoBuilder::new();
        for (outpoint, coin) in coins {
            builder.add(outpoint, coin);
        }
        builder.finish()
    }
}

pub(crate) fn facts(block: &DecodedBlock) -> HeaderFacts {
    HeaderFacts {
        hash: block.hash,
        version: block.header.version.to_consensus(),
        time: block.header.time,
        bits: block.header.bits.to_consensus(),
    }
}
