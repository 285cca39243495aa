//! `cargo fuzz run spend_grammar`; the law is in `everett_fuzz::spend_grammar`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::spend_grammar(bytes));
