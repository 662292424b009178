//! The real program on a pseudo-terminal: keys typed, the screen read.
//!
//! The stored screens beside `ui` hold every pane to the cell; here it is whether the parts work
//! together and whether the terminal comes back.

use super::support::{Key, Screen};

const SIZE: (u16, u16) = (120, 40);

/// The program on a screen with room for every pane, online.
fn online(interval: &str) -> Screen {
    let args = ["run", "--seed", "7", "--time-scale", "10", "--interval", interval];
    let screen = Screen::open(SIZE.0, SIZE.1, &args);
    screen.wait_for("● online");
    screen
}

/// The number before `word` on the screen.
fn number_before(screen: &str, word: &str) -> Option<u64> {
    let at = screen.find(word)?;
    screen[..at].split_whitespace().last()?.replace(',', "").parse().ok()
}

/// What the cursor of a list stands on.
fn chosen(screen: &str) -> Option<&str> {
    let line = screen.lines().find_map(|line| line.split_once("▸ "))?;
    Some(line.1.trim())
}

/// Puts the operator's cursor on the row that reads so, and takes it.
fn operate(screen: &mut Screen, row: &str) {
    screen.keys("5");
    screen.wait_for("┏ 5  Operator");
    for _ in 0..12 {
        let here = screen.wait_until("a cursor", |text| chosen(text).is_some());
        let here = chosen(&here).unwrap_or_default();
        if here.starts_with(row) {
            return screen.press(Key::Enter);
        }
        screen.press(Key::Down);
        screen.wait_until("moved cursor", |text| chosen(text).is_some_and(|now| now != here));
    }
    panic!("no row `{row}` on\n{}", screen.picture().contents());
}

#[test]
fn it_opens_and_telemetry_flows_and_q_gives_the_terminal_back() {
    let mut screen = online("200ms");
    assert!(screen.is_taken());
    let shown = screen.wait_until("three acknowledged messages", |screen| {
        number_before(screen, " acknowledged").is_some_and(|count| count >= 3)
    });
    for part in ["env-sensor-01", "local cloud", "✓ register", "✓ assigned", "✓ TLS", "✓ MQTT", "✓ twin"]
    {
        assert!(shown.contains(part), "no `{part}` on\n{shown}");
    }
    assert!(shown.contains("? help  q quit"), "{shown}");
    screen.keys("q");
    let (code, left) = screen.end();
    assert_eq!(code, 0, "{left}");
}

