//! A query's words, numbers, texts, and signs.

use serde_json::Number;

use super::ast::Dialect;
use super::error::{Kind, QueryError};

/// A piece of a query, and the column where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) piece: Piece,
    pub(super) column: usize,
}

/// A piece of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A keyword, or one step of a path.
    Word(String),
    /// A step in double brackets: a name that is no word.
    Bracketed(String),
    /// A number.
    Number(Number),
    /// What stands in quotes.
    Text(String),
    /// Everything else.
    Sign(&'static str),
    /// Nothing follows.
    End,
}

/// The longest first.
const SIGNS: &[&str] =
    &["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%"];

/// Whether `name` can stand in a path without brackets.
pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_of_word)
}

/// Whether a path can begin with `name`.
pub(super) fn begins_path(name: &str) -> bool {
    is_word(name) && name.starts_with(begins_word)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

/// All pieces of `text`, the last being [`Piece::End`].
pub(super) fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { rest: text, column: 1, dialect };
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        lexer.skip_space();
        let column = lexer.column;
        // Behind a dot there is a name, whatever it begins with.
        let is_step = tokens.last().is_some_and(|last| last.piece == Piece::Sign("."));
        let piece = lexer.piece(is_step)?;
        let is_end = piece == Piece::End;
        tokens.push(Token { piece, column });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
    dialect: Dialect,
}

impl<'a> Lexer<'a> {
    /// Goes on by so many bytes, which end with a character.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !test(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn piece(&mut self, is_step: bool) -> Result<Piece, QueryError> {
        let Some(first) = self.rest.chars().next() else { return Ok(Piece::End) };
        if is_step && self.rest.starts_with("[[") {
            return self.bracketed();
        }
        if begins_word(first) || (is_step && is_of_word(first)) {
            return Ok(Piece::Word(self.take_while(is_of_word).to_owned()));
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '\'' || first == '"' {
            return self.text(first);
        }
        if self.dialect == Dialect::Messages
            && let Some(brace) = ["{", "}"].into_iter().find(|brace| self.rest.starts_with(brace))
        {
            self.take(brace.len());
            return Ok(Piece::Sign(brace));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            self.take(sign.len());
            return Ok(Piece::Sign(if *sign == "<>" { "!=" } else { sign }));
        }
        Err(self.stranger(first))
    }

    fn stranger(&self, first: char) -> QueryError {
        let (kind, advice) = match first {
            '{' => (Kind::Syntax, "braces stand around system properties of messages only"),
            '|' => (Kind::Unsupported, "`||` is not supported here: write CONCAT(…, …), or OR"),
            '?' => (Kind::Unsupported, "`??` is not supported here: write IS_DEFINED(…) AND …"),
            ';' => (Kind::Syntax, "leave it out: a query ends where the text ends"),
            '&' | '!' => (Kind::Syntax, "write AND, OR, NOT as words"),
            '#' | '@' | ':' | '~' | '^' | '\\' => (
                Kind::Syntax,
                match self.dialect {
                    Dialect::Twins => "write a name with such characters in double brackets: `tags.[[a:b]]`",
                    Dialect::Messages => {
                        "write a name with such characters in double brackets: `$body.[[a:b]]`"
                    }
                },
            ),
            '`' | '‘' | '’' | '“' | '”' => (Kind::Syntax, "write texts in straight quotes: 'text'"),
            _ => (Kind::Syntax, "put texts in quotes, and names of this kind in double brackets"),
        };
        let problem = format!("`{}` means nothing here", first.escape_debug());
        QueryError::new(kind, self.column, problem, advice)
    }

    fn bracketed(&mut self) -> Result<Piece, QueryError> {
        let column = self.column;
        self.take(2);
        let Some(end) = self.rest.find("]]") else {
            let problem = "expected `]]` behind the name in `[[`";
            return Err(QueryError::syntax(column, problem, "close it: `configurations.[[id]].status`"));
        };
        if end == 0 {
            let problem = "expected a name between `[[` and `]]`";
            return Err(QueryError::syntax(column, problem, "write one: `configurations.[[id]].status`"));
        }
        let name = self.take(end).to_owned();
        self.take(2);
        Ok(Piece::Bracketed(name))
    }

    fn number(&mut self) -> Result<Piece, QueryError> {
        let column = self.column;
        let is_hex = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let number = if is_hex {
            self.take(2);
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            u64::from_str_radix(digits, 16).ok().map(Number::from)
        } else {
            let end = decimal_length(self.rest);
            let digits = self.take(end);
            let whole = digits.parse::<u64>().ok().map(Number::from);
            whole.or_else(|| digits.parse::<f64>().ok().and_then(Number::from_f64))
        };
        let is_whole = !self.rest.starts_with(is_of_word);
        number.filter(|_| is_whole).map(Piece::Number).ok_or_else(|| {
            let problem = "expected a number";
            let advice = "write 12, 1.5, 1e3, or 0x1F (of at most 64 bits); texts go in quotes, names that \
                          begin with a digit in double brackets";
            QueryError::syntax(column, problem, advice)
        })
    }

    fn text(&mut self, quote: char) -> Result<Piece, QueryError> {
        let column = self.column;
        self.take(1);
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\'));
            match self.rest.chars().next() {
                Some('\\') => text.push(self.escape()?),
                Some(_) => {
                    self.take(1);
                    return Ok(Piece::Text(text));
                }
                None => {
                    let problem = format!("expected {quote} at the end of the text");
                    return Err(QueryError::syntax(column, problem, "close it"));
                }
            }
        }
    }

    /// "Allowed escapes: `\'`, `\"`, `\\`, `\uXXXX`."
    fn escape(&mut self) -> Result<char, QueryError> {
        let column = self.column;
        let wrong = || {
            let problem = "expected one of the escapes `\\'`, `\\\"`, `\\\\`, `\\uXXXX`";
            QueryError::syntax(column, problem, "write a backslash twice when it is meant as one")
        };
        self.take(1);
        match self.rest.chars().next() {
            Some(c @ ('\'' | '"' | '\\')) => {
                self.take(1);
                Ok(c)
            }
            Some('u') => {
                let first = self.unit().ok_or_else(wrong)?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first).ok_or_else(wrong);
                }
                // Half a character: UTF-16 writes those beyond U+FFFF as two.
                if !self.rest.starts_with("\\u") {
                    return Err(wrong());
                }
                self.take(1);
                let second = self.unit().filter(|unit| (0xdc00..0xe000).contains(unit)).ok_or_else(wrong)?;
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    /// `uXXXX`.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest.get(1..5)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.take(5);
        u32::from_str_radix(digits, 16).ok()
    }
}

/// How many bytes of `text` are a decimal number, given that it begins with a digit.
fn decimal_length(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.bytes().take_while(u8::is_ascii_digit).count()
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}
