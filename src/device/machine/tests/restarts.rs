//! Restarts, with the link held and with the link closed.

use super::*;
use crate::device::ImageNews;
use crate::profiles::firmware::Firmware;
use crate::profiles::reboot::Reboot;

fn anew() -> Output {
    Output::Connect(hub())
}

/// A device that measures and reboots, online and settled, at time zero.
fn rebooting(style: RestartStyle) -> Bench {
    let options = DeviceOptions { restarts: style, ..options() };
    let profiles: Vec<Box<dyn Profile>> = vec![Box::new(Environment::new(1)), Box::new(Reboot::default())];
    let mut bench = Bench { device: Device::new(options, profiles), at: 0, out: Vec::new() };
    bench.feed(Input::Start).feed(Input::Assigned(hub()));
    bench.connect();
    bench.twin(json!({}), 1, json!({}));
    bench.settle();
    bench
}

impl Bench {
    fn invoke(&mut self, rid: &str, name: &str) {
        let payload = Ok(json!({"method_number": "42"}));
        self.feed(Input::Called(Call { rid: rid.into(), name: name.into(), payload }));
    }

    /// A restart with the link closed, as far as the link's own news of it.
    fn reboot_and_close(&mut self) {
        self.invoke("2a", "rebootDevice");
        self.feed(Input::Closed);
    }

    fn replies(&self) -> Vec<(&str, i32)> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Reply { rid, reply, .. } => Some((rid.as_str(), reply.status)),
                _ => None,
            })
            .collect()
    }

    /// How often the profiles were told that the device is back.
    fn boots(&self) -> usize {
        self.reports().iter().filter(|patch| patch.get("rebootTime").is_some()).count()
    }

    fn place(&self, wanted: impl Fn(&Output) -> bool) -> usize {
        self.out.iter().position(wanted).unwrap_or_else(|| panic!("not in {:#?}", self.out))
    }

    /// Leaves out what is only said to people.
    fn asked(&self) -> Vec<Output> {
        self.out.iter().filter(|output| !matches!(output, Output::Note(_))).cloned().collect()
    }
}

#[test]
fn a_reboot_is_answered_after_twenty_seconds_when_its_time_is_reported() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.invoke("2a", "rebootDevice");
    assert_eq!(bench.asked(), [], "neither an answer nor a change of the link");
    let job = bench.device.jobs().remove(0);
    assert_eq!((job.command, job.phase.as_str()), ("rebootDevice", "rebooting"));
    assert_eq!(job.until, Some(Millis(20_000)));
    assert_eq!(bench.device.away(), Some(Away { since: Millis(0), until: Millis(20_000) }));
    bench.run_until(19_999);
    assert_eq!(bench.asked(), []);
    assert!(bench.device.phase().is_online(), "the link stands");
    bench.run_until(20_000);
    let reported = bench.place(
        |it| matches!(it, Output::Report { patch, .. } if *patch == json!({"rebootTime": "2030-01-01 00:00:20.000000"})),
    );
    let expected = Reply::ok(json!({"Response": "This is the response from the device"}));
    let answered =
        bench.place(|it| matches!(it, Output::Reply { rid, reply, .. } if rid == "2a" && *reply == expected));
    assert!(reported < answered, "who has the answer finds the time in the twin");
    assert!(bench.device.jobs().is_empty() && bench.device.away().is_none());
}

#[test]
fn the_time_scale_divides_a_reboot() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.device.options.scale = TimeScale::new(10.0).expect("a scale");
    bench.invoke("2a", "rebootDevice");
    bench.run_until(2_000);
    assert_eq!(bench.replies(), [("2a", 200)]);
}

#[test]
fn telemetry_stops_while_it_is_away_and_goes_on_at_once() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut bench = rebooting(style);
        bench.run_until(3_000);
        bench.settle();
        bench.invoke("2a", "rebootDevice");
        if style == RestartStyle::Link {
            bench.feed(Input::Closed);
        }
        // None of these begins it again.
        bench.feed(Input::Pause(true)).feed(Input::Pause(false)).feed(Input::Period(Duration::from_secs(1)));
        bench.run_until(22_999);
        assert!(bench.tickets().is_empty(), "{style:?}");
        bench.run_until(23_000);
        if style == RestartStyle::Link {
            bench.connect();
        }
        assert_eq!(bench.tickets().len(), 1, "{style:?}");
        bench.run_until(24_000);
        assert_eq!(bench.tickets().len(), 2, "{style:?}");
    }
}

