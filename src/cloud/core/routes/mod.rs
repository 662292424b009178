//! Routes of an IoT Edge device: which messages of its modules go where.
//!
//! IoT Edge, "Deploy modules and establish routes in IoT Edge". In Azure the Edge hub, a module on
//! the device, does this; here the local cloud does it for modules that are connected to it. What
//! the documentation leaves open follows Edge hub, whose source is public.
//!
//! Never here: topics, sockets, clocks, or what happens to a message once it is in the hub.
//!
//! In reading order: [`route`] says what a route is, `parser` reads one, [`deployment`] reads all of
//! a device, [`message`] is what is routed and what conditions ask of it, `queue` is what waits for
//! one module, [`router`] is one device's and [`routers`] all of them, `flow` puts them between the
//! clients of the hub, and [`kept`] is what a store has of them.

pub mod deployment;
mod flow;
pub mod kept;
pub mod message;
mod parser;
mod queue;
pub mod route;
pub mod router;
pub mod routers;
#[cfg(test)]
mod tests;

pub use self::parser::{MAX_LENGTH, RouteError};
pub use self::queue::{NoPlace, Place};
pub use self::route::{Origin, Route, Sink, Source};
