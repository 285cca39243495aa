//! Owns the ways in which a block can be made wrong. Several may stand in one block: which is found first is the
//! order of the rules, and part of the answer.

/// Something wrong with a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Flaw {
    /// The hash misses the target.
    HighHash,
    /// The target is not the one that the chain asks for.
    Bits,
    /// The version is one that soft forks have retired.
    Version,
    /// The time is not after the median of the eleven before.
    TimeTooOld,
    /// The time is ages ahead.
    TimeTooNew,
    /// Nobody knows the parent.
    UnknownParent,
    /// The merkle root is another one.
    MerkleRoot,
    /// The last transactions stand there twice, which leaves the merkle root as it was (CVE-2012-2459).
    Repeated,
    /// There is no transaction.
    Empty,
    /// There is no coinbase.
    NoCoinbase,
    /// There are two.
    TwoCoinbases,
    /// The coinbase's script is of one byte, or of 101.
    CoinbaseLength,
    /// The coinbase names another height.
    CoinbaseHeight,
    /// The coinbase takes too much.
    CoinbaseAmount,
    /// The coinbase takes less than it may; no fault.
    CoinbaseModest,
    /// The coinbase is locked until later.
    CoinbaseNotFinal,
    /// A transaction is locked until later.
    NotFinal,
    /// A transaction came before its relative lock time (BIP68).
    Sequence,
    /// A transaction has a relative lock time of any kind, met or not.
    AnySequence,
    /// A transaction pays nobody.
    NoOutputs,
    /// An output is negative.
    Negative,
    /// An output is more than all the money.
    TooLarge,
    /// Outputs add up to more than all the money.
    TotalTooLarge,
    /// A transaction spends a coin twice.
    DuplicateInput,
    /// A transaction spends the null outpoint beside another.
    NullInput,
    /// A coin is spent that never was.
    Missing,
    /// A coin is spent that an earlier block has spent, or another branch has made.
    Gone,
    /// Two transactions spend one coin.
    SpentTwice,
    /// A transaction stands before the one that it spends.
    Reversed,
    /// A coinbase is spent too early.
    Premature,
    /// A coinbase is spent one block too early, or just in time.
    Maturity,
    /// A transaction pays more than it has.
    BelowOut,
    /// A signature is wrong, or a script ends with false.
    Script,
    /// A script by chance is paid to, and spent.
    Gamble,
    /// Too many signature operations, to be seen without coins.
    LegacySigops,
    /// Signature operations around the limit, some of them to be seen with coins only.
    Sigops,
    /// The coinbase's witness is no reserved value.
    WitnessNonce,
    /// The commitment is to other witnesses.
    WitnessRoot,
    /// There is no commitment although there are witnesses, or none at all are there.
    NoCommitment,
    /// Two commitments, the last of which counts.
    TwoCommitments,
    /// More weight than a block may have, or nearly.
    Weight,
    /// More bytes without witnesses than a block may have, or nearly.
    Size,
    /// Bytes of a transaction are changed, and all that commits to it is made to fit.
    Mutated,
    /// Bytes of the block are changed, and nothing made to fit.
    Bytes,
}

impl Flaw {
    /// Every flaw; those that take long to be made are left out, see [`Flaw::LARGE`].
    pub const ALL: [Flaw; 42] = [
        Flaw::HighHash,
        Flaw::Bits,
        Flaw::Version,
        Flaw::TimeTooOld,
        Flaw::TimeTooNew,
        Flaw::UnknownParent,
        Flaw::MerkleRoot,
        Flaw::Repeated,
        Flaw::Empty,
        Flaw::NoCoinbase,
        Flaw::TwoCoinbases,
        Flaw::CoinbaseLength,
        Flaw::CoinbaseHeight,
        Flaw::CoinbaseAmount,
        Flaw::CoinbaseModest,
        Flaw::CoinbaseNotFinal,
        Flaw::NotFinal,
        Flaw::Sequence,
        Flaw::AnySequence,
        Flaw::NoOutputs,
        Flaw::Negative,
        Flaw::TooLarge,
        Flaw::TotalTooLarge,
        Flaw::DuplicateInput,
        Flaw::NullInput,
        Flaw::Missing,
        Flaw::Gone,
        Flaw::SpentTwice,
        Flaw::Reversed,
        Flaw::Premature,
        Flaw::Maturity,
        Flaw::BelowOut,
        Flaw::Script,
        Flaw::Gamble,
        Flaw::Gamble,
        Flaw::WitnessNonce,
        Flaw::WitnessRoot,
        Flaw::NoCommitment,
        Flaw::TwoCommitments,
        Flaw::Mutated,
        Flaw::Mutated,
        Flaw::Bytes,
    ];

    /// Flaws that make blocks of megabytes, or thousands of operations.
    pub const LARGE: [Flaw; 4] = [Flaw::LegacySigops, Flaw::Sigops, Flaw::Weight, Flaw::Size];
}
