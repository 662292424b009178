//! Stories of the whole program, without a socket or a screen.
