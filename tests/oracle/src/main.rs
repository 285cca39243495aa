//! Compares Everett's verdicts with those of Bitcoin Core's own engine on input that follows from a seed.
//! Promises an exit code of 1 and a minimal case as a JSON line for the first disagreement, 0 for none.

#![forbid(unsafe_code)]

mod blocks;
mod kernel;
mod report;
mod scripts;
mod shrink;
mod transactions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::blocks::Blocks;
use crate::report::Disagreement;
use crate::scripts::Scripts;
use crate::transactions::Transactions;

/// Where chains of a minute are kept, if it is there: it is memory.
const MEMORY: &str = "/dev/shm";
/// Seconds between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);
/// What one comparison counts for at most when the time is shared out: a machine that slept, or a clock that jumped,
/// must not keep a kind from its turn. One that took longer is worth a line.
const LONGEST: Duration = Duration::from_secs(2);

/// Compare Everett with Bitcoin Core's engine on generated input.
#[derive(Parser)]
struct Arguments {
    /// What to compare.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the input follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first case; for blocks, that of a round's first step.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Cases of each kind at most.
    #[arg(long, default_value_t = u64::MAX)]
    cases: u64,
    /// Where the blocks of a disagreement are written.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Where the chains are kept while they last: memory, if there is such a directory.
    #[arg(long)]
    directory: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Spends of single outputs, over sets of flags.
    Scripts,
    /// Transactions by themselves.
    Transactions,
    /// Blocks, branches and reorganisations.
    Blocks,
    /// All of them.
    All,
}

/// One kind of comparison, with the time that it took.
struct Course<'a> {
    name: &'static str,
    number: u64,
    spent: Duration,
    /// How much of the time it is to have.
    share: u32,
    compare: &'a mut dyn FnMut(u64) -> Result<Option<Disagreement>>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let _logger = kernel::listen()?;
    let vectors = match everett_generate::directory() {
        Some(directory) => everett_generate::load(&directory),
        None => {
            eprintln!(
                "no vectors: EVERETT_VECTORS is not set and ../shared is not there; going on without"
            );
            Vec::new()
        }
    };
    eprintln!("seed {}, {} vectors", arguments.seed, vectors.len());
    let memory = Path::new(MEMORY);
    let chains = arguments
        .directory
        .clone()
        .unwrap_or_else(|| match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        });
    let mut scripts = Scripts::new(vectors.clone());
    let mut transactions = Transactions::new(vectors);
    let mut blocks = Blocks::new(&chains);
    let disagreement = run(&arguments, &mut scripts, &mut transactions, &mut blocks)?;
    for line in scripts.summary() {
        eprintln!("{line}");
    }
    eprintln!("{}", transactions.summary());
    for line in blocks.summary() {
        eprintln!("{line}");
    }
    Ok(match disagreement {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Compares until the time is up or two verdicts differ, which it tells.
fn run(
    arguments: &Arguments,
    scripts: &mut Scripts,
    transactions: &mut Transactions,
    blocks: &mut Blocks,
) -> Result<bool> {
    let seed = arguments.seed;
    let counts = std::cell::Cell::new([0u64; 4]);
    let set = |at: usize, count: u64| {
        let mut all = counts.get();
        all[at] = count;
        counts.set(all);
    };
    let mut script = |number| {
        let found = scripts.compare(seed, number);
        set(0, scripts.compared());
        set(1, scripts.valid());
        found
    };
    let mut transaction = |number| {
        let found = transactions.compare(seed, number);
        set(2, transactions.compared());
        found
    };
    let mut block = |number| {
        let found = blocks.compare(seed, number);
        set(3, blocks.submitted());
        found
    };
    let mut courses = Vec::new();
    let mut course = |what, name, share, compare| {
        if arguments.what == what || arguments.what == What::All {
            courses.push(Course {
                name,
                number: arguments.first,
                spent: Duration::ZERO,
                share,
                compare,
            });
        }
    };
    course(
        What::Scripts,
        "scripts",
        4,
        &mut script as &mut dyn FnMut(u64) -> _,
    );
    course(What::Transactions, "transactions", 1, &mut transaction);
    course(What::Blocks, "blocks", 5, &mut block);
    let begun = Instant::now();
    let mut told = begun;
    let tell = || {
        let [scripts, valid, transactions, blocks] = counts.get();
        eprintln!(
            "{:>6} s  {scripts} script verdicts ({valid} valid), {transactions} transactions, {blocks} blocks: no disagreement",
            begun.elapsed().as_secs()
        );
    };
    while begun.elapsed() < Duration::from_secs(arguments.seconds) {
        let Some(course) = courses
            .iter_mut()
            .filter(|course| course.number - arguments.first < arguments.cases)
            .min_by_key(|course| course.spent / course.share)
        else {
            break;
        };
        let started = Instant::now();
        if let Some(disagreement) = (course.compare)(course.number)? {
            disagreement.tell(course.name, seed, course.number, &arguments.out)?;
            return Ok(true);
        }
        let took = started.elapsed();
        if took > LONGEST {
            eprintln!(
                "{} {}: took {:.1} s",
                course.name,
                course.number,
                took.as_secs_f64()
            );
        }
        course.spent += took.min(LONGEST);
        course.number += 1;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            tell();
        }
    }
    tell();
    Ok(false)
}
