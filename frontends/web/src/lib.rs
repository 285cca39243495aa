//! Owns the web page of the node: the live tree of worlds, and a page for every block, transaction and script in it.
//! Promises that it is readable without scripts, that it shows a block as soon as it is accepted, and that reading it
//! never keeps the node from its work.
//! Refuses every request that would change anything but for the forms of wallets, to pay without a login where coins are worth
//! something, and to listen beyond loopback without a login.
//!
//! ```text
//!   connection -> gate: host, rate, login -> page -> Reads: deadline -> Handle::read, a thread of its own -> template
//!   events of the ledger -> Live: one picture for all -> server-sent event -> the browser fetches the picture
//! ```

mod assets;
mod config;
mod connection;
mod drafts;
mod fault;
mod forms;
mod gate;
mod headers;
mod live;
mod login;
mod pages;
mod parse;
mod payment_uri;
mod picture;
mod qr;
mod reads;
mod recent;
mod server;
mod show;
mod site;
mod sync_words;

pub use config::{Limits, WebConfig};
pub use login::{InvalidLogin, Login};
pub use server::{BoundAddress, Web, WebError};
