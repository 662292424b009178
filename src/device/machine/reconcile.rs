//! Desired properties in, acknowledgements out; reported patches and their answers.

use serde_json::{Map, Value, json};

use super::{Due, MOST_WISHES, note};
use crate::device::property::{Wish, acknowledged_value, acknowledged_version, forget_other_words};
use crate::device::{Device, Now, Output, PropertySpec, Severity, Standing, Ticket, TwinDocument, twin};
use rand::RngExt as _;

impl Device {
    /// The whole twin has come: whatever was missed is treated like a patch that arrives now.
    pub(super) fn reconcile(&mut self, now: Now, document: TwinDocument, out: &mut Vec<Output>) {
        self.twin_again = None;
        let version = document.desired_version;
        let known = self.twin.as_ref();
        if self.desired_heard && known.is_some_and(|known| version < known.desired_version) {
            // Made before a change that has been heard since; the next one will not be.
            return self.fetch_twin(now, out);
        }
        if let Some(known) = known.filter(|known| !self.desired_heard && document.is_before(known)) {
            let (desired, reported) = (document.desired_version, document.reported_version);
            let text = format!(
                "the twin is another one: desired version {desired} after {}, reported version {reported} \
                 after {}; beginning anew",
                known.desired_version, known.reported_version
            );
            note(out, Severity::Warning, text);
            self.forget_the_twin();
            self.each_profile(now, |profile, ctx| profile.started(ctx));
        }
        self.desired_heard = true;
        let mut missed = Map::new();
        for (name, member) in &document.desired {
            if self.is_open(name, version, &document.reported) {
                missed.insert(name.clone(), member.clone());
            }
        }
        let mut held = Vec::new();
        for state in &mut self.properties {
            if state.value.is_null() || state.standing == Standing::Unset {
                // What this hub was told, by an earlier run of this device or before it moved away
                // and back, is still what it holds here.
                let value = document.reported.get(state.spec.name).and_then(acknowledged_value);
                let value = value.filter(|value| state.spec.schema.check("", value).is_ok());
                if let Some(value) = value.filter(|value| **value != state.value) {
                    state.value = value.clone();
                    held.push((state.spec, value.clone()));
                }
            }
            if let Some(member) = document.desired.get(state.spec.name) {
                state.desired = Some(Wish::read(member, version).value);
                if state.standing == Standing::Unset && !missed.contains_key(state.spec.name) {
                    state.standing = Standing::InStep { version };
                }
            }
        }
        self.twin = Some(document);
        for (spec, value) in held {
            self.apply(now, spec, &value);
        }
        self.wish(now, version, missed);
    }

    /// What this twin wanted and was told says nothing about the next one.
    pub(super) fn forget_the_twin(&mut self) {
        self.twin = None;
        self.wishes.clear();
        self.schedule.retain(|due| !matches!(due, Due::Acknowledge { .. }));
        for state in &mut self.properties {
            state.standing = Standing::Unset;
            state.desired = None;
        }
    }

    /// Whether a desired member has not been acknowledged at its document's version, by this run
    /// of the device or by an earlier one.
    ///
    /// The document's version also moves when another property changes; then this one is
    /// acknowledged again at the newer version, which does no harm.
    fn is_open(&self, name: &str, version: u64, reported: &Map<String, Value>) -> bool {
        let here = self.properties.iter().find(|state| state.spec.name == name);
        let here = here.and_then(|state| state.standing.version());
        let there = reported.get(name).and_then(acknowledged_version);
        here.max(there).is_none_or(|acknowledged| acknowledged < version)
    }

    pub(super) fn desired(
        &mut self,
        now: Now,
        version: u64,
        patch: Map<String, Value>,
        out: &mut Vec<Output>,
    ) {
        self.desired_heard = true;
        if let Some(document) = &mut self.twin {
            if version <= document.desired_version {
                let had = document.desired_version;
                note(
                    out,
                    Severity::Info,
                    format!("desired version {version} is not newer than {had}, ignored"),
                );
                return;
            }
            let gap = version > document.desired_version + 1;
            document.desired_version = version;
            twin::merge(&mut document.desired, &patch);
            if gap && self.twin_again.is_none() && self.phase.is_online() {
                note(
                    out,
                    Severity::Warning,
                    "a change of desired properties was missed, asking for the twin".to_owned(),
                );
                self.fetch_twin(now, out);
            }
        }
        self.wish(now, version, patch);
    }

