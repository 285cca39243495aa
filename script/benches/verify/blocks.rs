//! Owns the figures of real blocks: inputs a second on one core and on two, and how much of that is the library's.
//! Promises that all are of one run, in turns: machines are noisy.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::{Block, Transaction, TxOut};
use everett_script::interpreter::{ScriptVersion, TaprootContext};
use everett_script::{
    Checker, Flags, InputChecker, PreparedTransaction, ScriptError, SpentOutput, verify_script,
};
use secp256k1::Secp256k1;

use crate::raw::Raw;
use crate::time;

/// Turns of a whole block.
const TURNS: usize = 8;
/// Inputs or signatures that a thread takes at a time.
const CHUNK: usize = 16;

/// Prints a line for each block that is at hand.
pub(crate) fn measure() {
    println!(
        "\n{:<16}{:>8}{:>12}{:>12}{:>8}{:>16}{:>16}",
        "real blocks",
        "inputs",
        "1 core, /s",
        "2 cores, /s",
        "ratio",
        "library's ratio",
        "outside library"
    );
    // What buried deployments leave at their heights.
    for (name, flags) in [
        ("testnet3-928848", Flags::CONSENSUS),
        (
            "mainnet-300025",
            Flags::P2SH | Flags::WITNESS | Flags::TAPROOT,
        ),
    ] {
        if measure_block(name, flags).is_none() {
            println!("{name:<16}not there; set EVERETT_VECTORS to the test data");
        }
    }
}

fn measure_block(name: &str, flags: Flags) -> Option<()> {
    let root = std::env::var_os("EVERETT_VECTORS").map(PathBuf::from);
    let root =
        root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let path = root.join("vectors/blocks").join(name);
    let block: Block = deserialize(&std::fs::read(path.with_extension("block")).ok()?).ok()?;
    let spent = std::fs::read(path.with_extension("spent-outputs")).ok()?;
    let mut spent = spent.as_slice();
    let mut spends = Vec::new();
    for tx in &block.txdata[1..] {
        let outputs = tx.input.iter().map(|_| TxOut::consensus_decode(&mut spent));
        spends.push((tx, outputs.collect::<Result<Vec<_>, _>>().ok()?));
    }
    let inputs: usize = spends.iter().map(|(tx, _)| tx.input.len()).sum();
    let tasks = library_tasks(&spends, flags);
    let secp = Secp256k1::verification_only();
    let library = |cores| {
        spread(&tasks, cores, |task| {
            black_box(task.verify(&secp));
        })
    };
    let mut best = [f64::INFINITY; 4];
    for _ in 0..TURNS {
        let turn = [
            time(|| verify_block(&spends, flags, 1)),
            time(|| verify_block(&spends, flags, 2)),
            time(|| library(1)),
            time(|| library(2)),
        ];
        for (best, turn) in best.iter_mut().zip(turn) {
            *best = best.min(turn.as_secs_f64());
        }
    }
    let [one, two, library_one, library_two] = best;
    println!(
        "{name:<16}{inputs:>8}{:>12.0}{:>12.0}{:>8.2}{:>16.2}{:>15.1}%",
        inputs as f64 / one,
        inputs as f64 / two,
        one / two,
        library_one / library_two,
        100.0 * (one - library_one) / one,
    );
    Some(())
}

/// Verifies as a node does: transactions prepared once, inputs spread over the cores.
fn verify_block(spends: &[(&Transaction, Vec<TxOut>)], flags: Flags, cores: usize) {
    let spent = spent_outputs(spends);
    let prepared = prepare(spends, &spent);
    spread(&inputs(&prepared), cores, |(prepared, input)| {
        prepared.verify_input(*input, flags).expect("a valid block");
    });
}

