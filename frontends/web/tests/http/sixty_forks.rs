//! The page on sixty competing branches, held against what Bitcoin Core says of them.

use std::collections::{BTreeMap, BTreeSet};

use everett_tests::data::SixtyForks;

use crate::client::{Answer, get};
use crate::node::TestNode;

/// Amount as the page writes it, without its markup.
fn btc(sat: u64) -> String {
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// For each row of a table that is named after a world, its text without markup.
fn rows(page: &Answer, attribute: &str) -> BTreeMap<String, String> {
    let start = format!("<tr {attribute}=\"");
    let rows = page.body.split(start.as_str()).skip(1);
    rows.map(|rest| {
        let name = rest.split('"').next().unwrap().to_owned();
        let row = rest.split("</tr>").next().unwrap();
        let mut text = String::new();
        let mut markup = true;
        for character in row.chars() {
            match character {
                '<' => markup = true,
                '>' => markup = false,
                _ if !markup => text.push(character),
                _ => {}
            }
        }
        (name, text)
    })
    .collect()
}

#[test]
fn sixty_forks_are_shown_as_bitcoin_core_knows_them() {
    let Some(data) = SixtyForks::load("sixty_forks_are_shown_as_bitcoin_core_knows_them") else {
        return;
    };
    let node = TestNode::new();
    node.ledger.submit_blocks(&data.blocks).unwrap();

    let page = get(node.at, "/admin/");
    let tips: BTreeSet<&str> = page.all("data-tip").into_iter().collect();
    let expected: BTreeSet<&str> = data.tips.iter().map(|tip| tip.hash.as_str()).collect();
    assert_eq!((tips.len(), &tips), (61, &expected));
    assert_eq!(page.all("data-best"), [data.tips[0].hash.as_str()]);
    assert!(page.count("data-fork=") >= 51);

    every_balance(&data, &node);
    every_conflict(&data, &node);
    every_height(&data, &node);
}

/// Every script page has Core's balance at every tip.
fn every_balance(data: &SixtyForks, node: &TestNode) {
    let tips: BTreeSet<&str> = data.tips.iter().map(|tip| tip.hash.as_str()).collect();
    let mut by_script: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for row in data
        .balances
        .iter()
        .filter(|row| tips.contains(row.tip.as_str()))
    {
        let balances = by_script.entry(&row.script).or_default();
        balances.push((&row.tip, row.balance_sat));
    }
    assert!(by_script.len() >= 30);
    let mut different = 0;
    for (script, balances) in by_script {
        let page = get(node.at, &format!("/admin/script/hex:{script}"));
        let rows = rows(&page, "data-world");
        assert_eq!(rows.len(), 61);
        for (tip, sat) in &balances {
            let row = &rows[*tip];
            assert!(row.contains(&btc(*sat)), "{script} at {tip}: {row}");
        }
        let amounts: BTreeSet<u64> = balances.iter().map(|(_, sat)| *sat).collect();
        different += usize::from(amounts.len() > 1);
    }
    assert!(different > 10);
}

/// Counts on the list, and the coins between two worlds, are those that Core's blocks give.
fn every_conflict(data: &SixtyForks, node: &TestNode) {
    let list = get(node.at, "/admin/conflicts");
    assert_eq!(list.status, 200);
    let best = &data.tips[0].hash;
    assert_eq!(list.count("data-clashes="), 60);
    for fork in &data.forks {
        let (a, b) = (&fork.tip_a, &fork.tip_b);
        let page = get(node.at, &format!("/admin/conflicts?a={a}&b={b}"));
        assert_eq!(page.status, 200);
        let heading = match fork.conflicts.len() {
            0 => "No conflicts".to_owned(),
            1 => "1 coin spent twice".to_owned(),
            many => format!("{many} coins spent twice"),
        };
        assert!(page.body.contains(&heading), "{a} {b}: {heading}");
        if b == best {
            let count = fork.conflicts.len();
            let row = format!("data-world=\"{a}\" data-clashes=\"{count}\"");
            assert_eq!(list.count(&row), 1, "{row}");
        }
        // A transaction of the losing branch is found, and knows what stands against it.
        if let Some(conflict) = fork.conflicts.first() {
            let (txid, _) = &conflict.spent_in_a;
            let found = get(node.at, &format!("/admin/search?q={txid}"));
            assert_eq!(found.status, 303);
            let page = get(node.at, found.header("location").unwrap());
            assert_eq!(page.status, 200);
            let rivals: BTreeSet<String> = rows(&page, "data-rival").into_keys().collect();
            let shown = rivals.len() >= 50 || rivals.contains(&conflict.spent_in_b.0);
            assert!(shown, "{txid}: {rivals:?}");
        }
    }
}

fn every_height(data: &SixtyForks, node: &TestNode) {
    let mut at: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for row in &data.rows {
        at.entry(row.height).or_default().insert(&row.hash);
    }
    for (height, blocks) in at.iter().filter(|(_, blocks)| blocks.len() > 1) {
        let page = get(node.at, &format!("/admin/block/{height}"));
        let shown: BTreeSet<&str> = page.all("data-block").into_iter().collect();
        assert_eq!(&shown, blocks, "{height}");
    }
}
