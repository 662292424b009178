//! What a device is: a state machine from inputs to outputs.
//!
//! [`Device::handle`] takes one thing that happened and appends what the device wants done about
//! it. Everything a device decides is decided here: when to provision, connect, wait and give up;
//! what to send; how to answer a command; how to acknowledge a property.
//!
//! Never here: sockets, tasks, clocks, global randomness, topic strings, or a profile by name.
//! Time comes in as an argument, randomness as a seed.
//!
//! In reading order: [`message`] (the whole vocabulary), [`machine`], [`lifecycle`], [`outbox`],
//! [`reports`], [`property`], [`command`], [`profile`], [`twin`], [`failure`], [`backoff`],
//! [`schedule`], [`image`], [`identity`], [`discreet`], [`harmful`], [`time`].

pub mod backoff;
pub mod command;
pub mod discreet;
pub mod failure;
pub mod harmful;
pub mod identity;
pub mod image;
pub mod lifecycle;
pub mod machine;
pub mod message;
pub mod outbox;
pub mod profile;
pub mod property;
pub mod reports;
pub mod schedule;
pub mod time;
pub mod twin;

pub use command::{Answer, Call, CallId, Reply};
pub use failure::{Failure, FailureKind, Retry};
pub use identity::{Assignment, DeviceId, HubHost, IdScope, ModuleId, RegistrationId};
pub use image::{ImageNews, ImageOrder, ImageUri};
pub use lifecycle::Phase;
pub use machine::{Device, DeviceOptions, RestartStyle};
pub use message::{
    Inbound, Input, LinkStep, Message, Note, Output, PacketView, ProvisioningStep, Severity, Ticket,
};
pub use profile::{
    CommandSpec, Context, Field, Figure, Flow, Job, Knob, Led, Member, Model, Outcome, Port, Profile,
    PropertySpec, Reading, Schema,
};
pub use property::{PropertyState, Standing};
pub use time::{Millis, Now, TimeScale};
pub use twin::TwinDocument;
