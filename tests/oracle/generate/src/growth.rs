//! Owns whole cases: where they start, and whether they are changed after that.

use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute,
    transaction,
};

use crate::case::Case;
use crate::entropy::Entropy;
use crate::grammar::{random_script, random_stack};
use crate::lock::{Care, Lock, Wrapping};
use crate::mutation::mutate;

/// Inputs and outputs of a grown transaction at most.
const MAX_INPUTS: usize = 4;
const MAX_OUTPUTS: usize = 4;

/// Where a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A vector, changed.
    Vector,
    /// A script by chance.
    Random,
    /// A spend whose signatures hold.
    Signed,
    /// Such a spend, changed.
    Mutated,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Origin; 4] = [
        Origin::Vector,
        Origin::Random,
        Origin::Signed,
        Origin::Mutated,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Vector => "vector",
            Origin::Random => "random",
            Origin::Signed => "signed",
            Origin::Mutated => "mutated",
        }
    }
}

/// A case; `vectors` may be empty.
pub fn case(vectors: &[Case], entropy: &mut Entropy<'_>) -> (Origin, Case) {
    let mut origin = *entropy.pick(&Origin::ALL);
    if vectors.is_empty() && origin == Origin::Vector {
        origin = Origin::Random;
    }
    let mut case = match origin {
        Origin::Vector => entropy.pick(vectors).clone(),
        Origin::Random => random_spend(entropy),
        Origin::Signed | Origin::Mutated => signed_spend(entropy),
    };
    let changed = match origin {
        Origin::Vector | Origin::Mutated => true,
        Origin::Random => entropy.below(4) == 3,
        Origin::Signed => false,
    };
    if changed {
        mutate(&mut case, entropy);
    }
    (origin, case)
}

/// A spend of an output with a script by chance.
pub fn random_spend(entropy: &mut Entropy<'_>) -> Case {
    let (mut tx, mut spent, input) = blank_transaction(entropy);
    let wrappings: Vec<Wrapping> = Wrapping::ALL
        .into_iter()
        .filter(|wrapping| wrapping.takes_any_script())
        .collect();
    let script = random_script(entropy);
    let stack = random_stack(entropy);
    let lock = Lock::around(*entropy.pick(&wrappings), script, stack, entropy);
    spent[input].script_pubkey = lock.script_pubkey();
    lock.unlock(&mut tx, &spent, input, Care::Careless, entropy);
    Case { tx, spent, input }
}

/// A spend with signatures that hold, most of the time.
pub fn signed_spend(entropy: &mut Entropy<'_>) -> Case {
    let (mut tx, mut spent, input) = blank_transaction(entropy);
    let lock = Lock::signed(entropy);
    spent[input].script_pubkey = lock.script_pubkey();
    if entropy.below(4) != 3 {
        if let Some(time) = lock.lock_time {
            tx.lock_time = absolute::LockTime::from_consensus(time + entropy.below(3) as u32);
            tx.input[input].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
        }
        if let Some(blocks) = lock.sequence {
            tx.version = transaction::Version::TWO;
            tx.input[input].sequence = Sequence(blocks + entropy.below(3) as u32);
        }
    }
    lock.unlock(&mut tx, &spent, input, Care::Careless, entropy);
    Case { tx, spent, input }
}

/// A transaction without signatures, what it spends, and one of its inputs.
pub fn blank_transaction(entropy: &mut Entropy<'_>) -> (Transaction, Vec<TxOut>, usize) {
    let count = 1 + entropy.below(MAX_INPUTS);
    let input = (0..count).map(|vout| TxIn {
        previous_output: OutPoint {
            txid: Txid::hash(&entropy.next().to_le_bytes()),
            vout: vout as u32,
        },
        script_sig: ScriptBuf::new(),
        sequence: sequence(entropy),
        witness: Witness::new(),
    });
    let input = input.collect();
    let output = |longest: usize, entropy: &mut Entropy<'_>| TxOut {
        value: Amount::from_sat(entropy.next() >> 30),
        script_pubkey: vec![0x51; entropy.below(longest)].into(),
    };
    let outputs = entropy.below(MAX_OUTPUTS);
    let output_list = (0..outputs).map(|_| output(300, entropy)).collect();
    let spent = (0..count).map(|_| output(60, entropy)).collect();
    let tx = Transaction {
        version: transaction::Version(*entropy.pick(&[2, 1, 2, -1])),
        lock_time: lock_time(entropy),
        input,
        output: output_list,
    };
    (tx, spent, entropy.below(count))
}

/// A lock time of either kind.
pub fn lock_time(entropy: &mut Entropy<'_>) -> absolute::LockTime {
    absolute::LockTime::from_consensus(*entropy.pick(&[0, 7, 120, 500_000_009]))
}

/// A sequence of any kind.
pub fn sequence(entropy: &mut Entropy<'_>) -> Sequence {
    Sequence(*entropy.pick(&[u32::MAX, 0, 5, 0x0040_0003, 0xffff_fffe]))
}
