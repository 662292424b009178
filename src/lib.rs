//! envsim: an environmental-sensor device for Azure IoT Hub, DPS and IoT Central that you watch
//! and tweak in a terminal, with a whole local cloud inside.
//!
//! The device is a plain state machine: one thing that happened goes in, what it wants done comes
//! out. Around it the program is another one: every event goes through one inbox, in one order;
//! [`app::reduce()`] is the only function that changes the state, and screens and lines are made
//! from the state. Sockets, clocks, signals and the terminal are at the edge.
//!
//! The local cloud has the same shape: a pure core, a dialect around it, thin TLS shells. The
//! device reaches it through sockets only, exactly as it reaches Azure, and shares no decision
//! with it: only the text of the protocol in [`wire`], which literal vectors hold in place.
//!
//! ```text
//!  keyboard ─────┐                                          ┌─► ui::draw(&state) ──► terminal
//!  signals ──────┤                                          │
//!  links ────────┼─► Event ─► [ inbox ] ─► app::reduce ─► AppState ─► report::line ─► stdout
//!  provisioning ─┤     ▲                        │
//!  operator ─────┘     │                        ▼
//!                      │                     Effects
//!                      └──── results ◄── runtime::run
//! ```
//!
//! | Folder | What it is | May name |
//! |---|---|---|
//! | [`device`] | what a device decides; pure | nothing |
//! | [`sensors`] | values that look alive; pure, seeded | nothing |
//! | [`profiles`] | kinds of device, in tables; pure | `device`, `sensors` |
//! | [`wire`] | the protocol's text, both directions; pure | `device` |
//! | [`app`] | the running program as a value; pure | `device` |
//! | [`ui`] | state to screen; pure | `app`, `device` |
//! | [`report`] | state to lines; pure | `app`, `device` |
//! | [`trust`] | certificates, and what goes wrong with connections | nothing |
//! | [`system`] | what Unix, macOS and Windows do differently | nothing |
//! | [`net`] | sockets on the device's side | `wire`, `device`, `trust` |
//! | [`firmware`] | firmware images, downloaded and kept | `device`, `trust`, `system` |
//! | [`operator`] | the service side's client | `wire`, `device`, `trust` |
//! | [`cloud`] | the local IoT Hub and DPS | `wire`, `system`, names and time of `device` |
//! | [`runtime`] | the loop, where effects happen | all above but `profiles`, `wire`, `firmware`, `cloud`, `system` |
//! | [`config`] | options, environment, file to checked values | `device`, `wire` |
//! | [`cli`] | one file a subcommand; composition | everything |
//!
//! A test holds the last column to be true.

pub mod app;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod device;
pub mod firmware;
pub mod net;
pub mod operator;
pub mod profiles;
pub mod report;
pub mod runtime;
pub mod sensors;
pub mod system;
pub mod trust;
pub mod ui;
pub mod wire;
