//! What happens to devices: the device decides, and what it was told and what it asked for is
//! written down for those who watch.

use serde_json::Value;

use crate::app::{AppState, CommandRecord, Effect, Ending, Fact, Outbound, Slot, Station, Step, StepState};
use crate::device::discreet::discreet_value;
use crate::device::time::Spoken;
use crate::device::{
    Call, Failure, ImageNews, Input, LinkStep, Millis, Now, Output, PacketView, Phase, ProvisioningStep,
    Severity, Ticket,
};

/// The step that a restart is.
const RESTART: &str = "restart";

/// Something happened to the device in `slot`.
pub(super) fn happened(
    state: &mut AppState,
    slot: Slot,
    input: Input,
    packet: Option<PacketView>,
    effects: &mut Vec<Effect>,
) {
    let now = state.now;
    let Some(station) = state.stations.get_mut(slot) else { return };
    let mut facts = Vec::new();
    observe_input(station, now, &input, &mut facts);
    let was = station.device.phase().clone();
    let readings = station.device.readings();
    let made = station.device.counters().made;
    let was_away = station.device.away();
    let failure = match &input {
        Input::Failed(failure) => Some(failure.clone()),
        _ => None,
    };

    let mut out = Vec::new();
    station.device.handle(now, input, &mut out);

    if station.device.counters().made > made {
        for (series, reading) in station.series.iter_mut().zip(&readings) {
            series.add(now.at, reading.value);
        }
    }
    observe_restart(station, now, was_away.map(|away| away.since), &mut facts);
    if let Some(failure) = failure {
        observe_failure(station, now, &was, failure, &mut facts);
    }
    for output in out {
        observe_output(station, now, &output, &mut facts);
        match output {
            Output::Note(_) => {}
            Output::Image(order) => effects.push(Effect::Image { slot, order }),
            output => effects.push(Effect::Link { slot, output }),
        }
    }
    // The message on the wire belongs to the fact that it brought about, which comes first.
    let mut packet = packet;
    for fact in facts {
        let is_call = matches!(fact, Fact::Called { .. });
        state.log.add(now, Some(slot), fact, packet.take());
        if is_call && let Some(record) = state.stations[slot].commands.back_mut() {
            record.entry = state.log.newest();
        }
    }
}

fn observe_input(station: &mut Station, now: Now, input: &Input, facts: &mut Vec<Fact>) {
    match input {
        Input::Provisioning(ProvisioningStep::Registering { host, scope }) => {
            station.home.get_or_insert_with(|| scope.clone());
            station.scope = Some(scope.clone());
            // The header tells the scope where it has room; where it is news, it stands here too.
            let moved = if station.has_moved() { format!(", ID scope {scope}") } else { String::new() };
            begin_step(station, now, "register", host.clone() + &moved);
            facts.push(Fact::Registering { host: host.clone(), id_scope: scope.to_string() });
        }
        Input::Provisioning(ProvisioningStep::Assigning { operation_id, again_in }) => {
            end_step(station, now, "register", None);
            if station.steps.back().is_none_or(|step| step.name != "assigning") {
                begin_step(station, now, "assigning", operation_id.clone());
            }
            facts.push(Fact::Assigning { operation_id: operation_id.clone(), again_in: *again_in });
        }
        Input::Assigned(assignment) => {
            end_step(station, now, "register", None);
            end_step(station, now, "assigning", None);
            begin_step(station, now, "assigned", format!("{} as {}", assignment.hub, assignment.device_id));
            end_step(station, now, "assigned", None);
            facts.push(Fact::Assigned {
                hub: assignment.hub.to_string(),
                device: assignment.device_id.to_string(),
            });
        }
        Input::Link(step) => observe_link(station, now, step, facts),
        Input::Closed => facts.push(Fact::Disconnected),
        Input::Twin(document) => {
            let (desired, reported) = (document.desired_version, document.reported_version);
            end_step(station, now, "twin", Some(format!("desired v{desired}, reported v{reported}")));
            facts.push(Fact::TwinFetched { desired_version: desired, reported_version: reported });
        }
        Input::TwinRefused { status, message } => fail_step(station, now, format!("{status} {message}")),
        Input::Desired { version, patch } => {
            facts.push(Fact::Desired { version: *version, patch: Value::Object(patch.clone()) });
        }
        Input::Called(call) => observe_call(station, now, call, facts),
        Input::Received(message) => facts.push(Fact::Received {
            input: message.input.clone(),
            body: message.body.clone(),
            properties: message.properties.clone(),
        }),
        Input::Image(news) => observe_image(news, facts),
        Input::Written(ticket) => observe_written(station, now, *ticket, facts),
        Input::Acknowledged(ticket) => observe_acknowledged(station, now, *ticket, facts),
        Input::ReportTaken { version, .. } => facts.push(Fact::Reported { version: *version }),
        // Failures are told below, once it is known what the device does about them; the rest is
        // told by what the device asks for, or by whoever wanted it.
        _ => {}
    }
}

