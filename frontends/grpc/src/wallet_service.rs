//! Owns WalletService: which call asks what of which wallet.
//! Promises that on a node without wallets every call answers `WALLETS_DISABLED`, before its request is looked at.
//! Refuses to serve wallets to everybody who can reach the port: beyond loopback it takes a token.

use std::sync::Arc;

use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::wallet_service_server::WalletService;
use everett_wallet::{Wallet, Wallets};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::config::{GrpcConfig, StreamLimits};
use crate::deadline::{Deadline, Patience};
use crate::fault::Fault;
use crate::responses::Responses;
use crate::wallet::asking::{self, Asking, NamesWallet};
use crate::wallet::rescan::{self, Scan};
use crate::wallet::{
    addresses, balance, coins, descriptors, directory, events, labels, messages, passphrase, pay,
    payments, psbt, verify, warnings,
};

pub(crate) struct WalletCalls {
    calls: Calls,
    /// Whether anybody who reaches the port would be let in.
    open: bool,
    limits: StreamLimits,
    places: Arc<Semaphore>,
}

impl WalletCalls {
    pub(crate) fn new(calls: Calls, config: &GrpcConfig) -> WalletCalls {
        let limits = config.streams;
        WalletCalls {
            calls,
            open: config.is_open_to_all(),
            places: Arc::new(Semaphore::new(limits.max_streams)),
            limits,
        }
    }

    fn wallets(&self) -> Result<Wallets, Fault> {
        let disabled =
            |why| Fault::new(Code::FailedPrecondition, ErrorReason::WalletsDisabled, why);
        if self.open {
            return Err(disabled(
                "this node listens beyond its machine without a token, and so serves no wallets; set a token (--grpc-token)",
            ));
        }
        let wallets = self.calls.handle().wallets().cloned();
        wallets.ok_or_else(|| disabled("this node keeps no wallets (--disablewallet)"))
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let limit = self.limits.max_streams;
            let message = format!("{limit} streams of wallets are open, the most this node takes");
            Fault::new(Code::ResourceExhausted, ErrorReason::Overloaded, message)
                .with("limit", limit)
        })
    }

    /// Answers a call that asks no certain wallet.
    async fn ask<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Asking<'_>, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let wallets = self.wallets()?;
        let handle = self.calls.handle().clone();
        self.calls
            .read(request, move |reading, request| {
                let asking = Asking {
                    reading,
                    handle: &handle,
                    wallets: &wallets,
                };
                work(&asking, request)
            })
            .await
    }

    /// Answers a call that asks one wallet.
    async fn ask_one<Q: NamesWallet + Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Asking<'_>, &Wallet, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        self.ask(request, move |asking, request| {
            let wallet = asking::find(asking.wallets, request.wallet_name())?;
            work(asking, &wallet, request).map_err(|fault| fault.with("wallet", wallet.name()))
        })
        .await
    }
}

#[tonic::async_trait]
impl WalletService for WalletCalls {
    type RescanWalletStream = Responses<v1::RescanWalletResponse>;
    type StreamWalletEventsStream = Responses<v1::StreamWalletEventsResponse>;

    async fn list_wallets(
        &self,
        request: Request<v1::ListWalletsRequest>,
    ) -> Result<Response<v1::ListWalletsResponse>, Status> {
        self.ask(request, directory::list).await
    }

    async fn create_wallet(
        &self,
        request: Request<v1::CreateWalletRequest>,
    ) -> Result<Response<v1::CreateWalletResponse>, Status> {
        self.ask(request, directory::create).await
    }

    async fn load_wallet(
        &self,
        request: Request<v1::LoadWalletRequest>,
    ) -> Result<Response<v1::LoadWalletResponse>, Status> {
        self.ask(request, directory::load).await
    }

    async fn unload_wallet(
        &self,
        request: Request<v1::UnloadWalletRequest>,
    ) -> Result<Response<v1::UnloadWalletResponse>, Status> {
        self.ask_one(request, directory::unload).await
    }

    async fn backup_wallet(
        &self,
        request: Request<v1::BackupWalletRequest>,
    ) -> Result<Response<v1::BackupWalletResponse>, Status> {
        self.ask_one(request, directory::backup).await
    }

    async fn restore_wallet(
        &self,
        request: Request<v1::RestoreWalletRequest>,
    ) -> Result<Response<v1::RestoreWalletResponse>, Status> {
        self.ask(request, directory::restore).await
    }

