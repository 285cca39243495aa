use std::io::Cursor;

use super::*;

fn all(text: impl AsRef<[u8]> + Send + 'static) -> Vec<Line> {
    let lines = Lines::of(Cursor::new(text)).expect("a thread can be started");
    let mut all = Vec::new();
    loop {
        let next = lines.next_lines().expect("memory can be read");
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

fn text(line: &str) -> Line {
    Line::Text(line.as_bytes().to_vec())
}

#[test]
fn lines_come_in_order_without_their_ends() {
    assert_eq!(all("a\nb\r\n\nc"), ["a", "b", "", "c"].map(text));
    assert_eq!(all("a\n"), [text("a")]);
    assert_eq!(all(""), []);
}

#[test]
fn more_lines_than_may_wait_all_arrive() {
    let many: String = (0..3 * MAX_WAITING_LINES)
        .map(|n| format!("{n}\n"))
        .collect();
    let lines = all(many);
    assert_eq!(lines.len(), 3 * MAX_WAITING_LINES);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, text(&n.to_string()));
    }
}

#[test]
fn a_line_that_is_too_long_is_skipped_to_its_end() {
    let mut bytes = vec![b'x'; MAX_LINE_BYTES];
    bytes.extend_from_slice(b"\nb\n");
    assert_eq!(all(bytes.clone())[1], text("b"));
    bytes.insert(0, b'x');
    assert_eq!(all(bytes), [Line::TooLong, text("b")]);
}

#[test]
fn a_source_that_breaks_gives_its_lines_and_then_its_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let source = io::BufReader::new(Cursor::new("a\n").chain(Broken));
    let lines = Lines::of(source).expect("a thread can be started");
    let mut read = Vec::new();
    let error = loop {
        match lines.next_lines() {
            Ok(next) => read.extend(next),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (read, error.to_string()),
        (vec![text("a")], "broken".to_owned())
    );
}
