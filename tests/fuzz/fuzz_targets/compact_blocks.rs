//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz compact_blocks` from the repository's root; the law is in
//! `everett_fuzz::compact_blocks`. Built without a fuzzer it holds the files that it is given to the law.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::compact_blocks(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    everett_fuzz::hold_files(everett_fuzz::compact_blocks)
}
