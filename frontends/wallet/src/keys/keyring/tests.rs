use bitcoin::Network;
use tempfile::TempDir;

use super::*;

const SEED: [u8; 32] = [7; 32];
const KEYPOOL: u32 = 5;

/// A wallet in a directory of its own.
struct Made {
    directory: TempDir,
    file: WalletFile,
    keyring: Keyring,
}

impl Made {
    fn blank(flags: WalletFlags) -> Made {
        let directory = TempDir::new().unwrap();
        let place = directory.path().join("w");
        let file = WalletFile::create(&place, Network::Regtest, flags).unwrap();
        let keyring = Keyring::load(&file, KEYPOOL).unwrap();
        Made {
            directory,
            file,
            keyring,
        }
    }

    fn fresh() -> Made {
        let mut made = Made::blank(WalletFlags::default());
        let master = Master::from_seed(&SEED, Network::Regtest).unwrap();
        made.step(|keyring| keyring.add_master(&master, 0).unwrap());
        made
    }

    fn watching() -> Made {
        Made::blank(WalletFlags {
            disable_private_keys: true,
            ..WalletFlags::default()
        })
    }

    fn step<T>(&mut self, change: impl FnOnce(&mut Keyring) -> T) -> T {
        let mut next = self.keyring.clone();
        let result = change(&mut next);
        self.file
            .write(|step| next.save(step).map_err(KeyError::from))
            .unwrap();
        self.keyring = next;
        result
    }

    /// The same wallet, shut and opened again.
    fn reopened(self) -> Made {
        let place = self.file.directory().to_path_buf();
        drop(self.file);
        let file = WalletFile::open(&place, Network::Regtest).unwrap();
        let keyring = Keyring::load(&file, KEYPOOL).unwrap();
        Made {
            directory: self.directory,
            file,
            keyring,
        }
    }
}

#[test]
fn a_fresh_wallet_has_eight_active_descriptors_and_survives_being_reopened() {
    let mut made = Made::fresh();
    for kind in OutputType::ALL {
        for chain in [Chain::External, Chain::Internal] {
            let (slot, script) = made.step(|keyring| keyring.new_script(kind, chain).unwrap());
            assert_eq!(made.keyring.slot_of(&script), Some(slot));
            assert_eq!(slot.index, 0);
        }
    }
    assert_eq!(made.keyring.descriptors().count(), 8);
    let before = made.keyring.clone();
    let made = made.reopened();
    assert_eq!(made.keyring, before);
    assert!(
        made.keyring
            .active(OutputType::Bech32m, Chain::Internal)
            .is_some()
    );
}

#[test]
fn an_address_that_was_seen_moves_the_window_on() {
    let mut made = Made::fresh();
    let number = made
        .keyring
        .active(OutputType::Bech32, Chain::External)
        .unwrap()
        .number;
    let slot = Slot {
        descriptor: number,
        index: 3,
    };
    let added = made.step(|keyring| keyring.mark_used(&[slot]));
    assert_eq!(added, 4);
    let (next, _) = made.step(|k| k.new_script(OutputType::Bech32, Chain::External).unwrap());
    assert_eq!(next.index, 4);
    let end = made.keyring.descriptor(number).unwrap().end;
    assert_eq!(end, 4 + KEYPOOL);
}

#[test]
fn a_locked_wallet_has_the_same_addresses() {
    let mut made = Made::fresh();
    let before = made.keyring.clone();
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    let mut made = made.reopened();
    assert!(made.keyring.is_locked());
    for descriptor in before.descriptors() {
        let now = made.keyring.descriptor(descriptor.number).unwrap();
        assert_eq!(now, descriptor);
    }
    let slot = made.step(|k| k.new_script(OutputType::Bech32, Chain::External).unwrap().0);
    let script = made.keyring.scripts(slot)[0].clone();
    assert!(made.keyring.private_keys(&script).is_empty());
    assert!(matches!(
        made.keyring.unlock("falsch"),
        Err(KeyError::WrongPassphrase)
    ));
    made.keyring.unlock("geheim").unwrap();
    assert!(!made.keyring.private_keys(&script).is_empty());
}
