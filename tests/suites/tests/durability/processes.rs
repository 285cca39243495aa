//! Other processes: this test program again, with a role in the environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use everett_ledger::{Ledger, LedgerConfig, OpenError, StoreError};
use everett_tests::durability::comparison::compare;
use everett_tests::durability::history::{History, Shape};
use tempfile::TempDir;

/// Kills of all tests together, unless `EVERETT_KILLS` asks for more.
const KILLS: usize = 30;

const ROLE: &str = "EVERETT_DURABILITY_TEST_ROLE";

/// The arguments that make this test program play a role.
const ARGUMENTS: [&str; 3] = [
    "--exact",
    "processes::a_process_of_its_own_plays_the_role_it_is_given",
    "--nocapture",
];

/// Size of block files for the role `fill`, so that they grow as large as tables do.
pub(crate) const ONE_BLOCK_FILE: u64 = 1 << 27;

/// What a process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// `work` does operations until it is killed or done, `fill` until the disk is full, `open` only opens.
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
            role: ["work", "open", "fill"]
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
        let mut command = self.command();
        command.env(everett_ledger::store::failpoint::VARIABLE, failpoint);
        self.follow(command)
    }

    /// Starts it where no file may grow beyond so many kilobytes.
    pub(crate) fn start_under_limit(&self, kilobytes: u64) -> Worker {
        let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
        let mut command = Command::new("bash");
        command
            .arg("-c")
            .arg(script)
            .arg(std::env::current_exe().unwrap())
            .args(ARGUMENTS)
            .env(ROLE, self.write())
            .env("RUST_BACKTRACE", "0");
        self.follow(command)
    }

    fn follow(&self, mut command: Command) -> Worker {
        let mut child = command
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
            full: None,
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
    /// What it said when the disk was full.
    full: Option<String>,
}

/// How a process ended.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) complaints: String,
    pub(crate) done: usize,
    pub(crate) opened: bool,
    pub(crate) full: Option<String>,
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
        if let Some(full) = line.strip_prefix("full ") {
            self.full = Some(full.to_owned());
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
            full: self.full,
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
    let mut history = History::new(job.seed, job.shape);
    if job.role == "fill" {
        history.block_file_size = ONE_BLOCK_FILE;
    }
    say("");
    let ledger = job.open(&history);
    say("opened");
    if job.role == "open" {
        return;
    }
    for (index, operation) in history.operations.iter().enumerate().skip(job.from) {
        match history.perform(&ledger, operation) {
            Ok(()) => say(&format!("done {}", index + 1)),
            Err(error) if job.role == "fill" => {
                return show_that_it_is_full(&history, &ledger, index, &error);
            }
            Err(error) => panic!("operation {index}: {error}"),
        }
    }
}

/// The operation at `index` failed: nothing may have changed by it, and trying again changes nothing either.
fn show_that_it_is_full(history: &History, ledger: &Ledger, index: usize, error: &StoreError) {
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    say(&format!("full {error}"));
    let mut model = history.model();
    for operation in &history.operations[..index] {
        model.apply(&history.forest, operation);
    }
    assert_eq!(compare(ledger, &history.forest, &model), Ok(()), "{index}");
    let again = history.perform(ledger, &history.operations[index]);
    match again {
        Ok(()) => say(&format!("done {}", index + 1)),
        Err(error) => {
            assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
            assert_eq!(compare(ledger, &history.forest, &model), Ok(()), "{index}");
        }
    }
}

/// How long a lock may be held by a process that another thread is just starting.
const LENT_LOCK: Duration = Duration::from_secs(5);

/// Opens a ledger of this process. When another thread starts a process at this moment, that one has our lock too until
/// it has become another program.
pub(crate) fn opened(open: impl Fn() -> Result<Ledger, OpenError>) -> Result<Ledger, OpenError> {
    let start = Instant::now();
    loop {
        match open() {
            Err(OpenError::Store(StoreError::InUse { .. })) if start.elapsed() < LENT_LOCK => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened,
        }
    }
}

/// How many processes are to be killed.
pub(crate) fn kills_wanted() -> usize {
    let wanted = std::env::var("EVERETT_KILLS").ok();
    wanted.and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

/// Histories of a test that kills nothing: one, or as many more as there are kills.
pub(crate) fn rounds() -> u64 {
    (kills_wanted() / KILLS).max(1) as u64
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
