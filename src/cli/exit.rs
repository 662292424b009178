//! How the program ends, as a number that scripts can rely on.

use std::process::ExitCode;

use crate::app::Ending;

/// How the program ends. The numbers are a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done; also after SIGTERM, which asks for a clean stop.
    Done,
    /// Something failed that no other number stands for.
    Failed,
    /// The command line, a variable or the configuration file cannot be used.
    Usage,
    /// The provisioning service did not assign the device to a hub.
    Provision,
    /// The hub could not be reached, or did not let the device in.
    Connect,
    /// Ctrl-C or SIGINT, after a clean stop: 128 and the signal's number, as shells count.
    Interrupted,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Provision => 3,
            Self::Connect => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done | Ending::Terminated => Self::Done,
            Ending::Failed => Self::Failed,
            Ending::NotProvisioned => Self::Provision,
            Ending::NotConnected => Self::Connect,
            Ending::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The same for people, at the end of the help.
pub const HELP: &str = "Exit codes:
  0    done (also after SIGTERM)
  1    failed
  2    bad usage or configuration
  3    could not provision
  4    could not connect
  130  interrupted (Ctrl-C)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stands_in_the_help() {
        for exit in [Exit::Done, Exit::Failed, Exit::Usage, Exit::Provision, Exit::Connect, Exit::Interrupted]
        {
            assert!(
                HELP.lines().any(|line| line.split_whitespace().next() == Some(&exit.code().to_string()))
            );
        }
    }
}
