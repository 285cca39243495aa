use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{BlockHash, ScriptBuf, Sequence, Transaction, Witness};

use super::super::fixtures::{
    ListChain, MapCoins, SeamSpy, block, coinbase, outpoint, transaction,
};
use super::*;
use crate::params::Network;

const SUBSIDY: u64 = 50 * 100_000_000;

fn params() -> Params {
    Params::new(Network::Regtest)
}

/// A chain of 149 blocks: the next one is at height 150, where regtest's subsidy halves.
fn chain() -> ListChain {
    ListChain::regular(&params(), 148, 0x207f_ffff)
}

const HEIGHT: u32 = 149;

fn run(transactions: Vec<Transaction>, coins: &MapCoins) -> Result<Connected, String> {
    run_with(transactions, coins, &params(), &SeamSpy::default())
}

fn run_with(
    transactions: Vec<Transaction>,
    coins: &MapCoins,
    params: &Params,
    scripts: &dyn ScriptCheck,
) -> Result<Connected, String> {
    let chain = chain();
    let block = block(&chain, transactions);
    connect(&block, &chain, coins, params, scripts).map_err(|error| match error {
        ConnectError::Reject(reject) => reject.reason.into_owned(),
        ConnectError::Source(error) => error.to_owned(),
    })
}

/// The reason why a block of a coinbase and these transactions is rejected.
fn fault(transactions: &[Transaction], coins: &MapCoins) -> Option<String> {
    let coinbase = std::iter::once(coinbase(HEIGHT, 0));
    run(
        coinbase.chain(transactions.iter().cloned()).collect(),
        coins,
    )
    .err()
}

fn assert_bad(verdict: Option<String>, reason: &str) {
    assert_eq!(verdict.as_deref(), Some(reason));
}

fn spent(delta: &Delta) -> Vec<OutPoint> {
    delta.spent.iter().map(|(outpoint, _)| *outpoint).collect()
}

fn created(delta: &Delta) -> Vec<OutPoint> {
    delta
        .created
        .iter()
        .map(|(outpoint, _)| *outpoint)
        .collect()
}

#[test]
fn a_delta_has_what_was_spent_and_what_was_made() {
    let mut coins = MapCoins::default();
    let (a, b) = (coins.add(10, 5, false), coins.add(20, 6, true));
    let tx = transaction(&[b, a], &[12, 13]);
    let first = coinbase(HEIGHT, SUBSIDY + 5);
    let connected = run(vec![first.clone(), tx.clone()], &coins).unwrap();
    assert_eq!(connected.fees, Amount::from_sat(5));
    assert_eq!(spent(&connected.delta), [b, a]);
    assert_eq!(connected.delta.spent[0].1, coins.coins[&b]);
    assert_eq!(
        created(&connected.delta),
        [outpoint(&first, 0), outpoint(&tx, 0), outpoint(&tx, 1)]
    );
    let made = &connected.delta.created;
    assert_eq!((made[0].1.coinbase, made[0].1.height), (true, HEIGHT));
    assert_eq!((made[1].1.coinbase, made[1].1.height), (false, HEIGHT));
    assert_eq!(made[1].1.amount, Amount::from_sat(12));
    assert_eq!(coins.asked.get(), 2, "one lookup for each input");
}

#[test]
fn coins_made_and_spent_in_the_block_leave_no_trace() {
    let mut coins = MapCoins::default();
    let a = coins.add(10, 5, false);
    let first = transaction(&[a], &[4, 5]);
    let second = transaction(&[outpoint(&first, 1)], &[5]);
    let third = transaction(&[outpoint(&second, 0), outpoint(&first, 0)], &[9]);
    let connected = run(
        vec![coinbase(HEIGHT, 0), first, second, third.clone()],
        &coins,
    )
    .unwrap();
    assert_eq!(spent(&connected.delta), [a]);
    assert_eq!(created(&connected.delta)[1..], [outpoint(&third, 0)]);
    assert_eq!(coins.asked.get(), 1);
}

#[test]
fn unspendable_outputs_are_no_coins() {
    let mut coins = MapCoins::default();
    let a = coins.add(10, 5, false);
    let mut tx = transaction(&[a], &[1, 2, 3]);
    tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x6a]);
    tx.output[1].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 10_001]);
    tx.output[2].script_pubkey = ScriptBuf::from_bytes(vec![0x51; 10_000]);
    let delta = run(vec![coinbase(HEIGHT, 0), tx.clone()], &coins)
        .unwrap()
        .delta;
    assert_eq!(created(&delta)[1..], [outpoint(&tx, 2)]);
    for vout in [0, 1] {
        let spender = transaction(&[outpoint(&tx, vout)], &[1]);
        assert_bad(
            fault(&[tx.clone(), spender], &coins),
            "bad-txns-inputs-missingorspent",
        );
    }
}

