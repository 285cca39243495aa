//! What single pages show.

use std::collections::{BTreeSet, VecDeque};

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;

use crate::client::{ask, get};
use crate::node::TestNode;

#[test]
fn the_root_leads_to_the_tree() {
    let node = TestNode::new();
    for path in ["/", "/admin"] {
        let answer = get(node.at, path);
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), Some("/admin/"));
    }
    let page = get(node.at, "/admin/");
    assert_eq!(page.status, 200);
    assert_eq!(page.all("data-tip"), [node.genesis().to_string()]);
}

#[test]
fn what_is_not_there_is_told_with_its_status() {
    let node = TestNode::new();
    let nowhere = "77".repeat(32);
    for (path, status, word) in [
        ("/admin/nope".to_owned(), 404, "no such page"),
        ("/favicon.ico".to_owned(), 404, "no such page"),
        (format!("/admin/block/{nowhere}"), 404, "no block"),
        ("/admin/block/7".to_owned(), 404, "no block at height 7"),
        ("/admin/block/xyz".to_owned(), 400, "is not a block"),
        ("/admin/block/0?page=2".to_owned(), 404, "no page 2"),
        ("/admin/block/0?page=x".to_owned(), 400, "number of a page"),
        (format!("/admin/tx/{nowhere}"), 404, "none of the blocks"),
        ("/admin/tx/abc".to_owned(), 400, "transaction id"),
        ("/admin/script/xyz".to_owned(), 400, "script"),
        (format!("/admin/script/51?world={nowhere}"), 404, "no block"),
        ("/admin/script/51?after=x".to_owned(), 400, "a coin"),
        (format!("/admin/conflicts?a={nowhere}"), 404, "no block"),
        (format!("/admin/search?q={nowhere}"), 404, "Nothing here"),
        ("/admin/search?q=hello".to_owned(), 404, "Nothing here"),
        ("/admin/block/%ff".to_owned(), 400, "address"),
        ("/admin/search?q=%ff%fe".to_owned(), 404, "Nothing here"),
    ] {
        let answer = get(node.at, &path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(word), "{path}: {}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(
            answer.body.contains("class=\"top\""),
            "{path}: not a whole page"
        );
    }
}

#[test]
fn no_address_leads_out_of_the_site() {
    let node = TestNode::new();
    let assets = "/admin/assets/x";
    for path in [
        "/admin/../../../../etc/passwd",
        "/../etc/passwd",
        "//etc/passwd",
        "//evil.example/%2e%2e",
        "/admin/assets/../../../etc/passwd",
        &format!("{assets}/..%2f..%2f..%2fetc%2fpasswd"),
        &format!("{assets}/%2e%2e%2f%2e%2e%2fCargo.toml"),
        &format!("{assets}/..%5c..%5cCargo.toml"),
        &format!("{assets}/live.js%00"),
        "/admin/block/..%2f..%2flive",
        "/admin/%2e%2e/live",
        "/admin/block/0/",
        "/admin/block/",
        "/ADMIN/",
        "*",
    ] {
        let answer = get(node.at, path);
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.body.contains("root:") && !answer.body.contains("[package]"));
    }
}

