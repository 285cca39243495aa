//! Owns the making of one block: payments, coinbase, commitments, header, and the flaws that it is to have.
//! Promises a valid block where no flaw is asked for, as far as it knows the rules; what does hold the engines say.

use bitcoin::block::{Header, Version};
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, WitnessMerkleNode, absolute, transaction,
};
use everett_generate::{
    Care, Entropy, Lock, Wrapping, mutate_bytes, random_script, random_stack, sequence,
};

use super::flaw::Flaw;
use super::forest::{Coin, Coins, Forest, Place, apply};

/// Payments in a block, coins that one spends, and outputs that it makes, at most.
const MAX_PAYMENTS: usize = 6;
const MAX_SPENT: usize = 3;
const MAX_OUTPUTS: usize = 4;
/// Blocks after which a coinbase can be spent.
const MATURITY: u32 = 100;
/// Blocks between two halvings on regtest.
const HALVING: u32 = 150;
const REGTEST_BITS: u32 = 0x207f_ffff;
/// Later than any clock that the oracle will run by.
const AGES_AHEAD: u32 = 4_200_000_000;
/// Nonces tried at most, where one in two fits.
const MAX_NONCES: u32 = 10_000;

/// Makes blocks; each has a number of its own in its coinbase.
#[derive(Debug, Default)]
pub struct Drafter {
    made: u64,
}

/// A block being made.
struct Draft<'a> {
    parent: &'a Place,
    flaws: &'a [Flaw],
    height: u32,
    coins: Coins,
    payments: Vec<Transaction>,
    fees: u64,
}

impl Draft<'_> {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaws.contains(&flaw)
    }

    /// Puts a payment into the block; `counts` if its fee is the coinbase's.
    fn add(&mut self, payment: Transaction, fee: u64) {
        apply(&mut self.coins, &payment, self.height, false);
        self.fees += fee;
        self.payments.push(payment);
    }
}

impl Drafter {
    /// The bytes of a block on `parent`.
    pub fn block(
        &mut self,
        forest: &mut Forest,
        parent: usize,
        flaws: &[Flaw],
        entropy: &mut Entropy<'_>,
    ) -> Vec<u8> {
        self.made += 1;
        let parent = forest.places[parent].clone();
        let mut draft = Draft {
            height: parent.height + 1,
            coins: (*parent.coins).clone(),
            payments: Vec::new(),
            fees: 0,
            parent: &parent,
            flaws,
        };
        for _ in 0..entropy.below(MAX_PAYMENTS + 1) {
            pay(&mut draft, forest, entropy);
        }
        spoil_payments(&mut draft, forest, entropy);
        let mut block = Block {
            header: self.header(&draft, entropy),
            txdata: self.transactions(&mut draft, forest, entropy),
        };
        commit(&mut block, &draft, entropy);
        spoil_block(&mut block, &draft, entropy);
        let mut bytes = serialize(&block);
        if draft.has(Flaw::Bytes) {
            mutate_bytes(&mut bytes, entropy);
        }
        bytes
    }

    fn header(&self, draft: &Draft<'_>, entropy: &mut Entropy<'_>) -> Header {
        let median = draft.parent.median_time_past();
        let last = draft.parent.times.last().copied().unwrap_or(median);
        let time = if draft.has(Flaw::TimeTooOld) {
            median - entropy.below(2) as u32
        } else if draft.has(Flaw::TimeTooNew) {
            AGES_AHEAD
        } else {
            (last + entropy.below(1_200) as u32)
                .saturating_sub(300)
                .max(median + 1)
        };
        let version = match draft.has(Flaw::Version) {
            true => *entropy.pick(&[1, 2, 3, 0, -1, 4, i32::MIN, i32::MAX]),
            false => 0x2000_0000,
        };
        let bits = match draft.has(Flaw::Bits) {
            true => *entropy.pick(&[
                0x207f_fffe,
                0x2100_7fff,
                0x1f7f_ffff,
                0,
                0x2080_0000,
                0xff7f_ffff,
                0x2200_ffff,
            ]),
            false => REGTEST_BITS,
        };
        let parent = match draft.has(Flaw::UnknownParent) {
            true => BlockHash::hash(&self.made.to_le_bytes()),
            false => draft.parent.hash,
        };
        Header {
            version: Version::from_consensus(version),
            prev_blockhash: parent,
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: CompactTarget::from_consensus(bits),
            nonce: 0,
        }
    }

