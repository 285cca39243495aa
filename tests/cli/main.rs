//! The `everett` binary, as scripts use it: real processes on real block files.

mod assume_valid;
mod bitcoin_cli;
mod bitcoind;
mod broken_files;
mod console;
mod core_crates;
mod daemon;
mod everett;
mod import;
mod lab;
mod lab_kit;
mod log;
mod metrics;
mod network;
mod peers;
mod pruning;
mod reading;
mod running;
mod script;
mod usage;
mod vectors;
mod wallet;
mod web;
