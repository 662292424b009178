//! A picture of the real screen, for the README: true text in an SVG.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::Path;

use super::support::Screen;

const CELL: (f64, f64) = (8.4, 16.4);
const FONT_SIZE: f64 = 14.0;
const MARGIN: f64 = 12.0;
const BACKGROUND: &str = "#16181d";
const TEXT: &str = "#d8dbe2";

/// The sixteen colours that a terminal chooses for itself.
const NAMED: [&str; 16] = [
    "#2b2f38", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4", "#7f848e",
    "#ff7b86", "#b1dd8c", "#ffd68a", "#7cc4ff", "#e39af5", "#6fd3df", "#ffffff",
];

/// A picture of a screen.
struct Picture {
    /// Its file in `assets/pictures`.
    file: &'static str,
    columns: u16,
    rows: u16,
    /// What is started.
    args: &'static [&'static str],
    /// What is on the screen before the operator begins.
    ready: &'static str,
    /// What the operator has done by the time the picture is taken: arguments of `envsim hub`.
    story: &'static [&'static [&'static str]],
    /// What is on the screen when the picture is taken.
    last: &'static str,
}

/// Every picture in the README.
const PICTURES: &[Picture] = &[
    Picture {
        file: "screen.svg",
        columns: 100,
        rows: 30,
        args: &["run", "--seed", "7", "--interval", "500ms"],
        ready: "● online",
        // Something in every pane.
        story: &[
            &["invoke", "env-sensor-01", "blink", "--payload", "5"],
            &["invoke", "env-sensor-01", "turnon"],
            &["invoke", "env-sensor-01", "rundiagnostics", "--wait-for", "rundiagnostics"],
            &["twin", "update", "env-sensor-01", "--desired", r#"{"name": "Kitchen", "brightness": 2}"#],
            &["invoke", "env-sensor-01", "blink", "--payload", "2"],
        ],
        // Enough messages for a line on the chart.
        last: "sent #40",
    },
    Picture {
        file: "reboot.svg",
        columns: 100,
        rows: 30,
        args: &["run", "--seed", "7", "--profile", "environment,reboot", "--time-scale", "4"],
        ready: "sent #5",
        story: &[&["invoke", "env-sensor-01", "rebootDevice", "--wait-for", "rebootTime"]],
        last: "sent #7",
    },
    Picture {
        file: "firmware.svg",
        columns: 100,
        rows: 30,
        args: &["run", "--seed", "7", "--profile", "firmware", "--time-scale", "3"],
        ready: "● online",
        story: &[&[
            "invoke",
            "env-sensor-01",
            "firmwareUpdate",
            "--payload",
            r#"{"fwPackageUri": "test.com"}"#,
        ]],
        last: "applying",
    },
    Picture {
        file: "module.svg",
        columns: 100,
        rows: 30,
        args: &["run", "--seed", "7", "--profile", "module", "--interval", "500ms"],
        ready: "sent #20",
        story: &[
            &[
                "twin",
                "update",
                "myFirstDevice",
                "--module",
                "myFirstModule",
                "--desired",
                r#"{"telemetryInterval": 122}"#,
            ],
            &["invoke", "myFirstDevice", "ping", "--module", "myFirstModule"],
        ],
        last: "every 2 min",
    },
    Picture {
        file: "edge-filter.svg",
        columns: 120,
        rows: 36,
        args: &["run", "--seed", "7", "--profile", "edge-filter", "--interval", "500ms"],
        ready: "passed 9",
        story: &[&[
            "twin",
            "update",
            "edge-01",
            "--module",
            "filterModule",
            "--desired",
            r#"{"TemperatureThreshold": 30}"#,
        ]],
        last: "passed 20",
    },
];

impl Picture {
    fn take(&self) -> String {
        let screen = Screen::open_with(self.columns, self.rows, self.args, &[("COLORTERM", "truecolor")]);
        screen.wait_for(self.ready);
        for line in self.story {
            let args: Vec<_> = ["hub"].iter().chain(*line).copied().collect();
            screen.sandbox.run(&args).expect(0);
        }
        screen.wait_for(self.last);
        svg(&screen.picture())
    }
}

#[test]
fn the_pictures_in_the_readme_are_of_the_real_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("assets/pictures");
    let update = std::env::var("UPDATE_PICTURES").is_ok_and(|update| update == "1");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    for picture in PICTURES {
        let path = folder.join(picture.file);
        if update {
            std::fs::create_dir_all(&folder).expect("a folder for pictures");
            std::fs::write(&path, picture.take()).expect("a picture");
        }
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_PICTURES=1 makes it", path.display()));
        assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{}", path.display());
        assert!(readme.contains(&format!("(assets/pictures/{})", picture.file)), "{}", path.display());
    }
}

