//! Owns the question where an expression ends, for a prompt and for lines that are piped in.
//! Promises never to call something complete that has an open bracket, text or comment.
//! Refuses to parse: whether it makes sense is for the engine to say.

/// Whether what was written so far can be run, or goes on in the next line.
pub fn is_complete(text: &str) -> bool {
    let mut scan = Scan::default();
    scan.read(text);
    scan.is_closed() && !ends_open(text)
}

/// The pieces of a text that are complete by themselves, each with the number of lines before it.
pub(crate) fn pieces(text: &str) -> Vec<(usize, String)> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut begins = 0;
    for (number, line) in text.lines().enumerate() {
        if piece.is_empty() {
            begins = number;
        }
        piece.push_str(line);
        piece.push('\n');
        if is_complete(&piece) {
            if !piece.trim().is_empty() {
                pieces.push((begins, std::mem::take(&mut piece)));
            }
            piece.clear();
        }
    }
    if !piece.trim().is_empty() {
        pieces.push((begins, piece));
    }
    pieces
}

/// A line that ends in an operator has more to come.
fn ends_open(text: &str) -> bool {
    let end = text.trim_end();
    const OPERATORS: [&str; 12] = ["+", "-", "*", "/", "=", "&&", "||", ",", ".", "|", "<", ">"];
    !end.is_empty()
        && !end.ends_with("*/")
        && !comment_at_end(end)
        && OPERATORS.iter().any(|operator| end.ends_with(operator))
}

/// Whether the last line has a comment, after which nothing can be told from its end.
fn comment_at_end(text: &str) -> bool {
    text.lines().last().is_some_and(|line| line.contains("//"))
}

/// What is open at some place of a text.
#[derive(Default)]
struct Scan {
    /// Brackets that are open; negative is a mistake that the engine will name.
    depth: i64,
    state: State,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Code,
    /// Between quotes of this kind.
    Text(char),
    LineComment,
    /// So many of them, one in the other.
    BlockComment(u32),
}

impl Scan {
    fn read(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            match self.state {
                State::Code => match char {
                    '(' | '[' | '{' => self.depth += 1,
                    ')' | ']' | '}' => self.depth -= 1,
                    '"' | '`' | '\'' => self.state = State::Text(char),
                    '/' if chars.next_if_eq(&'/').is_some() => self.state = State::LineComment,
                    '/' if chars.next_if_eq(&'*').is_some() => self.state = State::BlockComment(1),
                    _ => {}
                },
                State::Text(quote) => match char {
                    '\\' if quote != '`' => {
                        chars.next();
                    }
                    // Only a text between back quotes may go over the end of a line.
                    '\n' if quote != '`' => self.state = State::Code,
                    char if char == quote => self.state = State::Code,
                    _ => {}
                },
                State::LineComment if char == '\n' => self.state = State::Code,
                State::LineComment => {}
                State::BlockComment(depth) => match char {
                    '*' if chars.next_if_eq(&'/').is_some() => {
                        self.state = match depth {
                            0 | 1 => State::Code,
                            depth => State::BlockComment(depth - 1),
                        };
                    }
                    '/' if chars.next_if_eq(&'*').is_some() => {
                        self.state = State::BlockComment(depth.saturating_add(1));
                    }
                    _ => {}
                },
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.depth <= 0
            && matches!(
                self.state,
                State::Code | State::LineComment | State::Text('"') | State::Text('\'')
            )
    }
}

#[cfg(test)]
mod tests;