#[test]
fn what_does_not_decode_is_told_back() {
    let node = TestNode::new();
    for (path, expected) in [
        ("/admin/block/%", 400),
        ("/admin/block/%zz", 400),
        ("/admin/block/%00", 400),
        ("/admin/block/%c0%af", 400),
        ("/admin/tx/%e2%82", 400),
        ("/admin/script/%u0041", 400),
        ("/admin/search?q=%", 404),
        ("/admin/search?q=%00", 404),
        ("/admin/search?q=a&q=b", 400),
        ("/admin/search?%ff=%ff", 303),
        ("/admin/search?q=%0d%0aSet-Cookie:%20a=b", 404),
        ("/admin/block/0?page=18446744073709551615", 404),
        ("/admin/block/0?page=18446744073709551616", 400),
        ("/admin/block/999999999", 404),
        ("/admin/script/51?after=0000", 400),
        ("/admin/conflicts?a=&b=", 400),
    ] {
        let answer = get(node.at, path);
        assert_eq!(answer.status, expected, "{path}");
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn a_script_as_long_as_any_can_be_asked_for() {
    let node = TestNode::new();
    let longest = "51".repeat(10_000);
    let found = get(node.at, &format!("/admin/search?q={longest}"));
    assert_eq!(found.status, 303);
    let page = get(node.at, found.header("location").unwrap());
    assert_eq!(page.status, 200);
    let longer = get(node.at, &format!("/admin/script/{longest}51"));
    assert_eq!(longer.status, 400);
}

#[test]
fn the_head_of_every_page_is_that_of_its_content() {
    let node = TestNode::new();
    for path in [
        "/admin/",
        "/admin/live",
        "/admin/block/0",
        "/admin/script/51",
        "/admin/conflicts",
        "/admin/assets/x/live.js",
        "/admin/nope",
        "/",
    ] {
        let (head, whole) = (ask(node.at, "HEAD", path, &[]), get(node.at, path));
        assert_eq!(
            (head.status, head.body.as_str()),
            (whole.status, ""),
            "{path}"
        );
        assert_eq!(head.header("content-type"), whole.header("content-type"));
    }
    // It ends at once, and holds no place.
    for _ in 0..100 {
        let head = ask(node.at, "HEAD", "/admin/events", &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
}

#[test]
fn what_a_visitor_writes_is_never_taken_for_html() {
    let node = TestNode::new();
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E";
    for path in [
        format!("/admin/search?q={script}"),
        format!("/admin/block/{script}"),
        format!("/admin/tx/{script}"),
        format!("/admin/script/{script}"),
        format!("/admin/script/51?world={script}"),
        format!("/admin/conflicts?a={script}"),
        format!("/admin/block/0?page={script}"),
    ] {
        let answer = get(node.at, &path);
        assert!(answer.status >= 400, "{path}");
        assert!(!answer.body.contains("<script>alert"), "{path}");
        assert!(!answer.body.contains("\"'>"), "{path}");
    }
}

#[test]
fn invalid_and_unvalidated_branches_are_told_apart() {
    let node = TestNode::new();
    let good = node.mine(node.genesis(), 3, 1);
    let bad = node.mine(node.genesis(), 2, 2);
    node.ledger.invalidate_block(&bad[0]).unwrap();
    // Two headers on the best tip, without their blocks.
    let mut parent = node.ledger.best();
    let mut headers = Vec::new();
    let mut previous = parent.hash();
    for _ in 0..2 {
        let next = node.ledger.next_block(&parent);
        let mut header = Header {
            prev_blockhash: previous,
            time: next.min_time + headers.len() as u32 + 1,
            nonce: 0,
            ..parent.header()
        };
        while header.validate_pow(header.target()).is_err() {
            header.nonce += 1;
        }
        previous = header.block_hash();
        headers.push(header);
    }
    node.ledger.submit_headers(&headers).unwrap().unwrap();
    parent = node.ledger.best();
    assert_eq!(parent.hash(), good[2]);
    let page = get(node.at, "/admin/");
    let tips: BTreeSet<&str> = page.all("data-tip").into_iter().collect();
    let names = [good[2], bad[1], previous].map(|hash| hash.to_string());
    assert_eq!(tips, names.iter().map(String::as_str).collect());
    let class_of = |hash: &BlockHash| {
        let mark = format!("data-tip=\"{hash}\"");
        let line = page.body.lines().find(|line| line.contains(&mark)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(class_of(&good[2]), "tip best top");
    assert_eq!(class_of(&bad[1]), "tip invalid");
    assert_eq!(class_of(&previous), "tip pending");
    assert!(page.body.contains("3 of 5 headers"));
    // Neither of the two is a world.
    assert!(page.body.contains("nothing competes with it"));
    assert!(page.body.contains(">invalid</text>"));
    for (hash, word) in [(bad[0], "invalid"), (previous, "only its header")] {
        let page = get(node.at, &format!("/admin/block/{hash}"));
        assert_eq!(page.status, 200);
        assert!(page.body.contains(word), "{hash}");
    }
    let answer = get(node.at, &format!("/admin/script/51?world={}", bad[1]));
    assert_eq!(answer.status, 409);
}

#[test]
fn a_thousand_tips_are_drawn_in_part_and_counted() {
    let node = TestNode::new();
    let trunk = node.mine(node.genesis(), 20, 0);
    for mark in 0..999u32 {
        node.mine(trunk[mark as usize % 19], 1, mark + 1);
    }
    let page = get(node.at, "/admin/");
    assert_eq!(page.all("data-tip").len(), 250);
    assert_eq!(page.all("data-more"), ["750"]);
    assert_eq!(page.all("data-tip")[0], trunk[19].to_string());
    assert!(page.body.contains("and 750 more tips"));
    assert!(page.body.len() < 1_000_000);
}

/// Follows every link from the start page on, within the site.
#[test]
fn every_link_leads_to_a_page_and_none_leads_away() {
    let node = TestNode::new();
    let trunk = node.mine(node.genesis(), 5, 0);
    node.mine(trunk[2], 2, 1);
    let mut waiting = VecDeque::from(["/admin/".to_owned()]);
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(path) = waiting.pop_front() {
        let page = get(node.at, &path);
        assert_eq!(page.status, 200, "{path}");
        for forbidden in [
            " style=\"",
            "<style",
            " onclick=",
            "javascript:",
            "<script>",
            "//",
        ] {
            let found = page.body.matches(forbidden).count();
            let allowed = page.body.matches("http://www.w3.org/2000/svg").count();
            let allowed = if forbidden == "//" { allowed } else { 0 };
            let is_page = page
                .header("content-type")
                .unwrap()
                .starts_with("text/html");
            assert!(!is_page || found == allowed, "{path}: {forbidden}");
        }
        for link in page.all("href").into_iter().chain(page.all("src")) {
            let link = link
                .split('#')
                .next()
                .unwrap_or_default()
                .replace("&amp;", "&");
            if !link.is_empty() && seen.insert(link.clone()) {
                assert!(link.starts_with("/admin/"), "{path}: {link}");
                waiting.push_back(link);
            }
        }
        assert!(seen.len() < 500);
    }
    // 8 blocks with their heights, transactions and scripts.
    assert!(seen.len() > 30, "{seen:?}");
    let nowhere = BlockHash::all_zeros();
    assert!(!seen.contains(&format!("/admin/block/{nowhere}")));
}
