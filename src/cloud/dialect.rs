//! Between MQTT's topics and bodies and what the core understands. Pure.
//!
//! A publish that this dialect does not know ends the connection, as Azure's does: a device that
//! sends into the void should find out.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::core::auth::Refusal;
use super::core::clients::ConnectionId;
use super::core::fault::Fault;
use super::core::provisioning::Registration;
use super::core::registry::Address;
use super::core::x509::PeerCertificate;
use super::core::{Core, Delivery, Output, Settings};
use crate::device::identity::NameError;
use crate::device::{ModuleId, Now, RegistrationId};
use crate::wire::SharedKey;
use crate::wire::bag::Bag;
use crate::wire::connect::{UserName, client_id};
use crate::wire::dps::{OperationStatus, RegistrationState};
use crate::wire::topic::{self, FromDevice};

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its body.
    pub body: Bytes,
    /// Quality of service: 0 or 1.
    pub quality: u8,
}

impl Message {
    fn new(topic: String, body: impl Into<Bytes>, quality: u8) -> Self {
        Self { topic, body: body.into(), quality }
    }
}

/// Who has connected.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// A device or module, to the hub.
    Hub {
        /// Which.
        address: Address,
        /// The model it announced.
        model_id: Option<String>,
        /// When its token runs out, in seconds since 1970.
        expiry: i64,
    },
    /// A device, to the provisioning service.
    Dps {
        /// By which name.
        id: RegistrationId,
        /// Its derived key.
        key: SharedKey,
        /// When its token runs out, in seconds since 1970.
        expiry: i64,
    },
}

/// Why a CONNECT is refused. The numbers are MQTT 3.1.1's return codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Return code 2: the client id does not say the same as the user name.
    #[error("the client id `{client}` is not `{wanted}`, which the user name says")]
    ClientId {
        /// The client id presented.
        client: String,
        /// What it would have to be.
        wanted: String,
    },
    /// Return code 4: the user name cannot be read.
    #[error("{0}")]
    UserName(String),
    /// Return code 5: the credentials are refused.
    #[error("{0}")]
    Refused(Refusal),
}

/// Checks a CONNECT; `peer` is the certificate that the client has proved to hold.
pub fn connect(
    core: &Core,
    now: Now,
    client: &str,
    user_name: &str,
    password: &str,
    peer: Option<&PeerCertificate>,
) -> Result<Role, ConnectError> {
    let user = UserName::parse(user_name).map_err(|error| ConnectError::UserName(error.to_string()))?;
    let expect = |wanted: String| {
        if client == wanted {
            return Ok(());
        }
        Err(ConnectError::ClientId { client: client.to_owned(), wanted })
    };
    match user {
        UserName::Hub { host, device, module, model_id } => {
            expect(client_id(&device, module.as_deref()))?;
            let unreadable = |error: NameError| ConnectError::UserName(error.to_string());
            let device = device.parse().map_err(unreadable)?;
            let module = module.map(|module| module.parse()).transpose().map_err(unreadable)?;
            let address = Address { device, module };
            let expiry = match peer {
                // A certificate holds as long as its connection.
                Some(peer) if password.is_empty() => {
                    core.authorize_certificate(now, &host, &address, peer).map(|()| i64::MAX)
                }
                _ => core.authorize_client(now, &host, &address, password),
            };
            let expiry = expiry.map_err(ConnectError::Refused)?;
            Ok(Role::Hub { address, model_id, expiry })
        }
        UserName::Dps { scope, registration } => {
            expect(registration.clone())?;
            let id = registration.parse().map_err(|error| ConnectError::UserName(format!("{error}")))?;
            let (key, expiry) =
                core.authorize_registration(now, &scope, &id, password).map_err(ConnectError::Refused)?;
            Ok(Role::Dps { id, key, expiry })
        }
    }
}

