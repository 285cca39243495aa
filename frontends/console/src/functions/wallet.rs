//! Owns the functions about the node's wallets, and what `the_wallet` stands for.
//! Promises that what changes a wallet is refused without leave, before its arguments are looked at.
//! Refuses passphrases: what is typed here is kept in the history.

use everett_wallet::Wallets;
use rhai::{Array, Dynamic, Engine};

use crate::book::Book;
use crate::context::Ctx;
use crate::fault::{Fault, Given};
use crate::value::WalletValue;

/// The name by which scripts ask the only wallet.
const THE_WALLET: &str = "the_wallet";

/// Makes the functions known to an engine.
pub(super) fn register(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function(
        THE_WALLET,
        "the only wallet that is open, or of several the one without a name",
    );
    let of = context.clone();
    // The interface is not deprecated: its attribute says that it may change with a later Rhai.
    #[allow(deprecated)]
    engine.on_var(move |name, _, _| match name {
        // Which one it is, is looked up when it is used.
        THE_WALLET => Ok(Some(Dynamic::from(WalletValue::usual(&of)))),
        _ => Ok(None),
    });
    book.function("wallets()", "the wallets that are open, by name");
    let of = context.clone();
    engine.register_fn("wallets", move || -> Given<Array> {
        let open = of.wallets()?.list();
        let values = open.iter().map(|wallet| WalletValue::of(&of, wallet));
        Ok(values.map(Dynamic::from).collect())
    });
    book.function("wallet(name)", "an open wallet by its name");
    let of = context.clone();
    engine.register_fn("wallet", move |name: &str| -> Given<WalletValue> {
        let found = of.wallets()?.get(name);
        let found = found.ok_or_else(|| Fault::no_wallet(name))?;
        Ok(WalletValue::of(&of, &found))
    });
}

impl Fault {
    /// No wallet of that name is open.
    pub(crate) fn no_wallet(name: &str) -> Fault {
        let message = format!(
            "no wallet \"{name}\" is open; wallets() lists those that are, and `everett cli loadwallet` opens others"
        );
        Fault::named("WALLET_UNKNOWN", message)
    }
}

impl crate::context::Context {
    /// The node's wallets.
    pub(crate) fn wallets(&self) -> Result<&Wallets, Fault> {
        let wallets = self.node.as_ref().and_then(|node| node.wallets());
        wallets.ok_or_else(|| {
            let why = match self.node {
                Some(_) => "this node keeps no wallets: it was started with --disablewallet",
                None => {
                    "wallets are those of a running node, and this console reads a data directory"
                }
            };
            Fault::named("WALLETS_DISABLED", why)
        })
    }
}

#[cfg(test)]
mod tests;
