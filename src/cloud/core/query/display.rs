//! A query as text that reads as the same query.

use std::fmt::{self, Display, Formatter, Write as _};

use serde_json::Value;

use super::ast::{
    Aggregate, Column, Condition, Dialect, Expression, Filter, Item, Level, Operator, Path, Query, Selection,
    Source, Step,
};
use super::{functions, lexer, parser};

/// Something as one of the dialects writes it.
struct Written<'a, T>(&'a T, Dialect);

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        if let Some(top) = self.top {
            write!(f, "TOP {top} ")?;
        }
        match &self.selection {
            Selection::Whole => f.write_char('*')?,
            Selection::Columns(columns) => list(f, columns.iter())?,
        }
        write!(f, " FROM {}", self.source)?;
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {}", Written(condition, Dialect::Twins))?;
        }
        if let Some(path) = &self.group_by {
            write!(f, " GROUP BY {}", Written(path, Dialect::Twins))?;
        }
        Ok(())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.source, &self.filter) {
            (None, Filter::Empty) => Ok(()),
            (None, Filter::All) => f.write_char('*'),
            (None, Filter::When(expression)) => Written(expression, self.dialect).fmt(f),
            (Some(source), Filter::When(expression)) => {
                write!(f, "FROM {source} WHERE {}", Written(expression, self.dialect))
            }
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
                Written(path, Dialect::Twins).fmt(f)?;
                if path.0.last().and_then(Step::name) == Some(name) {
                    return Ok(());
                }
            }
            Item::Count => f.write_str("COUNT()")?,
            Item::Aggregate(aggregate, path) => {
                write!(f, "{aggregate}({})", Written(path, Dialect::Twins))?;
            }
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

impl Display for Written<'_, Path> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(path, dialect) = *self;
        for (at, step) in path.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    let mut is_bare = lexer::is_word(name, dialect);
                    if at > 0 {
                        f.write_char('.')?;
                    } else if !lexer::begins_path(name, dialect) || parser::is_reserved(name) {
                        match dialect {
                            // It has been read behind its collection, and has to stand there again.
                            Dialect::Twins => f.write_str("devices.")?,
                            Dialect::Messages => is_bare = false,
                        }
                    }
                    if is_bare {
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

impl Display for Written<'_, Expression> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(expression, dialect) = *self;
        let written = |inner| Written(inner, dialect);
        match expression {
            Expression::Undefined => f.write_str("undefined"),
            Expression::Literal(Value::String(text)) => quoted(f, text),
            Expression::Literal(value) => value.fmt(f),
            Expression::Array(elements) => {
                f.write_char('[')?;
                // Two brackets would be those around a name.
                if elements.first().is_some_and(|first| written(first).to_string().starts_with('[')) {
                    f.write_char(' ')?;
                }
                list(f, elements.iter().map(written))?;
                f.write_char(']')
            }
            Expression::Path(path) => Written(path, dialect).fmt(f),
            Expression::Not(inner) => {
                f.write_str("NOT ")?;
                written(inner).within(f, Level::Not)
            }
            Expression::Negate(inner) => {
                // Without the space it would belong to the name or the number behind it.
                f.write_str("- ")?;
                written(inner).within(f, Level::Sign)
            }
            Expression::Chain(chain) => {
                let least = above(expression.level());
                written(&chain.first).within(f, least)?;
                for (operator, right) in &chain.rest {
                    write!(f, " {operator} ")?;
                    written(right).within(f, least)?;
                }
                Ok(())
            }
            Expression::Call(function, values) => {
                write!(f, "{}(", functions::name(*function))?;
                list(f, values.iter().map(written))?;
                f.write_char(')')
            }
        }
    }
}

impl Written<'_, Expression> {
    /// In parentheses, unless it holds together at least so strongly.
    fn within(&self, f: &mut Formatter<'_>, least: Level) -> fmt::Result {
        if self.0.level() >= least { self.fmt(f) } else { write!(f, "({self})") }
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

fn list<T: Display>(f: &mut Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    for (at, item) in items.enumerate() {
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
