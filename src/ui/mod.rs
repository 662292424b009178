//! State in, screen out: what a person sees, and what keys and mouse mean to it.
//!
//! [`draw`] makes one picture of the state; nothing on the screen is remembered from one picture
//! to the next. [`keymap`] turns keys and mouse into intents, [`placed`] says what they mean on a
//! screen of this size, [`next_change`] tells when the picture changes by itself.
//!
//! Never here: anything mutable, terminals, clocks, sockets, decisions about the device. Text
//! that came over the network reaches the screen only through [`text`], which cleans it.
//!
//! In reading order: [`layout`] (what goes where), [`panes`] (one file each), [`widgets`] (small
//! shapes), [`theme`] (every colour and symbol), [`keymap`], [`text`], [`names`], [`change`].

pub mod change;
pub mod keymap;
pub mod layout;
pub mod names;
pub mod panes;
pub mod text;
pub mod theme;
pub mod widgets;

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod narrow_tests;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::{AppState, Intent};

pub use change::next_change;
pub use theme::{ColorDepth, Theme};

/// Draws everything.
pub fn draw(state: &AppState, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.is_empty() || state.stations.get(state.ui.slot).is_none() {
        return;
    }
    let screen = layout::screen(state, area);
    panes::header::draw(state, theme, screen.header, frame);
    panes::devices::strip(state, theme, screen.devices, frame);
    panes::tabs(state, theme, screen.tabs, frame);
    for (pane, place) in &screen.panes {
        panes::draw(*pane, state, theme, *place, screen.framed, frame);
    }
    let scrolls = panes::over(state, theme, area, frame);
    panes::footer::draw(state, theme, scrolls, screen.footer, frame);
}

/// What a wish means on a screen of this size: how far a text can be moved depends on how it is laid out.
pub fn placed(state: &AppState, theme: &Theme, area: Rect, intent: Intent) -> Intent {
    match intent {
        Intent::Move(motion) => panes::scrolled(state, theme, area, motion).map_or(intent, Intent::Scroll),
        _ => intent,
    }
}
