mod laws;

use bitcoin::Network;
use tempfile::TempDir;

use super::*;
use crate::keys::Kdf;

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
        let file =
            WalletFile::create(&place, Network::Regtest, flags, crate::store::as_it_is).unwrap();
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
    // What was given out is made up for when it is seen, once.
    assert_eq!(made.step(|keyring| keyring.mark_used(&[next])), 1);
    assert_eq!(made.step(|keyring| keyring.mark_used(&[next])), 0);
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

const TPRV: &str = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
const TPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
const XPUB: &str = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8";
const WIF: &str = "cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N";

fn import(text: &str) -> Import {
    Import {
        text: Zeroizing::new(with_checksum(text)),
        ..Import::default()
    }
}

fn try_import(made: &mut Made, import: &Import) -> Result<Imported, KeyError> {
    let mut next = made.keyring.clone();
    let imported = next.import(import)?;
    made.file.write(|step| next.save(step))?;
    made.keyring = next;
    Ok(imported)
}

#[test]
fn what_is_sealed_is_nowhere_in_the_file() {
    let mut made = Made::fresh();
    let private = made.keyring.private_text(DescriptorNumber(0)).unwrap();
    let key = private.split(['(', '/']).nth(1).unwrap().to_owned();
    assert!(key.starts_with("tprv"));
    let data = made.file.directory().join("data.mdb");
    let holds = |what: &str| {
        let bytes = std::fs::read(&data).unwrap();
        bytes
            .windows(what.len())
            .any(|window| window == what.as_bytes())
    };
    assert!(holds(&key));
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    assert!(!holds(&key) && !holds("tprv") && !holds("geheim"));
    made.keyring.unlock("geheim").unwrap();
    made.step(|keyring| {
        keyring
            .import(&import(&format!("wpkh({TPRV}/7/*)")))
            .unwrap()
    });
    assert!(!holds("tprv"));
    assert_eq!(
        *made.keyring.private_text(DescriptorNumber(0)).unwrap(),
        *private
    );
}

#[test]
fn a_passphrase_is_changed_and_the_old_one_opens_nothing_any_more() {
    let mut made = Made::fresh();
    assert!(matches!(
        made.keyring.unlock("x"),
        Err(KeyError::NotEncrypted)
    ));
    assert!(matches!(made.keyring.lock(), Err(KeyError::NotEncrypted)));
    made.keyring
        .encrypt(&mut made.file, "one", Kdf::CHEAP)
        .unwrap();
    let again = made.keyring.encrypt(&mut made.file, "two", Kdf::CHEAP);
    assert!(matches!(again, Err(KeyError::AlreadyEncrypted)));
    let wrong = made.step(|keyring| keyring.change_passphrase("two", "three"));
    assert!(matches!(wrong, Err(KeyError::WrongPassphrase)));
    made.step(|keyring| keyring.change_passphrase("one", "two").unwrap());
    let mut made = made.reopened();
    assert!(matches!(
        made.keyring.unlock("one"),
        Err(KeyError::WrongPassphrase)
    ));
    made.keyring.unlock("two").unwrap();
    made.keyring.lock().unwrap();
    let locked = made.keyring.import(&import(&format!("wpkh({TPRV}/7/*)")));
    assert!(matches!(locked, Err(KeyError::Locked)));
}

#[test]
fn a_locked_wallet_runs_out_of_hardened_addresses_and_knows_those_it_had() {
    let mut made = Made::blank(WalletFlags::default());
    let hardened = Import {
        active: true,
        ..import(&format!("wpkh({TPRV}/0h/*h)"))
    };
    try_import(&mut made, &hardened).unwrap();
    assert!(
        made.keyring
            .descriptor(DescriptorNumber(0))
            .unwrap()
            .text
            .contains("/*h)")
    );
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    let mut made = made.reopened();
    let next = |keyring: &mut Keyring| keyring.new_script(OutputType::Bech32, Chain::External);
    let mut last = None;
    for _ in 0..KEYPOOL {
        last = Some(made.step(next).unwrap());
    }
    let (slot, script) = last.unwrap();
    assert_eq!(made.keyring.slot_of(&script), Some(slot));
    let solution = made.keyring.solution(&script).unwrap();
    assert_eq!(solution.script_pubkey(), script);
    let out = made.step(next).unwrap_err();
    assert!(matches!(out, KeyError::KeypoolRanOut));
    assert_eq!(
        out.to_string(),
        "the next address needs a private key, and the wallet is locked"
    );
    made.step(|keyring| keyring.unlock("geheim").unwrap());
    assert_eq!(made.step(next).unwrap().0.index, KEYPOOL);
    assert!(!made.keyring.private_keys(&script).is_empty());
}

