//! Owns what the work of a call on wallets has at hand, and which wallet a request means.
//! Promises that a request without a name means the one wallet that is loaded, or is refused.

use everett_ledger::World;
use everett_node::Handle;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::{View, Wallet, Wallets};
use tonic::Code;

use crate::fault::Fault;
use crate::reading::Reading;

/// A call on wallets at work.
pub(crate) struct Asking<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) handle: &'a Handle,
    pub(crate) wallets: &'a Wallets,
}

/// A request that may name a wallet.
pub(crate) trait NamesWallet {
    /// The name; `None` for the only one.
    fn wallet_name(&self) -> Option<&str>;
}

macro_rules! names_wallet {
    ($($request:ident),* $(,)?) => {
        $(impl NamesWallet for v1::$request {
            fn wallet_name(&self) -> Option<&str> {
                self.wallet.as_deref()
            }
        })*
    };
}

names_wallet![
    UnloadWalletRequest,
    BackupWalletRequest,
    EncryptWalletRequest,
    UnlockWalletRequest,
    LockWalletRequest,
    ChangePassphraseRequest,
    GetWalletRequest,
    NewAddressRequest,
    ListAddressesRequest,
    ListLabelsRequest,
    SetLabelRequest,
    ExportLabelsRequest,
    ImportLabelsRequest,
    ListCoinsRequest,
    LockCoinRequest,
    UnlockCoinRequest,
    ListPaymentsRequest,
    GetPaymentRequest,
    AbandonPaymentRequest,
    BuildTransactionRequest,
    VerifyTransactionRequest,
    SendTransactionRequest,
    BumpFeeRequest,
    BumpWithChildRequest,
    SignPsbtRequest,
    SignMessageRequest,
    ImportDescriptorsRequest,
    ListDescriptorsRequest,
    ImportKeyRequest,
    RescanWalletRequest,
    AbortRescanRequest,
    ListWarningsRequest,
];

/// The wallet of this name, or the only one that is loaded.
pub(crate) fn find(wallets: &Wallets, name: Option<&str>) -> Result<Wallet, Fault> {
    if let Some(name) = name {
        return wallets.get(name).ok_or_else(|| unknown(name));
    }
    let mut all = wallets.list();
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(Fault::new(
            Code::FailedPrecondition,
            ErrorReason::WalletNotNamed,
            "no wallet is loaded; create one, or load one",
        )
        .with("count", 0)),
        (Some(_), others) => Err(Fault::new(
            Code::FailedPrecondition,
            ErrorReason::WalletNotNamed,
            format!("{} wallets are loaded; name one", others + 1),
        )
        .with("count", others + 1)),
    }
}

/// No wallet of this name is loaded.
pub(crate) fn unknown(name: &str) -> Fault {
    /// Most characters of a foreign name that an answer repeats.
    const MAX_NAME_CHARS: usize = 128;
    let name: String = name.chars().take(MAX_NAME_CHARS).collect();
    let message = format!("no wallet \"{name}\" is loaded; load it, or create it");
    Fault::new(Code::NotFound, ErrorReason::WalletUnknown, message).with("wallet", name)
}

impl Asking<'_> {
    /// Every live world, the best one first.
    pub(crate) fn live(view: &View<'_>) -> Vec<World> {
        let best = std::iter::once(view.best());
        best.chain(view.rivals()).cloned().collect()
    }

    /// The worlds that a request names, or every live one.
    pub(crate) fn worlds(
        &self,
        view: &View<'_>,
        named: Vec<v1::WorldRef>,
    ) -> Result<Vec<World>, Fault> {
        /// Most worlds of one request.
        const MAX_WORLDS: usize = 1_000;
        if named.is_empty() {
            return Ok(Asking::live(view));
        }
        if named.len() > MAX_WORLDS {
            let wrong = format!("{} worlds; at most {MAX_WORLDS} are told of", named.len());
            return Err(Fault::field("worlds", wrong));
        }
        let named = named.into_iter().enumerate();
        let found = named
            .map(|(index, world)| self.reading.world(&format!("worlds[{index}]"), Some(world)));
        found.collect()
    }
}
