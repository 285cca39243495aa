//! Owns MempoolService: transactions given in, judged, and listed on any world.
//! Promises Bitcoin Core's reject reasons, and that what is only asked changes nothing.
//! Refuses fee rates beyond a limit unless somebody says that they are meant.

use std::sync::Arc;

use bitcoin::Txid;
use bitcoin::hashes::Hash;
use everett_ledger::decode::{DecodedTransaction, decode_transaction};
use everett_mempool::{
    Accepted, FeeRate, MAX_PACKAGE_COUNT, Mempool, MempoolError, PackageOutcome,
    PackageRejectionKind, Rejection,
};
use everett_node::Handle;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::mempool_service_server::MempoolService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::config::StreamLimits;
use crate::convert::mempool as convert;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::mempool_stream::{self, Wish};
use crate::paging::{self, List, Token};
use crate::reading::Reading;
use crate::responses::Responses;

/// What a transaction pays at most for 1,000 virtual bytes unless its sender says otherwise, in satoshis: Bitcoin Core's limit.
const DEFAULT_MAX_FEE_RATE: i64 = 10_000_000;

pub(crate) struct MempoolCalls {
    calls: Calls,
    limits: StreamLimits,
    places: Arc<Semaphore>,
}

impl MempoolCalls {
    pub(crate) fn new(calls: Calls, limits: StreamLimits) -> MempoolCalls {
        MempoolCalls {
            calls,
            limits,
            places: Arc::new(Semaphore::new(limits.max_streams)),
        }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let limit = self.limits.max_streams;
            let message =
                format!("{limit} streams of the mempool are open, the most this node takes");
            Fault::new(Code::ResourceExhausted, ErrorReason::Overloaded, message)
                .with("limit", limit)
        })
    }
}

#[tonic::async_trait]
impl MempoolService for MempoolCalls {
    type StreamTransactionsStream = Responses<v1::StreamTransactionsResponse>;

    async fn submit_transaction(
        &self,
        request: Request<v1::SubmitTransactionRequest>,
    ) -> Result<Response<v1::SubmitTransactionResponse>, Status> {
        let handle = self.calls.handle().clone();
        self.calls
            .read(request, move |reading, request| {
                submit(reading, &handle, request)
            })
            .await
    }

    async fn test_transaction(
        &self,
        request: Request<v1::TestTransactionRequest>,
    ) -> Result<Response<v1::TestTransactionResponse>, Status> {
        let mempool = self.calls.handle().mempool().clone();
        self.calls
            .read(request, move |reading, request| {
                test(reading, &mempool, request)
            })
            .await
    }

    async fn list_transactions(
        &self,
        request: Request<v1::ListTransactionsRequest>,
    ) -> Result<Response<v1::ListTransactionsResponse>, Status> {
        let mempool = self.calls.handle().mempool().clone();
        self.calls
            .read(request, move |reading, request| {
                list(reading, &mempool, request)
            })
            .await
    }

    async fn stream_transactions(
        &self,
        request: Request<v1::StreamTransactionsRequest>,
    ) -> Result<Response<Self::StreamTransactionsStream>, Status> {
        let place = self.place()?;
        // What a call may take at most is not meant for those that go on as long as their clients like.
        let deadline = Deadline::of(request.metadata(), None);
        let handle = self.calls.handle();
        let wish = Wish::parse(request.into_inner())?;
        let (mempool, stop) = (handle.mempool().clone(), handle.stop_signal().clone());
        let begun = mempool_stream::begin(mempool, wish, self.limits, deadline, stop, place)?;
        Ok(Response::new(begun))
    }
}

/// A transaction of a request.
pub(crate) fn parse_transaction(field: &str, bytes: &[u8]) -> Result<DecodedTransaction, Fault> {
    if bytes.is_empty() {
        return Err(Fault::field(field, "a transaction is missing"));
    }
    let (tx, length) = decode_transaction(bytes)
        .map_err(|error| Fault::field(field, format!("not a transaction: {error}")))?;
    match bytes.len() - length {
        0 => Ok(tx),
        more => {
            let wrong = format!("not a transaction alone: {more} bytes follow it");
            Err(Fault::field(field, wrong))
        }
    }
}

fn submit(
    reading: &Reading<'_>,
    handle: &Handle,
    request: v1::SubmitTransactionRequest,
) -> Result<v1::SubmitTransactionResponse, Fault> {
    let tx = Arc::new(parse_transaction("transaction", &request.transaction)?);
    let most = request
        .max_fee_rate_sat_per_kvb
        .unwrap_or(DEFAULT_MAX_FEE_RATE);
    if most < 0 {
        let wrong = format!("{most} is negative");
        return Err(Fault::field("max_fee_rate_sat_per_kvb", wrong));
    }
    let mempool = handle.mempool();
    let known = known(mempool, &tx.txid)?;
    let verdict = match &known {
        Some(verdict) => verdict.clone(),
        None => {
            if most > 0 {
                let tested = mempool.test_accept(&tx)?;
                let tested = tested.map_err(|refused| rejected(&tx.txid, &refused.rejection))?;
                check_rate(&tested, most)?;
            }
            let accepted = mempool.accept_own(&tx)?;
            let accepted = accepted.map_err(|refused| rejected(&tx.txid, &refused.rejection))?;
            convert::accepted(&tx, &accepted)
        }
    };
    // Who sends it again wants them to hear of it.
    announce(handle, &tx.txid);
    Ok(v1::SubmitTransactionResponse {
        verdict: Some(verdict),
        known: known.is_some(),
        world: Some(reading.tell(&reading.ledger.best())?),
    })
}

