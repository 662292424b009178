//! What a kind of device is: tables of what it can do, and the functions behind them.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::time::local_date_time;
use super::{Millis, Now, Reply, TimeScale};

/// Everything a profile offers, as data. Screens, help and checks read these tables; the DTDL in
/// `assets/models/` says the same, and a test holds the two together.
#[derive(Debug, PartialEq)]
pub struct Model {
    /// The name on the command line.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The digital twin model identifier announced to DPS and to the hub.
    pub model_id: &'static str,
    /// What a telemetry message holds.
    pub telemetry: &'static [Field],
    /// What can be adjusted by hand.
    pub knobs: &'static [Knob],
    /// What can be invoked.
    pub commands: &'static [CommandSpec],
    /// What the operator can set.
    pub properties: &'static [PropertySpec],
    /// Names of the properties that the device reports by itself.
    pub reports: &'static [&'static str],
}

/// A field of a telemetry message.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// The member's name in the message.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For people: `°F`, `%`.
    pub unit: &'static str,
    /// The range of values, from the first up to, not including, the second.
    pub range: (f64, f64),
    /// Digits behind the point in messages and on the screen.
    pub digits: usize,
}

/// Something a person can turn.
#[derive(Debug, PartialEq)]
pub struct Knob {
    /// The telemetry field it moves, by name.
    pub field: &'static str,
    /// A small step, in the field's unit.
    pub step: f64,
    /// A large step.
    pub leap: f64,
}

/// A command.
#[derive(Debug, PartialEq)]
pub struct CommandSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What the request may be; `None` when there is none.
    pub request: Option<Schema>,
    /// A request that works, as JSON text, to start editing from; empty when there is none.
    pub example: &'static str,
    /// Whether it answers 202 and reports the outcome later, under its own name.
    pub lasting: bool,
}

/// A writable property.
#[derive(Debug, PartialEq)]
pub struct PropertySpec {
    /// The name on the wire.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What a value may be.
    pub schema: Schema,
    /// How long the device takes to apply it, before the time scale.
    pub takes: Duration,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Text.
    Text {
        /// The longest, in characters.
        most: usize,
    },
    /// A whole number.
    Integer {
        /// Bounds.
        range: RangeInclusive<i64>,
        /// Words for some of the values.
        labels: &'static [(i64, &'static str)],
    },
    /// A number.
    Number {
        /// Bounds.
        range: RangeInclusive<f64>,
        /// For people: `seconds`.
        unit: &'static str,
    },
}

impl Schema {
    /// Checks a value; the error is a sentence that starts with `subject`.
    pub fn check(&self, subject: &str, value: &Value) -> Result<(), String> {
        let expected = self.describe();
        let refuse = || Err(format!("{subject} takes {expected}, not {}", brief(value)));
        match self {
            Self::Text { most } => match value.as_str() {
                Some(text) if text.chars().count() <= *most => Ok(()),
                Some(text) => {
                    Err(format!("{subject} takes {expected}, not one of {} characters", text.chars().count()))
                }
                None => refuse(),
            },
            Self::Integer { range, .. } => match whole(value) {
                Some(number) if range.contains(&number) => Ok(()),
                _ => refuse(),
            },
            Self::Number { range, .. } => match value.as_f64() {
                Some(number) if range.contains(&number) => Ok(()),
                _ => refuse(),
            },
        }
    }

    /// What is allowed, in words: `a whole number from 1 to 3 (1 high, 2 medium, 3 low)`.
    pub fn describe(&self) -> String {
        match self {
            Self::Text { most } => format!("text of at most {most} characters"),
            Self::Integer { range, labels } => {
                let mut said = format!("a whole number from {} to {}", range.start(), range.end());
                if !labels.is_empty() {
                    let words: Vec<_> = labels.iter().map(|(n, word)| format!("{n} {word}")).collect();
                    said.push_str(&format!(" ({})", words.join(", ")));
                }
                said
            }
            Self::Number { range, unit } => {
                format!("a number of {unit} from {} to {}", range.start(), range.end())
            }
        }
    }
}

/// A JSON number without a fraction: `2`, and `2.0` as some services write it.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // Whole floats up to 2^52 are exact, and twins hold no larger integers.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        (number.fract() == 0.0 && number.abs() <= 4_503_599_627_370_496.0).then_some(number as i64)
    })
}

/// A value in at most forty characters, for messages.
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// A telemetry field as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is.
    pub field: &'static Field,
    /// What the next message will hold.
    pub value: f64,
    /// Where the value tends to, or where it was put.
    pub set_point: f64,
    /// Whether a person put it there and it stays.
    pub manual: bool,
}

/// What the indicator light does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Led {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Half of each period lit, half dark, beginning lit.
    Blinking {
        /// When it began.
        since: Millis,
        /// One turn of lit and dark.
        period: Duration,
    },
}

impl Led {
    /// Whether it is lit at `now`.
    pub fn is_lit(self, now: Millis) -> bool {
        match self {
            Self::Off => false,
            Self::On => true,
            Self::Blinking { since, period } => {
                let half = (period.as_millis() / 2).max(1);
                (now.since(since).as_millis() / half).is_multiple_of(2)
            }
        }
    }

