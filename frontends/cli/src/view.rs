//! Owns the answers of the reading commands: plain data, and how it is shown.
//! Promises that the JSON of an answer is the same from a directory and from a server; hashes are
//! hexadecimal in display order, amounts are satoshis, times are Unix seconds.
//! Refuses to fetch anything.

pub(crate) mod added_peer;
pub(crate) mod balance;
pub(crate) mod block;
pub(crate) mod coin;
pub(crate) mod conflict;
pub(crate) mod diff;
pub(crate) mod peers;
pub(crate) mod script;
pub(crate) mod snapshot;
pub(crate) mod transaction;
pub(crate) mod utxo_info;
pub(crate) mod verdict;
pub(crate) mod wallet;
pub(crate) mod words;
pub(crate) mod world;
