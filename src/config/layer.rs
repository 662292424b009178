//! Texts as they were given, each with where it came from, so that every message can say so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::ConfigError;
use super::setting::{Row, Setting};

/// Where a text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An option of the command line.
    Option(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The option's name there.
        option: &'static str,
    },
    /// Nobody said anything.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => write!(f, "--{option}"),
            Self::Variable(variable) => write!(f, "the variable {variable}"),
            Self::File { file, line, option } => write!(f, "{file}, line {line}: `{option}`"),
            Self::Default(option) => write!(f, "the default of --{option}"),
        }
    }
}

/// A text and where it came from. Its `Debug` shows no text: it may be a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// What one level says: the command line, the environment, or the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer(BTreeMap<Setting, Given>);

impl Layer {
    /// A level that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a setting.
    pub fn insert(&mut self, setting: Setting, given: Given) {
        self.0.insert(setting, given);
    }

    /// What this level says of `setting`.
    pub fn get(&self, setting: Setting) -> Option<&Given> {
        self.0.get(&setting)
    }

    /// The options given on the command line, by their setting.
    pub fn from_options(
        rows: &'static [Row],
        options: impl IntoIterator<Item = (Setting, Option<String>)>,
    ) -> Self {
        let mut layer = Self::new();
        for (setting, text) in options {
            let name = rows.iter().find(|row| row.setting == setting).and_then(|row| row.option);
            if let (Some(text), Some(name)) = (text, name) {
                layer.insert(setting, Given { text, origin: Origin::Option(name) });
            }
        }
        layer
    }

    /// The variables of `rows`, each asked of `variable`: `std::env::var_os` in the program, a
    /// map in a test.
    pub fn from_environment(
        rows: &'static [Row],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        for row in rows {
            let Some(name) = row.variable else { continue };
            let Some(text) = variable(name) else { continue };
            let origin = Origin::Variable(name);
            let Ok(text) = text.into_string() else {
                return Err(ConfigError::NotText { origin });
            };
            layer.insert(row.setting, Given { text, origin });
        }
        Ok(layer)
    }

    /// The first setting given without a value.
    ///
    /// A variable that a script leaves empty would otherwise send a device that was meant for
    /// Azure to the local cloud, and everything would look well.
    pub fn reject_empty(&self) -> Result<(), ConfigError> {
        match self.0.values().find(|given| given.text.trim().is_empty()) {
            Some(given) => Err(ConfigError::Empty { origin: given.origin.clone() }),
            None => Ok(()),
        }
    }
}
