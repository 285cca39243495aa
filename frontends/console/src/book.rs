//! Owns the help: what there is to call, in one line each, written where it is registered.
//! Promises that completion, `help()` and the functions themselves cannot drift apart: one call makes all three.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Dynamic, Engine};

use crate::fault::Given;
use crate::show::Shown;

/// One thing to call.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The kind of value that it belongs to; `None` for a function of its own.
    pub(crate) owner: Option<&'static str>,
    /// As it is written, such as `balance(script, at)`.
    pub(crate) signature: &'static str,
    /// What it gives.
    pub(crate) text: &'static str,
}

impl Entry {
    /// The name without arguments.
    pub(crate) fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or(self.signature)
    }

    /// Whether it is called, rather than read.
    pub(crate) fn is_call(&self) -> bool {
        self.signature.contains('(')
    }
}

/// A kind of value.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// All that there is to call.
#[derive(Clone, Default)]
pub(crate) struct Book(Rc<RefCell<Pages>>);

#[derive(Default)]
struct Pages {
    entries: Vec<Entry>,
    kinds: Vec<Kind>,
}

impl Book {
    /// Notes a function that stands for itself.
    pub(crate) fn function(&self, signature: &'static str, text: &'static str) {
        self.0.borrow_mut().entries.push(Entry {
            owner: None,
            signature,
            text,
        });
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.borrow().entries.clone()
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.0.borrow().kinds.clone()
    }

    /// Begins a kind of value.
    pub(crate) fn kind<'e, T: Clone + 'static + Shown>(
        &self,
        engine: &'e mut Engine,
        text: &'static str,
    ) -> Members<'e, T> {
        let kind = Kind {
            name: T::KIND,
            text,
        };
        self.0.borrow_mut().kinds.push(kind);
        engine
            .register_type_with_name::<T>(T::KIND)
            .register_fn("to_string", |value: &mut T| value.line())
            .register_fn("to_debug", |value: &mut T| value.line());
        Members {
            engine,
            book: self.clone(),
            value: std::marker::PhantomData,
        }
        .method(
            "dump()",
            "all of it as text; what the prompt shows",
            |value: &mut T| -> Given<String> { Ok(value.text()?) },
        )
    }
}

/// The members of a kind of value, as they are registered.
pub(crate) struct Members<'e, T> {
    engine: &'e mut Engine,
    book: Book,
    value: std::marker::PhantomData<T>,
}

impl<T: Clone + 'static + Shown> Members<'_, T> {
    fn note(&self, signature: &'static str, text: &'static str) {
        self.book.0.borrow_mut().entries.push(Entry {
            owner: Some(T::KIND),
            signature,
            text,
        });
    }

    /// A property.
    pub(crate) fn get<R: Into<Dynamic>>(
        self,
        name: &'static str,
        text: &'static str,
        read: impl Fn(&T) -> Given<R> + 'static,
    ) -> Self {
        self.note(name, text);
        self.engine
            .register_get(name, move |value: &mut T| -> Given<Dynamic> {
                Ok(read(value)?.into())
            });
        self
    }

    /// A method without arguments.
    pub(crate) fn method<R: Clone + 'static>(
        self,
        signature: &'static str,
        text: &'static str,
        call: impl Fn(&mut T) -> Given<R> + 'static,
    ) -> Self {
        self.note(signature, text);
        self.engine.register_fn(name(signature), call);
        self
    }

    /// A method with one argument of whatever type.
    pub(crate) fn method1<R: Clone + 'static>(
        self,
        signature: &'static str,
        text: &'static str,
        call: impl Fn(&mut T, Dynamic) -> Given<R> + 'static,
    ) -> Self {
        self.note(signature, text);
        self.engine.register_fn(name(signature), call);
        self
    }

    /// A method with two arguments of whatever type.
    pub(crate) fn method2<R: Clone + 'static>(
        self,
        signature: &'static str,
        text: &'static str,
        call: impl Fn(&mut T, Dynamic, Dynamic) -> Given<R> + 'static,
    ) -> Self {
        self.note(signature, text);
        self.engine.register_fn(name(signature), call);
        self
    }

    /// A method with three arguments of whatever type.
    pub(crate) fn method3<R: Clone + 'static>(
        self,
        signature: &'static str,
        text: &'static str,
        call: impl Fn(&mut T, Dynamic, Dynamic, Dynamic) -> Given<R> + 'static,
    ) -> Self {
        self.note(signature, text);
        self.engine.register_fn(name(signature), call);
        self
    }

    /// Two of them are equal when these keys are.
    pub(crate) fn equal_by<K: PartialEq>(self, key: impl Fn(&T) -> K + Clone + 'static) -> Self {
        let same = key.clone();
        self.engine
            .register_fn("==", move |a: &mut T, b: T| same(a) == same(&b));
        self.engine
            .register_fn("!=", move |a: &mut T, b: T| key(a) != key(&b));
        self
    }
}

fn name(signature: &'static str) -> &'static str {
    signature.split('(').next().unwrap_or(signature)
}
