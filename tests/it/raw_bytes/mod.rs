//! Clients that mean ill or know no better, byte by byte, against the real program. Whatever they
//! send, an honest device is served within two seconds, and the program's memory stays bounded.
//!
//! In reading order: [`mqtt`], [`websocket`], [`http`], [`crowds`].

mod crowds;
mod http;
mod mqtt;
mod websocket;
