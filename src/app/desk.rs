//! The operator's desk: what can be asked of the hub's service side, and what came of it.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tui_input::Input as TextInput;

use super::{Slot, Station};
use crate::device::property::Convention;
use crate::device::{IdScope, Millis, Schema};

/// How many answers are kept for the pane.
const CAPACITY: usize = 50;

/// Something the operator can do, a row of the pane.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Invoke a command.
    Invoke {
        /// Which.
        command: &'static str,
        /// What it does, for people.
        title: &'static str,
        /// What it takes, if it takes anything.
        request: Option<&'static Schema>,
        /// A request to start editing from; empty when the command takes none.
        example: &'static str,
    },
    /// Set a writable property.
    Set {
        /// Which.
        property: &'static str,
        /// What it is, for people.
        title: &'static str,
        /// What it takes.
        schema: &'static Schema,
    },
    /// Show the whole twin.
    ShowTwin,
    /// Cut the device's link without a word.
    CutLink,
    /// Let something go wrong in the local cloud.
    Trouble(&'static Mishap),
}

/// Something that the local cloud is asked to do wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Mishap {
    /// What is done about it: `make` or `end`.
    pub verb: &'static str,
    /// What goes wrong.
    pub name: &'static str,
    /// How, for people.
    pub title: &'static str,
    /// What is asked of the cloud, as JSON, on top of what goes wrong already; `null` ends it all.
    faults: &'static str,
}

/// Every mishap that the pane offers.
pub const MISHAPS: &[Mishap] = &[
    mishap("make", "slow answers", "each comes 1 s late", r#"{"latency": 1000}"#),
    mishap("make", "refusals", "of the next 3 connections", r#"{"refuse": {"times": 3}}"#),
    mishap("make", "busy DPS", "for its next 2 requests", r#"{"dpsBusy": {"times": 2}}"#),
    mishap("make", "drops", "of the link, every 15 s", r#"{"dropEvery": 15000}"#),
    mishap("end", "trouble", "all of it", "null"),
];

const fn mishap(verb: &'static str, name: &'static str, title: &'static str, faults: &'static str) -> Mishap {
    Mishap { verb, name, title, faults }
}

impl Mishap {
    /// What is asked of the cloud.
    pub fn faults(&self) -> Value {
        serde_json::from_str(self.faults).unwrap_or_default()
    }
}

impl Action {
    /// Everything that can be done to a device, and to a cloud when it is the local one.
    pub fn all(station: &Station, local: bool) -> Vec<Self> {
        let mut actions = Vec::new();
        for profile in station.device.profiles() {
            let model = profile.model();
            actions.extend(model.commands.iter().map(|spec| Self::Invoke {
                command: spec.name,
                title: spec.title,
                request: spec.request.as_ref(),
                example: spec.example,
            }));
            actions.extend(model.properties.iter().map(|spec| Self::Set {
                property: spec.name,
                title: spec.title,
                schema: &spec.schema,
            }));
        }
        actions.extend([Self::ShowTwin, Self::CutLink]);
        if local {
            actions.extend(MISHAPS.iter().map(Self::Trouble));
        }
        actions
    }

    /// One line for people.
    pub fn label(&self) -> String {
        match self {
            Self::Invoke { command, title, .. } => format!("invoke {command}: {title}"),
            Self::Set { property, title, .. } => format!("set {property}: {title}"),
            Self::ShowTwin => "show the twin".to_owned(),
            Self::CutLink => "drop the link, to see it come back".to_owned(),
            Self::Trouble(Mishap { verb, name, title, .. }) => format!("{verb} {name}: {title}"),
        }
    }
}

/// A request to the hub's service side.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskRequest {
    /// To find the answer's question.
    pub id: u64,
    /// About which device.
    pub device: String,
    /// About which of its modules, when it is one.
    pub module: Option<String>,
    /// What.
    pub ask: Ask,
}

/// What is asked of the hub's service side.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Invoke a command; `None` sends no request at all.
    Invoke {
        /// Which.
        command: String,
        /// The request.
        request: Option<Value>,
    },
    /// Patch the desired section.
    Desired(Value),
    /// Read the twin.
    Twin,
    /// Let more go wrong in the local cloud, or nothing any more for `null`.
    Faults(Value),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskAnswer {
    /// Which.
    pub id: u64,
    /// In words: what the hub answered, or why it could not.
    pub outcome: Result<String, String>,
}

/// What follows from an answer, besides that it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Nothing.
    Nothing,
    /// It is a text to read, which is laid over the panes.
    Read,
}

impl Ask {
    /// What follows from its answer.
    pub fn follows(&self) -> Follow {
        match self {
            Self::Twin => Follow::Read,
            Self::Invoke { .. } | Self::Desired(_) | Self::Faults(_) => Follow::Nothing,
        }
    }
}

/// A request and what became of it, for the pane.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Which.
    pub id: u64,
    /// About which device.
    pub slot: Slot,
    /// In words.
    pub request: String,
    /// What follows from its answer.
    pub follows: Follow,
    /// When it was asked.
    pub asked: Millis,
    /// The answer, and how long it took.
    pub answer: Option<(Result<String, String>, Duration)>,
}

/// A text being entered for an action.
#[derive(Debug, Clone)]
pub struct Form {
    /// For what.
    pub action: Action,
    /// The text so far.
    pub text: TextInput,
    /// Why the text cannot be sent as it is.
    pub problem: Option<String>,
}

/// Everything the operator's pane shows.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Why there is none, in words, when there is none: a real hub without a service connection
    /// string.
    pub closed: Option<String>,
    /// Whether the hub is the local cloud, which can be asked for trouble.
    pub local: bool,
    /// The ID scopes that the local cloud serves, its own first.
    pub scopes: Vec<IdScope>,
    /// Whether something goes wrong on request in the local cloud, whoever asked for it.
    pub troubled: bool,
    /// Which row the cursor is on.
    pub cursor: usize,
    /// In which generation of the convention properties are set.
    pub convention: Convention,
    /// A text being entered.
    pub form: Option<Form>,
    exchanges: VecDeque<Exchange>,
    count: u64,
}

