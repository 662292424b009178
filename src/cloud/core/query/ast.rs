//! What can be asked, once it has been read.
//!
//! Operators of one precedence stand in one [`Chain`], not in a tree that leans to the left: the
//! depth of what is read is then bounded by how it is nested, and not by how long it is.

use serde_json::Value;

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What of each row.
    pub selection: Selection,
    /// At most so many rows.
    pub top: Option<usize>,
    /// Which rows there are.
    pub source: Source,
    /// Which of them.
    pub condition: Option<Expression>,
    /// What rows have in common that are put together.
    pub group_by: Option<Path>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `devices`.
    Devices,
    /// `devices.modules`.
    Modules,
    /// `devices.jobs`: what jobs did with each device.
    DeviceJobs,
}

/// What is given of each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// `*`.
    Whole,
    /// A new object.
    Columns(Vec<Column>),
}

/// One member of the new object.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What it is.
    pub item: Item,
    /// What it is called: the name behind `AS`, or the last of the path, as it was written.
    pub name: String,
}

/// What a column is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// What stands there.
    Path(Path),
    /// How many rows there are.
    Count,
    /// Something worked out from all rows of a group.
    Aggregate(Aggregate, Path),
}

/// What is worked out from the values of all rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// The sum of the numbers.
    Sum,
    /// Their average.
    Avg,
    /// The smallest value.
    Min,
    /// The greatest.
    Max,
}

/// Where something stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Step>);

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a member of an object.
    Name(String),
    /// Into an element of an array, the first being 0.
    Index(usize),
}

impl Step {
    /// The name, when it is one: what a row matches its own sections with.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

/// Which conditions are read: Azure's twin queries and message routes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Of twins and jobs: the hub's own names are put in the hub's spelling, `devices.` in front of
    /// a path is dropped, and few functions are allowed.
    Twins,
    /// Of message routes: all functions, names of nearly any character, and paths stay as they are
    /// written. Azure does not distinguish upper and lower case in message properties: the row has to look them up so.
    Messages,
}

/// A condition that stands alone: of a job, a configuration, a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// How it was read, and has to be written.
    pub dialect: Dialect,
    /// What it is asked of, when it says so: configurations of modules begin with
    /// `FROM devices.modules WHERE`.
    pub source: Option<Source>,
    /// Which rows.
    pub filter: Filter,
}

/// Which rows a condition selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Nothing is written: a job takes all devices, a configuration none.
    Empty,
    /// `*`.
    All,
    /// Those for which this is true.
    When(Expression),
}

/// Something that has a value, or is undefined.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// `undefined`.
    Undefined,
    /// Null, a boolean, a number, or a text.
    Literal(Value),
    /// `[…]`.
    Array(Vec<Expression>),
    /// What stands there in the row.
    Path(Path),
    /// `NOT …`.
    Not(Box<Expression>),
    /// `-…`.
    Negate(Box<Expression>),
    /// Operators of one precedence.
    Chain(Chain),
    /// A function of values.
    Call(Function, Vec<Expression>),
}

/// Operators of one precedence, worked out from left to right; `rest` is never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The leftmost operand.
    pub first: Box<Expression>,
    /// What is done with it, one after the other.
    pub rest: Vec<(Operator, Expression)>,
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `OR`.
    Or,
    /// `AND`.
    And,
    /// `=`.
    Equal,
    /// `!=` or `<>`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `IN`: is an element of the array.
    In,
    /// `NIN`: is no element of the array.
    NotIn,
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Times,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

/// How strongly something holds together; what comes later holds more strongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Sign,
    Primary,
}

impl Operator {
    pub(super) fn level(self) -> Level {
        match self {
            Self::Or => Level::Or,
            Self::And => Level::And,
            Self::Plus | Self::Minus => Level::Sum,
            Self::Times | Self::Divide | Self::Modulo => Level::Product,
            _ => Level::Comparison,
        }
    }
}

impl Expression {
    pub(super) fn level(&self) -> Level {
        match self {
            Self::Not(_) => Level::Not,
            Self::Negate(_) => Level::Sign,
            Self::Chain(chain) => chain.rest.first().map_or(Level::Or, |(operator, _)| operator.level()),
            _ => Level::Primary,
        }
    }
}

/// A function of "IoT Hub query language", functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are called what the language calls them")]
pub enum Function {
    IsDefined,
    AsNumber,
    IsArray,
    IsBool,
    IsNull,
    IsNumber,
    IsObject,
    IsPrimitive,
    IsString,
    Abs,
    Exp,
    Power,
    Square,
    Ceiling,
    Floor,
    Sign,
    Sqrt,
    Concat,
    Length,
    Lower,
    Upper,
    Substring,
    IndexOf,
    StartsWith,
    EndsWith,
    Contains,
}
