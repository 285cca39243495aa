//! Owns the writing of JSON: compact, as it goes over the wire, and indented, as it stands in messages.

use std::borrow::Cow;

use super::Json;

/// How a byte is written that cannot stand in a string as it is.
fn escape(byte: u8) -> Option<Cow<'static, str>> {
    let letter = match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        0x08 => "\\b",
        0x0c => "\\f",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        0..=0x1f | 0x7f => return Some(format!("\\u{byte:04x}").into()),
        _ => return None,
    };
    Some(letter.into())
}

/// Writes a string with its quotes.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    // All that is escaped is ASCII: what lies between can be copied as it is.
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(escape) = escape(byte) {
            out.push_str(&text[copied..at]);
            out.push_str(&escape);
            copied = at + 1;
        }
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

impl Json {
    /// On one line, without spaces.
    pub(crate) fn write(&self) -> String {
        /// For all that is not written yet; it grows where that is not enough.
        const REST: usize = 256;
        let mut out = String::with_capacity(self.written_bytes() + REST);
        self.write_to(&mut out);
        out
    }

    /// Bytes of what is written already in it.
    fn written_bytes(&self) -> usize {
        match self {
            Json::Written(text) => text.len(),
            Json::Object(fields) => fields.iter().map(|(_, value)| value.written_bytes()).sum(),
            _ => 0,
        }
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) | Json::Written(text) => out.push_str(text),
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
