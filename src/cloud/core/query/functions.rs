//! The functions: what they are called, how many values they take, and what they give.

use std::borrow::Cow;

use serde_json::Value;

use super::ast::Function;
use super::eval::{Operand, as_number, from_number};

/// One function's name and rules.
pub(super) struct Signature {
    pub(super) function: Function,
    pub(super) name: &'static str,
    /// The fewest and the most values.
    pub(super) takes: (usize, usize),
}

/// As many values as one likes.
const ANY: usize = usize::MAX;

const fn signature(function: Function, name: &'static str, least: usize, most: usize) -> Signature {
    Signature { function, name, takes: (least, most) }
}

/// "IoT Hub query language", functions.
const SIGNATURES: &[Signature] = &[
    signature(Function::IsDefined, "IS_DEFINED", 1, 1),
    signature(Function::AsNumber, "AS_NUMBER", 1, 1),
    signature(Function::IsArray, "IS_ARRAY", 1, 1),
    signature(Function::IsBool, "IS_BOOL", 1, 1),
    signature(Function::IsNull, "IS_NULL", 1, 1),
    signature(Function::IsNumber, "IS_NUMBER", 1, 1),
    signature(Function::IsObject, "IS_OBJECT", 1, 1),
    signature(Function::IsPrimitive, "IS_PRIMITIVE", 1, 1),
    signature(Function::IsString, "IS_STRING", 1, 1),
    signature(Function::Abs, "ABS", 1, 1),
    signature(Function::Exp, "EXP", 1, 1),
    signature(Function::Power, "POWER", 2, 2),
    signature(Function::Square, "SQUARE", 1, 1),
    signature(Function::Ceiling, "CEILING", 1, 1),
    signature(Function::Floor, "FLOOR", 1, 1),
    signature(Function::Sign, "SIGN", 1, 1),
    signature(Function::Sqrt, "SQRT", 1, 1),
    signature(Function::Concat, "CONCAT", 2, ANY),
    signature(Function::Length, "LENGTH", 1, 1),
    signature(Function::Lower, "LOWER", 1, 1),
    signature(Function::Upper, "UPPER", 1, 1),
    signature(Function::Substring, "SUBSTRING", 2, 3),
    signature(Function::IndexOf, "INDEX_OF", 2, 2),
    signature(Function::StartsWith, "STARTS_WITH", 2, 2),
    signature(Function::EndsWith, "ENDS_WITH", 2, 2),
    signature(Function::Contains, "CONTAINS", 2, 2),
];

/// The function of that name. Twin queries of Microsoft's tools spell `STARTSWITH`.
pub(super) fn named(name: &str) -> Option<&'static Signature> {
    let name = if name.eq_ignore_ascii_case("STARTSWITH") { "STARTS_WITH" } else { name };
    SIGNATURES.iter().find(|signature| signature.name.eq_ignore_ascii_case(name))
}

/// The name of a function.
pub(super) fn name(function: Function) -> &'static str {
    SIGNATURES.iter().find(|signature| signature.function == function).map_or("", |found| found.name)
}

impl Function {
    /// Whether twin queries take it: Microsoft documents `IS_DEFINED` only, while Azure IoT
    /// Explorer and the samples of the .NET SDK send `STARTSWITH`.
    pub(super) fn is_for_twins(self) -> bool {
        matches!(self, Self::IsDefined | Self::StartsWith)
    }
}

/// What `function` gives for `values`; undefined when they are not what it takes.
pub(super) fn call<'a>(function: Function, values: &[Operand<'a>]) -> Operand<'a> {
    let value = |at: usize| values.get(at).and_then(Option::as_deref);
    let is = |test: fn(&Value) -> bool| Some(Cow::Owned(Value::Bool(value(0).is_some_and(test))));
    let number = |with: fn(f64) -> f64| from_number(with(as_number(value(0)?)?)).map(Cow::Owned);
    let text = |at: usize| value(at).and_then(Value::as_str);
    let texts = |with: fn(&str, &str) -> Value| Some(Cow::Owned(with(text(0)?, text(1)?)));
    match function {
        Function::IsDefined => is(|_| true),
        Function::IsArray => is(Value::is_array),
        Function::IsBool => is(Value::is_boolean),
        Function::IsNull => is(Value::is_null),
        Function::IsNumber => is(Value::is_number),
        Function::IsObject => is(Value::is_object),
        Function::IsPrimitive => is(|value| !value.is_array() && !value.is_object()),
        Function::IsString => is(Value::is_string),
        Function::AsNumber => match values.first()?.clone()? {
            number if number.is_number() => Some(number),
            text => from_number(text.as_str()?.trim().parse().ok()?).map(Cow::Owned),
        },
        Function::Abs => number(f64::abs),
        Function::Exp => number(f64::exp),
        Function::Power => from_number(as_number(value(0)?)?.powf(as_number(value(1)?)?)).map(Cow::Owned),
        Function::Square => number(|number| number * number),
        Function::Ceiling => number(f64::ceil),
        Function::Floor => number(f64::floor),
        // Not `signum`, for which zero has a sign.
        Function::Sign => number(|number| if number == 0.0 { 0.0 } else { number.signum() }),
        Function::Sqrt => number(f64::sqrt),
        Function::Concat => {
            let parts: Option<Vec<_>> = (0..values.len()).map(text).collect();
            Some(Cow::Owned(Value::String(parts?.concat())))
        }
        Function::Length => Some(Cow::Owned(text(0)?.chars().count().into())),
        Function::Lower => Some(Cow::Owned(text(0)?.to_lowercase().into())),
        Function::Upper => Some(Cow::Owned(text(0)?.to_uppercase().into())),
        Function::Substring => {
            let length = if values.len() > 2 { whole(value(2)?)? } else { usize::MAX };
            substring(text(0)?, whole(value(1)?)?, length).map(|part| Cow::Owned(part.into()))
        }
        Function::IndexOf => texts(|text, part| {
            text.find(part).map_or(Value::from(-1), |at| text[..at].chars().count().into())
        }),
        Function::StartsWith => texts(|text, part| text.starts_with(part).into()),
        Function::EndsWith => texts(|text, part| text.ends_with(part).into()),
        Function::Contains => texts(|text, part| text.contains(part).into()),
    }
}

/// A number of characters: neither negative nor a fraction.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are ruled out before")]
fn whole(value: &Value) -> Option<usize> {
    let number = as_number(value)?;
    (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as usize)
}

/// From a character on, at most so many; nothing when the text ends before it.
fn substring(text: &str, start: usize, length: usize) -> Option<String> {
    let mut rest = text.chars();
    if start > 0 {
        rest.nth(start - 1)?;
    }
    Some(rest.take(length).collect())
}
