//! Owns how long a message may be and how often it may come, by its name.
//! Promises that a length is judged before a byte is set aside for it.
//! Refuses to know what a message means: limits of addresses or requests in work are their protocol's.

use std::time::Duration;

use crate::counters::{KINDS, kind};
use crate::message::Command;

#[cfg(test)]
mod tests;

/// Longest payload of any message, in bytes: Bitcoin Core's `MAX_PROTOCOL_MESSAGE_LENGTH`.
pub const MAX_PAYLOAD: u32 = 4_000_000;

/// Longest payload before the handshake is over, in bytes: nothing long is said before it.
pub const MAX_HANDSHAKE_PAYLOAD: u32 = 16_384;

/// Most messages that a peer may send before its `verack`; what is more than a hundred is a flood.
pub const MAX_HANDSHAKE_MESSAGES: u32 = 100;

/// Bytes that messages of a fixed length may have beyond it, so that fields can be added to them.
const SLACK: u32 = 64;

/// The longest payload of a message, in bytes, by its name: what the protocol lets its content grow to.
///
/// Messages that are not known get [`MAX_PAYLOAD`].
pub fn payload_limit(command: &Command) -> u32 {
    match command.as_str() {
        "verack" | "getaddr" | "mempool" | "sendheaders" | "wtxidrelay" | "sendaddrv2"
        | "filterclear" => SLACK,
        "ping" | "pong" | "feefilter" | "sendcmpct" | "sendtxrcncl" => 12 + SLACK,
        "version" => 1_024,
        // An identifier of at most 80 bytes and at most 512 bytes of data.
        "feature" => 1_024,
        // 1,000 addresses: time, services, up to 512 bytes of address, port.
        "addr" | "addrv2" => 3 + 1_000 * (4 + 9 + 1 + 3 + 512 + 2),
        // 50,000 entries of type and hash.
        "inv" | "getdata" | "notfound" => 3 + 50_000 * 36,
        // 2,000 headers with their count of transactions.
        "headers" => 3 + 2_000 * 81,
        // Version, 101 hashes, the hash to stop at.
        "getheaders" | "getblocks" => 4 + 1 + 101 * 32 + 32 + SLACK,
        // A filter of 36,000 bytes, two numbers, flags (BIP37); an element of 520 bytes.
        "filterload" => 36_000 + 32,
        "filteradd" => 520 + 32,
        // A type, a height or two hashes (BIP157).
        "getcfilters" | "getcfheaders" | "getcfcheckpt" => 1 + 32 + 32 + SLACK,
        _ => MAX_PAYLOAD,
    }
}

/// How often messages of one name may come: a bucket of tokens, one taken by each message.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    /// Tokens that come back in a second.
    pub per_second: f32,
    /// Tokens that the bucket holds: so many may come at once.
    pub burst: f32,
}

impl Rate {
    const fn new(per_second: f32, burst: f32) -> Rate {
        Rate { per_second, burst }
    }
}

/// How often messages of this name may come; `None` where the receiver's own pace is the limit.
///
/// Blocks, transactions, headers and the requests for them are not limited here: a peer that asks for more than is
/// worked off is no longer read from (see [`RECEIVE_BUDGET`](crate::connection::RECEIVE_BUDGET)), so none of them is lost.
/// What is limited can be dropped without harm to an honest peer, and no honest peer comes near: Bitcoin Core pings
/// every two minutes, announces twice a second to a peer at most, and asks for addresses once.
pub fn rate_limit(command: &Command) -> Option<Rate> {
    Some(match command.as_str() {
        "ping" | "pong" => Rate::new(5.0, 100.0),
        "inv" => Rate::new(100.0, 2_000.0),
        "addr" | "addrv2" => Rate::new(5.0, 100.0),
        "getaddr" | "mempool" => Rate::new(0.1, 10.0),
        "sendheaders" | "sendcmpct" | "feefilter" => Rate::new(2.0, 50.0),
        // A sync of 100,000 headers a second asks 50 times a second.
        "getheaders" | "getblocks" => Rate::new(1_000.0, 10_000.0),
        "getcfilters" | "getcfheaders" | "getcfcheckpt" => Rate::new(200.0, 2_000.0),
        // One for each `getdata`, at most.
        "notfound" => Rate::new(1_000.0, 10_000.0),
        "filterload" | "filteradd" | "filterclear" => Rate::new(20.0, 500.0),
        "version" | "verack" | "alert" | "reject" => Rate::new(1.0, 20.0),
        "block" | "tx" | "headers" | "getdata" | "merkleblock" | "cmpctblock" | "getblocktxn"
        | "blocktxn" | "cfilter" | "cfheaders" | "cfcheckpt" => return None,
        // Names that are not known share one bucket.
        _ => Rate::new(200.0, 5_000.0),
    })
}

/// Bytes of a payload that count as one more message, so that the longest cannot come as often as the shortest.
const BYTES_A_TOKEN: usize = 16 * 1_024;

/// Messages of one name that are dropped in a row before the peer is: who goes on after so many means harm.
pub const FLOOD_PATIENCE: u32 = 5_000;

/// What a message beyond its rate gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is within its rate.
    Pass,
    /// It is dropped and counted; the connection goes on.
    Drop,
    /// More than [`FLOOD_PATIENCE`] were dropped in a row: the connection ends.
    Disconnect,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f32,
    filled: Duration,
    dropped: u32,
}

/// The buckets of one connection: at most one a known name, 16 bytes each, made when the first message of it comes.
#[derive(Default)]
pub struct Buckets {
    buckets: Vec<(u8, Bucket)>,
}

impl Buckets {
    /// Takes a token for a message that came at `now`, and one for each 16 KiB of its payload.
    pub fn take(&mut self, command: &Command, length: usize, now: Duration) -> Verdict {
        let Some(rate) = rate_limit(command) else {
            return Verdict::Pass;
        };
        let kind = kind(command) as u8;
        debug_assert!(self.buckets.len() <= KINDS);
        let at = match self.buckets.iter().position(|(named, _)| *named == kind) {
            Some(at) => at,
            None => {
                let full = Bucket {
                    tokens: rate.burst,
                    filled: now,
                    dropped: 0,
                };
                self.buckets.push((kind, full));
                self.buckets.len() - 1
            }
        };
        let bucket = &mut self.buckets[at].1;
        let passed = now.saturating_sub(bucket.filled).as_secs_f32();
        bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.burst);
        bucket.filled = now;
        let cost = 1 + (length / BYTES_A_TOKEN) as u32;
        if bucket.tokens >= 1.0 {
            // Only who has been quiet for a while is forgiven.
            if bucket.tokens >= rate.burst / 2.0 {
                bucket.dropped = 0;
            }
            // One that takes more than there is has to be waited for.
            bucket.tokens -= cost as f32;
            return Verdict::Pass;
        }
        bucket.dropped = bucket.dropped.saturating_add(cost);
        if bucket.dropped > FLOOD_PATIENCE {
            Verdict::Disconnect
        } else {
            Verdict::Drop
        }
    }
}
