//! Owns what a method is: its name, what it takes, what it says of itself, and how it is run.
//! Promises that arguments are counted, named and typed as Core does it before a method sees them.

mod arguments;
mod example;
mod help;
mod shapes;

use std::future::Future;
use std::pin::Pin;

pub(crate) use arguments::Given;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;

/// Under which heading `help` lists a method.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Category {
    /// The chain and its coins.
    Blockchain,
    /// The node itself.
    Control,
    /// For tests; not listed.
    Hidden,
    /// Blocks that are handed in.
    Mining,
    /// Peers.
    Network,
    /// Transactions and PSBTs.
    Rawtransactions,
    /// What needs no chain.
    Util,
    /// Wallets; not there on a node without them.
    Wallet,
    /// Notifications over ZeroMQ.
    Zmq,
}

impl Category {
    /// Its heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Category::Blockchain => "Blockchain",
            Category::Control => "Control",
            Category::Hidden => "Hidden",
            Category::Mining => "Mining",
            Category::Network => "Network",
            Category::Rawtransactions => "Rawtransactions",
            Category::Util => "Util",
            Category::Wallet => "Wallet",
            Category::Zmq => "Zmq",
        }
    }
}

/// What kind of value an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Bool,
    /// An array.
    Array,
    /// An object.
    Object,
    /// A string or a number; the method looks at the type itself.
    Any,
    /// Mostly a string, and not looked at.
    AnyText,
}

impl Kind {
    /// What Core calls the type, where it is checked.
    pub(crate) fn expected(self) -> Option<&'static str> {
        Some(match self {
            Kind::Text => "string",
            Kind::Number => "number",
            Kind::Bool => "bool",
            Kind::Array => "array",
            Kind::Object => "object",
            Kind::Any | Kind::AnyText => return None,
        })
    }

    /// What help calls it.
    fn word(self) -> &'static str {
        match self {
            Kind::Text | Kind::AnyText => "string",
            Kind::Number => "numeric",
            Kind::Bool => "boolean",
            Kind::Array => "json array",
            Kind::Object => "json object",
            Kind::Any => "string or numeric",
        }
    }
}

/// Whether an argument has to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// It has.
    Required,
    /// It may be left out.
    Optional,
    /// It may be left out, and then is this.
    Default(&'static str),
}

/// An argument of a method.
#[derive(Debug)]
pub(crate) struct Argument {
    /// Its names, with `|` between them; the first one is shown.
    pub(crate) names: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// How it stands in the line of usage, where that is not its name.
    pub(crate) shown: Option<&'static str>,
    pub(crate) about: &'static str,
    /// Not in the help.
    pub(crate) hidden: bool,
    /// For an object of options: what may be given by name alone.
    pub(crate) options: &'static [Argument],
}

impl Argument {
    const fn new(names: &'static str, kind: Kind, need: Need, about: &'static str) -> Argument {
        Argument {
            names,
            kind,
            need,
            shown: None,
            about,
            hidden: false,
            options: &[],
        }
    }

    /// One that has to be there.
    pub(crate) const fn required(names: &'static str, kind: Kind, about: &'static str) -> Argument {
        Argument::new(names, kind, Need::Required, about)
    }

    /// One that may be left out.
    pub(crate) const fn optional(names: &'static str, kind: Kind, about: &'static str) -> Argument {
        Argument::new(names, kind, Need::Optional, about)
    }

    /// One that may be left out, and then is this.
    pub(crate) const fn default(
        names: &'static str,
        kind: Kind,
        value: &'static str,
        about: &'static str,
    ) -> Argument {
        Argument::new(names, kind, Need::Default(value), about)
    }

    /// How it stands in the line of usage.
    pub(crate) const fn shown(mut self, shown: &'static str) -> Argument {
        self.shown = Some(shown);
        self
    }

    /// Left out of the help.
    pub(crate) const fn hidden(mut self) -> Argument {
        self.hidden = true;
        self
    }

    /// What may be given by name alone.
    pub(crate) const fn options(mut self, options: &'static [Argument]) -> Argument {
        self.options = options;
        self
    }

    fn is_optional(&self) -> bool {
        self.need != Need::Required
    }

    fn first_name(&self) -> &'static str {
        self.names.split('|').next().unwrap_or(self.names)
    }
}

/// What a method comes to.
pub(crate) type Answer = Result<Json, RpcError>;

/// An answer that is waited for.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How a method is run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// On a thread for reads.
    Read(fn(&Call) -> Answer),
    /// On the thread for writes.
    Write(fn(&Call) -> Answer),
    /// Among those that hand in blocks.
    Submit(fn(&Call) -> Answer),
    /// It waits for something to happen.
    Wait(fn(Call) -> Waiting),
}

/// A method.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) category: Category,
    pub(crate) about: &'static str,
    pub(crate) arguments: &'static [Argument],
    /// What it answers, in words.
    pub(crate) result: &'static str,
    /// Whether it takes `at`, the world that is asked.
    pub(crate) at: bool,
    pub(crate) run: Run,
}

#[cfg(test)]
mod tests;
