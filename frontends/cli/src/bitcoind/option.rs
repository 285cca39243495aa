//! Owns what is known of one option of `bitcoind` or `bitcoin-cli`: its name, how it may be written, and what we make of it.
//! Promises that all that is said of an option, in the help and in the book, is said in one table.
//! Refuses to hold values: those are the business of `arguments`.

mod table;

pub(crate) use table::DAEMON;

/// What becomes of an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Support {
    /// It does what it does in Core.
    Does,
    /// It is taken, and there is nothing here that it could change.
    Ignored,
    /// It is taken, and what it asks for is not there: a warning names it.
    Unsupported,
    /// Core does not have it.
    Ours,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionSpec {
    /// Without a dash.
    pub(crate) name: &'static str,
    /// How its value is written after the name, such as `=<n>`; empty for a switch.
    pub(crate) value: &'static str,
    /// What becomes of it.
    pub(crate) support: Support,
    /// What it does, or why it does nothing.
    pub(crate) about: &'static str,
    /// In the part of a file that has no section it counts for mainnet only.
    pub(crate) network_only: bool,
    /// `-noNAME` makes no sense.
    pub(crate) no_negation: bool,
    /// It makes no sense without a value.
    pub(crate) no_elision: bool,
    /// Its value is not for the log.
    pub(crate) secret: bool,
    /// One of the commands of `bitcoin-cli`, of which only one may be given.
    pub(crate) command: bool,
}

impl OptionSpec {
    const fn new(
        name: &'static str,
        value: &'static str,
        support: Support,
        about: &'static str,
    ) -> OptionSpec {
        OptionSpec {
            name,
            value,
            support,
            about,
            network_only: false,
            no_negation: false,
            no_elision: false,
            secret: false,
            command: false,
        }
    }

    /// It does what it does in Core.
    pub(crate) const fn does(
        name: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> OptionSpec {
        OptionSpec::new(name, value, Support::Does, about)
    }

    const fn ignored(name: &'static str, value: &'static str, about: &'static str) -> OptionSpec {
        OptionSpec::new(name, value, Support::Ignored, about)
    }

    const fn unsupported(
        name: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> OptionSpec {
        OptionSpec::new(name, value, Support::Unsupported, about)
    }

    const fn ours(name: &'static str, value: &'static str, about: &'static str) -> OptionSpec {
        OptionSpec::new(name, value, Support::Ours, about)
    }

    pub(crate) const fn network_only(mut self) -> OptionSpec {
        self.network_only = true;
        self
    }

    pub(crate) const fn no_negation(mut self) -> OptionSpec {
        self.no_negation = true;
        self
    }

    pub(crate) const fn no_elision(mut self) -> OptionSpec {
        self.no_elision = true;
        self
    }

    pub(crate) const fn secret(mut self) -> OptionSpec {
        self.secret = true;
        self
    }

    pub(crate) const fn command(mut self) -> OptionSpec {
        self.command = true;
        self
    }
}

/// The options of one program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionTable(pub(crate) &'static [OptionSpec]);

impl OptionTable {
    /// The option of that name.
    pub(crate) fn find(self, name: &str) -> Option<&'static OptionSpec> {
        self.0.iter().find(|option| option.name == name)
    }

    /// All of them with what they do, as `-help` lists them.
    pub(crate) fn help(self) -> String {
        let mut text = String::new();
        for option in self.0 {
            let about = match option.support {
                Support::Does | Support::Ours => option.about.to_owned(),
                Support::Ignored => format!("Ignored: {}", option.about),
                Support::Unsupported => format!("Not supported: {}", option.about),
            };
            text += &format!("  -{}{}\n       {about}\n\n", option.name, option.value);
        }
        text
    }
}

#[cfg(test)]
mod tests;
