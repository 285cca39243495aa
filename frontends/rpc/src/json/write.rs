//! Owns the writing of JSON: compact, as it goes over the wire, and indented, as it stands in messages.

use super::Json;

/// The escapes that have letters.
fn letter(character: char) -> Option<&'static str> {
    Some(match character {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => return None,
    })
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match letter(character) {
            Some(escape) => out.push_str(escape),
            None if character < ' ' || character == '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            None => out.push(character),
        }
    }
    out.push('"');
}

impl Json {
    /// On one line, without spaces.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::Text(text) => write_text(text, out),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_to(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write_to(out);
                }
                out.push('}');
            }
        }
    }

    /// An object of simple values, a line for each, as Core has it in messages.
    pub(crate) fn write_lines(&self) -> String {
        let Json::Object(fields) = self else {
            return self.write();
        };
        let lines: Vec<String> = fields
            .iter()
            .map(|(key, value)| {
                let mut name = String::new();
                write_text(key, &mut name);
                format!("    {name}: {}", value.write())
            })
            .collect();
        format!("{{\n{}\n}}", lines.join(",\n"))
    }
}
