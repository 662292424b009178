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

/// What no name of a message has: "IoT Hub message routing query syntax", limitations, and
/// `ID_CHARS` in the grammar of Edge hub. Everything else belongs to the name, so that `a-b`, `a+b`,
/// and `1st` are names, and operators need spaces around them.
const NOT_IN_NAMES: &str = "()<>@,;:\\\"/?={}[]";

/// Whether `name` can stand behind a dot without brackets.
pub(super) fn is_word(name: &str, dialect: Dialect) -> bool {
    !name.is_empty() && name.chars().all(|c| is_of_word(c, dialect)) && !has_operator(name)
}

/// Whether a path can begin with `name` without brackets.
pub(super) fn begins_path(name: &str, dialect: Dialect) -> bool {
    let first = tokens(name, dialect).ok().and_then(|tokens| tokens.into_iter().next());
    first.is_some_and(|token| token.piece == Piece::Word(name.to_owned()))
}

fn is_of_word(c: char, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Twins => c.is_alphanumeric() || c == '_' || c == '$',
        // A dot parts the steps of a path. Whoever writes one of the quotes means a text.
        Dialect::Messages => {
            !c.is_whitespace() && !c.is_control() && !NOT_IN_NAMES.contains(c) && !".`‘’“”".contains(c)
        }
    }
}

/// Whether a path of twins can begin so.
fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

/// Whether there is something in a name that is surely meant as an operator. Edge hub takes it for
/// the name of a property that no message has; here it is refused.
fn has_operator(name: &str) -> bool {
    name.starts_with('!') || name.contains("||") || name.contains("&&")
}

/// All pieces of `text`, the last being [`Piece::End`].
pub(super) fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Token>, QueryError> {
    tokens_before(text, dialect, None).map(|(tokens, _)| tokens)
}

/// All pieces of `text` up to the keyword `end`, the last being [`Piece::End`], and how many bytes
/// they are. What stands behind is not looked at.
pub(super) fn tokens_before(
    text: &str,
    dialect: Dialect,
    end: Option<&str>,
) -> Result<(Vec<Token>, usize), QueryError> {
    let mut lexer = Lexer { rest: text, column: 1, dialect };
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        let before = lexer.column;
        lexer.skip_space();
        let (column, length) = (lexer.column, text.len() - lexer.rest.len());
        let last = tokens.last().map(|token| &token.piece);
        let place = Place {
            is_step: last == Some(&Piece::Sign(".")),
            is_behind_path: column == before
                && matches!(last, Some(Piece::Word(_) | Piece::Bracketed(_) | Piece::Sign("]"))),
        };
        let is_step = place.is_step;
        let piece = lexer.piece(place)?;
        let is_keyword = |word: &String| !is_step && end.is_some_and(|end| end.eq_ignore_ascii_case(word));
        let piece = if matches!(&piece, Piece::Word(word) if is_keyword(word)) { Piece::End } else { piece };
        let is_end = piece == Piece::End;
        tokens.push(Token { piece, column });
        if is_end {
            return Ok((tokens, length));
        }
    }
}

/// Where a piece stands.
#[derive(Clone, Copy)]
struct Place {
    /// Behind a dot: what stands there is a name, whatever it begins with.
    is_step: bool,
    /// Right behind a path, with no space between: a dot there goes on with it.
    is_behind_path: bool,
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

