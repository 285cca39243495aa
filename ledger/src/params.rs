//! Owns what sets the networks apart: genesis blocks, proof-of-work limits, activation heights, exceptions.
//! Promises the values of Bitcoin Core's chain parameters; nothing here changes while a node runs.
//! Refuses activation heights of one's own anywhere but on regtest.

use std::fmt;
use std::str::FromStr;

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::params::Params as BitcoinParams;
use bitcoin::{Amount, Block, BlockHash, Target, Work};
use everett_script::Flags;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// How many blocks behind the best tip a branch may fork off and stay live, by default.
pub const DEFAULT_HORIZON: u32 = 288;
/// The same on regtest, where blocks cost nothing and tests fork deeply.
pub const DEFAULT_HORIZON_REGTEST: u32 = 10_000;

/// The public signet's challenge (BIP325): a 1-of-2 multisig script.
const DEFAULT_SIGNET_CHALLENGE: &str = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae";

/// A Bitcoin network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Network {
    /// The network with the money.
    Mainnet,
    /// The third public test network.
    Testnet3,
    /// The fourth public test network (BIP94).
    Testnet4,
    /// A test network whose blocks are signed (BIP325).
    Signet,
    /// A private network for tests, whose blocks cost nothing.
    Regtest,
}

impl Network {
    /// All networks.
    pub const ALL: [Network; 5] = [
        Network::Mainnet,
        Network::Testnet3,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ];

    /// The same network in the `bitcoin` crate, which knows its addresses.
    pub fn to_bitcoin(self) -> bitcoin::Network {
        match self {
            Network::Mainnet => bitcoin::Network::Bitcoin,
            Network::Testnet3 => bitcoin::Network::Testnet,
            Network::Testnet4 => bitcoin::Network::Testnet4,
            Network::Signet => bitcoin::Network::Signet,
            Network::Regtest => bitcoin::Network::Regtest,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::Mainnet => "mainnet",
            Network::Testnet3 => "testnet3",
            Network::Testnet4 => "testnet4",
            Network::Signet => "signet",
            Network::Regtest => "regtest",
        })
    }
}

/// The text names no network.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("no network is called {0:?}: use mainnet, testnet3, testnet4, signet or regtest")]
pub struct UnknownNetwork(pub String);

impl FromStr for Network {
    type Err = UnknownNetwork;

    /// Reads our names, and Bitcoin Core's `main` and `test`.
    fn from_str(text: &str) -> Result<Network, UnknownNetwork> {
        match text {
            "mainnet" | "main" | "bitcoin" => Ok(Network::Mainnet),
            "testnet3" | "test" | "testnet" => Ok(Network::Testnet3),
            "testnet4" => Ok(Network::Testnet4),
            "signet" => Ok(Network::Signet),
            "regtest" => Ok(Network::Regtest),
            _ => Err(UnknownNetwork(text.to_owned())),
        }
    }
}

/// Why an activation height cannot be set.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ActivationError {
    /// Only regtest lets its user choose.
    #[error("activation heights can be set on regtest only, not on {0}")]
    NotRegtest(Network),
    /// No buried deployment has this name.
    #[error("no deployment is called {0:?}: use bip34, dersig, cltv, csv or segwit")]
    UnknownName(String),
    /// The height is beyond what Bitcoin Core takes.
    #[error("activation height {0} is too large: it must be below 2147483647")]
    TooHigh(u32),
}

/// Everything that consensus knows about one network.
#[derive(Clone, Debug)]
pub struct Params {
    /// Which network this is.
    pub network: Network,
    /// Its first block, whose coinbase is no coin.
    pub genesis: Block,
    /// The four bytes that start each message and each frame of a block file, in the order in which they are sent.
    pub magic: [u8; 4],
    /// The easiest proof of work allowed.
    pub pow_limit: Target,
    /// The same in compact form, as headers have it.
    pub pow_limit_bits: u32,
    /// Testnets: a block that comes late may have the easiest proof of work.
    pub allow_min_difficulty_blocks: bool,
    /// Regtest: the difficulty never changes.
    pub no_retargeting: bool,
    /// Testnet4: retarget from the first block of a period, and no time warp (BIP94).
    pub enforce_bip94: bool,
    /// Seconds that a difficulty period should take.
    pub target_timespan: u32,
    /// Seconds that a block should take.
    pub target_spacing: u32,
    /// Blocks until the subsidy is halved.
    pub subsidy_halving_interval: u32,
    /// From this height on, coinbases start with their height (BIP34) and block versions are at least 2.
    pub bip34_height: u32,
    /// The block at `bip34_height` on the chain for which BIP34 is known to imply BIP30; `None` where no such block is known.
    pub bip34_hash: Option<BlockHash>,
    /// From this height on, OP_CHECKLOCKTIMEVERIFY holds (BIP65) and block versions are at least 4.
    pub bip65_height: u32,
    /// From this height on, signatures are strict DER (BIP66) and block versions are at least 3.
    pub bip66_height: u32,
    /// From this height on, relative lock times and median-time-past finality hold (BIP68, BIP112, BIP113).
    pub csv_height: u32,
    /// From this height on, witnesses are committed to (BIP141) and OP_CHECKMULTISIG's dummy is empty (BIP147).
    pub segwit_height: u32,
    /// Blocks for which P2SH, witness and taproot rules are replaced by these flags: each broke one before it was enforced.
    pub script_flag_exceptions: Vec<(BlockHash, Flags)>,
    /// The blocks, by height and hash, that overwrote an unspent coinbase before BIP30 forbade it.
    pub bip30_exceptions: Vec<(u32, BlockHash)>,
    /// Signet: the script that each block's solution must satisfy (BIP325).
    pub signet_challenge: Option<Vec<u8>>,
    /// Chains with less work than this are not the network's.
    pub minimum_chain_work: Work,
    /// A block known to be valid, below which scripts need not be run.
    pub default_assume_valid: Option<BlockHash>,
    /// How many blocks behind the best tip a branch may fork off and stay live, unless configured.
    pub default_horizon: u32,
}

