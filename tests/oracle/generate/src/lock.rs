//! Owns outputs that can be spent: locks of every kind, and the signatures that open them.
//! Promises that an honest unlocking holds under all consensus rules, once the spender's lock time and sequence are
//! what the lock asks for.

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::{ScriptBuf, Transaction, TxOut, Witness};
use everett_script::assembly::push_data;
use everett_script::sighash::{legacy, segwit, taproot};
use everett_script::witness::{branch_hash, leaf_hash, tweak_hash};
use everett_script::{PreparedTransaction, SpentOutput};

use crate::entropy::Entropy;
use crate::keys::{KEY_COUNT, Keys};

/// Steps of a taproot path at most.
const MAX_PATH: usize = 4;
/// Checks in one script at most.
const MAX_CHECKS: usize = 4;
/// Keys of one OP_CHECKMULTISIG at most.
const MAX_MULTISIG: usize = 4;

const TRUE: u8 = 0x51;
const DROP: u8 = 0x75;
const CODESEPARATOR: u8 = 0xab;
const CHECKSIG: u8 = 0xac;
const CHECKSIGVERIFY: u8 = 0xad;
const CHECKMULTISIG: u8 = 0xae;
const CHECKMULTISIGVERIFY: u8 = 0xaf;
const CHECKLOCKTIMEVERIFY: u8 = 0xb1;
const CHECKSEQUENCEVERIFY: u8 = 0xb2;
const CHECKSIGADD: u8 = 0xba;

/// Instructions that do nothing but count, with how many they are.
const FILLERS: &[(&[u8], u32)] = &[
    (&[0x61], 1),
    (&[TRUE, DROP], 2),
    (&[2, CODESEPARATOR, CHECKSIG, DROP], 2),
    (&[0, DROP], 2),
    (&[0, 0x63, CODESEPARATOR, 0x68], 4),
];

/// What stands between the output and the script that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing: the script is the output's.
    Bare,
    /// BIP16.
    ScriptHash,
    /// BIP141, version 0, a script.
    WitnessScriptHash,
    /// The same within BIP16.
    NestedWitnessScriptHash,
    /// BIP141, version 0, a key.
    WitnessKeyHash,
    /// The same within BIP16.
    NestedWitnessKeyHash,
    /// BIP342.
    Tapscript,
    /// BIP341, without a script.
    KeyPath,
}

impl Wrapping {
    /// Every wrapping.
    pub const ALL: [Wrapping; 8] = [
        Wrapping::Bare,
        Wrapping::ScriptHash,
        Wrapping::WitnessScriptHash,
        Wrapping::NestedWitnessScriptHash,
        Wrapping::WitnessKeyHash,
        Wrapping::NestedWitnessKeyHash,
        Wrapping::Tapscript,
        Wrapping::KeyPath,
    ];

    fn is_taproot(self) -> bool {
        matches!(self, Wrapping::Tapscript | Wrapping::KeyPath)
    }

    fn is_segwit_v0(self) -> bool {
        !self.is_taproot() && !matches!(self, Wrapping::Bare | Wrapping::ScriptHash)
    }

    /// Whether a script by chance fits in: the others take one script only, or none.
    pub fn takes_any_script(self) -> bool {
        !matches!(
            self,
            Wrapping::WitnessKeyHash | Wrapping::NestedWitnessKeyHash | Wrapping::KeyPath
        )
    }
}

/// How well the one who unlocks wants to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// As the rules want it.
    Honest,
    /// With any hash type, and now and then without a signature.
    Careless,
}

/// One place in a script that wants signatures.
#[derive(Clone, Debug)]
struct Check {
    /// Where the signed part of the script begins, in bytes.
    code_start: usize,
    /// Which instruction the last OP_CODESEPARATOR before it was; `u32::MAX` without one.
    separator: u32,
    kind: CheckKind,
}

#[derive(Clone, Debug)]
enum CheckKind {
    /// OP_CHECKSIG or OP_CHECKSIGADD with one key.
    Single(usize),
    /// The same with the hash of a key, which the spender shows.
    KeyHash(usize, Vec<u8>),
    /// OP_CHECKMULTISIG: the keys that sign, in order.
    Multi(Vec<usize>),
}

