//! The `everett` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    everett_cli::main()
}
