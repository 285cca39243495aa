//! Owns what is known of one address.
//! Promises Bitcoin Core's judgement of how likely it answers.
//! Refuses to know where it lies, but for its places among the new ones.

use bitcoin::consensus::serialize;
use bitcoin::p2p::ServiceFlags;

use super::table::Place;
use crate::endpoint::{Endpoint, Group, NetworkKind};

/// Seconds after which an address that nobody spoke of is given up: thirty days.
const HORIZON: u64 = 30 * 86_400;
/// Failures after which an address that never answered is given up.
const RETRIES: u32 = 3;
/// Failures after which an address that answered once is given up, if that was a week ago.
const MAX_FAILURES: u32 = 10;
/// Seconds of that week.
const MIN_FAIL: u64 = 7 * 86_400;

/// What is known of an address. Times are Unix seconds, 0 for never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The address.
    pub endpoint: Endpoint,
    /// What it is said to offer.
    pub services: ServiceFlags,
    /// When it was last seen, by us or by who told us.
    pub time: u64,
    /// Who told us first.
    pub source: Endpoint,
    /// When we last called it.
    pub last_try: u64,
    /// When we last reached it.
    pub last_success: u64,
    /// Calls since then that came to nothing.
    pub attempts: u32,
    /// Whether it is among the tried ones.
    pub is_tried: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) endpoint: Endpoint,
    pub(super) services: ServiceFlags,
    pub(super) time: u64,
    pub(super) source: Endpoint,
    pub(super) last_try: u64,
    /// The last call that was held against it; not on disk.
    pub(super) last_counted_try: u64,
    pub(super) last_success: u64,
    pub(super) attempts: u32,
    pub(super) is_tried: bool,
    /// Where it lies among the new ones.
    pub(super) places: Vec<Place>,
    /// Where it is in the order for drawing.
    pub(super) order: usize,
    /// Hashing wants these at each draw, and they never change.
    network: NetworkKind,
}

impl Entry {
    pub(super) fn new(
        endpoint: Endpoint,
        services: ServiceFlags,
        time: u64,
        source: Endpoint,
    ) -> Entry {
        Entry {
            network: endpoint.kind(),
            endpoint,
            services,
            time,
            source,
            last_try: 0,
            last_counted_try: 0,
            last_success: 0,
            attempts: 0,
            is_tried: false,
            places: Vec::new(),
            order: 0,
        }
    }

    pub(super) fn network(&self) -> NetworkKind {
        self.network
    }

    pub(super) fn group(&self) -> Group {
        self.endpoint.group()
    }

    /// Its bytes for hashing: host and port.
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = serialize(&self.endpoint.host);
        key.extend(self.endpoint.port.to_be_bytes());
        key
    }

    pub(super) fn known(&self) -> Known {
        Known {
            endpoint: self.endpoint.clone(),
            services: self.services,
            time: self.time,
            source: self.source.clone(),
            last_try: self.last_try,
            last_success: self.last_success,
            attempts: self.attempts,
            is_tried: self.is_tried,
        }
    }

    /// Whether it is not worth its place, nor a word to others.
    pub(super) fn is_terrible(&self, now: u64) -> bool {
        // What was tried a minute ago may be about to answer.
        if now.saturating_sub(self.last_try) <= 60 {
            return false;
        }
        let from_the_future = self.time > now + 600;
        let forgotten = now.saturating_sub(self.time) > HORIZON;
        let never_answered = self.last_success == 0 && self.attempts >= RETRIES;
        let silent =
            now.saturating_sub(self.last_success) > MIN_FAIL && self.attempts >= MAX_FAILURES;
        from_the_future || forgotten || never_answered || silent
    }

    /// How likely it is drawn, compared with one that never failed.
    pub(super) fn chance(&self, now: u64) -> f64 {
        let recent = if now.saturating_sub(self.last_try) < 600 {
            0.01
        } else {
            1.0
        };
        recent * 0.66f64.powi(self.attempts.min(8) as i32)
    }
}
