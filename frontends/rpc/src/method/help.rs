//! Owns what a method says of itself: the line of usage as Core lays it out, and our own words.

use super::{Argument, Kind, Method, Need};

impl Argument {
    fn in_usage(&self) -> String {
        match (self.shown, self.kind) {
            (Some(shown), _) => shown.to_owned(),
            (None, Kind::Text | Kind::AnyText) => format!("\"{}\"", self.first_name()),
            (None, _) => self.first_name().to_owned(),
        }
    }

    fn in_brackets(&self) -> String {
        let need = match self.need {
            Need::Required => "required".to_owned(),
            Need::Optional => "optional".to_owned(),
            Need::Default(value) => format!("optional, default={value}"),
        };
        format!("({}, {need}) {}", self.kind.word(), self.about)
    }
}

/// Lines of a name and a text, the texts below each other.
fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 4;
    let mut text = String::new();
    for (name, about) in rows {
        let about = about.replace('\n', &format!("\n{:width$}", ""));
        text.push_str(&format!("{name:width$}{about}\n"));
    }
    text
}

impl Method {
    /// Its name and arguments on one line.
    pub(crate) fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        let mut in_optional = false;
        for argument in self.shown_arguments() {
            usage.push(' ');
            match (argument.is_optional(), in_optional) {
                (true, false) => usage.push_str("( "),
                (false, true) => usage.push_str(") "),
                _ => {}
            }
            in_optional = argument.is_optional();
            usage.push_str(&argument.in_usage());
        }
        if in_optional {
            usage.push_str(" )");
        }
        usage
    }

    fn shown_arguments(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .take_while(|argument| !argument.hidden)
    }

    /// All that there is to say.
    pub(crate) fn help(&self) -> String {
        let mut help = format!("{}\n\n{}\n", self.usage(), self.about);
        let rows: Vec<(String, String)> = self
            .shown_arguments()
            .enumerate()
            .map(|(index, argument)| {
                let name = format!("{}. {}", index + 1, argument.first_name());
                (name, argument.in_brackets())
            })
            .collect();
        if !rows.is_empty() {
            help.push_str(&format!("\nArguments:\n{}", table(&rows)));
        }
        let mut named: Vec<(String, String)> = self
            .shown_arguments()
            .flat_map(|argument| argument.options)
            .map(|option| (option.first_name().to_owned(), option.in_brackets()))
            .collect();
        if self.at {
            named.push((
                "at".to_owned(),
                "(string or numeric, optional, default=best) The world that is asked, also a rival one: the hash \
                 of a block, a height of the best chain, or \"best\""
                    .to_owned(),
            ));
        }
        if !named.is_empty() {
            help.push_str(&format!("\nNamed Arguments:\n{}", table(&named)));
        }
        help.push_str(&format!("\nResult:\n{}\n", self.result));
        help.push_str(&format!("\nExamples:\n> bitcoin-cli {}\n", self.name));
        help
    }
}
