//! The wallet's methods over JSON-RPC: a real node, asked over HTTP.

mod branches;
mod money;
mod payments;
mod psbts;
