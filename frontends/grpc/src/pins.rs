//! Owns the worlds that clients hold by id.
//! Promises that a pin is gone at its time, and that no more are held than the quota.
//! Refuses guesses: ids are 128 random bits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bitcoin::secp256k1::rand;
use everett_ledger::World;
use everett_proto::v1::ErrorReason;
use tonic::Code;

use crate::config::PinLimits;
use crate::fault::Fault;

/// Shortest time that a pin may be asked to last.
const MIN_TTL: Duration = Duration::from_secs(1);

/// The pinned worlds of a server.
pub(crate) struct Pins {
    limits: PinLimits,
    held: Mutex<HashMap<String, Pin>>,
}

struct Pin {
    world: World,
    expires: Instant,
}

/// A new pin, as its owner is told of it.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) id: String,
    pub(crate) expires: SystemTime,
}

impl Pins {
    pub(crate) fn new(limits: PinLimits) -> Pins {
        Pins {
            limits,
            held: Mutex::new(HashMap::new()),
        }
    }

    /// Holds `world` for `ttl`, or the default time.
    pub(crate) fn pin(&self, world: World, ttl: Option<Duration>) -> Result<Pinned, Fault> {
        let ttl = match ttl {
            None => self.limits.default_ttl,
            Some(short) if short < MIN_TTL => {
                return Err(Fault::field("ttl", "a pin lasts at least one second"));
            }
            Some(ttl) => ttl,
        }
        .min(self.limits.max_ttl);
        let mut held = self.lock();
        if held.len() >= self.limits.quota {
            return Err(Fault::new(
                Code::ResourceExhausted,
                ErrorReason::PinQuota,
                format!(
                    "{} worlds are pinned, the most this node allows; unpin one or wait until one expires",
                    self.limits.quota
                ),
            )
            .with("quota", self.limits.quota));
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let pin = Pin {
            world,
            expires: Instant::now() + ttl,
        };
        held.insert(id.clone(), pin);
        Ok(Pinned {
            id,
            expires: SystemTime::now() + ttl,
        })
    }

    /// The world that is held under `id`.
    pub(crate) fn world(&self, id: &str) -> Result<World, Fault> {
        match self.lock().get(id) {
            Some(pin) => Ok(pin.world.clone()),
            None => Err(unknown(id)),
        }
    }

    /// Lets go of a pin.
    pub(crate) fn unpin(&self, id: &str) -> Result<(), Fault> {
        match self.lock().remove(id) {
            Some(_) => Ok(()),
            None => Err(unknown(id)),
        }
    }

    /// Lets go of what has expired.
    pub(crate) fn sweep(&self) {
        drop(self.lock());
    }

    /// The pins that have not expired.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pin>> {
        // Whoever panicked while holding the lock left a whole map behind.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        held.retain(|_, pin| pin.expires > now);
        held
    }
}

fn unknown(id: &str) -> Fault {
    /// Most characters of a foreign id that an answer repeats.
    const MAX_ID_CHARS: usize = 64;
    let id: String = id.chars().take(MAX_ID_CHARS).collect();
    Fault::new(
        Code::NotFound,
        ErrorReason::WorldUnknown,
        format!("no pin `{id}` is held; it may have expired: pin the world again"),
    )
    .with("pin_id", id)
}
