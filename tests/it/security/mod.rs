//! Who gets in: nobody from outside, nobody without a credential, nobody with somebody else's; and
//! no key leaves by the log.
//!
//! In reading order: [`routes`] (every route, from the source of the table), [`credentials`],
//! [`topics`], [`traces`] (sockets, files, logs).

mod credentials;
mod routes;
mod topics;
mod traces;
