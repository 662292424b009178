//! What went wrong on the way to a hub, as the device is told it: a kind to decide by, and words
//! a person can act on.

use std::time::Duration;

use rumqttc::ConnectReturnCode;

use super::mqtt::SessionError;
use crate::device::time::Spoken;
use crate::device::{Failure, FailureKind};
use crate::trust::Fault;
use crate::wire::dps;

/// A clock that is further off than this breaks tokens. Services allow five minutes.
const SKEW_ALLOWED: i64 = crate::wire::sas::CLOCK_SKEW;

/// A connection that could not be made; `attempt` begins the sentence: "cannot connect to …".
pub fn unreached(attempt: &str, host: &str, port: u16, fault: &Fault) -> Failure {
    let kind = match fault {
        Fault::Unresolved => FailureKind::Unresolved,
        Fault::Refused | Fault::Unreachable(_) => FailureKind::Unreachable,
        Fault::Untrusted | Fault::WrongName(_) | Fault::NotValidNow | Fault::BadCertificate(_) => {
            FailureKind::Untrusted
        }
        Fault::NotTls(_) => FailureKind::Protocol,
        Fault::TimedOut => FailureKind::TimedOut,
        // Not `Lost`: that is for a link that stood.
        Fault::Broken(_) => FailureKind::Unavailable,
    };
    Failure::new(kind, format!("{attempt}: {}", fault.reason(host, port))).advise(fault.advice(port))
}

/// A link that stood and does no more.
pub fn lost(hub: &str, error: &SessionError) -> Failure {
    match error {
        SessionError::TooLarge { size, most } => Failure::new(
            FailureKind::Rejected,
            format!("a message of {size} bytes cannot be sent to {hub}: the most is {most}"),
        ),
        SessionError::Codec(said) | SessionError::Protocol(said) => Failure::new(
            FailureKind::Lost,
            format!("the link to {hub} was lost: it sent what is not MQTT 3.1.1 ({said})"),
        ),
        SessionError::Closed => Failure::new(
            FailureKind::Lost,
            format!("the link to {hub} was lost: the hub closed it"),
        )
        .advise(
            "hubs do so when the same device connects a second time, when a token ends, and for maintenance",
        ),
        SessionError::Io(error) => match Fault::of(error) {
            Fault::Broken(said) => {
                Failure::new(FailureKind::Lost, format!("the link to {hub} was lost: {said} without a word"))
            }
            fault => Failure::new(
                FailureKind::Lost,
                format!("the link to {hub} was lost: {}", fault.reason(hub, 8883)),
            ),
        },
        other => Failure::new(FailureKind::Lost, format!("the link to {hub} was lost: {other}")),
    }
}

/// A link that was dropped because a person wanted to see what happens.
pub fn cut() -> Failure {
    Failure::new(FailureKind::Lost, "the link was cut on request")
}

/// A conversation that ended before the hub accepted the device. MQTT 3.1.1, 3.2.2.3, and what
/// IoT Hub means by each code.
pub fn not_accepted(hub: &str, device: &str, error: &SessionError) -> Failure {
    use ConnectReturnCode as Code;
    let SessionError::Refused(code) = error else {
        let kind = match error {
            SessionError::NoAnswer { .. } => FailureKind::TimedOut,
            SessionError::Codec(_) | SessionError::Protocol(_) => FailureKind::Protocol,
            _ => FailureKind::Unavailable,
        };
        let failure = Failure::new(kind, format!("cannot connect `{device}` to {hub}: {error}"));
        return match kind {
            FailureKind::Protocol => {
                failure.advise("what answers there is not an IoT Hub's MQTT; check host and port")
            }
            _ => failure,
        };
    };
    let refused = |kind, number, why: &str| {
        Failure::new(kind, format!("{hub} refused `{device}`: {why} (MQTT code {number})"))
    };
    match code {
        Code::NotAuthorized => refused(FailureKind::Unauthorized, 5, "not authorised").advise(
            "the key is not this device's, the device does not exist or is disabled in this hub, or this \
             machine's clock is wrong",
        ),
        Code::BadUserNamePassword => refused(FailureKind::Unauthorized, 4, "bad user name or token")
            .advise("check the device's id and key, and this machine's clock"),
        Code::ServiceUnavailable => {
            refused(FailureKind::Unavailable, 3, "busy or not available at the moment")
        }
        Code::BadClientId => refused(FailureKind::Rejected, 2, "it does not take this device id")
            .advise("check the device id for characters that IoT Hub does not allow"),
        Code::RefusedProtocolVersion => refused(FailureKind::Protocol, 1, "it does not speak MQTT 3.1.1")
            .advise("check that the host is an IoT Hub"),
        Code::Success => refused(FailureKind::Protocol, 0, "it accepted and refused at once"),
    }
}

