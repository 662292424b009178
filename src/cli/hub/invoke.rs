//! `envsim hub invoke`: a command, its answer, and on request its outcome in the twin.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::examples::INVOKE;
use super::outage::passes;
use super::tell::{clean, millis, time_of_day};
use super::values::{self, InputError, Target};
use super::wait_for::{Progress, WaitFor};
use super::which::{Hub, advised, even_unread, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::time::Spoken;
use crate::operator::{Invocation, OperatorError};
use crate::wire::service::{MethodResult, is_azure};

/// How often the twin is read while an outcome is waited for: of a hub in Azure, where reading counts, and
/// of the local cloud.
const POLL: Duration = Duration::from_millis(500);
const LOCAL_POLL: Duration = Duration::from_millis(100);

/// The options of `envsim hub invoke`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = INVOKE)]
pub struct InvokeArgs {
    /// Which device or module.
    #[command(flatten)]
    pub target: Target,

    /// The command
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub command: String,

    /// The request, as JSON; a text in quotes of its own: '"text"'
    #[arg(long, value_name = "JSON")]
    pub payload: Option<String>,

    /// The request from a file; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    pub payload_file: Option<PathBuf>,

    /// How long the device may take to answer, 5s to 300s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::response_timeout)]
    pub response_timeout: Duration,

    /// How long to wait for the device to be connected, 0s to 300s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = values::connect_timeout)]
    pub connect_timeout: Duration,

    /// Then wait until the twin's reported section shows this, reported after the command was sent; a
    /// path may begin with properties.reported
    #[arg(long, value_name = "PATH[=VALUE]")]
    pub wait_for: Option<WaitFor>,

    /// But end with an error as soon as it shows this, such as firmwareError
    #[arg(long, value_name = "PATH[=VALUE]", requires = "wait_for")]
    pub unless: Option<WaitFor>,

    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "wait_for", value_parser = values::positive)]
    pub timeout: Duration,
}

/// Invokes, and waits.
pub async fn run(hub: &mut Hub, args: &InvokeArgs) -> anyhow::Result<Exit> {
    let invocation = invocation(args).await?;
    // A twin remembers; only what is reported after this counts.
    let before = match &args.wait_for {
        Some(_) => Some(explained(reported(hub, &args.target).await)?),
        None => None,
    };
    let (began, sent) = (Instant::now(), Timestamp::now());
    let (device, module) = (&args.target.device, args.target.module.as_ref());
    let result = advised(hub.client.invoke(device, module, &invocation).await, |why| advice(why, args))?;
    let at = (Timestamp::now(), &hub.zone);
    even_unread(hub.say(&answer(&args.command, &result, began.elapsed(), at, hub.format)))?;
    let exit = exit_of(&result);
    match &args.wait_for {
        Some(wanted) if exit == Exit::Done => wait_for(hub, args, wanted, (before.as_ref(), sent)).await,
        _ => Ok(exit),
    }
}

/// A device that is not there and one that does not answer are two things, and so is what helps.
fn advice(why: &OperatorError, args: &InvokeArgs) -> Option<String> {
    match why {
        OperatorError::Offline { .. } if args.connect_timeout.is_zero() => {
            Some("start it, or give --connect-timeout 30s to wait until it is connected".to_owned())
        }
        OperatorError::Offline { .. } => Some(format!(
            "it did not come within {}: start it, or give a longer --connect-timeout",
            Spoken(args.connect_timeout)
        )),
        OperatorError::NoAnswer { .. } => Some(format!(
            "it may still carry it out: see what it reports before sending it again, or give --response-timeout \
             more than {}",
            Spoken(args.response_timeout)
        )),
        _ => None,
    }
}

async fn reported(hub: &Hub, target: &Target) -> Result<Value, OperatorError> {
    let mut twin = hub.client.twin(&target.device, target.module.as_ref()).await?;
    Ok(twin["properties"]["reported"].take())
}

