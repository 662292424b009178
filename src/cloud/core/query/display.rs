//! A query as text that reads as the same query.

use std::fmt::{self, Display, Formatter, Write as _};

use serde_json::Value;

use super::ast::{
    Aggregate, Column, Condition, Expression, Filter, Item, Level, Operator, Path, Query, Selection, Source,
    Step,
};
use super::{functions, lexer, parser};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        if let Some(top) = self.top {
            write!(f, "TOP {top} ")?;
        }
        match &self.selection {
            Selection::Whole => f.write_char('*')?,
            Selection::Columns(columns) => list(f, columns)?,
        }
        write!(f, " FROM {}", self.source)?;
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        if let Some(path) = &self.group_by {
            write!(f, " GROUP BY {path}")?;
        }
        Ok(())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.source, &self.filter) {
            (None, Filter::Empty) => Ok(()),
            (None, Filter::All) => f.write_char('*'),
            (None, Filter::When(expression)) => expression.fmt(f),
            (Some(source), Filter::When(expression)) => write!(f, "FROM {source} WHERE {expression}"),
            (Some(source), _) => write!(f, "FROM {source}"),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Modules => "devices.modules",
            Self::DeviceJobs => "devices.jobs",
        })
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { item, name } = self;
        match item {
            Item::Path(path) => {
                path.fmt(f)?;
                if path.0.last().and_then(Step::name) == Some(name) {
                    return Ok(());
                }
            }
            Item::Count => f.write_str("COUNT()")?,
            Item::Aggregate(aggregate, path) => write!(f, "{aggregate}({path})")?,
        }
        write!(f, " AS {name}")
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
        })
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    if at > 0 {
                        f.write_char('.')?;
                    } else if !lexer::begins_path(name) || parser::is_reserved(name) {
                        // It has been read behind its collection, and has to stand there again.
                        f.write_str("devices.")?;
                    }
                    if lexer::is_word(name) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "[[{name}]]")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "IN",
            Self::NotIn => "NIN",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        })
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Literal(Value::String(text)) => quoted(f, text),
            Self::Literal(value) => value.fmt(f),
            Self::Array(elements) => {
                f.write_char('[')?;
                list(f, elements)?;
                f.write_char(']')
            }
            Self::Path(path) => path.fmt(f),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                within(f, inner, Level::Not)
            }
            Self::Negate(inner) => {
                f.write_char('-')?;
                within(f, inner, Level::Sign)
            }
            Self::Chain(chain) => {
                within(f, &chain.first, above(self.level()))?;
                for (operator, right) in &chain.rest {
                    write!(f, " {operator} ")?;
                    within(f, right, above(self.level()))?;
                }
                Ok(())
            }
            Self::Call(function, values) => {
                write!(f, "{}(", functions::name(*function))?;
                list(f, values)?;
                f.write_char(')')
            }
        }
    }
}

/// What an operand has to be at least, to stand without parentheses.
fn above(level: Level) -> Level {
    match level {
        Level::Or => Level::And,
        Level::And => Level::Not,
        Level::Not | Level::Comparison => Level::Sum,
        Level::Sum => Level::Product,
        _ => Level::Sign,
    }
}

fn within(f: &mut Formatter<'_>, expression: &Expression, least: Level) -> fmt::Result {
    if expression.level() >= least { expression.fmt(f) } else { write!(f, "({expression})") }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('\'')?;
    for c in text.chars() {
        match c {
            '\'' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('\'')
}
