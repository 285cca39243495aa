//! Owns the fields of a line of `--jsonl`.
//! Promises that a message about a wrong one says what the field must be, and that a line takes no more memory than its
//! own length; refuses arrays in the place of objects. Other fields are left alone.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::spend::MAX_AMOUNT_SAT;

/// A line of input.
pub(super) struct SpendLine<'a> {
    pub(super) tx: Cow<'a, str>,
    pub(super) input: Option<usize>,
    pub(super) spent_outputs: Vec<SpentOutputLine<'a>>,
    pub(super) flags: Option<Cow<'a, str>>,
}

/// One of `spent_outputs`.
pub(super) struct SpentOutputLine<'a> {
    /// At most [`MAX_AMOUNT_SAT`].
    pub(super) amount_sat: u64,
    pub(super) script_pubkey: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LineFields<'a> {
    #[serde(borrow, deserialize_with = "tx")]
    tx: Cow<'a, str>,
    #[serde(default, deserialize_with = "input")]
    input: Option<usize>,
    #[serde(borrow, deserialize_with = "outputs")]
    spent_outputs: Vec<SpentOutputLine<'a>>,
    #[serde(borrow, default, deserialize_with = "flags")]
    flags: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OutputFields<'a> {
    #[serde(deserialize_with = "amount")]
    amount_sat: u64,
    #[serde(borrow, deserialize_with = "script_pubkey")]
    script_pubkey: Cow<'a, str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for SpendLine<'a> {
    fn deserialize<D: Deserializer<'de>>(line: D) -> Result<Self, D::Error> {
        let what = "an object with `tx` and `spent_outputs`";
        let fields: LineFields<'a> = line.deserialize_any(Object::new(what))?;
        Ok(SpendLine {
            tx: fields.tx,
            input: fields.input,
            spent_outputs: fields.spent_outputs,
            flags: fields.flags,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for SpentOutputLine<'a> {
    fn deserialize<D: Deserializer<'de>>(output: D) -> Result<Self, D::Error> {
        let what = "each of `spent_outputs` to be an object with `amount_sat` and `script_pubkey`";
        let fields: OutputFields<'a> = output.deserialize_any(Object::new(what))?;
        Ok(SpentOutputLine {
            amount_sat: fields.amount_sat,
            script_pubkey: fields.script_pubkey,
        })
    }
}

/// An object; what it must be in words, and which fields it has.
struct Object<T> {
    what: &'static str,
    fields: PhantomData<T>,
}

impl<T> Object<T> {
    fn new(what: &'static str) -> Object<T> {
        let fields = PhantomData;
        Object { what, fields }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// What stands in a field: nothing for `null`.
enum Value<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Number(u64),
}

/// A field that must be of one kind, which is said in words.
struct Field {
    what: &'static str,
    takes_null: bool,
    /// The largest number; none at all without one, but text.
    most: Option<u64>,
}

impl<'de> Visitor<'de> for Field {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        match self.most {
            None => Ok(Value::Text(Cow::Borrowed(text))),
            Some(_) => Err(E::invalid_type(Unexpected::Other("text"), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        match self.most {
            None => Ok(Value::Text(Cow::Owned(text.to_owned()))),
            Some(_) => Err(E::invalid_type(Unexpected::Other("text"), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        match self.most {
            Some(most) if number <= most => Ok(Value::Number(number)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        match self.takes_null {
            true => Ok(Value::Nothing),
            false => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }
}

fn text<'de, D: Deserializer<'de>>(
    field: D,
    what: &'static str,
    takes_null: bool,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    let most = None;
    let value = field.deserialize_any(Field {
        what,
        takes_null,
        most,
    })?;
    Ok(match value {
        Value::Text(text) => Some(text),
        Value::Nothing | Value::Number(_) => None,
    })
}

fn tx<'de, D: Deserializer<'de>>(field: D) -> Result<Cow<'de, str>, D::Error> {
    let what = "`tx` to be a transaction in hexadecimal, as text";
    Ok(text(field, what, false)?.unwrap_or_default())
}

fn script_pubkey<'de, D: Deserializer<'de>>(field: D) -> Result<Cow<'de, str>, D::Error> {
    let what = "`script_pubkey` to be a script in hexadecimal, as text";
    Ok(text(field, what, false)?.unwrap_or_default())
}

fn flags<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    let what = "`flags` to be names joined by commas, as text, or null";
    text(field, what, true)
}

fn input<'de, D: Deserializer<'de>>(field: D) -> Result<Option<usize>, D::Error> {
    let value = field.deserialize_any(Field {
        what: "`input` to be the number of an input, counted from 0, or null",
        takes_null: true,
        most: Some(u32::MAX.into()),
    })?;
    Ok(match value {
        Value::Number(number) => usize::try_from(number).ok(),
        Value::Nothing | Value::Text(_) => None,
    })
}

fn amount<'de, D: Deserializer<'de>>(field: D) -> Result<u64, D::Error> {
    let value = field.deserialize_any(Field {
        what: "`amount_sat` to be whole satoshis from 0 to 9223372036854775807",
        takes_null: false,
        most: Some(MAX_AMOUNT_SAT),
    })?;
    Ok(match value {
        Value::Number(number) => number,
        Value::Nothing | Value::Text(_) => 0,
    })
}

fn outputs<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<SpentOutputLine<'de>>, D::Error> {
    struct Outputs;

    impl<'de> Visitor<'de> for Outputs {
        type Value = Vec<SpentOutputLine<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("`spent_outputs` to be an array of objects, one for each input")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut outputs = Vec::new();
            while let Some(output) = items.next_element()? {
                outputs.push(output);
            }
            Ok(outputs)
        }
    }

    field.deserialize_any(Outputs)
}
