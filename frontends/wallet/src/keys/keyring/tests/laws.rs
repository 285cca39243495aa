//! What a keyring keeps to whatever is done with it.

use proptest::prelude::*;

use super::*;
use crate::labels::Purpose;

#[derive(Clone, Debug)]
enum Act {
    New(usize, bool),
    Used(u32, u32),
    Import(usize, bool),
    Label(u8, String),
    TopUp(u32),
    Encrypt,
    Lock,
    Unlock,
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..4_usize, any::<bool>()).prop_map(|(kind, internal)| Act::New(kind, internal)),
        4 => (0..12_u32, 0..12_u32).prop_map(|(descriptor, index)| Act::Used(descriptor, index)),
        2 => (0..6_usize, any::<bool>()).prop_map(|(which, active)| Act::Import(which, active)),
        2 => (any::<u8>(), ".{0,12}").prop_map(|(place, label)| Act::Label(place, label)),
        1 => (0..12_u32).prop_map(Act::TopUp),
        1 => Just(Act::Encrypt),
        1 => Just(Act::Lock),
        2 => Just(Act::Unlock),
        2 => Just(Act::Reopen),
    ]
}

fn imported(which: usize, active: bool) -> Import {
    let text = [
        format!("wpkh({TPRV}/1h/<0;1>/*)"),
        format!("tr({TPRV}/2h/*h)"),
        format!("pkh({TPRV}/*)"),
        format!("wsh(multi(1,{TPRV}/3/*,{TPUB}/4/*))"),
        format!("combo({TPRV}/5/*)"),
        format!("sh(wpkh({TPRV}/6h/*))"),
    ][which]
        .clone();
    Import {
        active,
        ..import(&text)
    }
}

fn does(made: &mut Made, act: Act) {
    match act {
        Act::New(kind, internal) => {
            let chain = if internal {
                Chain::Internal
            } else {
                Chain::External
            };
            let _ = made.step(|k| k.new_script(OutputType::ALL[kind], chain));
        }
        Act::Used(descriptor, index) => {
            let slot = Slot {
                descriptor: DescriptorNumber(descriptor),
                index,
            };
            made.step(|k| k.mark_used(&[slot]));
        }
        Act::Import(which, active) => {
            let _ = try_import(made, &imported(which, active));
        }
        Act::Label(place, label) => {
            let place = format!("address {place}");
            made.step(|k| {
                k.labels_mut()
                    .set_address(&place, &label, Purpose::Receive)
                    .unwrap()
            });
        }
        Act::TopUp(size) => {
            made.step(|k| k.top_up(Some(size)));
        }
        Act::Encrypt => {
            let _ = made.keyring.encrypt(&mut made.file, "geheim", Kdf::CHEAP);
        }
        Act::Lock => {
            let _ = made.keyring.lock();
        }
        Act::Unlock => {
            let _ = made.step(|k| k.unlock("geheim"));
        }
        Act::Reopen => {}
    }
}

fn check(keyring: &Keyring) {
    let mut scripts = 0;
    for descriptor in keyring.descriptors() {
        let secret = keyring.vault.get(descriptor.number);
        assert_eq!(
            descriptor.held.len() as u32,
            descriptor.end - descriptor.start
        );
        for index in descriptor.start..descriptor.end {
            let slot = Slot {
                descriptor: descriptor.number,
                index,
            };
            if let Some(secret) = secret {
                let derived = Held::derive(&descriptor.form, index, Some(secret)).unwrap();
                assert_eq!(derived.scripts.as_slice(), descriptor.scripts(index));
            }
            for script in descriptor.scripts(index) {
                scripts += 1;
                assert!(keyring.slots_of(script).contains(&slot));
                let found = keyring.slot_of(script).unwrap();
                assert!(keyring.scripts(found).contains(script));
                assert_eq!(keyring.solution(script).unwrap().script_pubkey(), *script);
                assert_eq!(keyring.private_keys(script).is_empty(), keyring.is_locked());
            }
        }
    }
    assert!(keyring.script_count() <= scripts);
    for kind in OutputType::ALL {
        for chain in [Chain::External, Chain::Internal] {
            let role = Some((kind, chain));
            assert!(
                keyring
                    .descriptors()
                    .filter(|one| one.role() == role)
                    .count()
                    <= 1
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_reopened_wallet_is_the_wallet_and_every_script_of_it_is_found(
        acts in proptest::collection::vec(act(), 1..14)
    ) {
        let mut made = Made::fresh();
        for act in acts {
            let reopens = matches!(act, Act::Reopen);
            does(&mut made, act);
            if reopens {
                let mut before = made.keyring.clone();
                let _ = before.lock();
                made = made.reopened();
                prop_assert!(made.keyring == before);
            }
        }
        check(&made.keyring);
        let mut before = made.keyring.clone();
        let _ = before.lock();
        let made = made.reopened();
        prop_assert!(made.keyring == before);
        check(&made.keyring);
    }
}
