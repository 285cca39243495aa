//! Owns the mempool's figures. Promises those of one moment. Refuses to name transactions.

use everett_mempool::Mempool;

use crate::text::{Page, Type};

/// Writes them; none where the mempool cannot read its coins.
pub(super) fn write(page: &mut Page, mempool: &Mempool) {
    let Ok(view) = mempool.view() else {
        return;
    };
    let info = view.info();
    drop(view);
    let gauges = [
        (
            "everett_mempool_transactions",
            "Transactions that wait for a block.",
            info.size as f64,
        ),
        (
            "everett_mempool_virtual_bytes",
            "Their size as fees count it.",
            info.vbytes as f64,
        ),
        (
            "everett_mempool_memory_bytes",
            "Memory that they take, estimated.",
            info.usage as f64,
        ),
        (
            "everett_mempool_limit_bytes",
            "Memory that they may take.",
            info.max_bytes as f64,
        ),
        (
            "everett_mempool_fees_satoshis",
            "What they pay together.",
            info.total_fee as f64,
        ),
        (
            "everett_mempool_min_fee_satoshis_per_kilovbyte",
            "The least fee rate that is let in now.",
            info.min_fee.sat_per_kvb() as f64,
        ),
        (
            "everett_mempool_untaken_transactions",
            "Transactions given in here that no peer has asked for yet.",
            info.unbroadcast as f64,
        ),
    ];
    for (name, help, value) in gauges {
        page.one(name, Type::Gauge, help, value);
    }
}
