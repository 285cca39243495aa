//! The file that all coins are written to, against Bitcoin Core's: of the 100 blocks that its own test mines with a fixed
//! clock and payout, whose hashes are known, and of a chain with every kind of coin.

use std::fs::File;
use std::io::Cursor;
use std::str::FromStr;

use bitcoin::consensus::deserialize;
use bitcoin::{
    Address, Amount, Block, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, absolute, transaction,
};
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_scenario::assemble::mine;
use everett_tests::bitcoind::{Bitcoind, program};
use sha2::{Digest, Sha256};

const BLOCKS: u32 = 100;
const PAYOUT: &str = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z";
const BASE_HASH: &str = "220aee93f0f5409631f35488898258f0930952bd620063cb4d7d87f7c28a8f50";
const SET_HASH: &str = "771d773b5c27b6f35f598ce764652a2cf28fbc268341eb1827844e416c629c7d";
const FILE_SHA256: &str = "e8c59b1bc1f19061c67eb7a392f4ea17eea83af58646ea2909e270546699c36c";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_miner_makes_bitcoin_cores_golden_chain_and_its_snapshot_is_the_same_file() {
    let params = Params::new(Network::Regtest);
    let mut config = LedgerConfig::in_memory(params.clone());
    config.clock = Clock::fixed(u64::from(params.genesis.header.time) + 1);
    let ledger = Ledger::open(config).unwrap();
    let payout = Address::from_str(PAYOUT).unwrap().assume_checked();
    for _ in 0..BLOCKS {
        let parent = ledger.best();
        let block = mine(&ledger, &parent, vec![], &payout.script_pubkey(), None).unwrap();
        ledger.submit_block(&block).unwrap();
    }
    let mut file = Cursor::new(Vec::new());
    let snapshot = ledger.best().write_snapshot(&mut file, || true).unwrap();
    assert_eq!(snapshot.base_hash.to_string(), BASE_HASH);
    assert_eq!(snapshot.info.hash_serialized_3_hex(), SET_HASH);
    assert_eq!(snapshot.info.txouts, u64::from(BLOCKS));
    assert_eq!(hex(&Sha256::digest(file.get_ref())), FILE_SHA256);
}

/// Scripts of each form that has a short one in the file, of some that only look so, and one that is long.
fn scripts() -> Vec<ScriptBuf> {
    let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    let hash = "5a".repeat(20);
    [
        format!("76a914{hash}88ac"),
        format!("a914{hash}87"),
        format!("2102{x}ac"),
        format!("2103{x}ac"),
        format!("2102{}ac", "ff".repeat(32)),
        format!("4104{x}{y}ac"),
        format!("4104{x}{x}ac"),
        format!("4106{x}{y}ac"),
        format!("0014{hash}"),
        format!("5120{x}"),
        "51".into(),
        String::new(),
        "00".repeat(5_000),
    ]
    .iter()
    .map(|text| ScriptBuf::from_hex(text).unwrap())
    .collect()
}

/// A transaction with so many outputs that the order of the database is not that of the numbers.
fn many_outputs(coinbase: &Transaction) -> Transaction {
    let scripts = scripts();
    let spends = OutPoint::new(coinbase.compute_txid(), 0);
    let mut sats = [0u64, 1, 10, 546, 1_000_000, 12_345_678, 100_000_000]
        .iter()
        .cycle();
    let outputs = (0..17_000usize).map(|index| TxOut {
        value: Amount::from_sat(if index < 40 {
            *sats.next().unwrap()
        } else {
            index as u64
        }),
        script_pubkey: match index {
            ..40 => scripts[index % scripts.len()].clone(),
            _ => scripts[index % 2].clone(),
        },
    });
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: spends,
            ..TxIn::default()
        }],
        output: outputs.collect(),
    }
}

#[test]
fn the_snapshot_of_every_kind_of_coin_is_the_file_that_bitcoin_core_writes() {
    let name = "the_snapshot_of_every_kind_of_coin_is_the_file_that_bitcoin_core_writes";
    let Some(program) = program(name) else { return };
    let core = Bitcoind::start(&program, &[]);
    let ledger = Ledger::open(LedgerConfig::in_memory(Params::new(Network::Regtest))).unwrap();
    // Whoever comes may spend these.
    let payout = ScriptBuf::from_hex("51").unwrap();
    let mut spent = None;
    for height in 1..=102 {
        let transactions = match &spent {
            Some(coinbase) if height == 102 => vec![many_outputs(coinbase)],
            _ => Vec::new(),
        };
        let bytes = mine(&ledger, &ledger.best(), transactions, &payout, None).unwrap();
        ledger.submit_block(&bytes).unwrap();
        core.submit(&bytes);
        let block: Block = deserialize(&bytes).unwrap();
        spent.get_or_insert(block.txdata[0].clone());
    }
    assert_eq!(ledger.best().height(), 102);
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join("core.dat");
    let answer = core.call("dumptxoutset", &[theirs.to_str().unwrap(), "latest"]);
    let ours = directory.path().join("everett.dat");
    let mut file = File::create(&ours).unwrap();
    let snapshot = ledger.best().write_snapshot(&mut file, || true).unwrap();
    assert_eq!(answer["coins_written"], snapshot.info.txouts);
    assert_eq!(
        answer["txoutset_hash"],
        snapshot.info.hash_serialized_3_hex()
    );
    assert!(std::fs::read(theirs).unwrap() == std::fs::read(ours).unwrap());
}
