//! The value of an expression for one row.
//!
//! Logic has three values, as in the routing engine of Azure IoT Edge (`Bool.cs`): true, false, and
//! undefined, which is also what everything is that is no boolean. Only true selects.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::Row;
use super::ast::{Chain, Condition, Expression, Filter, Operator, Query};
use super::functions;

/// A value, or undefined.
pub(super) type Operand<'a> = Option<Cow<'a, Value>>;

impl Query {
    /// Whether the row is one of those asked for.
    pub fn selects(&self, row: &impl Row) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.is_true(row))
    }
}

impl Condition {
    /// Whether the condition holds for the row. An empty one holds for none, which is what it
    /// means in a configuration; for a job, ask [`Self::is_empty`] before.
    pub fn selects(&self, row: &impl Row) -> bool {
        match &self.filter {
            Filter::Empty => false,
            Filter::All => true,
            Filter::When(expression) => expression.is_true(row),
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.filter == Filter::Empty
    }
}

impl Expression {
    /// Whether it is true, and not something else than a boolean.
    pub fn is_true<R: Row>(&self, row: &R) -> bool {
        logical(&self.value(row)) == Some(true)
    }

    /// Its value for a row; `None` is `undefined`.
    pub fn value<'a, R: Row>(&'a self, row: &'a R) -> Option<Cow<'a, Value>> {
        match self {
            Self::Undefined => None,
            Self::Literal(value) => Some(Cow::Borrowed(value)),
            Self::Array(elements) => {
                let values = elements.iter().filter_map(|element| element.value(row));
                Some(Cow::Owned(values.map(Cow::into_owned).collect()))
            }
            Self::Path(path) => row.value(&path.0),
            Self::Not(inner) => truth(logical(&inner.value(row)).map(|is| !is)),
            Self::Negate(inner) => arithmetic(
                Operator::Minus,
                Some(Cow::Owned(Value::from(0))).as_ref(),
                inner.value(row).as_ref(),
            ),
            Self::Chain(chain) => chain.value(row),
            Self::Call(function, values) => {
                let values: Vec<_> = values.iter().map(|value| value.value(row)).collect();
                functions::call(*function, &values)
            }
        }
    }
}

impl Chain {
    fn value<'a, R: Row>(&'a self, row: &'a R) -> Operand<'a> {
        let mut value = self.first.value(row);
        for (operator, right) in &self.rest {
            value = match operator {
                Operator::Or => match logical(&value) {
                    Some(true) => return truth(Some(true)),
                    left => truth(or(left, logical(&right.value(row)))),
                },
                Operator::And => match logical(&value) {
                    Some(false) => truth(Some(false)),
                    left => truth(and(left, logical(&right.value(row)))),
                },
                Operator::In => truth(is_in(&value, right, row)),
                Operator::NotIn => truth(is_in(&value, right, row).map(|is| !is)),
                Operator::Plus | Operator::Minus | Operator::Times | Operator::Divide | Operator::Modulo => {
                    arithmetic(*operator, value.as_ref(), right.value(row).as_ref())
                }
                comparison => truth(compare(*comparison, &value, &right.value(row))),
            };
        }
        value
    }
}

fn truth<'a>(is: Option<bool>) -> Operand<'a> {
    is.map(|is| Cow::Owned(Value::Bool(is)))
}

fn logical(value: &Operand<'_>) -> Option<bool> {
    value.as_deref().and_then(Value::as_bool)
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Elements of a written list are compared one by one, without making an array for each row.
fn is_in<R: Row>(value: &Operand<'_>, list: &Expression, row: &R) -> Option<bool> {
    let value = value.as_deref()?;
    if let Expression::Array(elements) = list {
        let mut elements = elements.iter().filter_map(|element| element.value(row));
        return Some(elements.any(|element| equal(value, &element) == Some(true)));
    }
    let list = list.value(row)?;
    Some(list.as_array()?.iter().any(|element| equal(value, element) == Some(true)))
}

fn compare(operator: Operator, left: &Operand<'_>, right: &Operand<'_>) -> Option<bool> {
    let (left, right) = (left.as_deref()?, right.as_deref()?);
    match operator {
        Operator::Equal => equal(left, right),
        Operator::Unequal => equal(left, right).map(|is| !is),
        Operator::Less => order(left, right).map(Ordering::is_lt),
        Operator::LessOrEqual => order(left, right).map(Ordering::is_le),
        Operator::Greater => order(left, right).map(Ordering::is_gt),
        Operator::GreaterOrEqual => order(left, right).map(Ordering::is_ge),
        _ => None,
    }
}

/// Values of different types are not equal. Objects and arrays cannot be compared ("comparisons
/// are supported only between primitive types").
fn equal(left: &Value, right: &Value) -> Option<bool> {
    let is_compound = |value: &Value| value.is_object() || value.is_array();
    if is_compound(left) || is_compound(right) {
        return None;
    }
    Some(left.is_null() && right.is_null() || order(left, right) == Some(Ordering::Equal))
}

/// Which comes first, of two numbers, texts, or booleans. Texts go by their characters' codes, so
/// that times in ISO 8601 go by time.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (integer(left), integer(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Exactly, when it is one.
pub(super) fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// A whole number as JSON, when it has at most 64 bits.
pub(super) fn from_integer(number: i128) -> Option<Value> {
    Number::from_i128(number).map(Value::Number)
}

pub(super) fn as_number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// A number as JSON, in which there is neither an infinite one nor none.
pub(super) fn from_number(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

/// Whole numbers are worked out exactly as long as the result is one of 64 bits.
fn arithmetic<'a>(
    operator: Operator,
    left: Option<&Cow<'_, Value>>,
    right: Option<&Cow<'_, Value>>,
) -> Operand<'a> {
    let (Value::Number(left), Value::Number(right)) = (left?.as_ref(), right?.as_ref()) else {
        return None;
    };
    let exact = integer(left).zip(integer(right)).and_then(|(left, right)| match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        Operator::Modulo => left.checked_rem(right),
        _ => None,
    });
    if let Some(exact) = exact.and_then(from_integer) {
        return Some(Cow::Owned(exact));
    }
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    let number = match operator {
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left % right,
        _ => return None,
    };
    from_number(number).map(Cow::Owned)
}
