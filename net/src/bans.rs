//! Owns whom we refuse: subnets that the user banned until some time, and addresses that misbehaved.
//! Promises that bans outlive the process once saved, and that neither list grows beyond its limit.
//! Refuses to tell whether a ban is wise: from another address the same peer is let in.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::path::Path;

use bitcoin::p2p::address::AddrV2;
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::stored;

mod subnet;

pub use subnet::{Subnet, SubnetError};

#[cfg(test)]
mod tests;

/// Most bans that are kept.
pub const MAX_BANS: usize = 10_000;
/// Characters of a reason that are kept.
const MAX_REASON: usize = 256;
/// Bytes of the largest file of bans that is read.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Seconds of a ban that the user gave no time for: a day, as in Bitcoin Core.
pub const DEFAULT_BAN_SECONDS: u64 = 24 * 60 * 60;
/// Addresses of one generation of the discouraged: at least so many are remembered, as in Bitcoin Core.
const GENERATION: usize = 50_000;

/// A ban. Times are Unix seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ban {
    /// Who is refused.
    pub subnet: Subnet,
    /// Since when.
    pub created: u64,
    /// Until when.
    pub until: u64,
    /// Why, for the user.
    #[serde(default)]
    pub reason: String,
}

/// Why a ban was not made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BanError {
    /// There is one already that lasts as long.
    #[error("{subnet} is banned until {until} already; remove that ban first to shorten it")]
    Already {
        /// The subnet.
        subnet: Subnet,
        /// Until when, in Unix seconds.
        until: u64,
    },
    /// There are as many as there may be.
    #[error("there are {MAX_BANS} bans already; remove some, or ban a wider subnet")]
    Full,
}

/// The file of bans as JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    bans: Vec<Ban>,
}

/// The version of the file.
const VERSION: u32 = 1;

/// Bans and the discouraged. Plain data: who uses it passes the time, in Unix seconds.
#[derive(Debug, Default)]
pub struct Bans {
    /// By subnet; a subnet has one ban.
    bans: Vec<Ban>,
    /// Whether the bans differ from what was saved.
    changed: bool,
    discouraged: Discouraged,
}

impl Bans {
    /// Without any.
    pub fn new() -> Bans {
        Bans::default()
    }

    /// Reads the bans of a file that have not run out. There are none without a file.
    ///
    /// A damaged file is set aside as `NAME.damaged`, with a warning in the log.
    ///
    /// # Errors
    ///
    /// What the system says of reading the file.
    pub fn load(path: &Path, now: u64) -> io::Result<Bans> {
        let mut bans = Bans::new();
        let bytes = match stored::read(path, MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                stored::give_up(path, &error);
                return Ok(bans);
            }
            bytes => bytes?,
        };
        let Some(bytes) = bytes else {
            return Ok(bans);
        };
        match serde_json::from_slice::<Stored>(&bytes) {
            Ok(read) if read.version == VERSION => {
                bans.bans = read.bans;
                bans.bans.truncate(MAX_BANS);
            }
            Ok(read) => stored::give_up(
                path,
                &format!("its version is {}, not {VERSION}", read.version),
            ),
            Err(error) => stored::give_up(path, &error),
        }
        bans.expire(now);
        Ok(bans)
    }

    /// Writes the bans to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// What the system says; then they still count as changed.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        stored::replace(path, &self.to_bytes()?)?;
        self.changed = false;
        Ok(())
    }

    /// The bytes of their file if they have changed, and count as saved from now on: for who writes them without
    /// holding the bans, and calls [`Bans::not_saved`] if that fails.
    pub(crate) fn take_changed(&mut self) -> Option<io::Result<Vec<u8>>> {
        std::mem::take(&mut self.changed).then(|| self.to_bytes())
    }

    /// They count as changed after all.
    pub(crate) fn not_saved(&mut self) {
        self.changed = true;
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let stored = Stored {
            version: VERSION,
            bans: self.bans.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&stored)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Whether the bans differ from what was last saved or loaded.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Bans a subnet until a time. An earlier ban of the same subnet is replaced if it ends before.
    ///
    /// # Errors
    ///
    /// [`BanError`]: nothing was changed.
    pub fn ban(
        &mut self,
        subnet: Subnet,
        until: u64,
        reason: &str,
        now: u64,
    ) -> Result<(), BanError> {
        self.expire(now);
        let ban = Ban {
            subnet,
            created: now,
            until,
            reason: reason.chars().take(MAX_REASON).collect(),
        };
        let full = self.bans.len() >= MAX_BANS;
        match self.bans.iter_mut().find(|it| it.subnet == ban.subnet) {
            Some(earlier) if earlier.until >= until => {
                return Err(BanError::Already {
                    subnet: ban.subnet,
                    until: earlier.until,
                });
            }
            Some(earlier) => *earlier = ban,
            None if full => return Err(BanError::Full),
            None => self.bans.push(ban),
        }
        self.changed = true;
        Ok(())
    }

    /// Removes the ban of exactly this subnet; whether there was one.
    pub fn remove(&mut self, subnet: &Subnet) -> bool {
        let before = self.bans.len();
        self.bans.retain(|ban| ban.subnet != *subnet);
        self.changed |= self.bans.len() < before;
        self.bans.len() < before
    }

    /// Removes all bans; how many there were.
    pub fn clear(&mut self) -> usize {
        self.changed |= !self.bans.is_empty();
        std::mem::take(&mut self.bans).len()
    }

    /// The bans that have not run out, in the order in which they were made.
    pub fn list(&mut self, now: u64) -> &[Ban] {
        self.expire(now);
        &self.bans
    }

    /// The ban that a host falls under.
    pub fn find(&self, host: &AddrV2, now: u64) -> Option<&Ban> {
        let mut bans = self.bans.iter();
        bans.find(|ban| now < ban.until && ban.subnet.contains(host))
    }

    /// Whether a host is banned: no connection to or from it, no word of it to others.
    pub fn is_banned(&self, endpoint: &Endpoint, now: u64) -> bool {
        self.find(&endpoint.host, now).is_some()
    }

    /// Remembers that a host misbehaved, until the process ends or 50,000 others did.
    pub fn discourage(&mut self, endpoint: &Endpoint) {
        self.discouraged.insert(&endpoint.host);
    }

    /// Whether a host misbehaved: it is not called, not spoken of, and gives up its place first when it calls.
    pub fn is_discouraged(&self, endpoint: &Endpoint) -> bool {
        self.discouraged.contains(&endpoint.host)
    }

    fn expire(&mut self, now: u64) {
        let before = self.bans.len();
        self.bans.retain(|ban| now < ban.until);
        self.changed |= self.bans.len() < before;
    }
}

/// Hosts that misbehaved, as keyed hashes in two generations: when the young one is full it becomes the old one, and
/// the old one is forgotten. So 50,000 to 100,000 are remembered in at most 2 MB.
#[derive(Debug, Default)]
struct Discouraged {
    hasher: RandomState,
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Discouraged {
    fn insert(&mut self, host: &AddrV2) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hasher.hash_one(host));
    }

    fn contains(&self, host: &AddrV2) -> bool {
        let hash = self.hasher.hash_one(host);
        self.young.contains(&hash) || self.old.contains(&hash)
    }
}
