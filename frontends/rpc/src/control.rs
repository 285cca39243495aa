//! Owns the methods about the node itself.

mod clock;
mod echo;
mod help;
mod memory;
mod old_info;
mod zmq;

pub use memory::LOG_CATEGORIES;

use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &clock::MOCKSCHEDULER,
    &clock::SETMOCKTIME,
    &echo::ECHO,
    &echo::ECHOIPC,
    &echo::ECHOJSON,
    &help::GETRPCINFO,
    &help::HELP,
    &help::STOP,
    &help::UPTIME,
    &memory::GETMEMORYINFO,
    &memory::LOGGING,
    &old_info::GETINFO,
    &zmq::GETZMQNOTIFICATIONS,
];
