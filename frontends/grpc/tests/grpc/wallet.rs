//! WalletService: one wallet in every world at once, over gRPC.

mod branches;
mod keys;
mod paying;
mod scene;
mod wallets;
