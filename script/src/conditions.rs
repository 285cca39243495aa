//! The conditions that OP_IF opens and OP_ENDIF closes.
//! Promises constant time for every question, however deep the nesting (tapscripts have no limit on it).
//! Refuses to evaluate: what is true is told to it.

/// One entry for each open OP_IF or OP_NOTIF, the innermost last.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    values: Vec<bool>,
    /// How many of `values` are false: a script runs only where none is.
    false_count: usize,
}

impl Conditions {
    /// The branch taken at each level, the innermost last.
    pub fn values(&self) -> &[bool] {
        &self.values
    }

    /// True where opcodes are executed.
    #[inline]
    pub fn all_true(&self) -> bool {
        self.false_count == 0
    }

    /// True when every OP_IF has been closed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn open(&mut self, value: bool) {
        self.values.push(value);
        self.false_count += usize::from(!value);
    }

    /// Turns the innermost condition around; false when there is none.
    #[must_use]
    pub(crate) fn turn(&mut self) -> bool {
        let Some(innermost) = self.values.last_mut() else {
            return false;
        };
        *innermost = !*innermost;
        if *innermost {
            self.false_count -= 1;
        } else {
            self.false_count += 1;
        }
        true
    }

    /// Closes the innermost condition; false when there is none.
    #[must_use]
    pub(crate) fn close(&mut self) -> bool {
        let Some(innermost) = self.values.pop() else {
            return false;
        };
        self.false_count -= usize::from(!innermost);
        true
    }
}
