//! `cargo fuzz run script_execution`; the law is in `everett_fuzz::script_execution`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::script_execution(bytes));
