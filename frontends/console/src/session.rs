//! Owns one session: a thread with an engine and one scope of variables, which runs one script after the other.
//! Promises an answer to every script, also when it is stopped or the engine panics, and a thread that ends with its
//! connection.
//! Refuses scripts beyond the limit of length.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use everett_ledger::Ledger;
use everett_node::Handle;
use everett_proto::v1::ErrorReason;
use rhai::{AST, Array, Dynamic, Engine, EvalAltResult, Map, ParseError, Position, Scope};
use tokio::sync::mpsc::{Receiver, Sender};
use tracing::{debug, error};

use crate::book::Book;
use crate::context::{Context, Ctx};
use crate::engine;
use crate::fault::Fault;
use crate::input::pieces;
use crate::limits::{MAX_KEPT_BYTES, MAX_PRINTED_BYTES, MAX_SCRIPT_BYTES};
use crate::pen::Pen;
use crate::protocol::{Eval, Hello, PROTOCOL, Reply, ScriptError};
use crate::show;

/// What a session is made of.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) ledger: Ledger,
    /// The node that the ledger is of, if there is one.
    pub(crate) node: Option<Handle>,
    pub(crate) lab: bool,
    pub(crate) pen: Pen,
}

/// A script that waits for its turn.
pub(crate) struct Job {
    pub(crate) eval: Eval,
    pub(crate) time: Duration,
    /// Set when nobody wants its answer any more.
    pub(crate) cancelled: Arc<AtomicBool>,
}

/// Runs scripts until there are no more to come, or nobody reads the replies. On a thread of its own.
pub(crate) fn run(ground: &Ground, mut jobs: Receiver<Job>, replies: &Sender<Reply>) {
    let mut session = Session::new(ground, replies.clone());
    if replies.blocking_send(session.hello()).is_err() {
        return;
    }
    while let Some(job) = jobs.blocking_recv() {
        let id = job.eval.id;
        let outcome = catch_unwind(AssertUnwindSafe(|| session.eval(&job)));
        let last = match outcome {
            Ok(last) => last,
            Err(_) => {
                error!(script = %job.eval.script, "a script made the console panic");
                session = Session::new(ground, replies.clone());
                let fault = Fault::new(
                    ErrorReason::Internal,
                    "the console panicked at this script, which the log has; its variables are gone, please report it",
                );
                failed(id, &fault, Position::NONE)
            }
        };
        if replies.blocking_send(last).is_err() {
            return;
        }
    }
}

struct Session {
    context: Ctx,
    engine: Engine,
    book: Book,
    scope: Scope<'static>,
    /// The functions that scripts have defined.
    functions: AST,
    replies: Sender<Reply>,
    /// The script that runs, for what it prints.
    running: Rc<Cell<u64>>,
    printed: Rc<Cell<usize>>,
}

impl Session {
    fn new(ground: &Ground, replies: Sender<Reply>) -> Session {
        let context = Context::new(
            ground.ledger.clone(),
            ground.node.clone(),
            ground.lab,
            ground.pen.clone(),
        );
        let running = Rc::new(Cell::new(0));
        let printed = Rc::new(Cell::new(0));
        let print = {
            let (of, running, printed) = (context.clone(), running.clone(), printed.clone());
            let replies = RefCell::new(replies.clone());
            Rc::new(move |text: &str| print(&of, &replies.borrow(), &running, &printed, text))
        };
        let (engine, book) = engine::build(&context, print);
        Session {
            context,
            engine,
            book,
            scope: Scope::new(),
            functions: AST::empty(),
            replies,
            running,
            printed,
        }
    }