/// A tree with one known leaf, under a known internal key.
#[derive(Clone, Debug)]
struct Tree {
    leaf: [u8; 32],
    control: Vec<u8>,
    output: [u8; 32],
}

/// An output's script with what it takes to spend it.
#[derive(Clone, Debug)]
pub struct Lock {
    wrapping: Wrapping,
    script: Vec<u8>,
    checks: Vec<Check>,
    tree: Option<Tree>,
    /// Elements below all signatures.
    given: Vec<Vec<u8>>,
    annex: Option<Vec<u8>>,
    key: usize,
    /// Lock time that the spender must have at least, as BIP65 reads it.
    pub lock_time: Option<u32>,
    /// Relative lock time that the spending input must have at least, as BIP112 reads it.
    pub sequence: Option<u32>,
}

impl Lock {
    /// A lock whose script asks for signatures.
    pub fn signed(entropy: &mut Entropy<'_>) -> Lock {
        let wrapping = *entropy.pick(&Wrapping::ALL);
        let mut lock = Lock::empty(wrapping, entropy);
        match wrapping {
            Wrapping::WitnessKeyHash | Wrapping::NestedWitnessKeyHash => {
                let key = Keys::get().compressed(lock.key);
                lock.script = key_hash_script(&key);
                lock.checks.push(Check {
                    code_start: 0,
                    separator: u32::MAX,
                    kind: CheckKind::KeyHash(lock.key, key.to_vec()),
                });
            }
            Wrapping::KeyPath => {}
            _ => ScriptWriter::new(&mut lock).write(entropy),
        }
        lock.plant(entropy);
        lock
    }

    /// A lock around any script, to be spent with these elements.
    pub fn around(
        wrapping: Wrapping,
        script: Vec<u8>,
        given: Vec<Vec<u8>>,
        entropy: &mut Entropy<'_>,
    ) -> Lock {
        let mut lock = Lock::empty(wrapping, entropy);
        lock.script = script;
        lock.given = given;
        lock.plant(entropy);
        lock
    }

    fn empty(wrapping: Wrapping, entropy: &mut Entropy<'_>) -> Lock {
        let has_annex = wrapping.is_taproot() && entropy.below(6) == 5;
        Lock {
            wrapping,
            script: Vec::new(),
            checks: Vec::new(),
            tree: None,
            given: Vec::new(),
            annex: has_annex.then(|| {
                let mut annex = vec![0x50];
                annex.resize(1 + entropy.below(5), 7);
                annex
            }),
            key: entropy.below(KEY_COUNT),
            lock_time: None,
            sequence: None,
        }
    }

    /// What stands between output and script.
    pub fn wrapping(&self) -> Wrapping {
        self.wrapping
    }

    /// Puts a tapscript into a tree.
    fn plant(&mut self, entropy: &mut Entropy<'_>) {
        if self.wrapping != Wrapping::Tapscript {
            return;
        }
        let version = match entropy.below(15) {
            14 => 0xc2,
            _ => 0xc0,
        };
        let leaf = leaf_hash(version, &self.script);
        let (mut root, mut path) = (leaf, Vec::new());
        for _ in 0..entropy.below(MAX_PATH) {
            let sibling = sha256::Hash::hash(&entropy.next().to_le_bytes()).to_byte_array();
            root = branch_hash(&root, &sibling);
            path.extend(sibling);
        }
        let internal = Keys::get().x_only(self.key);
        let tweaked = Keys::get().tweak(&internal, tweak_hash(&internal, Some(&root)));
        let (output, parity) = tweaked.expect("one of 2^128 hashes makes no key");
        let mut control = vec![version | parity];
        control.extend(internal);
        control.extend(path);
        self.tree = Some(Tree {
            leaf,
            control,
            output,
        });
    }

    /// The script of an output that it locks.
    pub fn script_pubkey(&self) -> ScriptBuf {
        let program = self.program();
        match self.wrapping {
            Wrapping::Bare => self.script.clone().into(),
            Wrapping::ScriptHash => pay_to_script_hash(&self.script),
            Wrapping::NestedWitnessKeyHash | Wrapping::NestedWitnessScriptHash => {
                pay_to_script_hash(&program)
            }
            _ => program.into(),
        }
    }