    /// Plans an acknowledgement for every member of a desired patch.
    fn wish(&mut self, now: Now, version: u64, patch: Map<String, Value>) {
        let mut unknown = Map::new();
        for (name, member) in patch {
            let wish = Wish::read(&member, version);
            let Some(place) = self.properties.iter().position(|state| state.spec.name == name) else {
                // Deleting what the device never had needs no answer, and metadata is no property.
                if !member.is_null() && !name.starts_with('$') {
                    let reason = format!("this device has no writable property `{name}`");
                    unknown.insert(name, wish.acknowledgement(&wish.value, &Err((404, reason))));
                }
                continue;
            };
            if self.wishes.get(&place).copied().unwrap_or(0) >= MOST_WISHES {
                let state = &mut self.properties[place];
                let reason = format!("{MOST_WISHES} changes of `{name}` are waiting already");
                let ack = wish.acknowledgement(&state.value, &Err((429, reason.clone())));
                state.desired = Some(wish.value);
                state.standing = Standing::Refused { version, reason };
                self.report(json!({ name: ack }));
                continue;
            }
            *self.wishes.entry(place).or_default() += 1;
            let state = &mut self.properties[place];
            let verdict =
                state.spec.schema.check(state.spec.name, &wish.value).map_err(|reason| (400, reason));
            state.desired = Some(wish.value.clone());
            state.standing = Standing::Pending { version };
            let at = now.at + self.options.scale.apply(state.spec.takes);
            self.schedule.add(at, Due::Acknowledge { property: place, wish, verdict });
        }
        if !unknown.is_empty() {
            self.report(Value::Object(unknown));
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        place: usize,
        wish: &Wish,
        verdict: Result<(), (u16, String)>,
    ) {
        if let Some(count) = self.wishes.get_mut(&place) {
            *count = count.saturating_sub(1);
        }
        let spec = self.properties[place].spec;
        if verdict.is_ok() {
            self.properties[place].value = wish.value.clone();
            self.apply(now, spec, &wish.value);
        }
        let state = &mut self.properties[place];
        let mut ack = wish.acknowledgement(&state.value, &verdict);
        let taken = self.twin.as_ref().and_then(|twin| twin.reported.get(spec.name));
        forget_other_words(&mut ack, self.reports.expected(spec.name, taken).as_ref());
        let still_open = matches!(state.standing, Standing::Pending { version } if version <= wish.version);
        if still_open {
            state.standing = match verdict {
                Ok(()) => Standing::InStep { version: wish.version },
                Err((_, reason)) => Standing::Refused { version: wish.version, reason },
            };
        }
        self.report(json!({ spec.name: ack }));
    }

    /// Puts a value in force, whose profile knows what that means.
    fn apply(&mut self, now: Now, spec: &PropertySpec, value: &Value) {
        let owner = self.profiles.iter().position(|profile| profile.model().properties.contains(spec));
        if let Some(owner) = owner {
            self.with_profile(now, owner, |profile, ctx| profile.apply(ctx, spec.name, value));
        }
    }

    pub(super) fn report_taken(&mut self, ticket: Ticket, version: Option<u64>) {
        let Some(Value::Object(patch)) = self.reports.answered(ticket) else { return };
        if let Some(document) = &mut self.twin {
            twin::merge(&mut document.reported, &patch);
            document.reported_version = version.unwrap_or(document.reported_version + 1);
        }
    }

    pub(super) fn report_refused(
        &mut self,
        now: Now,
        ticket: Ticket,
        status: u16,
        message: &str,
        out: &mut Vec<Output>,
    ) {
        if status == 429 || status >= 500 {
            self.reports.refused(now.at, ticket, self.rng.random_range(0.0..=1.0));
            note(
                out,
                Severity::Warning,
                format!("the hub is busy ({status} {message}), reporting again later"),
            );
        } else if self.reports.answered(ticket).is_some() {
            note(out, Severity::Error, format!("the hub refused a reported patch: {status} {message}"));
        }
    }
}