#[test]
fn an_import_replaces_the_active_descriptor_which_is_watched_on() {
    let mut made = Made::fresh();
    let (old, script) = made.step(|k| k.new_script(OutputType::Bech32, Chain::External).unwrap());
    let both = Import {
        active: true,
        range: Some((0, 9)),
        next_index: Some(4),
        ..import(&format!("wpkh({TPRV}/<0;1>/*)"))
    };
    let imported = try_import(&mut made, &both).unwrap();
    assert_eq!(imported.numbers, [DescriptorNumber(8), DescriptorNumber(9)]);
    let (external, internal) = (imported.numbers[0], imported.numbers[1]);
    let active = |chain| {
        made.keyring
            .active(OutputType::Bech32, chain)
            .unwrap()
            .number
    };
    assert_eq!(active(Chain::External), external);
    assert_eq!(active(Chain::Internal), internal);
    assert_eq!(made.keyring.slot_of(&script), Some(old));
    assert!(!made.keyring.descriptor(old.descriptor).unwrap().active);
    let (slot, _) = made.step(|k| k.new_script(OutputType::Bech32, Chain::External).unwrap());
    assert_eq!((slot.descriptor, slot.index), (external, 4));
    let text = &made.keyring.descriptor(internal).unwrap().text;
    assert_eq!(**text, *with_checksum(&format!("wpkh({TPUB}/1/*)")));
}

#[test]
fn an_import_again_only_widens() {
    let mut made = Made::watching();
    let first = Import {
        range: Some((10, 20)),
        ..import(&format!("tr({TPUB}/*)"))
    };
    try_import(&mut made, &first).unwrap();
    let narrow = Import {
        range: Some((11, 30)),
        ..first.clone()
    };
    assert_eq!(
        try_import(&mut made, &narrow).unwrap_err().to_string(),
        "new range must include current range = [10,20]"
    );
    let wide = Import {
        range: Some((3, 30)),
        ..first.clone()
    };
    let imported = try_import(&mut made, &wide).unwrap();
    assert_eq!(imported.numbers, [DescriptorNumber(0)]);
    let descriptor = made.keyring.descriptor(DescriptorNumber(0)).unwrap();
    assert_eq!((descriptor.start, descriptor.end), (3, 31));
    assert_eq!(made.keyring.script_count(), 28);
    // Who names no range asks for no smaller one, and is not told that one is assumed.
    let again = Import {
        range: None,
        ..first
    };
    let imported = try_import(&mut made, &again).unwrap();
    assert_eq!(imported.warnings, Vec::<&str>::new());
    let descriptor = made.keyring.descriptor(DescriptorNumber(0)).unwrap();
    assert_eq!((descriptor.start, descriptor.end), (0, 31));
    let before = made.keyring.clone();
    assert_eq!(made.reopened().keyring, before);
}

#[test]
fn without_a_range_the_next_index_lies_in_what_is_watched() {
    let mut made = Made::watching();
    let text = format!("wpkh({TPUB}/0/*)");
    let wide = KEYPOOL + 50;
    let first = Import {
        range: Some((0, wide - 1)),
        ..import(&text)
    };
    try_import(&mut made, &first).unwrap();
    let next = |text: &str, index| Import {
        next_index: Some(index),
        ..import(text)
    };
    try_import(&mut made, &next(&text, wide - 1)).unwrap();
    let one = made.keyring.descriptor(DescriptorNumber(0)).unwrap();
    assert_eq!(one.next, wide - 1);
    // Not so far that nothing is watched there, on any path.
    let end = one.end;
    for (text, index) in [
        (text, end),
        (format!("wpkh({TPUB}/<0;1>/*)"), KEYPOOL),
        (format!("wpkh({TPUB}/2/*)"), KEYPOOL),
    ] {
        let error = try_import(&mut made, &next(&text, index)).unwrap_err();
        assert_eq!(error.to_string(), "next_index is out of range", "{text}");
    }
}

