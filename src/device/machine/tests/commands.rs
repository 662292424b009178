//! Commands in, replies out.

use super::*;
use crate::device::{Answer, CallId, CommandSpec, Model};
use crate::profiles::firmware::Firmware;

#[test]
fn blink_answers_at_once_and_the_light_blinks() {
    let mut bench = Bench::online();
    let reply = bench.call("blink", json!(5));
    assert_eq!(reply, Reply::ok(json!({"description": "Blinking LED every 5 seconds"})));
    assert_eq!(bench.device.led(), Some(Led::Blinking { since: Millis(0), period: Duration::from_secs(5) }));
    assert_eq!(bench.call("turnon", Value::Null), Reply { status: 200, payload: Value::Null });
    assert_eq!(bench.device.led(), Some(Led::On));
    assert_eq!(bench.call("turnoff", json!("ignored")).status, 200);
    assert_eq!(bench.device.led(), Some(Led::Off));
}

#[test]
fn bad_commands_are_refused_in_the_protocols_words() {
    let mut bench = Bench::online();
    for payload in
        [json!("five"), json!(null), json!(-1), json!(0), json!(1e9), json!([5]), json!({"interval": 5})]
    {
        let reply = bench.call("blink", payload.clone());
        assert_eq!(reply.status, 400, "{payload}");
        assert!(
            reply.payload["error"].as_str().is_some_and(|said| said.starts_with("blink takes")),
            "{reply:?}"
        );
    }
    let reply = bench.call("selfdestruct", Value::Null);
    assert_eq!(
        (reply.status, &reply.payload),
        (404, &json!({"error": "this device has no command `selfdestruct`"}))
    );
    bench.feed(Input::Called(Call { rid: "x".into(), name: "blink".into(), payload: Err("{".into()) }));
    assert!(matches!(bench.out.last(), Some(Output::Reply { reply, .. }) if reply.status == 400));
}

#[test]
fn diagnostics_are_accepted_at_once_and_reported_after_three_steps() {
    let mut bench = Bench::online();
    assert_eq!(bench.call("rundiagnostics", Value::Null), Reply { status: 202, payload: Value::Null });
    bench.run_until(5_999);
    assert!(bench.reports().is_empty());
    assert_eq!(bench.device.jobs()[0].done, 2);
    bench.run_until(6_000);
    assert_eq!(
        bench.reports(),
        [json!({"rundiagnostics": {"value": "Diagnostics run complete at 2030-01-01 00:00:06.000000."}})]
    );
    assert!(bench.device.jobs().is_empty());
}

#[test]
fn nothing_waits_for_running_diagnostics() {
    let mut bench = Bench::online();
    bench.call("rundiagnostics", Value::Null);
    bench.desired(2, json!({"name": "Kitchen"}));
    bench.run_until(1_000);
    assert_eq!(bench.call("blink", json!(1)).status, 200);
    assert_eq!(bench.reports().len(), 1, "the name is acknowledged while diagnostics run");
    bench.run_until(6_000);
    assert_eq!(bench.tickets().len(), 3, "telemetry at 2, 4 and 6 s");
    assert_eq!(bench.call("rundiagnostics", Value::Null).status, 202, "and they can be run again");
}

#[test]
fn a_reply_goes_out_even_when_the_link_is_lost_before_and_only_once() {
    let mut bench = Bench::online();
    bench.call("blink", json!(1));
    let reply = bench.out.last().cloned().expect("a reply");
    bench.lose();
    bench.out.clear();
    bench.run_until(2_000);
    bench.connect();
    assert!(bench.out.contains(&reply));
    let Output::Reply { ticket, .. } = reply else { panic!("a reply") };
    bench.feed(Input::Written(ticket));
    bench.lose();
    bench.out.clear();
    bench.run_until(5_000);
    bench.connect();
    assert!(!bench.out.iter().any(|output| matches!(output, Output::Reply { .. })));
}

#[test]
fn a_request_that_was_encoded_twice_is_taken_where_an_object_is_wanted() {
    let device = Device::new(options(), vec![Box::new(Firmware::new())]);
    let mut bench = Bench { device, at: 0, out: Vec::new() }.come_online();
    let started = json!({"Response": "Firmware update started"});
    assert_eq!(bench.call("firmwareUpdate", json!(r#"{"fwPackageUri":"test.com"}"#)), Reply::ok(started));
    let reply = bench.call("firmwareUpdate", json!("test.com"));
    assert_eq!(reply.status, 400, "{reply:?}");
}

/// Answers a call while it is being asked, and says that it will answer later.
struct Hasty;

impl Profile for Hasty {
    fn model(&self) -> &'static Model {
        const HASTE: CommandSpec =
            CommandSpec { name: "haste", title: "", request: None, example: "", lasting: false };
        const MODEL: Model = Model {
            commands: &[HASTE],
            telemetry: &[],
            properties: &[],
            ..crate::profiles::environment::MODEL
        };
        &MODEL
    }

    fn command(&mut self, ctx: &mut Context<'_>, call: CallId, _: &str, _: &Value) -> Answer {
        ctx.answer(call, Reply::done());
        Answer::Later
    }
}

#[test]
fn an_answer_that_comes_before_it_was_promised_is_an_answer() {
    let mut bench =
        Bench { device: Device::new(options(), vec![Box::new(Hasty)]), at: 0, out: Vec::new() }.come_online();
    for _ in 0..100 {
        assert_eq!(bench.call("haste", Value::Null).status, 200);
        bench.settle();
    }
}
