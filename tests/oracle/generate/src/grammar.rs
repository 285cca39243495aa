//! Owns scripts by chance: instructions weighted so that many run for a while before they fail.

use everett_script::assembly::push_data;

use crate::entropy::Entropy;

/// Most instructions of a usual script, and of one in twenty, which reaches limits.
const USUAL_LENGTH: usize = 14;
const LONG_LENGTH: usize = 260;

/// Opcodes that fail or end most scripts, taken more rarely than the others.
const RARE: &[u8] = &[
    0x50, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x6a, 0x6c, 0x7e, 0x80, 0x8d, 0x8e, 0x89, 0xba,
    0xbb, 0xfe, 0xff,
];

/// Lengths of pushes around the limits that rules have.
const PUSH_LENGTHS: &[usize] = &[
    0, 1, 2, 4, 5, 20, 32, 33, 64, 65, 75, 76, 80, 255, 256, 519, 520, 521,
];

const IF: u8 = 0x63;
const NOTIF: u8 = 0x64;
const ELSE: u8 = 0x67;
const ENDIF: u8 = 0x68;
const TRUE: u8 = 0x51;
const PUSHDATA2: u8 = 0x4d;

/// A script of random instructions.
pub fn random_script(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut script = Vec::new();
    let most = match entropy.below(20) {
        19 => LONG_LENGTH,
        _ => USUAL_LENGTH,
    };
    let mut open = 0usize;
    for _ in 0..=entropy.below(most) {
        match entropy.below(10) {
            0..4 => push_number(&mut script, entropy.below(24) as i8 - 2),
            4 => push_random(&mut script, entropy),
            5 if open == 0 || entropy.below(2) == 1 => {
                script.push(*entropy.pick(&[IF, NOTIF]));
                open += 1;
            }
            5 => {
                script.push(ENDIF);
                open -= 1;
            }
            6 if open > 0 && entropy.below(2) == 1 => script.push(ELSE),
            _ => {
                let opcode = 0x61 + entropy.below(0xbc - 0x61) as u8;
                if !RARE.contains(&opcode) || entropy.below(12) == 11 {
                    script.push(opcode);
                }
            }
        }
    }
    for _ in 0..open {
        if entropy.below(10) != 9 {
            script.push(ENDIF);
        }
    }
    if entropy.below(2) == 1 {
        script.push(TRUE);
    }
    script
}

/// Up to five elements, numbers and other bytes, for a script to start with.
pub fn random_stack(entropy: &mut Entropy<'_>) -> Vec<Vec<u8>> {
    let element = |entropy: &mut Entropy<'_>| match entropy.below(4) {
        0 => vec![],
        1 => vec![1 + entropy.below(20) as u8],
        2 => vec![*entropy.pick(&[0u8, 0x80, 0x81, 0xff]); 1 + entropy.below(6)],
        _ => {
            let length = entropy.below(40);
            entropy.any_bytes(length)
        }
    };
    (0..entropy.below(6)).map(|_| element(entropy)).collect()
}

/// A number from -2 to 21, as a script writes it.
fn push_number(script: &mut Vec<u8>, number: i8) {
    match number {
        0 => script.push(0),
        -1 => script.push(0x4f),
        1..=16 => script.push(0x50 + number as u8),
        ..0 => script.extend([1, 0x80 | number.unsigned_abs()]),
        _ => script.extend([1, number as u8]),
    }
}

fn push_random(script: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    let length = *entropy.pick(PUSH_LENGTHS);
    let bytes = match entropy.below(3) {
        0 => vec![*entropy.pick(&[0u8, 0x80, 1]); length],
        _ => entropy.any_bytes(length),
    };
    if entropy.below(6) == 5 {
        script.push(PUSHDATA2);
        script.extend((length as u16).to_le_bytes());
        script.extend(bytes);
    } else {
        push_data(script, &bytes);
    }
}
