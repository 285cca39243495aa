use crate::fixtures::{Branch, in_memory};

#[test]
fn headers_that_nobody_knows_count_as_if_their_blocks_were_there() {
    let ledger = in_memory();
    let branch = Branch::genesis().grown(30, 1);
    let headers: Vec<_> = branch.blocks.iter().map(|block| block.header).collect();
    let mut expected = Vec::new();
    for block in &branch.blocks {
        let bytes = crate::fixtures::bytes(block);
        ledger.submit_block(&bytes).unwrap();
        expected.push(ledger.next_block(&ledger.world(&block.hash).unwrap()));
    }
    for known in 0..30 {
        let world = ledger.world(&branch.blocks[known].hash).unwrap();
        for last in known..30 {
            let next = ledger.next_block_after(&world, &headers[known + 1..=last]);
            assert_eq!(next, expected[last], "{known} to {last}");
        }
    }
}