/// Has peers told of a transaction that waits.
pub(crate) fn announce(handle: &Handle, txid: &Txid) {
    if let Some(peers) = handle.peers() {
        peers.announce_transaction(txid);
    }
}

fn known(mempool: &Mempool, txid: &Txid) -> Result<Option<v1::TransactionVerdict>, Fault> {
    let view = mempool.view()?;
    Ok(view.entry(txid).map(|entry| convert::known(&entry)))
}

fn check_rate(accepted: &Accepted, most: i64) -> Result<(), Fault> {
    let vsize = i64::try_from(accepted.vsize).unwrap_or(i64::MAX);
    let limit = FeeRate::per_kvb(most).fee(vsize);
    if accepted.fee <= limit {
        return Ok(());
    }
    let wrong = format!(
        "it would pay {} satoshis, more than the {limit} that this rate allows; raise it, or set it to 0, if that is meant",
        accepted.fee
    );
    Err(Fault::field("max_fee_rate_sat_per_kvb", wrong))
}

/// The mempool's "no".
pub(crate) fn rejected(txid: &Txid, rejection: &Rejection) -> Fault {
    let message = format!("the mempool refuses {txid}: {rejection}");
    let fault = Fault::new(Code::FailedPrecondition, ErrorReason::TxRejected, message)
        .with("txid", txid)
        .with("reject_reason", convert::reject_reason(rejection));
    match rejection.debug.is_empty() {
        true => fault,
        false => fault.with("reject_debug_message", &rejection.debug),
    }
}

fn test(
    reading: &Reading<'_>,
    mempool: &Mempool,
    request: v1::TestTransactionRequest,
) -> Result<v1::TestTransactionResponse, Fault> {
    let count = request.transactions.len();
    if count == 0 || count > MAX_PACKAGE_COUNT {
        let wrong = format!("{count} transactions; 1 to {MAX_PACKAGE_COUNT} are judged together");
        return Err(Fault::field("transactions", wrong));
    }
    let transactions = (request.transactions.iter().enumerate())
        .map(|(index, bytes)| {
            let field = format!("transactions[{index}]");
            Ok(Arc::new(parse_transaction(&field, bytes)?))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let world = reading.world("world", request.world)?;
    let (verdicts, package) = match transactions.as_slice() {
        [tx] => {
            let verdict = match mempool.test_accept_on(&world, tx)? {
                Ok(accepted) => convert::accepted(tx, &accepted),
                Err(refused) => convert::refused(tx, &refused.rejection),
            };
            (vec![verdict], None)
        }
        several => {
            let judged = mempool.test_accept_package_on(&world, several)?;
            let verdicts = several.iter().map(|tx| match judged.of(&tx.wtxid) {
                Some(PackageOutcome::Accepted(accepted)) => convert::accepted(tx, accepted),
                Some(PackageOutcome::Refused(refused)) => convert::refused(tx, &refused.rejection),
                _ => convert::unjudged(tx),
            });
            let policy = judged.rejection.as_ref();
            let policy = policy.filter(|found| found.kind == PackageRejectionKind::Policy);
            (verdicts.collect(), policy.map(ToString::to_string))
        }
    };
    Ok(v1::TestTransactionResponse {
        world: Some(reading.tell(&world)?),
        verdicts,
        package_reject_reason: package.unwrap_or_default(),
    })
}

fn list(
    reading: &Reading<'_>,
    mempool: &Mempool,
    request: v1::ListTransactionsRequest,
) -> Result<v1::ListTransactionsResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::MempoolTransactions, &request.page_token)?;
    let reference = paging::pinned(token.as_ref(), 0, request.world);
    let world = reading.world("world", reference)?;
    let filter = [u8::from(request.include_raw)];
    let mut after = None;
    if let Some(token) = &token {
        token.check(&[world.hash()], &filter)?;
        after = Some(token.position::<32>()?);
    }
    let view = mempool.view_on(&world)?;
    let all = view.txids();
    let total_count = all.len() as u64;
    let mut rest: Vec<[u8; 32]> = (all.into_iter().map(display_order))
        .filter(|txid| after.is_none_or(|after| *txid > after))
        .collect();
    // The others need not be in order.
    if rest.len() > page_size {
        rest.select_nth_unstable(page_size);
        rest.truncate(page_size + 1);
    }
    rest.sort_unstable();
    let more = rest.len() > page_size;
    rest.truncate(page_size);
    let mut transactions = Vec::with_capacity(rest.len());
    for txid in &rest {
        reading.patience.check()?;
        // The view is one moment: it is still there.
        if let Some(entry) = view.entry(&Txid::from_byte_array(display_order_bytes(*txid))) {
            transactions.push(convert::entry(&entry, request.include_raw));
        }
    }
    let next = rest.last().filter(|_| more).map(|last| {
        Token::new(
            List::MempoolTransactions,
            &[world.hash()],
            &filter,
            last.to_vec(),
        )
    });
    let (change, least) = (view.change_number(), view.min_fee());
    drop(view);
    Ok(v1::ListTransactionsResponse {
        world: Some(reading.tell(&world)?),
        transactions,
        next_page_token: next.map(|token| token.to_text()).unwrap_or_default(),
        total_count,
        change,
        run: mempool_stream::run(mempool),
        min_fee_rate_sat_per_kvb: least.sat_per_kvb(),
    })
}

/// The bytes of an id in the order in which it is shown.
fn display_order(txid: Txid) -> [u8; 32] {
    display_order_bytes(txid.to_byte_array())
}

fn display_order_bytes(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes.reverse();
    bytes
}

impl From<MempoolError> for Fault {
    fn from(error: MempoolError) -> Fault {
        match error {
            MempoolError::Read(error) => error.into(),
            MempoolError::Block(error) => error.into(),
        }
    }
}
