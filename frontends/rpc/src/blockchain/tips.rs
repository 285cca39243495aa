//! Owns the list of tips.

use std::cmp::Reverse;

use crate::call::Call;
use crate::json::object;
use crate::method::{Answer, Category, Method, Run};

pub(super) static GETCHAINTIPS: Method = Method {
    name: "getchaintips",
    category: Category::Blockchain,
    about: "The last block of each branch, the highest first. Branches are validated when they come, so that one that \
            is not the best is a valid-fork rather than only valid-headers.",
    arguments: &[],
    result: "[{\"height\", \"hash\", \"branchlen\", \"status\"}, ...]    (json array) status is active, valid-fork, \
             valid-headers, headers-only or invalid",
    at: false,
    run: Run::Read(chain_tips),
};

fn chain_tips(call: &Call) -> Answer {
    let mut tips = call.ledger().tips();
    // Stable: those of one height stay in the order of their work and arrival.
    tips.sort_by_key(|tip| Reverse(tip.height));
    Ok(tips
        .into_iter()
        .map(|tip| {
            object! {
                "height" => tip.height,
                "hash" => tip.hash,
                "branchlen" => tip.height - tip.fork_height,
                "status" => tip.status.as_str(),
            }
        })
        .collect())
}