    /// When it will next change, if it does by itself.
    pub fn next_change(self, now: Millis) -> Option<Millis> {
        let Self::Blinking { since, period } = self else { return None };
        let half = period.div_f64(2.0).max(Duration::from_millis(1));
        let turns = now.since(since).as_millis() / half.as_millis().max(1) + 1;
        Some(since + half.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX)))
    }
}

/// Work that goes on after its command was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The command that began it.
    pub command: &'static str,
    /// What it does at the moment, for people.
    pub phase: String,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub steps: u32,
    /// When it began.
    pub since: Millis,
    /// When it will end, as far as it knows.
    pub until: Millis,
}

/// What a profile may do while it handles something: look at the time, plan, report.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    zone: &'a TimeZone,
    scale: TimeScale,
    asked: Vec<Asked>,
}

/// What a profile asked of its device.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    After(Millis, u64),
    Report(Value),
}

impl<'a> Context<'a> {
    pub(super) fn new(now: Now, zone: &'a TimeZone, scale: TimeScale) -> Self {
        Self { now, zone, scale, asked: Vec::new() }
    }

    pub(super) fn into_asked(self) -> Vec<Asked> {
        self.asked
    }

    /// Calls [`Profile::timer`] with `tag` after `span` of simulated time; returns when that is.
    pub fn after(&mut self, span: Duration, tag: u64) -> Millis {
        let at = self.now.at + self.scale.apply(span);
        self.asked.push(Asked::After(at, tag));
        at
    }

    /// Reports a merge patch.
    pub fn report(&mut self, patch: Value) {
        self.asked.push(Asked::Report(patch));
    }

    /// The local date and time, as the tutorials' programs write it.
    pub fn date_time(&self) -> String {
        local_date_time(self.now.wall, self.zone)
    }

    /// How long `span` of simulated time lasts.
    pub fn scaled(&self, span: Duration) -> Duration {
        self.scale.apply(span)
    }
}

/// A kind of device. The device around it does everything that all kinds share: unknown names,
/// checks against the tables, acknowledgements, replies, queues.
pub trait Profile: Send {
    /// What it offers.
    fn model(&self) -> &'static Model;

    /// The device is connected for the first time in its life.
    fn started(&mut self, ctx: &mut Context<'_>);

    /// The fields of the next message, in the order of the model's table.
    fn readings(&self) -> Vec<Reading>;

    /// The fields as they go out, after which the next ones are made.
    fn sample(&mut self) -> Map<String, Value>;

    /// A person turned the knob at this position of the model's table.
    fn turn(&mut self, knob: usize, by: f64);

    /// All values move by themselves again: around where they are, or (`home`) around the
    /// profile's own set points.
    fn release(&mut self, home: bool);

    /// A command of the model's table, its request checked against the schema there.
    fn command(&mut self, ctx: &mut Context<'_>, name: &str, request: &Value) -> Reply;

    /// A property of the model's table takes a value, checked against the schema there.
    fn apply(&mut self, ctx: &mut Context<'_>, name: &str, value: &Value);

    /// A moment asked for with [`Context::after`] has come.
    fn timer(&mut self, ctx: &mut Context<'_>, tag: u64);

    /// The indicator light, where there is one.
    fn led(&self) -> Option<Led>;

    /// Work that goes on.
    fn jobs(&self) -> Vec<Job>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BRIGHTNESS: Schema =
        Schema::Integer { range: 1..=3, labels: &[(1, "high"), (2, "medium"), (3, "low")] };

    #[test]
    fn a_schema_says_what_it_takes_and_what_it_got() {
        let said = |value: Value| BRIGHTNESS.check("brightness", &value).expect_err("a bad value");
        assert_eq!(
            said(json!(4)),
            "brightness takes a whole number from 1 to 3 (1 high, 2 medium, 3 low), not 4"
        );
        assert!(said(json!("2")).ends_with("not \"2\""));
        assert!(said(json!(null)).ends_with("not null"));
        assert!(said(json!(1.5)).ends_with("not 1.5"));
        assert!(said(json!([1])).ends_with("not [1]"));
        for good in [json!(1), json!(3), json!(2.0)] {
            assert_eq!(BRIGHTNESS.check("brightness", &good), Ok(()), "{good}");
        }
    }

    #[test]
    fn text_is_counted_in_characters() {
        let schema = Schema::Text { most: 3 };
        assert_eq!(schema.check("name", &json!("äöü")), Ok(()));
        assert_eq!(
            schema.check("name", &json!("abcd")),
            Err("name takes text of at most 3 characters, not one of 4 characters".to_owned())
        );
    }

    #[test]
    fn a_light_blinks_at_its_real_period() {
        let led = Led::Blinking { since: Millis(1_000), period: Duration::from_secs(2) };
        let lit = [1_000, 1_999, 2_000, 2_999, 3_000].map(|at| led.is_lit(Millis(at)));
        assert_eq!(lit, [true, true, false, false, true]);
        assert_eq!(led.next_change(Millis(1_000)), Some(Millis(2_000)));
        assert_eq!(led.next_change(Millis(2_500)), Some(Millis(3_000)));
        assert_eq!(Led::On.next_change(Millis(0)), None);
    }

    #[test]
    fn a_long_value_is_cut_in_messages() {
        assert_eq!(brief(&json!("é".repeat(100))).chars().count(), 41);
    }
}
