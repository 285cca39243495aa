//! Real blocks with the outputs that they spend: every input verifies, and none does with a byte changed.

use std::path::Path;

use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::{Amount, Block, Transaction, TxOut};
use everett_script::instruction::Instructions;
use everett_script::opcode::OP_PUSHDATA4;
use everett_script::{Flags, PreparedTransaction, SpentOutput};

use crate::data::{Random, find, in_parallel};

/// Inputs in all blocks that come with their spent outputs.
const EXPECTED_INPUTS: usize = 52_000;
/// One input of so many is also tried with a changed byte.
const CHANGED_EVERY: usize = 16;

/// A transaction and what it spends.
type Spend = (Transaction, Vec<TxOut>);

struct RealBlock {
    name: String,
    flags: Flags,
    spends: Vec<Spend>,
}

/// The flags of a block, as Core has them: some hold since the first block, those of buried soft forks
/// from their heights on.
fn flags_at(network: &str, height: u32) -> Flags {
    let [dersig, cltv, csv, segwit] = match network {
        "mainnet" => [363_725, 388_381, 419_328, 481_824],
        "testnet3" => [330_776, 581_885, 770_112, 834_624],
        other => panic!("no heights for {other}"),
    };
    let mut flags = Flags::P2SH | Flags::WITNESS | Flags::TAPROOT;
    let buried = [
        (dersig, Flags::DERSIG),
        (cltv, Flags::CHECKLOCKTIMEVERIFY),
        (csv, Flags::CHECKSEQUENCEVERIFY),
        (segwit, Flags::NULLDUMMY),
    ];
    for (since, flag) in buried {
        if height >= since {
            flags |= flag;
        }
    }
    flags
}

fn read_all() -> Option<Vec<RealBlock>> {
    let folder = find("blocks")?;
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "spent-outputs")
        {
            blocks.push(read(&path));
        }
    }
    Some(blocks)
}

fn read(spent_outputs: &Path) -> RealBlock {
    let name = spent_outputs
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let (network, height) = name.split_once('-').unwrap();
    let flags = flags_at(network, height.parse().unwrap());
    let bytes = std::fs::read(spent_outputs.with_extension("block")).unwrap();
    let block: Block = deserialize(&bytes).unwrap();
    let bytes = std::fs::read(spent_outputs).unwrap();
    let mut bytes = bytes.as_slice();
    let mut spends = Vec::new();
    for tx in block.txdata.into_iter().skip(1) {
        let spent = tx
            .input
            .iter()
            .map(|_| TxOut::consensus_decode(&mut bytes).unwrap())
            .collect();
        spends.push((tx, spent));
    }
    assert!(bytes.is_empty(), "{name} has spent outputs left over");
    RealBlock {
        name,
        flags,
        spends,
    }
}

fn is_valid(tx: &Transaction, spent: &[TxOut], input: usize, flags: Flags) -> bool {
    let spent: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
    PreparedTransaction::new(tx, &spent)
        .unwrap()
        .verify_input(input, flags)
        .is_ok()
}

#[test]
fn every_input_of_every_block_verifies() {
    let Some(blocks) = read_all() else { return };
    let mut inputs = 0;
    for block in &blocks {
        let failures = in_parallel(&block.spends, |(tx, spent)| {
            let spent: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
            let prepared = PreparedTransaction::new(tx, &spent).unwrap();
            let verified = prepared.verify(block.flags);
            verified.map_err(|error| format!("{} {}: {error}", block.name, tx.compute_txid()))
        });
        assert!(failures.is_empty(), "{failures:#?}");
        inputs += block
            .spends
            .iter()
            .map(|(tx, _)| tx.input.len())
            .sum::<usize>();
    }
    eprintln!("{inputs} inputs of {} blocks verified", blocks.len());
    assert!(inputs >= EXPECTED_INPUTS, "{inputs}");
}

