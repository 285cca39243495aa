//! `cargo fuzz run transaction_decode`; the law is in `everett_fuzz::transaction_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::transaction_decode(bytes));
