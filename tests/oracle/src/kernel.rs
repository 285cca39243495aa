//! Owns the way to Bitcoin Core's engine: `bitcoinkernel`, and the texts that it only writes to its log.
//! Promises Core's verdict, and for blocks its kind and reason too.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoinkernel::prelude::*;
use bitcoinkernel::{
    Block, BlockHeader, BlockValidationResult, ChainType, ChainstateManager, Context, KernelError,
    Log, Logger, PrecomputedTransactionData, ProcessBlockHeaderResult, ProcessBlockResult,
    ScriptPubkey, ScriptVerifyError, Transaction, TxCheckResult, TxOut, ValidationMode, verify,
};
use everett_generate::Case;
use everett_script::Flags;

/// The flags that the kernel offers, with Everett's for them.
pub const FLAGS: [(Flags, bitcoinkernel::ScriptVerificationFlags); 7] = [
    (Flags::P2SH, bitcoinkernel::VERIFY_P2SH),
    (Flags::DERSIG, bitcoinkernel::VERIFY_DERSIG),
    (Flags::NULLDUMMY, bitcoinkernel::VERIFY_NULLDUMMY),
    (
        Flags::CHECKLOCKTIMEVERIFY,
        bitcoinkernel::VERIFY_CHECKLOCKTIMEVERIFY,
    ),
    (
        Flags::CHECKSEQUENCEVERIFY,
        bitcoinkernel::VERIFY_CHECKSEQUENCEVERIFY,
    ),
    (Flags::WITNESS, bitcoinkernel::VERIFY_WITNESS),
    (Flags::TAPROOT, bitcoinkernel::VERIFY_TAPROOT),
];

/// Script threads beside the one that asks: with none, Core checks scripts before it has looked at all inputs, and
/// blocks with two faults get another answer than from a node as it comes.
const SCRIPT_THREADS: i32 = 1;

/// Lines of Core's log that are kept for one block at most.
const MAX_LINES: usize = 1_000;

/// A case, handed to Core once for many sets of flags.
pub struct Spend {
    tx: Transaction,
    script: ScriptPubkey,
    amount: i64,
    input: usize,
    data: PrecomputedTransactionData,
}

impl Spend {
    /// Hands it over.
    pub fn new(case: &Case) -> Result<Spend> {
        let tx = Transaction::new(&serialize(&case.tx))?;
        let mut spent = Vec::with_capacity(case.spent.len());
        for output in &case.spent {
            let script = ScriptPubkey::new(output.script_pubkey.as_bytes())?;
            spent.push(TxOut::new(&script, output.value.to_sat() as i64));
        }
        let output = &case.spent[case.input];
        Ok(Spend {
            data: PrecomputedTransactionData::new(&tx, &spent)?,
            tx,
            script: ScriptPubkey::new(output.script_pubkey.as_bytes())?,
            amount: output.value.to_sat() as i64,
            input: case.input,
        })
    }

    /// Whether it holds. The kernel does not say why it does not.
    pub fn holds(&self, flags: Flags) -> Result<bool> {
        let known = FLAGS.iter().filter(|(flag, _)| flags.contains(*flag));
        let bits = known.fold(bitcoinkernel::VERIFY_NONE, |bits, (_, bit)| bits | bit);
        let verdict = verify(
            &self.script,
            Some(self.amount),
            &self.tx,
            self.input,
            Some(bits),
            &self.data,
        );
        match verdict {
            Ok(()) => Ok(true),
            Err(KernelError::ScriptVerify(ScriptVerifyError::Invalid)) => Ok(false),
            Err(error) => bail!("the kernel refused a case with flags {flags}: {error}"),
        }
    }
}

/// What Core reads in the bytes of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadTransaction {
    /// Its id, in the order of its bytes.
    pub txid: [u8; 32],
    /// What it writes back.
    pub bytes: Vec<u8>,
    /// Whether it is one by itself.
    pub valid: bool,
}

/// The transaction at the start of these bytes; `None` if there is none.
pub fn read_transaction(bytes: &[u8]) -> Result<Option<ReadTransaction>> {
    let Ok(tx) = Transaction::new(bytes) else {
        return Ok(None);
    };
    Ok(Some(ReadTransaction {
        txid: tx.txid().to_bytes(),
        bytes: tx.consensus_encode()?,
        valid: tx.check() == TxCheckResult::Valid,
    }))
}

/// What Core found of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The block.
    pub hash: bitcoin::BlockHash,
    /// Why it is invalid; `None` if it was connected.
    pub fault: Option<Fault>,
}

/// Why Core does not take a block or header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind, which says what follows.
    pub kind: BlockValidationResult,
    /// Core's reason, followed by `, ` and words for people, if there are some; empty where Core does not tell.
    pub text: String,
}

