//! Owns the options of the commands by which Everett is packaged.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArgs {
    /// The directory to write to, such as /usr/local/share/man/man1; it is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
}
