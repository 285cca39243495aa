//! Owns who may ask: the way every request takes before it reaches a page.
//! Promises that nobody asks faster than the limits say, that passwords cannot be tried out, and that a foreign site
//! cannot read this page through the visitor's browser.
//! Refuses everything but reading, and the small forms of wallets: for the next address, for a payment, for sending it.
//!
//! ```text
//!   request -> rate -> method, content -> host -> login -> page (a form is checked there: crate::forms)
//! ```

mod buckets;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Limits;
use crate::fault::Fault;
use crate::login::Login;
use buckets::Buckets;

/// After how long another wrong password may be tried.
const WRONG_LOGIN_EVERY: Duration = Duration::from_secs(10);
/// Forms that an address may send at once.
const FORMS: u32 = 20;
/// After how long another form may be sent.
const FORM_EVERY: Duration = Duration::from_secs(3);
/// Most bytes of a form: it has room for a token and a label of the longest kind, each byte of which may be escaped by three,
/// and for all that a payment says, with a comment as long as its page takes one.
const MAX_FORM_BYTES: u64 = 16 * 1024;

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor(pub(crate) IpAddr);

/// Stands before all pages.
pub(crate) struct Gate {
    login: Option<Login>,
    requests: Buckets,
    forms: Buckets,
    wrong_logins: Buckets,
}

impl Gate {
    pub(crate) fn new(login: Option<Login>, limits: &Limits) -> Gate {
        Gate {
            login,
            requests: Buckets::new(limits.burst, Duration::from_secs(1) / limits.rate),
            forms: Buckets::new(FORMS, FORM_EVERY),
            wrong_logins: Buckets::new(limits.wrong_logins, WRONG_LOGIN_EVERY),
        }
    }

    fn admit(&self, visitor: IpAddr, request: &Request) -> Result<(), Fault> {
        let now = Instant::now();
        let who = network_of(visitor);
        if let Err(wait) = self.requests.take(who, now) {
            return Err(Fault::TooMany {
                from: visitor,
                wait,
            });
        }
        let form = *request.method() == Method::POST && takes_form(request.uri().path());
        if !form && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Fault::OnlyReading);
        }
        let too_much = match form {
            true => !is_small(request.headers()),
            false => has_content(request.headers()),
        };
        if too_much {
            return Err(Fault::Content);
        }
        match &self.login {
            None => only_this_machine(request)?,
            Some(login) => self.log_in(login, visitor, request.headers(), now)?,
        }
        if form && let Err(wait) = self.forms.take(who, now) {
            return Err(Fault::TooMany {
                from: visitor,
                wait,
            });
        }
        Ok(())
    }

    fn log_in(
        &self,
        login: &Login,
        visitor: IpAddr,
        headers: &HeaderMap,
        now: Instant,
    ) -> Result<(), Fault> {
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return Err(Fault::Login);
        };
        // Looked at before the password, so that whoever tries too many learns nothing of the right one.
        let who = network_of(visitor);
        if let Err(wait) = self.wrong_logins.peek(who, now) {
            return Err(Fault::TooManyLogins {
                from: visitor,
                wait,
            });
        }
        if login.opens(given.as_bytes()) {
            return Ok(());
        }
        // Two requests at once may both have found a last try; the second one finds nothing to take.
        let _ = self.wrong_logins.take(who, now);
        Err(Fault::Login)
    }
}

/// Lets a request through to its page, or answers it.
pub(crate) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Visitor>().copied();
    // Without an address all visitors count as one.
    let Visitor(address) = visitor.unwrap_or(Visitor(Ipv6Addr::UNSPECIFIED.into()));
    match gate.admit(address, &request) {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

/// Who is counted together: an IPv4 address, or the 64 bits of an IPv6 network that one customer has.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

/// Whether a page takes a form: those of wallets.
fn takes_form(path: &str) -> bool {
    let form = path
        .strip_prefix("/admin/wallet/")
        .and_then(|path| path.rsplit_once('/'));
    form.is_some_and(|(_, form)| matches!(form, "address" | "pay" | "send"))
}

/// Whether a form says how long it is, and is short.
fn is_small(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length <= MAX_FORM_BYTES)
        && !headers.contains_key(header::TRANSFER_ENCODING)
}

fn has_content(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING)
}

/// Without a password, a site whose name is made to point at this machine could read this page through the visitor's
/// browser (DNS rebinding): such a request carries that site's name.
fn only_this_machine(request: &Request) -> Result<(), Fault> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let in_header = hosts.next();
    // Of two names, who forwarded the request may have gone by the other one.
    let one = hosts.next().is_none();
    let named = match (in_header, request.uri().authority()) {
        (Some(host), _) => host.to_str().ok().and_then(|host| host.parse().ok()),
        (None, authority) => authority.cloned(),
    };
    let named: Option<Authority> = named;
    let host = named.as_ref().map_or("", Authority::host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    // No name stands for a bare address, so none can be made to point here.
    let address = bare.parse::<IpAddr>().is_ok();
    let localhost = {
        let name = bare.trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    };
    match one && (address || localhost) {
        true => Ok(()),
        false => Err(Fault::StrangeHost {
            host: in_header.map_or_else(String::new, |host| {
                String::from_utf8_lossy(host.as_bytes()).into_owned()
            }),
        }),
    }
}

#[cfg(test)]
mod tests;