/// What became of a block that Core was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bytes are no block.
    Undecodable,
    /// It is stored; whether its coins and scripts hold is known once it was connected.
    New,
    /// It was stored before.
    Duplicate,
    /// It is not taken.
    Rejected(Fault),
}

/// A chain of Core's, on regtest, in memory but for its block files.
pub struct Node {
    manager: ChainstateManager,
    checked: Arc<Mutex<Vec<Checked>>>,
    _context: Context,
}

impl Node {
    /// A chain of the genesis block alone, with its files below `directory`.
    pub fn open(directory: &Path) -> Result<Node> {
        let checked: Arc<Mutex<Vec<Checked>>> = Arc::default();
        let heard = checked.clone();
        let context = Context::builder()
            .chain_type(ChainType::Regtest)
            .with_block_checked_validation(
                move |block: Block, state: bitcoinkernel::BlockValidationStateRef<'_>| {
                    let fault = (state.mode() != ValidationMode::Valid).then(|| Fault {
                        kind: state.result(),
                        text: String::new(),
                    });
                    let hash = bitcoin::BlockHash::from_byte_array(block.hash().to_bytes());
                    locked(&heard).push(Checked { hash, fault });
                },
            )
            .build()?;
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
        let data = text(&directory.join("core"))?;
        let blocks = text(&directory.join("core-blocks"))?;
        let manager = ChainstateManager::builder(&context, &data, &blocks)?
            .block_tree_db_in_memory(true)
            .chainstate_db_in_memory(true)
            .worker_threads(SCRIPT_THREADS)
            .build()?;
        manager.import_blocks()?;
        locked(&checked).clear();
        Ok(Node {
            manager,
            checked,
            _context: context,
        })
    }

    /// Gives it a block; the list is what it found of blocks while it took this one, itself or others.
    pub fn submit(&self, bytes: &[u8]) -> Result<(Answer, Vec<Checked>)> {
        let Ok(block) = Block::new(bytes) else {
            return Ok((Answer::Undecodable, Vec::new()));
        };
        locked(&LINES).clear();
        let result = self.manager.process_block(&block);
        let lines = std::mem::take(&mut *locked(&LINES));
        let mut checked = std::mem::take(&mut *locked(&self.checked));
        let answer = match result {
            ProcessBlockResult::NewBlock => Answer::New,
            ProcessBlockResult::Duplicate => Answer::Duplicate,
            ProcessBlockResult::Rejected => {
                let last = checked.pop().context("Core rejected without a reason")?;
                let mut fault = last.fault.context("Core rejected a valid block")?;
                fault.text = lines
                    .iter()
                    .find_map(|line| between(line, "AcceptBlock FAILED (", ")"))
                    .context("Core's log has no line for a rejected block")?;
                Answer::Rejected(fault)
            }
        };
        for checked in &mut checked {
            let start = format!("ConnectBlock {} failed, ", checked.hash);
            if let Some(fault) = &mut checked.fault {
                fault.text = lines
                    .iter()
                    .find_map(|line| between(line, &start, ""))
                    .context("Core's log has no line for a block that did not connect")?;
            }
        }
        Ok((answer, checked))
    }

    /// Gives it a header; the kind of its fault, if it has one. The kernel does not give the reason.
    pub fn submit_header(&self, bytes: &[u8; 80]) -> Result<Option<BlockValidationResult>> {
        let header = BlockHeader::new(bytes)?;
        Ok(match self.manager.process_block_header(&header)? {
            ProcessBlockHeaderResult::Valid => None,
            ProcessBlockHeaderResult::Invalid(state) => Some(state.result()),
        })
    }

    /// Its best block, and that block's height.
    pub fn tip(&self) -> (bitcoin::BlockHash, u32) {
        let tip = self.manager.active_chain().tip();
        let hash = bitcoin::BlockHash::from_byte_array(tip.block_hash().to_bytes());
        (hash, tip.height().unsigned_abs())
    }
}

fn between(line: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = line.split_once(start)?;
    let text = rest.trim_end().strip_suffix(end)?;
    Some(text.to_owned())
}

/// Core's log, as far as it tells why blocks failed.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Reasons;

impl Log for Reasons {
    fn log(&self, message: &str) {
        let telling = message.contains("AcceptBlock FAILED") || message.contains("ConnectBlock ");
        let mut lines = locked(&LINES);
        if telling && lines.len() < MAX_LINES {
            lines.push(message.to_owned());
        }
    }
}

/// Begins to listen to Core's log, until the logger is dropped.
pub fn listen() -> Result<Logger> {
    let logger = Logger::new(Reasons)?;
    ensure!(FLAGS.iter().fold(0, |all, (_, bit)| all | bit) == bitcoinkernel::VERIFY_ALL);
    Ok(logger)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