impl Desk {
    /// A desk, of the local cloud or a real hub's, open or closed for a reason.
    pub fn new(closed: Option<String>, local: bool) -> Self {
        Self {
            closed,
            local,
            scopes: Vec::new(),
            troubled: false,
            cursor: 0,
            convention: Convention::Current,
            form: None,
            exchanges: VecDeque::new(),
            count: 0,
        }
    }

    /// An ID scope that a device can move to from where it is, as far as any is known.
    pub fn other_scope(&self, station: &Station) -> Option<&IdScope> {
        self.scopes.iter().find(|scope| Some(*scope) != station.scope.as_ref())
    }

    /// Everything that can be done here.
    pub fn actions(&self, station: &Station) -> Vec<Action> {
        Action::all(station, self.local)
    }

    /// Notes a request; returns its name.
    pub fn asked(&mut self, at: Millis, slot: Slot, request: String, follows: Follow) -> u64 {
        self.count += 1;
        if self.exchanges.len() == CAPACITY {
            self.exchanges.pop_front();
        }
        self.exchanges.push_back(Exchange {
            id: self.count,
            slot,
            request,
            follows,
            asked: at,
            answer: None,
        });
        self.count
    }

    /// Notes an answer; returns the exchange, complete.
    pub fn answered(&mut self, at: Millis, answer: &DeskAnswer) -> Option<&Exchange> {
        let exchange = self.exchanges.iter_mut().find(|exchange| exchange.id == answer.id)?;
        let took = at.since(exchange.asked);
        exchange.answer = Some((answer.outcome.clone(), took));
        Some(exchange)
    }

    /// What was asked, newest first.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mishap_asks_for_something_and_the_last_one_ends_it() {
        let asked: Vec<_> = MISHAPS.iter().map(Mishap::faults).collect();
        let (last, others) = asked.split_last().expect("mishaps");
        assert!(others.iter().all(|faults| faults.as_object().is_some_and(|members| members.len() == 1)));
        assert!(last.is_null() && MISHAPS.iter().filter(|mishap| mishap.faults == "null").count() == 1);
    }
}
