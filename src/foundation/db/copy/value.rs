//! A row as both engines have it.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A column, by what is in it.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Id,
    Bytes,
    Integer,
    Flag,
    Text,
}

impl Kind {
    /// As PostgreSQL calls it.
    pub fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "uuid" => Self::Id,
            "bytea" => Self::Bytes,
            "int8" => Self::Integer,
            "bool" => Self::Flag,
            "text" => Self::Text,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, Hash)]
pub enum Value {
    Id(Option<Uuid>),
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Flag(Option<bool>),
    Text(Option<String>),
}

/// Reads a column of a row of whichever engine.
macro_rules! read {
    ($row:expr, $at:expr, $kind:expr) => {
        match $kind {
            Kind::Id => Value::Id($row.try_get($at)?),
            Kind::Bytes => Value::Bytes($row.try_get($at)?),
            Kind::Integer => Value::Integer($row.try_get($at)?),
            Kind::Flag => Value::Flag($row.try_get($at)?),
            Kind::Text => Value::Text($row.try_get($at)?),
        }
    };
}
pub(super) use read;

/// Binds a value to a statement of whichever engine.
macro_rules! bind {
    ($query:expr, $value:expr) => {
        match $value {
            Value::Id(value) => $query.bind(value),
            Value::Bytes(value) => $query.bind(value),
            Value::Integer(value) => $query.bind(value),
            Value::Flag(value) => $query.bind(value),
            Value::Text(value) => $query.bind(value),
        }
    };
}
pub(super) use bind;

/// A checksum of rows in whatever order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sum(u128);

impl Sum {
    pub fn add(&mut self, row: &[Value]) {
        // Its form tells where each value ends.
        let digest = Sha256::digest(format!("{row:?}"));
        let half = digest
            .first_chunk()
            .map_or(0, |half| u128::from_le_bytes(*half));
        self.0 = self.0.wrapping_add(half);
    }
}