    fn transactions(
        &self,
        draft: &mut Draft<'_>,
        forest: &mut Forest,
        entropy: &mut Entropy<'_>,
    ) -> Vec<Transaction> {
        let coinbase = self.coinbase(draft, forest, entropy);
        let mut transactions = vec![coinbase.clone()];
        transactions.append(&mut draft.payments);
        if draft.has(Flaw::TwoCoinbases) {
            let mut second = coinbase;
            second.lock_time = absolute::LockTime::from_consensus(1);
            let at = 1 + entropy.below(transactions.len());
            transactions.insert(at, second);
        }
        if draft.has(Flaw::NoCoinbase) {
            transactions.remove(0);
        }
        if draft.has(Flaw::Empty) {
            transactions.clear();
        }
        transactions
    }

    fn coinbase(
        &self,
        draft: &Draft<'_>,
        forest: &mut Forest,
        entropy: &mut Entropy<'_>,
    ) -> Transaction {
        let named = match draft.has(Flaw::CoinbaseHeight) {
            true => i64::from(draft.height) + *entropy.pick(&[-1, 1, 256]),
            false => i64::from(draft.height),
        };
        let mut script_sig = Builder::new()
            .push_int(named)
            .push_slice(self.made.to_le_bytes())
            .into_script();
        if draft.has(Flaw::CoinbaseLength) {
            let length = *entropy.pick(&[1, 2, 100, 101]);
            let mut bytes = script_sig.into_bytes();
            bytes.resize(length, 0);
            script_sig = bytes.into();
        }
        let subsidy = 5_000_000_000u64 >> (draft.height / HALVING);
        let mut claimed = subsidy + draft.fees;
        if draft.has(Flaw::CoinbaseAmount) {
            claimed += 1 + entropy.below(2) as u64 * 1_000_000;
        }
        if draft.has(Flaw::CoinbaseModest) {
            claimed /= 1 + entropy.below(3) as u64;
        }
        let mut output = Vec::new();
        let mut left = claimed;
        for _ in 0..entropy.below(3) {
            let part = left / 3;
            left -= part;
            output.push(pay_someone(part, forest, entropy));
        }
        output.push(pay_someone(left, forest, entropy));
        let not_final = draft.has(Flaw::CoinbaseNotFinal);
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::from_consensus(match not_final {
                true => draft.height,
                false => draft.height - 1,
            }),
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig,
                sequence: match not_final {
                    true => Sequence::ZERO,
                    false => Sequence::ENABLE_LOCKTIME_NO_RBF,
                },
                witness: Witness::new(),
            }],
            output,
        }
    }
}

/// An output with a lock that is known.
fn pay_someone(sat: u64, forest: &mut Forest, entropy: &mut Entropy<'_>) -> TxOut {
    TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: forest.remember(Lock::signed(entropy)),
    }
}

/// Whether a block at `height` may spend the coin, and its lock is one that opens by then.
fn can_spend(coin: &Coin, height: u32, forest: &Forest) -> bool {
    let mature = !coin.coinbase || height >= coin.height + MATURITY;
    let Some(lock) = forest.lock(&coin.output.script_pubkey) else {
        return false;
    };
    let in_time = lock.lock_time.is_none_or(|time| time < height);
    let aged = lock
        .sequence
        .is_none_or(|blocks| coin.height + blocks <= height);
    mature && in_time && aged
}

/// Some coins that fit, each once.
fn choose(
    coins: &Coins,
    most: usize,
    entropy: &mut Entropy<'_>,
    fits: impl Fn(&Coin) -> bool,
) -> Vec<(OutPoint, Coin)> {
    let fitting: Vec<(&OutPoint, &Coin)> = coins.iter().filter(|(_, coin)| fits(coin)).collect();
    let mut chosen: Vec<(OutPoint, Coin)> = Vec::new();
    for _ in 0..=entropy.below(most) {
        if fitting.is_empty() {
            break;
        }
        let (outpoint, coin) = fitting[entropy.below(fitting.len())];
        if chosen.iter().all(|(other, _)| other != outpoint) {
            chosen.push((*outpoint, coin.clone()));
        }
    }
    chosen
}