const TWO_WEEKS: u32 = 14 * 24 * 60 * 60;

impl Params {
    /// The parameters of `network`; for signet, those of the public one.
    pub fn new(network: Network) -> Params {
        match network {
            Network::Mainnet => Params::mainnet(),
            Network::Testnet3 => Params::testnet3(),
            Network::Testnet4 => Params::testnet4(),
            Network::Signet => Params::signet(),
            Network::Regtest => Params::regtest(),
        }
    }

    /// What the public test networks of today have in common: every soft fork from block 1 on.
    fn base(network: Network) -> Params {
        Params {
            network,
            genesis: bitcoin::constants::genesis_block(BitcoinParams::new(network.to_bitcoin())),
            magic: network.to_bitcoin().magic().to_bytes(),
            pow_limit: target("00000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
            pow_limit_bits: 0x1d00_ffff,
            allow_min_difficulty_blocks: false,
            no_retargeting: false,
            enforce_bip94: false,
            target_timespan: TWO_WEEKS,
            target_spacing: 10 * 60,
            subsidy_halving_interval: 210_000,
            bip34_height: 1,
            bip34_hash: None,
            bip65_height: 1,
            bip66_height: 1,
            csv_height: 1,
            segwit_height: 1,
            script_flag_exceptions: Vec::new(),
            bip30_exceptions: Vec::new(),
            signet_challenge: None,
            minimum_chain_work: Work::from_be_bytes([0; 32]),
            default_assume_valid: None,
            default_horizon: DEFAULT_HORIZON,
        }
    }

    fn mainnet() -> Params {
        Params {
            bip34_height: 227_931,
            bip34_hash: Some(hash(
                "000000000000024b89b42a942fe0d9fea3bb44ab7bd1b19115dd6a759c0808b8",
            )),
            bip65_height: 388_381,
            bip66_height: 363_725,
            csv_height: 419_328,
            segwit_height: 481_824,
            script_flag_exceptions: vec![
                // Spends a P2SH output with a script that fails.
                (
                    hash("00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"),
                    Flags::NONE,
                ),
                // Spends a version 1 witness program in a way that taproot forbids.
                (
                    hash("0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"),
                    Flags::P2SH | Flags::WITNESS,
                ),
            ],
            bip30_exceptions: vec![
                (
                    91_842,
                    hash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"),
                ),
                (
                    91_880,
                    hash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"),
                ),
            ],
            minimum_chain_work: work(
                "0000000000000000000000000000000000000001128750f82f4c366153a3a030",
            ),
            default_assume_valid: Some(hash(
                "00000000000000000000ccebd6d74d9194d8dcdc1d177c478e094bfad51ba5ac",
            )),
            ..Params::base(Network::Mainnet)
        }
    }

    fn testnet3() -> Params {
        Params {
            allow_min_difficulty_blocks: true,
            bip34_height: 21_111,
            bip34_hash: Some(hash(
                "0000000023b3a96d3484e5abb3755c413e7d41500f8e2a5c3f0dd01299cd8ef8",
            )),
            bip65_height: 581_885,
            bip66_height: 330_776,
            csv_height: 770_112,
            segwit_height: 834_624,
            script_flag_exceptions: vec![(
                hash("00000000dd30457c001f4095d208cc1296b0eed002427aa599874af7a432b105"),
                Flags::NONE,
            )],
            minimum_chain_work: work(
                "0000000000000000000000000000000000000000000017dde1c649f3708d14b6",
            ),
            default_assume_valid: Some(hash(
                "000000007a61e4230b28ac5cb6b5e5a0130de37ac1faf2f8987d2fa6505b67f4",
            )),
            ..Params::base(Network::Testnet3)
        }
    }

    fn testnet4() -> Params {
        Params {
            allow_min_difficulty_blocks: true,
            enforce_bip94: true,
            minimum_chain_work: work(
                "0000000000000000000000000000000000000000000009a0fe15d0177d086304",
            ),
            default_assume_valid: Some(hash(
                "0000000002368b1e4ee27e2e85676ae6f9f9e69579b29093e9a82c170bf7cf8a",
            )),
            ..Params::base(Network::Testnet4)
        }
    }

    fn signet() -> Params {
        let challenge = <Vec<u8> as bitcoin::hex::FromHex>::from_hex(DEFAULT_SIGNET_CHALLENGE)
            .expect("the constant is hexadecimal");
        Params {
            minimum_chain_work: work(
                "00000000000000000000000000000000000000000000000000000b463ea0a4b8",
            ),
            default_assume_valid: Some(hash(
                "00000008414aab61092ef93f1aacc54cf9e9f16af29ddad493b908a01ff5c329",
            )),
            ..Params::signet_with_challenge(challenge)
        }
    }

    /// A signet of one's own, whose blocks satisfy `challenge` (a script pubkey).
    ///
    /// It has the public signet's genesis block, and a magic derived from the challenge (BIP325).
    pub fn signet_with_challenge(challenge: Vec<u8>) -> Params {
        let mut serialized = bitcoin::consensus::serialize(&bitcoin::VarInt::from(challenge.len()));
        serialized.extend_from_slice(&challenge);
        let [a, b, c, d, ..] = sha256d::Hash::hash(&serialized).to_byte_array();
        Params {
            magic: [a, b, c, d],
            pow_limit: target("00000377ae000000000000000000000000000000000000000000000000000000"),
            pow_limit_bits: 0x1e03_77ae,
            signet_challenge: Some(challenge),
            ..Params::base(Network::Signet)
        }
    }

    fn regtest() -> Params {
        Params {
            pow_limit: target("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
            pow_limit_bits: 0x207f_ffff,
            allow_min_difficulty_blocks: true,
            no_retargeting: true,
            target_timespan: 24 * 60 * 60,
            subsidy_halving_interval: 150,
            segwit_height: 0,
            default_horizon: DEFAULT_HORIZON_REGTEST,
            ..Params::base(Network::Regtest)
        }
    }

    /// Moves a soft fork on regtest, as Bitcoin Core's `-testactivationheight=name@height` does.
    ///
    /// Names: `bip34`, `dersig`, `cltv`, `csv`, `segwit`.
    pub fn set_activation_height(
        &mut self,
        name: &str,
        height: u32,
    ) -> Result<(), ActivationError> {
        if self.network != Network::Regtest {
            return Err(ActivationError::NotRegtest(self.network));
        }
        if height >= i32::MAX as u32 {
            return Err(ActivationError::TooHigh(height));
        }
        let place = match name {
            "bip34" => &mut self.bip34_height,
            "dersig" => &mut self.bip66_height,
            "cltv" => &mut self.bip65_height,
            "csv" => &mut self.csv_height,
            "segwit" => &mut self.segwit_height,
            _ => return Err(ActivationError::UnknownName(name.to_owned())),
        };
        *place = height;
        Ok(())
    }

    /// The genesis block's hash.
    pub fn genesis_hash(&self) -> BlockHash {
        self.genesis.block_hash()
    }

    /// Blocks in a difficulty period.
    pub fn difficulty_interval(&self) -> u32 {
        self.target_timespan / self.target_spacing
    }

    /// What a block at `height` may create, beside the fees.
    pub fn subsidy(&self, height: u32) -> Amount {
        let halvings = height / self.subsidy_halving_interval;
        let first = 50 * Amount::ONE_BTC.to_sat();
        Amount::from_sat(first.checked_shr(halvings).unwrap_or(0))
    }

    /// The verification flags for the scripts of the block `hash` at `height`.
    ///
    /// P2SH, witness and taproot rules hold for every block but the exceptions, whatever its height: no
    /// other block of the real chains breaks them.
    pub fn script_flags(&self, height: u32, hash: &BlockHash) -> Flags {
        let exception = self
            .script_flag_exceptions
            .iter()
            .find(|(block, _)| block == hash);
        let mut flags = match exception {
            Some((_, flags)) => *flags,
            None => Flags::P2SH | Flags::WITNESS | Flags::TAPROOT,
        };
        if height >= self.bip66_height {
            flags |= Flags::DERSIG;
        }
        if height >= self.bip65_height {
            flags |= Flags::CHECKLOCKTIMEVERIFY;
        }
        if height >= self.csv_height {
            flags |= Flags::CHECKSEQUENCEVERIFY;
        }
        if height >= self.segwit_height {
            flags |= Flags::NULLDUMMY;
        }
        flags
    }
}

fn hash(hex: &str) -> BlockHash {
    hex.parse().expect("the constant is a block hash")
}

fn target(hex: &str) -> Target {
    Target::from_unprefixed_hex(hex).expect("the constant is a 256-bit number")
}

fn work(hex: &str) -> Work {
    Work::from_unprefixed_hex(hex).expect("the constant is a 256-bit number")
}
