//! Owns the figures about one block.

use std::collections::BTreeSet;

use bitcoin::Transaction;
use bitcoin::consensus::encode::serialize;
use everett_ledger::Coin;

use super::block::{read_block, spent};
use super::block_or_height;
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::Spent;

/// Bytes that an entry of the set takes besides its output: outpoint, height and whether it is a coinbase's.
const ENTRY_BYTES: i64 = 36 + 4;
/// Blocks whose coinbase repeats an earlier one (BIP30), by height.
const REPEATED_COINBASES: [u32; 2] = [91_842, 91_880];
/// Percentiles of feerates that are told.
const PERCENTILES: [f64; 5] = [10.0, 4.0, 2.0, 4.0 / 3.0, 10.0 / 9.0];

pub(super) static GETBLOCKSTATS: Method = Method {
    name: "getblockstats",
    category: Category::Blockchain,
    about: "Figures about one block; amounts in satoshis.",
    arguments: &[
        Argument::required(
            "hash_or_height",
            Kind::Any,
            "The block, by its hash or its height",
        ),
        Argument::optional(
            "stats",
            Kind::Array,
            "The names of those that are wanted; all without it",
        )
        .shown("stats"),
    ],
    result: "{...}    (json object) avgfee, avgfeerate, avgtxsize, blockhash, feerate_percentiles, height, ins, maxfee, \
             maxfeerate, maxtxsize, medianfee, mediantime, mediantxsize, minfee, minfeerate, mintxsize, outs, subsidy, \
             swtotal_size, swtotal_weight, swtxs, time, total_out, total_size, total_weight, totalfee, txs, \
             utxo_increase, utxo_size_inc, utxo_increase_actual, utxo_size_inc_actual",
    at: true,
    run: Run::Read(block_stats),
};

/// The middle of values; of an even number of them, the mean of the two in the middle.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => 0,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2,
    }
}

/// The feerates that so much of the weight stays below.
fn percentiles(mut rates: Vec<(i64, i64)>, weight: i64) -> [i64; 5] {
    let mut result = [0; 5];
    rates.sort_unstable();
    let Some(last) = rates.last().map(|(rate, _)| *rate) else {
        return result;
    };
    let total = weight as f64;
    let bounds = [
        total / PERCENTILES[0],
        total / PERCENTILES[1],
        total / PERCENTILES[2],
        total * 3.0 / 4.0,
        total * 9.0 / 10.0,
    ];
    let mut next = 0;
    let mut sum = 0;
    for (rate, weight) in rates {
        sum += weight;
        while next < bounds.len() && sum as f64 >= bounds[next] {
            result[next] = rate;
            next += 1;
        }
    }
    result[next..].fill(last);
    result
}

/// What is summed up over transactions.
#[derive(Default)]
struct Sums {
    fees: Vec<i64>,
    rates: Vec<(i64, i64)>,
    sizes: Vec<i64>,
    inputs: i64,
    outputs: i64,
    total_out: i64,
    total_size: i64,
    total_weight: i64,
    witness: (i64, i64, i64),
    utxos: i64,
    utxo_bytes: i64,
    utxo_bytes_actual: i64,
}

fn output_bytes(output: &bitcoin::TxOut) -> i64 {
    serialize(output).len() as i64 + ENTRY_BYTES
}

fn spent_bytes(spent: &Spent) -> i64 {
    output_bytes(&bitcoin::TxOut {
        value: spent.amount,
        script_pubkey: spent.script.clone(),
    })
}

impl Sums {
    /// Takes in a transaction; `counts` where its outputs become coins.
    fn add(&mut self, transaction: &Transaction, spent: Option<&[Spent]>, counts: bool) {
        self.outputs += transaction.output.len() as i64;
        let mut out = 0;
        for output in &transaction.output {
            out += output.value.to_sat() as i64;
            let bytes = output_bytes(output);
            self.utxo_bytes += bytes;
            if counts && !Coin::is_unspendable(&output.script_pubkey) {
                self.utxos += 1;
                self.utxo_bytes_actual += bytes;
            }
        }
        if transaction.is_coinbase() {
            return;
        }
        self.inputs += transaction.input.len() as i64;
        self.total_out += out;
        let size = transaction.total_size() as i64;
        self.sizes.push(size);
        self.total_size += size;
        let weight = transaction.weight().to_wu() as i64;
        self.total_weight += weight;
        if transaction
            .input
            .iter()
            .any(|input| !input.witness.is_empty())
        {
            self.witness.0 += 1;
            self.witness.1 += size;
            self.witness.2 += weight;
        }
        let mut taken = 0;
        for coin in spent.unwrap_or_default() {
            taken += coin.amount.to_sat() as i64;
            let bytes = spent_bytes(coin);
            self.utxo_bytes -= bytes;
            self.utxo_bytes_actual -= bytes;
        }
        let fee = taken - out;
        self.fees.push(fee);
        self.rates.push((fee * 4 / weight.max(1), weight));
    }
}

