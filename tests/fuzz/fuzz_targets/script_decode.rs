//! `cargo fuzz run script_decode`; the law is in `everett_fuzz::script_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::script_decode(bytes));
