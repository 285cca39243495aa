//! Owns the making of loose transactions for mempools: good ones, and ones that are wrong in every way there is.
//! Promises that most spend coins that are there, that some spend what others spend, and that the seed decides all.
//! Refuses to judge what it makes: that is for those it is given to.

use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1, TapTweak};
use bitcoin::opcodes::{OP_TRUE, all as op};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, CompressedPublicKey, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Txid, Witness, absolute, transaction,
};

use crate::random::Random;

/// Coins that are picked from: the youngest.
const PICKED_FROM: usize = 80;
/// A coin below this is left alone.
const LEAST: u64 = 10_000;

/// How a coin can be spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// P2WSH of a script that is true.
    WitnessScript,
    /// P2SH of a script that is true.
    Script,
    /// A key's P2WPKH.
    Key,
    /// A key's P2TR.
    Taproot,
    /// P2A.
    Anchor,
    /// A script that is true, as it is: not standard.
    Bare,
    /// A witness program without a meaning.
    Unknown,
    /// P2SH of a script with sixteen signature operations, none of them executed.
    Sigops,
    /// P2WSH of a script with many signature operations, none of them executed.
    WitnessSigops,
}

const LOCKS: [Lock; 24] = [
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::WitnessScript,
    Lock::Script,
    Lock::Script,
    Lock::Script,
    Lock::Script,
    Lock::Key,
    Lock::Key,
    Lock::Key,
    Lock::Taproot,
    Lock::Taproot,
    Lock::Anchor,
    Lock::Bare,
    Lock::Unknown,
    Lock::Sigops,
    Lock::WitnessSigops,
];

fn truth() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

/// `0 IF CHECKSIG × count ENDIF 1`.
fn idle_sigops(count: usize) -> ScriptBuf {
    let mut script = Builder::new().push_int(0).push_opcode(op::OP_IF);
    for _ in 0..count {
        script = script.push_opcode(op::OP_CHECKSIG);
    }
    script
        .push_opcode(op::OP_ENDIF)
        .push_opcode(OP_TRUE)
        .into_script()
}

/// The script that blocks pay to: anyone can spend it.
pub fn payout() -> ScriptBuf {
    truth().to_p2wsh()
}

/// A coin that was made.
#[derive(Clone, Debug)]
pub struct Known {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it is.
    pub output: TxOut,
    /// How it is spent.
    pub lock: Lock,
    /// How often something made here spends it.
    pub spends: u32,
}

/// Makes transactions.
pub struct Spender {
    /// Chance.
    pub random: Random,
    /// All coins it has heard of, the oldest first.
    pub coins: Vec<Known>,
    /// Whether no two transactions are to pay at the same rate.
    pub uneven: bool,
    /// Of all that is locked with a key.
    key: SecretKey,
    secp: Secp256k1<All>,
}

/// What a transaction shall pay.
#[derive(Clone, Copy, Debug)]
pub enum Fee {
    /// Satoshis for 1,000 virtual bytes.
    Rate(u64),
    /// Satoshis.
    Exact(u64),
}

/// What a transaction shall be.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which of the coins it spends.
    pub inputs: Vec<usize>,
    /// How its outputs are locked.
    pub outputs: Vec<Lock>,
    /// Its version.
    pub version: i32,
    /// What it pays.
    pub fee: Fee,
    /// Whether it has an output of no value to an anchor, too.
    pub dust: bool,
}

impl Spender {
    /// One whose transactions follow from the seed.
    pub fn new(seed: u64) -> Spender {
        Spender {
            random: Random::new(seed),
            coins: Vec::new(),
            uneven: false,
            key: SecretKey::from_slice(&[1; 32]).expect("one of the field"),
            secp: Secp256k1::new(),
        }
    }

    fn script(&self, lock: Lock) -> ScriptBuf {
        match lock {
            Lock::WitnessScript => truth().to_p2wsh(),
            Lock::Script => truth().to_p2sh(),
            Lock::Key => {
                let key = CompressedPublicKey(self.key.public_key(&self.secp));
                ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
            }
            Lock::Taproot => {
                let (key, _) = self.key.public_key(&self.secp).x_only_public_key();
                ScriptBuf::new_p2tr(&self.secp, key, None)
            }
            Lock::Anchor => ScriptBuf::from_bytes(vec![0x51, 0x02, 0x4e, 0x73]),
            Lock::Bare => truth(),
            Lock::Unknown => ScriptBuf::from_bytes(vec![0x52, 0x03, 1, 2, 3]),
            Lock::Sigops => idle_sigops(16).to_p2sh(),
            Lock::WitnessSigops => idle_sigops(190).to_p2wsh(),
        }
    }

