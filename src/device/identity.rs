//! Names a device goes by, checked when they are made.

use std::fmt;
use std::str::FromStr;

/// Why a text is not the name it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("{what} is empty")]
    Empty {
        /// The kind of name.
        what: &'static str,
    },
    /// Longer than the service takes.
    #[error("{what} has {length} characters, the most is {most}")]
    TooLong {
        /// The kind of name.
        what: &'static str,
        /// How long it was.
        length: usize,
        /// How long it may be.
        most: usize,
    },
    /// A character the service does not take in such a name.
    #[error("{what} `{name}` has the character {}, allowed are {allowed}", apart(*.bad))]
    Character {
        /// The kind of name.
        what: &'static str,
        /// The name as given.
        name: String,
        /// The first character that is not allowed.
        bad: char,
        /// What is allowed, in words.
        allowed: &'static str,
    },
    /// `.` or `..`: whoever reads an address takes these for steps in it, encoded or not (the URL
    /// standard, "Path state"), and with them goes to another object of the hub.
    #[error("{what} `{name}` is a step in a path, which no address can carry")]
    Step {
        /// The kind of name.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// The port behind a host name is not a number from 1 to 65535.
    #[error("`{port}` is not a port, give a number from 1 to 65535")]
    Port {
        /// What stood behind the colon.
        port: String,
    },
}

/// A character in quotes, which are never what it is itself.
pub fn apart(c: char) -> String {
    if c == '\'' { "\"'\"".to_owned() } else { format!("{c:?}") }
}

fn check(
    what: &'static str,
    name: &str,
    most: usize,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    let length = name.chars().count();
    if length > most {
        return Err(NameError::TooLong { what, length, most });
    }
    if let Some(bad) = name.chars().find(|c| !is_allowed(*c)) {
        return Err(NameError::Character { what, name: name.to_owned(), bad, allowed });
    }
    if matches!(name, "." | "..") {
        return Err(NameError::Step { what, name: name.to_owned() });
    }
    Ok(())
}

fn is_hub_id_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@;$'".contains(c)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $most:literal, $allowed:literal, $is_allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                check($what, name, $most, $allowed, $is_allowed)?;
                Ok(Self(name.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A device's name in a hub's registry. Case matters.
    ///
    /// IoT Hub, "Understand the identity registry": up to 128 ASCII letters, digits and
    /// `- : . + % _ # * ? ! ( ) , = @ ; $ '`. `.` and `..` are none: no request could name them.
    DeviceId, "the device id", 128,
    "letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '", is_hub_id_character
);

name!(
    /// A module's name on its device, by the same rule as [`DeviceId`].
    ModuleId, "the module id", 128,
    "letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '", is_hub_id_character
);

name!(
    /// A device's name in a provisioning service. Case does not matter there.
    ///
    /// DPS, "Terminology", registration id: up to 128 letters, digits and `- . _ :`.
    RegistrationId, "the registration id", 128,
    "letters, digits and - . _ :", |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c)
);

name!(
    /// Which provisioning service a device belongs to: `0ne` and eight or more letters or digits
    /// in Azure, taken as it is given.
    IdScope, "the ID scope", 64,
    "letters and digits", |c: char| c.is_ascii_alphanumeric()
);

/// A hub's host name, with the port it serves MQTT on when that is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubHost {
    /// Host name or address, as it stands in user names and tokens.
    pub name: String,
    /// The port, when one was given.
    pub port: Option<u16>,
}

impl FromStr for HubHost {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => match port.parse::<u16>() {
                Ok(number) if number > 0 => (name, Some(number)),
                _ => return Err(NameError::Port { port: port.to_owned() }),
            },
            None => (text, None),
        };
        check("the hub's host name", name, 253, "letters, digits, - and .", |c| {
            c.is_ascii_alphanumeric() || "-._".contains(c)
        })?;
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for HubHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.pad(&self.name),
        }
    }
}

/// Where a device has been told to go, and who it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The hub.
    pub hub: HubHost,
    /// The device's name in that hub.
    pub device_id: DeviceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_character_of_a_device_id_is_taken() {
        let name = "Dev:1.a+b%c_d#e*f?g!h(i),j=k@l$m'n;o-9";
        assert_eq!(name.parse::<DeviceId>().map(|id| id.to_string()), Ok(name.to_owned()));
    }

    #[test]
    fn bad_names_say_what_is_wrong() {
        let said = |name: &str| name.parse::<DeviceId>().expect_err("a bad name").to_string();
        assert_eq!(said(""), "the device id is empty");
        assert!(said("a/b").starts_with("the device id `a/b` has the character '/'"));
        assert_eq!(said(&"x".repeat(129)), "the device id has 129 characters, the most is 128");
    }

    #[test]
    fn a_name_is_no_step_in_a_path() {
        for name in [".", ".."] {
            let said = format!("the device id `{name}` is a step in a path, which no address can carry");
            assert_eq!(name.parse::<DeviceId>().map_err(|error| error.to_string()), Err(said));
            assert!(name.parse::<ModuleId>().is_err() && name.parse::<RegistrationId>().is_err());
        }
        for name in ["...", ".a", "a.", "%2e", "%2E%2E"] {
            assert!(name.parse::<DeviceId>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_hub_may_carry_a_port() {
        let hub: HubHost = "localhost:9999".parse().expect("host and port");
        assert_eq!((hub.name.as_str(), hub.port), ("localhost", Some(9999)));
        assert_eq!(hub.to_string(), "localhost:9999");
        let bare: HubHost = "contoso-hub.azure-devices.net".parse().expect("a host");
        assert_eq!(bare.port, None);
        for bad in ["", "h:", "h:0", "h:70000", "h:x", "https://h", "a b"] {
            assert!(bad.parse::<HubHost>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_registration_id_takes_less_than_a_device_id() {
        assert!("sensor:lab.7_b-01".parse::<RegistrationId>().is_ok());
        assert!("sensor#1".parse::<RegistrationId>().is_err());
    }
}
