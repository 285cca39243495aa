use std::collections::BTreeSet;

use super::*;

#[test]
fn every_name_is_there_once() {
    let names: Vec<&str> = all().map(|method| method.name).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), different.len());
}

#[test]
fn help_lists_what_is_not_hidden_under_its_heading() {
    let help = help("", true);
    assert!(
        help.starts_with("== Blockchain ==\ndumptxoutset "),
        "{help}"
    );
    assert!(help.contains("\ngetbestblockhash\n"));
    assert!(help.contains("\n\n== Control ==\n"));
    assert!(!help.contains("invalidateblock"));
    assert!(help.contains("\n\n== Wallet ==\nabandontransaction "));
    assert!(!super::help("", false).contains("Wallet"));
}

#[test]
fn help_tells_what_is_taken_what_is_answered_and_how_it_is_called() {
    let help = help("gettxout", false);
    for part in [
        "\nArguments:\n1. txid               (string, required) ",
        "\n3. include_mempool    (boolean, optional, default=true) ",
        "\nNamed Arguments:\nat    (string or numeric, optional, default=best) ",
        "\nResult (nothing there):\nnull    (json null)\n",
        "\n  \"confirmations\" : n,       (numeric) ",
        "\n> bitcoin-cli gettxout \"4a5e1e4b",
        "\n> bitcoin-cli -named gettxout txid=",
        "\"method\": \"gettxout\", \"params\": [\"4a5e",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    let help = super::help("createrawtransaction", false);
    assert!(
        help.contains(
            "\n     [\n       {                       (json object)\n         \"txid\": \"hex\","
        ),
        "{help}"
    );
}

#[test]
fn help_on_one_method_begins_with_its_usage() {
    assert!(help("getblock", true).starts_with("getblock \"blockhash\" ( verbosity )\n\n"));
    let usage = "dumptxoutset \"path\" ( \"type\" {\"rollback\":n,\"in_memory\":bool,...} )\n\n";
    assert!(help("dumptxoutset", true).starts_with(usage));
    assert_eq!(help("nonsense", true), "help: unknown command: nonsense");
}
