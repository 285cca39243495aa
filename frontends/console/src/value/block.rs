//! Owns the block as scripts have it, on whatever branch and whether it is valid or not.
//! Promises that its transactions are read when they are first asked for, and not again while it is held.

use std::cell::OnceCell;
use std::rc::Rc;

use bitcoin::BlockHash;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use everett_ledger::BlockInfo;
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::{Tx, WorldValue};
use crate::book::Book;
use crate::context::{Body, Ctx, work_hex};
use crate::fault::{Fault, Given};
use crate::show::{Align, Shown, facts, standing};
use crate::which::as_index;

/// A block.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) context: Ctx,
    pub(crate) hash: BlockHash,
    pub(crate) height: u32,
    /// Shared by all copies of it.
    body: Rc<OnceCell<Rc<Body>>>,
}

impl Block {
    pub(crate) fn of_info(context: &Ctx, info: &BlockInfo) -> Block {
        Block {
            context: context.clone(),
            hash: info.hash,
            height: info.height,
            body: Rc::default(),
        }
    }

    pub(crate) fn at(context: &Ctx, hash: &BlockHash) -> Result<Block, Fault> {
        Ok(Block::of_info(context, &context.info(hash)?))
    }

    pub(crate) fn info(&self) -> Result<BlockInfo, Fault> {
        self.context.info(&self.hash)
    }

    fn is_best(&self) -> bool {
        self.context.ledger.best().hash() == self.hash
    }

    fn body(&self) -> Result<&Rc<Body>, Fault> {
        if let Some(body) = self.body.get() {
            return Ok(body);
        }
        let body = self.context.body(&self.hash)?;
        Ok(self.body.get_or_init(|| body))
    }

    fn transactions(&self) -> Result<Array, Fault> {
        let transactions = self.body()?.transactions.iter().enumerate();
        let tx = |(index, entry)| Dynamic::from(Tx::in_block(self, index, Rc::clone(entry)));
        Ok(transactions.map(tx).collect())
    }

    fn transaction(&self, index: usize) -> Result<Tx, Fault> {
        let body = self.body()?;
        match body.transactions.get(index) {
            Some(entry) => Ok(Tx::in_block(self, index, entry.clone())),
            None => Err(Fault::argument(format!(
                "block {} has {} transactions, counted from 0",
                self.hash,
                body.transactions.len()
            ))),
        }
    }

    /// The blocks on top of it, on all branches.
    fn children(&self) -> Array {
        let above = self
            .context
            .ledger
            .blocks_at_height(self.height.saturating_add(1));
        let children = above
            .iter()
            .filter(|info| info.header.prev_blockhash == self.hash);
        children
            .map(|info| Dynamic::from(Block::of_info(&self.context, info)))
            .collect()
    }

    fn previous(&self) -> Result<Dynamic, Fault> {
        if self.height == 0 {
            return Ok(Dynamic::UNIT);
        }
        let previous = self.info()?.header.prev_blockhash;
        Ok(Dynamic::from(Block::at(&self.context, &previous)?))
    }

    fn next(&self) -> Result<Dynamic, Fault> {
        match self.info()?.next_hash {
            Some(next) => Ok(Dynamic::from(Block::at(&self.context, &next)?)),
            None => Ok(Dynamic::UNIT),
        }
    }
}

impl Shown for Block {
    const KIND: &'static str = "Block";

    fn line(&self) -> String {
        format!("block {} (height {})", self.hash, self.height)
    }

    fn text(&self) -> Result<String, Fault> {
        let info = self.info()?;
        let header = &info.header;
        let mut lines = vec![
            ("block", self.hash.to_string()),
            ("height", self.height.to_string()),
            ("status", standing(&info, self.is_best())),
            ("previous", header.prev_blockhash.to_string()),
        ];
        if let Some(next) = info.next_hash {
            lines.push(("next", next.to_string()));
        }
        if info.fork_hash != self.hash {
            let fork = format!("{} (height {})", info.fork_hash, info.fork_height);
            lines.push(("forks off at", fork));
        }
        if let Some(reason) = &info.reject_reason {
            lines.push(("rejected for", reason.clone()));
        }
        lines.extend([
            ("merkle root", header.merkle_root.to_string()),
            (
                "time",
                format!("{} (median {})", header.time, info.median_time_past),
            ),
            (
                "version",
                format!("{:#010x}", header.version.to_consensus()),
            ),
            ("bits", format!("{:08x}", header.bits.to_consensus())),
            ("nonce", header.nonce.to_string()),
            ("chainwork", work_hex(info.chainwork)),
            ("size", format!("{} bytes", info.size)),
            ("transactions", info.tx_count.to_string()),
        ]);
        Ok(facts(lines))
    }