/// Why a publish ends the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// No topic of this service.
    #[error("published to the topic `{0}`, which this service does not have")]
    Topic(String),
    /// Somebody else's topic.
    #[error("published to the topic of `{0}`")]
    Foreign(String),
    /// The bag of properties is not percent-encoded UTF-8.
    #[error("published a property bag that is not percent-encoded UTF-8")]
    Bag,
    /// The core does not take it.
    #[error("published what cannot be taken: {0}")]
    Fault(Fault),
}

/// Where a device sends a message to, and with which properties: also for its will.
pub fn event_bag<'a>(topic: &'a str, address: &Address) -> Result<&'a str, Unacceptable> {
    match FromDevice::parse(topic) {
        Some(FromDevice::Event { device, module, bag }) => {
            if device != address.device.as_str() || module != address.module.as_ref().map(ModuleId::as_str) {
                return Err(Unacceptable::Foreign(device.to_owned()));
            }
            Bag::decode(bag).map(|_| bag).ok_or(Unacceptable::Bag)
        }
        _ => Err(Unacceptable::Topic(topic.to_owned())),
    }
}

/// Adds a property to a bag as it stands in a topic.
pub fn add_property(bag: &str, name: &str, value: &str) -> String {
    let bag = bag.strip_prefix('?').unwrap_or(bag);
    let bag = bag.strip_suffix('/').unwrap_or(bag);
    let added = Bag::of([(name, value)]).encode();
    if bag.is_empty() { added } else { format!("{bag}&{added}") }
}

/// Takes a publish of a hub's client. Answers what goes back to it, if anything.
pub fn hub_publish(
    core: &mut Core,
    now: Now,
    (connection, address): (ConnectionId, &Address),
    topic: &str,
    body: &Bytes,
    retain: bool,
    out: &mut Vec<Output>,
) -> Result<Option<Message>, Unacceptable> {
    match FromDevice::parse(topic) {
        Some(FromDevice::Event { .. }) => {
            let bag = event_bag(topic, address)?;
            // IoT Hub never retains: it says so to whoever reads the message.
            let marked = retain.then(|| add_property(bag, "mqtt-retain", "true"));
            core.message(now, address, marked.as_deref().unwrap_or(bag), body.clone())
                .map_err(Unacceptable::Fault)?;
            Ok(None)
        }
        Some(FromDevice::MethodAnswer { status, rid }) => {
            if !core.method_answer(address, rid, status, body, out) {
                tracing::debug!(device = %address, rid, "an answer to a command that nobody waits for any more");
            }
            Ok(None)
        }
        Some(FromDevice::TwinGet { rid }) => {
            let answer = core.device_twin(address);
            Ok(twin_answer(
                core,
                now,
                connection,
                address,
                rid,
                answer.map(|twin| (200, None, twin.to_string())),
            ))
        }
        Some(FromDevice::TwinPatch { rid, version }) => {
            let answer = core.report(now, address, body, version);
            let answer = answer.map(|version| (204, Some(version), String::new()));
            Ok(twin_answer(core, now, connection, address, rid, answer))
        }
        Some(FromDevice::DpsRegister { .. } | FromDevice::DpsStatus { .. }) | None => {
            Err(Unacceptable::Topic(topic.to_owned()))
        }
    }
}

fn twin_answer(
    core: &mut Core,
    now: Now,
    connection: ConnectionId,
    address: &Address,
    rid: &str,
    answer: Result<(u16, Option<u64>, String), Fault>,
) -> Option<Message> {
    let Some(quality) = core.subscriptions(connection).twin_answers else {
        tracing::warn!(device = %address, "a twin request goes unanswered: {} is not subscribed", topic::filter::TWIN_ANSWERS);
        return None;
    };
    let (status, version, body) = answer.unwrap_or_else(|fault| {
        tracing::warn!(device = %address, status = fault.status, "a twin request is refused: {fault}");
        (fault.status, None, error_body(&fault, &core.random_name(), now.wall).to_string())
    });
    Some(Message::new(topic::twin_answer(status, rid, version), body, quality))
}