/// A payment of these coins without signatures. `fee` may be negative: then more is paid than there is.
fn unsigned(
    coins: &[(OutPoint, Coin)],
    fee: i64,
    forest: &mut Forest,
    entropy: &mut Entropy<'_>,
) -> Transaction {
    let total: u64 = coins
        .iter()
        .map(|(_, coin)| coin.output.value.to_sat())
        .sum();
    let mut left = total.saturating_add_signed(-fee);
    let mut output = Vec::new();
    for _ in 0..entropy.below(MAX_OUTPUTS) {
        let part = left / (2 + entropy.below(3) as u64);
        left -= part;
        output.push(pay_someone(part, forest, entropy));
    }
    output.push(pay_someone(left, forest, entropy));
    let locks = |coin: &Coin| forest.lock(&coin.output.script_pubkey).cloned();
    let mut lock_time = 0;
    let mut input = Vec::new();
    for (outpoint, coin) in coins {
        let lock = locks(coin);
        let asked = lock.as_ref().and_then(|lock| lock.sequence);
        lock_time = lock
            .and_then(|lock| lock.lock_time)
            .unwrap_or(0)
            .max(lock_time);
        input.push(TxIn {
            previous_output: *outpoint,
            script_sig: ScriptBuf::new(),
            sequence: asked.map_or(Sequence::ENABLE_LOCKTIME_NO_RBF, Sequence),
            witness: Witness::new(),
        });
    }
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(lock_time),
        input,
        output,
    }
}

/// Signs every input whose coin is known.
fn sign(
    tx: &mut Transaction,
    coins: &[(OutPoint, Coin)],
    forest: &Forest,
    entropy: &mut Entropy<'_>,
) {
    let spent: Vec<TxOut> = coins.iter().map(|(_, coin)| coin.output.clone()).collect();
    if spent.len() != tx.input.len() {
        return;
    }
    for (index, output) in spent.iter().enumerate() {
        if let Some(lock) = forest.lock(&output.script_pubkey) {
            lock.unlock(tx, &spent, index, Care::Honest, entropy);
        }
    }
}

/// Adds a payment that holds.
fn pay(draft: &mut Draft<'_>, forest: &mut Forest, entropy: &mut Entropy<'_>) {
    let height = draft.height;
    let coins = choose(&draft.coins, MAX_SPENT, entropy, |coin| {
        can_spend(coin, height, forest)
    });
    if coins.is_empty() {
        return;
    }
    let total: u64 = coins
        .iter()
        .map(|(_, coin)| coin.output.value.to_sat())
        .sum();
    let fee = total.min(entropy.below(5_000) as u64);
    let mut tx = unsigned(&coins, fee as i64, forest, entropy);
    sign(&mut tx, &coins, forest, entropy);
    draft.add(tx, fee);
}