    /// The witness program; empty where there is none.
    fn program(&self) -> Vec<u8> {
        match self.wrapping {
            Wrapping::Bare | Wrapping::ScriptHash => Vec::new(),
            Wrapping::WitnessScriptHash | Wrapping::NestedWitnessScriptHash => {
                let hash = sha256::Hash::hash(&self.script);
                [&[0, 32][..], hash.as_byte_array()].concat()
            }
            Wrapping::WitnessKeyHash | Wrapping::NestedWitnessKeyHash => {
                let hash = hash160::Hash::hash(&Keys::get().compressed(self.key));
                [&[0, 20][..], hash.as_byte_array()].concat()
            }
            Wrapping::KeyPath => [&[0x51, 32][..], &Keys::get().x_only(self.key)].concat(),
            Wrapping::Tapscript => {
                let output = self.tree.as_ref().map_or([0; 32], |tree| tree.output);
                [&[0x51, 32][..], &output].concat()
            }
        }
    }

    /// Fills in scriptSig and witness of the input. The rest of the transaction must not change any more; other
    /// inputs may still be unlocked.
    ///
    /// # Panics
    ///
    /// When there is no such input, or not one spent output for each.
    pub fn unlock(
        &self,
        tx: &mut Transaction,
        spent: &[TxOut],
        input: usize,
        care: Care,
        entropy: &mut Entropy<'_>,
    ) {
        let mut stack = self.given.clone();
        {
            let outputs: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
            let prepared =
                PreparedTransaction::new(tx, &outputs).expect("an output for each input");
            let signer = Signer {
                lock: self,
                prepared: &prepared,
                input,
                care,
            };
            if self.wrapping == Wrapping::KeyPath {
                stack.push(signer.sign(self.key, None, entropy));
            }
            for check in self.checks.iter().rev() {
                match &check.kind {
                    CheckKind::Single(key) => stack.push(signer.sign(*key, Some(check), entropy)),
                    CheckKind::KeyHash(key, shown) => {
                        stack.push(signer.sign(*key, Some(check), entropy));
                        stack.push(shown.clone());
                    }
                    CheckKind::Multi(keys) => {
                        let careless = care == Care::Careless && entropy.below(20) == 19;
                        stack.push(if careless { vec![1] } else { vec![] });
                        for key in keys {
                            stack.push(signer.sign(*key, Some(check), entropy));
                        }
                    }
                }
            }
        }
        self.reveal(stack, &mut tx.input[input]);
    }

    fn reveal(&self, mut stack: Vec<Vec<u8>>, input: &mut bitcoin::TxIn) {
        let mut script_sig = Vec::new();
        match self.wrapping {
            Wrapping::Bare => push_all(&mut script_sig, &stack),
            Wrapping::ScriptHash => {
                push_all(&mut script_sig, &stack);
                push_data(&mut script_sig, &self.script);
            }
            Wrapping::NestedWitnessKeyHash | Wrapping::NestedWitnessScriptHash => {
                push_data(&mut script_sig, &self.program());
            }
            _ => {}
        }
        if let Wrapping::WitnessScriptHash | Wrapping::NestedWitnessScriptHash = self.wrapping {
            stack.push(self.script.clone());
        }
        if let Some(tree) = &self.tree {
            stack.push(self.script.clone());
            stack.push(tree.control.clone());
        }
        stack.extend(self.annex.clone());
        input.script_sig = script_sig.into();
        input.witness = match self.wrapping {
            Wrapping::Bare | Wrapping::ScriptHash => Witness::new(),
            _ => Witness::from_slice(&stack),
        };
    }
}

/// Makes signatures for one input.
struct Signer<'a> {
    lock: &'a Lock,
    prepared: &'a PreparedTransaction<'a>,
    input: usize,
    care: Care,
}