fn observe_link(station: &mut Station, now: Now, step: &LinkStep, facts: &mut Vec<Fact>) {
    match step {
        LinkStep::Reached(address) => {
            end_step(station, now, "connect", None);
            begin_step(station, now, "TLS", String::new());
            facts.push(Fact::Reached { address: address.to_string() });
        }
        LinkStep::Secured { protocol } => {
            end_step(station, now, "TLS", Some(protocol.clone()));
            begin_step(station, now, "MQTT", String::new());
            facts.push(Fact::Secured { protocol: protocol.clone() });
        }
        LinkStep::Online { session_present, token_life } => {
            // One that comes to stand after the device has left leads to no hub, and is closed again.
            let Some(assignment) = station.device.phase().assignment() else { return };
            let hub = assignment.hub.to_string();
            let session = if *session_present { "session kept" } else { "new session" };
            end_step(station, now, "MQTT", Some(session.to_owned()));
            facts.push(Fact::Connected { hub, session_present: *session_present, token_life: *token_life });
        }
    }
}

/// Progress is on the screen, and in the twin at a bounded rate. What a download came to and what the
/// firmware is is told by the profile that asked, which knows what it means; what became of the images,
/// here.
fn observe_image(news: &ImageNews, facts: &mut Vec<Fact>) {
    let text = match news {
        ImageNews::Installed { .. }
        | ImageNews::CutShort { .. }
        | ImageNews::Progress { .. }
        | ImageNews::Interrupted { .. }
        | ImageNews::Fetched { .. }
        | ImageNews::Failed { .. } => return,
        ImageNews::Placed { .. } => "the image is in place, on trial".to_owned(),
        ImageNews::Confirmed { .. } => "the new firmware is confirmed".to_owned(),
        ImageNews::RolledBack { version, .. } => format!("back to firmware {version}"),
    };
    let severity = match news {
        ImageNews::RolledBack { .. } => Severity::Warning,
        _ => Severity::Info,
    };
    facts.push(Fact::Note { severity, text });
}

/// A restart has begun or is over: the device is away in between, whether its link stands or not.
fn observe_restart(station: &mut Station, now: Now, was: Option<Millis>, facts: &mut Vec<Fact>) {
    match (was, station.device.away()) {
        (None, Some(away)) => {
            let back_in = away.until.since(now.at);
            begin_step(station, now, RESTART, format!("away for {}", Spoken(back_in)));
            facts.push(Fact::Restarting { back_in });
        }
        // It left in the middle.
        (Some(_), None) if station.device.phase().is_over() => {
            fail_step(station, now, "the device was switched off".to_owned());
        }
        (Some(since), None) => {
            end_step(station, now, RESTART, Some("the device is back".to_owned()));
            facts.push(Fact::Restarted { took: now.at.since(since) });
        }
        _ => {}
    }
}

fn observe_call(station: &mut Station, now: Now, call: &Call, facts: &mut Vec<Fact>) {
    // An address in it may hold a signature, and this is for screens, lines and logs.
    let request = discreet_value(&call.payload.clone().unwrap_or_else(Value::String));
    station.add_command(CommandRecord {
        now,
        name: call.name.clone(),
        request: request.clone(),
        rid: call.rid.clone(),
        answer: None,
        entry: None,
    });
    facts.push(Fact::Called { command: call.name.clone(), request });
}

