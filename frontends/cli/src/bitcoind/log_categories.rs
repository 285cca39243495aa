//! Owns which parts of the program a category of Core's log stands for, and how much of each is logged.
//! Promises that a category can be switched on and off while the node runs, and that lines are marked with theirs.
//! Refuses to invent lines: a category whose part does not exist here logs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use everett_rpc::{LOG_CATEGORIES, LogCategories};
use tracing_subscriber::EnvFilter;

use super::debug_log::Detail;
use super::node_settings::Levels;

/// What others' parts tell, whatever is asked for.
const FOREIGN: &str = "h2=warn,hyper=warn,hyper_util=warn,tower=warn";
/// The parts that a category stands for, by the names of their modules.
const PARTS: [(&str, &[&str]); 14] = [
    ("addrman", &["everett_net::address_book"]),
    ("blockstorage", &["everett_ledger::store"]),
    (
        "cmpctblock",
        &[
            "everett_p2p::compact",
            "everett_p2p::protocol::compact_blocks",
        ],
    ),
    ("coindb", &["everett_ledger::engine"]),
    ("estimatefee", &["everett_mempool::fees"]),
    (
        "http",
        &[
            "everett_rpc::connection",
            "everett_rpc::http",
            "everett_rpc::server",
        ],
    ),
    ("mempool", &["everett_mempool"]),
    ("net", &["everett_net", "everett_p2p"]),
    ("proxy", &["everett_net::socks"]),
    ("prune", &["everett_ledger::prune"]),
    ("reindex", &["everett_node::import"]),
    ("rpc", &["everett_rpc"]),
    ("validation", &["everett_ledger", "everett_node"]),
    ("zmq", &["everett_zmq"]),
];

/// The category of a line, by the module that it is of.
pub(super) fn category(target: &str) -> Option<&'static str> {
    let covers = |part: &str| {
        target
            .strip_prefix(part)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let parts = PARTS
        .iter()
        .flat_map(|(category, parts)| parts.iter().map(|part| (*category, *part)));
    let covering = parts.filter(|(_, part)| covers(part));
    let (category, _) = covering.max_by_key(|(_, part)| part.len())?;
    Some(category)
}

fn word(detail: Detail) -> &'static str {
    match detail {
        Detail::Info => "info",
        Detail::Debug => "debug",
        Detail::Trace => "trace",
    }
}

/// What is let through where these categories are logged, each as far as its level says.
pub(super) fn filter(logged: &BTreeSet<&'static str>, levels: &Levels) -> String {
    let mut parts: BTreeMap<&str, Detail> = BTreeMap::new();
    for (category, names) in PARTS.iter().filter(|(name, _)| logged.contains(name)) {
        let detail = levels.of(category);
        for part in *names {
            let known = parts.entry(*part).or_insert(detail);
            *known = detail.max(*known);
        }
    }
    // Each message is a line of its own in Core, too.
    if parts
        .get("everett_net")
        .is_some_and(|net| *net > Detail::Info)
    {
        parts.insert(everett_net::session::PACKET_TARGET, Detail::Trace);
    }
    let mut filter = format!("info,{FOREIGN}");
    for (part, detail) in parts {
        filter.push_str(&format!(",{part}={}", word(detail)));
    }
    filter
}

/// How a new filter comes to the log.
type Reload = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// The categories of a log that runs.
pub(super) struct Categories {
    logged: Mutex<BTreeSet<&'static str>>,
    levels: Levels,
    reload: Reload,
}

impl Categories {
    pub(super) fn new(
        logged: BTreeSet<&'static str>,
        levels: Levels,
        reload: Reload,
    ) -> Categories {
        Categories {
            logged: Mutex::new(logged),
            levels,
            reload,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogCategories for Categories {
    fn logged(&self) -> Vec<&'static str> {
        self.lock().iter().copied().collect()
    }

    fn set(&self, categories: &[&'static str]) {
        let mut logged = self.lock();
        *logged = categories.iter().copied().collect();
        (self.reload)(EnvFilter::new(filter(&logged, &self.levels)));
    }
}

/// A category by its name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    LOG_CATEGORIES.iter().copied().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_the_narrowest_category() {
        assert_eq!(category("everett_net::pool"), Some("net"));
        assert_eq!(category("everett_net::socks"), Some("proxy"));
        assert_eq!(category("everett_network"), None);
        assert_eq!(category("everett_rpc::request"), Some("rpc"));
        assert_eq!(category("everett_rpc::http"), Some("http"));
    }

    #[test]
    fn only_what_is_asked_for_is_let_through() {
        let levels = Levels::default();
        let of = |names: &[&'static str]| filter(&names.iter().copied().collect(), &levels);
        assert_eq!(of(&[]), format!("info,{FOREIGN}"));
        assert_eq!(of(&["zmq"]), format!("info,{FOREIGN},everett_zmq=debug"));
        assert!(
            of(&["net"])
                .ends_with(",everett_net=debug,everett_net::packet=trace,everett_p2p=debug")
        );
        for (category, _) in PARTS {
            assert_eq!(named(category), Some(category));
        }
    }
}
