//! Owns the writing of a wallet's file anew: a new one that takes the place of the old one.
//! Promises that one of the two is the wallet at any moment, and that the old one is overwritten when it is not.
//! Refuses to leave anything of a new one that did not come to its end.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use heed::{Env, WithoutTls};

use super::drafts::{REWRITE, make_draft_directory, remove_drafts};
use super::environment::AllRows;
use super::error::{FileError, file_error};
use super::tables::{TABLES, Table};
use super::{Step, WalletFile, cut, environment, sync_directory};

impl WalletFile {
    /// Does one step in a new file that takes the place of this one: nothing of what the tables in `without` held is left on
    /// the disk, as far as that can be said of a disk. All other rows are copied before the step.
    ///
    /// # Errors
    ///
    /// What `step` returns; [`FileError::InTheWay`]; errors of the disk. The file is as it was then.
    pub fn rewrite<T, E: From<FileError>>(
        &mut self,
        without: &[Table],
        step: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        remove_drafts(&self.directory)?;
        let anew = match self.write_anew(without, step) {
            Ok(anew) => anew,
            Err(error) => {
                if let Err(left) = remove_drafts(&self.directory) {
                    tracing::warn!(error = %left, "the wallet was not written anew, but this is left of it");
                }
                return Err(error);
            }
        };
        // From here on the new file is the wallet, and LMDB has it open, wherever its name is now: what fails is told, not returned.
        self.rows = anew.rows;
        let before = std::mem::replace(&mut self.env, anew.env);
        before.prepare_for_closing().wait();
        let data = environment::data_path(&self.directory);
        // Until the new file has the name for good, a power failure gives it back to the old one: that must not be zeros then.
        let overwritten = sync_directory(&self.directory).and_then(|()| {
            overwrite(anew.old)
                .map_err(|error| file_error(&data, "overwriting what was there before", error))
        });
        let cleaned = [overwritten, remove_drafts(&self.directory)];
        for error in cleaned.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the wallet was written anew, but not all of the old file is gone");
        }
        Ok(anew.done)
    }

    /// Writes a new file and gives it the name of this one.
    fn write_anew<T, E: From<FileError>>(
        &self,
        without: &[Table],
        step: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<Anew<T>, E> {
        let place = self.directory.join(REWRITE);
        make_draft_directory(&place)?;
        let env = environment::open(&place)?;
        let rows = environment::tables(&env, &place, Some(&[]))?.ok_or_else(|| cut(&place))?;
        let done = self.fill(&place, &env, &rows, without, step)?;
        let data = environment::data_path(&self.directory);
        let old = File::options()
            .write(true)
            .open(&data)
            .map_err(|error| file_error(&data, "opening it", error))?;
        std::fs::rename(environment::data_path(&place), &data)
            .map_err(|error| file_error(&data, "putting the new file in its place", error))?;
        Ok(Anew {
            done,
            env,
            rows,
            old,
        })
    }

    /// Copies all rows but those of some tables into a new file, and does a step there.
    fn fill<T, E: From<FileError>>(
        &self,
        place: &Path,
        env: &Env<WithoutTls>,
        rows: &AllRows,
        without: &[Table],
        step: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let explain = |error| environment::explain(place, error);
        let mut writing = Step {
            directory: place,
            rows,
            transaction: env.write_txn().map_err(explain)?,
        };
        let reading = self.read()?;
        for table in TABLES.into_iter().filter(|table| !without.contains(table)) {
            reading.each(table, |key, value| writing.put(table, key, value))?;
        }
        let done = step(&mut writing)?;
        writing.transaction.commit().map_err(explain)?;
        Ok(done)
    }
}

/// A wallet's file that was written anew and has the place of the old one.
struct Anew<T> {
    done: T,
    env: Env<WithoutTls>,
    rows: AllRows,
    /// What was there before; it has no name any more.
    old: File,
}

/// Writes zeros over a file that has no name any more.
fn overwrite(mut file: File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}
