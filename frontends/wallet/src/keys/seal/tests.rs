use super::*;

const WALLET: WalletId = [1; 16];
const NUMBER: DescriptorNumber = DescriptorNumber(3);

#[test]
fn only_the_passphrase_opens_what_was_sealed() {
    let (seal, data_key) = Seal::new(&WALLET, "geheim", Kdf::CHEAP).unwrap();
    let sealed = data_key.seal(&WALLET, NUMBER, b"secret");
    let seal = Seal::read(&seal.write()).unwrap();
    let opened = seal.open(&WALLET, "geheim").unwrap();
    assert_eq!(&**opened.open(&WALLET, NUMBER, &sealed).unwrap(), b"secret");
    for wrong in ["", "Geheim", "geheim ", "geheim\0"] {
        assert!(matches!(
            seal.open(&WALLET, wrong),
            Err(KeyError::WrongPassphrase)
        ));
    }
    assert!(seal.open(&[2; 16], "geheim").is_err());
}

#[test]
fn a_secret_cannot_be_changed_or_moved() {
    let (_, data_key) = Seal::new(&WALLET, "geheim", Kdf::CHEAP).unwrap();
    let sealed = data_key.seal(&WALLET, NUMBER, b"secret");
    assert!(
        data_key
            .open(&WALLET, DescriptorNumber(4), &sealed)
            .is_none()
    );
    assert!(data_key.open(&[2; 16], NUMBER, &sealed).is_none());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(data_key.open(&WALLET, NUMBER, &changed).is_none());
        assert!(data_key.open(&WALLET, NUMBER, &sealed[..at]).is_none());
    }
}

#[test]
fn a_cost_out_of_bounds_is_refused() {
    let dear = [
        Kdf {
            memory: MAX_MEMORY + 1,
            ..Kdf::CHEAP
        },
        Kdf {
            passes: MAX_PASSES + 1,
            ..Kdf::CHEAP
        },
        Kdf {
            lanes: MAX_LANES + 1,
            ..Kdf::CHEAP
        },
        Kdf {
            memory: 7,
            ..Kdf::CHEAP
        },
        Kdf {
            passes: 0,
            ..Kdf::CHEAP
        },
        Kdf {
            lanes: 0,
            ..Kdf::CHEAP
        },
    ];
    for kdf in dear {
        assert!(matches!(
            Seal::new(&WALLET, "x", kdf),
            Err(KeyError::Cost(_))
        ));
    }
    assert!(matches!(
        Seal::new(&WALLET, "", Kdf::CHEAP),
        Err(KeyError::EmptyPassphrase)
    ));
}
