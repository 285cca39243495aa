//! `--prune`: old block files go, answers stay.

use std::path::Path;

use tempfile::tempdir;

use crate::everett::on;
use crate::vectors;

fn block_file_bytes(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory.join("blocks")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_pruned_directory_has_fewer_blocks_and_the_same_worlds() {
    let (Some(file), Some(blocks)) = (
        vectors::sixty_forks("blocks.dat"),
        vectors::sixty_forks("blocks.jsonl"),
    ) else {
        return;
    };
    let directory = tempdir().unwrap();
    let file_name = file.to_str().unwrap();
    let options = ["import", "--json", "--prune", "1", "--horizon", "20"];
    let answer = on(directory.path(), &[&options[..], &[file_name]].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let (kept, all) = (
        block_file_bytes(directory.path()),
        std::fs::metadata(&file).unwrap().len(),
    );
    // Blocks below height 152 are small: one file of an eighth of the target.
    assert!(kept < all - 100_000, "{kept} of {all} bytes are kept");

    let blocks = vectors::lines(&blocks);
    let top = blocks.iter().max_by_key(|block| block["height"].as_u64());
    let hash = top.unwrap()["hash"].as_str().unwrap();
    let info = on(directory.path(), &["utxo-info", "--json", "--at", hash]).json();
    assert_eq!(info["muhash"], top.unwrap()["muhash"]);
    let first = blocks
        .iter()
        .find(|block| block["height"] == 1)
        .and_then(|block| block["hash"].as_str())
        .unwrap();
    let block = on(directory.path(), &["block", "--json", first]);
    assert_eq!(block.code, Some(1), "{block:?}");
    let error = block.error();
    assert_eq!(error["reason"], "BLOCK_UNKNOWN");
    assert!(error["message"].as_str().unwrap().contains("is pruned"));
}

#[test]
fn pruning_needs_enough_room_and_no_transaction_index() {
    let directory = tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mainnet = ["import", "--json", "--datadir", path, "--prune", "549", "-"];
    let answer = crate::everett::everett(&mainnet);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let message = answer.error()["message"].to_string();
    assert!(message.contains("(550 MiB)"), "{message}");
    let both = ["import", "--json", "--prune", "1", "--txindex", "-"];
    let answer = on(directory.path(), &both);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let message = answer.error()["message"].to_string();
    assert!(message.contains("transaction index"), "{message}");
}