#[test]
fn inputs_exist_and_are_unspent() {
    let mut coins = MapCoins::default();
    let a = coins.add(10, 5, false);
    let missing = "bad-txns-inputs-missingorspent";
    let unknown = OutPoint::new(a.txid, 1);
    assert_bad(fault(&[transaction(&[unknown], &[1])], &coins), missing);
    assert_bad(fault(&[transaction(&[a, unknown], &[1])], &coins), missing);
    let (one, other) = (transaction(&[a], &[1]), transaction(&[a], &[2]));
    assert_bad(fault(&[one.clone(), other], &coins), missing);
    // An output that the transaction before in the block has not, though the one after it has another.
    let beyond = transaction(&[outpoint(&one, 1)], &[1]);
    assert_bad(fault(&[one.clone(), beyond], &coins), missing);
    let huge = transaction(&[outpoint(&one, u32::MAX)], &[1]);
    assert_bad(fault(&[one.clone(), huge], &coins), missing);
    // Spent twice within the block.
    let (second, third) = (
        transaction(&[outpoint(&one, 0)], &[1]),
        transaction(&[outpoint(&one, 0)], &[0]),
    );
    assert_bad(
        fault(&[one.clone(), second.clone(), third], &coins),
        missing,
    );
    // Made later in the block.
    assert_bad(fault(&[second, one], &coins), missing);
}

#[test]
fn a_coinbase_can_be_spent_a_hundred_blocks_later() {
    let mut coins = MapCoins::default();
    let ripe = coins.add(10, HEIGHT - 100, true);
    let young = coins.add(10, HEIGHT - 99, true);
    let premature = "bad-txns-premature-spend-of-coinbase";
    assert_eq!(fault(&[transaction(&[ripe], &[1])], &coins), None);
    assert_bad(fault(&[transaction(&[young], &[1])], &coins), premature);
    let own = transaction(&[outpoint(&coinbase(HEIGHT, 0), 0)], &[0]);
    assert_bad(fault(&[own], &coins), premature);
}

#[test]
fn values_are_money_and_no_more_goes_out_than_in() {
    let mut coins = MapCoins::default();
    let max = super::super::transaction::MAX_MONEY as u64;
    let (all, one) = (coins.add(max, 5, false), coins.add(1, 5, false));
    let (negative, ten) = (coins.add(u64::MAX, 5, false), coins.add(10, 5, false));
    let range = "bad-txns-inputvalues-outofrange";
    assert_bad(fault(&[transaction(&[all, one], &[1])], &coins), range);
    assert_bad(fault(&[transaction(&[negative], &[1])], &coins), range);
    assert_eq!(fault(&[transaction(&[ten], &[10])], &coins), None);
    assert_bad(
        fault(&[transaction(&[ten], &[11])], &coins),
        "bad-txns-in-belowout",
    );
    assert_eq!(fault(&[transaction(&[all], &[0])], &coins), None);
    assert_bad(
        fault(
            &[transaction(&[all], &[0]), transaction(&[one], &[0])],
            &coins,
        ),
        "bad-txns-accumulated-fee-outofrange",
    );
}

#[test]
fn missing_inputs_come_before_immature_ones() {
    let mut coins = MapCoins::default();
    let young = coins.add(10, HEIGHT - 99, true);
    let unknown = OutPoint::new(young.txid, 1);
    assert_bad(
        fault(&[transaction(&[young, unknown], &[1])], &coins),
        "bad-txns-inputs-missingorspent",
    );
}

#[test]
fn relative_lock_times_hold_once_csv_is_active() {
    let mut coins = MapCoins::default();
    let coin = coins.add(10, HEIGHT - 10, false);
    let judge = |sequence, params: &Params| {
        let mut tx = transaction(&[coin], &[1]);
        tx.input[0].sequence = Sequence(sequence);
        let seam = SeamSpy::default();
        let verdict = run_with(vec![coinbase(HEIGHT, 0), tx], &coins, params, &seam);
        let flags = seam
            .calls
            .into_inner()
            .unwrap()
            .pop()
            .map(|call| call.flags);
        (
            verdict.err(),
            flags.is_some_and(|flags| flags.contains(Flags::CHECKSEQUENCEVERIFY)),
        )
    };
    let mut params = params();
    assert_eq!(judge(10, &params), (None, true));
    assert_eq!(
        judge(11, &params),
        (Some("bad-txns-nonfinal".into()), false)
    );
    params.set_activation_height("csv", HEIGHT).unwrap();
    assert_eq!(
        judge(11, &params),
        (Some("bad-txns-nonfinal".into()), false)
    );
    params.set_activation_height("csv", HEIGHT + 1).unwrap();
    assert_eq!(judge(11, &params), (None, false));
}