impl Signer<'_> {
    fn sign(&self, key: usize, check: Option<&Check>, entropy: &mut Entropy<'_>) -> Vec<u8> {
        if self.care == Care::Careless && entropy.below(25) == 24 {
            return Vec::new();
        }
        match self.lock.wrapping.is_taproot() {
            true => self.schnorr(key, check, entropy),
            false => self.ecdsa(key, check.map_or(0, |check| check.code_start), entropy),
        }
    }

    fn ecdsa(&self, key: usize, code_start: usize, entropy: &mut Entropy<'_>) -> Vec<u8> {
        // Consensus takes any hash type; only policy wants it to be one with a name.
        let hash_type = *entropy.pick(&[1u32, 1, 2, 3, 0x81, 0x82, 0x83, 0, 4, 0x41, 0xc3]);
        let code = &self.lock.script[code_start..];
        let tx = self.prepared.transaction();
        let digest = if self.lock.wrapping.is_segwit_v0() {
            let amount = self.prepared.spent_outputs()[self.input].amount;
            segwit::signature_hash(tx, self.input, code, amount, hash_type)
        } else {
            legacy::signature_hash(tx, self.input, code, hash_type)
        };
        let mut signature = Keys::get().sign_ecdsa(key, digest);
        signature.push(hash_type as u8);
        signature
    }

    fn schnorr(&self, key: usize, check: Option<&Check>, entropy: &mut Entropy<'_>) -> Vec<u8> {
        let choices: &[u8] = match self.care {
            Care::Honest => &[0, 1, 2, 3, 0x81, 0x82, 0x83],
            Care::Careless => &[0, 1, 2, 3, 0x81, 0x82, 0x83, 4, 0x80],
        };
        let hash_type = *entropy.pick(choices);
        let annex_hash = self.lock.annex.as_ref().map(|annex| {
            let sized = [&[annex.len() as u8][..], annex].concat();
            sha256::Hash::hash(&sized).to_byte_array()
        });
        let leaf_hash = self.lock.tree.as_ref().map_or([0; 32], |tree| tree.leaf);
        let position = check.map(|check| taproot::TapscriptPosition {
            leaf_hash,
            code_separator: check.separator,
        });
        let digest = |hash_type| {
            taproot::signature_hash(
                self.prepared,
                self.input,
                hash_type,
                annex_hash.as_ref(),
                position.as_ref(),
            )
        };
        let (digest, hash_type) = match (digest(hash_type), self.care) {
            (Some(digest), _) => (digest, hash_type),
            // SINGLE without an output beside the input.
            (None, Care::Honest) => (digest(0).unwrap_or_default(), 0),
            (None, Care::Careless) => ([3; 32], hash_type),
        };
        let mut signature = Keys::get().sign_schnorr(key, digest);
        if hash_type != 0 || self.care == Care::Careless && entropy.below(10) == 9 {
            signature.push(hash_type);
        }
        signature
    }
}

/// Writes the script of a lock.
struct ScriptWriter<'a> {
    lock: &'a mut Lock,
    instructions: u32,
    code_start: usize,
    separator: u32,
}