    async fn encrypt_wallet(
        &self,
        request: Request<v1::EncryptWalletRequest>,
    ) -> Result<Response<v1::EncryptWalletResponse>, Status> {
        self.ask_one(request, passphrase::encrypt).await
    }

    async fn unlock_wallet(
        &self,
        request: Request<v1::UnlockWalletRequest>,
    ) -> Result<Response<v1::UnlockWalletResponse>, Status> {
        self.ask_one(request, passphrase::unlock).await
    }

    async fn lock_wallet(
        &self,
        request: Request<v1::LockWalletRequest>,
    ) -> Result<Response<v1::LockWalletResponse>, Status> {
        self.ask_one(request, passphrase::lock).await
    }

    async fn change_passphrase(
        &self,
        request: Request<v1::ChangePassphraseRequest>,
    ) -> Result<Response<v1::ChangePassphraseResponse>, Status> {
        self.ask_one(request, passphrase::change).await
    }

    async fn get_wallet(
        &self,
        request: Request<v1::GetWalletRequest>,
    ) -> Result<Response<v1::GetWalletResponse>, Status> {
        self.ask_one(request, balance::get).await
    }

    async fn new_address(
        &self,
        request: Request<v1::NewAddressRequest>,
    ) -> Result<Response<v1::NewAddressResponse>, Status> {
        self.ask_one(request, addresses::new).await
    }

    async fn list_addresses(
        &self,
        request: Request<v1::ListAddressesRequest>,
    ) -> Result<Response<v1::ListAddressesResponse>, Status> {
        self.ask_one(request, addresses::list).await
    }

    async fn list_labels(
        &self,
        request: Request<v1::ListLabelsRequest>,
    ) -> Result<Response<v1::ListLabelsResponse>, Status> {
        self.ask_one(request, labels::list).await
    }

    async fn set_label(
        &self,
        request: Request<v1::SetLabelRequest>,
    ) -> Result<Response<v1::SetLabelResponse>, Status> {
        self.ask_one(request, labels::set).await
    }

    async fn export_labels(
        &self,
        request: Request<v1::ExportLabelsRequest>,
    ) -> Result<Response<v1::ExportLabelsResponse>, Status> {
        self.ask_one(request, labels::export).await
    }

    async fn import_labels(
        &self,
        request: Request<v1::ImportLabelsRequest>,
    ) -> Result<Response<v1::ImportLabelsResponse>, Status> {
        self.ask_one(request, labels::import).await
    }

    async fn list_coins(
        &self,
        request: Request<v1::ListCoinsRequest>,
    ) -> Result<Response<v1::ListCoinsResponse>, Status> {
        self.ask_one(request, coins::list).await
    }

    async fn lock_coin(
        &self,
        request: Request<v1::LockCoinRequest>,
    ) -> Result<Response<v1::LockCoinResponse>, Status> {
        self.ask_one(request, coins::lock).await
    }

    async fn unlock_coin(
        &self,
        request: Request<v1::UnlockCoinRequest>,
    ) -> Result<Response<v1::UnlockCoinResponse>, Status> {
        self.ask_one(request, coins::unlock).await
    }

    async fn list_payments(
        &self,
        request: Request<v1::ListPaymentsRequest>,
    ) -> Result<Response<v1::ListPaymentsResponse>, Status> {
        self.ask_one(request, payments::list).await
    }

    async fn get_payment(
        &self,
        request: Request<v1::GetPaymentRequest>,
    ) -> Result<Response<v1::GetPaymentResponse>, Status> {
        self.ask_one(request, payments::get).await
    }

    async fn abandon_payment(
        &self,
        request: Request<v1::AbandonPaymentRequest>,
    ) -> Result<Response<v1::AbandonPaymentResponse>, Status> {
        self.ask_one(request, payments::abandon).await
    }

    async fn build_transaction(
        &self,
        request: Request<v1::BuildTransactionRequest>,
    ) -> Result<Response<v1::BuildTransactionResponse>, Status> {
        self.ask_one(request, pay::build).await
    }

    async fn verify_transaction(
        &self,
        request: Request<v1::VerifyTransactionRequest>,
    ) -> Result<Response<v1::VerifyTransactionResponse>, Status> {
        self.ask_one(request, verify::verify).await
    }

    async fn send_transaction(
        &self,
        request: Request<v1::SendTransactionRequest>,
    ) -> Result<Response<v1::SendTransactionResponse>, Status> {
        self.ask_one(request, pay::send).await
    }

    async fn bump_fee(
        &self,
        request: Request<v1::BumpFeeRequest>,
    ) -> Result<Response<v1::BumpFeeResponse>, Status> {
        self.ask_one(request, pay::bump).await
    }