async fn wait_for(
    hub: &mut Hub,
    args: &InvokeArgs,
    wanted: &WaitFor,
    (before, sent): (Option<&Value>, Timestamp),
) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let poll = if is_azure(hub.client.host()) { POLL } else { LOCAL_POLL };
    let tell = |hub: &Hub, of: &WaitFor, progress: &Progress, shown: &Value| {
        even_unread(hub.say(&step(of, progress, time_of(of, shown, sent), &hub.zone, hub.format)))
    };
    let mut last = None;
    loop {
        let left = args.timeout.saturating_sub(began.elapsed());
        match tokio::time::timeout(left.max(poll), reported(hub, &args.target)).await {
            Ok(Ok(shown)) => {
                let progress = wanted.progress(before, &shown);
                if last.as_ref() != Some(&progress) {
                    tell(hub, wanted, &progress, &shown)?;
                }
                if matches!(progress, Progress::Met(_)) {
                    return Ok(Exit::Done);
                }
                if let Some(unwanted) = &args.unless
                    && let found @ Progress::Met(_) = unwanted.progress(before, &shown)
                {
                    tell(hub, unwanted, &found, &shown)?;
                    anyhow::bail!("{}", will_not_come(wanted, unwanted, &shown));
                }
                last = Some(progress);
            }
            // The command has been taken; a hub that is busy or away for a moment does not undo it.
            Ok(Err(why))
                if began.elapsed() < args.timeout && (hub.find_again() || passes(&why, hub.is_found())) => {}
            Ok(Err(why)) => explained(Err(why))?,
            Err(_) => {}
        }
        if began.elapsed() >= args.timeout {
            let last = last.unwrap_or(Progress::Missing);
            anyhow::bail!("{}", gave_up(wanted, &last, began.elapsed()));
        }
        tokio::time::sleep(poll.min(args.timeout)).await;
    }
}

/// What invokes a command. No payload stays none, which is not the same as null.
async fn invocation(args: &InvokeArgs) -> Result<Invocation, InputError> {
    let payload = match (&args.payload, &args.payload_file) {
        (Some(text), _) => Some(values::json("payload", text)?),
        (None, Some(file)) => Some(values::json_of(file).await?),
        (None, None) => None,
    };
    Ok(Invocation {
        name: args.command.clone(),
        payload,
        response_timeout: args.response_timeout,
        connect_timeout: args.connect_timeout,
    })
}

/// A device's answer to a command, with its time. For people its status and its words; for programs
/// what the service said.
fn answer(
    command: &str,
    result: &MethodResult,
    took: Duration,
    (at, zone): (Timestamp, &TimeZone),
    format: OutputFormat,
) -> String {
    let MethodResult { status, payload } = result;
    match format {
        OutputFormat::Text => {
            let (time, command, took) = (time_of_day(at, zone), clean(command), Spoken(took));
            format!("{time}  {command} answered {status} after {took}: {payload}")
        }
        OutputFormat::Json => {
            json!({"event": "answer", "time": at.to_string(), "command": command, "status": status,
            "payload": payload, "tookMs": millis(took)})
            .to_string()
        }
    }
}

/// How the program ends after an answer: a device that refuses has not done what was asked.
fn exit_of(result: &MethodResult) -> Exit {
    if (200..300).contains(&result.status) { Exit::Done } else { Exit::Failed }
}

/// When the hub took what it shows of this; now, when it shows nothing.
fn time_of(wanted: &WaitFor, reported: &Value, sent: Timestamp) -> Timestamp {
    let written = wanted.written(reported).and_then(Value::as_str);
    let written = written.and_then(|text| text.parse().ok());
    // What stood there before the command was sent is seen now.
    written.filter(|at| *at >= sent).unwrap_or_else(Timestamp::now)
}