/// What a delivery is on the wire; `None` for the end of the connection, which has no packet.
pub fn deliver(delivery: Delivery) -> Option<Message> {
    match delivery {
        Delivery::Desired { quality, version, patch } => {
            Some(Message::new(topic::desired(version), patch.to_string(), quality))
        }
        Delivery::Method { quality, call, name, payload } => {
            Some(Message::new(topic::method_call(&name, &call.rid()), payload, quality))
        }
        Delivery::Close(_) => None,
    }
}

/// Takes a publish of the provisioning service's client. Answers what goes back to it.
pub fn dps_publish(
    core: &mut Core,
    now: Now,
    (id, key): (&RegistrationId, &SharedKey),
    topic: &str,
    body: &[u8],
    out: &mut Vec<Output>,
) -> Result<Message, Unacceptable> {
    let (rid, answer) = match FromDevice::parse(topic) {
        Some(FromDevice::DpsRegister { rid }) => (rid, core.register(now, id, key.clone(), body).cloned()),
        Some(FromDevice::DpsStatus { rid, operation_id }) => {
            (rid, core.operation(now, id, operation_id, out))
        }
        _ => return Err(Unacceptable::Topic(topic.to_owned())),
    };
    Ok(match answer {
        Ok(registration) => {
            let settings = core.settings();
            let (status, wait) =
                if registration.assigned { (200, None) } else { (202, Some(settings.retry_after)) };
            let body = operation_body(&registration, settings).to_string();
            Message::new(topic::dps_answer(status, rid, wait), body, 1)
        }
        Err(fault) => {
            let body = error_body(&fault, &core.random_name(), now.wall).to_string();
            let wait = (fault.status == 429).then_some(core.settings().retry_after.max(1));
            Message::new(topic::dps_answer(fault.status, rid, wait), body, 1)
        }
    })
}

/// The body of a refusal by the provisioning service, and by the hub to a device.
pub fn error_body(fault: &Fault, tracking: &str, wall: Timestamp) -> Value {
    json!({
        "errorCode": fault.code,
        "trackingId": tracking,
        "message": fault.message,
        "info": {},
        "timestampUtc": wall.to_string(),
    })
}

/// The body that tells how a registration stands.
pub fn operation_body(registration: &Registration, settings: &Settings) -> Value {
    let status = OperationStatus {
        operation_id: registration.operation.clone(),
        status: status(registration).to_owned(),
        registration_state: None,
    };
    let mut body = json!({"operationId": status.operation_id, "status": status.status});
    // Python joins the members of this object as text, so it must not come with nulls in it: it
    // is left out until there is an outcome.
    if registration.assigned {
        body["registrationState"] = registration_body(registration, settings);
    }
    body
}

fn status(registration: &Registration) -> &'static str {
    if registration.assigned { "assigned" } else { "assigning" }
}

