//! Owns the tree of worlds as text.
//! Promises one line a stretch without forks, the best chain first, and a bound on how many.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bitcoin::BlockHash;
use everett_ledger::{BlockInfo, ChainStatus, Ledger};

/// Most stretches that are printed.
const MAX_LINES: usize = 100;

/// Characters of a hash that are printed: enough to tell blocks of one lab apart.
const SHORT: usize = 10;

/// The tree of worlds, to be printed: each stretch without forks on a line of its own, the best one first.
///
/// ```text
/// 0..101  0f9188f13c → 2ba4c1b6d1
/// ├─ 102..103  51ab6c8e1f → 66b2a90417  best
/// └─ 102  7a21deec55  valid-fork  "payment"
/// ```
#[derive(Clone, Debug)]
pub struct Picture(String);

impl Picture {
    pub(crate) fn of(ledger: &Ledger, labels: &HashMap<BlockHash, String>) -> Picture {
        let mut blocks: HashMap<BlockHash, BlockInfo> = HashMap::new();
        let mut children: BTreeMap<BlockHash, Vec<BlockHash>> = BTreeMap::new();
        for height in 0.. {
            let here = ledger.blocks_at_height(height);
            if here.is_empty() {
                break;
            }
            for block in here {
                let siblings = children.entry(block.header.prev_blockhash).or_default();
                // The best chain's first.
                match block.status {
                    ChainStatus::Active => siblings.insert(0, block.hash),
                    _ => siblings.push(block.hash),
                }
                blocks.insert(block.hash, block);
            }
        }
        let mut drawing = Drawing {
            blocks,
            children,
            labels,
            best: ledger.best().hash(),
            text: String::new(),
            lines: 0,
        };
        drawing.branches(ledger.params().genesis_hash());
        Picture(drawing.text)
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

struct Drawing<'a> {
    blocks: HashMap<BlockHash, BlockInfo>,
    children: BTreeMap<BlockHash, Vec<BlockHash>>,
    labels: &'a HashMap<BlockHash, String>,
    best: BlockHash,
    text: String,
    lines: usize,
}

impl Drawing<'_> {
    /// All stretches from genesis on. A stack of its own: chains of forks may be long.
    fn branches(&mut self, genesis: BlockHash) {
        let mut todo = vec![(genesis, String::new(), "", "")];
        while let Some((first, indent, mark, below)) = todo.pop() {
            if self.lines == MAX_LINES {
                self.text += &format!("… and {} more branches\n", todo.len() + 1);
                return;
            }
            self.lines += 1;
            let last = self.stretch(first, &format!("{indent}{mark}"));
            let indent = format!("{indent}{below}");
            let forks = self.children.get(&last).cloned().unwrap_or_default();
            let count = forks.len();
            for (number, fork) in forks.into_iter().enumerate().rev() {
                let (mark, below) = match number + 1 == count {
                    true => ("└─ ", "   "),
                    false => ("├─ ", "│  "),
                };
                todo.push((fork, indent.clone(), mark, below));
            }
        }
    }

    /// Draws the blocks from `first` on to the next fork, end or label; the last of them.
    fn stretch(&mut self, first: BlockHash, lead: &str) -> BlockHash {
        let mut last = first;
        while let Some([next]) = self.children.get(&last).map(Vec::as_slice) {
            if self.labels.contains_key(&last) {
                break;
            }
            last = *next;
        }
        let (Some(from), Some(to)) = (self.blocks.get(&first), self.blocks.get(&last)) else {
            return last;
        };
        self.text += lead;
        self.text += &match first == last {
            true => format!("{}  {}", from.height, short(&first)),
            false => format!(
                "{}..{}  {} → {}",
                from.height,
                to.height,
                short(&first),
                short(&last)
            ),
        };
        if last == self.best {
            self.text += "  best";
        } else if to.status != ChainStatus::Active {
            self.text += &format!("  {}", to.status.as_str());
        }
        if !to.live && to.status == ChainStatus::ValidFork {
            self.text += " (retired)";
        }
        if let Some(label) = self.labels.get(&last) {
            self.text += &format!("  \"{label}\"");
        }
        self.text.push('\n');
        last
    }
}

/// The last characters of a hash in display order: on regtest the first say little.
pub(crate) fn short(hash: &BlockHash) -> String {
    hash.to_string().chars().take(SHORT).collect()
}
