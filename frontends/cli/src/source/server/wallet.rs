//! Owns the way of questions about wallets, which only a running node can answer.
//! Promises that a stream is read until its end, or until the one who reads it has enough.

use everett_proto::v1;
use everett_proto::v1::wallet_service_client::WalletServiceClient;
use tonic::{Response, Status, Streaming};

use super::{MAX_MESSAGE_BYTES, Server, Wire, world_ref};
use crate::at::At;
use crate::failure::Failure;

/// Items on a page: what servers allow at most.
pub(crate) const PAGE_SIZE: i32 = super::PAGE_SIZE;

/// A client of WalletService.
pub(crate) type WalletClient = WalletServiceClient<Wire>;

impl Server {
    /// Asks WalletService, of the network that was named if one was.
    pub(crate) fn ask_wallet<T, F: Future<Output = Result<Response<T>, Status>>>(
        &self,
        ask: impl FnOnce(WalletClient) -> F,
    ) -> Result<T, Failure> {
        self.check_network()?;
        self.call(ask(self.wallet_client()))
    }

    /// The same with an answer that comes in parts; `each` says whether it wants more.
    pub(crate) fn follow_wallet<T, F: Future<Output = Result<Response<Streaming<T>>, Status>>>(
        &self,
        ask: impl FnOnce(WalletClient) -> F,
        each: impl FnMut(T) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let parts = self.ask_wallet(ask)?;
        self.follow_parts(parts, each)
    }

    /// Reads the parts of an answer that has begun.
    pub(crate) fn follow_parts<T>(
        &self,
        mut parts: Streaming<T>,
        mut each: impl FnMut(T) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            while let Some(part) = parts.message().await? {
                if !each(part)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn wallet_client(&self) -> WalletClient {
        WalletServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// A world as a request names it.
pub(crate) fn reference(at: At) -> v1::WorldRef {
    world_ref(at)
}
