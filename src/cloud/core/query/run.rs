//! The answer to a query from many rows.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::ast::{Aggregate, Column, Item, Path, Query, Selection, Source};
use super::eval::{as_number, from_integer, from_number, integer, order};
use super::{MAX_PAGE, Row};

/// What the items of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemType {
    /// Whole twins.
    Twin,
    /// What jobs did with devices.
    DeviceJob,
    /// Objects that the query made.
    Raw,
}

impl ItemType {
    /// As the service calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Twin => "Twin",
            Self::DeviceJob => "DeviceJob",
            Self::Raw => "Raw",
        }
    }
}

/// All of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultSet {
    /// What its items are.
    pub item_type: ItemType,
    /// The items, in the order of the rows; groups in the order of their first rows.
    pub items: Vec<Value>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What its items are.
    pub item_type: ItemType,
    /// The items.
    pub items: Vec<Value>,
    /// How many items to skip for the next page, when there is one.
    pub next: Option<usize>,
}

impl Query {
    /// What the items of the answer are.
    pub fn item_type(&self) -> ItemType {
        match (&self.selection, self.source) {
            (Selection::Columns(_), _) => ItemType::Raw,
            (Selection::Whole, Source::DeviceJobs) => ItemType::DeviceJob,
            (Selection::Whole, _) => ItemType::Twin,
        }
    }

    /// Whether rows are put together, so that all of them have to be seen for any answer.
    pub fn is_aggregated(&self) -> bool {
        let is_aggregate = |column: &Column| !matches!(column.item, Item::Path(_));
        self.group_by.is_some()
            || matches!(&self.selection, Selection::Columns(columns) if columns.iter().any(is_aggregate))
    }

    /// The whole answer. Nothing is read beyond the rows that `TOP` asks for.
    pub fn run<R: Row>(&self, rows: impl IntoIterator<Item = R>) -> ResultSet {
        let Page { item_type, items, .. } = self.part(rows, 0, usize::MAX);
        ResultSet { item_type, items }
    }

    /// A part of the answer: `most` items, [`MAX_PAGE`] at most and 1 at least, after the first
    /// `skip`. Rows that are skipped are not written out.
    pub fn page<R: Row>(&self, rows: impl IntoIterator<Item = R>, skip: usize, most: usize) -> Page {
        self.part(rows, skip, most.clamp(1, MAX_PAGE))
    }

    fn part<R: Row>(&self, rows: impl IntoIterator<Item = R>, skip: usize, most: usize) -> Page {
        let item_type = self.item_type();
        let top = self.top.unwrap_or(usize::MAX);
        let end = skip.saturating_add(most).min(top);
        // One more is looked for: it says whether there is another page.
        let wanted = end.saturating_sub(skip);
        let mut items = Vec::new();
        let mut is_more = false;
        let mut put = |number: usize, item: &dyn Fn() -> Value| {
            if number < end {
                items.push(item());
            } else {
                is_more = true;
            }
        };
        if wanted == 0 {
            return Page { item_type, items: Vec::new(), next: None };
        }
        match &self.selection {
            Selection::Columns(columns) if self.is_aggregated() => {
                let groups = self.groups(columns, rows);
                for (number, group) in groups.iter().enumerate().take(top).skip(skip) {
                    put(number, &|| group.item(columns));
                }
            }
            selection => {
                let rows = rows.into_iter().filter(|row| self.selects(row));
                let last = end.saturating_add(1).min(top);
                for (number, row) in rows.take(last).enumerate().skip(skip) {
                    put(number, &|| match selection {
                        Selection::Whole => row.whole(),
                        Selection::Columns(columns) => project(columns, &row),
                    });
                }
            }
        }
        Page { item_type, items, next: is_more.then_some(end) }
    }

