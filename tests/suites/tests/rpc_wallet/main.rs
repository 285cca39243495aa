//! The wallet's methods of JSON-RPC on a node with wallets, over HTTP: what they answer, and with which of Core's codes they
//! refuse.

mod accounts;
mod addresses;
mod bdk;
mod bdkpython;
mod branches;
mod change;
mod descriptors;
mod money;
mod passphrases;
mod payments;
mod psbts;
mod replacements;
mod scene;
mod spending;
mod wallets;
