//! A route: from where, on what condition, to where.

use std::fmt::{self, Display, Formatter};

use crate::cloud::core::query::Condition;
use crate::device::ModuleId;

/// The sink that is the hub.
pub(super) const UPSTREAM: &str = "$upstream";
/// The function of the sinks that are inputs of modules.
pub(super) const ENDPOINT: &str = "BrokeredEndpoint";

/// A rule that gives messages to a sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Which messages it looks at.
    pub source: Source,
    /// Which of them it takes; all when there is none.
    pub condition: Option<Condition>,
    /// Where they go.
    pub sink: Sink,
}

/// Which messages a route looks at. "Declare routes", source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `/*`: messages and changes of twins.
    Everything,
    /// `/twinChangeNotifications`: changes of reported properties.
    TwinChanges,
    /// `/messages/*`.
    Messages,
    /// `/messages/modules/*`: with or without an output.
    Modules,
    /// `/messages/modules/{m}/*`: with or without an output.
    Module(ModuleId),
    /// `/messages/modules/{m}/outputs/*`: with any output.
    Outputs(ModuleId),
    /// `/messages/modules/{m}/outputs/{o}`.
    Output(ModuleId, String),
}

/// Where a route leads. "Declare routes", sink.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sink {
    /// `$upstream`: the hub.
    Upstream,
    /// `BrokeredEndpoint("/modules/{m}/inputs/{i}")`.
    Input {
        /// The module on the same device.
        module: ModuleId,
        /// Its input.
        input: String,
    },
}

/// Where something to be routed comes from. Everything is of a module here: other devices do not
/// connect through an Edge device to this cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A message of a module, on an output when it named one.
    Message {
        /// The module.
        module: ModuleId,
        /// Its output.
        output: Option<String>,
    },
    /// A module has changed its reported properties.
    TwinChange {
        /// The module.
        module: ModuleId,
    },
}

impl Source {
    /// Whether a route looks at what comes from there. Edge hub, `BaseMessageSource`: upper and
    /// lower case are the same.
    pub fn takes(&self, origin: &Origin) -> bool {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        match (self, origin) {
            (Self::Everything, _)
            | (Self::TwinChanges, Origin::TwinChange { .. })
            | (Self::Messages | Self::Modules, Origin::Message { .. }) => true,
            (Self::TwinChanges, Origin::Message { .. }) | (_, Origin::TwinChange { .. }) => false,
            (Self::Module(wanted), Origin::Message { module, .. }) => same(wanted.as_str(), module.as_str()),
            (Self::Outputs(wanted), Origin::Message { module, output }) => {
                same(wanted.as_str(), module.as_str()) && output.is_some()
            }
            (Self::Output(wanted, name), Origin::Message { module, output }) => {
                same(wanted.as_str(), module.as_str())
                    && output.as_ref().is_some_and(|output| same(name, output))
            }
        }
    }
}

impl Display for Route {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "FROM {}", self.source)?;
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        write!(f, " INTO {}", self.sink)
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("/*"),
            Self::TwinChanges => f.write_str("/twinChangeNotifications"),
            Self::Messages => f.write_str("/messages/*"),
            Self::Modules => f.write_str("/messages/modules/*"),
            Self::Module(module) => write!(f, "/messages/modules/{module}/*"),
            Self::Outputs(module) => write!(f, "/messages/modules/{module}/outputs/*"),
            Self::Output(module, output) => write!(f, "/messages/modules/{module}/outputs/{output}"),
        }
    }
}

impl Display for Sink {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str(UPSTREAM),
            Self::Input { module, input } => {
                // Neither can have a quote: no module id has one, and the parser takes none.
                write!(f, "{ENDPOINT}(\"/modules/{module}/inputs/{input}\")")
            }
        }
    }
}