/// A step of waiting for an outcome, with its time.
fn step(
    wanted: &WaitFor,
    progress: &Progress,
    at: Timestamp,
    zone: &TimeZone,
    format: OutputFormat,
) -> String {
    match format {
        OutputFormat::Text => {
            let said = match progress {
                Progress::Missing => format!("waiting for {wanted}: not reported yet"),
                Progress::Other(value) => format!("waiting for {wanted}: now {value}"),
                Progress::Before(value) => {
                    format!("waiting for {wanted}: {value} from before the command, not reported again yet")
                }
                Progress::Met(value) => format!("{wanted}: reported {value}"),
            };
            format!("{}  {}", time_of_day(at, zone), clean(&said))
        }
        OutputFormat::Json => {
            let (state, value) = match progress {
                Progress::Missing => ("missing", None),
                Progress::Other(value) => ("other", Some(value)),
                Progress::Before(value) => ("before", Some(value)),
                Progress::Met(value) => ("met", Some(value)),
            };
            json!({"event": "wait", "time": at.to_string(), "for": wanted.to_string(), "state": state, "value": value})
                .to_string()
        }
    }
}

/// Why waiting for longer would be in vain.
fn will_not_come(wanted: &WaitFor, unwanted: &WaitFor, reported: &Value) -> String {
    let around = unwanted.around(reported).map(|(path, value)| format!(", with {path}: {value}"));
    let around = around.unwrap_or_default();
    clean(&format!("{wanted} will not come: the device reported {unwanted}{around}"))
}

