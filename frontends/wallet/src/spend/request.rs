//! Owns what somebody asks for when they pay.
//! Promises defaults that are Bitcoin Core's, but for the worlds: a coin has to exist in all live ones.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, ScriptBuf, Txid};
use everett_mempool::FeeRate;

use super::plan::MAX_WEIGHT;
use crate::keys::OutputType;

/// In which worlds a coin has to exist to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scope {
    /// In every live one: whichever branch wins, the payment is as good.
    #[default]
    AllWorlds,
    /// In the best one.
    Best,
}

/// What somebody is paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payee {
    /// The script that is paid.
    pub script_pubkey: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// Whether the fee is taken from it, in equal parts with the others of which this is said.
    pub pays_fee: bool,
    /// Whether, with [`Request::everything`], it gets an equal part of what is left; its amount is zero then.
    pub shares: bool,
}

/// What a transaction pays for its place in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeeChoice {
    /// This much, which must not be less than what is ever paid and relayed.
    Rate(FeeRate),
    /// This much, however little it is.
    AnyRate(FeeRate),
    /// What is estimated for so many blocks, or the fallback where there is no estimate.
    Target {
        /// Blocks.
        blocks: u32,
        /// Whether the estimate is to be on the safe side; unless it is said, that of a payment is that cannot be replaced.
        conservative: Option<bool>,
    },
}

/// Where change goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ChangeTo {
    /// A new address of the kind that fits the payment: taproot or segwit where the wallet has such keys.
    #[default]
    Automatic,
    /// A new address of this kind.
    Kind(OutputType),
    /// This script.
    Script(ScriptBuf),
}

/// A coin that has to be spent, with what is not known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct In {
    /// Where it is.
    pub outpoint: OutPoint,
    /// The input's sequence number, if it matters.
    pub sequence: Option<u32>,
    /// Weight units of the input with all that it needs to be spent, where that cannot be told from a descriptor.
    pub weight: Option<u64>,
}

/// A payment that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Who is paid, in the order of the outputs unless `any_order` is set. With nobody all that is left of the inputs comes back,
    /// which has to be worth an output.
    pub payees: Vec<Payee>,
    /// Whether the order of the payees among the outputs is left to chance, and which of those that pay the fee pays what of it cannot
    /// be divided: who reads the chain learns nothing from either.
    pub any_order: bool,
    /// In which worlds coins have to exist.
    pub scope: Scope,
    /// What is paid to miners: for those that wait before the transaction as well, where they pay less.
    pub fee: FeeChoice,
    /// Where change goes.
    pub change: ChangeTo,
    /// The place of the change among the outputs; by chance unless it is given.
    pub change_position: Option<usize>,
    /// Coins that have to be spent.
    pub inputs: Vec<In>,
    /// In which worlds those have to exist; as `scope` says unless it is given.
    pub inputs_scope: Option<Scope>,
    /// Whether others may be added to those.
    pub add_inputs: bool,
    /// Whether all that can be spent is, and nothing comes back: the payees that share get equal parts of what the others
    /// leave.
    pub everything: bool,
    /// Whether, with `everything`, coins stay that cost more to spend than they are worth.
    pub economical: bool,
    /// Whether the coins of an address that are added go together, all or none; the wallet's settings may say so, too.
    pub group: bool,
    /// Whether pending coins that others sent may be taken.
    pub include_unsafe: bool,
    /// Fewest confirmations of a coin that is added.
    pub min_confirmations: u32,
    /// Most confirmations of a coin that is added.
    pub max_confirmations: u32,
    /// The transaction's lock time; the height of the best tip unless it is given.
    pub lock_time: Option<u32>,
    /// Whether inputs say that they may be replaced (BIP125).
    pub replaceable: bool,
    /// The transaction's version.
    pub version: i32,
    /// Whether locked coins may be taken when they are among `inputs`.
    pub use_locked: bool,
    /// Whether coins among `inputs` may be taken that another payment spends while that waits: whether it is replaced, the mempool
    /// decides.
    pub use_taken: bool,
    /// Whether coins may be added whose address was paid from, in a wallet that is to avoid those.
    pub use_reused: bool,
    /// The transaction that this one replaces: its coins count as free.
    pub replaces: Option<Txid>,
    /// Most weight units of the transaction when it is signed.
    pub max_weight: u64,
    /// What is said of it: `comment` and `to`.
    pub notes: BTreeMap<String, String>,
}

impl Request {
    /// One that pays these, with everything else as it is by default: an estimate for six blocks.
    pub fn to(payees: Vec<Payee>) -> Request {
        Request {
            payees,
            any_order: false,
            scope: Scope::default(),
            fee: FeeChoice::Target {
                blocks: 6,
                conservative: None,
            },
            change: ChangeTo::default(),
            change_position: None,
            inputs: Vec::new(),
            inputs_scope: None,
            add_inputs: true,
            everything: false,
            economical: true,
            group: false,
            include_unsafe: false,
            min_confirmations: 0,
            max_confirmations: 9_999_999,
            lock_time: None,
            replaceable: true,
            version: 2,
            use_locked: false,
            use_taken: false,
            use_reused: false,
            replaces: None,
            max_weight: MAX_WEIGHT,
            notes: BTreeMap::new(),
        }
    }
}
