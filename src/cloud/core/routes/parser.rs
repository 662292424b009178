//! Reads routes, and says where and why one is none.

use std::fmt;
use std::str::FromStr;

use super::route::{ENDPOINT, Route, Sink, Source, UPSTREAM};
use crate::cloud::core::query::ast::Dialect;
use crate::cloud::core::query::{Condition, Filter};
use crate::device::ModuleId;

/// The longest route in bytes: four times what a text in a twin may have.
pub const MAX_LENGTH: usize = 16 * 1024;
/// The longest name of an input or output in bytes, as long as a module's.
const NAME_LIMIT: usize = 128;

/// The word between the condition and the sink.
const INTO: &str = "INTO";

const SOURCES: &str = "/*, /twinChangeNotifications, /messages/*, /messages/modules/*, /messages/modules/{module}/*, \
                       /messages/modules/{module}/outputs/* or /messages/modules/{module}/outputs/{output}";
const SINKS: &str = "$upstream or BrokeredEndpoint(\"/modules/{module}/inputs/{input}\")";

/// A route that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    /// Where in the route, in characters, the first being 1.
    pub column: usize,
    /// What was expected there, and what to do.
    pub problem: String,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the route at column {}: {}", self.column, self.problem)
    }
}

impl std::error::Error for RouteError {}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        if text.len() > MAX_LENGTH {
            let problem = format!("the route has {} bytes, the most is {MAX_LENGTH}", text.len());
            return Err(RouteError { column: 1, problem });
        }
        let mut cursor = Cursor { text, at: 0 };
        cursor.keyword("FROM", "write FROM /messages/* INTO $upstream")?;
        let source = cursor.source()?;
        let condition = if cursor.takes_word("WHERE") { Some(cursor.condition()?) } else { None };
        let expected = if condition.is_some() { INTO } else { "WHERE or INTO" };
        if !cursor.takes_word(INTO) {
            return Err(cursor.expected(expected, &format!("a route ends with INTO and {SINKS}")));
        }
        let sink = cursor.sink()?;
        cursor.skip_space();
        if !cursor.rest().is_empty() {
            return Err(cursor.expected("the end of the route", "a route has one sink and nothing behind it"));
        }
        Ok(Self { source, condition, sink })
    }
}