/// What a provisioning service answered when it refused, and what is needed to explain it.
#[derive(Debug, Clone, Copy)]
pub struct DpsRefusal<'a> {
    /// The service asked.
    pub host: &'a str,
    /// The ID scope given.
    pub scope: &'a str,
    /// The registration id given.
    pub registration: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: &'a [u8],
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
    /// By how many seconds our clock is ahead of the service's, when it said what time it is.
    pub ahead: Option<i64>,
}

/// A refusal by status. DPS, "Device registration", error codes.
pub fn dps_refused(refusal: DpsRefusal<'_>) -> Failure {
    let DpsRefusal { host, scope, registration, status, body, retry_after, ahead } = refusal;
    let error = serde_json::from_slice::<dps::ErrorBody>(body).unwrap_or_default();
    let said = match (error.message.trim(), error.error_code) {
        ("", 0) => format!("HTTP status {status}"),
        ("", code) => format!("error {code}"),
        (message, 0) => format!("{message}, HTTP status {status}"),
        (message, code) => format!("{message}, error {code}"),
    };
    let attempt = format!("registering `{registration}` in ID scope `{scope}` at {host}");
    match status {
        401 => Failure::new(FailureKind::Unauthorized, format!("{attempt} was not authorised: {said}"))
            .advise(ahead.and_then(skew).unwrap_or_else(|| {
                format!(
                    "check that the key is the one of `{registration}` (an enrolment group's key goes with \
                     --group-key, not --key), and that the ID scope is right"
                )
            })),
        403 => Failure::new(FailureKind::Disabled, format!("{attempt} is forbidden: {said}"))
            .advise("the enrolment may be switched off; ask whoever runs the service"),
        404 => Failure::new(
            FailureKind::Rejected,
            format!("{attempt} failed, the service knows no such thing: {said}"),
        )
        .advise("check the ID scope and the registration id, and that an enrolment exists for it"),
        408 | 429 | 500..=599 => {
            let why = if status == 429 {
                "was put off, too many requests"
            } else {
                "failed, the service has trouble"
            };
            Failure::new(FailureKind::Unavailable, format!("{attempt} {why}: {said}")).after(retry_after)
        }
        400..=499 => Failure::new(FailureKind::Rejected, format!("{attempt} was refused: {said}")),
        _ => Failure::new(
            FailureKind::Protocol,
            format!("{attempt} got an answer that no provisioning service gives: HTTP status {status}"),
        )
        .advise("check the provisioning host"),
    }
}

/// A registration that ended without a hub.
pub fn dps_ended(
    host: &str,
    registration: &str,
    status: &str,
    state: Option<&dps::RegistrationState>,
) -> Failure {
    let said = state.map(|state| (state.error_code, state.error_message.as_deref().unwrap_or("")));
    let said = match said {
        Some((Some(code), "")) => format!(": error {code}"),
        Some((Some(code), message)) => format!(": {message}, error {code}"),
        Some((None, message)) if !message.is_empty() => format!(": {message}"),
        _ => String::new(),
    };
    match status {
        "disabled" | "blacklisted" => {
            Failure::new(FailureKind::Disabled, format!("the enrolment of `{registration}` at {host} is switched off{said}"))
                .advise("enable it in the provisioning service, or in IoT Central unblock the device")
        }
        "failed" => Failure::new(FailureKind::Rejected, format!("{host} could not assign `{registration}` to a hub{said}"))
            .advise("see the enrolment's allocation in the provisioning service; in IoT Central, the device may need approval"),
        other => Failure::new(
            FailureKind::Protocol,
            format!("{host} answered the registration of `{registration}` with the unknown status `{other}`{said}"),
        ),
    }
}

