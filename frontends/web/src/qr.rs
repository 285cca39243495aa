//! Owns pictures that a phone's camera reads: QR codes as SVG.
//! Promises dark squares on a white ground with the margin that scanners want, also on a dark page.
//! Refuses texts longer than a code holds.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Squares of white around the code, as ISO/IEC 18004 has it.
const MARGIN: usize = 4;

/// A text as a QR code; nothing where it is longer than a code holds (about 2,300 bytes).
pub(crate) fn svg(text: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let side = width + 2 * MARGIN;
    let mut path = String::new();
    for (row, squares) in code.to_colors().chunks(width).enumerate() {
        let mut column = 0;
        // Squares beside each other are one stroke, so that no seam is seen between them.
        for run in squares.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, length) = (column + MARGIN, row + MARGIN, run.len());
                // Writing to a string cannot fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
            column += run.len();
        }
    }
    let label = escaped(label);
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{label}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// Text inside an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_finders_and_its_margin() {
        let svg = svg(
            "bitcoin:bcrt1qsmnj2dh2mg2vsugazxwr6puvz39nuhnsd4zmpu",
            "pay <me>",
        )
        .unwrap();
        // Version 4 or so: 33 squares and twice the margin.
        assert!(svg.contains("viewBox=\"0 0 41 41\""), "{svg}");
        // The upper edges of the finders above, and of the one below.
        for finder in ["M4 4h7", "M30 4h7", "M4 30h7"] {
            assert!(svg.contains(finder), "no {finder}");
        }
        assert!(svg.contains("pay &lt;me&gt;"));
    }

    #[test]
    fn what_no_code_holds_has_none() {
        assert!(svg(&"x".repeat(2_000), "").is_some());
        assert!(svg(&"x".repeat(3_000), "").is_none());
    }
}