fn block_stats(call: &Call) -> Answer {
    let info = block_or_height(call, 0)?;
    let mut wanted = BTreeSet::new();
    if let Some(names) = call.maybe(1) {
        for name in names.array()? {
            wanted.insert(name.text()?);
        }
    }
    let bytes = call.ledger().block_bytes(&info.hash)?;
    let block = read_block(&info.hash, &bytes)?;
    let spent = spent(call, &info, &block)?;
    if spent.is_empty() && info.height > 0 {
        return Err(RpcError::misc("Undo data not available"));
    }
    let counts = info.height > 0;
    let mut sums = Sums::default();
    for (index, transaction) in block.txdata.iter().enumerate() {
        let repeated = index == 0 && REPEATED_COINBASES.contains(&info.height);
        let mainnet = call.ledger().params().network == everett_ledger::Network::Mainnet;
        let spent = spent.get(index).and_then(|spent| spent.as_deref());
        sums.add(transaction, spent, counts && !(repeated && mainnet));
    }
    let count = block.txdata.len() as i64;
    let fees: i64 = sums.fees.iter().sum();
    let mean = |sum: i64| if count > 1 { sum / (count - 1) } else { 0 };
    let least = |values: &mut dyn Iterator<Item = i64>| values.min().unwrap_or(0);
    let most = |values: &mut dyn Iterator<Item = i64>| values.max().unwrap_or(0);
    let rates = || sums.rates.iter().map(|(rate, _)| *rate);
    let weight = sums.total_weight;
    let all = object! {
        "avgfee" => mean(fees),
        "avgfeerate" => if weight > 0 { fees * 4 / weight } else { 0 },
        "avgtxsize" => mean(sums.total_size),
        "blockhash" => info.hash,
        "feerate_percentiles" => percentiles(sums.rates.clone(), weight).to_vec(),
        "height" => info.height,
        "ins" => sums.inputs,
        "maxfee" => most(&mut sums.fees.iter().copied()),
        "maxfeerate" => most(&mut rates()),
        "maxtxsize" => most(&mut sums.sizes.iter().copied()),
        "medianfee" => median(sums.fees.clone()),
        "mediantime" => info.median_time_past,
        "mediantxsize" => median(sums.sizes.clone()),
        "minfee" => least(&mut sums.fees.iter().copied()),
        "minfeerate" => least(&mut rates()),
        "mintxsize" => least(&mut sums.sizes.iter().copied()),
        "outs" => sums.outputs,
        "subsidy" => call.ledger().params().subsidy(info.height).to_sat(),
        "swtotal_size" => sums.witness.1,
        "swtotal_weight" => sums.witness.2,
        "swtxs" => sums.witness.0,
        "time" => info.header.time,
        "total_out" => sums.total_out,
        "total_size" => sums.total_size,
        "total_weight" => weight,
        "totalfee" => fees,
        "txs" => count,
        "utxo_increase" => sums.outputs - sums.inputs,
        "utxo_size_inc" => sums.utxo_bytes,
        "utxo_increase_actual" => sums.utxos - sums.inputs,
        "utxo_size_inc_actual" => sums.utxo_bytes_actual,
    };
    if wanted.is_empty() {
        return Ok(all);
    }
    let mut some = Json::Object(Vec::new());
    for name in wanted {
        let value = all
            .find(name)
            .ok_or_else(|| RpcError::parameter(format!("Invalid selected statistic '{name}'")))?;
        some.push(name, value.clone());
    }
    Ok(some)
}
