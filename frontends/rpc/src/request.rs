//! Owns a request's way from its bytes to its reply: JSON-RPC 1.0, 1.1 and 2.0, one by one and in batches.
//! Promises Core's status codes, and its words for what is wrong.

use std::sync::Arc;

use crate::call::Call;
use crate::error::{INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, RpcError};
use crate::json::Json;
use crate::method::{Answer, Category, Run};
use crate::registry;
use crate::site::Site;
use crate::whitelist::Allowed;

/// What goes back over HTTP.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// No body without it.
    pub(crate) body: Option<Json>,
}

/// Which JSON-RPC a request speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    /// 1.0 and 1.1.
    Legacy,
    /// 2.0.
    Two,
}

/// A request, as far as it was read.
struct Request {
    /// None where the request had none.
    id: Option<Json>,
    version: Version,
    method: String,
    params: Json,
    /// The wallet that the path names.
    wallet: Option<String>,
}

impl Request {
    fn new() -> Request {
        Request {
            id: Some(Json::Null),
            version: Version::Legacy,
            method: String::new(),
            params: Json::Null,
            wallet: None,
        }
    }

    /// Reads one over the one before: what is not reached stays, as in Core.
    fn read(&mut self, value: &Json) -> Result<(), RpcError> {
        let wrong = |message: &str| Err(RpcError::new(INVALID_REQUEST, message));
        if !matches!(value, Json::Object(_)) {
            return wrong("Invalid Request object");
        }
        self.id = value.find("id").cloned();
        self.version = Version::Legacy;
        match value.get("jsonrpc") {
            Json::Null => {}
            Json::Text(text) => match text.as_str() {
                "1.0" => {}
                "2.0" => self.version = Version::Two,
                _ => return wrong("JSON-RPC version not supported"),
            },
            _ => return wrong("jsonrpc field must be a string"),
        }
        self.method = match value.get("method") {
            Json::Null => return wrong("Missing method"),
            Json::Text(method) => method.clone(),
            _ => return wrong("Method must be a string"),
        };
        self.params = match value.get("params") {
            Json::Null => Json::Array(Vec::new()),
            params @ (Json::Array(_) | Json::Object(_)) => params.clone(),
            _ => return wrong("Params must be an array or object"),
        };
        Ok(())
    }

    fn is_notification(&self) -> bool {
        self.id.is_none() && self.version == Version::Two
    }

    fn reply(&self, answer: Answer) -> Json {
        let mut reply = Json::Object(Vec::new());
        let legacy = self.version == Version::Legacy;
        if !legacy {
            reply.push("jsonrpc", "2.0");
        }
        match answer {
            Ok(result) => {
                reply.push("result", result);
                if legacy {
                    reply.push("error", Json::Null);
                }
            }
            Err(error) => {
                if legacy {
                    reply.push("result", Json::Null);
                }
                reply.push("error", error.json());
            }
        }
        reply.push_some("id", self.id.clone());
        reply
    }

    fn refuse(&self, error: RpcError) -> Reply {
        let status = match error.code {
            INVALID_REQUEST => 400,
            METHOD_NOT_FOUND => 404,
            _ => 500,
        };
        Reply {
            status,
            body: Some(self.reply(Err(error))),
        }
    }
}

const NO_CONTENT: Reply = Reply {
    status: 204,
    body: None,
};

const FORBIDDEN: Reply = Reply {
    status: 403,
    body: None,
};

/// Answers the body of a request.
///
/// `wallet`: the one that the path names.
pub(crate) async fn answer(
    site: &Arc<Site>,
    wallet: Option<String>,
    body: &[u8],
    allowed: &Allowed<'_>,
) -> Reply {
    let mut request = Request::new();
    request.wallet = wallet;
    let Ok(value) = Json::parse(body) else {
        return request.refuse(RpcError::new(PARSE_ERROR, "Parse error"));
    };
    if matches!(allowed, Allowed::Nothing) {
        return FORBIDDEN;
    }
    match &value {
        Json::Object(_) => {
            if let Err(error) = request.read(&value) {
                return request.refuse(error);
            }
            if !allowed.method(&request.method) {
                return FORBIDDEN;
            }
            let answer = execute(site, &request).await;
            match answer {
                _ if request.is_notification() => NO_CONTENT,
                Err(error) if request.version == Version::Legacy => request.refuse(error),
                answer => Reply {
                    status: 200,
                    body: Some(request.reply(answer)),
                },
            }
        }
        Json::Array(items) => {
            if let Some(refused) = check_batch(items, allowed, &request) {
                return refused;
            }
            let mut replies = Vec::with_capacity(items.len());
            for item in items {
                let answer = match request.read(item) {
                    Ok(()) => execute(site, &request).await,
                    Err(error) => Err(error),
                };
                if !request.is_notification() {
                    replies.push(request.reply(answer));
                }
            }
            match replies.is_empty() && !items.is_empty() {
                true => NO_CONTENT,
                false => Reply {
                    status: 200,
                    body: Some(Json::Array(replies)),
                },
            }
        }
        _ => request.refuse(RpcError::new(PARSE_ERROR, "Top-level object parse error")),
    }
}

/// Whether a user may call all methods of a batch.
fn check_batch(items: &[Json], allowed: &Allowed, request: &Request) -> Option<Reply> {
    let Allowed::These(_) = allowed else {
        return None;
    };
    for item in items {
        if !matches!(item, Json::Object(_)) {
            let error = RpcError::new(INVALID_REQUEST, "Invalid Request object");
            return Some(request.refuse(error));
        }
        let method = match item.get("method").text() {
            Ok(method) => method,
            Err(error) => {
                return Some(request.refuse(RpcError::new(PARSE_ERROR, error.message)));
            }
        };
        if !allowed.method(method) {
            return Some(FORBIDDEN);
        }
    }
    None
}

async fn execute(site: &Arc<Site>, request: &Request) -> Answer {
    let method = registry::find(&request.method)
        .filter(|method| method.category != Category::Wallet || site.handle.wallets().is_some())
        .ok_or_else(|| RpcError::new(METHOD_NOT_FOUND, "Method not found"))?;
    let _running = site.enter(method.name);
    let given = method.take(&request.params)?;
    let call = Call::new(site.clone(), given).of_wallet(request.wallet.clone());
    let handle = site.handle.clone();
    match method.run {
        Run::Read(run) => handle.read(move |_| run(&call)).await?,
        Run::Write(run) => handle.write(move |_| settled(&call, run(&call))).await?,
        Run::Submit(run) => handle.submit(move |_| settled(&call, run(&call))).await?,
        Run::Wait(run) => run(call).await,
    }
}

/// What may have moved the best world is answered when the mempool has followed, so that whoever follows the mempool sees
/// each step of a caller's.
fn settled(call: &Call, answer: Answer) -> Answer {
    if let Err(error) = call.handle().mempool().catch_up() {
        tracing::warn!(%error, "the mempool does not follow");
    }
    answer
}
