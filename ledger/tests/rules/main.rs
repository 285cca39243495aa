//! The rules on real data: chains of Bitcoin Core's making, and real blocks of mainnet and testnet3.

mod bad_blocks;
mod blocks;
mod chains;
mod forks;
mod naive;
mod vectors;
