//! The examples of the book, run.

mod python;

#[path = "../../examples/shop.rs"]
mod shop;

#[test]
fn the_rust_example_runs() {
    shop::main().unwrap();
}
