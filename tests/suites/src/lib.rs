//! What the suites share: where the data lies, block files read frame by frame, Bitcoin Core's answers.

pub mod data;
