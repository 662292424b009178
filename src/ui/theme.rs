//! Every colour and every symbol of the screen.
//!
//! Colours are only ever a second way of saying what a symbol or a word says already. They are
//! either the terminal's own sixteen, which its owner has made readable, or mid-tones that stand
//! out from black and from white alike; the background is always the terminal's own.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::{Marker, border};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorDepth {
    /// None at all.
    None,
    /// The sixteen that every terminal has.
    #[default]
    Sixteen,
    /// All of them.
    Full,
}

/// Every symbol of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it says")]
pub struct Symbols {
    pub ok: &'static str,
    pub bad: &'static str,
    pub pending: &'static str,
    pub lit: &'static str,
    pub dark: &'static str,
    pub warning: &'static str,
    pub trace: &'static str,
    pub info: &'static str,
    pub outbound: &'static str,
    pub inbound: &'static str,
    pub cursor: &'static str,
    pub arrow: &'static str,
    pub separator: &'static str,
    pub manual: &'static str,
    pub automatic: &'static str,
    pub paused: &'static str,
    pub bar_full: &'static str,
    pub bar_empty: &'static str,
    pub level_full: &'static str,
    pub level_empty: &'static str,
    pub rule: &'static str,
    pub axis: &'static str,
    pub axis_tick: &'static str,
    pub axis_corner: &'static str,
    pub axis_line: &'static str,
}

const UNICODE: Symbols = Symbols {
    ok: "✓",
    bad: "✗",
    pending: "…",
    lit: "●",
    dark: "○",
    warning: "▲",
    trace: "·",
    info: "•",
    outbound: "↑",
    inbound: "↓",
    cursor: "▸",
    arrow: "→",
    separator: "·",
    manual: "◆",
    automatic: "◇",
    paused: "‖",
    bar_full: "█",
    bar_empty: "░",
    level_full: "■",
    level_empty: "□",
    rule: "─",
    axis: "│",
    axis_tick: "┤",
    axis_corner: "└",
    axis_line: "─",
};

const ASCII: Symbols = Symbols {
    ok: "+",
    bad: "x",
    pending: "~",
    lit: "*",
    dark: "o",
    warning: "!",
    trace: ".",
    info: "-",
    outbound: "^",
    inbound: "v",
    cursor: ">",
    arrow: "->",
    separator: "|",
    manual: "#",
    automatic: "=",
    paused: "||",
    bar_full: "#",
    bar_empty: ".",
    level_full: "#",
    level_empty: "-",
    rule: "-",
    axis: "|",
    axis_tick: "+",
    axis_corner: "+",
    axis_line: "-",
};

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

const ASCII_FOCUS: border::Set<'static> = border::Set {
    top_left: "#",
    top_right: "#",
    bottom_left: "#",
    bottom_right: "#",
    vertical_left: "#",
    vertical_right: "#",
    horizontal_top: "=",
    horizontal_bottom: "=",
};

/// Every colour and symbol.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Symbols.
    pub symbols: Symbols,
    /// Ordinary text.
    pub text: Style,
    /// What matters less.
    pub dim: Style,
    /// What matters more.
    pub strong: Style,
    /// What has the keyboard, and names of things.
    pub accent: Style,
    /// As it should be.
    pub ok: Style,
    /// Not yet, or dealt with.
    pub warn: Style,
    /// Not as it should be.
    pub bad: Style,
    /// A key in a hint.
    pub key: Style,
    /// The row under the cursor.
    pub selected: Style,
    /// A state that must not be overlooked.
    pub badge: Style,
    /// The frame of a pane.
    pub frame: Style,
    /// The frame of the focused pane.
    pub frame_focused: Style,
    /// The lines of the charts, by field.
    pub series: [Style; 4],
    /// How charts are drawn.
    pub marker: Marker,
    /// The shape of a pane's frame.
    pub border: border::Set<'static>,
    /// The shape of the focused pane's frame.
    pub border_focused: border::Set<'static>,
}