    fn groups<R: Row>(&self, columns: &[Column], rows: impl IntoIterator<Item = R>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<Option<String>, usize> = HashMap::new();
        if self.group_by.is_none() {
            // Without groups there is one row, even about nothing.
            groups.push(Group::new(None, columns));
            places.insert(None, 0);
        }
        for row in rows {
            if !self.selects(&row) {
                continue;
            }
            let key = self.group_by.as_ref().and_then(|path| row.value(&path.0));
            let place = *places.entry(key.as_deref().map(Value::to_string)).or_insert_with(|| {
                groups.push(Group::new(key.as_deref().cloned(), columns));
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.add(columns, &row);
            }
        }
        groups
    }
}

/// A new object; what is undefined has no member.
fn project(columns: &[Column], row: &impl Row) -> Value {
    let member = |column: &Column| match &column.item {
        Item::Path(Path(steps)) => Some((column.name.clone(), row.value(steps)?.into_owned())),
        _ => None,
    };
    Value::Object(columns.iter().filter_map(member).collect())
}

/// Rows with one value in common.
struct Group {
    key: Option<Value>,
    count: u64,
    /// One for each column, whatever it is.
    totals: Vec<Totals>,
}

/// What has been seen of a column.
#[derive(Clone, Default)]
struct Totals {
    numbers: u64,
    sum: f64,
    /// The sum while all are whole.
    exact: Option<i128>,
    least: Option<Value>,
    greatest: Option<Value>,
}

impl Group {
    fn new(key: Option<Value>, columns: &[Column]) -> Self {
        let totals = vec![Totals { exact: Some(0), ..Totals::default() }; columns.len()];
        Self { key, count: 0, totals }
    }

    fn add(&mut self, columns: &[Column], row: &impl Row) {
        self.count += 1;
        for (column, totals) in columns.iter().zip(&mut self.totals) {
            if let Item::Aggregate(aggregate, Path(steps)) = &column.item
                && let Some(value) = row.value(steps)
            {
                totals.add(*aggregate, &value);
            }
        }
    }

    fn item(&self, columns: &[Column]) -> Value {
        let mut item = Map::new();
        for (column, totals) in columns.iter().zip(&self.totals) {
            let value = match &column.item {
                Item::Path(_) => self.key.clone(),
                Item::Count => Some(self.count.into()),
                Item::Aggregate(aggregate, _) => totals.value(*aggregate),
            };
            item.extend(value.map(|value| (column.name.clone(), value)));
        }
        Value::Object(item)
    }
}

impl Totals {
    fn add(&mut self, aggregate: Aggregate, value: &Value) {
        match aggregate {
            Aggregate::Min => keep(&mut self.least, value, Ordering::Less),
            Aggregate::Max => keep(&mut self.greatest, value, Ordering::Greater),
            Aggregate::Sum | Aggregate::Avg => {
                let (Some(number), Value::Number(own)) = (as_number(value), value) else { return };
                self.numbers += 1;
                self.sum += number;
                self.exact = self.exact.zip(integer(own)).and_then(|(sum, number)| sum.checked_add(number));
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "nobody has 2^53 devices")]
    fn value(&self, aggregate: Aggregate) -> Option<Value> {
        match aggregate {
            Aggregate::Min => self.least.clone(),
            Aggregate::Max => self.greatest.clone(),
            Aggregate::Sum | Aggregate::Avg if self.numbers == 0 => None,
            Aggregate::Sum => match self.exact.and_then(from_integer) {
                Some(sum) => Some(sum),
                None => from_number(self.sum),
            },
            Aggregate::Avg => from_number(self.sum / self.numbers as f64),
        }
    }
}

/// Booleans come before numbers, numbers before texts; others have no order.
fn keep(best: &mut Option<Value>, value: &Value, better: Ordering) {
    let rank = |value: &Value| match value {
        Value::Bool(_) => Some(0),
        Value::Number(_) => Some(1),
        Value::String(_) => Some(2),
        _ => None,
    };
    let Some(own) = rank(value) else { return };
    let is_better = best.as_ref().is_none_or(|best| {
        let order = order(value, best).or_else(|| Some(own.cmp(&rank(best)?)));
        order == Some(better)
    });
    if is_better {
        *best = Some(value.clone());
    }
}
