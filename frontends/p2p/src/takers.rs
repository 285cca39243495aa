//! Owns the threads that hand headers and blocks to the ledger, and transactions to the mempool.
//! Promises answers in the order of what was handed over, and that blocks which wait are taken in groups: one commit for
//! all of a group.
//! Refuses to go on after the disk failed: the frontend ends with the error, and is started again later.

use std::sync::mpsc::{Receiver, Sender};

use bitcoin::block::Header;
use bytes::Bytes;
use everett_ledger::{Ledger, StoreError};
use everett_mempool::Mempool;

use crate::input::{Input, PendingBlock};
use crate::transactions::MempoolWork;

/// Bytes of blocks in one group; the last one may go beyond.
const GROUP_BYTES: usize = 8_000_000;
/// Blocks in one group.
const GROUP_BLOCKS: usize = 256;

/// Hands headers over until nobody sends any more.
pub(crate) fn take_headers(
    ledger: &Ledger,
    headers: &Receiver<Vec<Header>>,
    answers: &Sender<Input>,
) {
    while let Ok(headers) = headers.recv() {
        let answer = ledger.submit_headers(&headers);
        if !tell(answers, answer, Input::HeadersTaken) {
            return;
        }
    }
}

/// Hands blocks over until nobody sends any more.
pub(crate) fn take_blocks(
    ledger: &Ledger,
    blocks: &Receiver<PendingBlock>,
    answers: &Sender<Input>,
) {
    while let Ok(first) = blocks.recv() {
        let mut bytes = first.bytes.len();
        let mut group = vec![first];
        while bytes < GROUP_BYTES && group.len() < GROUP_BLOCKS {
            let Ok(next) = blocks.try_recv() else { break };
            bytes += next.bytes.len();
            group.push(next);
        }
        let contents: Vec<&Bytes> = group.iter().map(|block| &block.bytes).collect();
        let mut sound = |hash| {
            // Whoever does not listen any more hears of it again below.
            let _ = answers.send(Input::SoundBlock(hash));
        };
        let answer = ledger.submit_blocks_telling(&contents, &mut sound);
        let answer = answer.map(|answers| {
            let hashes = group.iter().map(|block| block.hash);
            hashes.zip(answers).collect()
        });
        if !tell(answers, answer, Input::BlocksTaken) {
            return;
        }
    }
}

/// Does what is to be done with the mempool until nobody sends any more.
pub(crate) fn work_on_mempool(
    mempool: &Mempool,
    works: &Receiver<MempoolWork>,
    answers: &Sender<Input>,
) {
    while let Ok(work) = works.recv() {
        let answer = work.run(mempool).map(Input::MempoolAnswered);
        if answer.is_some_and(|answer| answers.send(answer).is_err()) {
            return;
        }
    }
}

/// Whether to go on.
fn tell<T>(
    answers: &Sender<Input>,
    answer: Result<T, StoreError>,
    input: impl FnOnce(T) -> Input,
) -> bool {
    let input = match answer {
        Ok(answer) => input(answer),
        Err(error) => Input::StoreFailed(error),
    };
    let failed = matches!(input, Input::StoreFailed(_));
    answers.send(input).is_ok() && !failed
}
