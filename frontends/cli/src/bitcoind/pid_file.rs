//! Owns the file with the process's number. Promises that it goes at the end; a stale one of a process that was killed is
//! written over.

use std::fs;
use std::path::PathBuf;

use super::failure::InitError;

/// The file, for as long as this lives.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn write(path: PathBuf) -> Result<PidFile, InitError> {
        match fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Ok(PidFile(path)),
            Err(error) => Err(InitError::new(format!(
                "Unable to create the PID file '{}': {error}",
                path.display()
            ))),
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = fs::remove_file(&self.0);
    }
}
