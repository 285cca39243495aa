//! Owns what becomes JSON, and how.

use bitcoin::{BlockHash, TxMerkleNode, Txid, Work, Wtxid};

use super::Json;
use super::number::write_real;

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Json {
        Json::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Json {
        Json::Text(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        Json::Number(write_real(value))
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Json {
        Json::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Json {
        Json::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Json {
            fn from(value: $kind) -> Json {
                Json::Number(value.to_string())
            }
        }
    )*};
}
whole_numbers!(i32, i64, i128, u8, u16, u32, u64, usize);

macro_rules! shown {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Json {
            fn from(value: $kind) -> Json {
                Json::Text(value.to_string())
            }
        }
    )*};
}
shown!(BlockHash, Txid, Wtxid, TxMerkleNode);

impl From<Work> for Json {
    fn from(work: Work) -> Json {
        Json::Text(format!("{work:064x}"))
    }
}