#[test]
fn work_that_waits_for_the_end_of_a_restart_has_no_end_of_its_own_meanwhile() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.feed(Input::Called(Call {
        rid: "1".into(),
        name: "rundiagnostics".into(),
        payload: Ok(json!(null)),
    }));
    bench.feed(Input::Called(Call { rid: "2".into(), name: "blink".into(), payload: Ok(json!(1)) }));
    bench.run_until(3_000);
    bench.invoke("3", "rebootDevice");
    assert_eq!(bench.device.led(), Some(Led::Off), "nobody makes it blink");
    bench.run_until(10_000);
    let jobs = bench.device.jobs();
    assert_eq!((jobs[0].command, jobs[0].done, jobs[0].until), ("rundiagnostics", 1, None));
    assert_eq!((jobs[1].command, jobs[1].until), ("rebootDevice", Some(Millis(23_000))));
    bench.run_until(23_000);
    let jobs = bench.device.jobs();
    assert_eq!((jobs[0].done, jobs[0].until), (2, Some(Millis(25_000))));
    bench.run_until(25_000);
    assert!(bench.device.jobs().is_empty());
}

#[test]
fn a_pause_outlasts_a_restart() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.feed(Input::Pause(true));
    bench.invoke("2a", "rebootDevice");
    bench.run_until(60_000);
    assert!(bench.tickets().is_empty() && bench.device.next_sample().is_none());
}

#[test]
fn a_device_that_restarts_refuses_commands_and_says_how_long() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.invoke("1", "rebootDevice");
    bench.run_until(5_000);
    bench.invoke("2", "rebootDevice");
    bench.invoke("3", "blink");
    assert_eq!(bench.replies(), [("2", 409), ("3", 409)]);
    let said = json!({"error": "the device restarts, try again in 15 s"});
    assert!(matches!(&bench.asked()[0], Output::Reply { reply, .. } if reply.payload == said));
    bench.run_until(20_000);
    bench.invoke("4", "turnon");
    assert_eq!(bench.replies()[2..], [("1", 200), ("4", 200)]);
    assert_eq!(bench.boots(), 1);
}

#[test]
fn nothing_but_refusals_goes_out_of_a_device_that_restarts() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.invoke("1", "rundiagnostics");
    bench.run_until(4_000);
    bench.settle();
    bench.invoke("2", "rebootDevice");
    bench.desired(2, json!({"colour": "red", "name": "Kitchen"}));
    bench.invoke("3", "rebootDevice");
    bench.run_until(23_999);
    assert_eq!(bench.replies(), [("3", 409)]);
    assert!(bench.reports().is_empty(), "{:?}", bench.reports());
    bench.run_until(24_000);
    let names = ["colour", "name", "rebootTime", "rundiagnostics"];
    let said = bench.reports();
    for name in names {
        assert!(said.iter().any(|patch| patch.get(name).is_some()), "{name} in {said:?}");
    }
}

#[test]
fn properties_set_while_it_is_away_are_acknowledged_afterwards() {
    let mut bench = rebooting(RestartStyle::Held);
    bench.invoke("2a", "rebootDevice");
    bench.desired(2, json!({"name": "Kitchen"}));
    bench.run_until(19_999);
    assert!(bench.reports().is_empty());
    bench.run_until(20_000);
    let ack = json!({"name": {"value": "Kitchen", "ac": 200, "av": 2, "ad": "completed"}});
    assert!(bench.reports().contains(&ack), "{:?}", bench.reports());

    let mut bench = rebooting(RestartStyle::Link);
    bench.reboot_and_close();
    bench.run_until(20_000);
    bench.connect();
    bench.twin(json!({"name": "Kitchen"}), 2, json!({}));
    bench.run_until(21_000);
    assert!(bench.reports().contains(&ack), "{:?}", bench.reports());
}