/// The hues, in one depth.
struct Hues {
    blue: Color,
    green: Color,
    amber: Color,
    red: Color,
    violet: Color,
    orange: Color,
}

const SIXTEEN: Hues = Hues {
    blue: Color::Blue,
    green: Color::Green,
    amber: Color::Yellow,
    red: Color::Red,
    violet: Color::Magenta,
    orange: Color::Red,
};

/// Each has a contrast of at least 3 to 1 to black and to white.
const FULL: Hues = Hues {
    blue: Color::Rgb(0x2f, 0x86, 0xd6),
    green: Color::Rgb(0x2a, 0x96, 0x4e),
    amber: Color::Rgb(0xb8, 0x7b, 0x0a),
    red: Color::Rgb(0xd9, 0x45, 0x3d),
    violet: Color::Rgb(0xa2, 0x61, 0xc8),
    orange: Color::Rgb(0xd0, 0x6a, 0x28),
};

const COLORLESS: Hues = Hues {
    blue: Color::Reset,
    green: Color::Reset,
    amber: Color::Reset,
    red: Color::Reset,
    violet: Color::Reset,
    orange: Color::Reset,
};

impl Theme {
    /// The theme for a terminal: whether its owner wants no colour (`NO_COLOR`), how many colours
    /// it shows, and whether it shows nothing but ASCII.
    pub fn choose(no_color: bool, colors: ColorDepth, ascii: bool) -> Self {
        let hues = match colors {
            _ if no_color => &COLORLESS,
            ColorDepth::None => &COLORLESS,
            ColorDepth::Sixteen => &SIXTEEN,
            ColorDepth::Full => &FULL,
        };
        let plain = Style::new();
        let fg = |color: Color| if color == Color::Reset { plain } else { plain.fg(color) };
        let bold = |style: Style| style.add_modifier(Modifier::BOLD);
        Self {
            symbols: if ascii { ASCII } else { UNICODE },
            text: plain,
            dim: plain.add_modifier(Modifier::DIM),
            strong: bold(plain),
            accent: bold(fg(hues.blue)),
            ok: fg(hues.green),
            warn: bold(fg(hues.amber)),
            bad: bold(fg(hues.red)),
            key: bold(fg(hues.blue)),
            selected: plain.add_modifier(Modifier::REVERSED),
            badge: bold(plain.add_modifier(Modifier::REVERSED)),
            frame: plain.add_modifier(Modifier::DIM),
            frame_focused: bold(fg(hues.blue)),
            series: [fg(hues.orange), fg(hues.blue), fg(hues.violet), fg(hues.green)],
            marker: if ascii { Marker::Custom('*') } else { Marker::Braille },
            border: if ascii { ASCII_BORDER } else { border::ROUNDED },
            border_focused: if ascii { ASCII_FOCUS } else { border::THICK },
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::choose(false, ColorDepth::default(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color) -> f64 {
        let Color::Rgb(r, g, b) = color else { panic!("a mid-tone") };
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn every_mid_tone_stands_out_from_black_and_from_white() {
        // WCAG 2, contrast ratio.
        for color in [FULL.blue, FULL.green, FULL.amber, FULL.red, FULL.violet, FULL.orange] {
            let l = luminance(color);
            assert!((l + 0.05) / 0.05 >= 3.0, "{color:?} on black");
            assert!(1.05 / (l + 0.05) >= 3.0, "{color:?} on white");
        }
    }

    #[test]
    fn without_colour_nothing_has_a_colour() {
        for theme in
            [Theme::choose(true, ColorDepth::Full, false), Theme::choose(false, ColorDepth::None, false)]
        {
            for style in [theme.ok, theme.bad, theme.warn, theme.accent, theme.series[0], theme.key] {
                assert_eq!((style.fg, style.bg), (None, None));
            }
        }
    }

    #[test]
    fn the_plain_theme_is_ascii() {
        let theme = Theme::choose(false, ColorDepth::Sixteen, true);
        assert!(format!("{:?}", theme.symbols).is_ascii());
        assert!(format!("{:?}{:?}", theme.border, theme.border_focused).is_ascii());
    }
}