/// Adds a payment of coins that fit, changed before it is signed; what is changed is signed too.
fn pay_changed(
    draft: &mut Draft<'_>,
    forest: &mut Forest,
    entropy: &mut Entropy<'_>,
    fits: impl Fn(&Coin, &Forest) -> bool,
    change: impl FnOnce(&mut Transaction, &mut Vec<(OutPoint, Coin)>, &mut Entropy<'_>),
) {
    let mut coins = choose(&draft.coins, 1, entropy, |coin| fits(coin, forest));
    if coins.is_empty() {
        return;
    }
    let mut tx = unsigned(&coins, 0, forest, entropy);
    change(&mut tx, &mut coins, entropy);
    sign(&mut tx, &coins, forest, entropy);
    draft.add(tx, 0);
}

fn spoil_payments(draft: &mut Draft<'_>, forest: &mut Forest, entropy: &mut Entropy<'_>) {
    let height = draft.height;
    let flaws = draft.flaws;
    for flaw in flaws {
        let usual = move |coin: &Coin, forest: &Forest| can_spend(coin, height, forest);
        match flaw {
            Flaw::NotFinal => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                let times = [height - 1, height, height + 1, 1_296_688_602, 1_600_000_000];
                tx.lock_time = absolute::LockTime::from_consensus(*entropy.pick(&times));
                tx.input[0].sequence =
                    Sequence(*entropy.pick(&[0x8000_0000, u32::MAX, u32::MAX - 1]));
            }),
            Flaw::Sequence => pay_changed(draft, forest, entropy, usual, |tx, coins, entropy| {
                let age = height - coins[0].1.height;
                let wanted = (age + entropy.below(3) as u32).saturating_sub(1);
                tx.input[0].sequence = Sequence(wanted & 0xffff);
            }),
            Flaw::AnySequence => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                tx.input[0].sequence = sequence(entropy);
                tx.version.0 = *entropy.pick(&[2, 1, -1]);
            }),
            Flaw::NoOutputs => pay_changed(draft, forest, entropy, usual, |tx, _, _| {
                tx.output.clear();
            }),
            Flaw::Negative => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                let at = entropy.below(tx.output.len());
                tx.output[at].value = Amount::from_sat(u64::MAX - entropy.below(3) as u64);
            }),
            Flaw::TooLarge => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                let at = entropy.below(tx.output.len());
                let over = entropy.below(2) as u64;
                tx.output[at].value = Amount::from_sat(2_100_000_000_000_000 + over);
            }),
            Flaw::TotalTooLarge => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                let most = TxOut {
                    value: Amount::from_sat(2_100_000_000_000_000 - entropy.below(2) as u64),
                    ..tx.output[0].clone()
                };
                tx.output.push(most.clone());
                tx.output.push(most);
            }),
            Flaw::DuplicateInput => {
                pay_changed(draft, forest, entropy, usual, |tx, coins, _| {
                    tx.input.push(tx.input[0].clone());
                    coins.push(coins[0].clone());
                });
            }
            Flaw::NullInput => pay_changed(draft, forest, entropy, usual, |tx, _, _| {
                let mut input = tx.input[0].clone();
                input.previous_output = OutPoint::null();
                tx.input.push(input);
            }),
            Flaw::Missing => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                tx.input[0].previous_output = OutPoint {
                    txid: Txid::hash(&entropy.next().to_le_bytes()),
                    vout: 0,
                };
            }),
            Flaw::Gone => spend_elsewhere(draft, forest, entropy),
            Flaw::SpentTwice => {
                pay_changed(draft, forest, entropy, usual, |_, _, _| {});
                if let Some(mut again) = draft.payments.last().cloned() {
                    again.lock_time = absolute::LockTime::from_consensus(1);
                    draft.payments.push(again);
                }
            }
            Flaw::Reversed => {
                pay_changed(draft, forest, entropy, usual, |_, _, _| {});
                pay_changed(
                    draft,
                    forest,
                    entropy,
                    move |coin, forest| coin.height == height && can_spend(coin, height, forest),
                    |_, _, _| {},
                );
                let count = draft.payments.len();
                if count >= 2 {
                    draft.payments.swap(count - 1, count - 2);
                }
            }
            Flaw::Premature => {
                let young =
                    move |coin: &Coin, _: &Forest| coin.coinbase && coin.height + MATURITY > height;
                pay_changed(draft, forest, entropy, young, |_, _, _| {});
            }
            Flaw::Maturity => {
                let just = move |coin: &Coin, _: &Forest| {
                    coin.coinbase && (MATURITY - 1..=MATURITY).contains(&(height - coin.height))
                };
                pay_changed(draft, forest, entropy, just, |_, _, _| {});
            }
            Flaw::BelowOut => pay_changed(draft, forest, entropy, usual, |tx, _, entropy| {
                let at = entropy.below(tx.output.len());
                tx.output[at].value += Amount::from_sat(1 + entropy.below(1000) as u64);
            }),
            Flaw::Script => {
                pay_changed(draft, forest, entropy, usual, |_, _, _| {});
                if let Some(tx) = draft.payments.last_mut() {
                    spoil_signature(tx, entropy);
                }
            }
            Flaw::Gamble => gamble(draft, forest, entropy),
            Flaw::Mutated => {
                let at = entropy.below(draft.payments.len());
                if let Some(payment) = draft.payments.get_mut(at) {
                    let mut bytes = serialize(payment);
                    mutate_bytes(&mut bytes, entropy);
                    if let Ok(changed) = deserialize(&bytes) {
                        *payment = changed;
                    }
                }
            }
            Flaw::LegacySigops | Flaw::Sigops => count_sigops(draft, *flaw, entropy),
            Flaw::Weight | Flaw::Size => fill(draft, *flaw, forest, entropy),
            _ => {}
        }
    }
}