#[test]
fn what_keeps_its_use_keeps_it_path_by_path() {
    let mut made = Made::watching();
    let receiving = Import {
        active: true,
        ..import(&format!("wpkh({TPUB}/0/*)"))
    };
    try_import(&mut made, &receiving).unwrap();
    let both = Import {
        keeps_use: true,
        ..import(&format!("wpkh({TPUB}/<0;1>/*)"))
    };
    let numbers = try_import(&mut made, &both).unwrap().numbers;
    assert_eq!(numbers, [DescriptorNumber(0), DescriptorNumber(1)]);
    let used = |made: &Made, number| {
        let one = made.keyring.descriptor(DescriptorNumber(number)).unwrap();
        (one.active, one.chain)
    };
    assert_eq!(used(&made, 0), (true, Chain::External));
    assert_eq!(used(&made, 1), (false, Chain::Internal));
    // Also what was taken up against its place among the paths.
    let other = Import {
        active: true,
        internal: Some(true),
        ..import(&format!("tr({TPUB}/0/*)"))
    };
    try_import(&mut made, &other).unwrap();
    let both = Import {
        keeps_use: true,
        ..import(&format!("tr({TPUB}/<0;1>/*)"))
    };
    try_import(&mut made, &both).unwrap();
    assert_eq!(used(&made, 2), (true, Chain::Internal));
    // Who does not ask for that switches it off, as Core does.
    try_import(&mut made, &import(&format!("wpkh({TPUB}/<0;1>/*)"))).unwrap();
    assert_eq!(used(&made, 0), (false, Chain::External));
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let change = Import {
        internal: Some(true),
        ..import(&format!("wpkh({key})"))
    };
    try_import(&mut made, &change).unwrap();
    let labelled = Import {
        keeps_use: true,
        internal: None,
        label: Some("x".into()),
        ..change
    };
    assert_eq!(
        try_import(&mut made, &labelled).unwrap_err().to_string(),
        "Internal addresses should not have a label"
    );
}

