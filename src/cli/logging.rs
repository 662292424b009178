//! Diagnostics: to a file, or to standard error where there is no screen; never onto the screen.
//!
//! Only this program's own records are taken, not those of the libraries below it, which know
//! nothing of what is a secret here.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::file::reason;
use crate::config::{ConfigError, Logging, Origin};
use crate::system::files;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Nowhere.
    None,
    /// To this file, at its end.
    File(std::path::PathBuf),
    /// To standard error.
    Stderr,
}

/// Where records go, given whether there is a screen.
pub fn sink(logging: &Logging, screen: bool) -> Sink {
    match &logging.file {
        Some(path) => Sink::File(path.clone()),
        None if !screen && (logging.verbose > 0 || logging.filter.is_some()) => Sink::Stderr,
        None => Sink::None,
    }
}

/// Starts taking records down. At most once in a process; a second time changes nothing.
pub fn start(logging: &Logging, screen: bool) -> Result<(), ConfigError> {
    let filter = filter(logging)?;
    let format = || tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    // An error means that a test in this process has started it already.
    let _ = match sink(logging, screen) {
        Sink::None => Ok(()),
        Sink::Stderr => format().with_writer(io::stderr).try_init(),
        Sink::File(path) => format().with_writer(Mutex::new(open(&path)?)).try_init(),
    };
    Ok(())
}

/// What `RUST_LOG` says, for subcommands whose options are in no configuration file.
pub fn filter_given() -> Option<String> {
    std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty())
}

/// `RUST_LOG` where it is set; else as much as `-v` asks for.
fn filter(logging: &Logging) -> Result<EnvFilter, ConfigError> {
    let text = match (&logging.filter, logging.verbose) {
        (Some(filter), _) => filter.as_str(),
        (None, 0) => "envsim=info",
        (None, 1) => "envsim=debug",
        (None, _) => "envsim=trace",
    };
    EnvFilter::try_new(text).map_err(|error| ConfigError::Invalid {
        origin: Origin::Variable("RUST_LOG"),
        why: format!("is no filter, such as `debug` or `envsim=trace`: {error}"),
    })
}

/// Opens the file for its owner alone: records name devices and hubs.
fn open(path: &Path) -> Result<File, ConfigError> {
    files::private().append(true).create(true).open(path).map_err(|error| ConfigError::Invalid {
        origin: Origin::Option("log-file"),
        why: format!("cannot write {}: {}", path.display(), reason(&error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_never_go_where_a_screen_is() {
        let quiet = Logging::default();
        let loud = Logging { verbose: 2, filter: Some("trace".to_owned()), file: None };
        let filed = Logging { file: Some("x.log".into()), ..quiet.clone() };
        assert_eq!((sink(&quiet, false), sink(&quiet, true)), (Sink::None, Sink::None));
        assert_eq!((sink(&loud, false), sink(&loud, true)), (Sink::Stderr, Sink::None));
        assert_eq!(sink(&filed, true), Sink::File("x.log".into()));
    }

    #[test]
    fn a_bad_filter_or_file_is_explained() {
        let bad = Logging { filter: Some("envsim=loud".to_owned()), ..Logging::default() };
        let said = filter(&bad).expect_err("a bad filter").to_string();
        assert!(said.starts_with("the variable RUST_LOG: is no filter"), "{said}");
        let said = open(Path::new("/nonexistent/x.log")).expect_err("no folder").to_string();
        assert_eq!(said, "--log-file: cannot write /nonexistent/x.log: there is no such file");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_and_only_grows() {
        use std::io::Write as _;
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.log");
        for word in ["a", "b"] {
            open(&path).expect("a file").write_all(word.as_bytes()).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "ab");
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}