#[test]
fn a_coinbase_takes_subsidy_and_fees_and_not_more() {
    let mut coins = MapCoins::default();
    let coin = coins.add(10, 5, false);
    let tx = transaction(&[coin], &[3]);
    let with = |sat| run(vec![coinbase(HEIGHT, sat), tx.clone()], &coins);
    assert!(with(SUBSIDY + 7).is_ok());
    assert_eq!(with(SUBSIDY + 8), Err("bad-cb-amount".into()));
    // It may leave some of it to nobody.
    assert!(with(0).is_ok());
}

#[test]
fn signature_operations_of_spent_scripts_count() {
    let mut coins = MapCoins::default();
    // 15 in a P2SH script cost 60, one in a P2WPKH input costs 1.
    let redeem = [0xac; 15];
    let p2sh = ScriptBuf::from_bytes(redeem.to_vec()).to_p2sh();
    let in_p2sh = coins.add_script(10, 5, false, p2sh.as_bytes());
    let p2wpkh = [&[0x00, 20][..], &[1; 20]].concat();
    let in_witness = coins.add_script(10, 5, false, &p2wpkh);
    let mut tx = transaction(&[in_p2sh, in_witness], &[1]);
    tx.input[0].script_sig = Builder::new().push_slice(redeem).into_script();
    tx.input[1].witness = Witness::from_slice(&[[1; 70].as_slice(), &[2; 33]]);
    let with = |checksigs: usize| {
        let mut first = coinbase(HEIGHT, 0);
        first.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; checksigs]);
        run(vec![first, tx.clone()], &coins)
    };
    assert_eq!(with(0).unwrap().sigop_cost, 61);
    assert_eq!(with(100).unwrap().sigop_cost, 461);
    assert_eq!(with(19_984).unwrap().sigop_cost, 79_997);
    assert_eq!(with(19_985), Err("bad-blk-sigops".into()));
    let at_limit = |checksigs: usize| {
        let mut first = coinbase(HEIGHT, 0);
        first.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; checksigs]);
        run(vec![first], &coins).map(|connected| connected.sigop_cost)
    };
    assert_eq!(at_limit(20_000), Ok(80_000));
    assert_eq!(at_limit(20_001), Err("bad-blk-sigops".into()));
}

#[test]
fn scripts_are_run_once_per_block_with_what_they_spend() {
    let mut coins = MapCoins::default();
    let (a, b) = (coins.add(10, 5, false), coins.add(20, 6, false));
    let first = transaction(&[a], &[9]);
    let second = transaction(&[b, outpoint(&first, 0)], &[1]);
    let seam = SeamSpy::default();
    let all = vec![coinbase(HEIGHT, 0), first, second];
    run_with(all, &coins, &params(), &seam).unwrap();
    let calls = seam.calls.into_inner().unwrap();
    let [call] = &calls[..] else {
        panic!("{} calls", calls.len())
    };
    assert_eq!((call.transactions, call.flags), (3, Flags::CONSENSUS));
    let amounts = |index| {
        let spent = call.spent.of(index).iter();
        spent.map(|coin| coin.amount.to_sat()).collect::<Vec<_>>()
    };
    assert_eq!(
        [amounts(0), amounts(1), amounts(2)],
        [vec![], vec![10], vec![20, 9]]
    );
    assert_eq!(call.spent.of(2)[1].height, HEIGHT);
    assert_eq!(call.spent.all().len(), 3);
}

#[test]
fn a_failing_script_is_named_and_comes_last() {
    let mut coins = MapCoins::default();
    let a = coins.add(10, 5, false);
    let tx = transaction(&[a], &[1]);
    let text = "Non-canonical DER signature".to_owned();
    let failure = ScriptFailure {
        transaction: 1,
        input: 0,
        text,
    };
    let seam = SeamSpy {
        failure: Some(failure),
        ..SeamSpy::default()
    };
    let judge = |transactions| run_with(transactions, &coins, &params(), &seam).err();
    let reason = "block-script-verify-flag-failed (Non-canonical DER signature)";
    assert_bad(judge(vec![coinbase(HEIGHT, 0), tx.clone()]), reason);
    assert_eq!(seam.calls.lock().unwrap().len(), 1);
    // Every other fault has precedence, wherever it is, and then no script is run.
    let unknown = transaction(&[OutPoint::new(a.txid, 9)], &[1]);
    assert_bad(
        judge(vec![coinbase(HEIGHT, 0), tx.clone(), unknown]),
        "bad-txns-inputs-missingorspent",
    );
    assert_bad(
        judge(vec![coinbase(HEIGHT, 2 * SUBSIDY), tx]),
        "bad-cb-amount",
    );
    assert_eq!(seam.calls.lock().unwrap().len(), 1);
}