#[test]
fn an_input_with_a_changed_signature_or_amount_fails() {
    let Some(blocks) = read_all() else { return };
    let mut changed_signatures = 0;
    let mut changed_amounts = 0;
    for block in &blocks {
        let mut samples = Vec::new();
        let mut count = 0;
        for (tx, spent) in &block.spends {
            for input in 0..tx.input.len() {
                count += 1;
                if count % CHANGED_EVERY == 0 {
                    samples.push((tx, spent, input, Random(count as u64)));
                }
            }
        }
        let failures = in_parallel(&samples, |(tx, spent, input, random)| {
            let mut random = Random(random.0);
            let describe = |what| {
                Err(format!(
                    "{} {} input {input}: {what}",
                    block.name,
                    tx.compute_txid()
                ))
            };
            let changed = with_changed_signature(tx, *input, &mut random);
            if changed.is_some_and(|changed| is_valid(&changed, spent, *input, block.flags)) {
                return describe("passes with another signature");
            }
            if commits_to_amount(tx, spent, *input) {
                let mut changed: Vec<TxOut> = spent.to_vec();
                let amount = changed[*input].value.to_sat() ^ 1 << random.below(51);
                changed[*input].value = Amount::from_sat(amount);
                if is_valid(tx, &changed, *input, block.flags) {
                    return describe("passes with another amount");
                }
            }
            Ok(())
        });
        assert!(failures.is_empty(), "{failures:#?}");
        for (tx, spent, input, random) in &samples {
            let mut random = Random(random.0);
            let signature = with_changed_signature(tx, *input, &mut random);
            changed_signatures += usize::from(signature.is_some());
            changed_amounts += usize::from(commits_to_amount(tx, spent, *input));
        }
    }
    eprintln!(
        "{changed_signatures} changed signatures and {changed_amounts} changed amounts failed"
    );
    assert!(changed_signatures > 1_000 && changed_amounts > 100);
}

/// Segwit signatures sign the amount, and only an empty scriptSig or a nested program makes one.
fn commits_to_amount(tx: &Transaction, spent: &[TxOut], input: usize) -> bool {
    let program = &spent[input].script_pubkey;
    !tx.input[input].witness.is_empty() && (program.is_witness_program() || program.is_p2sh())
}

/// The transaction with one bit of one of the input's signatures changed, inside R or S or in the hash
/// type; lax DER may not mind changes elsewhere. `None` when there is nothing that looks like a signature.
fn with_changed_signature(
    tx: &Transaction,
    input: usize,
    random: &mut Random,
) -> Option<Transaction> {
    let mut tx = tx.clone();
    let txin = &mut tx.input[input];
    let mut elements: Vec<Vec<u8>> = txin.witness.to_vec();
    for element in elements.iter_mut() {
        if change_signature(element, random) {
            txin.witness = bitcoin::Witness::from_slice(&elements);
            return Some(tx);
        }
    }
    let script_sig = txin.script_sig.as_bytes();
    let mut instructions = Instructions::new(script_sig);
    while let Some(Ok(one)) = instructions.next() {
        let mut data = one.data.to_vec();
        if one.opcode <= OP_PUSHDATA4 && change_signature(&mut data, random) {
            let end = script_sig.len() - instructions.rest().len();
            let mut changed = script_sig.to_vec();
            changed[end - data.len()..end].copy_from_slice(&data);
            txin.script_sig = changed.into();
            return Some(tx);
        }
    }
    None
}

fn change_signature(element: &mut [u8], random: &mut Random) -> bool {
    let bytes: Vec<usize> = match &*element {
        [0x30, length, 0x02, length_r, ..] if usize::from(*length) + 3 == element.len() => {
            let first_of_r = 4;
            let end_of_r = first_of_r + usize::from(*length_r);
            let mut bytes: Vec<_> = (first_of_r..end_of_r).collect();
            bytes.extend(end_of_r + 2..element.len());
            bytes
        }
        _ if matches!(element.len(), 64 | 65) && element[0] != 4 => (0..element.len()).collect(),
        _ => return false,
    };
    element[bytes[random.below(bytes.len())]] ^= 1 << random.below(8);
    true
}
