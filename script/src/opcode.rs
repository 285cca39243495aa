//! The opcodes: their bytes, names and the classes that the rules speak of.
//! Promises Core's names, one for each opcode; bytes without a meaning stay representable.
//! Refuses to read scripts (see `instruction`) or to execute them (see `interpreter`).

use std::fmt;

/// One opcode byte. Bytes below [`OP_PUSHDATA1`] push as many bytes as they say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opcode(pub u8);

/// Declares each opcode once: its constant, its byte and Core's name for it.
macro_rules! opcodes {
    ($($(#[$doc:meta])* $constant:ident = $byte:literal, $name:literal;)*) => {
        $($(#[$doc])* pub const $constant: Opcode = Opcode($byte);)*

        /// Every opcode with a name, in the order of their bytes: constant-style name (`OP_1`,
        /// `OP_1NEGATE`) and the opcode.
        pub const NAMED: &[(&str, Opcode)] = &[$((stringify!($constant), $constant),)*];

        impl Opcode {
            /// Core's name: `OP_DUP`, but `0`, `-1`, `1` … `16` for the small numbers, and
            /// `OP_UNKNOWN` for the bytes without a name (direct pushes among them).
            pub const fn name(self) -> &'static str {
                match self {
                    $($constant => $name,)*
                    _ => "OP_UNKNOWN",
                }
            }
        }
    };
}

opcodes! {
    /// Pushes the empty element.
    OP_0 = 0x00, "0";
    /// Pushes as many bytes as the next byte says.
    OP_PUSHDATA1 = 0x4c, "OP_PUSHDATA1";
    /// Pushes as many bytes as the next 2 bytes say, little-endian.
    OP_PUSHDATA2 = 0x4d, "OP_PUSHDATA2";
    /// Pushes as many bytes as the next 4 bytes say, little-endian.
    OP_PUSHDATA4 = 0x4e, "OP_PUSHDATA4";
    /// Pushes the number -1.
    OP_1NEGATE = 0x4f, "-1";
    /// Fails when executed.
    OP_RESERVED = 0x50, "OP_RESERVED";
    /// Pushes the number 1.
    OP_1 = 0x51, "1";
    /// Pushes the number 2.
    OP_2 = 0x52, "2";
    /// Pushes the number 3.
    OP_3 = 0x53, "3";
    /// Pushes the number 4.
    OP_4 = 0x54, "4";
    /// Pushes the number 5.
    OP_5 = 0x55, "5";
    /// Pushes the number 6.
    OP_6 = 0x56, "6";
    /// Pushes the number 7.
    OP_7 = 0x57, "7";
    /// Pushes the number 8.
    OP_8 = 0x58, "8";
    /// Pushes the number 9.
    OP_9 = 0x59, "9";
    /// Pushes the number 10.
    OP_10 = 0x5a, "10";
    /// Pushes the number 11.
    OP_11 = 0x5b, "11";
    /// Pushes the number 12.
    OP_12 = 0x5c, "12";
    /// Pushes the number 13.
    OP_13 = 0x5d, "13";
    /// Pushes the number 14.
    OP_14 = 0x5e, "14";
    /// Pushes the number 15.
    OP_15 = 0x5f, "15";
    /// Pushes the number 16.
    OP_16 = 0x60, "16";
    /// Does nothing.
    OP_NOP = 0x61, "OP_NOP";
    /// Fails when executed.
    OP_VER = 0x62, "OP_VER";
    /// `x --` runs what follows when x is true.
    OP_IF = 0x63, "OP_IF";
    /// `x --` runs what follows when x is false.
    OP_NOTIF = 0x64, "OP_NOTIF";
    /// Fails even when not executed.
    OP_VERIF = 0x65, "OP_VERIF";
    /// Fails even when not executed.
    OP_VERNOTIF = 0x66, "OP_VERNOTIF";
    /// Turns the innermost condition around.
    OP_ELSE = 0x67, "OP_ELSE";
    /// Ends the innermost condition.
    OP_ENDIF = 0x68, "OP_ENDIF";
    /// `x --` fails when x is false.
    OP_VERIFY = 0x69, "OP_VERIFY";
    /// Fails when executed.
    OP_RETURN = 0x6a, "OP_RETURN";
    /// `x --` moves x to the alternative stack.
    OP_TOALTSTACK = 0x6b, "OP_TOALTSTACK";
    /// `-- x` moves x back from the alternative stack.
    OP_FROMALTSTACK = 0x6c, "OP_FROMALTSTACK";
    /// `a b --`.
    OP_2DROP = 0x6d, "OP_2DROP";
    /// `a b -- a b a b`.
    OP_2DUP = 0x6e, "OP_2DUP";
    /// `a b c -- a b c a b c`.
    OP_3DUP = 0x6f, "OP_3DUP";
    /// `a b c d -- a b c d a b`.
    OP_2OVER = 0x70, "OP_2OVER";
    /// `a b c d e f -- c d e f a b`.
    OP_2ROT = 0x71, "OP_2ROT";
    /// `a b c d -- c d a b`.
    OP_2SWAP = 0x72, "OP_2SWAP";
    /// `x -- x x` when x is true, else `x -- x`.
    OP_IFDUP = 0x73, "OP_IFDUP";
    /// `-- n`, the number of elements on the stack.
    OP_DEPTH = 0x74, "OP_DEPTH";
    /// `x --`.
    OP_DROP = 0x75, "OP_DROP";
    /// `x -- x x`.
    OP_DUP = 0x76, "OP_DUP";
    /// `a b -- b`.
    OP_NIP = 0x77, "OP_NIP";
    /// `a b -- a b a`.
    OP_OVER = 0x78, "OP_OVER";
    /// `xn … x0 n -- xn … x0 xn`.
    OP_PICK = 0x79, "OP_PICK";
    /// `xn … x0 n -- … x0 xn`.
    OP_ROLL = 0x7a, "OP_ROLL";
    /// `a b c -- b c a`.
    OP_ROT = 0x7b, "OP_ROT";
    /// `a b -- b a`.
    OP_SWAP = 0x7c, "OP_SWAP";
    /// `a b -- b a b`.
    OP_TUCK = 0x7d, "OP_TUCK";
    /// Disabled: fails even when not executed.
    OP_CAT = 0x7e, "OP_CAT";
    /// Disabled: fails even when not executed.
    OP_SUBSTR = 0x7f, "OP_SUBSTR";
    /// Disabled: fails even when not executed.
    OP_LEFT = 0x80, "OP_LEFT";
    /// Disabled: fails even when not executed.
    OP_RIGHT = 0x81, "OP_RIGHT";
    /// `x -- x n`, the length of x in bytes.
    OP_SIZE = 0x82, "OP_SIZE";
    /// Disabled: fails even when not executed.
    OP_INVERT = 0x83, "OP_INVERT";
    /// Disabled: fails even when not executed.
    OP_AND = 0x84, "OP_AND";
    /// Disabled: fails even when not executed.
    OP_OR = 0x85, "OP_OR";
    /// Disabled: fails even when not executed.
    OP_XOR = 0x86, "OP_XOR";
    /// `a b -- bool`, byte for byte.
    OP_EQUAL = 0x87, "OP_EQUAL";
    /// `a b --` fails unless equal byte for byte.
    OP_EQUALVERIFY = 0x88, "OP_EQUALVERIFY";
    /// Fails when executed.
    OP_RESERVED1 = 0x89, "OP_RESERVED1";
    /// Fails when executed.
    OP_RESERVED2 = 0x8a, "OP_RESERVED2";
    /// `n -- n+1`.
    OP_1ADD = 0x8b, "OP_1ADD";
    /// `n -- n-1`.
    OP_1SUB = 0x8c, "OP_1SUB";
    /// Disabled: fails even when not executed.
    OP_2MUL = 0x8d, "OP_2MUL";
    /// Disabled: fails even when not executed.
    OP_2DIV = 0x8e, "OP_2DIV";
    /// `n -- -n`.
    OP_NEGATE = 0x8f, "OP_NEGATE";
    /// `n -- |n|`.
    OP_ABS = 0x90, "OP_ABS";
    /// `n -- bool`, true when n is zero.
    OP_NOT = 0x91, "OP_NOT";
    /// `n -- bool`, true unless n is zero.
    OP_0NOTEQUAL = 0x92, "OP_0NOTEQUAL";
    /// `a b -- a+b`.
    OP_ADD = 0x93, "OP_ADD";
    /// `a b -- a-b`.
    OP_SUB = 0x94, "OP_SUB";
    /// Disabled: fails even when not executed.
    OP_MUL = 0x95, "OP_MUL";
    /// Disabled: fails even when not executed.
    OP_DIV = 0x96, "OP_DIV";
    /// Disabled: fails even when not executed.
    OP_MOD = 0x97, "OP_MOD";
    /// Disabled: fails even when not executed.
    OP_LSHIFT = 0x98, "OP_LSHIFT";
    /// Disabled: fails even when not executed.
    OP_RSHIFT = 0x99, "OP_RSHIFT";
    /// `a b -- bool`, neither is zero.
    OP_BOOLAND = 0x9a, "OP_BOOLAND";
    /// `a b -- bool`, not both are zero.
    OP_BOOLOR = 0x9b, "OP_BOOLOR";
    /// `a b -- bool`, as numbers.
    OP_NUMEQUAL = 0x9c, "OP_NUMEQUAL";
    /// `a b --` fails unless equal as numbers.
    OP_NUMEQUALVERIFY = 0x9d, "OP_NUMEQUALVERIFY";
    /// `a b -- bool`, as numbers.
    OP_NUMNOTEQUAL = 0x9e, "OP_NUMNOTEQUAL";
    /// `a b -- a<b`.
    OP_LESSTHAN = 0x9f, "OP_LESSTHAN";
    /// `a b -- a>b`.
    OP_GREATERTHAN = 0xa0, "OP_GREATERTHAN";
    /// `a b -- a<=b`.
    OP_LESSTHANOREQUAL = 0xa1, "OP_LESSTHANOREQUAL";
    /// `a b -- a>=b`.
    OP_GREATERTHANOREQUAL = 0xa2, "OP_GREATERTHANOREQUAL";
    /// `a b -- n`, the smaller one.
    OP_MIN = 0xa3, "OP_MIN";
    /// `a b -- n`, the larger one.
    OP_MAX = 0xa4, "OP_MAX";
    /// `n low high -- bool`, low <= n < high.
    OP_WITHIN = 0xa5, "OP_WITHIN";
    /// `x -- hash`, 20 bytes.
    OP_RIPEMD160 = 0xa6, "OP_RIPEMD160";
    /// `x -- hash`, 20 bytes.
    OP_SHA1 = 0xa7, "OP_SHA1";
    /// `x -- hash`, 32 bytes.
    OP_SHA256 = 0xa8, "OP_SHA256";
    /// `x -- hash`, RIPEMD-160 of SHA-256, 20 bytes.
    OP_HASH160 = 0xa9, "OP_HASH160";
    /// `x -- hash`, SHA-256 twice, 32 bytes.
    OP_HASH256 = 0xaa, "OP_HASH256";
    /// Signatures checked from here on sign only what follows.
    OP_CODESEPARATOR = 0xab, "OP_CODESEPARATOR";
    /// `signature key -- bool`.
    OP_CHECKSIG = 0xac, "OP_CHECKSIG";
    /// `signature key --` fails unless the signature holds.
    OP_CHECKSIGVERIFY = 0xad, "OP_CHECKSIGVERIFY";
    /// `dummy signature… m key… n -- bool`.
    OP_CHECKMULTISIG = 0xae, "OP_CHECKMULTISIG";
    /// `dummy signature… m key… n --` fails unless all signatures hold.
    OP_CHECKMULTISIGVERIFY = 0xaf, "OP_CHECKMULTISIGVERIFY";
    /// Does nothing, kept for soft forks.
    OP_NOP1 = 0xb0, "OP_NOP1";
    /// `n -- n` fails unless the transaction's lock time reached n (BIP65).
    OP_CHECKLOCKTIMEVERIFY = 0xb1, "OP_CHECKLOCKTIMEVERIFY";
    /// `n -- n` fails unless the input's relative lock reached n (BIP112).
    OP_CHECKSEQUENCEVERIFY = 0xb2, "OP_CHECKSEQUENCEVERIFY";
    /// Does nothing, kept for soft forks.
    OP_NOP4 = 0xb3, "OP_NOP4";
    /// Does nothing, kept for soft forks.
    OP_NOP5 = 0xb4, "OP_NOP5";
    /// Does nothing, kept for soft forks.
    OP_NOP6 = 0xb5, "OP_NOP6";
    /// Does nothing, kept for soft forks.
    OP_NOP7 = 0xb6, "OP_NOP7";
    /// Does nothing, kept for soft forks.
    OP_NOP8 = 0xb7, "OP_NOP8";
    /// Does nothing, kept for soft forks.
    OP_NOP9 = 0xb8, "OP_NOP9";
    /// Does nothing, kept for soft forks.
    OP_NOP10 = 0xb9, "OP_NOP10";
    /// `signature n key -- n'`, one more when the signature holds; tapscript only (BIP342).
    OP_CHECKSIGADD = 0xba, "OP_CHECKSIGADD";
    /// No opcode: fails when executed.
    OP_INVALIDOPCODE = 0xff, "OP_INVALIDOPCODE";
}

impl Opcode {
    /// True for everything up to [`OP_16`]: what counts as a push, [`OP_RESERVED`] included.
    #[inline]
    pub const fn is_push(self) -> bool {
        self.0 <= OP_16.0
    }

    /// The number that [`OP_0`], [`OP_1`] … [`OP_16`] push; `None` for all others.
    #[inline]
    pub const fn small_number(self) -> Option<u8> {
        match self.0 {
            0 => Some(0),
            byte if byte >= OP_1.0 && byte <= OP_16.0 => Some(byte - (OP_1.0 - 1)),
            _ => None,
        }
    }

    /// True for the opcodes that fail a script by merely standing in it (CVE-2010-5137).
    #[inline]
    pub const fn is_disabled(self) -> bool {
        matches!(
            self,
            OP_CAT
                | OP_SUBSTR
                | OP_LEFT
                | OP_RIGHT
                | OP_INVERT
                | OP_AND
                | OP_OR
                | OP_XOR
                | OP_2MUL
                | OP_2DIV
                | OP_MUL
                | OP_DIV
                | OP_MOD
                | OP_LSHIFT
                | OP_RSHIFT
        )
    }

    /// True for the opcodes that make a tapscript succeed by merely standing in it (BIP342).
    #[inline]
    pub const fn is_success(self) -> bool {
        matches!(self.0,
            80 | 98 | 126..=129 | 131..=134 | 137..=138 | 141..=142 | 149..=153 | 187..=254)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#04x})", self.name(), self.0)
    }
}
