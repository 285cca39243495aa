//! Owns lines on their way from a file or pipe to those who work on them.
//! Promises order, bounded memory, and that a line is there for work as soon as it is read, however slowly the next
//! one comes; refuses lines longer than [`MAX_LINE_BYTES`].

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

#[cfg(test)]
mod tests;

/// The longest line that is looked at, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 32 << 20;
/// Bytes of lines that wait while others are worked on; the last of them may start below it.
const MAX_WAITING_BYTES: usize = 8 << 20;
/// Lines that wait, and that are worked on at once.
const MAX_WAITING_LINES: usize = 4_096;

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Without its end.
    Text(Vec<u8>),
    /// Longer than [`MAX_LINE_BYTES`]; it was read and forgotten.
    TooLong,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Line>,
    bytes: usize,
    /// Set at the end of the input, or when it cannot be read any more.
    ended: Option<io::Result<()>>,
    /// Nobody wants more lines.
    abandoned: bool,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Lines were taken away.
    room: Condvar,
    /// Lines were added.
    news: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line once there is room; false when nobody wants it.
    fn push(&self, line: Line) -> bool {
        let full = |state: &mut State| {
            let full = state.bytes >= MAX_WAITING_BYTES || state.waiting.len() >= MAX_WAITING_LINES;
            full && !state.abandoned
        };
        let state = self.room.wait_while(self.lock(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.bytes += line.len();
        state.waiting.push_back(line);
        self.news.notify_one();
        !state.abandoned
    }
}

impl Line {
    fn len(&self) -> usize {
        match self {
            Line::Text(bytes) => bytes.len(),
            Line::TooLong => 0,
        }
    }
}

/// The lines of a source, read ahead by a thread of its own.
pub(super) struct Lines(Arc<Queue>);

impl Lines {
    /// Starts to read.
    pub(super) fn of(mut source: impl BufRead + Send + 'static) -> io::Result<Lines> {
        let queue = Arc::new(Queue::default());
        let theirs = queue.clone();
        // It ends with its source or, if that never ends, with the process.
        thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || {
                let ended = loop {
                    match read_line(&mut source) {
                        Ok(Some(line)) => {
                            if !theirs.push(line) {
                                break Ok(());
                            }
                        }
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                };
                theirs.lock().ended = Some(ended);
                theirs.news.notify_one();
            })?;
        Ok(Lines(queue))
    }

    /// The lines that wait, in order, at least one; none at the end of the source.
    pub(super) fn next_lines(&self) -> io::Result<Vec<Line>> {
        let nothing = |state: &mut State| state.waiting.is_empty() && state.ended.is_none();
        let state = self.0.news.wait_while(self.0.lock(), nothing);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() {
            return match state.ended.take() {
                Some(Err(error)) => Err(error),
                _ => Ok(Vec::new()),
            };
        }
        state.bytes = 0;
        let lines = state.waiting.drain(..).collect();
        self.0.room.notify_one();
        Ok(lines)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.room.notify_one();
    }
}

/// The next line without its end; `None` where there is none.
fn read_line(source: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let limit = MAX_LINE_BYTES as u64 + 1;
    if source.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        return Ok(Some(Line::Text(bytes)));
    }
    if bytes.len() <= MAX_LINE_BYTES {
        // The last line has no end.
        return Ok(Some(Line::Text(bytes)));
    }
    source.skip_until(b'\n')?;
    Ok(Some(Line::TooLong))
}
