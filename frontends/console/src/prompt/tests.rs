use super::*;
use crate::prompt::helper::Words;

fn hello() -> Hello {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    Hello {
        protocol: 1,
        version: "0.1.0".to_owned(),
        network: "regtest".to_owned(),
        lab: false,
        write: false,
        functions: words(&["balance(", "best(", "block(", "worlds("]),
        members: words(&["height", "hash", "transactions", "balance("]),
    }
}

#[test]
fn a_word_becomes_a_function_and_after_a_dot_a_member() {
    let mut words = Words::new(&hello());
    assert_eq!(
        words.complete_word("b", 1),
        (0, vec!["balance(".into(), "best(".into(), "block(".into()])
    );
    assert_eq!(
        words.complete_word("print(wor", 9),
        (6, vec!["worlds(".into()])
    );
    assert_eq!(
        words.complete_word("best().h", 8),
        (7, vec!["hash".into(), "height".into()])
    );
    assert_eq!(words.complete_word("best().", 7).1.len(), 4);
    assert_eq!(words.complete_word("", 0), (0, vec![]));
    words.set_variables(vec!["bob".to_owned()]);
    assert_eq!(words.complete_word("1 + bo", 6), (4, vec!["bob".into()]));
    // After a letter of more than one byte.
    assert_eq!(words.complete_word("\"é\"+bo", 7), (5, vec!["bob".into()]));
}

#[test]
fn the_greeting_says_whether_scripts_may_write() {
    assert!(greeting(&hello(), "at D").contains("queries only"));
    let hello = Hello {
        write: true,
        ..hello()
    };
    assert!(greeting(&hello, "at D").contains("may change the ledger"));
}
