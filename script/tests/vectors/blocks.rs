//! Real blocks with the outputs that they spend.