/// Why waiting ended without the outcome.
fn gave_up(wanted: &WaitFor, last: &Progress, after: Duration) -> String {
    let found = match last {
        Progress::Missing => "the device has not reported it".to_owned(),
        Progress::Other(value) | Progress::Met(value) => format!("the twin shows {value}"),
        Progress::Before(value) => {
            format!(
                "the twin showed {value} before the command already, and the device has not reported it again"
            )
        }
    };
    clean(&format!("{wanted} was not reported within {}: {found}; --timeout waits longer", Spoken(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-21T13:03:07.12Z".parse().expect("a timestamp")
    }

    fn args(payload: Option<&str>) -> InvokeArgs {
        InvokeArgs {
            target: Target { device: "d".parse().expect("an id"), module: None },
            command: "blink".to_owned(),
            payload: payload.map(str::to_owned),
            payload_file: None,
            response_timeout: Duration::from_secs(30),
            connect_timeout: Duration::ZERO,
            wait_for: None,
            unless: None,
            timeout: Duration::from_secs(60),
        }
    }

    async fn invoke(payload: Option<&str>) -> Result<Option<Value>, String> {
        let invocation = invocation(&args(payload)).await.map_err(|error| error.to_string())?;
        assert_eq!((invocation.name.as_str(), invocation.response_timeout.as_secs()), ("blink", 30));
        Ok(invocation.payload)
    }

    #[tokio::test]
    async fn a_command_carries_what_was_typed_and_nothing_else() {
        assert_eq!(invoke(Some("5")).await, Ok(Some(json!(5))));
        assert_eq!(invoke(Some("null")).await, Ok(Some(Value::Null)));
        assert_eq!(invoke(Some(r#"{"a": [1]}"#)).await, Ok(Some(json!({"a": [1]}))));
        assert_eq!(invoke(None).await, Ok(None));
        let error = invoke(Some("hello")).await.expect_err("no JSON");
        assert!(error.starts_with("--payload is not JSON: ") && error.contains(r#"'"text"'"#), "{error}");
        assert!(invoke(Some("")).await.is_err());
        // What 64 bits hold arrives as it is; beyond them it would arrive as another number.
        assert_eq!(invoke(Some("18446744073709551615")).await, Ok(Some(json!(u64::MAX))));
        assert_eq!(invoke(Some("-9223372036854775808")).await, Ok(Some(json!(i64::MIN))));
        for number in ["18446744073709551616", "-9223372036854775809"] {
            let error = invoke(Some(&format!(r#"{{"1": ["\"2", {number}]}}"#))).await.expect_err("too long");
            assert!(error.starts_with(&format!("--payload has the number {number}, ")), "{error}");
        }
        let text = json!(["12345678901234567890123", "\\", "a\"12345678901234567890123"]);
        assert_eq!(invoke(Some(&text.to_string())).await, Ok(Some(text)));
        assert_eq!(invoke(Some("[1.5e300,-2E-7]")).await, Ok(Some(json!([1.5e300, -2e-7]))));
    }

    #[test]
    fn an_answer_is_told_to_both() {
        let result = MethodResult { status: 200, payload: json!({"Response": "done"}) };
        let took = Duration::from_millis(350);
        assert_eq!(
            answer("blink", &result, took, (at(), &TimeZone::UTC), OutputFormat::Text),
            r#"13:03:07.120  blink answered 200 after 350 ms: {"Response":"done"}"#
        );
        let told: Value =
            serde_json::from_str(&answer("blink", &result, took, (at(), &TimeZone::UTC), OutputFormat::Json))
                .expect("JSON");
        assert_eq!(
            told,
            json!({"event": "answer", "time": "2026-11-21T13:03:07.12Z", "command": "blink", "status": 200, "payload": {"Response": "done"}, "tookMs": 350})
        );
        assert_eq!(exit_of(&result), Exit::Done);
        assert_eq!(exit_of(&MethodResult { status: 404, payload: Value::Null }), Exit::Failed);
    }

    #[test]
    fn who_waits_in_vain_is_told_what_may_still_come() {
        let args = args(None);
        let late = OperatorError::NoAnswer { subject: "d".to_owned() };
        let said = advice(&late, &args).expect("advice");
        assert!(said.starts_with("it may still carry it out: ") && said.contains("30 s"), "{said}");
        assert!(late.advice().starts_with("it may still carry it out: "), "{}", late.advice());
    }

    #[test]
    fn why_the_outcome_will_not_come_is_told_with_what_stands_beside_it() {
        let of = |text: &str| text.parse::<WaitFor>().expect("a path");
        let reported = json!({"move": {"status": "failed", "value": "refused\u{1b}"}, "error": "why"});
        assert_eq!(
            will_not_come(&of("move.status=completed"), &of("move.status=failed"), &reported),
            "move.status=completed will not come: the device reported move.status=failed, with \
             move: {\"status\":\"failed\",\"value\":\"refused\\u001b\"}"
        );
        assert_eq!(
            will_not_come(&of("status=completed"), &of("error"), &reported),
            "status=completed will not come: the device reported error"
        );
    }

    #[test]
    fn a_step_has_the_time_at_which_the_hub_took_it() {
        let wanted: WaitFor = "status.phase=done".parse().expect("a path");
        let reported = json!({"status": {"phase": "busy"}, "$metadata": {"$lastUpdated": "2000-01-01T00:00:00Z",
            "status": {"phase": {"$lastUpdated": "2026-11-21T13:03:07.12Z"}}}});
        assert_eq!(time_of(&wanted, &reported, at()), at());
        assert!(time_of(&wanted, &json!({}), at()) > at());
        let later = at() + Duration::from_millis(1);
        assert!(time_of(&wanted, &reported, later) > later, "it is from before the command");
    }

    #[test]
    fn every_step_of_waiting_has_its_time() {
        let wanted: WaitFor = "status=done".parse().expect("a path");
        let text = |progress| step(&wanted, &progress, at(), &TimeZone::UTC, OutputFormat::Text);
        assert_eq!(text(Progress::Missing), "13:03:07.120  waiting for status=done: not reported yet");
        assert_eq!(
            text(Progress::Other(json!("busy"))),
            "13:03:07.120  waiting for status=done: now \"busy\""
        );
        assert_eq!(text(Progress::Met(json!("done"))), "13:03:07.120  status=done: reported \"done\"");
        let json = step(&wanted, &Progress::Other(json!(1)), at(), &TimeZone::UTC, OutputFormat::Json);
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            json,
            json!({"event": "wait", "time": "2026-11-21T13:03:07.12Z", "for": "status=done", "state": "other", "value": 1})
        );
        assert_eq!(
            gave_up(&wanted, &Progress::Missing, Duration::from_secs(60)),
            "status=done was not reported within 1 min 00 s: the device has not reported it; --timeout waits longer"
        );
    }
}
