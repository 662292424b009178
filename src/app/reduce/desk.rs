//! What the operator asks of the hub, and what comes back.

use serde_json::{Value, json};

use super::intent::to_device;
use crate::app::desk::{Ask, Follow, Form};
use crate::app::{Action, AppState, DeskAnswer, DeskRequest, Effect, Fact, Mode, Overlay, Station};
use crate::device::profile::brief;
use crate::device::property::Convention;
use crate::device::{Input, Schema};

/// Does what stands under the cursor, or opens a form where it needs a text.
pub(super) fn open(state: &mut AppState, effects: &mut Vec<Effect>) {
    let actions = state.desk.actions(state.station());
    let Some(action) = actions.get(state.desk.cursor).cloned() else { return };
    if action == Action::CutLink {
        return to_device(state, Input::Cut, effects);
    }
    if state.desk.closed.is_some() {
        return;
    }
    let text = match &action {
        Action::Invoke { example: "", .. } | Action::ShowTwin | Action::CutLink | Action::Trouble(_) => {
            return send(state, &action, None, effects);
        }
        Action::Invoke { request: Some(Schema::IdScope), example, .. } => {
            let scope = state.desk.other_scope(state.station());
            scope.map_or_else(|| (*example).to_owned(), |scope| json!(scope.as_str()).to_string())
        }
        Action::Invoke { example, .. } => (*example).to_owned(),
        Action::Set { property, .. } => {
            let held = state.station().device.properties().iter().find(|held| held.spec.name == *property);
            match held.map(|held| &held.value) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            }
        }
    };
    state.desk.form = Some(Form { action, text: text.into(), problem: None });
    state.ui.mode = Mode::Form;
}

/// Sends the form, unless its text cannot be sent.
pub(super) fn submit(state: &mut AppState, effects: &mut Vec<Effect>) {
    let Some(form) = &mut state.desk.form else { return };
    match parse(&form.action, form.text.value()) {
        Ok(value) => {
            let action = form.action.clone();
            state.desk.form = None;
            state.ui.mode = Mode::Keys;
            send(state, &action, Some(value), effects);
        }
        Err(problem) => form.problem = Some(problem),
    }
}

/// The value that a text stands for. What the device will refuse is let through on purpose: to
/// see it refused is what an operator's desk is for.
fn parse(action: &Action, text: &str) -> Result<Value, String> {
    let is_text = matches!(action, Action::Set { schema: Schema::Text { .. }, .. });
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) if is_text => Ok(Value::String(text.to_owned())),
        Err(error) => Err(format!("not JSON: {error}; text needs quotes")),
    }
}

fn send(state: &mut AppState, action: &Action, value: Option<Value>, effects: &mut Vec<Effect>) {
    let (said, ask) = match action {
        Action::Invoke { command, .. } => {
            let said =
                value.as_ref().map_or_else(|| (*command).to_owned(), |v| format!("{command} {}", brief(v)));
            (said, Ask::Invoke { command: (*command).to_owned(), request: value })
        }
        Action::Set { property, .. } => {
            let value = value.unwrap_or_default();
            let member = match state.desk.convention {
                Convention::Current => value,
                Convention::Wrapped => json!({ "value": value }),
            };
            (format!("set {property} to {}", brief(&member)), Ask::Desired(json!({ *property: member })))
        }
        Action::ShowTwin => ("the twin".to_owned(), Ask::Twin),
        Action::Trouble(mishap) => (format!("{} {}", mishap.verb, mishap.name), Ask::Faults(mishap.faults())),
        Action::CutLink => return,
    };
    let id = state.desk.asked(state.now.at, state.ui.slot, said.clone(), ask.follows());
    state.log.add(state.now, Some(state.ui.slot), Fact::Asked { request: said }, None);
    let device =
        state.station().device.phase().assignment().map(|assignment| assignment.device_id.to_string());
    let device = device.unwrap_or_else(|| state.station().name.clone());
    let module = state.station().module.as_ref().map(ToString::to_string);
    effects.push(Effect::Desk(DeskRequest { id, device, module, ask }));
}

/// The hub's service side has answered.
pub(super) fn answered(state: &mut AppState, answer: &DeskAnswer) {
    let Some(exchange) = state.desk.answered(state.now.at, answer) else { return };
    let Some((outcome, took)) = &exchange.answer else { return };
    let slot = exchange.slot;
    let follows = exchange.follows;
    // A late answer disturbs nobody who does something else by now.
    let free = slot == state.ui.slot && state.ui.mode == Mode::Keys && state.ui.overlay == Overlay::None;
    let (ok, text) = match outcome {
        Ok(text) if follows == Follow::Read && free => {
            let lines = text.lines().map(str::to_owned).collect();
            let label = state.stations.get(slot).map(Station::label).unwrap_or_default();
            let title = format!("twin of {label}");
            state.ui.overlay = Overlay::Text(title, lines, 0);
            (true, "shown")
        }
        Ok(_) if follows == Follow::Read => (true, "came while the screen showed something else: ask again"),
        Ok(text) => (true, text.as_str()),
        Err(text) => (false, text.as_str()),
    };
    let fact =
        Fact::AskAnswered { request: exchange.request.clone(), ok, answer: text.to_owned(), took: *took };
    state.log.add(state.now, Some(slot), fact, None);
}
