//! Reads queries and conditions.

use serde_json::Value;

use super::ast::{
    Aggregate, Chain, Column, Condition, Dialect, Expression, Filter, Function, Item, Level, Operator, Path,
    Query, Selection, Source, Step,
};
use super::error::{Kind, QueryError};
use super::lexer::{Piece, Token, tokens};
use super::{MAX_DEPTH, MAX_LENGTH, functions, names};

type Parsed<T> = Result<T, QueryError>;

/// Words that no path begins with.
const RESERVED: &[&str] = &[
    "AND",
    "AS",
    "BY",
    "FALSE",
    "FROM",
    "GROUP",
    "IN",
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
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    dialect: Dialect,
}

impl Parser {
    fn new(text: &str, dialect: Dialect) -> Parsed<Self> {
        if text.len() > MAX_LENGTH {
            let problem = format!("the query has {} bytes, and {MAX_LENGTH} are read", text.len());
            return Err(QueryError::new(Kind::TooLarge, 1, problem, "ask in several queries"));
        }
        Ok(Self { tokens: tokens(text)?, at: 0, depth: 0, dialect })
    }

    fn piece(&self) -> &Piece {
        self.tokens.get(self.at).map_or(&Piece::End, |token| &token.piece)
    }

    fn after(&self) -> &Piece {
        self.tokens.get(self.at + 1).map_or(&Piece::End, |token| &token.piece)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.column)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.piece(), Piece::Word(own) if own.eq_ignore_ascii_case(word))
    }

    /// Whether that keyword came next, which is then behind us.
    fn word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.piece(), Piece::Sign(own) if *own == sign);
        self.at += usize::from(is);
        is
    }

    fn need_word(&mut self, word: &str, advice: &str) -> Parsed<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(word, advice)) }
    }

    fn need_sign(&mut self, sign: &str, advice: &str) -> Parsed<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"), advice)) }
    }

    fn end(&self, expected: &str) -> Parsed<()> {
        if *self.piece() == Piece::End {
            return Ok(());
        }
        Err(self.unexpected(expected, "remove what does not belong there, or put texts in quotes"))
    }

    fn unexpected(&self, expected: &str, advice: &str) -> QueryError {
        let found = match self.piece() {
            Piece::Word(word) => format!("`{}`", shortened(word)),
            Piece::Bracketed(name) => format!("`[[{}]]`", shortened(name)),
            Piece::Number(number) => format!("the number {number}"),
            Piece::Text(text) => format!("the text '{}'", shortened(text)),
            Piece::Sign(sign) => format!("`{sign}`"),
            Piece::End => "the end".to_owned(),
        };
        let foreign = FOREIGN.iter().find(|(word, _)| self.is_word(word));
        let advice = foreign.map_or(advice, |(_, advice)| advice);
        QueryError::syntax(self.column(), format!("expected {expected}, found {found}"), advice)
    }

    /// Reads something within something; the depth is bounded.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let problem = format!("parentheses, NOT, and the like stand more than {MAX_DEPTH} deep");
            return Err(QueryError::new(Kind::TooLarge, self.column(), problem, "write it flatter"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn query(&mut self) -> Parsed<Query> {
        self.need_word("SELECT", "write SELECT * FROM devices")?;
        let top = if self.word("TOP") { Some(self.top()?) } else { None };
        let select_column = self.column();
        let selection = if self.sign("*") { Selection::Whole } else { self.columns()? };
        self.need_word("FROM", "write SELECT * FROM devices")?;
        let source = self.source()?;
        let condition = if self.word("WHERE") { Some(self.expression(Level::Or)?) } else { None };
        let group_column = self.column();
        let group_by = if self.word("GROUP") {
            self.need_word("BY", "write GROUP BY tags.site")?;
            Some(self.path()?)
        } else {
            None
        };
        let query = Query { selection, top, source, condition, group_by };
        check(&query, select_column, group_column)?;
        Ok(query)
    }

    fn top(&mut self) -> Parsed<usize> {
        let count = match self.piece() {
            Piece::Number(number) => number.as_u64().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        let count = count.filter(|count| *count > 0);
        let count = count.ok_or_else(|| self.unexpected("a count from 1", "write SELECT TOP 10 * …"))?;
        self.at += 1;
        Ok(count)
    }

    fn source(&mut self) -> Parsed<Source> {
        let advice = "ask FROM devices, devices.modules, or devices.jobs: there is nothing else";
        let expected = "a collection";
        if !self.word("devices") {
            return Err(self.unexpected(expected, advice));
        }
        if !self.sign(".") {
            return Ok(Source::Devices);
        }
        if self.word("modules") {
            Ok(Source::Modules)
        } else if self.word("jobs") {
            Ok(Source::DeviceJobs)
        } else {
            Err(self.unexpected(expected, advice))
        }
    }

    fn columns(&mut self) -> Parsed<Selection> {
        let mut columns: Vec<Column> = Vec::new();
        loop {
            let at = self.column();
            let column = self.one_column()?;
            if columns.iter().any(|other| other.name == column.name) {
                let problem = format!("two columns are called `{}`", shortened(&column.name));
                return Err(QueryError::refused(at, problem, "give one another name behind AS"));
            }
            columns.push(column);
            if !self.sign(",") {
                return Ok(Selection::Columns(columns));
            }
        }
    }

    fn one_column(&mut self) -> Parsed<Column> {
        let is_call = *self.after() == Piece::Sign("(");
        let (item, own_name) = if is_call {
            (self.aggregate()?, None)
        } else {
            let start = self.at;
            let path = self.path()?;
            // As it is written: the path itself is in the hub's spelling by now.
            let last = self.tokens[start..self.at].last().map(|token| &token.piece);
            let name = match last {
                Some(Piece::Word(name) | Piece::Bracketed(name)) => Some(name.clone()),
                _ => None,
            };
            (Item::Path(path), name)
        };
        if self.word("AS") {
            let Piece::Word(name) = self.piece() else {
                return Err(self.unexpected("a name behind AS", "write COUNT() AS number"));
            };
            let name = name.clone();
            self.at += 1;
            return Ok(Column { item, name });
        }
        let advice = "give it a name: COUNT() AS number, tags.list[0] AS first";
        let name = own_name.ok_or_else(|| self.unexpected("AS and a name", advice))?;
        Ok(Column { item, name })
    }

    fn aggregate(&mut self) -> Parsed<Item> {
        let Piece::Word(name) = self.piece() else {
            return Err(self.unexpected("a path or an aggregate", "write deviceId, or COUNT() AS number"));
        };
        let aggregate = match name.to_ascii_uppercase().as_str() {
            "COUNT" => None,
            "SUM" => Some(Aggregate::Sum),
            "AVG" => Some(Aggregate::Avg),
            "MIN" => Some(Aggregate::Min),
            "MAX" => Some(Aggregate::Max),
            _ => {
                let problem = format!("`{}` cannot be selected", shortened(name));
                let advice = "select paths, COUNT(), SUM(path), AVG(path), MIN(path), or MAX(path)";
                return Err(QueryError::refused(self.column(), problem, advice));
            }
        };
        // The name, and what opens.
        self.at += 2;
        let item = match aggregate {
            None => Item::Count,
            Some(aggregate) => Item::Aggregate(aggregate, self.path()?),
        };
        self.need_sign(")", "COUNT() counts rows and takes nothing; the others take one path")?;
        Ok(item)
    }

    fn condition(&mut self) -> Parsed<Condition> {
        if *self.piece() == Piece::End {
            return Ok(Condition { source: None, filter: Filter::Empty });
        }
        if self.sign("*") {
            return Ok(Condition { source: None, filter: Filter::All });
        }
        if !self.word("FROM") {
            let filter = Filter::When(self.expression(Level::Or)?);
            return Ok(Condition { source: None, filter });
        }
        let source = Some(self.source()?);
        let filter = if self.word("WHERE") { Filter::When(self.expression(Level::Or)?) } else { Filter::All };
        Ok(Condition { source, filter })
    }

    /// What holds together at least as strongly as `level`.
    fn expression(&mut self, level: Level) -> Parsed<Expression> {
        match level {
            Level::Or => self.chain(level, Level::And),
            Level::And => self.chain(level, Level::Not),
            Level::Not if self.word("NOT") => {
                let inner = self.within(|parser| parser.expression(Level::Not))?;
                Ok(Expression::Not(Box::new(inner)))
            }
            Level::Not | Level::Comparison => self.chain(Level::Comparison, Level::Sum),
            Level::Sum => self.chain(level, Level::Product),
            Level::Product => self.chain(level, Level::Sign),
            Level::Sign if self.sign("-") => {
                let inner = self.within(|parser| parser.expression(Level::Sign))?;
                Ok(Expression::Negate(Box::new(inner)))
            }
            Level::Sign | Level::Primary => self.primary(),
        }
    }

    fn chain(&mut self, level: Level, operand: Level) -> Parsed<Expression> {
        let first = self.expression(operand)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator().filter(|operator| operator.level() == level) {
            self.at += 1;
            let is_list = matches!(operator, Operator::In | Operator::NotIn);
            if is_list && *self.piece() == Piece::Sign("(") {
                return Err(self.unexpected("`[`", "write lists in brackets: deviceId IN ['a', 'b']"));
            }
            rest.push((operator, self.expression(operand)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Chain { first: Box::new(first), rest }) })
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.piece() {
            Piece::Sign("=") => Operator::Equal,
            Piece::Sign("!=") => Operator::Unequal,
            Piece::Sign("<") => Operator::Less,
            Piece::Sign("<=") => Operator::LessOrEqual,
            Piece::Sign(">") => Operator::Greater,
            Piece::Sign(">=") => Operator::GreaterOrEqual,
            Piece::Sign("+") => Operator::Plus,
            Piece::Sign("-") => Operator::Minus,
            Piece::Sign("*") => Operator::Times,
            Piece::Sign("/") => Operator::Divide,
            Piece::Sign("%") => Operator::Modulo,
            Piece::Word(word) => match word.to_ascii_uppercase().as_str() {
                "OR" => Operator::Or,
                "AND" => Operator::And,
                "IN" => Operator::In,
                "NIN" => Operator::NotIn,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let literal = match self.piece() {
            Piece::Number(number) => Some(Expression::Literal(Value::Number(number.clone()))),
            Piece::Text(text) => Some(Expression::Literal(Value::String(text.clone()))),
            Piece::Word(word) => match word.to_ascii_uppercase().as_str() {
                "TRUE" => Some(Expression::Literal(Value::Bool(true))),
                "FALSE" => Some(Expression::Literal(Value::Bool(false))),
                "NULL" => Some(Expression::Literal(Value::Null)),
                "UNDEFINED" => Some(Expression::Undefined),
                _ => None,
            },
            _ => None,
        };
        if let Some(literal) = literal {
            self.at += 1;
            return Ok(literal);
        }
        if self.sign("(") {
            let inner = self.within(|parser| parser.expression(Level::Or))?;
            self.need_sign(")", "close what was opened")?;
            return Ok(inner);
        }
        if self.sign("[") {
            let elements = self.within(|parser| parser.list("]"))?;
            return Ok(Expression::Array(elements));
        }
        if matches!(self.piece(), Piece::Word(_)) && *self.after() == Piece::Sign("(") {
            return self.call();
        }
        Ok(Expression::Path(self.path()?))
    }

    /// Values up to what closes the list.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expression>> {
        let mut values = Vec::new();
        if self.sign(close) {
            return Ok(values);
        }
        loop {
            values.push(self.expression(Level::Or)?);
            if !self.sign(",") {
                self.need_sign(close, "separate values with commas, and close what was opened")?;
                return Ok(values);
            }
        }
    }

    fn call(&mut self) -> Parsed<Expression> {
        let column = self.column();
        let function = self.function()?;
        // The name, and what opens.
        self.at += 2;
        let values = self.within(|parser| parser.list(")"))?;
        let (least, most) = function.takes;
        if values.len() < least || values.len() > most {
            let takes = match (least, most) {
                (least, usize::MAX) => format!("{least} or more"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            let problem = format!("{} takes {takes} values, found {}", function.name, values.len());
            return Err(QueryError::syntax(column, problem, "give it what it takes, separated by commas"));
        }
        Ok(Expression::Call(function.function, values))
    }

    fn function(&self) -> Parsed<&'static functions::Signature> {
        let column = self.column();
        let Piece::Word(name) = self.piece() else {
            return Err(self.unexpected("a function", "write IS_DEFINED(tags.site)"));
        };
        if let Some(found) = functions::named(name) {
            if self.dialect == Dialect::Twins && !Function::is_for_twins(found.function) {
                let problem = format!("{} is a function for message routes, not for twins", found.name);
                let advice = "use IS_DEFINED and STARTS_WITH here, and filter what you get";
                return Err(QueryError::refused(column, problem, advice));
            }
            return Ok(found);
        }
        let name = name.to_ascii_uppercase();
        let problem = format!("there is no function `{}` here", shortened(&name));
        Err(match name.as_str() {
            "COUNT" | "SUM" | "AVG" | "MIN" | "MAX" => {
                QueryError::refused(column, problem, "aggregates stand behind SELECT only")
            }
            "TWIN_CHANGE_INCLUDES" => {
                let problem = "TWIN_CHANGE_INCLUDES is not supported in this cloud";
                QueryError::new(Kind::Unsupported, column, problem, "write IS_DEFINED($body.…)")
            }
            "IN" | "NIN" | "AND" | "OR" | "NOT" => {
                self.unexpected("a value", "put what belongs together in parentheses")
            }
            _ => QueryError::refused(column, problem, "see the functions of the IoT Hub query language"),
        })
    }

    fn path(&mut self) -> Parsed<Path> {
        let advice = "write a path like tags.site or properties.reported.fw, or a value; texts in quotes";
        let mut steps = match self.piece() {
            Piece::Word(word) if !is_reserved(word) => vec![Step::Name(word.clone())],
            _ => return Err(self.unexpected("a path or a value", advice)),
        };
        self.at += 1;
        loop {
            if self.sign(".") {
                let (Piece::Word(name) | Piece::Bracketed(name)) = self.piece() else {
                    return Err(self.unexpected("a name behind the dot", advice));
                };
                steps.push(Step::Name(name.clone()));
            } else if self.sign("[") {
                let index = match self.piece() {
                    Piece::Number(number) => number.as_u64().and_then(|index| usize::try_from(index).ok()),
                    _ => None,
                };
                let Some(index) = index else {
                    let advice = "write list[0]; names go behind a dot: tags.[[odd name]]";
                    return Err(self.unexpected("an index from 0", advice));
                };
                self.at += 1;
                steps.push(Step::Index(index));
                if *self.piece() != Piece::Sign("]") {
                    return Err(self.unexpected("`]`", "write list[0]"));
                }
            } else {
                break;
            }
            self.at += 1;
        }
        let mut path = Path(steps);
        if self.dialect == Dialect::Twins {
            names::canonical(&mut path);
        }
        Ok(path)
    }
}

/// What Azure refuses although it is well written: "Queries for IoT Hub jobs", limitations, and the
/// rules of grouping.
fn check(query: &Query, select_column: usize, group_column: usize) -> Parsed<()> {
    let grouped = query.group_by.is_some();
    if query.source == Source::DeviceJobs && (grouped || query.selection != Selection::Whole) {
        let problem = "devices.jobs can only be asked for all of each row";
        return Err(QueryError::refused(select_column, problem, "write SELECT * FROM devices.jobs"));
    }
    let Selection::Columns(columns) = &query.selection else {
        if grouped {
            let problem = "SELECT * cannot be grouped";
            let advice = "select the path grouped by, and aggregates like COUNT() AS number";
            return Err(QueryError::refused(group_column, problem, advice));
        }
        return Ok(());
    };
    if !query.is_aggregated() {
        return Ok(());
    }
    let stray = columns
        .iter()
        .find(|column| matches!(&column.item, Item::Path(path) if Some(path) != query.group_by.as_ref()));
    match stray {
        None => Ok(()),
        Some(column) => {
            let name = shortened(&column.name);
            let problem = format!("`{name}` is neither an aggregate nor what the rows are grouped by");
            Err(QueryError::refused(select_column, problem, "group by it, or leave it out"))
        }
    }
}

/// Enough of a text to recognise it.
fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}