    fn lock_of(&self, script: &Script) -> Option<Lock> {
        LOCKS
            .into_iter()
            .find(|lock| *self.script(*lock) == *script)
    }

    /// Hears of a transaction: what it makes can be spent.
    pub fn learn(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        for (vout, output) in (0..).zip(&tx.output) {
            if let Some(lock) = self.lock_of(&output.script_pubkey) {
                self.coins.push(Known {
                    outpoint: OutPoint::new(txid, vout),
                    output: output.clone(),
                    lock,
                    spends: 0,
                });
            }
        }
        for input in &tx.input {
            let known = self.coins.iter_mut().rev();
            for coin in known.filter(|coin| coin.outpoint == input.previous_output) {
                coin.spends += 1;
            }
        }
    }

    /// A coin, mostly one that nothing spends yet.
    pub fn pick(&mut self) -> Option<usize> {
        let first = self.coins.len().saturating_sub(PICKED_FROM);
        let spent_too = self.random.percent(12);
        let fit = |index: &usize| {
            let coin = &self.coins[*index];
            coin.output.value.to_sat() >= LEAST && (spent_too || coin.spends == 0)
        };
        let all: Vec<usize> = match self.random.percent(60) {
            true => (first..self.coins.len()).filter(fit).collect(),
            false => (0..self.coins.len()).filter(fit).collect(),
        };
        self.random.pick(&all).copied()
    }

    /// Some coins, each once.
    pub fn pick_some(&mut self, most: usize) -> Vec<usize> {
        let count = 1 + self.random.below(most);
        let mut picked: Vec<usize> = (0..count).filter_map(|_| self.pick()).collect();
        picked.sort_unstable();
        picked.dedup();
        picked
    }

    /// How an output is locked, by chance.
    pub fn lock(&mut self) -> Lock {
        self.random.pick(&LOCKS).copied().unwrap_or(Lock::Script)
    }

    /// A fee, by chance: mostly enough.
    pub fn fee(&mut self) -> Fee {
        if self.uneven {
            return Fee::Exact(self.random.between(10, 8_000));
        }
        match self.random.below(20) {
            0 => Fee::Exact(0),
            1 => Fee::Rate(99),
            2 => Fee::Rate(100),
            3 => Fee::Rate(101),
            4..=7 => Fee::Rate(1_000),
            8 => Fee::Rate(1_100),
            9..=13 => Fee::Rate(self.random.between(100, 2_000)),
            14..=18 => Fee::Rate(self.random.between(1_000, 20_000)),
            _ => Fee::Rate(self.random.between(20_000, 200_000)),
        }
    }

    /// An ordinary transaction; `None` while there are no coins.
    pub fn plain(&mut self) -> Option<Transaction> {
        let order = self.order()?;
        Some(self.make(&order))
    }

    /// What an ordinary transaction is to be.
    pub fn order(&mut self) -> Option<Order> {
        let inputs = self.pick_some(3);
        if inputs.is_empty() {
            return None;
        }
        let outputs = (0..1 + self.random.below(3)).map(|_| self.lock()).collect();
        Some(Order {
            inputs,
            outputs,
            version: match self.random.below(10) {
                0..=6 => 2,
                7 => 1,
                _ => 3,
            },
            fee: self.fee(),
            dust: false,
        })
    }

