//! `cargo fuzz run block_decode`; the law is in `everett_fuzz::block_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::block_decode(bytes));
