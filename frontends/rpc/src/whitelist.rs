//! Owns which methods a user may call (`rpcwhitelist`).

use std::collections::{BTreeMap, BTreeSet};

/// Which methods each user may call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whitelist {
    users: BTreeMap<String, BTreeSet<String>>,
    /// Whether users that are not named may call nothing.
    others_nothing: bool,
}

/// What one user may call.
pub(crate) enum Allowed<'a> {
    /// All methods.
    Everything,
    /// These.
    These(&'a BTreeSet<String>),
    /// None.
    Nothing,
}

impl Allowed<'_> {
    /// Whether a method is among them.
    pub(crate) fn method(&self, name: &str) -> bool {
        match self {
            Allowed::Everything => true,
            Allowed::These(methods) => methods.contains(name),
            Allowed::Nothing => false,
        }
    }
}

impl Whitelist {
    /// From lines of `USER:METHOD,METHOD…`; what is said of a user more than once is allowed where all lines say so.
    pub(crate) fn new(lines: &[String], default: Option<bool>) -> Whitelist {
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in lines {
            let (user, methods) = match line.split_once(':') {
                Some((user, methods)) => (user, Some(methods)),
                None => (line.as_str(), None),
            };
            let known = users.contains_key(user);
            let allowed = users.entry(user.to_owned()).or_default();
            if let Some(methods) = methods {
                let methods = methods.split([',', ' ']).map(str::to_owned);
                *allowed = match known {
                    true => methods.filter(|method| allowed.contains(method)).collect(),
                    false => methods.collect(),
                };
            }
        }
        Whitelist {
            users,
            others_nothing: default.unwrap_or(!lines.is_empty()),
        }
    }

    /// What a user may call.
    pub(crate) fn of(&self, user: &str) -> Allowed<'_> {
        match self.users.get(user) {
            Some(methods) => Allowed::These(methods),
            None if self.others_nothing => Allowed::Nothing,
            None => Allowed::Everything,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn who_is_named_may_call_what_all_lines_allow() {
        let list = Whitelist::new(&lines(&["a:x,y", "a:y, z", "b"]), None);
        assert!(list.of("a").method("y"));
        assert!(!list.of("a").method("x") && !list.of("a").method("z"));
        assert!(!list.of("b").method("x"));
        assert!(matches!(list.of("c"), Allowed::Nothing));
    }

    #[test]
    fn without_lines_everybody_may_call_everything() {
        assert!(Whitelist::new(&[], None).of("a").method("x"));
        assert!(!Whitelist::new(&[], Some(true)).of("a").method("x"));
        let list = Whitelist::new(&lines(&["a:x"]), Some(false));
        assert!(list.of("b").method("y"));
    }
}