/// Spends a coin of any other block that is not there on this branch.
fn spend_elsewhere(draft: &mut Draft<'_>, forest: &mut Forest, entropy: &mut Entropy<'_>) {
    let other = forest.places[entropy.below(forest.places.len())].clone();
    let gone: Coins = other
        .coins
        .iter()
        .filter(|(outpoint, _)| !draft.coins.contains_key(outpoint))
        .map(|(outpoint, coin)| (*outpoint, coin.clone()))
        .collect();
    let coins = choose(&gone, 1, entropy, |_| true);
    if !coins.is_empty() {
        let mut tx = unsigned(&coins, 0, forest, entropy);
        sign(&mut tx, &coins, forest, entropy);
        draft.add(tx, 0);
    }
}

fn spoil_signature(tx: &mut Transaction, entropy: &mut Entropy<'_>) {
    let at = entropy.below(tx.input.len());
    let Some(input) = tx.input.get_mut(at) else {
        return;
    };
    let mut elements = input.witness.to_vec();
    if elements.is_empty() {
        let mut script_sig = input.script_sig.to_bytes();
        mutate_bytes(&mut script_sig, entropy);
        input.script_sig = script_sig.into();
    } else {
        let element = entropy.below(elements.len());
        mutate_bytes(&mut elements[element], entropy);
        input.witness = Witness::from_slice(&elements);
    }
}

/// Pays to a script by chance and spends that in the same block.
fn gamble(draft: &mut Draft<'_>, forest: &mut Forest, entropy: &mut Entropy<'_>) {
    let height = draft.height;
    let wrappings: Vec<Wrapping> = Wrapping::ALL
        .into_iter()
        .filter(|wrapping| wrapping.takes_any_script())
        .collect();
    let script = random_script(entropy);
    let stack = random_stack(entropy);
    let wrapping = *entropy.pick(&wrappings);
    let lock = forest.remember(Lock::around(wrapping, script, stack, entropy));
    let usual = move |coin: &Coin, forest: &Forest| can_spend(coin, height, forest);
    pay_changed(draft, forest, entropy, usual, |tx, _, _| {
        tx.output[0].script_pubkey = lock.clone();
    });
    let gambled = |coin: &Coin, _: &Forest| coin.output.script_pubkey == lock;
    pay_changed(draft, forest, entropy, gambled, |tx, _, entropy| {
        if entropy.below(3) == 2 {
            tx.input[0].sequence = sequence(entropy);
        }
    });
}

/// Adds as many signature operations as the limit allows, or a few more.
fn count_sigops(draft: &mut Draft<'_>, flaw: Flaw, entropy: &mut Entropy<'_>) {
    const LIMIT: usize = 20_000;
    let wanted = match flaw {
        Flaw::LegacySigops => LIMIT - 200 + entropy.below(400),
        _ => LIMIT - entropy.below(40),
    };
    if let Some(output) = draft
        .payments
        .last_mut()
        .and_then(|payment| payment.output.last_mut())
    {
        // Not to be executed, just counted. It unsigns the payment: a script fails only after all counting.
        output.script_pubkey = vec![0xac; wanted].into();
    }
}

