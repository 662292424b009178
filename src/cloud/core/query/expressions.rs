//! Reads expressions and paths.

use serde_json::Value;

use super::ast::{Chain, Dialect, Expression, Function, Level, Operator, Path, Step};
use super::error::{Kind, QueryError};
use super::lexer::Piece;
use super::parser::{Parsed, Parser, is_reserved, shortened};
use super::{functions, names};

impl Parser {
    /// What holds together at least as strongly as `level`.
    pub(super) fn expression(&mut self, level: Level) -> Parsed<Expression> {
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
                let advice = self.example(
                    "write lists in brackets: deviceId IN ['a', 'b']",
                    "write lists in brackets: $contentType IN ['a', 'b']",
                );
                return Err(self.unexpected("`[`", advice));
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
        // "Deploy modules and establish routes in IoT Edge", condition: `$name` or `{$name}`.
        if self.sign("{") {
            let is_system = matches!(self.piece(), Piece::Word(name) if name.starts_with('$'));
            let advice = "write {$contentType}, or $contentType";
            if !is_system {
                return Err(self.unexpected("the name of a system property", advice));
            }
            let path = self.path()?;
            self.need_sign("}", advice)?;
            return Ok(Expression::Path(path));
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
            let advice = self.example("write IS_DEFINED(tags.site)", "write IS_DEFINED($body.machine)");
            return Err(self.unexpected("a function", advice));
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

    pub(super) fn path(&mut self) -> Parsed<Path> {
        // Of messages there are "IoT Hub message routing query syntax": the body, what the sender named
        // (application properties, by name alone), and what the system names (with `$`).
        let advice = self.example(
            "write a path like tags.site or properties.reported.fw, or a value; texts in quotes",
            "write $body.machine.temperature, the name of an application property as MessageType, a system \
             property as $contentType, or a value; texts in quotes",
        );
        let mut steps = match self.piece() {
            Piece::Word(word) if !is_reserved(word) => vec![Step::Name(word.clone())],
            Piece::Bracketed(name) => vec![Step::Name(name.clone())],
            _ => return Err(self.unexpected("a path or a value", advice)),
        };
        if self.dialect == Dialect::Messages && self.is_word("$twin") {
            let problem = "`$twin` is not supported in routes of IoT Edge: Edge hub does not look into twins";
            let advice = "send what decides as a property of the message, or in its body";
            return Err(QueryError::new(Kind::Unsupported, self.column(), problem, advice));
        }
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
                    let advice = self.example(
                        "write list[0]; names go behind a dot: tags.[[odd name]]",
                        "write list[0]; names go behind a dot: $body.[[odd name]]",
                    );
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