    fn hello(&self) -> Reply {
        let entries = self.book.entries();
        let mut functions: Vec<String> = Vec::new();
        let mut members: Vec<String> = Vec::new();
        for entry in &entries {
            let open = if entry.is_call() { "(" } else { "" };
            let name = format!("{}{open}", entry.name());
            let list = match entry.owner {
                None => &mut functions,
                Some(_) => &mut members,
            };
            list.push(name);
        }
        for list in [&mut functions, &mut members] {
            list.sort();
            list.dedup();
        }
        Reply::Hello(Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network: self.context.ledger.params().network.to_string(),
            lab: self.context.lab,
            write: self.context.pen.writes(),
            functions,
            members,
        })
    }

    /// Runs a script, and gives the last reply to it.
    fn eval(&mut self, job: &Job) -> Reply {
        let eval = &job.eval;
        self.running.set(eval.id);
        self.printed.set(0);
        self.context.patience.renew(job.time, job.cancelled.clone());
        let outcome = self.run(eval);
        self.tidy();
        match outcome {
            Ok(()) => match self.keep_within_limits() {
                Ok(()) => Reply::Done {
                    id: eval.id,
                    variables: self.names(),
                },
                Err(fault) => failed(eval.id, &fault, Position::NONE),
            },
            Err(failure) => failed(eval.id, &failure.fault, failure.position),
        }
    }

    fn run(&mut self, eval: &Eval) -> Result<(), Failure> {
        if eval.script.len() > MAX_SCRIPT_BYTES {
            let fault = Fault::argument(format!(
                "the script is longer than {} MiB",
                MAX_SCRIPT_BYTES >> 20
            ));
            return Err(fault.into());
        }
        let whole = self.engine.compile_with_scope(&self.scope, &eval.script);
        let whole = match whole {
            Ok(ast) => vec![ast],
            Err(error) => match self.compile_pieces(eval) {
                Some(pieces) => pieces,
                None => return Err(self.not_understood(error)),
            },
        };
        for ast in whole {
            let value = self.run_one(&ast)?;
            let reply = self.show(eval, &value)?;
            if self.replies.blocking_send(reply).is_err() {
                return Err(Fault::named("CANCELLED", "its client is gone").into());
            }
        }
        Ok(())
    }

    /// A script that was typed line by line, if every piece of it makes sense.
    fn compile_pieces(&self, eval: &Eval) -> Option<Vec<AST>> {
        if !eval.lines {
            return None;
        }
        let pieces = pieces(&eval.script);
        if pieces.len() < 2 {
            return None;
        }
        let compile = |(begins, piece): &(usize, String)| {
            // Empty lines before it keep its place.
            let text = "\n".repeat(*begins) + piece.as_str();
            self.engine.compile_with_scope(&self.scope, text).ok()
        };
        pieces.iter().map(compile).collect()
    }

    fn run_one(&mut self, ast: &AST) -> Result<Dynamic, Failure> {
        let ast = self.functions.merge(ast);
        let value = self
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        // Functions stay, also of a script that failed after defining them.
        self.functions = ast.clone_functions_only();
        value.map_err(|error| self.explain(*error))
    }

    fn show(&self, eval: &Eval, value: &Dynamic) -> Result<Reply, Fault> {
        // Showing reads the ledger too, and takes its share of the time.
        let json = match eval.json {
            true => Some(show::json(value)?),
            false => None,
        };
        let text = match eval.json {
            true => None,
            false => show::text(value)?,
        };
        Ok(Reply::Value {
            id: eval.id,
            text,
            json,
        })
    }

    fn not_understood(&self, error: ParseError) -> Failure {
        Failure {
            fault: Fault::named("SYNTAX", error.err_type()),
            position: error.position(),
        }
    }

    /// What a script's failure was, and the innermost place that is known of it.
    fn explain(&self, error: EvalAltResult) -> Failure {
        let mut error = error;
        let mut position = error.position();
        let mut within = Vec::new();
        while let EvalAltResult::ErrorInFunctionCall(name, _, inner, _) = error {
            within.push(name);
            error = *inner;
            if !error.position().is_none() {
                position = error.position();
            }
        }
        let mut fault = match &error {
            EvalAltResult::ErrorTerminated(..) => self
                .context
                .patience
                .over()
                .unwrap_or_else(|| Fault::named("CANCELLED", "it was stopped")),
            EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<Fault>() {
                Some(fault) => fault.clone(),
                None => Fault::named("SCRIPT", value),
            },
            EvalAltResult::ErrorTooManyOperations(_)
            | EvalAltResult::ErrorStackOverflow(_)
            | EvalAltResult::ErrorTooManyVariables(_)
            | EvalAltResult::ErrorDataTooLarge(..) => Fault::named("LIMIT", bare(&mut error)),
            EvalAltResult::ErrorParsing(..) => Fault::named("SYNTAX", bare(&mut error)),
            _ => Fault::named("SCRIPT", bare(&mut error)),
        };
        within.retain(|name| !name.starts_with("anon$"));
        if let Some(name) = within.last() {
            fault.message.push_str(&format!(" (in function {name})"));
        }
        Failure { fault, position }
    }

    /// Variables that others of the same name have hidden go.
    fn tidy(&mut self) {
        let mut names: Vec<&str> = self.scope.iter_raw().map(|(name, _, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < all {
            self.scope = self.scope.clone_visible();
        }
    }

    /// Forgets all variables when they have become too many to keep.
    fn keep_within_limits(&mut self) -> Result<(), Fault> {
        let kept: usize = self
            .scope
            .iter_raw()
            .map(|(_, _, value)| weigh(value))
            .sum();
        if kept <= MAX_KEPT_BYTES {
            return Ok(());
        }
        self.scope.clear();
        Err(Fault::named(
            "TOO_MUCH_MEMORY",
            format!(
                "the variables of this session held more than {} MiB of text and lists; they are forgotten",
                MAX_KEPT_BYTES >> 20
            ),
        ))
    }

    fn names(&self) -> Vec<String> {
        let functions = self.functions.iter_functions();
        let functions = functions
            .filter(|function| !function.name.starts_with("anon$"))
            .map(|function| format!("{}(", function.name));
        let mut names: Vec<String> = self
            .scope
            .iter_raw()
            .map(|(name, _, _)| name.to_owned())
            .chain(functions)
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// A fault, and where in the script.
struct Failure {
    fault: Fault,
    position: Position,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure {
            fault,
            position: Position::NONE,
        }
    }
}

/// An engine's error without its place, which is told apart from it.
fn bare(error: &mut EvalAltResult) -> String {
    let _ = error.take_position();
    error.to_string()
}

fn failed(id: u64, fault: &Fault, position: Position) -> Reply {
    Reply::Error(ScriptError {
        id,
        reason: fault.reason.to_owned(),
        message: fault.message.clone(),
        line: position.line(),
        column: position.position(),
    })
}

/// Sends what a script prints, as long as it is not too much.
fn print(
    context: &Ctx,
    replies: &Sender<Reply>,
    running: &Cell<u64>,
    printed: &Cell<usize>,
    text: &str,
) {
    if context.patience.over().is_some() {
        return;
    }
    printed.set(printed.get() + text.len() + 1);
    if printed.get() > MAX_PRINTED_BYTES {
        context.patience.end(Fault::named(
            "OUTPUT_TOO_LARGE",
            format!(
                "it was stopped because it printed more than {} MiB",
                MAX_PRINTED_BYTES >> 20
            ),
        ));
        return;
    }
    let reply = Reply::Print {
        id: running.get(),
        text: text.to_owned(),
    };
    if replies.blocking_send(reply).is_err() {
        debug!("a console's client is gone while its script prints");
        context
            .patience
            .end(Fault::named("CANCELLED", "its client is gone"));
    }
}

/// Bytes of a value, about; what it holds of the ledger is counted elsewhere.
fn weigh(value: &Dynamic) -> usize {
    const EACH: usize = std::mem::size_of::<Dynamic>();
    if let Ok(text) = value.as_immutable_string_ref() {
        return EACH + text.len();
    }
    if let Some(list) = value.read_lock::<Array>() {
        return EACH + list.iter().map(weigh).sum::<usize>();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map
            .iter()
            .map(|(name, value)| 2 * EACH + name.len() + weigh(value));
        return EACH + entries.sum::<usize>();
    }
    if let Some(bytes) = value.read_lock::<rhai::Blob>() {
        return EACH + bytes.len();
    }
    EACH
}

#[cfg(test)]
mod tests;