#[test]
fn what_cannot_be_imported_is_refused_in_cores_words_and_nothing_is_written() {
    let ranged = import(&format!("wpkh({TPRV}/*)"));
    let single = import(&format!("wpkh({WIF})"));
    let refused = [
        (
            Import {
                internal: Some(true),
                ..import(&format!("wpkh({TPRV}/<0;1>/*)"))
            },
            "Cannot have multipath descriptor while also specifying 'internal'",
        ),
        (
            Import {
                range: Some((0, 3)),
                ..single.clone()
            },
            "Range should not be specified for an un-ranged descriptor",
        ),
        (
            Import {
                active: true,
                ..single.clone()
            },
            "Active descriptors must be ranged",
        ),
        (
            Import {
                label: Some("x".into()),
                ..ranged.clone()
            },
            "Ranged descriptors should not have a label",
        ),
        (
            Import {
                label: Some("x".into()),
                internal: Some(true),
                ..single
            },
            "Internal addresses should not have a label",
        ),
        (
            Import {
                range: Some((5, 3)),
                ..ranged.clone()
            },
            "Range specified as [begin,end] must not have begin after end",
        ),
        (
            Import {
                range: Some((0, 2_000_000)),
                ..ranged.clone()
            },
            "Range is too large",
        ),
        (
            Import {
                range: Some((0, u32::MAX)),
                ..ranged.clone()
            },
            "End of range is too high",
        ),
        (
            Import {
                range: Some((0, 3)),
                next_index: Some(9),
                ..ranged.clone()
            },
            "next_index is out of range",
        ),
        (
            Import {
                active: true,
                ..import(&format!("combo({TPRV}/*)"))
            },
            "Combo descriptors cannot be set to active",
        ),
        (
            import(&format!("wpkh({TPUB}/*)")),
            "Cannot import descriptor without private keys to a wallet with private keys enabled",
        ),
        (
            import("addr(bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx)"),
            "Cannot import descriptor without private keys to a wallet with private keys enabled",
        ),
        (
            Import {
                text: Zeroizing::new(format!("wpkh({TPRV}/*)")),
                ..Import::default()
            },
            "Missing checksum",
        ),
    ];
    let mut made = Made::fresh();
    let before = made.keyring.clone();
    for (import, expected) in refused {
        let error = try_import(&mut made, &import).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let foreign = try_import(&mut made, &import(&format!("wpkh({XPUB}/*)"))).unwrap_err();
    assert!(foreign.to_string().ends_with("is not valid"), "{foreign}");
    assert_eq!(made.keyring, before);
    assert_eq!(made.reopened().keyring, before);
    let mut made = Made::watching();
    let private = try_import(&mut made, &ranged).unwrap_err();
    assert!(matches!(private, KeyError::WatchOnly));
    let hardened = try_import(&mut made, &import(&format!("wpkh({TPUB}/0h/*)"))).unwrap_err();
    assert!(
        hardened
            .to_string()
            .starts_with("Cannot expand descriptor."),
        "{hardened}"
    );
    assert_eq!(made.keyring.descriptors().count(), 0);
}

#[test]
fn a_watching_wallet_takes_every_kind_of_descriptor() {
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let mut made = Made::watching();
    for text in [
        format!("pk({key})"),
        format!("pkh({TPUB}/*)"),
        format!("sh(wpkh({TPUB}/1/*))"),
        format!("wsh(multi(2,{key},{TPUB}/2/*))"),
        format!("sh(wsh(sortedmulti(1,{key},{TPUB}/3/*)))"),
        format!("sh(multi(1,{key}))"),
        format!("multi(1,{key})"),
        format!("tr({key},pk({TPUB}/4/*))"),
        format!("tr({TPUB}/5/*,{{pk({key}),multi_a(1,{TPUB}/6/*)}})"),
        format!("wsh(and_v(v:pk({TPUB}/7/*),older(10)))"),
        format!("combo({TPUB}/8/*)"),
        format!("rawtr({TPUB}/9/*)"),
        "raw(6a0101)".to_owned(),
        "addr(bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx)".to_owned(),
    ] {
        let before = made.keyring.script_count();
        let imported =
            try_import(&mut made, &import(&text)).unwrap_or_else(|error| panic!("{text}: {error}"));
        let descriptor = made.keyring.descriptor(imported.numbers[0]).unwrap();
        let ranged = if descriptor.is_range() {
            KEYPOOL as usize
        } else {
            1
        };
        let each = if descriptor.is_combo() { 4 } else { 1 };
        assert_eq!(
            made.keyring.script_count() - before,
            ranged * each,
            "{text}"
        );
        for (index, script) in descriptor.all_scripts() {
            let slot = Slot {
                descriptor: descriptor.number,
                index,
            };
            assert!(made.keyring.slots_of(script).contains(&slot));
            if descriptor.is_solvable() && !text.starts_with("rawtr") {
                let solution = made.keyring.solution(script).unwrap();
                assert_eq!(solution.script_pubkey(), *script);
            }
        }
    }
    let before = made.keyring.clone();
    assert_eq!(made.reopened().keyring, before);
}

#[test]
fn a_key_in_wif_is_taken_up_and_given_back() {
    let mut made = Made::fresh();
    let mut next = made.keyring.clone();
    let imported = next.import_wif(WIF, Some("old"), 5).unwrap();
    made.file.write(|step| next.save(step)).unwrap();
    made.keyring = next;
    let slot = Slot {
        descriptor: imported.numbers[0],
        index: 0,
    };
    let scripts = made.keyring.scripts(slot).to_vec();
    assert_eq!(scripts.len(), 4);
    for script in &scripts {
        let Ok(address) = bitcoin::Address::from_script(script, Network::Regtest) else {
            continue;
        };
        assert_eq!(*made.keyring.dump_wif(&address).unwrap(), *WIF);
        assert_eq!(
            made.keyring
                .labels()
                .address(&address.to_string())
                .unwrap()
                .text,
            "old"
        );
    }
    let foreign = "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn";
    for wrong in [foreign, "x", ""] {
        assert!(matches!(
            made.keyring.clone().import_wif(wrong, None, 0),
            Err(KeyError::BadWif)
        ));
    }
    let (_, address) = made.step(|k| k.new_address(OutputType::Legacy, Chain::External).unwrap());
    let dumped = made.keyring.dump_wif(&address).unwrap();
    let key = bitcoin::PrivateKey::from_wif(&dumped).unwrap();
    let secp = bitcoin::secp256k1::Secp256k1::new();
    assert_eq!(
        bitcoin::Address::p2pkh(key.public_key(&secp), Network::Regtest),
        address
    );
}

#[test]
fn a_damaged_secret_is_named() {
    let mut made = Made::fresh();
    made.keyring
        .encrypt(&mut made.file, "geheim", Kdf::CHEAP)
        .unwrap();
    let sealed = |number: u32| {
        let reading = made.file.read().unwrap();
        reading
            .get(Table::Secrets, &number.to_be_bytes())
            .unwrap()
            .unwrap()
            .to_vec()
    };
    let first = sealed(0);
    made.file
        .write(|step| step.put(Table::Secrets, &1_u32.to_be_bytes(), &first))
        .unwrap();
    let mut made = made.reopened();
    let error = made.keyring.unlock("geheim").unwrap_err();
    assert!(
        error.to_string().contains("row 00000001 of table secrets"),
        "{error}"
    );
    assert!(made.keyring.is_locked());
    made.file
        .write(|step| step.delete(Table::Secrets, &1_u32.to_be_bytes()))
        .unwrap();
    let missing = Keyring::load(&made.file, KEYPOOL).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("row 00000001 of table descriptors"),
        "{missing}"
    );
}

