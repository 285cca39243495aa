//! Owns the ways in which a block of a history can be wrong.
//! Promises Bitcoin Core's reason for each, and at which point of the street it is found.

/// What is wrong with a block whatever comes with its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Its time is not after the median of the eleven before it.
    TimeTooOld,
    /// Its time is hours ahead of the clock.
    TimeTooNew,
    /// Its coinbase names another height.
    CoinbaseHeight,
    /// A transaction is locked until later.
    NotFinal,
    /// The coinbase takes one satoshi too many.
    CoinbaseAmount,
    /// A transaction spends a coin that is not there.
    MissingInput,
    /// Two transactions spend one coin.
    SpentTwice,
    /// A transaction spends a coinbase too early.
    Premature,
    /// A transaction pays more than it has.
    BelowOut,
    /// A script says no.
    Script,
}

/// Where on the street a flaw is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// In the header, against its chain: nothing of the block is kept.
    Header,
    /// In the block, against its chain: the header is kept as invalid.
    Context,
    /// Against the coins of its parent's world.
    Connect,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Flaw; 10] = [
        Flaw::TimeTooOld,
        Flaw::TimeTooNew,
        Flaw::CoinbaseHeight,
        Flaw::NotFinal,
        Flaw::CoinbaseAmount,
        Flaw::MissingInput,
        Flaw::SpentTwice,
        Flaw::Premature,
        Flaw::BelowOut,
        Flaw::Script,
    ];

    /// Where it is found.
    pub fn stage(self) -> Stage {
        match self {
            Flaw::TimeTooOld | Flaw::TimeTooNew => Stage::Header,
            Flaw::CoinbaseHeight | Flaw::NotFinal => Stage::Context,
            _ => Stage::Connect,
        }
    }

    /// Bitcoin Core's reason; of a failed script only the first word of it.
    pub fn reason(self) -> &'static str {
        match self {
            Flaw::TimeTooOld => "time-too-old",
            Flaw::TimeTooNew => "time-too-new",
            Flaw::CoinbaseHeight => "bad-cb-height",
            Flaw::NotFinal => "bad-txns-nonfinal",
            Flaw::CoinbaseAmount => "bad-cb-amount",
            Flaw::MissingInput | Flaw::SpentTwice => "bad-txns-inputs-missingorspent",
            Flaw::Premature => "bad-txns-premature-spend-of-coinbase",
            Flaw::BelowOut => "bad-txns-in-belowout",
            Flaw::Script => "block-script-verify-flag-failed",
        }
    }
}

/// What is wrong with the bytes that came with a header; other bytes may be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// The last transaction is there twice.
    Repeated,
    /// A witness that nothing commits to, or none where one is committed to.
    Witness,
    /// The last byte is missing.
    Cut,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Mutation; 3] = [Mutation::Repeated, Mutation::Witness, Mutation::Cut];
}
