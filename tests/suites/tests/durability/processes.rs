//! Other processes: this test program again, with a role in the environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use everett_ledger::{Ledger, LedgerConfig};
use everett_tests::durability::history::{History, Shape};
use tempfile::TempDir;

const ROLE: &str = "EVERETT_DURABILITY_TEST_ROLE";

/// The arguments that make this test program play a role.
const ARGUMENTS: [&str; 3] = [
    "--exact",
    "processes::a_process_of_its_own_plays_the_role_it_is_given",
    "--nocapture",
];

/// What a process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// `work`, `open`.
    pub(crate) role: &'static str,
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) horizon: u32,
    /// The operation to begin with.
    pub(crate) from: usize,
    /// Coin changes a commit may carry.
    pub(crate) staged_changes: usize,
}

impl Job {
    fn write(&self) -> String {
        [
            self.role.to_owned(),
            self.directory.display().to_string(),
            self.seed.to_string(),
            self.shape.operations.to_string(),
            self.shape.padding.to_string(),
            self.horizon.to_string(),
            self.from.to_string(),
            self.staged_changes.to_string(),
        ]
        .join("\n")
    }

    fn read(text: &str) -> Job {
        let fields: Vec<&str> = text.split('\n').collect();
        let number = |index: usize| fields[index].parse::<u64>().unwrap();
        Job {
            role: ["work", "open"]
                .into_iter()
                .find(|role| *role == fields[0])
                .unwrap(),
            directory: fields[1].into(),
            seed: number(2),
            shape: Shape {
                operations: number(3) as usize,
                padding: number(4),
            },
            horizon: number(5) as u32,
            from: number(6) as usize,
            staged_changes: number(7) as usize,
        }
    }

    /// Opens the ledger as the job has it.
    pub(crate) fn open(&self, history: &History) -> Ledger {
        Ledger::open(LedgerConfig {
            horizon: Some(self.horizon),
            staged_changes: self.staged_changes,
            ..history.config(&self.directory)
        })
        .unwrap()
    }

    /// The command that does it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(ARGUMENTS)
            .env(ROLE, self.write())
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// Starts it; the failpoint may be empty.
    pub(crate) fn start(&self, failpoint: &str) -> Worker {
        let mut child = self
            .command()
            .env(everett_ledger::store::failpoint::VARIABLE, failpoint)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Worker {
            child,
            lines,
            done: self.from,
            opened: false,
        }
    }
}

/// A process at work, and what it has answered for so far.
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Operations that have returned.
    pub(crate) done: usize,
    /// Whether the ledger was opened.
    pub(crate) opened: bool,
}

/// How a process ended.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) complaints: String,
    pub(crate) done: usize,
    pub(crate) opened: bool,
}

impl Worker {
    /// Takes in the next line; false at the end.
    fn listen(&mut self) -> bool {
        let Some(Ok(line)) = self.lines.next() else {
            return false;
        };
        if let Some(done) = line.strip_prefix("done ") {
            self.done = done.parse().unwrap();
        }
        self.opened |= line == "opened";
        true
    }

    /// Waits until the ledger is open; false if the process ends before that.
    pub(crate) fn wait_until_open(&mut self) -> bool {
        while !self.opened {
            if !self.listen() {
                return false;
            }
        }
        true
    }

    /// Waits until so many operations have returned; false if the process ends before that.
    pub(crate) fn wait_for(&mut self, done: usize) -> bool {
        while self.done < done {
            if !self.listen() {
                return false;
            }
        }
        true
    }

    /// kill -9, whether it still runs or not.
    pub(crate) fn kill(mut self) -> End {
        let _ = self.child.kill();
        self.end()
    }

    /// Waits for the end it makes by itself.
    pub(crate) fn end(mut self) -> End {
        while self.listen() {}
        let output = self.child.wait_with_output().unwrap();
        End {
            status: output.status,
            complaints: String::from_utf8_lossy(&output.stderr).into_owned(),
            done: self.done,
            opened: self.opened,
        }
    }
}

/// Not `println!`: a line counts when it has left the process.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes()).unwrap();
    stdout.flush().unwrap();
}

#[test]
fn a_process_of_its_own_plays_the_role_it_is_given() {
    let Ok(job) = std::env::var(ROLE) else { return };
    let job = Job::read(&job);
    let history = History::new(job.seed, job.shape);
    say("");
    let ledger = job.open(&history);
    say("opened");
    if job.role == "open" {
        return;
    }
    for (index, operation) in history.operations.iter().enumerate().skip(job.from) {
        history.perform(&ledger, operation).unwrap();
        say(&format!("done {}", index + 1));
    }
}

/// A directory for data: in memory where that can be had, since a killed process leaves the same there.
pub(crate) fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let wanted = std::env::var_os("EVERETT_DURABILITY_DIRECTORY").map(PathBuf::from);
    let made = match wanted {
        Some(wanted) => tempfile::tempdir_in(wanted),
        None if memory.is_dir() => tempfile::tempdir_in(memory),
        None => tempfile::tempdir(),
    };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}
