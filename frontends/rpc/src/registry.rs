//! Owns the list of methods.
//! Promises that a method is found by its name, and that `help` lists all but the hidden ones.

use crate::method::{Category, Method};
use crate::{blockchain, control, mempool, mining, network, rawtransactions, util, wallet};

/// The lists of all categories.
static LISTS: [&[&Method]; 9] = [
    blockchain::METHODS,
    control::METHODS,
    mempool::METHODS,
    mining::METHODS,
    network::METHODS,
    rawtransactions::METHODS,
    util::METHODS,
    wallet::METHODS,
    wallet::money::METHODS,
];

/// All methods.
pub(crate) fn all() -> impl Iterator<Item = &'static Method> {
    LISTS.iter().flat_map(|list| list.iter().copied())
}

/// The method of this name.
pub(crate) fn find(name: &str) -> Option<&'static Method> {
    all().find(|method| method.name == name)
}

/// All lines of usage under their headings, or all that one method says of itself.
///
/// Without `wallets` the methods of those are not there.
pub(crate) fn help(command: &str, wallets: bool) -> String {
    let there = |method: &&Method| wallets || method.category != Category::Wallet;
    if !command.is_empty() {
        return match find(command).filter(there) {
            Some(method) => method.help().trim_end_matches('\n').to_owned() + "\n",
            None => format!("help: unknown command: {command}"),
        };
    }
    let mut methods: Vec<&Method> = all()
        .filter(|method| method.category != Category::Hidden)
        .filter(there)
        .collect();
    methods.sort_by_key(|method| (method.category, method.name));
    let mut lines: Vec<String> = Vec::new();
    let mut category = None;
    for method in methods {
        if category != Some(method.category) {
            if category.is_some() {
                lines.push(String::new());
            }
            lines.push(format!("== {} ==", method.category.title()));
            category = Some(method.category);
        }
        lines.push(method.usage());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