impl ScriptWriter<'_> {
    fn new(lock: &mut Lock) -> ScriptWriter<'_> {
        ScriptWriter {
            lock,
            instructions: 0,
            code_start: 0,
            separator: u32::MAX,
        }
    }

    fn write(mut self, entropy: &mut Entropy<'_>) {
        for _ in 0..=entropy.below(MAX_CHECKS) {
            if entropy.below(3) == 2 {
                self.separator = self.instructions;
                self.put(&[CODESEPARATOR], 1);
                self.code_start = self.lock.script.len();
            }
            if entropy.below(4) == 3 {
                let (bytes, instructions) = *entropy.pick(FILLERS);
                self.put(bytes, instructions);
            }
            match entropy.below(16) {
                14 => self.lock_time(entropy),
                15 => self.sequence(entropy),
                _ => {}
            }
            self.check(entropy);
        }
        let last = self.lock.script.last_mut();
        match last {
            // The check itself leaves what the script leaves.
            Some(last @ &mut CHECKSIGVERIFY) if entropy.below(2) == 1 => *last = CHECKSIG,
            Some(last @ &mut CHECKMULTISIGVERIFY) if entropy.below(2) == 1 => *last = CHECKMULTISIG,
            _ => self.lock.script.push(TRUE),
        }
    }

    fn put(&mut self, bytes: &[u8], instructions: u32) {
        self.lock.script.extend(bytes);
        self.instructions += instructions;
    }

    fn push(&mut self, data: &[u8]) {
        push_data(&mut self.lock.script, data);
        self.instructions += 1;
    }

    fn lock_time(&mut self, entropy: &mut Entropy<'_>) {
        let time = 1 + entropy.below(120) as u32;
        // Two may stand in one script: the later one counts.
        self.lock.lock_time = self.lock.lock_time.max(Some(time));
        self.push(&[time as u8]);
        self.put(&[CHECKLOCKTIMEVERIFY, DROP], 2);
    }

    fn sequence(&mut self, entropy: &mut Entropy<'_>) {
        let blocks = 1 + entropy.below(12) as u32;
        self.lock.sequence = self.lock.sequence.max(Some(blocks));
        self.put(&[0x50 + blocks as u8, CHECKSEQUENCEVERIFY, DROP], 3);
    }

    fn check(&mut self, entropy: &mut Entropy<'_>) {
        let tapscript = self.lock.wrapping == Wrapping::Tapscript;
        let key = entropy.below(KEY_COUNT);
        let kind = match entropy.below(4) {
            0 if tapscript => {
                let bytes = self.key(key, entropy);
                self.put(&[TRUE], 1);
                self.push(&bytes);
                self.put(&[CHECKSIGADD, DROP], 2);
                CheckKind::Single(key)
            }
            1 if !tapscript => self.multisig(entropy),
            2 => {
                let bytes = self.key(key, entropy);
                let script = key_hash_script(&bytes);
                self.put(&script, 5);
                if let Some(last) = self.lock.script.last_mut() {
                    *last = CHECKSIGVERIFY;
                }
                CheckKind::KeyHash(key, bytes)
            }
            _ => {
                let bytes = self.key(key, entropy);
                self.push(&bytes);
                self.put(&[CHECKSIGVERIFY], 1);
                CheckKind::Single(key)
            }
        };
        self.lock.checks.push(Check {
            code_start: self.code_start,
            separator: self.separator,
            kind,
        });
    }

    fn multisig(&mut self, entropy: &mut Entropy<'_>) -> CheckKind {
        let count = 1 + entropy.below(MAX_MULTISIG);
        let keys: Vec<usize> = (0..count).map(|_| entropy.below(KEY_COUNT)).collect();
        let needed = entropy.below(count + 1);
        let mut signing = keys.clone();
        while signing.len() > needed {
            signing.remove(entropy.below(signing.len()));
        }
        let number = |count: usize| if count == 0 { 0 } else { 0x50 + count as u8 };
        self.put(&[number(needed)], 1);
        for key in &keys {
            let bytes = self.key(*key, entropy);
            self.push(&bytes);
        }
        self.put(&[number(count), CHECKMULTISIGVERIFY], 2);
        CheckKind::Multi(signing)
    }

    /// A public key in one of the forms that consensus takes.
    fn key(&self, key: usize, entropy: &mut Entropy<'_>) -> Vec<u8> {
        let keys = Keys::get();
        if self.lock.wrapping == Wrapping::Tapscript {
            return keys.x_only(key).to_vec();
        }
        match entropy.below(8) {
            6 => keys.uncompressed(key).to_vec(),
            7 => {
                let mut hybrid = keys.uncompressed(key);
                hybrid[0] = 6 | hybrid[64] & 1;
                hybrid.to_vec()
            }
            _ => keys.compressed(key).to_vec(),
        }
    }
}

/// `OP_DUP OP_HASH160 <hash> OP_EQUALVERIFY OP_CHECKSIG`.
fn key_hash_script(key: &[u8]) -> Vec<u8> {
    let hash = hash160::Hash::hash(key);
    [
        &[0x76, 0xa9, 20][..],
        hash.as_byte_array(),
        &[0x88, CHECKSIG],
    ]
    .concat()
}

fn pay_to_script_hash(redeem: &[u8]) -> ScriptBuf {
    let hash = hash160::Hash::hash(redeem);
    [&[0xa9, 20][..], hash.as_byte_array(), &[0x87]]
        .concat()
        .into()
}

/// Pushes elements in the shortest way.
fn push_all(script: &mut Vec<u8>, stack: &[Vec<u8>]) {
    for element in stack {
        match element.as_slice() {
            [] => script.push(0),
            [small @ 1..=16] => script.push(0x50 + small),
            [0x81] => script.push(0x4f),
            data => push_data(script, data),
        }
    }
}