    /// Goes on to what means something. Conditions of messages may have comments, as in Edge hub.
    fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            let comment = self.rest.strip_prefix("/*").filter(|_| self.dialect == Dialect::Messages);
            let Some(length) = comment.and_then(|text| text.find("*/")) else { return };
            self.take(length + "/**/".len());
        }
    }

    fn is_of_word(&self) -> impl Fn(char) -> bool + use<> {
        let dialect = self.dialect;
        move |c| is_of_word(c, dialect)
    }

    fn piece(&mut self, place: Place) -> Result<Piece, QueryError> {
        match self.dialect {
            Dialect::Twins => self.piece_of_twins(place),
            Dialect::Messages => self.piece_of_messages(place),
        }
    }

    fn piece_of_twins(&mut self, place: Place) -> Result<Piece, QueryError> {
        let Some(first) = self.rest.chars().next() else { return Ok(Piece::End) };
        if place.is_step && self.rest.starts_with("[[") {
            return self.bracketed();
        }
        if begins_word(first) || (place.is_step && is_of_word(first, self.dialect)) {
            return Ok(Piece::Word(self.take_while(self.is_of_word()).to_owned()));
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '\'' || first == '"' {
            return self.text(first);
        }
        self.sign(first)
    }

    /// As in Edge hub, the longest piece counts: what goes on to the next space, or to what no name
    /// has, is one name, unless all of it is a number or an operator.
    fn piece_of_messages(&mut self, place: Place) -> Result<Piece, QueryError> {
        let Some(first) = self.rest.chars().next() else { return Ok(Piece::End) };
        // Three are a list that begins with such a name.
        if self.rest.starts_with("[[") && (place.is_step || !self.rest.starts_with("[[[")) {
            return self.bracketed();
        }
        if first == '"' || (first == '\'' && !place.is_step) {
            return self.text_alone(first);
        }
        if first == '.' && place.is_behind_path {
            return self.sign(first);
        }
        let is_of_word = self.is_of_word();
        let end = self.rest.find(|c| !(is_of_word(c) || c == '.')).unwrap_or(self.rest.len());
        let all = &self.rest[..end];
        if !place.is_step && is_number(all) {
            return self.number();
        }
        let is_sign = SIGNS.contains(&all) || self.rest.starts_with("!=");
        let word = all.split('.').next().unwrap_or_default();
        if word.is_empty() || (is_sign && !place.is_step) {
            return self.sign(first);
        }
        if let Some(at) = ["||", "&&"].iter().find_map(|sign| word.find(sign)) {
            self.take(at);
        }
        if has_operator(word) {
            return Err(self.stranger(self.rest.chars().next().unwrap_or(first)));
        }
        if word.ends_with('!') && self.rest[word.len()..].starts_with('=') {
            self.take(word.len() - 1);
            let problem = format!("`!` belongs to the name in front of it: `{}`", word.escape_debug());
            return Err(QueryError::syntax(self.column, problem, "put a space in front of `!=`"));
        }
        Ok(Piece::Word(self.take(word.len()).to_owned()))
    }

    /// A text that ends where the quotes do.
    fn text_alone(&mut self, quote: char) -> Result<Piece, QueryError> {
        let text = self.text(quote)?;
        // In double quotes it ends for Edge hub too.
        if quote == '\'' && self.rest.starts_with(self.is_of_word()) {
            let problem = "the text in quotes goes on behind them";
            let advice = "put a space behind the text: Edge hub takes it and what follows for one name";
            return Err(QueryError::syntax(self.column, problem, advice));
        }
        Ok(text)
    }

    fn sign(&mut self, first: char) -> Result<Piece, QueryError> {
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
                        "write a name with such characters in double brackets: `[[a:b]]`, `$body.[[a:b]]`"
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
            let whole = whole.or_else(|| digits.parse::<i64>().ok().map(Number::from));
            whole.or_else(|| digits.parse::<f64>().ok().and_then(Number::from_f64))
        };
        let is_whole = !self.rest.starts_with(self.is_of_word());
        number.filter(|_| is_whole).map(Piece::Number).ok_or_else(|| {
            let problem = "expected a number";
            let advice = "write 12, 1.5, 1e3, or 0x1F (of at most 64 bits); texts go in quotes";
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

/// Whether all of `text` is written like a number.
fn is_number(text: &str) -> bool {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => decimal_length(text) == text.len() && text.bytes().any(|byte| byte.is_ascii_digit()),
    }
}

/// How many bytes of `text` are a decimal number. A minus and a dot may stand in front: who asks
/// knows whether they belong to it.
fn decimal_length(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.bytes().take_while(u8::is_ascii_digit).count()
    };
    let sign = usize::from(text.starts_with('-'));
    let mut end = sign + digits(sign);
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if end > sign && text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}
