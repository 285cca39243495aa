//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz v1_stream` from the repository's root; the law is in
//! `everett_fuzz::v1_stream`. Built without a fuzzer it holds the files that it is given to the law.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| everett_fuzz::v1_stream(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    everett_fuzz::hold_files(everett_fuzz::v1_stream)
}
