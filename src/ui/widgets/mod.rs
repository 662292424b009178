//! Small shapes that several panes draw.
//!
//! Never here: the program's state; a shape gets what it draws as arguments.
//!
//! In reading order: [`strip`] (pieces side by side, the least important of which give way),
//! [`list`], [`gauge`], [`chart`], [`popup`].

pub mod chart;
pub mod gauge;
pub mod list;
pub mod popup;
pub mod strip;
