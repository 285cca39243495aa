//! The stack that scripts work on, and its elements.
//! Promises that no element is ever allocated: it is borrowed from a script or witness, or small.
//! Refuses to limit its own size: the interpreter does, after each opcode.

use crate::error::ScriptError;

#[cfg(test)]
mod tests;

/// Longest element that an opcode can compute: a SHA-256 hash. Anything longer was pushed.
const MAX_COMPUTED_LENGTH: usize = 32;

/// One element of a stack: any byte string.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a>(Bytes<'a>);

#[derive(Debug, Clone, Copy)]
enum Bytes<'a> {
    /// Part of a script or of a witness.
    Pushed(&'a [u8]),
    /// The result of an opcode.
    Computed {
        length: u8,
        bytes: [u8; MAX_COMPUTED_LENGTH],
    },
}

impl<'a> Element<'a> {
    /// True as scripts write it: 0x01.
    pub const TRUE: Element<'a> = Element(Bytes::Pushed(&[1]));

    /// False as scripts write it: no bytes.
    pub const FALSE: Element<'a> = Element(Bytes::Pushed(&[]));

    /// An element that lies in a script or a witness.
    #[inline]
    pub fn pushed(bytes: &'a [u8]) -> Self {
        Element(Bytes::Pushed(bytes))
    }

    /// The result of an opcode, at most 32 bytes; longer input is cut off there.
    #[inline]
    pub(crate) fn computed(result: &[u8]) -> Self {
        debug_assert!(result.len() <= MAX_COMPUTED_LENGTH);
        let length = result.len().min(MAX_COMPUTED_LENGTH);
        let mut bytes = [0; MAX_COMPUTED_LENGTH];
        bytes[..length].copy_from_slice(&result[..length]);
        Element(Bytes::Computed {
            length: length as u8,
            bytes,
        })
    }

    /// [`Element::TRUE`] or [`Element::FALSE`].
    #[inline]
    pub fn from_bool(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Pushed(bytes) => bytes,
            Bytes::Computed { length, bytes } => &bytes[..usize::from(*length)],
        }
    }

    /// Whether it counts as true, see [`is_true`].
    #[inline]
    pub fn is_true(&self) -> bool {
        is_true(self.as_bytes())
    }
}

/// Whether an element counts as true: any byte is set, other than the sign bit of a negative zero.
#[inline]
pub fn is_true(element: &[u8]) -> bool {
    match element.split_last() {
        None => false,
        Some((last, lower)) => last & 0x7f != 0 || lower.iter().any(|byte| *byte != 0),
    }
}

/// A stack of elements; the top is the last.
#[derive(Debug, Clone, Default)]
pub struct Stack<'a> {
    elements: Vec<Element<'a>>,
}

impl<'a> Stack<'a> {
    /// An empty stack with room for `capacity` elements.
    pub fn with_capacity(capacity: usize) -> Self {
        Stack {
            elements: Vec::with_capacity(capacity),
        }
    }

    /// All elements, the top last.
    #[inline]
    pub fn elements(&self) -> &[Element<'a>] {
        &self.elements
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Puts an element on top.
    #[inline]
    pub fn push(&mut self, element: Element<'a>) {
        self.elements.push(element);
    }

    /// Takes the top away. Fails with [`ScriptError::InvalidStackOperation`] when there is none.
    #[inline]
    pub fn pop(&mut self) -> Result<Element<'a>, ScriptError> {
        self.elements
            .pop()
            .ok_or(ScriptError::InvalidStackOperation)
    }

    /// Fails with [`ScriptError::InvalidStackOperation`] when there are fewer than `count` elements.
    #[inline]
    pub fn require(&self, count: usize) -> Result<(), ScriptError> {
        if self.len() < count {
            return Err(ScriptError::InvalidStackOperation);
        }
        Ok(())
    }

    /// The index of the element `depth` below the top, 0 being the top itself.
    /// Fails with [`ScriptError::InvalidStackOperation`] when the stack is not that deep.
    #[inline]
    fn index(&self, depth: usize) -> Result<usize, ScriptError> {
        self.len()
            .checked_sub(depth + 1)
            .ok_or(ScriptError::InvalidStackOperation)
    }

    /// The element `depth` below the top, 0 being the top itself; fails as [`Stack::pop`] does.
    #[inline]
    pub fn peek(&self, depth: usize) -> Result<&Element<'a>, ScriptError> {
        let index = self.index(depth)?;
        Ok(&self.elements[index])
    }

    /// Takes away the element `depth` below the top; fails as [`Stack::pop`] does.
    pub(crate) fn remove(&mut self, depth: usize) -> Result<Element<'a>, ScriptError> {
        let index = self.index(depth)?;
        Ok(self.elements.remove(index))
    }

    /// Puts an element under the `depth` topmost ones; fails when there are fewer than these.
    pub(crate) fn insert_below(
        &mut self,
        depth: usize,
        element: Element<'a>,
    ) -> Result<(), ScriptError> {
        let index = self
            .len()
            .checked_sub(depth)
            .ok_or(ScriptError::InvalidStackOperation)?;
        self.elements.insert(index, element);
        Ok(())
    }

    /// Exchanges the elements at two depths; fails when either is not there.
    pub(crate) fn swap(&mut self, depth: usize, other: usize) -> Result<(), ScriptError> {
        let (first, second) = (self.index(depth)?, self.index(other)?);
        self.elements.swap(first, second);
        Ok(())
    }

    /// Takes `count` elements from the top; fails, and takes none, when there are fewer.
    #[inline]
    pub(crate) fn drop_top(&mut self, count: usize) -> Result<(), ScriptError> {
        self.require(count)?;
        self.elements.truncate(self.len() - count);
        Ok(())
    }

    /// Copies the `count` elements that start `depth` below the top (the deepest of them) onto the top.
    pub(crate) fn copy_to_top(&mut self, depth: usize, count: usize) -> Result<(), ScriptError> {
        let first = self.index(depth)?;
        self.elements.extend_from_within(first..first + count);
        Ok(())
    }

    /// Turns the `count` topmost elements: the `by` deepest of them come to the top.
    pub(crate) fn rotate(&mut self, count: usize, by: usize) -> Result<(), ScriptError> {
        self.require(count)?;
        let first = self.len() - count;
        self.elements[first..].rotate_left(by);
        Ok(())
    }
}

impl<'a> FromIterator<Element<'a>> for Stack<'a> {
    fn from_iter<I: IntoIterator<Item = Element<'a>>>(elements: I) -> Self {
        Stack {
            elements: elements.into_iter().collect(),
        }
    }
}
