//! The IoT Hub query language: `SELECT … FROM devices WHERE … GROUP BY …`, and conditions alone.
//!
//! It follows Microsoft's "IoT Hub query language for device and module twins, jobs, and message
//! routing". What that leaves open (how undefined values go through AND, OR, and comparisons)
//! follows the routing engine of Azure IoT Edge, whose source is public.
//!
//! A query knows nothing of registries. Whatever can be asked is a [`Row`], which answers for one
//! path at a time, so that a hundred thousand twins are filtered without writing any of them out.
//!
//! Never here: the registry, HTTP, tokens for the next page, or time.
//!
//! In reading order: [`ast`] says what can be asked, `display` writes it down, `lexer`,
//! `parser`, `clauses`, and `expressions` read it, `names` knows the names the hub itself gives,
//! `eval` and `functions` work out one row's condition, and `run` puts rows together to an answer.

pub mod ast;
mod clauses;
mod display;
mod error;
mod eval;
mod expressions;
mod functions;
mod lexer;
mod names;
mod parser;
mod run;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

pub use self::ast::{Condition, Filter, Path, Query, Source, Step};
pub use self::error::{Kind, QueryError};
pub use self::run::{ItemType, Page, ResultSet};

/// The longest query in bytes. A job's list of a thousand devices fits several times.
pub const MAX_LENGTH: usize = 128 * 1024;

/// How deep parentheses, functions, lists, NOT, and minus may stand in one another. It bounds the
/// stack that reading, evaluating, and dropping a query take.
pub const MAX_DEPTH: usize = 64;

/// The most of a result that stand on one page when nobody says otherwise; the most Azure gives.
pub const MAX_PAGE: usize = 100;

/// What a query is asked of: a twin, a job of a device, a message.
pub trait Row {
    /// What stands at `path`; `None` is the language's `undefined`.
    ///
    /// Names that the hub gives (`deviceId`, `properties.reported`) come in the hub's spelling
    /// whatever the query's, when the query is for twins; see [`ast::Dialect`].
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>>;

    /// All of it, for `SELECT *`.
    fn whole(&self) -> Value;
}

impl Row for Value {
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>> {
        lookup(self, path).map(Cow::Borrowed)
    }

    fn whole(&self) -> Value {
        self.clone()
    }
}

impl<R: Row + ?Sized> Row for &R {
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>> {
        (**self).value(path)
    }

    fn whole(&self) -> Value {
        (**self).whole()
    }
}

/// What stands at `path` within `document`: for rows that hold parts of themselves as JSON.
pub fn lookup<'a>(document: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}