#[test]
fn a_screen_becomes_text_with_colours() {
    let mut parser = vt100::Parser::new(NonZeroU16::MIN, NonZeroU16::MIN.saturating_add(9), 0);
    parser.process(b"a \x1b[1;31m<b>\x1b[0;7mc");
    let picture = svg(parser.screen());
    assert!(picture.contains(">a</text>"), "{picture}");
    assert!(picture.contains(&format!("fill=\"{}\" font-weight=\"bold\">&lt;b&gt;</text>", NAMED[1])));
    assert!(picture.contains(&format!("fill=\"{BACKGROUND}\">c</text>")), "{picture}");
}

fn size(screen: &vt100::Screen) -> (u16, u16) {
    let (rows, columns) = screen.size();
    (rows.get(), columns.get())
}

/// How a run of cells looks.
#[derive(Clone, PartialEq)]
struct Look {
    front: String,
    back: String,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Self {
        let (mut front, mut back) = (color(cell.fgcolor(), TEXT), color(cell.bgcolor(), BACKGROUND));
        if cell.inverse() {
            std::mem::swap(&mut front, &mut back);
        }
        Self { front, back, bold: cell.bold(), dim: cell.dim(), underlined: cell.underline() }
    }
}

fn color(color: vt100::Color, otherwise: &str) -> String {
    match color {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(index @ 0..16) => NAMED[usize::from(index)].to_owned(),
        vt100::Color::Idx(index @ 16..232) => {
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let index = index - 16;
            format!("#{:02x}{:02x}{:02x}", level(index / 36), level(index / 6 % 6), level(index % 6))
        }
        vt100::Color::Idx(index) => {
            let level = 8 + 10 * (index - 232);
            format!("#{level:02x}{level:02x}{level:02x}")
        }
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// A screen as an SVG.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = size(screen);
    let (width, height) = (f64::from(columns) * CELL.0, f64::from(rows) * CELL.1);
    let (full_width, full_height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full_width:.1} {full_height:.1}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT_SIZE}\">\n\
         <title>envsim on a terminal of {columns} by {rows}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let (text, look, count) = run(screen, row, column);
            let at = (MARGIN + f64::from(column) * CELL.0, MARGIN + f64::from(row) * CELL.1);
            write_run(&mut svg, at, &text, &look, count);
            column += count;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The cells from here on that look alike: their text, their look, how many.
fn run(screen: &vt100::Screen, row: u16, from: u16) -> (String, Look, u16) {
    let (_, columns) = size(screen);
    let cell = |column| screen.cell(row, column).expect("a cell of the screen");
    let look = Look::of(cell(from));
    let mut text = String::new();
    let mut count = 0;
    for column in from..columns {
        let cell = cell(column);
        if Look::of(cell) != look {
            break;
        }
        count += 1;
        if !cell.is_wide_continuation() {
            text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        }
    }
    (text, look, count)
}

fn write_run(svg: &mut String, (x, y): (f64, f64), text: &str, look: &Look, count: u16) {
    if look.back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>",
            f64::from(count) * CELL.0,
            CELL.1,
            look.back
        );
    }
    // Words apart, each where it belongs: fonts differ in width, columns must not.
    let baseline = y + CELL.1 * 0.78;
    let mut column = 0_u16;
    for word in text.split_inclusive("  ") {
        let length = u16::try_from(word.chars().count()).unwrap_or(u16::MAX);
        let shown = word.trim();
        if !shown.is_empty() {
            let skipped = word.chars().take_while(|c| c.is_whitespace()).count();
            let skipped = u16::try_from(skipped).unwrap_or_default();
            let count = u16::try_from(shown.chars().count()).unwrap_or(u16::MAX);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{baseline:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{}{}{}>{}</text>",
                x + f64::from(column + skipped) * CELL.0,
                f64::from(count) * CELL.0,
                look.front,
                if look.bold { " font-weight=\"bold\"" } else { "" },
                if look.dim { " opacity=\"0.65\"" } else { "" },
                if look.underlined { " text-decoration=\"underline\"" } else { "" },
                shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            );
        }
        column += length;
    }
}