#[test]
fn an_address_that_was_not_shown_can_be_given_back() {
    let mut made = Made::fresh();
    let next = |keyring: &mut Keyring| {
        keyring
            .new_script(OutputType::Bech32m, Chain::Internal)
            .unwrap()
            .0
    };
    let first = made.step(next);
    assert!(made.step(|keyring| keyring.give_back(first)));
    assert_eq!(made.step(next), first);
    let second = made.step(next);
    assert!(!made.step(|keyring| keyring.give_back(first)));
    assert_eq!(second.index, 1);
}

#[test]
fn a_script_that_a_clone_made_is_given_out_once() {
    let mut made = Made::fresh();
    let mut plan = made.keyring.clone();
    let new = |keyring: &mut Keyring| {
        let new = keyring.new_script(OutputType::Bech32, Chain::Internal);
        new.expect("an address for change")
    };
    let (slot, script) = new(&mut plan);
    // Nobody had it meanwhile.
    let given = made.step(|keyring| keyring.give_made(slot));
    assert_eq!(given.expect("what was made"), script);
    let mut plan = made.keyring.clone();
    let (slot, script) = new(&mut plan);
    let (_, taken) = made.step(new);
    assert_eq!(taken, script);
    let given = made
        .step(|keyring| keyring.give_made(slot))
        .expect("another");
    assert_eq!((given.len(), given == script), (script.len(), false));
    assert_ne!(made.step(new).1, given);
}

#[test]
fn a_step_that_was_not_committed_changes_nothing() {
    let mut made = Made::fresh();
    let before = made.keyring.clone();
    let mut next = made.keyring.clone();
    next.new_script(OutputType::Bech32, Chain::External)
        .unwrap();
    next.labels_mut()
        .set_address("a", "b", crate::labels::Purpose::Send)
        .unwrap();
    let failed: Result<(), FileError> = made.file.write(|step| {
        next.save(step)?;
        Err(FileError::ReadOnly {
            path: PathBuf::new(),
        })
    });
    failed.unwrap_err();
    assert_eq!(made.keyring, before);
    made.step(|_| ());
    assert_eq!(made.reopened().keyring, before);
}

#[test]
fn a_fresh_wallet_has_one_extended_key_which_is_told_whole_only_while_it_is_open() {
    let mut made = Made::fresh();
    let keys = made.keyring.hd_keys(true);
    let master = Master::from_seed(&SEED, Network::Regtest).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].private.as_ref(), Some(master.key()));
    assert_eq!(keys[0].descriptors.len(), 8);
    let kdf = Kdf {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    let Made { file, keyring, .. } = &mut made;
    keyring.encrypt(file, "p", kdf).unwrap();
    let locked = keyring.hd_keys(false);
    // Those of the four accounts.
    assert_eq!(locked.len(), 4);
    assert!(locked.iter().all(|key| key.private.is_none()));
    keyring.unlock("p").unwrap();
    assert_eq!(keyring.hd_keys(false), keys);
}

#[test]
fn a_script_of_ours_has_a_descriptor_that_says_where_its_key_comes_from() {
    let mut made = Made::fresh();
    let bech32 = OutputType::Bech32;
    let new = |keyring: &mut Keyring| keyring.new_script(bech32, Chain::Internal).unwrap();
    let (_, script) = made.step(new);
    let text = made.keyring.text_of(&script).unwrap();
    assert!(text.starts_with("wpkh(["), "{text}");
    assert!(text.contains("/84h/1h/0h/1/0]0"), "{text}");
    assert_eq!(made.keyring.text_of(&ScriptBuf::new()), None);
}

#[test]
fn a_flag_that_was_set_outlasts_the_run() {
    let mut made = Made::fresh();
    made.step(|keyring| keyring.set_avoid_reuse(true));
    let mut made = made.reopened();
    assert!(made.keyring.flags().avoid_reuse);
    made.step(|keyring| keyring.set_avoid_reuse(false));
    assert!(!made.reopened().keyring.flags().avoid_reuse);
}
