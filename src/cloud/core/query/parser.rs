//! Goes through the pieces of a query or a condition, and says what it expected of them.
//!
//! `clauses` reads what queries are made of, `expressions` what conditions are made of.

use super::ast::{Condition, Dialect, Query};
use super::error::{Kind, QueryError};
use super::lexer::{Piece, Token, tokens, tokens_before};
use super::{MAX_DEPTH, MAX_LENGTH};

pub(super) type Parsed<T> = Result<T, QueryError>;

/// Words that no path begins with.
const RESERVED: &[&str] = &[
    "AND",
    "AS",
    "BY",
    "FALSE",
    "FROM",
    "GROUP",
    "IN",
    "INTO",
    "NIN",
    "NOT",
    "NULL",
    "OR",
    "SELECT",
    "TOP",
    "TRUE",
    "UNDEFINED",
    "WHERE",
];

/// Words of other SQLs, and what to do without them.
const FOREIGN: &[(&str, &str)] = &[
    ("ORDER", "there is no ORDER BY: sort what you get"),
    ("HAVING", "there is no HAVING: filter what you get"),
    ("LIMIT", "there is no LIMIT: write SELECT TOP n"),
    ("OFFSET", "there is no OFFSET: ask for the next page"),
    ("JOIN", "there is no JOIN: ask for each collection by itself"),
    ("DISTINCT", "there is no DISTINCT: write GROUP BY"),
    ("LIKE", "there is no LIKE: compare with =, or IN [...]"),
    ("BETWEEN", "there is no BETWEEN: write a >= 1 AND a <= 2"),
    ("IS", "there is no IS: write = null, or IS_DEFINED(...)"),
    ("UNION", "there is no UNION: ask twice"),
    ("NOT", "write NIN for NOT IN; NOT stands in front of the whole comparison"),
];

/// Whether a path cannot begin with `word`.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser::new(text, Dialect::Twins)?;
        let query = parser.query()?;
        parser.end("WHERE, GROUP BY, or the end of the query")?;
        Ok(query)
    }
}

impl Condition {
    /// Reads the condition of a job or a configuration.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::parse_as(text, Dialect::Twins)
    }

    /// Reads a condition of twins, or of messages.
    pub fn parse_as(text: &str, dialect: Dialect) -> Result<Self, QueryError> {
        let mut parser = Parser::new(text, dialect)?;
        let condition = parser.condition()?;
        parser.end("an operator, or the end of the condition")?;
        Ok(condition)
    }

    /// Reads a condition that stands in a longer text, up to the keyword `end`, which has to be given
    /// in capitals, or to the end of the text. Gives the length of the condition in bytes too.
    pub fn parse_before(text: &str, dialect: Dialect, end: &str) -> Result<(Self, usize), QueryError> {
        check_length(text)?;
        let (tokens, length) = tokens_before(text, dialect, Some(end))?;
        // What is missing stands before that word, and not at any end that a person can see.
        let next = text.get(length..length + end.len()).map(str::to_owned);
        let mut parser = Parser { tokens, at: 0, depth: 0, dialect, next };
        let condition = parser.condition()?;
        parser.end(&format!("an operator or {end}"))?;
        Ok((condition, length))
    }
}

/// Goes through the pieces of a text.
pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    depth: usize,
    pub(super) dialect: Dialect,
    /// The word behind the text, when the text is a part of another.
    next: Option<String>,
}

impl Parser {
    pub(super) fn new(text: &str, dialect: Dialect) -> Parsed<Self> {
        check_length(text)?;
        Ok(Self { tokens: tokens(text, dialect)?, at: 0, depth: 0, dialect, next: None })
    }

    pub(super) fn piece(&self) -> &Piece {
        self.tokens.get(self.at).map_or(&Piece::End, |token| &token.piece)
    }

    pub(super) fn after(&self) -> &Piece {
        self.tokens.get(self.at + 1).map_or(&Piece::End, |token| &token.piece)
    }

    pub(super) fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.column)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.piece(), Piece::Word(own) if own.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_followed_by(&self, word: &str) -> bool {
        matches!(self.after(), Piece::Word(own) if own.eq_ignore_ascii_case(word))
    }

    /// Whether that keyword came next, which is then behind us.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.piece(), Piece::Sign(own) if *own == sign);
        self.at += usize::from(is);
        is
    }

    pub(super) fn need_word(&mut self, word: &str, advice: &str) -> Parsed<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(word, advice)) }
    }

    pub(super) fn need_sign(&mut self, sign: &str, advice: &str) -> Parsed<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"), advice)) }
    }

    pub(super) fn end(&self, expected: &str) -> Parsed<()> {
        if *self.piece() == Piece::End {
            return Ok(());
        }
        Err(self.unexpected(expected, "remove what does not belong there, or put texts in quotes"))
    }

    /// The example that is of use to who writes for twins, or for messages.
    pub(super) fn example<'a>(&self, twins: &'a str, messages: &'a str) -> &'a str {
        match self.dialect {
            Dialect::Twins => twins,
            Dialect::Messages => messages,
        }
    }

    pub(super) fn unexpected(&self, expected: &str, advice: &str) -> QueryError {
        let found = match self.piece() {
            Piece::Word(word) => format!("`{}`", shortened(word)),
            Piece::Bracketed(name) => format!("`[[{}]]`", shortened(name)),
            Piece::Number(number) => format!("the number {number}"),
            Piece::Text(text) => format!("the text '{}'", shortened(text)),
            Piece::Sign(sign) => format!("`{sign}`"),
            Piece::End => match &self.next {
                Some(next) => format!("`{next}`"),
                None => "the end".to_owned(),
            },
        };
        let foreign = FOREIGN.iter().find(|(word, _)| self.is_word(word));
        let advice = foreign.map_or(advice, |(_, advice)| advice);
        QueryError::syntax(self.column(), format!("expected {expected}, found {found}"), advice)
    }

    /// Reads something within something; the depth is bounded.
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let problem = format!("parentheses, NOT, and the like stand more than {MAX_DEPTH} deep");
            return Err(QueryError::new(Kind::TooLarge, self.column(), problem, "write it flatter"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}

fn check_length(text: &str) -> Parsed<()> {
    if text.len() <= MAX_LENGTH {
        return Ok(());
    }
    let problem = format!("the query has {} bytes, and {MAX_LENGTH} are read", text.len());
    Err(QueryError::new(Kind::TooLarge, 1, problem, "ask in several queries"))
}

/// Enough of a text to recognise it.
pub(super) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}
