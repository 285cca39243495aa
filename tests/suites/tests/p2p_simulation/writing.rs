//! Owns the thread of each node that writes: headers and blocks wait for it, and take their time.
//! Promises the order in which they were handed over.

use super::node::Work;
use super::simulation::{Happening, Simulation};

/// Most blocks that one commit takes.
const GROUP: usize = 16;

impl Simulation {
    pub(super) fn queue_work(&mut self, node: usize, work: Work) {
        if let Some(running) = &mut self.nodes[node].running {
            running.work.push_back(work);
        }
        self.begin_work(node);
    }

    fn begin_work(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let life = state.life;
        let Some(running) = &mut state.running else {
            return;
        };
        if running.busy || running.work.is_empty() {
            return;
        }
        running.busy = true;
        self.after(60, Happening::Written { node, life });
    }

    /// The writing thread takes what waits: headers at once, blocks in groups.
    pub(super) fn written(&mut self, node: usize, life: u64) {
        let now = self.now;
        let state = &mut self.nodes[node];
        let Some(running) = state.running.as_mut().filter(|_| state.life == life) else {
            return;
        };
        running.busy = false;
        match running.work.pop_front() {
            Some(Work::Headers(headers)) => {
                let answer = running
                    .ledger
                    .submit_headers(&headers)
                    .expect("the disk holds");
                running.protocol.headers_taken(answer, now);
            }
            Some(Work::Block(hash, bytes)) => {
                let mut group = vec![(hash, bytes)];
                while group.len() < GROUP
                    && matches!(running.work.front(), Some(Work::Block(..)))
                    && let Some(Work::Block(hash, bytes)) = running.work.pop_front()
                {
                    group.push((hash, bytes));
                }
                let blocks: Vec<&[u8]> = group.iter().map(|(_, bytes)| &bytes[..]).collect();
                let answers = running
                    .ledger
                    .submit_blocks(&blocks)
                    .expect("the disk holds");
                let hashes = group.iter().map(|(hash, _)| *hash);
                running
                    .protocol
                    .blocks_taken(hashes.zip(answers).collect(), now);
                running.protocol.best_changed(now);
            }
            None => {}
        }
        self.act(node);
        self.begin_work(node);
    }
}