/// What to say of a clock that is `ahead` seconds ahead, when it is too far off for tokens.
pub fn skew(ahead: i64) -> Option<String> {
    if ahead.abs() <= SKEW_ALLOWED {
        return None;
    }
    let by = Spoken(Duration::from_secs(ahead.unsigned_abs()));
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Some(format!("this machine's clock is {by} {way} the service's: set it, because tokens depend on it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &'static str, ahead: Option<i64>) -> Failure {
        dps_refused(DpsRefusal {
            host: "dps",
            scope: "0ne00ABCDEF",
            registration: "sensor-01",
            status,
            body: body.as_bytes(),
            retry_after: Some(Duration::from_secs(7)),
            ahead,
        })
    }

    #[test]
    fn a_wrong_key_names_the_group_key_and_the_service_s_words() {
        let failure = refusal(401, r#"{"errorCode": 401002, "message": "Unauthorized"}"#, Some(4));
        assert_eq!(failure.kind, FailureKind::Unauthorized);
        assert_eq!(
            failure.what,
            "registering `sensor-01` in ID scope `0ne00ABCDEF` at dps was not authorised: Unauthorized, error 401002"
        );
        assert!(failure.advice.contains("--group-key"), "{}", failure.advice);
    }

    #[test]
    fn a_skewed_clock_is_told_by_how_much() {
        let failure = refusal(401, "", Some(-3725));
        assert!(
            failure.advice.starts_with("this machine's clock is 1 h 02 min behind"),
            "{}",
            failure.advice
        );
        assert_eq!(skew(300), None);
        assert!(skew(301).is_some_and(|said| said.contains("ahead")));
    }

    #[test]
    fn each_status_has_its_kind() {
        for (status, kind) in [
            (400, FailureKind::Rejected),
            (403, FailureKind::Disabled),
            (404, FailureKind::Rejected),
            (429, FailureKind::Unavailable),
            (500, FailureKind::Unavailable),
            (503, FailureKind::Unavailable),
            (302, FailureKind::Protocol),
        ] {
            assert_eq!(refusal(status, "<html>", None).kind, kind, "{status}");
        }
        assert_eq!(refusal(429, "", None).retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn each_connack_reads_differently() {
        use ConnectReturnCode as Code;
        for (code, kind, part) in [
            (Code::NotAuthorized, FailureKind::Unauthorized, "not authorised (MQTT code 5)"),
            (Code::BadUserNamePassword, FailureKind::Unauthorized, "(MQTT code 4)"),
            (Code::ServiceUnavailable, FailureKind::Unavailable, "(MQTT code 3)"),
            (Code::BadClientId, FailureKind::Rejected, "(MQTT code 2)"),
            (Code::RefusedProtocolVersion, FailureKind::Protocol, "(MQTT code 1)"),
        ] {
            let failure = not_accepted("hub", "dev", &SessionError::Refused(code));
            assert_eq!(failure.kind, kind);
            assert!(failure.what.contains(part), "{}", failure.what);
        }
    }

    #[test]
    fn faults_have_kinds_and_advice() {
        let failure = unreached("cannot connect to the hub", "localhost", 8883, &Fault::Refused);
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert_eq!(failure.what, "cannot connect to the hub: nothing listens on localhost:8883");
        let failure = unreached("cannot connect to the hub", "h", 8883, &Fault::Untrusted);
        assert!(failure.advice.contains("--ca"));
    }
}