/// What the library is asked, of signatures that hold and of those that do not.
fn library_tasks(spends: &[(&Transaction, Vec<TxOut>)], flags: Flags) -> Vec<Raw> {
    let spent = spent_outputs(spends);
    let prepared = prepare(spends, &spent);
    let mut tasks = Vec::new();
    for (prepared, input) in inputs(&prepared) {
        let mut recorder = Recorder {
            inner: InputChecker::new(prepared, input),
            tasks: &mut tasks,
        };
        let txin = &prepared.transaction().input[input];
        let script_pubkey = prepared.spent_outputs()[input].script_pubkey;
        let (script_sig, witness) = (&txin.script_sig, &txin.witness);
        verify_script(script_sig, script_pubkey, witness, flags, &mut recorder)
            .expect("a valid block");
    }
    tasks
}

/// Writes down what it asks of the library.
struct Recorder<'a> {
    inner: InputChecker<'a>,
    tasks: &'a mut Vec<Raw>,
}

impl Checker for Recorder<'_> {
    fn check_ecdsa(
        &mut self,
        signature: &[u8],
        key: &[u8],
        script_code: &[u8],
        version: ScriptVersion,
    ) -> bool {
        let holds = self.inner.check_ecdsa(signature, key, script_code, version);
        if let Some((hash_type, der)) = signature.split_last() {
            self.tasks.push(Raw::Ecdsa {
                key: key.to_vec(),
                signature: der.to_vec(),
                hash: self
                    .inner
                    .ecdsa_hash(u32::from(*hash_type), script_code, version),
            });
        }
        holds
    }

    fn check_schnorr(
        &mut self,
        signature: &[u8],
        key: &[u8],
        context: &TaprootContext,
    ) -> Result<(), ScriptError> {
        self.inner.check_schnorr(signature, key, context)?;
        let hash_type = signature.get(64).copied().unwrap_or(0);
        if let Some(hash) = self.inner.schnorr_hash(hash_type, context) {
            self.tasks.push(Raw::Schnorr {
                key: key.try_into().expect("a key that a signature held for"),
                signature: signature[..64].to_vec(),
                hash,
            });
        }
        Ok(())
    }

    fn check_lock_time(&mut self, lock_time: i64) -> bool {
        self.inner.check_lock_time(lock_time)
    }

    fn check_sequence(&mut self, sequence: i64) -> bool {
        self.inner.check_sequence(sequence)
    }
}

fn spent_outputs<'a>(spends: &'a [(&Transaction, Vec<TxOut>)]) -> Vec<Vec<SpentOutput<'a>>> {
    spends
        .iter()
        .map(|(_, spent)| spent.iter().map(SpentOutput::from).collect())
        .collect()
}

fn prepare<'a>(
    spends: &[(&'a Transaction, Vec<TxOut>)],
    spent: &'a [Vec<SpentOutput<'a>>],
) -> Vec<PreparedTransaction<'a>> {
    let prepare = |((tx, _), spent): (&(&'a Transaction, Vec<TxOut>), &'a Vec<SpentOutput<'a>>)| {
        PreparedTransaction::new(tx, spent).expect("one output for each input")
    };
    spends.iter().zip(spent).map(prepare).collect()
}

fn inputs<'a>(
    prepared: &'a [PreparedTransaction<'a>],
) -> Vec<(&'a PreparedTransaction<'a>, usize)> {
    let of = |prepared: &'a PreparedTransaction<'a>| {
        (0..prepared.spent_outputs().len()).map(move |input| (prepared, input))
    };
    prepared.iter().flat_map(of).collect()
}

/// Works through `items` on so many threads.
fn spread<T: Sync>(items: &[T], cores: usize, work: impl Fn(&T) + Sync) {
    let chunks: Vec<&[T]> = items.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let (next, chunks, work) = (&next, &chunks, &work);
    let run = move || {
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            chunk.iter().for_each(work);
        }
    };
    std::thread::scope(|scope| {
        (1..cores).for_each(|_| drop(scope.spawn(run)));
        run();
    });
}
