//! Owns the laws of execution: no panic, limits kept at every step, watching changes nothing, and every flag is a soft
//! fork.

use bitcoin::consensus::deserialize_partial;
use bitcoin::{Amount, ScriptBuf, Transaction, TxOut};
use everett_generate::{Case, Entropy, case};
use everett_script::interpreter::{MAX_STACK_SIZE, ScriptVersion};
use everett_script::sigops::transaction_sigop_cost;
use everett_script::stack::Stack;
use everett_script::trace::{Observer, Phase, Step};
use everett_script::{
    Flags, InputChecker, PreparedTransaction, ScriptError, SpentOutput, verify_script_watched,
};

use crate::memory::bounded;

/// Bytes as flags, the input that is asked about, a script pubkey with its length, and a transaction, all of whose
/// inputs spend that script.
pub fn script_execution(bytes: &[u8]) {
    let Some((&[a, b, c, d, input, length], rest)) = bytes.split_first_chunk::<6>() else {
        return;
    };
    let flags = flags_of(u32::from_le_bytes([a, b, c, d]));
    let Some((script, rest)) = rest.split_at_checked(usize::from(length)) else {
        return;
    };
    let Ok((tx, _)) = deserialize_partial::<Transaction>(rest) else {
        return;
    };
    if tx.input.is_empty() {
        return;
    }
    let spent = TxOut {
        value: Amount::from_sat(u64::from(d) << 20),
        script_pubkey: ScriptBuf::from_bytes(script.to_vec()),
    };
    let mut case = Case {
        spent: vec![spent; tx.input.len()],
        input: usize::from(input) % tx.input.len(),
        tx,
    };
    bounded(bytes.len(), || {
        hold(&case, flags);
        // And with an output that commits to what the input reveals, so that it runs.
        case.recommit();
        hold(&case, flags);
    });
}

/// Bytes as the choices of a grammar that grows spends, most of which run for a while.
pub fn spend_grammar(bytes: &[u8]) {
    let mut entropy = Entropy::bytes(bytes);
    let flags = flags_of(entropy.next() as u32);
    let (_, case) = case(&[], &mut entropy);
    // Pushes of chosen lengths are made from single bytes.
    bounded(bytes.len() + (1 << 16), || hold(&case, flags));
}

fn flags_of(bits: u32) -> Flags {
    Flags::from_bits(bits & Flags::ALL.bits()).unwrap_or(Flags::ALL)
}

fn hold(case: &Case, flags: Flags) {
    let spent: Vec<SpentOutput<'_>> = case.spent.iter().map(SpentOutput::from).collect();
    let prepared = PreparedTransaction::new(&case.tx, &spent).expect("an output for each input");
    let verdict = prepared.verify_input(case.input, flags);
    assert_eq!(
        prepared.verify_input(case.input, flags),
        verdict,
        "the second time the verdict is another"
    );

    let input = &case.tx.input[case.input];
    let mut watcher = Watcher::default();
    let watched = verify_script_watched(
        &input.script_sig,
        &case.spent[case.input].script_pubkey,
        &input.witness,
        flags,
        &mut InputChecker::new(&prepared, case.input),
        &mut watcher,
    );
    assert_eq!(watched, verdict, "watching changes the verdict");
    assert_eq!(watcher.begun, watcher.ended, "a script did not end");

    if flags.is_consistent() && verdict.is_ok() {
        for flag in flags.iter() {
            let fewer = flags - flag;
            if fewer.is_consistent() {
                let looser = prepared.verify_input(case.input, fewer);
                assert_eq!(looser, Ok(()), "{flag} lets in what was kept out");
            }
        }
    }
    transaction_sigop_cost(&case.tx, &spent, flags);
}

/// Sees that limits hold.
#[derive(Default)]
struct Watcher {
    begun: usize,
    ended: usize,
}

impl Observer for Watcher {
    fn script_begins(&mut self, _: Phase, _: ScriptVersion, _: &[u8], _: &Stack<'_>) {
        self.begun += 1;
    }

    fn step(&mut self, step: &Step<'_, '_>) {
        let elements = step.stack.len() + step.alt_stack.len();
        assert!(elements <= MAX_STACK_SIZE, "{elements} elements");
    }

    fn script_ends(&mut self, _: &Stack<'_>, _: &Stack<'_>, _: Result<(), ScriptError>) {
        self.ended += 1;
    }
}
