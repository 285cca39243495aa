//! Owns what is said of the notifications over ZeroMQ.

use crate::call::Call;
use crate::json::object;
use crate::method::{Answer, Category, Method, Run};

pub(super) static GETZMQNOTIFICATIONS: Method = Method {
    name: "getzmqnotifications",
    category: Category::Zmq,
    about: "What is published over ZeroMQ, and where.",
    arguments: &[],
    result: "[{\"type\", \"address\", \"hwm\"}, ...]    (json array) Each publisher, the address and its high water mark",
    at: false,
    run: Run::Read(notifications),
};

fn notifications(call: &Call) -> Answer {
    let all = call.site.config.zmq.iter();
    Ok(all
        .map(|publisher| {
            object! {
                "type" => publisher.kind.as_str(),
                "address" => publisher.address.as_str(),
                "hwm" => publisher.high_water_mark,
            }
        })
        .collect())
}
