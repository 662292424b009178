//! Signals as ways to end: Unix's, and on Windows what stands for them.

use std::io;

use crate::app::Ending;

/// The signals that end a program, heard from the moment this is made.
pub struct Signals(system::Signals);

impl Signals {
    /// Begins to listen. Must be called within a runtime.
    pub fn listen() -> io::Result<Self> {
        system::Signals::listen().map(Self)
    }

    /// The next signal. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> Ending {
        self.0.next().await
    }
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Ending, io};

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        hangup: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: signal(SignalKind::hangup())?,
            })
        }

        pub(super) async fn next(&mut self) -> Ending {
            tokio::select! {
                _ = self.interrupt.recv() => Ending::Interrupted,
                _ = self.terminate.recv() => Ending::Terminated,
                _ = self.hangup.recv() => Ending::Terminated,
            }
        }
    }
}

/// The console's control events. Windows ends a process a few seconds after its window was closed or
/// its user logs off, whatever it does (Windows, Console, `HandlerRoutine`): enough to end in order.
#[cfg(windows)]
mod system {
    use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};

    use super::{Ending, io};

    pub(super) struct Signals {
        interrupt: CtrlC,
        end: CtrlBreak,
        window: CtrlClose,
        user: CtrlLogoff,
        system: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: windows::ctrl_c()?,
                end: windows::ctrl_break()?,
                window: windows::ctrl_close()?,
                user: windows::ctrl_logoff()?,
                system: windows::ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Ending {
            tokio::select! {
                _ = self.interrupt.recv() => Ending::Interrupted,
                // What one process can send to a group of others, as SIGTERM is on Unix.
                _ = self.end.recv() => Ending::Terminated,
                _ = self.window.recv() => Ending::Terminated,
                _ = self.user.recv() => Ending::Terminated,
                _ = self.system.recv() => Ending::Terminated,
            }
        }
    }
}
