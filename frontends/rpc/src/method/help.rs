//! Owns what a method says of itself: the line of usage as Core lays it out, and our own words.

use super::{Argument, Kind, Method, Need, shapes};

/// What stands before each line of what an argument holds.
const IN_ARGUMENT: &str = "     ";

impl Argument {
    fn in_usage(&self) -> String {
        match (self.shown, self.kind) {
            (Some(shown), _) => shown.to_owned(),
            (None, Kind::Text | Kind::AnyText) => format!("\"{}\"", self.first_name()),
            (None, _) => self.first_name().to_owned(),
        }
    }

    /// What its type is called; of one that may be several, by what it is.
    fn type_word(&self) -> &'static str {
        match (self.kind, self.first_name()) {
            (Kind::Any, "verbosity") => "numeric",
            (Kind::Any, "outputs") => "json array",
            (Kind::Any, "maxfeerate" | "maxburnamount") => "numeric or string",
            (Kind::Any, "range") => "numeric or array",
            (kind, _) => kind.word(),
        }
    }

    fn in_brackets(&self) -> String {
        let need = match self.need {
            Need::Required => "required".to_owned(),
            Need::Optional => "optional".to_owned(),
            Need::Default(value) => format!("optional, default={value}"),
        };
        format!("({}, {need}) {}", self.type_word(), self.about)
    }
}

/// Lines of a name and a text, the texts below each other.
fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 4;
    let mut text = String::new();
    for (name, about) in rows {
        let about = about.replace('\n', &format!("\n{:width$}", ""));
        let line = format!("{name:width$}{about}");
        text.push_str(line.trim_end());
        text.push('\n');
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
        let shapes = shapes::of(self.name);
        let mut rows: Vec<(String, String)> = Vec::new();
        for (index, argument) in self.shown_arguments().enumerate() {
            let name = format!("{}. {}", index + 1, argument.first_name());
            rows.push((name, argument.in_brackets()));
            let holds = shapes.arguments.iter();
            let mut holds = holds.filter(|shape| shape.heading == argument.first_name());
            if let Some(shape) = holds.next() {
                rows.extend(
                    shape
                        .lines
                        .iter()
                        .map(|(json, about)| (format!("{IN_ARGUMENT}{json}"), (*about).to_owned())),
                );
            }
        }
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
        match shapes.results.is_empty() {
            true => help.push_str(&format!("\nResult:\n{}\n", self.result)),
            false => shapes.results.iter().for_each(|shape| {
                let lines = shape.lines.iter();
                let rows: Vec<(String, String)> = lines
                    .map(|(json, about)| ((*json).to_owned(), (*about).to_owned()))
                    .collect();
                help.push_str(&format!("\n{}:\n{}", shape.heading, table(&rows)));
            }),
        }
        help.push_str(&format!("\nExamples:\n{}", self.examples()));
        help
    }
}
