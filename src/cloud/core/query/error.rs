//! What is wrong with a query, where, and what to do about it.

use std::fmt;

/// What kind of wrong it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not the language.
    Syntax,
    /// The language, but not what Azure allows here.
    Refused,
    /// Azure has it, this cloud has not.
    Unsupported,
    /// Longer or deeper than this cloud reads.
    TooLarge,
}

/// A query that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What kind of wrong it is.
    pub kind: Kind,
    /// Where, in characters, the first being 1.
    pub column: usize,
    /// What was expected, or what is not allowed.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl QueryError {
    pub(super) fn new(
        kind: Kind,
        column: usize,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { kind, column, problem: problem.into(), advice: advice.into() }
    }

    pub(super) fn syntax(column: usize, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Kind::Syntax, column, problem, advice)
    }

    pub(super) fn refused(column: usize, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Kind::Refused, column, problem, advice)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, problem, advice, .. } = self;
        write!(f, "cannot read the query at column {column}: {problem}; {advice}")
    }
}

impl std::error::Error for QueryError {}