#[test]
fn a_restart_of_the_link_says_good_bye_after_what_was_decided_and_comes_back() {
    let mut bench = rebooting(RestartStyle::Link);
    // Telemetry of this very moment, and an answer.
    bench.at = 2_000;
    bench.invoke("1", "blink");
    bench.invoke("2a", "rebootDevice");
    let good_bye = bench.place(|it| *it == Output::Disconnect);
    assert!(bench.place(|it| matches!(it, Output::Send { .. })) < good_bye);
    assert!(bench.place(|it| matches!(it, Output::Reply { .. })) < good_bye);
    assert_eq!(good_bye, bench.out.len() - 1);
    let away = Phase::Restarting { until: Millis(22_000), next: hub() };
    assert_eq!(*bench.device.phase(), away);
    bench.out.clear();
    bench.feed(Input::Closed).feed(Input::Start).feed(Input::Timer);
    bench.run_until(21_999);
    assert_eq!((bench.asked(), bench.device.phase()), (vec![], &away), "not even when a person asks");
    bench.run_until(22_000);
    assert_eq!(bench.out, [anew()]);
    assert_eq!((bench.boots(), bench.device.jobs().len()), (0, 1), "nobody is told before it is online");
    bench.run_until(22_300);
    bench.connect();
    assert_eq!(bench.boots(), 1);
    // The answer to `blink` is not known to be written, so it goes out again.
    assert_eq!(bench.replies(), [("1", 400), ("2a", 200)], "{:?}", bench.out);
    bench.settle();
    bench.lose();
    bench.run_until(60_000);
    bench.connect();
    assert_eq!((bench.boots(), bench.replies()), (0, vec![]), "once");
}

#[test]
fn a_reconnect_that_fails_after_a_restart_is_tried_until_it_works() {
    let mut bench = rebooting(RestartStyle::Link);
    bench.reboot_and_close();
    bench.run_until(20_000);
    for _ in 0..3 {
        assert_eq!(bench.out.last(), Some(&anew()));
        bench.lose();
        let Phase::Waiting { until, .. } = *bench.device.phase() else { panic!("waiting") };
        bench.run_until(until.0);
    }
    // The hub refuses the device, which is asked for anew at the provisioning service.
    bench.feed(Input::Failed(Failure::new(FailureKind::Unauthorized, "refused")));
    bench.run_until(bench.at + 60_000);
    bench.feed(Input::Assigned(hub()));
    assert_eq!(bench.boots(), 0);
    bench.connect();
    assert_eq!((bench.boots(), bench.replies()), (1, vec![("2a", 200)]));
}

#[test]
fn a_failure_while_the_link_is_closed_for_a_restart_changes_nothing() {
    let mut bench = rebooting(RestartStyle::Link);
    bench.invoke("2a", "rebootDevice");
    bench.lose();
    bench.feed(Input::Closed);
    assert!(matches!(bench.device.phase(), Phase::Restarting { .. }));
    bench.run_until(20_000);
    assert_eq!(bench.out.last(), Some(&anew()));
    bench.connect();
    assert_eq!(bench.replies(), [("2a", 200)]);
}

#[test]
fn a_link_lost_while_it_is_held_is_made_again_and_the_answer_goes_out_there() {
    for (back, online) in [(5_000, 20_000), (40_000, 40_000)] {
        let mut bench = rebooting(RestartStyle::Held);
        bench.invoke("2a", "rebootDevice");
        bench.lose();
        bench.run_until(back);
        assert_eq!(*bench.device.phase(), Phase::Connecting(hub()));
        bench.connect();
        bench.run_until(online - 1);
        assert!(bench.tickets().is_empty() || back == online, "no telemetry while it is away");
        bench.run_until(online);
        assert_eq!((bench.boots(), bench.replies()), (1, vec![("2a", 200)]), "back at {back}");
        assert!(!bench.tickets().is_empty());
    }
}

#[test]
fn a_command_that_overtakes_the_new_link_is_refused_too() {
    let mut bench = rebooting(RestartStyle::Link);
    bench.reboot_and_close();
    bench.run_until(20_000);
    bench.invoke("3", "rebootDevice");
    bench.connect();
    assert_eq!(bench.replies(), [("3", 409), ("2a", 200)]);
}

#[test]
fn a_device_that_leaves_while_it_restarts_is_gone_for_good() {
    let mut bench = rebooting(RestartStyle::Link);
    bench.reboot_and_close();
    bench.feed(Input::Leave);
    assert_eq!((bench.device.phase(), bench.device.away()), (&Phase::Left, None));
    bench.run_until(60_000);
    assert_eq!(bench.asked(), [Output::Disconnect], "the restart's own");

    let mut bench = rebooting(RestartStyle::Held);
    bench.invoke("2a", "rebootDevice");
    bench.feed(Input::Leave).feed(Input::Closed);
    assert_eq!((bench.device.phase(), bench.device.away()), (&Phase::Left, None));
    bench.run_until(60_000);
    assert_eq!(bench.asked(), [Output::Disconnect]);
}

