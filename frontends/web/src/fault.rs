//! Owns how a request fails: a status, and words that say what, where, and what to do.
//! Promises that what the ledger refuses keeps its own words; refuses to show anything of the machine's inside.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everett_ledger::{
    BlockError, CompareError, ReadError, StoreError, TransactionError, WorldError,
};
use everett_node::CallError;
use everett_wallet::spend::SpendError;
use everett_wallet::{AddressError, KeyError, WalletError};

/// Why a request got no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Nothing lives there.
    #[error("There is no such page.")]
    NoPage,
    /// Only reading is possible.
    #[error("This page can only be read: it takes GET and HEAD.")]
    OnlyReading,
    /// A request with something in it.
    #[error("This page takes no content with a request.")]
    Content,
    /// A form that no page of this run of the server made.
    #[error("This form does not come from a page that this node has shown.")]
    ForeignForm,
    /// A node without wallets.
    #[error("This node keeps no wallets.")]
    NoWallets,
    /// No wallet of that name is open.
    #[error("No wallet “{0}” is open here.")]
    NoWallet(String),
    /// The wallet cannot do it.
    #[error("{0}")]
    Wallet(#[from] WalletError),
    /// A page without a login does not pay.
    #[error(
        "This page has no login, so that everybody on this machine may open it: it pays nothing."
    )]
    PayingNeedsLogin,
    /// A payment cannot be made or sent.
    #[error("{0}")]
    Payment(Box<SpendError>),
    /// A payment that was shown is not there to be sent.
    #[error(
        "This payment is not here any more: it was sent already, or shown more than ten minutes ago."
    )]
    NoDraft,
    /// Sending a payment took longer than the page waits.
    #[error("Sending took longer than {} s, and may still be done.", .0.as_secs())]
    SentLate(Duration),
    /// A value in the address is not what it should be.
    #[error("“{given}” is not {wanted}.")]
    Malformed { given: String, wanted: &'static str },
    /// A text that is no address of this network.
    #[error("“{given}” cannot be paid: {error}.")]
    NoAddress { given: String, error: AddressError },
    /// A form with a field twice, or with what is no form.
    #[error(
        "This form cannot be read: a field is there twice, or something is not written as a form's is."
    )]
    UnreadableForm,
    /// No block of that height on any branch.
    #[error("There is no block at height {height} on any branch; the highest is at {highest}.")]
    NoHeight { height: u32, highest: u32 },
    /// Not found in any block that was searched.
    #[error("The transaction {txid} is in none of the blocks that were searched ({searched}).")]
    NoTransaction { txid: String, searched: String },
    /// Nothing is called so.
    #[error("Nothing here is called “{query}”.")]
    NothingFound { query: String },
    /// The node is on no network.
    #[error("This node is not on the network, so it has no peers.")]
    NoNetwork,
    /// No peer of that number is connected.
    #[error("No peer {0} is connected.")]
    NoPeer(String),
    /// A page number beyond the last.
    #[error("There is no page {page}; the last one is {last}.")]
    NoSuchPart { page: u64, last: u64 },
    /// The world cannot be read.
    #[error("{0}")]
    World(#[from] WorldError),
    /// A read failed.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// A block cannot be read.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// The disk.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The node cannot answer.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The answer took too long.
    #[error("The answer took longer than {} s.", .0.as_secs())]
    Late(Duration),
    /// Not all blocks are read yet.
    #[error("The blocks of all branches are still being read for the first time.")]
    StillReading,
    /// Too many pages follow the ledger live.
    #[error("{limit} pages follow the ledger live already.")]
    TooManyLive { limit: usize },
    /// A name that may be somebody else's: DNS rebinding.
    #[error("This server does not answer to the name “{host}”.")]
    StrangeHost { host: String },
    /// No login, or a wrong one.
    #[error("This node asks for a name and a password.")]
    Login,
    /// An address asks too much.
    #[error("Too many requests come from {from}.")]
    TooMany { from: IpAddr, wait: Duration },
    /// An address tries passwords.
    #[error("Too many wrong passwords came from {from}.")]
    TooManyLogins { from: IpAddr, wait: Duration },
    /// A page could not be written: a bug.
    #[error("The page could not be put together: {0}.")]
    Template(String),
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Fault::NoPage
            | Fault::NoHeight { .. }
            | Fault::NoTransaction { .. }
            | Fault::NothingFound { .. }
            | Fault::NoNetwork
            | Fault::NoPeer(_)
            | Fault::NoWallets
            | Fault::NoWallet(_)
            | Fault::NoSuchPart { .. } => StatusCode::NOT_FOUND,
            Fault::OnlyReading => StatusCode::METHOD_NOT_ALLOWED,
            Fault::Content => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::ForeignForm | Fault::PayingNeedsLogin => StatusCode::FORBIDDEN,
            // Locked, without keys, out of addresses: its owner can change that.
            Fault::Wallet(WalletError::Keys(KeyError::TooLong { .. })) => StatusCode::BAD_REQUEST,
            Fault::Wallet(WalletError::Keys(error)) if !matches!(error, KeyError::File(_)) => {
                StatusCode::CONFLICT
            }
            Fault::Malformed { .. } | Fault::NoAddress { .. } | Fault::UnreadableForm => {
                StatusCode::BAD_REQUEST
            }
            Fault::Payment(error) => match error.as_ref() {
                SpendError::Mempool(_) | SpendError::Wallet(_) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::CONFLICT,
            },
            Fault::NoDraft => StatusCode::GONE,
            Fault::SentLate(_) => StatusCode::SERVICE_UNAVAILABLE,
            Fault::World(error) => match error {
                WorldError::Unknown { .. } | WorldError::HeightUnknown { .. } => {
                    StatusCode::NOT_FOUND
                }
                WorldError::Retired { .. } => StatusCode::GONE,
                WorldError::Invalidated { .. } | WorldError::NotValidated { .. } => {
                    StatusCode::CONFLICT
                }
            },
            Fault::Read(ReadError::Expired { .. } | ReadError::Outdated { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Fault::Block(BlockError::Unknown { .. } | BlockError::HeaderOnly { .. }) => {
                StatusCode::NOT_FOUND
            }
            Fault::Block(BlockError::Pruned { .. }) => StatusCode::GONE,
            Fault::Call(CallError::ShuttingDown)
            | Fault::Late(_)
            | Fault::StillReading
            | Fault::TooManyLive { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Fault::StrangeHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Fault::Login => StatusCode::UNAUTHORIZED,
            Fault::TooMany { .. } | Fault::TooManyLogins { .. } => StatusCode::TOO_MANY_REQUESTS,
            Fault::Read(_)
            | Fault::Block(_)
            | Fault::Store(_)
            | Fault::Call(_)
            | Fault::Wallet(_)
            | Fault::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the visitor can do.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Fault::NoPage => "Check the address, or start from the tree of worlds.",
            Fault::OnlyReading | Fault::Content => {
                "Blocks are handed in over gRPC or with the everett command."
            }
            Fault::Malformed { .. } => {
                "Hashes and transaction ids have 64 hexadecimal characters; scripts are addresses of this network or \
                 hexadecimal."
            }
            Fault::NoAddress { .. } => {
                "Copy the address again from where it was given to you. Nothing was sent."
            }
            Fault::NoHeight { .. } => "Choose a lower height, or wait for the block.",
            Fault::NoTransaction { .. } => {
                "If you know the block that holds it, open that block: its transactions are listed there."
            }
            Fault::NothingFound { .. } => {
                "Search for a block's hash or height, a transaction id, an address, or a script in hexadecimal."
            }
            Fault::NoNetwork => "Blocks come from files and over gRPC.",
            Fault::NoPeer(_) => {
                "It may have gone. The page of peers lists those that are connected."
            }
            Fault::ForeignForm | Fault::UnreadableForm => {
                "Open the wallet's page again, and press the button there."
            }
            Fault::NoWallets => "Start the node without --disablewallet.",
            Fault::NoWallet(_) => {
                "The page of wallets lists those that are open; everett wallet load opens another one."
            }
            Fault::Wallet(WalletError::Keys(KeyError::TooLong { .. })) => "Shorten it.",
            Fault::Wallet(WalletError::Keys(_)) => {
                "Unlock the wallet (everett wallet unlock), or import descriptors that give out such addresses."
            }
            Fault::Payment(_) => {
                "Nothing was sent. Go back, change the payment, and have it shown again."
            }
            Fault::PayingNeedsLogin => {
                "Start the node with --user, or pay on the command line (everett wallet send)."
            }
            Fault::NoDraft => "Look at the wallet's payments before you make it again.",
            Fault::SentLate(_) => "Look at the wallet's payments before you make it again.",
            Fault::NoSuchPart { .. } => "Go back to the first page.",
            Fault::World(WorldError::Retired { .. }) => {
                "The block itself can still be read. Start the node with a larger --horizon to keep worlds longer."
            }
            Fault::World(WorldError::Unknown { .. } | WorldError::HeightUnknown { .. })
            | Fault::Block(BlockError::Unknown { .. }) => {
                "It may not have arrived yet. The tree of worlds shows every branch that this node knows."
            }
            Fault::World(_) => "Choose a validated world from the tree.",
            Fault::Block(BlockError::HeaderOnly { .. }) => {
                "Its transactions can be shown once the block has arrived."
            }
            Fault::Block(BlockError::Pruned { .. }) => "A node that keeps all blocks can show it.",
            Fault::Read(ReadError::Expired { .. } | ReadError::Outdated { .. }) => {
                "Load the page again."
            }
            Fault::Late(_) | Fault::StillReading | Fault::TooManyLive { .. } => {
                "Try again in a little while."
            }
            Fault::Call(CallError::ShuttingDown) => "Start the node again.",
            Fault::StrangeHost { .. } => {
                "Open it by its IP address or as localhost. To serve it under another name, start the node with --user: \
                 a password keeps other sites from reading along."
            }
            Fault::Login => "Give the name and password that the node was started with (--user).",
            Fault::TooMany { .. } | Fault::TooManyLogins { .. } => {
                "Wait, then load the page again."
            }
            Fault::Read(_) | Fault::Block(_) | Fault::Store(_) | Fault::Wallet(_) => {
                "Look at the node's log; the disk may be full or damaged."
            }
            Fault::Call(_) | Fault::Template(_) => "This is a bug: please report it with the log.",
        }
    }

    /// After how long it may work.
    fn wait(&self) -> Option<Duration> {
        match self {
            Fault::TooMany { wait, .. } | Fault::TooManyLogins { wait, .. } => Some(*wait),
            Fault::Late(_) | Fault::StillReading | Fault::TooManyLive { .. } => {
                Some(Duration::from_secs(5))
            }
            Fault::Call(CallError::ShuttingDown) => Some(Duration::from_secs(30)),
            _ => None,
        }
    }
}

impl From<SpendError> for Fault {
    fn from(error: SpendError) -> Fault {
        match error {
            SpendError::Wallet(error) => error.into(),
            error => Fault::Payment(Box::new(error)),
        }
    }
}

impl From<FormRejection> for Fault {
    fn from(rejection: FormRejection) -> Fault {
        match rejection {
            // Longer than any form, or not all of it came.
            FormRejection::BytesRejection(_) => Fault::Content,
            _ => Fault::UnreadableForm,
        }
    }
}

impl From<CompareError> for Fault {
    fn from(error: CompareError) -> Fault {
        match error {
            CompareError::Read(error) => error.into(),
            CompareError::Block(error) => error.into(),
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Fault {
        match error {
            TransactionError::Read(error) => error.into(),
            TransactionError::Block(error) => error.into(),
            TransactionError::NotInBlock { txid, block } => Fault::NoTransaction {
                txid: txid.to_string(),
                searched: format!("block {block}"),
            },
            TransactionError::NotInWorld { txid, world, .. } => Fault::NoTransaction {
                txid: txid.to_string(),
                searched: format!("those of world {world}"),
            },
            TransactionError::NotIndexed { txid, searched, .. } => Fault::NoTransaction {
                txid: txid.to_string(),
                searched: format!("the last {searched} of the best chain"),
            },
        }
    }
}

impl IntoResponse for Fault {
    /// Status and headers; the words are put on a page by [`crate::pages::dress`], which finds the fault in the
    /// response's extensions.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.wait() {
            let seconds = wait.as_secs().max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self {
            Fault::Login => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"Everett\", charset=\"UTF-8\""),
                );
            }
            Fault::OnlyReading => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            // Whatever else comes on this connection is that content.
            Fault::Content => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}