/// Adds bytes up to the limit, or a few more.
fn fill(draft: &mut Draft<'_>, flaw: Flaw, forest: &mut Forest, entropy: &mut Entropy<'_>) {
    let height = draft.height;
    let near = 999_000 + entropy.below(2_000);
    let usual = move |coin: &Coin, forest: &Forest| can_spend(coin, height, forest);
    pay_changed(draft, forest, entropy, usual, |tx, _, _| {
        let mut script = vec![0x6a];
        script.resize(near, 0);
        let output = TxOut {
            value: Amount::ZERO,
            script_pubkey: script.into(),
        };
        match flaw {
            Flaw::Size => tx.output.push(output),
            _ => tx.output.push(TxOut {
                script_pubkey: output.script_pubkey.as_bytes()[..near / 2].to_vec().into(),
                ..output
            }),
        }
    });
    if let (Flaw::Weight, Some(tx)) = (flaw, draft.payments.last_mut()) {
        let stripped = 4 * near / 2;
        let mut elements = tx.input[0].witness.to_vec();
        elements.push(vec![0x50; 4 * near - stripped]);
        tx.input[0].witness = Witness::from_slice(&elements);
    }
}

/// Commits to the witnesses, or fails to.
fn commit(block: &mut Block, draft: &Draft<'_>, entropy: &mut Entropy<'_>) {
    let witnesses = block
        .txdata
        .iter()
        .any(|tx| tx.input.iter().any(|input| !input.witness.is_empty()));
    if block.txdata.is_empty() || block.txdata[0].input.is_empty() {
        return;
    }
    if draft.has(Flaw::NoCommitment) || !witnesses && entropy.below(4) == 3 {
        return;
    }
    let reserved = [entropy.below(3) as u8; 32];
    let leaves = block.txdata.iter().enumerate().map(|(index, tx)| {
        WitnessMerkleNode::from_byte_array(match index {
            0 => [0; 32],
            _ => tx.compute_wtxid().to_byte_array(),
        })
    });
    let root = bitcoin::merkle_tree::calculate_root(leaves);
    let root = root.unwrap_or_else(WitnessMerkleNode::all_zeros);
    let mut commitment = Block::compute_witness_commitment(&root, &reserved).to_byte_array();
    let output = |commitment: &[u8; 32]| TxOut {
        value: Amount::ZERO,
        script_pubkey: [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed][..], commitment]
            .concat()
            .into(),
    };
    let coinbase = &mut block.txdata[0];
    if draft.has(Flaw::TwoCommitments) {
        let mut outputs = [output(&[7; 32]), output(&commitment)];
        if entropy.below(2) == 1 {
            outputs.reverse();
        }
        coinbase.output.extend(outputs);
    } else {
        if draft.has(Flaw::WitnessRoot) {
            commitment[entropy.below(32)] ^= 1;
        }
        coinbase.output.push(output(&commitment));
    }
    let nonce: Vec<Vec<u8>> = match draft.has(Flaw::WitnessNonce) {
        false => vec![reserved.to_vec()],
        true => match entropy.below(4) {
            0 => vec![],
            1 => vec![reserved[1..].to_vec()],
            2 => vec![reserved.to_vec(), vec![]],
            _ => vec![[&reserved[..], &[0]].concat()],
        },
    };
    coinbase.input[0].witness = Witness::from_slice(&nonce);
}

/// Merkle root, what is done behind its back, and proof of work.
fn spoil_block(block: &mut Block, draft: &Draft<'_>, entropy: &mut Entropy<'_>) {
    let root = block.compute_merkle_root();
    block.header.merkle_root = root.unwrap_or_else(TxMerkleNode::all_zeros);
    if draft.has(Flaw::MerkleRoot) {
        match entropy.below(3) {
            0 => block.header.merkle_root = TxMerkleNode::all_zeros(),
            1 => drop(block.txdata.pop()),
            _ => {
                if let Some(last) = block.txdata.last_mut() {
                    last.version.0 = 7;
                }
            }
        }
    }
    if draft.has(Flaw::Repeated) {
        // A level with an odd number of nodes takes its last one twice: so may the transactions below that node.
        let count = block.txdata.len();
        let below_last = 1usize << count.trailing_zeros();
        if count > 0 && below_last < count {
            block.txdata.extend_from_within(count - below_last..);
        } else {
            block.txdata.extend_from_within(count.saturating_sub(1)..);
        }
    }
    let target = CompactTarget::from_consensus(REGTEST_BITS);
    let target = bitcoin::Target::from_compact(target);
    let wanted = !draft.has(Flaw::HighHash);
    for nonce in 0..MAX_NONCES {
        block.header.nonce = nonce;
        if target.is_met_by(block.block_hash()) == wanted {
            return;
        }
    }
}
