//! Owns what the line editor asks: what a word could become, and whether a line is all.
//! Promises names only: what may be typed at a place, not what is there.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::input::is_complete;
use crate::protocol::Hello;

/// Words of the language that are worth completing.
const KEYWORDS: [&str; 14] = [
    "let ", "const ", "if ", "else ", "for ", "while ", "loop ", "return ", "fn ", "true", "false",
    "print(", "try ", "catch ",
];

/// The words that can be completed.
pub(super) struct Words {
    functions: Vec<String>,
    members: Vec<String>,
    variables: Vec<String>,
}

impl Words {
    pub(super) fn new(hello: &Hello) -> Words {
        Words {
            functions: hello.functions.clone(),
            members: hello.members.clone(),
            variables: Vec::new(),
        }
    }

    pub(super) fn set_variables(&mut self, variables: Vec<String>) {
        self.variables = variables;
    }

    /// Where the word before `end` begins, and what it could become.
    pub(super) fn complete_word(&self, line: &str, end: usize) -> (usize, Vec<String>) {
        let before = line.get(..end).unwrap_or_default();
        let start = before
            .rfind(|char: char| !char.is_alphanumeric() && char != '_')
            .map_or(0, |place| {
                place + before[place..].chars().next().map_or(1, char::len_utf8)
            });
        let word = &before[start..];
        let after_dot = before[..start].ends_with('.');
        let mut found: Vec<String> = if after_dot {
            let members = self.members.iter();
            members
                .filter(|name| name.starts_with(word))
                .cloned()
                .collect()
        } else if word.is_empty() {
            // At the beginning of a word everything could follow.
            Vec::new()
        } else {
            let keywords = KEYWORDS.iter().map(|word| (*word).to_owned());
            let names = self.functions.iter().chain(&self.variables).cloned();
            names
                .chain(keywords)
                .filter(|name| name.starts_with(word))
                .collect()
        };
        found.sort();
        found.dedup();
        (start, found)
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete_word(line, position))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_complete(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}
