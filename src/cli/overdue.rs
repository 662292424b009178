//! The end of a program that was told to end and cannot.
//!
//! Lines are written where they come about, and whoever reads them sets the pace: with a full pipe
//! that nobody empties, as behind a pager that is not scrolled, nothing goes on, and no signal would
//! be looked at. So signals are looked at here as well.

use std::io::{self, Write as _};
use std::time::Duration;

use super::exit::Exit;
use crate::app::Ending;
use crate::device::time::Spoken;
use crate::runtime::signals::Signals;

/// How long telling why may take: standard error may lead into the same pipe.
const TELLING: Duration = Duration::from_millis(100);

/// From the next signal on, gives the program `grace` to end in order, and then ends it with the
/// code that the signal stands for. What was not written by then is lost, and said to be. Must be
/// called within a runtime, and is over with it.
pub(super) fn end_after(grace: Duration, exit: fn(Ending) -> Exit) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        let exit = exit(signals.next().await);
        tokio::time::sleep(grace).await;
        let tell = tokio::task::spawn_blocking(move || {
            let grace = Spoken(grace);
            let _ = writeln!(
                io::stderr(),
                "envsim: did not end within {grace} of the signal, as nobody reads what is written, or \
                 something else stands still; ended without the rest, and lines may be missing"
            );
        });
        // When not even that can be written, the exit code is all that can be said.
        let _ = tokio::time::timeout(TELLING, tell).await;
        std::process::exit(exit.code().into());
    });
    Ok(())
}
