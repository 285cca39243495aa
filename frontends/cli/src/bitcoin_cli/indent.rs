//! Owns how JSON is shown: indented by two, with every number and string as the node wrote it.

/// Blanks for each level.
const INDENT: usize = 2;

/// `json` over several lines, as Core's client prints it.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => string(&mut characters, &mut out),
            '[' | '{' => {
                depth += 1;
                out.push(character);
                line(&mut out, depth);
            }
            ']' | '}' => {
                depth = depth.saturating_sub(1);
                // An empty one has begun a line for nothing.
                let kept = out.trim_end_matches(' ').len();
                match out[..kept].ends_with('\n') {
                    true => {
                        out.truncate(kept);
                        out.push_str(&" ".repeat(depth * INDENT));
                    }
                    false => line(&mut out, depth),
                }
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            other => out.push(other),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&" ".repeat(depth * INDENT));
}

/// Copies the rest of a string, with its last quote.
fn string(characters: &mut std::str::Chars<'_>, out: &mut String) {
    out.push('"');
    while let Some(character) = characters.next() {
        out.push(character);
        match character {
            '"' => return,
            '\\' => out.extend(characters.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_as_cores_client_shows_it() {
        let json = r#"{"a":1.00000000,"b":[],"c":{"d":["x, y: \"z\" {",null]},"e":{}}"#;
        let shown = "{\n  \"a\": 1.00000000,\n  \"b\": [\n  ],\n  \"c\": {\n    \"d\": [\n      \"x, y: \\\"z\\\" {\",\n      null\n    ]\n  },\n  \"e\": {\n  }\n}";
        assert_eq!(indented(json), shown);
        assert_eq!(indented(shown), shown);
        assert_eq!(indented("[]"), "[\n]");
        assert_eq!(indented("12"), "12");
    }
}