    /// Makes what was ordered.
    pub fn make(&self, order: &Order) -> Transaction {
        let worth: u64 = order
            .inputs
            .iter()
            .map(|index| self.coins[*index].output.value.to_sat())
            .sum();
        let mut tx = Transaction {
            version: transaction::Version(order.version),
            lock_time: absolute::LockTime::ZERO,
            input: order
                .inputs
                .iter()
                .map(|index| TxIn {
                    previous_output: self.coins[*index].outpoint,
                    script_sig: ScriptBuf::new(),
                    sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
                    witness: Witness::new(),
                })
                .collect(),
            output: order
                .outputs
                .iter()
                .map(|lock| TxOut {
                    value: Amount::ZERO,
                    script_pubkey: self.script(*lock),
                })
                .collect(),
        };
        if order.dust {
            tx.output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: self.script(Lock::Anchor),
            });
        }
        self.sign(&mut tx);
        let fee = match order.fee {
            Fee::Exact(fee) => fee,
            Fee::Rate(rate) => (rate * tx.vsize() as u64).div_ceil(1_000),
        };
        let each = worth.saturating_sub(fee) / order.outputs.len().max(1) as u64;
        let rest = worth.saturating_sub(fee) - each * order.outputs.len() as u64;
        for output in tx.output.iter_mut().take(order.outputs.len()) {
            output.value = Amount::from_sat(each);
        }
        if let Some(first) = tx.output.first_mut()
            && !order.outputs.is_empty()
        {
            first.value += Amount::from_sat(rest);
        }
        self.sign(&mut tx);
        tx
    }

    /// Fills in what unlocks the coins that it knows.
    pub fn sign(&self, tx: &mut Transaction) {
        let coin = |outpoint: &OutPoint| {
            self.coins
                .iter()
                .rev()
                .find(|coin| coin.outpoint == *outpoint)
        };
        let spent: Vec<Option<&Known>> = tx
            .input
            .iter()
            .map(|input| coin(&input.previous_output))
            .collect();
        for (input, coin) in tx.input.iter_mut().zip(&spent) {
            let Some(coin) = coin else { continue };
            let push = |script: ScriptBuf| {
                let bytes = PushBytesBuf::try_from(script.into_bytes()).expect("a short script");
                Builder::new().push_slice(bytes).into_script()
            };
            match coin.lock {
                Lock::WitnessScript => input.witness = Witness::from_slice(&[truth().as_bytes()]),
                Lock::Script => input.script_sig = push(truth()),
                Lock::Sigops => input.script_sig = push(idle_sigops(16)),
                Lock::WitnessSigops => {
                    input.witness = Witness::from_slice(&[idle_sigops(190).as_bytes()]);
                }
                Lock::Anchor | Lock::Bare | Lock::Unknown | Lock::Key | Lock::Taproot => {}
            }
        }
        self.sign_with_keys(tx, &spent);
    }

    fn sign_with_keys(&self, tx: &mut Transaction, spent: &[Option<&Known>]) {
        let needs_key = |known: &&Known| matches!(known.lock, Lock::Key | Lock::Taproot);
        if !spent.iter().flatten().any(needs_key) {
            return;
        }
        let Some(all): Option<Vec<&Known>> = spent.iter().copied().collect() else {
            return;
        };
        let outputs: Vec<&TxOut> = all.iter().map(|coin| &coin.output).collect();
        let secp = &self.secp;
        let unsigned = tx.clone();
        let mut cache = SighashCache::new(&unsigned);
        for (index, coin) in all.iter().enumerate() {
            let witness = match coin.lock {
                Lock::Key => {
                    let Ok(hash) = cache.p2wpkh_signature_hash(
                        index,
                        &coin.output.script_pubkey,
                        coin.output.value,
                        EcdsaSighashType::All,
                    ) else {
                        continue;
                    };
                    let message = bitcoin::secp256k1::Message::from_digest(hash.to_byte_array());
                    let signature = bitcoin::ecdsa::Signature::sighash_all(
                        secp.sign_ecdsa(&message, &self.key),
                    );
                    Witness::p2wpkh(&signature, &self.key.public_key(secp))
                }
                Lock::Taproot => {
                    let pair = Keypair::from_secret_key(secp, &self.key);
                    let tweaked = pair.tap_tweak(secp, None).to_keypair();
                    let Ok(hash) = cache.taproot_key_spend_signature_hash(
                        index,
                        &Prevouts::All(&outputs),
                        TapSighashType::Default,
                    ) else {
                        continue;
                    };
                    let message = bitcoin::secp256k1::Message::from_digest(hash.to_byte_array());
                    let signature = secp.sign_schnorr_no_aux_rand(&message, &tweaked);
                    Witness::from_slice(&[signature.as_ref().as_slice()])
                }
                _ => continue,
            };
            tx.input[index].witness = witness;
        }
    }

    /// A transaction that is wrong somehow, mostly. `height` and `time` are those of the best block.
    pub fn spoilt(&mut self, height: u32, time: u32) -> Option<(String, Transaction)> {
        let mut order = self.order()?;
        if self.random.percent(70) {
            order.fee = Fee::Rate(self.random.between(1_000, 5_000));
        }
        let mut tx = self.make(&order);
        let fault = self.random.below(34);
        let amount = tx.output[0].value;
        match fault {
            0 => tx.version = transaction::Version(0),
            1 => tx.version = transaction::Version(4),
            2 => tx.version = transaction::Version(-1),
            3 => {
                tx.lock_time =
                    absolute::LockTime::from_consensus(height + self.random.below(3) as u32)
            }
            4 => {
                tx.lock_time = absolute::LockTime::from_consensus(
                    time - 5_000 + self.random.below(10_000) as u32,
                )
            }
            5 => tx.input[0].sequence = Sequence::from_consensus(self.random.below(5) as u32),
            6 => {
                tx.input[0].sequence =
                    Sequence::from_consensus(1 << 22 | self.random.below(10) as u32)
            }
            7 => tx.output[0].value = Amount::from_sat(self.random.between(200, 600)),
            8 => {
                let small = TxOut {
                    value: Amount::from_sat(1),
                    script_pubkey: self.script(Lock::WitnessScript),
                };
                tx.output.extend([small.clone(), small]);
            }
            9 => tx.output[0].value = Amount::from_sat(u64::MAX - 5),
            10 => tx.output[0].value = Amount::MAX_MONEY + Amount::ONE_SAT,
            11 => {
                tx.output = vec![
                    TxOut {
                        value: Amount::MAX_MONEY,
                        script_pubkey: payout()
                    };
                    2
                ]
            }
            12 => tx.output[0].value = amount * 3 + Amount::ONE_BTC,
            13 => tx.input.push(tx.input[0].clone()),
            14 => tx.input[0].previous_output.txid = Txid::from_byte_array([7; 32]),
            15 => tx.input[0].previous_output.vout = 1_000,
            16 => tx.input[0].script_sig = Builder::new().push_opcode(op::OP_NOP).into_script(),
            17 => {
                tx.input[0].script_sig =
                    ScriptBuf::from_bytes([vec![0x4d, 0x72, 0x06], vec![0; 1_650]].concat())
            }
            18 => tx
                .input
                .iter_mut()
                .for_each(|input| input.witness = Witness::new()),
            19 => tx.input[0].witness = Witness::from_slice(&[[0x51, 0x51]]),
            20 => tx.input[0].witness = Witness::from_slice(&[vec![0; 81], vec![0x51]]),
            21 => tx.input[0].witness = Witness::from_slice(&[vec![1], vec![2], vec![0x50, 1]]),
            22 => tx.output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: ScriptBuf::from_bytes(
                    [vec![0x6a, 0x4c, 0xc8], vec![9; 200]].concat(),
                ),
            }),
            23 => tx.output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: ScriptBuf::from_bytes(vec![0x6a, 0x05, 0x01]),
            }),
            24 => {
                tx.input.truncate(1);
                tx.output = vec![TxOut {
                    value: amount,
                    script_pubkey: ScriptBuf::from_bytes(vec![0x6a]),
                }];
                tx.input[0].script_sig = ScriptBuf::new();
            }
            25 => tx.input[0].previous_output = OutPoint::null(),
            26 => tx.output.clear(),
            27 => tx.output.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: truth(),
            }),
            28 => {
                let one = TxOut {
                    value: Amount::from_sat(1_000),
                    script_pubkey: payout(),
                };
                tx.output.extend(vec![one; 2_400]);
            }
            29 => tx.version = transaction::Version(3),
            30 => {
                // A bare multisig of one key of three, or of four.
                let keys = 3 + self.random.below(2);
                let mut script = vec![0x51];
                for _ in 0..keys {
                    script.push(33);
                    script.extend([2; 33]);
                }
                script.extend([0x50 + keys as u8, 0xae]);
                tx.output[0].script_pubkey = ScriptBuf::from_bytes(script);
            }
            31 => {
                // Signature operations by the hundred, in an output.
                tx.output[0].script_pubkey =
                    ScriptBuf::from_bytes([vec![0x6a], vec![0x51; 9]].concat());
                let script = ScriptBuf::from_bytes([vec![0x51], vec![0xae; 250]].concat());
                tx.output.push(TxOut {
                    value: Amount::from_sat(1_000),
                    script_pubkey: script,
                });
            }
            32 => tx.input[0].witness.push([1, 2, 3]),
            _ => tx.input.clear(),
        }
        // Where the fault lies elsewhere, what is signed is signed anew.
        if !matches!(fault, 16..=21 | 24 | 32) {
            self.sign(&mut tx);
        }
        Some((format!("fault {fault}"), tx))
    }
}
