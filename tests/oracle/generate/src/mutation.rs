//! Owns small changes to a spend: bytes, witness elements, lock times, outputs.

use bitcoin::{Amount, Witness, absolute};

use crate::case::Case;
use crate::entropy::Entropy;
use crate::grammar::random_script;

/// Bytes that mean something in a script or signature.
const TELLING: &[u8] = &[
    0, 1, 2, 3, 4, 0x14, 0x20, 0x21, 0x30, 0x40, 0x41, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51,
    0x52, 0x60, 0x61, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6a, 0x76, 0x7e, 0x80, 0x81, 0x82, 0x83, 0x87,
    0x88, 0xa9, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb1, 0xb2, 0xba, 0xbb, 0xc0, 0xc2, 0xff,
];

/// Length up to which a mutation makes bytes longer by copying parts of them.
const MAX_COPIED: usize = 12_000;

/// Changes up to three places.
pub fn mutate_bytes(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    for _ in 0..=entropy.below(3) {
        let at = entropy.below(bytes.len());
        match entropy.below(8) {
            0 => bytes.insert(at, *entropy.pick(TELLING)),
            1 => bytes.insert(at, entropy.next() as u8),
            _ if bytes.is_empty() => bytes.push(*entropy.pick(TELLING)),
            2 => bytes[at] ^= 1 << entropy.below(8),
            3 => bytes[at] = *entropy.pick(TELLING),
            4 => drop(bytes.remove(at)),
            5 => bytes.truncate(at),
            6 => bytes[at] = entropy.next() as u8,
            _ => {
                let end = at + entropy.below(bytes.len() - at);
                let copy = bytes[at..end].to_vec();
                let to = entropy.below(bytes.len() + 1);
                if bytes.len() < MAX_COPIED {
                    bytes.splice(to..to, copy);
                }
            }
        }
    }
}

/// Changes one or two things of a spend; half the time what it reveals stays what its output commits to.
pub fn mutate(case: &mut Case, entropy: &mut Entropy<'_>) {
    for _ in 0..=entropy.below(2) {
        mutate_once(case, entropy);
    }
    if entropy.below(2) == 1 {
        case.recommit();
    }
}

fn mutate_once(case: &mut Case, entropy: &mut Entropy<'_>) {
    let index = case.input;
    let input = &mut case.tx.input[index];
    match entropy.below(11) {
        0 | 1 => {
            let mut bytes = input.script_sig.to_bytes();
            mutate_bytes(&mut bytes, entropy);
            input.script_sig = bytes.into();
        }
        2 => {
            let mut bytes = case.spent[index].script_pubkey.to_bytes();
            mutate_bytes(&mut bytes, entropy);
            case.spent[index].script_pubkey = bytes.into();
        }
        3..=5 => {
            let mut elements = input.witness.to_vec();
            mutate_elements(&mut elements, entropy);
            input.witness = Witness::from_slice(&elements);
        }
        6 => case.tx.version.0 = *entropy.pick(&[-1, 0, 1, 2, 3, i32::MIN, i32::MAX]),
        7 => {
            let times = [0, 1, 100, 499_999_999, 500_000_000, u32::MAX];
            case.tx.lock_time = absolute::LockTime::from_consensus(*entropy.pick(&times));
        }
        8 => {
            let sequences = [
                0,
                1,
                0xffff,
                0x0040_0000,
                0x0040_0001,
                0x8000_0000,
                0xffff_fffe,
                u32::MAX,
            ];
            input.sequence.0 = *entropy.pick(&sequences);
        }
        9 => match entropy.below(3) {
            0 => drop(case.tx.output.pop()),
            1 => case.tx.output.push(case.spent[index].clone()),
            _ => case.spent[index].value = Amount::from_sat(entropy.next() >> 20),
        },
        _ => append(case, entropy),
    }
}

/// Puts random instructions behind the script that is run last, where it can be reached.
fn append(case: &mut Case, entropy: &mut Entropy<'_>) {
    let more = random_script(entropy);
    let input = &mut case.tx.input[case.input];
    let mut elements = input.witness.to_vec();
    let from_end = 1 + entropy.below(2);
    if elements.len() >= from_end {
        let at = elements.len() - from_end;
        elements[at].extend(more);
        input.witness = Witness::from_slice(&elements);
    } else {
        let mut script = case.spent[case.input].script_pubkey.to_bytes();
        script.extend(more);
        case.spent[case.input].script_pubkey = script.into();
    }
}

fn mutate_elements(elements: &mut Vec<Vec<u8>>, entropy: &mut Entropy<'_>) {
    let at = entropy.below(elements.len());
    match entropy.below(6) {
        0 => {
            let mut element = Vec::new();
            mutate_bytes(&mut element, entropy);
            elements.insert(at, element);
        }
        _ if elements.is_empty() => {}
        1 => drop(elements.remove(at)),
        2 => {
            let other = entropy.below(elements.len());
            elements.swap(at, other);
        }
        3 => elements[at].clear(),
        _ => mutate_bytes(&mut elements[at], entropy),
    }
}