/// Restarts without an operator, as new firmware does.
struct Restless;

impl Profile for Restless {
    fn model(&self) -> &'static crate::device::Model {
        crate::profiles::find("reboot").expect("a profile").parts[0].model
    }

    fn received(&mut self, ctx: &mut Context<'_>, _: &str, _: &crate::device::Inbound) {
        ctx.restart(Duration::from_secs(10));
    }

    fn command(&mut self, _: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> crate::device::Answer {
        Reply::done().into()
    }
}

fn restless() -> (Bench, Input) {
    let mut bench = rebooting(RestartStyle::Link);
    bench.device.profiles.push(Box::new(Restless));
    let input = Some("input1".to_owned());
    let message = crate::device::Inbound { input, body: String::new(), properties: Vec::new() };
    (bench, Input::Received(message))
}

#[test]
fn a_message_from_the_cloud_decides_nothing_but_one_to_an_input_does() {
    let (mut bench, to_input) = restless();
    let Input::Received(message) = to_input.clone() else { panic!("a message") };
    bench.out.clear();
    bench.feed(Input::Received(crate::device::Inbound { input: None, ..message }));
    assert!(bench.device.phase().is_online());
    assert_eq!(bench.asked(), []);
    bench.feed(to_input);
    assert!(!bench.device.phase().is_online());
}

#[test]
fn a_restart_while_it_connects_or_waits_begins_anew_afterwards() {
    let (mut bench, restart) = restless();
    bench.lose();
    bench.run_until(2_000);
    assert_eq!(*bench.device.phase(), Phase::Connecting(hub()));
    bench.feed(restart.clone());
    assert_eq!(bench.out.last(), Some(&Output::Abandon));
    bench.out.clear();
    bench.connect();
    assert!(!bench.device.phase().is_online(), "news of the link that was given up");
    bench.run_until(12_000);
    assert_eq!(bench.asked(), [anew()]);
    bench.lose();
    let Phase::Waiting { .. } = bench.device.phase() else { panic!("waiting") };
    bench.out.clear();
    bench.feed(restart);
    bench.run_until(21_999);
    assert_eq!(bench.asked(), [], "the back-off is over long since");
    bench.run_until(22_000);
    assert_eq!(bench.asked(), [anew()]);
    bench.connect();
    assert_eq!(bench.boots(), 1);
}

#[test]
fn any_restart_is_reported() {
    let (mut bench, restart) = restless();
    bench.feed(restart).feed(Input::Closed);
    bench.run_until(10_000);
    bench.connect();
    assert_eq!(bench.reports().last(), Some(&json!({"rebootTime": "2030-01-01 00:00:10.000000"})));
    assert_eq!(bench.replies(), [], "nobody waits for an answer");
}

#[test]
fn one_restart_serves_all_who_ask_for_one() {
    let (mut bench, restart) = restless();
    bench.invoke("2a", "rebootDevice");
    bench.feed(restart).feed(Input::Closed);
    bench.run_until(60_000);
    assert_eq!(bench.asked(), [Output::Disconnect, anew()]);
    bench.connect();
    assert_eq!((bench.boots(), bench.replies()), (1, vec![("2a", 200)]));
}

#[test]
fn what_failed_while_the_device_was_away_is_told_before_it_stands_by() {
    let profiles: Vec<Box<dyn Profile>> = vec![Box::new(Reboot::default()), Box::new(Firmware::new())];
    let device = Device::new(options(), profiles);
    let mut bench = Bench { device, at: 0, out: Vec::new() }.come_online();
    bench.feed(Input::Image(ImageNews::Installed { version: "1.0.0".into(), on_trial: false }));
    bench.call("firmwareUpdate", json!({"fwPackageUri": "https://h/i"}));
    let call = |name: &str| Call { rid: name.into(), name: name.into(), payload: Ok(Value::Null) };
    bench.feed(Input::Called(call("rebootDevice")));
    bench.settle();
    bench.out.clear();
    bench.feed(Input::Image(ImageNews::Failed { run: 1, reason: "not found".into() }));
    bench.feed(Input::Image(ImageNews::RolledBack { run: 1, version: "1.0.0".into() }));
    bench.run_until(30_000);
    let told: Vec<_> = bench
        .out
        .iter()
        .filter_map(|output| match output {
            Output::Report { patch, .. } => patch["firmwareStatus"].as_str(),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["failed", "standBy"]);
}
