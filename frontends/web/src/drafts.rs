//! Owns payments that a page has shown and nobody has sent yet.
//! Promises that what is sent is what was shown, once at most, and that few are kept, for a short while.
//! Refuses a number that was made up: it is as long as a key.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::hex::DisplayHex;
use bitcoin::key::rand::RngCore;
use bitcoin::key::rand::rngs::OsRng;
use everett_wallet::{Prepared, SendTerms};

/// Payments that wait to be sent, at most; the oldest goes for the next one.
const MAX_DRAFTS: usize = 32;
/// How long one waits.
const KEPT: Duration = Duration::from_secs(600);

/// A payment that was shown, ready to be sent.
pub(crate) struct Draft {
    /// The name of the wallet that signed it.
    pub(crate) wallet: String,
    /// The payment; with all signatures.
    pub(crate) prepared: Prepared,
    /// What it has to be when it is sent.
    pub(crate) terms: SendTerms,
    /// What its maker notes of it.
    pub(crate) comment: String,
}

/// All that wait.
#[derive(Default)]
pub(crate) struct Drafts {
    waiting: Mutex<VecDeque<(String, Instant, Draft)>>,
}

impl Drafts {
    /// Keeps one; the number by which it is found again.
    pub(crate) fn keep(&self, draft: Draft) -> String {
        let mut bytes = [0; 16];
        OsRng.fill_bytes(&mut bytes);
        let number = bytes.to_lower_hex_string();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(_, since, _)| since.elapsed() < KEPT);
        if waiting.len() >= MAX_DRAFTS {
            waiting.pop_front();
        }
        waiting.push_back((number.clone(), Instant::now(), draft));
        number
    }

    /// Takes one of a wallet out: nobody else sends it then.
    pub(crate) fn take(&self, number: &str, wallet: &str) -> Option<Draft> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(_, since, _)| since.elapsed() < KEPT);
        let place = waiting
            .iter()
            .position(|(kept, _, draft)| kept == number && draft.wallet == wallet)?;
        waiting.remove(place).map(|(_, _, draft)| draft)
    }
}
