//! Owns the script engine of a session: the language with its limits, and all of the console's functions.
//! Promises that no script reads a file, loads a module or runs beyond a limit.

use std::rc::Rc;

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Dynamic, Engine, OptimizationLevel};

use crate::book::Book;
use crate::context::Ctx;
use crate::limits::{
    MAX_ARRAY_ITEMS, MAX_CALL_LEVELS, MAX_EXPRESSION_DEPTH, MAX_FUNCTION_DEPTH, MAX_FUNCTIONS,
    MAX_MAP_ENTRIES, MAX_OPERATIONS, MAX_STRING_BYTES, MAX_VARIABLES,
};
use crate::{functions, value};

/// Builds the engine. What scripts print goes to `print`.
pub(crate) fn build(context: &Ctx, print: Rc<dyn Fn(&str)>) -> (Engine, Book) {
    let mut engine = Engine::new();
    engine
        .set_max_operations(MAX_OPERATIONS)
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_FUNCTION_DEPTH)
        .set_max_string_size(MAX_STRING_BYTES)
        .set_max_array_size(MAX_ARRAY_ITEMS)
        .set_max_map_size(MAX_MAP_ENTRIES)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(0)
        .set_module_resolver(DummyModuleResolver::new())
        // Expressions are seen once: there is nothing to win.
        .set_optimization_level(OptimizationLevel::None)
        // A misspelt name of a map's entry is an error rather than the unit value.
        .set_fail_on_invalid_map_property(true)
        .disable_symbol("eval");
    let of = context.clone();
    engine.on_progress(move |operations| match of.patience.lasts(operations) {
        true => None,
        false => Some(Dynamic::UNIT),
    });
    let debug = print.clone();
    engine
        .on_print(move |text| print(text))
        .on_debug(move |text, _, position| debug(&format!("{position:?}: {text}")));
    let book = Book::default();
    value::register(&mut engine, &book);
    functions::register(&mut engine, &book, context);
    (engine, book)
}
