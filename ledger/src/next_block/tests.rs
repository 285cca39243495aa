use crate::fixtures::{Branch, in_memory};

#[test]
fn headers_that_nobody_knows_count_as_if_their_blocks_were_there() {
    let ledger = in_memory();
    let branch = Branch::genesis().grown(30, 1);
    let headers: Vec<_> = branch.blocks.iter().map(|block| block.header).collect();
    let (mut worlds, mut expected) = (Vec::new(), Vec::new());
    for block in &branch.blocks {
        let bytes = crate::fixtures::bytes(block);
        ledger.submit_block(&bytes).unwrap();
        worlds.push(ledger.best());
        expected.push(ledger.next_block(&ledger.best()));
    }
    for (known, world) in worlds.iter().enumerate() {
        for last in known..30 {
            let next = ledger.next_block_after(world, &headers[known + 1..=last]);
            assert_eq!(next, expected[last], "{known} to {last}");
        }
    }
}