    fn json(&self) -> Result<Value, Fault> {
        let info = self.info()?;
        let header = &info.header;
        Ok(json!({
            "hash": self.hash.to_string(),
            "height": self.height,
            "status": info.status.as_str(),
            "best": self.is_best(),
            "live": info.live,
            "previous_hash": header.prev_blockhash.to_string(),
            "next_hash": info.next_hash.map(|hash| hash.to_string()),
            "version": header.version.to_consensus(),
            "merkle_root": header.merkle_root.to_string(),
            "time": header.time,
            "median_time_past": info.median_time_past,
            "bits": format!("{:08x}", header.bits.to_consensus()),
            "nonce": header.nonce,
            "chainwork": work_hex(info.chainwork),
            "fork_hash": info.fork_hash.to_string(),
            "fork_height": info.fork_height,
            "first_seen": info.first_seen,
            "reject_reason": info.reject_reason,
            "size_bytes": info.size,
            "tx_count": info.tx_count,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("HEIGHT", Align::Right),
            ("STATUS", Align::Left),
            ("FORK", Align::Right),
            ("TXS", Align::Right),
            ("BYTES", Align::Right),
            ("TIME", Align::Right),
            ("BLOCK", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let info = self.info()?;
        let fork = match info.fork_hash == self.hash {
            true => String::new(),
            false => info.fork_height.to_string(),
        };
        Ok(vec![
            self.height.to_string(),
            standing(&info, self.is_best()),
            fork,
            info.tx_count.to_string(),
            info.size.to_string(),
            info.header.time.to_string(),
            self.hash.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<Block>(engine, "a block of any branch, valid or not")
        .equal_by(|block| block.hash)
        .get("hash", "its hash", |block| Ok(block.hash.to_string()))
        .get("height", "its height", |block| Ok(i64::from(block.height)))
        .get(
            "transactions",
            "its transactions, the coinbase first; read once",
            |block| Ok(block.transactions()?),
        )
        .method1(
            "tx(index)",
            "one of its transactions; quicker than the list in a loop",
            |block, index| Ok(block.transaction(as_index(&index, "a place in a block")?)?),
        )
        .get(
            "tx_count",
            "how many transactions it has; 0 while only its header is known",
            |block| Ok(i64::from(block.info()?.tx_count)),
        )
        .get("size", "its bytes, with witnesses", |block| {
            Ok(i64::from(block.info()?.size))
        })
        .get("weight", "its weight (BIP141)", |block| {
            Ok(i64::try_from(block.body()?.weight).unwrap_or(i64::MAX))
        })
        .get(
            "previous",
            "the block before it; () before genesis",
            |block| Ok(block.previous()?),
        )
        .get("previous_hash", "hash of that block", |block| {
            Ok(block.info()?.header.prev_blockhash.to_string())
        })
        .get(
            "next",
            "the block after it on the best chain, or ()",
            |block| Ok(block.next()?),
        )
        .method(
            "children()",
            "the blocks on top of it, on every branch",
            |block| -> Given<Array> { Ok(block.children()) },
        )
        .get("world", "the world at it", |block| {
            Ok(Dynamic::from(WorldValue::at(&block.context, &block.hash)?))
        })
        .get(
            "status",
            "active, valid-fork, valid-headers, headers-only or invalid",
            |block| Ok(block.info()?.status.as_str()),
        )
        .get("live", "whether a world can be read at it", |block| {
            Ok(block.info()?.live)
        })
        .get("best", "whether it is the tip of the best world", |block| {
            Ok(block.is_best())
        })
        .get(
            "fork_hash",
            "hash of the last block of its chain on the best chain",
            |block| Ok(block.info()?.fork_hash.to_string()),
        )
        .get("fork_height", "height of that block", |block| {
            Ok(i64::from(block.info()?.fork_height))
        })
        .get("reject_reason", "why it is invalid, if it is", |block| {
            Ok(block
                .info()?
                .reject_reason
                .map_or(Dynamic::UNIT, Dynamic::from))
        })
        .get("chainwork", "work of its chain, in hexadecimal", |block| {
            Ok(work_hex(block.info()?.chainwork))
        })
        .get("time", "its header's time, unix seconds", |block| {
            Ok(i64::from(block.info()?.header.time))
        })
        .get(
            "median_time_past",
            "median time past at it (BIP113), unix seconds",
            |block| Ok(i64::from(block.info()?.median_time_past)),
        )
        .get("first_seen", "unix seconds when its header came", |block| {
            Ok(block.info()?.first_seen as i64)
        })
        .get("version", "its header's version", |block| {
            Ok(i64::from(block.info()?.header.version.to_consensus()))
        })
        .get("merkle_root", "its header's merkle root", |block| {
            Ok(block.info()?.header.merkle_root.to_string())
        })
        .get(
            "bits",
            "its header's target in compact form, in hexadecimal",
            |block| Ok(format!("{:08x}", block.info()?.header.bits.to_consensus())),
        )
        .get("nonce", "its header's nonce", |block| {
            Ok(i64::from(block.info()?.header.nonce))
        })
        .method("header_hex()", "its header in hexadecimal", |block| {
            Ok(serialize_hex(&block.info()?.header))
        })
        .method(
            "hex()",
            "its bytes in hexadecimal",
            |block| -> Given<String> {
                let bytes = block
                    .context
                    .ledger
                    .block_bytes(&block.hash)
                    .map_err(Fault::from)?;
                Ok(bytes.to_lower_hex_string())
            },
        );
}
