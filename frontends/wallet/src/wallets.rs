//! Owns all wallets of a node: which there are, which are open, and which are opened at the start.
//! Promises that a name never leads out of the directory of wallets, and that two never share a file.
//! Refuses names that a directory cannot have on every system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use everett_ledger::Ledger;
use everett_mempool::Mempool;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::config::{UNNAMED, WalletConfig, has_wallet};
use crate::error::WalletError;
use crate::events::{Announcer, WalletEvents};
use crate::keys::{Keyring, Master};
use crate::owed::{Owed, put_owed};
use crate::scanned::Scanned;
use crate::store::{WalletFile, WalletFlags, file_error, make_directory};
use crate::wallet::Wallet;

/// Wallets that are open at once, at most.
pub const MAX_WALLETS: usize = 256;
/// The file that says which wallets are opened at the start: a name on each line.
pub(crate) const OPENED_FILE: &str = "opened-at-start";

/// What a new wallet is to be.
#[derive(Default)]
pub struct NewWallet {
    /// What it may hold.
    pub flags: WalletFlags,
    /// What its keys come from; `None` for random ones, or none at all with flags that say so.
    pub master: Option<Master>,
    /// The passphrase that its private part is sealed with.
    pub passphrase: Option<zeroize::Zeroizing<String>>,
    /// The height of the first block that may have paid its keys, where they are older than it: the scan from there on is owed,
    /// see [`ScanTurn::pay_owed`](crate::ScanTurn::pay_owed).
    pub paid_since: Option<u32>,
    /// Seconds since 1970 before which none of its keys was used; `None`: they are made now.
    pub birth: Option<u64>,
}

/// All wallets of a node. Clones share them.
#[derive(Clone)]
pub struct Wallets {
    inner: std::sync::Arc<Inner>,
}

struct Inner {
    config: WalletConfig,
    ledger: Ledger,
    mempool: Mempool,
    open: RwLock<BTreeMap<String, Wallet>>,
    /// The names of those that are being made or opened just now.
    opening: Mutex<BTreeSet<String>>,
    announcer: Announcer,
    /// Held while the file of those that are opened at the start is read and written anew.
    opened_at_start: Mutex<()>,
}

/// A name that one caller opens, until it is dropped.
struct Opening<'a> {
    names: &'a Mutex<BTreeSet<String>>,
    name: String,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.names.lock().remove(&self.name);
    }
}

impl Wallets {
    /// None is open yet.
    pub fn new(config: WalletConfig, ledger: Ledger, mempool: Mempool) -> Wallets {
        Wallets {
            inner: std::sync::Arc::new(Inner {
                config,
                ledger,
                mempool,
                open: RwLock::default(),
                opening: Mutex::default(),
                announcer: Announcer::new(),
                opened_at_start: Mutex::default(),
            }),
        }
    }

    /// How they are opened.
    pub fn config(&self) -> &WalletConfig {
        &self.inner.config
    }

    /// What happens to wallets from now on: payments, balances, warnings. A subscriber that does not keep up is told how many
    /// events it missed, see [`MAX_EVENTS`](crate::MAX_EVENTS).
    pub fn subscribe(&self) -> WalletEvents {
        self.inner.announcer.subscribe()
    }

    /// The open ones, by name.
    pub fn list(&self) -> Vec<Wallet> {
        self.inner.open.read().values().cloned().collect()
    }

