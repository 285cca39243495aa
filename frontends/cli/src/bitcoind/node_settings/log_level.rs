//! Owns how much is logged: the categories of `-debug` and `-debugexclude`, the levels of `-loglevel`.
//! Promises Core's reading of both, and its words for what it does not know.
//! Refuses to raise the level of what no category asks for, and categories that there are not.

use std::collections::{BTreeMap, BTreeSet};

use everett_rpc::LOG_CATEGORIES;

use crate::bitcoind::arguments::Arguments;
use crate::bitcoind::debug_log::Detail;
use crate::bitcoind::failure::InitError;
use crate::bitcoind::log_categories;

/// Names of the levels that may be set.
const LEVELS: [(&str, Detail); 3] = [
    ("info", Detail::Info),
    ("debug", Detail::Debug),
    ("trace", Detail::Trace),
];
/// Core looks for the colon behind a category from here on.
const SHORTEST_CATEGORY: usize = 3;
/// A category that Core knows and that has nothing to say any more.
const GONE: &str = "libevent";

/// The levels of `-loglevel`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Levels {
    /// Of all categories that have none of their own.
    all: Option<Detail>,
    of_category: BTreeMap<String, Detail>,
}

fn is_all(category: &str) -> bool {
    matches!(category, "" | "1" | "all")
}

fn is_known(category: &str) -> bool {
    is_all(category) || category == GONE || LOG_CATEGORIES.contains(&category)
}

fn level(name: &str) -> Option<Detail> {
    let (_, level) = LEVELS.iter().find(|(known, _)| *known == name)?;
    Some(*level)
}

/// The categories that `-debug` names after the last one that takes all back.
fn asked_for(arguments: &Arguments) -> Vec<String> {
    let mut named = arguments.list("debug");
    let last = named.iter().rposition(|name| name == "0" || name == "none");
    named.drain(..last.map_or(0, |index| index + 1));
    named
}

/// Refuses categories that there are not.
///
/// # Errors
///
/// The first one that is none.
pub(super) fn check(arguments: &Arguments) -> Result<(), InitError> {
    let both = [
        ("debug", asked_for(arguments)),
        ("debugexclude", arguments.list("debugexclude")),
    ];
    for (option, names) in both {
        if let Some(name) = names.iter().find(|name| !is_known(name)) {
            return Err(InitError::new(format!(
                "Unsupported logging category -{option}={name}.\nValid categories: {}.",
                LOG_CATEGORIES.join(", ")
            )));
        }
    }
    Ok(())
}

/// The categories that are logged: those of `-debug` without those of `-debugexclude`.
pub(super) fn categories(arguments: &Arguments) -> BTreeSet<&'static str> {
    let named = asked_for(arguments);
    let mut categories: BTreeSet<&str> = match named.iter().any(|name| is_all(name)) {
        true => LOG_CATEGORIES.into(),
        false => named
            .iter()
            .filter_map(|name| log_categories::named(name))
            .collect(),
    };
    for excluded in arguments.list("debugexclude") {
        categories.retain(|name| !is_all(&excluded) && *name != excluded);
    }
    categories
}

impl Levels {
    /// Reads what was asked for.
    ///
    /// # Errors
    ///
    /// A level or a category that there is not.
    pub(super) fn new(arguments: &Arguments) -> Result<Levels, InitError> {
        let mut levels = Levels::default();
        let known = LEVELS.map(|(name, _)| name).join(", ");
        for text in arguments.list("loglevel") {
            let has_category = text
                .bytes()
                .skip(SHORTEST_CATEGORY)
                .any(|byte| byte == b':');
            if !has_category {
                let level = level(&text).ok_or_else(|| {
                    InitError::new(format!(
                        "Unsupported global logging level -loglevel={text}. Valid values: {known}."
                    ))
                })?;
                levels.all = Some(level);
                continue;
            }
            let parts = text.split_once(':');
            let parts = parts.and_then(|(category, name)| Some((category, level(name)?)));
            let Some((category, level)) = parts.filter(|(category, _)| is_known(category)) else {
                return Err(InitError::new(format!(
                    "Unsupported category-specific logging level -loglevel={text}. Expected \
                     -loglevel=<category>:<loglevel>. Valid categories: {}. Valid loglevels: {known}.",
                    LOG_CATEGORIES.join(", ")
                )));
            };
            levels.of_category.insert(category.to_owned(), level);
        }
        Ok(levels)
    }

    /// How much is logged of a category that is asked for.
    pub(crate) fn of(&self, category: &str) -> Detail {
        let own = self.of_category.get(category).copied();
        own.or(self.all).unwrap_or(Detail::Debug)
    }
}