#[test]
fn the_light_blinks_while_nothing_else_happens() {
    let mut screen = online("1h");
    operate(&mut screen, "invoke blink");
    screen.wait_for("▸ 5");
    screen.press(Key::ControlU);
    screen.keys("1");
    screen.press(Key::Enter);
    for _ in 0..2 {
        screen.wait_for("light ● blinks");
        screen.wait_for("light ○ blinks");
    }
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn values_are_tweaked_and_telemetry_is_paused_by_key() {
    let mut screen = online("200ms");
    screen.press(Key::Up);
    screen.wait_for("◆ ");
    screen.press(Key::Up);
    screen.wait_for("put to ");
    screen.keys("a");
    screen.wait_for("values move by themselves again");
    screen.keys(" ");
    screen.wait_for("telemetry paused");
    screen.keys(" ");
    screen.wait_for("telemetry goes on");
    screen.press(Key::ControlC);
    assert_eq!(screen.end().0, 130);
}

#[test]
fn the_operator_invokes_sets_and_drops_the_link() {
    let mut screen = online("2s");

    operate(&mut screen, "invoke blink");
    screen.wait_for("invoke blink: ");
    screen.wait_for("▸ 5");
    screen.press(Key::ControlU);
    screen.keys("3");
    screen.wait_for("▸ 3");
    screen.press(Key::Enter);
    screen.wait_until("an answered blink", |screen| {
        screen.lines().any(|line| line.contains("✓ 200 blink 3") && line.contains("description"))
    });
    screen.wait_for("blinks every 3 s");

    operate(&mut screen, "invoke rundiagnostics");
    screen.wait_for("202 rundiagnostics");
    screen.wait_for("Diagnostics run complete");

    operate(&mut screen, "set    name");
    screen.wait_for("set name: ");
    screen.press(Key::ControlU);
    screen.keys("Kitchen");
    screen.press(Key::Enter);
    screen.wait_until("a name in step", |screen| {
        screen.contains("reported Kitchen") && screen.lines().any(|line| line.contains("✓ in step"))
    });

    operate(&mut screen, "drop   link");
    screen.wait_for("▲ ");
    screen.wait_until("a link that is back", |screen| {
        screen.contains("● online") && screen.contains("cut on request")
    });
    screen.keys("Q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn the_operator_makes_trouble_and_ends_it() {
    let mut screen = online("2s");
    // The pane is narrow: the beginning of the answer has to say it.
    operate(&mut screen, "make   slow answers");
    screen.wait_for("make slow answers → answers come");
    operate(&mut screen, "end    trouble");
    screen.wait_for("end trouble → nothing goes");
    screen.keys("Q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn a_message_from_the_cloud_stands_in_the_log_and_is_shown_as_it_came() {
    let mut screen = online("1h");
    let args = ["hub", "send", "env-sensor-01", r#"{"on": true}"#, "--property", "level=3"];
    screen.sandbox.run(&args).expect(0);
    screen.wait_for("received a message from");
    screen.keys("6/received");
    screen.press(Key::Enter);
    screen.wait_for("/ received");
    screen.press(Key::Enter);
    let shown = screen.wait_for("/messages/devicebound/");
    for part in ["received a message from the cloud {\"on\": true}", "level", "\"on\": true"] {
        assert!(shown.contains(part), "no `{part}` on\n{shown}");
    }
    screen.press(Key::Escape);
    screen.wait_until("the panes again", |screen| !screen.contains("/messages/devicebound/"));
    screen.keys("Q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn a_click_focuses_a_pane_and_help_explains_it() {
    let mut screen = online("200ms");
    let (column, row) = screen.find(" 4  Properties");
    screen.click(column + 4, row + 1);
    screen.wait_for("┏ 4  Properties");
    screen.keys("?");
    screen.wait_for("Help: Properties");
    screen.press(Key::Escape);
    screen.wait_until("no help", |screen| !screen.contains("Help: "));
    screen.press(Key::Tab);
    screen.wait_for("┏ 5  Operator");
    screen.keys("z");
    screen
        .wait_until("one pane", |screen| !screen.contains("2  Telemetry") && screen.contains("5  Operator"));
    screen.keys("z");
    screen.wait_for("2  Telemetry");
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let mut screen = online("200ms");
    screen.resize(40, 10);
    screen.wait_until("a small screen", |screen| {
        screen.contains("● online")
            && screen.contains("? help  q quit")
            && screen.lines().count() <= 10
            && !screen.contains("Connection")
    });
    screen.resize(SIZE.0, SIZE.1);
    screen.wait_until("a large screen", |screen| {
        screen.contains("1  Connection")
            && screen.contains("5  Operator")
            && screen.contains("? help  q quit")
    });
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn signals_give_the_terminal_back() {
    for (signal, code) in [("TERM", 0), ("INT", 130), ("HUP", 0)] {
        let screen = online("200ms");
        screen.signal(signal);
        let (found, left) = screen.end();
        assert_eq!(found, code, "SIG{signal}: {left}");
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_what_it_was() {
    let screen = Screen::open_with(100, 30, &["run"], &[("ENVSIM_PANIC", "1")]);
    let (code, left) = screen.end();
    assert_eq!(code, 1, "{left}");
    assert!(left.contains("panicked at"), "{left}");
}

#[test]
fn without_colours_it_says_the_same() {
    let args = ["run", "--seed", "7"];
    let mut screen = Screen::open_with(SIZE.0, SIZE.1, &args, &[("NO_COLOR", "1")]);
    screen.wait_for("● online");
    let picture = screen.picture();
    let (rows, columns) = picture.size();
    for (row, column) in (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column))) {
        let cell = picture.cell(row, column).expect("a cell");
        assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
    }
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn a_device_that_gives_up_stays_on_the_screen_and_says_why() {
    let args = [
        "run",
        "--id-scope",
        "0ne00ABCDEF",
        "--device-id",
        "d",
        "--provisioning-host",
        "https://127.0.0.1:9",
    ];
    let mut screen = Screen::open_with(
        SIZE.0,
        SIZE.1,
        &args,
        &[("IOTHUB_DEVICE_DPS_DEVICE_KEY", "AAECAwQFBgcICQoLDA0ODw==")],
    );
    screen
        .wait_until("a cause", |screen| screen.contains("nothing listens") && screen.contains("127.0.0.1:9"));
    screen.keys("q");
    let (code, left) = screen.end();
    assert_eq!(code, 3);
    let said = left.split_once("envsim: ").map(|(_, said)| said.replace('\n', ""));
    assert!(said.is_some_and(|said| said.contains("nothing listens")), "{left}");
}