    /// The open ones, by name; none is opened or shut meanwhile.
    pub(crate) fn open(&self) -> RwLockReadGuard<'_, BTreeMap<String, Wallet>> {
        self.inner.open.read()
    }

    /// An open one.
    pub fn get(&self, name: &str) -> Option<Wallet> {
        self.inner.open.read().get(name).cloned()
    }

    /// The names of all wallets in the directory, open or not.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn names(&self) -> Result<Vec<String>, WalletError> {
        let directory = &self.inner.config.directory;
        let failed = |error| WalletError::Directory {
            path: directory.clone(),
            error,
        };
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|_| has_wallet(&entry.path())) else {
                continue;
            };
            names.push(match name {
                UNNAMED => String::new(),
                name => name.to_owned(),
            });
        }
        names.sort();
        Ok(names)
    }

    /// Where a wallet of this name lies.
    ///
    /// # Errors
    ///
    /// [`WalletError::BadName`].
    pub fn path(&self, name: &str) -> Result<PathBuf, WalletError> {
        self.inner.config.path(name)
    }

    /// Makes a wallet and opens it.
    ///
    /// # Errors
    ///
    /// [`WalletError::BadName`], [`WalletError::File`] where it is there already, [`WalletError::Keys`].
    pub fn create(&self, name: &str, new: NewWallet) -> Result<Wallet, WalletError> {
        let path = self.inner.config.new_path(name)?;
        let _turn = self.room(name)?;
        if let Some(from) = new.paid_since {
            Scanned::default().check_blocks(&self.inner.ledger, from, None)?;
        }
        let network = self.inner.config.network;
        // One without its keys is no wallet.
        let file = WalletFile::create(&path, network, new.flags, |file| self.furnish(file, new))?;
        let undo = file.made();
        let entered = self.enter(name, file);
        if entered.is_err() {
            undo.undo(&path);
        }
        entered
    }

    fn furnish(&self, file: &WalletFile, new: NewWallet) -> Result<(), WalletError> {
        let config = &self.inner.config;
        if let Some(from) = new.paid_since {
            // Before the keys, which are written by a step of their own.
            file.write(|step| put_owed(step, Some(&Owed::from_height(from))))?;
        }
        let mut keyring = Keyring::load(file, config.keypool)?;
        if !new.flags.blank && !new.flags.disable_private_keys {
            let master = match new.master {
                Some(master) => master,
                None => Master::random(config.network)?,
            };
            let birth = new.birth.unwrap_or_else(|| self.inner.ledger.clock().now());
            keyring.add_master(&master, birth)?;
        }
        match new.passphrase {
            // Nothing of the keys is written before they are sealed.
            Some(passphrase) => keyring.encrypt_unsaved(file, &passphrase, config.kdf)?,
            None => file.write(|step| keyring.save(step))?,
        }
        Ok(())
    }

    /// Opens a wallet. One with a passphrase is locked.
    ///
    /// # Errors
    ///
    /// [`WalletError::AlreadyOpen`], [`WalletError::File`]: none there, in use, of another network, damaged.
    pub fn load(&self, name: &str) -> Result<Wallet, WalletError> {
        let path = self.path(name)?;
        let _turn = self.room(name)?;
        let file = WalletFile::open(&path, self.inner.config.network)?;
        self.enter(name, file)
    }

    /// Makes a wallet out of a backup, and opens it.
    ///
    /// # Errors
    ///
    /// As [`Wallets::load`]; [`WalletError::File`] where there is one of that name.
    pub fn restore(&self, name: &str, backup: &Path) -> Result<Wallet, WalletError> {
        let path = self.inner.config.new_path(name)?;
        let _turn = self.room(name)?;
        let file = WalletFile::restore(backup, &path, self.inner.config.network)?;
        let undo = file.made();
        self.enter(name, file).map_err(|error| {
            undo.undo(&path);
            error.of_backup(backup)
        })
    }

    /// Whether one more of this name may be opened; nobody else opens one of that name while what is returned is held.
    fn room(&self, name: &str) -> Result<Opening<'_>, WalletError> {
        let mut opening = self.inner.opening.lock();
        if opening.contains(name) {
            return Err(WalletError::Opening {
                name: name.to_owned(),
            });
        }
        let open = self.inner.open.read();
        if open.contains_key(name) {
            return Err(WalletError::AlreadyOpen {
                name: name.to_owned(),
            });
        }
        // One that is opened just now will be, and is counted once when it is.
        let coming = opening.iter().filter(|name| !open.contains_key(*name));
        if open.len() + coming.count() >= MAX_WALLETS {
            return Err(WalletError::TooManyOpen { limit: MAX_WALLETS });
        }
        opening.insert(name.to_owned());
        Ok(Opening {
            names: &self.inner.opening,
            name: name.to_owned(),
        })
    }

    fn enter(&self, name: &str, file: WalletFile) -> Result<Wallet, WalletError> {
        let inner = &*self.inner;
        let wallet = Wallet::load(
            name,
            file,
            &inner.config,
            inner.ledger.clone(),
            inner.mempool.clone(),
            inner.announcer.clone(),
        )?;
        wallet.catch_up()?;
        let first = wallet.picture()?;
        {
            // Who hears that it is loaded finds it, and nobody unloads it before that is told.
            let mut open = inner.open.write();
            open.insert(name.to_owned(), wallet.clone());
            wallet.tell(first);
        }
        // From here on it is everybody's: what fails now fails for the next question, too, and undoes nothing.
        if let Err(error) = wallet.catch_up() {
            tracing::warn!(wallet = name, %error, "it is open, but cannot look at what is new yet");
        }
        // What waited when it was shut waits again. A mempool that is not read from its file yet has it there, with its times.
        if inner.mempool.is_loaded()
            && let Err(error) = wallet.send_again()
        {
            tracing::warn!(wallet = name, %error, "it is open, but its payments that wait are not sent again yet");
        }
        Ok(wallet)
    }

    /// Takes a wallet out of the open ones; its file is shut when nobody uses it any more.
    ///
    /// # Errors
    ///
    /// [`WalletError::NotOpen`].
    pub fn unload(&self, name: &str) -> Result<(), WalletError> {
        let taken = self.inner.open.write().remove(name);
        let not_open = || WalletError::NotOpen {
            name: name.to_owned(),
        };
        taken.map(|wallet| wallet.hush()).ok_or_else(not_open)
    }

    /// Lets all of them look at what is new. One that cannot does not keep the others from it.
    ///
    /// # Errors
    ///
    /// What the first one said that could not.
    pub fn catch_up(&self) -> Result<(), WalletError> {
        let caught_up: Vec<Result<(), WalletError>> =
            self.list().iter().map(Wallet::catch_up).collect();
        caught_up.into_iter().collect()
    }

    /// The names of the wallets that are opened at the start.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn opened_at_start(&self) -> Result<Vec<String>, WalletError> {
        let path = self.inner.config.directory.join(OPENED_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(WalletError::Directory { path, error }),
        }
    }

    /// Says whether a wallet is opened at the start from now on.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn open_at_start(&self, name: &str, open: bool) -> Result<(), WalletError> {
        let _alone = self.inner.opened_at_start.lock();
        let mut names = self.opened_at_start()?;
        if names.iter().any(|other| other == name) == open {
            return Ok(());
        }
        match open {
            true => names.push(name.to_owned()),
            false => names.retain(|other| other != name),
        }
        let directory = &self.inner.config.directory;
        let path = directory.join(OPENED_FILE);
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        // Whole or not at all, also after the power fails.
        let draft = path.with_extension("new");
        make_directory(directory)?;
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&draft);
            file_error(&path, "writing it", error).into()
        })
    }
}