fn observe_written(station: &mut Station, now: Now, ticket: Ticket, facts: &mut Vec<Fact>) {
    let Some(place) = station.outbound.iter().position(|(known, _)| *known == ticket) else { return };
    if let (_, Outbound::Telemetry { number, body, written }) = &mut station.outbound[place] {
        *written = Some(now.at);
        facts.push(Fact::Sent { message: *number, body: body.clone() });
        return;
    }
    match station.outbound.remove(place) {
        Some((_, Outbound::Reply { rid, reply })) => {
            let Some(record) = station.commands.iter_mut().rev().find(|record| record.rid == rid) else {
                return;
            };
            let took = now.at.since(record.now.at);
            record.answer = Some((reply.status, reply.payload.clone(), took));
            facts.push(Fact::Answered {
                command: record.name.clone(),
                status: reply.status,
                response: reply.payload,
                took,
            });
        }
        Some((_, Outbound::Report(patch))) => facts.push(Fact::Reporting { patch }),
        _ => {}
    }
}

fn observe_acknowledged(station: &mut Station, now: Now, ticket: Ticket, facts: &mut Vec<Fact>) {
    let Some(place) = station.outbound.iter().position(|(known, _)| *known == ticket) else { return };
    if let Some((_, Outbound::Telemetry { number, written, .. })) = station.outbound.remove(place) {
        let took = written.map(|at| now.at.since(at)).unwrap_or_default();
        station.last_ack = Some(took);
        facts.push(Fact::Acknowledged { message: number, took });
    }
}

fn observe_failure(station: &mut Station, now: Now, was: &Phase, failure: Failure, facts: &mut Vec<Fact>) {
    fail_step(station, now, failure.what.clone());
    let (again_in, attempt) = match station.device.phase() {
        Phase::Waiting { until, attempt, .. } => (Some(until.since(now.at)), *attempt),
        Phase::Stopped(_) => {
            station.gave_up = Some(match was {
                Phase::Provisioning => Ending::NotProvisioned,
                _ => Ending::NotConnected,
            });
            (None, 0)
        }
        _ => (None, 0),
    };
    facts.push(Fact::Failed { failure, again_in, attempt });
}

fn observe_output(station: &mut Station, now: Now, output: &Output, facts: &mut Vec<Fact>) {
    match output {
        Output::Provision { .. } => station.gave_up = None,
        Output::Connect(assignment) => {
            station.gave_up = None;
            begin_step(station, now, "connect", assignment.hub.to_string());
        }
        Output::Renew(assignment) => {
            begin_step(station, now, "connect", format!("{}, with a new token", assignment.hub));
            facts.push(Fact::Renewing);
        }
        Output::FetchTwin(_) => begin_step(station, now, "twin", String::new()),
        Output::Send { ticket, message } => {
            if !station.outbound.iter().any(|(known, _)| known == ticket) {
                station.numbered += 1;
                let body = message.body.clone();
                let message = Outbound::Telemetry { number: station.numbered, body, written: None };
                station.add_outbound(*ticket, message);
            }
        }
        Output::Reply { ticket, rid, reply } => {
            station.add_outbound(*ticket, Outbound::Reply { rid: rid.clone(), reply: reply.clone() });
        }
        Output::Report { ticket, patch } => station.add_outbound(*ticket, Outbound::Report(patch.clone())),
        Output::Note(note) => {
            facts.push(Fact::Note { severity: note.severity, text: note.text.clone() });
        }
        Output::Cut | Output::Disconnect | Output::Abandon | Output::Image(_) => {}
    }
}

fn begin_step(station: &mut Station, now: Now, name: &'static str, detail: String) {
    station.add_step(Step { name, detail, began: now, state: StepState::Running });
}

fn end_step(station: &mut Station, now: Now, name: &str, detail: Option<String>) {
    let running = |step: &&mut Step| step.name == name && step.state == StepState::Running;
    if let Some(step) = station.steps.iter_mut().rev().find(running) {
        step.state = StepState::Done(now.at.since(step.began.at));
        if let Some(detail) = detail {
            step.detail = detail;
        }
    }
}

/// Whatever was going on has failed; when nothing was, a link that stood was lost. A restart goes
/// on without a link.
fn fail_step(station: &mut Station, now: Now, reason: String) {
    let running = |step: &&mut Step| step.state == StepState::Running && step.name != RESTART;
    match station.steps.iter_mut().rev().find(running) {
        Some(step) => step.state = StepState::Failed(reason),
        None => station.add_step(Step {
            name: "link",
            detail: String::new(),
            began: now,
            state: StepState::Failed(reason),
        }),
    }
}
