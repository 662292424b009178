//! The service side over AMQP 1.0: messages to devices, what became of them, and the Event Hubs
//! compatible endpoint for what devices say. IoT Hub, "AMQP support".
//!
//! Never here: devices over AMQP, which this cloud does not have; what a message or an event is,
//! which `core` knows; sockets and TLS, which `door` has.
//!
//! In reading order: [`address`] and [`selector`] (what clients write, pure), [`access`] (tokens),
//! [`connection`] (sessions and links), [`request`] (questions and answers), [`cbs`],
//! [`management`], [`send`], [`feedback`], [`layout`] (an event's form, pure), [`events`].

mod access;
pub(super) mod address;
mod cbs;
mod connection;
mod events;
mod feedback;
mod layout;
mod management;
mod request;
mod selector;
mod send;

pub(super) use self::connection::run;