/// The outcome of a registration.
pub fn registration_body(registration: &Registration, settings: &Settings) -> Value {
    use base64::Engine as _;
    let etag = base64::engine::general_purpose::STANDARD.encode(registration.revision.to_be_bytes());
    let assigned = registration.assigned;
    let state = RegistrationState {
        registration_id: registration.id.to_string(),
        created_date_time_utc: registration.created.to_string(),
        last_updated_date_time_utc: registration.updated.to_string(),
        assigned_hub: assigned.then(|| settings.assigned_hub.clone()),
        device_id: assigned.then(|| registration.device.to_string()),
        status: status(registration).to_owned(),
        substatus: assigned.then(|| "initialAssignment".to_owned()),
        etag,
        ..RegistrationState::default()
    };
    let mut body = serde_json::to_value(state).unwrap_or_default();
    body["symmetricKey"] = json!({"enrollmentGroupId": "envsim"});
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::core::auth::HubNames;
    use crate::device::Millis;
    use crate::wire::sas::Token;
    use crate::wire::topic::filter;

    const START: i64 = 1_893_456_000;

    fn now() -> Now {
        Now { at: Millis(0), wall: Timestamp::from_second(START).expect("a moment") }
    }

    fn group() -> SharedKey {
        SharedKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key")
    }

    fn core() -> Core {
        let settings = Settings {
            names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
            assigned_hub: "localhost:9999".to_owned(),
            id_scope: "0ne00ABCDEF".parse().expect("a scope"),
            group_key: group(),
            retry_after: 3,
            waits: 0,
        };
        let mut core = Core::new(settings, [1; 32]);
        core.create_derived(now(), "d".parse().expect("an id")).expect("created");
        core
    }

    fn online(core: &mut Core) -> (ConnectionId, Address) {
        let address = Address::device("d".parse().expect("an id"));
        let mut out = Vec::new();
        let connection = core.connect(now(), &address, true, None, &mut out).connection;
        core.subscribe(now(), connection, filter::TWIN_ANSWERS, 0, &mut out);
        (connection, address)
    }

    fn publish(core: &mut Core, topic: &str, body: &str) -> Result<Option<(String, String)>, Unacceptable> {
        let (connection, address) = online(core);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = hub_publish(core, now(), (connection, &address), topic, &body, false, &mut Vec::new())?;
        Ok(answer.map(|message| (message.topic, String::from_utf8_lossy(&message.body).into_owned())))
    }

    #[test]
    fn a_twin_request_is_answered_to_the_letter() {
        assert_eq!(
            publish(&mut core(), "$iothub/twin/GET/?$rid=8f1c", " "),
            Ok(Some((
                "$iothub/twin/res/200/?$rid=8f1c".to_owned(),
                r#"{"desired":{"$version":1},"reported":{"$version":1}}"#.to_owned()
            )))
        );
        assert_eq!(
            publish(&mut core(), "$iothub/twin/PATCH/properties/reported/?$rid=6", r#"{"state":"true"}"#),
            Ok(Some(("$iothub/twin/res/204/?$rid=6&$version=2".to_owned(), String::new())))
        );
    }

    #[test]
    fn a_refused_report_has_a_body_that_says_why() {
        let mut core = core();
        let answer =
            publish(&mut core, "$iothub/twin/PATCH/properties/reported/?$rid=7", "{").expect("an answer");
        let (topic, body) = answer.expect("an answer");
        assert_eq!(topic, "$iothub/twin/res/400/?$rid=7");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (&body["errorCode"], &body["timestampUtc"]),
            (&json!(400_004), &json!("2030-01-01T00:00:00Z"))
        );
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("the reported properties are not JSON"))
        );
    }

    #[test]
    fn a_message_needs_its_own_devices_topic_and_a_readable_bag() {
        let mut core = core();
        assert_eq!(publish(&mut core, "devices/d/messages/events/a=1", "x"), Ok(None));
        assert_eq!(
            publish(&mut core, "devices/e/messages/events/", "x"),
            Err(Unacceptable::Foreign("e".to_owned()))
        );
        assert_eq!(publish(&mut core, "devices/d/messages/events/a=%FF", "x"), Err(Unacceptable::Bag));
        for topic in ["x", "$iothub/twin/GET/", "$dps/registrations/PUT/iotdps-register/?$rid=1"] {
            assert_eq!(publish(&mut core, topic, ""), Err(Unacceptable::Topic(topic.to_owned())));
        }
    }

    #[test]
    fn a_property_is_added_to_any_bag() {
        assert_eq!(add_property("", "iothub-MessageType", "Will"), "iothub-MessageType=Will");
        assert_eq!(add_property("?a=1/", "b", "c d"), "a=1&b=c%20d");
    }

    #[test]
    fn deliveries_are_written_to_the_letter() {
        let desired =
            Delivery::Desired { quality: 1, version: 4, patch: json!({"name": "x", "$version": 4}) };
        let message = deliver(desired).expect("a message");
        assert_eq!(message.topic, "$iothub/twin/PATCH/properties/desired/?$version=4");
        assert_eq!(message.body, r#"{"name":"x","$version":4}"#);
    }

    #[test]
    fn a_registration_over_mqtt_goes_as_documented() {
        let mut core = core();
        let id: RegistrationId = "sensor-01".parse().expect("an id");
        let key = group().derive("sensor-01");
        let mut say = |topic: &str, body: &str| {
            let said = dps_publish(&mut core, now(), (&id, &key), topic, body.as_bytes(), &mut Vec::new())
                .expect("an answer");
            (said.topic, serde_json::from_slice::<Value>(&said.body).expect("JSON"))
        };
        let (topic, body) = say(
            "$dps/registrations/PUT/iotdps-register/?$rid=6a1b",
            r#"{"payload": null, "registrationId": "sensor-01"}"#,
        );
        assert_eq!(topic, "$dps/registrations/res/202/?$rid=6a1b&retry-after=3");
        let operation = body["operationId"].as_str().expect("a name");
        assert_eq!(body, json!({"operationId": operation, "status": "assigning"}));
        let (topic, body) = say(
            &format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=77c0&operationId={operation}"),
            " ",
        );
        assert_eq!(topic, "$dps/registrations/res/200/?$rid=77c0");
        assert_eq!(
            body["registrationState"],
            json!({
                "registrationId": "sensor-01",
                "createdDateTimeUtc": "2030-01-01T00:00:00Z",
                "lastUpdatedDateTimeUtc": "2030-01-01T00:00:00Z",
                "assignedHub": "localhost:9999", "deviceId": "sensor-01",
                "status": "assigned", "substatus": "initialAssignment",
                "symmetricKey": {"enrollmentGroupId": "envsim"},
                "etag": "AAAAAAAAAAI="
            })
        );
        let (topic, body) =
            say("$dps/registrations/PUT/iotdps-register/?$rid=1", r#"{"modelId": "dtmi:x;1"}"#);
        assert_eq!(
            (topic.as_str(), &body["errorCode"]),
            ("$dps/registrations/res/400/?$rid=1", &json!(400_012))
        );
    }

    #[test]
    fn a_connect_is_checked_by_user_name_client_id_and_token() {
        let core = core();
        let token = Token::sign(&group().derive("d"), "localhost/devices/d", START + 60, None);
        let user = "localhost/d/?api-version=2021-04-12&model-id=dtmi%3Ax%3B1";
        let role = connect(&core, now(), "d", user, token.reveal(), None);
        assert!(
            matches!(role, Ok(Role::Hub { model_id: Some(model), expiry, .. }) if model == "dtmi:x;1" && expiry == START + 60)
        );
        assert!(matches!(
            connect(&core, now(), "D", user, token.reveal(), None),
            Err(ConnectError::ClientId { .. })
        ));
        assert!(matches!(connect(&core, now(), "d", "d", "", None), Err(ConnectError::UserName(_))));
        assert!(matches!(
            connect(&core, now(), "d", user, "", None),
            Err(ConnectError::Refused(Refusal::NoToken))
        ));
        assert!(matches!(
            connect(&core, now(), "d/m", "localhost/d/m/?api-version=1", token.reveal(), None),
            Err(ConnectError::Refused(Refusal::UnknownClient(_)))
        ));
        let token = Token::sign(&group().derive("s"), "0ne00ABCDEF/registrations/s", START + 60, None);
        let user = "0ne00ABCDEF/registrations/s/api-version=2019-03-31&ClientVersion=x";
        assert!(matches!(connect(&core, now(), "s", user, token.reveal(), None), Ok(Role::Dps { .. })));
    }
}
