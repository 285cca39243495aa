//! The `everett` binary.
fn main() {}
