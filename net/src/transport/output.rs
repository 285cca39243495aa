//! Owns the bytes that wait to be written to one peer.
//! Promises that long payloads are shared, not copied, and that nothing is kept once all is written.
//! Refuses to limit itself: who fills it looks at its length.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// From this length on, in bytes, a piece is queued as it is instead of being copied behind the others.
const SHARED: usize = 4_096;

/// Pieces of bytes, first in, first out.
#[derive(Default, Debug)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl Output {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Queues a copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Queues `bytes`, shared if they are many.
    pub fn share(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED {
            return self.copy(bytes);
        }
        self.close_tail();
        self.length += bytes.len();
        self.pieces.push_back(bytes.clone());
    }

    /// Queues `length` bytes that `fill` writes. What they were before is zeros.
    pub fn write<T>(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) -> T) -> T {
        if length >= SHARED {
            self.close_tail();
        }
        let start = self.tail.len();
        if start == 0 {
            self.tail.reserve(length);
        }
        self.tail.resize(start + length, 0);
        let filled = fill(&mut self.tail[start..]);
        self.length += length;
        filled
    }

    /// The next piece to be written; `None` if there is none.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.close_tail();
        }
        let piece = self.pieces.pop_front()?;
        self.length -= piece.len();
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        Some(piece)
    }

    /// The first pieces, for a vectored write. How many there are is returned.
    pub fn slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.close_tail();
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Takes `written` bytes off the front.
    pub fn advance(&mut self, written: usize) {
        let mut left = written.min(self.length);
        self.length -= left;
        while left > 0 {
            let Some(first) = self.pieces.front_mut() else {
                break;
            };
            if first.len() > left {
                first.advance(left);
                break;
            }
            left -= first.len();
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces
                .push_back(std::mem::take(&mut self.tail).freeze());
        }
    }
}
