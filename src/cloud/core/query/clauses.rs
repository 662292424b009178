//! Reads the clauses of a query, and what stands around a condition.

use super::ast::{Aggregate, Column, Condition, Filter, Item, Level, Query, Selection, Source};
use super::error::QueryError;
use super::lexer::Piece;
use super::parser::{Parsed, Parser, shortened};

impl Parser {
    pub(super) fn query(&mut self) -> Parsed<Query> {
        self.need_word("SELECT", "write SELECT * FROM devices")?;
        let top = if self.word("TOP") { Some(self.top()?) } else { None };
        let select_column = self.column();
        // `distinct` may be a path too.
        let is_column = ["FROM", "AS"].iter().any(|word| self.is_followed_by(word));
        if self.is_word("DISTINCT") && matches!(self.after(), Piece::Word(_)) && !is_column {
            return Err(self.unexpected("`*` or columns", "write SELECT * FROM devices"));
        }
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

    pub(super) fn condition(&mut self) -> Parsed<Condition> {
        let dialect = self.dialect;
        let of = |source, filter| Condition { dialect, source, filter };
        if *self.piece() == Piece::End {
            return Ok(of(None, Filter::Empty));
        }
        if self.sign("*") {
            return Ok(of(None, Filter::All));
        }
        if !self.word("FROM") {
            return Ok(of(None, Filter::When(self.expression(Level::Or)?)));
        }
        let source = Some(self.source()?);
        let filter = if self.word("WHERE") { Filter::When(self.expression(Level::Or)?) } else { Filter::All };
        Ok(of(source, filter))
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