#[test]
fn a_failing_lookup_says_nothing_about_the_block() {
    let coins = MapCoins {
        broken: true,
        ..MapCoins::default()
    };
    let tx = transaction(&[OutPoint::new(Txid::hash(&[1]), 0)], &[1]);
    assert_bad(fault(&[tx], &coins), "the disk is gone");
}

/// Regtest whose BIP34 begins too late to make coinbases unique.
fn params_with_bip30() -> Params {
    let mut params = params();
    params.set_activation_height("bip34", 100).unwrap();
    params
}

/// A coin at the first output of the coinbase that the tests use.
fn overwritable() -> (Transaction, OutPoint, MapCoins) {
    let first = coinbase(HEIGHT, 0);
    let place = outpoint(&first, 0);
    let mut coins = MapCoins::default();
    let elsewhere = coins.add(7, 20, true);
    let coin = coins.coins.remove(&elsewhere).unwrap();
    coins.coins.insert(place, coin);
    (first, place, coins)
}

#[test]
fn unspent_coins_are_not_overwritten() {
    let (first, _, coins) = overwritable();
    let judge = |params: &Params, coins: &MapCoins| {
        run_with(vec![first.clone()], coins, params, &SeamSpy::default())
    };
    assert_eq!(
        judge(&params_with_bip30(), &coins),
        Err("bad-txns-BIP30".into())
    );
    assert!(judge(&params_with_bip30(), &MapCoins::default()).is_ok());
}

#[test]
fn overwriting_is_not_looked_for_where_it_cannot_happen() {
    let (first, _, coins) = overwritable();
    let judge = |params: &Params| {
        coins.asked.set(0);
        let verdict = run_with(vec![first.clone()], &coins, params, &SeamSpy::default());
        (verdict.is_ok(), coins.asked.get())
    };
    // BIP34 since the first block.
    assert_eq!(judge(&params()), (true, 0));
    // The known chain, from the block after BIP34's on.
    let mut known = params_with_bip30();
    known.bip34_hash = Some(chain().header(100).hash);
    assert_eq!(judge(&known), (true, 0));
    known.bip34_height = HEIGHT - 1;
    known.bip34_hash = Some(chain().header(HEIGHT - 1).hash);
    assert_eq!(judge(&known), (true, 0));
    known.bip34_height = HEIGHT;
    assert_eq!(judge(&known), (false, 1));
    // Another chain.
    known.bip34_height = 100;
    known.bip34_hash = Some(BlockHash::all_zeros());
    assert_eq!(judge(&known), (false, 1));
}

#[test]
fn the_known_chain_is_looked_at_again_from_a_limit_on() {
    struct Tall(HeaderFactsAt);
    type HeaderFactsAt = super::super::chain::HeaderFacts;
    impl Chain for Tall {
        fn height(&self) -> u32 {
            self.0.version as u32
        }
        fn header(&self, _: u32) -> HeaderFactsAt {
            self.0
        }
    }
    let mut params = params_with_bip30();
    let mut facts = chain().header(100);
    params.bip34_hash = Some(facts.hash);
    facts.version = 1_983_700;
    assert!(!can_overwrite(&Tall(facts), &params));
    facts.version = 1_983_701;
    assert!(can_overwrite(&Tall(facts), &params));
}

#[test]
fn the_exceptions_overwrite_and_remember_what_they_overwrote() {
    let (first, place, coins) = overwritable();
    let mut params = params_with_bip30();
    let hash = block(&chain(), vec![first.clone()]).hash;
    params.bip30_exceptions = vec![(HEIGHT, hash)];
    let connected = run_with(vec![first.clone()], &coins, &params, &SeamSpy::default()).unwrap();
    assert_eq!(
        connected.delta.spent,
        [(place, coins.coins[&place].clone())]
    );
    assert_eq!(created(&connected.delta), [place]);
    assert_eq!(connected.delta.created[0].1.height, HEIGHT);
    // The same block at another height is none.
    params.bip30_exceptions = vec![(HEIGHT + 1, hash)];
    let verdict = run_with(vec![first], &coins, &params, &SeamSpy::default());
    assert_eq!(verdict, Err("bad-txns-BIP30".into()));
}