/// What has not been read yet, and where it begins.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// What stands next, up to a space or one of `ends`.
    fn next(&self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || ends.contains(&c)).unwrap_or(rest.len());
        &rest[..end]
    }

    fn error_at(&self, at: usize, problem: String) -> RouteError {
        let before = self.text.get(..at).unwrap_or(self.text);
        RouteError { column: before.chars().count() + 1, problem }
    }

    fn expected(&self, expected: &str, advice: &str) -> RouteError {
        let found = match self.next(&[]) {
            "" => "the end".to_owned(),
            word => format!("`{}`", shortened(word)),
        };
        self.error_at(self.at, format!("expected {expected}, found {found}; {advice}"))
    }

    /// Whether that keyword came next, which is then behind us.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let is = self.next(&['(', '/', '$', '"', '\'']).eq_ignore_ascii_case(word);
        self.at += if is { word.len() } else { 0 };
        is
    }

    fn keyword(&mut self, word: &str, advice: &str) -> Result<(), RouteError> {
        if self.takes_word(word) { Ok(()) } else { Err(self.expected(word, advice)) }
    }

    fn source(&mut self) -> Result<Source, RouteError> {
        self.skip_space();
        let start = self.at;
        let text = self.next(&[]);
        if !text.starts_with('/') {
            return Err(self.expected("a source", &format!("write one of {SOURCES}")));
        }
        // Where each segment begins, to point at the one that is wrong.
        let mut begins = start + 1;
        let segments: Vec<(usize, &str)> = text[1..]
            .split('/')
            .map(|segment| {
                let this = (begins, segment);
                begins += segment.len() + 1;
                this
            })
            .collect();
        let is = |segment: &(usize, &str), word: &str| segment.1.eq_ignore_ascii_case(word);
        let unknown = |at: usize, expected: &str| {
            let found = &self.text[at..start + text.len()];
            let found = if found.is_empty() {
                "the end of the source".to_owned()
            } else {
                format!("`{}`", shortened(found))
            };
            Err(self.error_at(at, format!("expected {expected}, found {found}; sources are {SOURCES}")))
        };
        let end = start + text.len();
        let more =
            |segments: &[(usize, &str)], index: usize| segments.get(index).map_or(end, |segment| segment.0);
        let source = match segments.as_slice() {
            [(_, "*")] => Source::Everything,
            [one] if is(one, "twinChangeNotifications") => Source::TwinChanges,
            [(_, "*"), extra, ..] => return unknown(extra.0, "nothing behind `*`"),
            [one, extra, ..] if is(one, "twinChangeNotifications") => {
                return unknown(extra.0, "nothing behind `twinChangeNotifications`");
            }
            [one, rest @ ..] if is(one, "messages") => match rest {
                [(_, "*")] => Source::Messages,
                [(_, "*"), extra, ..] => return unknown(extra.0, "nothing behind `*`"),
                [one, (_, "*")] if is(one, "modules") => Source::Modules,
                [one, (_, "*"), extra, ..] if is(one, "modules") => {
                    return unknown(extra.0, "nothing behind `*`");
                }
                [one, module, rest @ ..] if is(one, "modules") => {
                    let id = self.module(module.0, module.1)?;
                    match rest {
                        [(_, "*")] => Source::Module(id),
                        [(_, "*"), extra, ..] => return unknown(extra.0, "nothing behind `*`"),
                        [one, (_, "*")] if is(one, "outputs") => Source::Outputs(id),
                        [one, (at, name)] if is(one, "outputs") => {
                            Source::Output(id, self.name(*at, name, "output")?)
                        }
                        [one, _, extra, ..] if is(one, "outputs") => {
                            return unknown(extra.0, "nothing behind the output");
                        }
                        [one] if is(one, "outputs") => return unknown(end, "`/*` or `/` and an output"),
                        rest => return unknown(more(rest, 0), "`*` or `outputs`"),
                    }
                }
                [one] if is(one, "modules") => return unknown(end, "`/*` or `/` and a module"),
                rest => return unknown(more(rest, 0), "`*` or `modules`"),
            },
            rest => return unknown(more(rest, 0), "`*`, `messages` or `twinChangeNotifications`"),
        };
        self.at = end;
        Ok(source)
    }

    fn module(&self, at: usize, text: &str) -> Result<ModuleId, RouteError> {
        text.parse().map_err(|error| self.error_at(at, format!("expected a module: {error}")))
    }

    /// The name of an input or an output. It becomes a part of a topic.
    fn name(&self, at: usize, name: &str, what: &str) -> Result<String, RouteError> {
        // The last three have meanings of their own in the topics in which names stand.
        let bad = |c: char| c.is_control() || c.is_whitespace() || "/\"'\\#+%".contains(c);
        if name.is_empty() {
            return Err(self.error_at(at, format!("expected the name of an {what}, found nothing")));
        }
        if let Some((offset, c)) = name.char_indices().find(|(_, c)| bad(*c)) {
            let problem = format!("the name of an {what} cannot have the character {c:?}: take it out");
            return Err(self.error_at(at + offset, problem));
        }
        if name.len() > NAME_LIMIT {
            let problem = format!("the name of an {what} has {} bytes, the most is {NAME_LIMIT}", name.len());
            return Err(self.error_at(at, problem));
        }
        Ok(name.to_owned())
    }

    fn condition(&mut self) -> Result<Condition, RouteError> {
        self.skip_space();
        let start = self.at;
        let text = self.rest();
        let advice = "write WHERE $body.machine.temperature > 25, or leave WHERE out";
        let (condition, length) =
            Condition::parse_before(text, Dialect::Messages, INTO).map_err(|error| {
                let before = self.text[..start].chars().count();
                let problem = format!("{}; {}", error.problem, error.advice);
                RouteError { column: before + error.column, problem }
            })?;
        // `*`, and what names a collection, are conditions of configurations.
        if condition.source.is_some() || !matches!(condition.filter, Filter::When(_)) {
            return Err(self.expected("a condition", advice));
        }
        self.at += length;
        Ok(condition)
    }

    fn sink(&mut self) -> Result<Sink, RouteError> {
        self.skip_space();
        let word = self.next(&['(', '"', '\'']);
        let is_call = self.rest()[word.len()..].trim_start().starts_with('(');
        if word.eq_ignore_ascii_case(UPSTREAM) && !is_call {
            self.at += word.len();
            return Ok(Sink::Upstream);
        }
        if !word.eq_ignore_ascii_case(ENDPOINT) {
            return Err(self.expected("a sink", &format!("write {SINKS}")));
        }
        self.at += word.len();
        self.sign('(')?;
        self.skip_space();
        let Some(quote) = self.rest().chars().next().filter(|c| "\"'".contains(*c)) else {
            return Err(self.expected("a text in quotes", &format!("write {SINKS}")));
        };
        let opened = self.at;
        self.at += 1;
        let Some(length) = self.rest().find(quote) else {
            return Err(
                self.error_at(opened, format!("expected `{quote}` at the end of the text that begins here"))
            );
        };
        let sink = self.endpoint(self.at, &self.rest()[..length])?;
        self.at += length + 1;
        self.sign(')')?;
        Ok(sink)
    }

    fn sign(&mut self, sign: char) -> Result<(), RouteError> {
        self.skip_space();
        if self.rest().starts_with(sign) {
            self.at += sign.len_utf8();
            return Ok(());
        }
        Err(self.expected(&format!("`{sign}`"), &format!("write {SINKS}")))
    }

    /// Edge hub, `EndpointFactory`: a slash before and behind may be missing or there.
    fn endpoint(&self, start: usize, text: &str) -> Result<Sink, RouteError> {
        let mut at = start + (text.len() - text.trim_start().len());
        let text = text.trim();
        let text = match text.strip_prefix('/') {
            Some(text) => {
                at += 1;
                text
            }
            None => text,
        };
        let end = at + text.len();
        let text = text.strip_suffix('/').unwrap_or(text);
        let mut segments = text.split('/').map(|segment| {
            let this = (at, segment);
            at += segment.len() + 1;
            this
        });
        let mut next = || segments.next().unwrap_or((end, ""));
        let word = |(at, text): (usize, &str), word: &str| {
            if text.eq_ignore_ascii_case(word) {
                return Ok(());
            }
            let problem =
                format!("expected `{word}`; an input is written /modules/{{module}}/inputs/{{input}}");
            Err(self.error_at(at, problem))
        };
        word(next(), "modules")?;
        let (module_at, module) = next();
        let module = self.module(module_at, module)?;
        word(next(), "inputs")?;
        let (input_at, input) = next();
        let input = self.name(input_at, input, "input")?;
        if let Some((at, _)) = segments.next() {
            return Err(self.error_at(at - 1, "expected nothing behind the input".to_owned()));
        }
        Ok(Sink::Input { module, input })
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