    async fn bump_with_child(
        &self,
        request: Request<v1::BumpWithChildRequest>,
    ) -> Result<Response<v1::BumpWithChildResponse>, Status> {
        self.ask_one(request, pay::bump_with_child).await
    }

    async fn sign_psbt(
        &self,
        request: Request<v1::SignPsbtRequest>,
    ) -> Result<Response<v1::SignPsbtResponse>, Status> {
        self.ask_one(request, psbt::sign).await
    }

    async fn combine_psbts(
        &self,
        request: Request<v1::CombinePsbtsRequest>,
    ) -> Result<Response<v1::CombinePsbtsResponse>, Status> {
        self.ask(request, |_, request| psbt::combine(&request))
            .await
    }

    async fn finalize_psbt(
        &self,
        request: Request<v1::FinalizePsbtRequest>,
    ) -> Result<Response<v1::FinalizePsbtResponse>, Status> {
        self.ask(request, |_, request| psbt::finish(&request)).await
    }

    async fn sign_message(
        &self,
        request: Request<v1::SignMessageRequest>,
    ) -> Result<Response<v1::SignMessageResponse>, Status> {
        self.ask_one(request, messages::sign).await
    }

    async fn verify_message(
        &self,
        request: Request<v1::VerifyMessageRequest>,
    ) -> Result<Response<v1::VerifyMessageResponse>, Status> {
        self.ask(request, messages::verify).await
    }

    async fn import_descriptors(
        &self,
        request: Request<v1::ImportDescriptorsRequest>,
    ) -> Result<Response<v1::ImportDescriptorsResponse>, Status> {
        self.ask_one(request, descriptors::import).await
    }

    async fn list_descriptors(
        &self,
        request: Request<v1::ListDescriptorsRequest>,
    ) -> Result<Response<v1::ListDescriptorsResponse>, Status> {
        self.ask_one(request, descriptors::list).await
    }

    async fn import_key(
        &self,
        request: Request<v1::ImportKeyRequest>,
    ) -> Result<Response<v1::ImportKeyResponse>, Status> {
        self.ask_one(request, descriptors::import_key).await
    }

    async fn rescan_wallet(
        &self,
        request: Request<v1::RescanWalletRequest>,
    ) -> Result<Response<Self::RescanWalletStream>, Status> {
        let wallets = self.wallets()?;
        let place = self.place()?;
        // A scan takes as long as it takes, if its client says nothing of it.
        let deadline = Deadline::of(request.metadata(), None);
        let request = request.into_inner();
        let handle = self.calls.handle().clone();
        let wallet = asking::find(&wallets, request.wallet_name())?;
        rescan::check(&handle, &request)?;
        // A scan in the background makes way for it after its step.
        let turn = handle.read(move |_| rescan::turn(&wallet)).await;
        let scan = Scan {
            turn: turn.map_err(Fault::from)??,
            handle,
            from: request.from_height,
            to: request.to_height,
            patience: Patience::new(deadline).0.without_client(),
        };
        Ok(Response::new(rescan::begin(scan, place)))
    }

    async fn abort_rescan(
        &self,
        request: Request<v1::AbortRescanRequest>,
    ) -> Result<Response<v1::AbortRescanResponse>, Status> {
        self.ask_one(request, rescan::abort).await
    }

    async fn list_warnings(
        &self,
        request: Request<v1::ListWarningsRequest>,
    ) -> Result<Response<v1::ListWarningsResponse>, Status> {
        self.ask_one(request, warnings::list).await
    }

    async fn stream_wallet_events(
        &self,
        request: Request<v1::StreamWalletEventsRequest>,
    ) -> Result<Response<Self::StreamWalletEventsStream>, Status> {
        let wallets = self.wallets()?;
        let place = self.place()?;
        // What a call may take at most is not meant for those that go on as long as their clients like.
        let deadline = Deadline::of(request.metadata(), None);
        let request = request.into_inner();
        if let Some(name) = &request.wallet {
            asking::find(&wallets, Some(name))?;
        }
        let wish = events::Wish {
            kinds: events::Wish::kinds(&request.kinds)?,
            wallet: request.wallet,
        };
        let handle = self.calls.handle();
        let (ledger, stop) = (handle.ledger().clone(), handle.stop_signal().clone());
        let events = wallets.subscribe();
        let limits = self.limits;
        let begun = events::begin(ledger, events, wish, limits, deadline, stop, place);
        Ok(Response::new(begun))
    }
}
