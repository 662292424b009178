use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response as Answer};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::net::LinkEvent;
use crate::net::testing::{key, tls};
use crate::wire::sas::Presented;

type Script = Arc<Mutex<VecDeque<(u16, &'static [(&'static str, &'static str)], Value)>>>;

/// A provisioning service that answers from a script; what it was asked comes back in order.
struct Service {
    options: ProvisioningOptions,
    trust: Trust,
    asked: mpsc::Receiver<(String, String, Value)>,
}

impl Service {
    fn start(
        script: impl IntoIterator<Item = (u16, &'static [(&'static str, &'static str)], Value)>,
    ) -> Self {
        let script: Script = Arc::new(Mutex::new(script.into_iter().collect()));
        let (tell, asked) = mpsc::channel(16);
        let answer = move |request: Request<Incoming>| {
            let (script, tell) = (Arc::clone(&script), tell.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body =
                    axum::body::to_bytes(Body::new(body), MAX_BODY).await.unwrap_or_else(|_| Bytes::new());
                let token = parts.headers[AUTHORIZATION].to_str().expect("text").to_owned();
                let token = Presented::parse(&token).expect("a token");
                assert!(token.is_signed_by(&key()));
                assert_eq!(token.policy.as_deref(), Some("registration"));
                assert_eq!(token.resource, "0ne00ABCDEF/registrations/sensor-01");
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                tell.send((parts.method.to_string(), parts.uri.to_string(), body)).await.expect("told");
                let (status, headers, body) =
                    script.lock().expect("a lock").pop_front().expect("an answer in the script");
                let mut answer = Answer::builder().status(status);
                for (name, value) in headers {
                    answer = answer.header(*name, *value);
                }
                answer.body(Body::from(body.to_string()))
            }
        };
        let (config, trust) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away here.
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                });
            }
        });
        let options = ProvisioningOptions {
            host: format!("https://localhost:{port}"),
            scope: "0ne00ABCDEF".parse().expect("a scope"),
            registration: "sensor-01".parse().expect("a registration"),
            key: key(),
        };
        Self { options, trust, asked }
    }

    async fn provision(&self) -> (Result<Assignment, Failure>, Vec<Input>) {
        let (sender, mut events) = mpsc::channel::<LinkEvent>(16);
        let sink = Sink::new(0, sender, CancellationToken::new());
        let done = provision(&self.options, Some("dtmi:x;1"), &self.trust, &sink).await;
        drop(sink);
        let mut inputs = Vec::new();
        while let Some(event) = events.recv().await {
            inputs.push(event.input);
        }
        let done = done.map_err(|ended| match ended {
            Ended::Failed(failure) => failure,
            Ended::Gone => panic!("somebody listens"),
        });
        (done, inputs)
    }
}

#[tokio::test]
async fn a_device_registers_asks_as_told_and_is_assigned() {
    let mut service = Service::start([
        (202, [("retry-after", "0")].as_slice(), json!({"operationId": "4.x-y", "status": "assigning"})),
        (202, [("retry-after", "0")].as_slice(), json!({"operationId": "4.x-y", "status": "unassigned"})),
        (
            200,
            [].as_slice(),
            json!({"operationId": "4.x-y", "status": "assigned", "registrationState": {
            "assignedHub": "localhost:9999", "deviceId": "sensor-01", "status": "assigned"}}),
        ),
    ]);
    let (done, inputs) = service.provision().await;
    let assignment = done.expect("an assignment");
    assert_eq!(
        (assignment.hub.to_string().as_str(), assignment.device_id.as_str()),
        ("localhost:9999", "sensor-01")
    );

    let register = "/0ne00ABCDEF/registrations/sensor-01/register?api-version=2021-06-01";
    let poll = "/0ne00ABCDEF/registrations/sensor-01/operations/4.x-y?api-version=2021-06-01";
    let body = json!({"registrationId": "sensor-01", "payload": {"modelId": "dtmi:x;1"}});
    for (method, path, body) in
        [("PUT", register, body), ("GET", poll, Value::Null), ("GET", poll, Value::Null)]
    {
        assert_eq!(service.asked.recv().await, Some((method.to_owned(), path.to_owned(), body)));
    }
    let assigning =
        Input::Provisioning(ProvisioningStep::Assigning { operation_id: "4.x-y".to_owned(), again_in: SOON });
    let (host, scope) = ("localhost".to_owned(), "0ne00ABCDEF".parse().expect("a scope"));
    let registering = Input::Provisioning(ProvisioningStep::Registering { host, scope });
    assert_eq!(inputs, [registering, assigning.clone(), assigning]);
}

#[tokio::test]
async fn every_refusal_is_explained() {
    let failed = |status: &str| {
        json!({"operationId": "4.x", "status": status,
            "registrationState": {"errorCode": 400_208, "errorMessage": "no linked hub", "status": status}})
    };
    for (status, headers, body, kind, said) in [
        (
            401,
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT")].as_slice(),
            json!({"errorCode": 401_002, "message": "Unauthorized"}),
            FailureKind::Unauthorized,
            "ahead of the service's",
        ),
        (401, [].as_slice(), json!({}), FailureKind::Unauthorized, "--group-key"),
        (404, [].as_slice(), json!({"errorCode": 404_201}), FailureKind::Rejected, "error 404201"),
        (429, [("retry-after", "12")].as_slice(), json!({}), FailureKind::Unavailable, "too many requests"),
        (200, [].as_slice(), failed("failed"), FailureKind::Rejected, "no linked hub, error 400208"),
        (200, [].as_slice(), failed("disabled"), FailureKind::Disabled, "switched off"),
        (200, [].as_slice(), json!([1]), FailureKind::Protocol, "no provisioning service"),
        (
            200,
            [].as_slice(),
            json!({"operationId": "4.x", "status": "assigned"}),
            FailureKind::Protocol,
            "it named no hub",
        ),
    ] {
        let service = Service::start([(status, headers, body)]);
        let failure = service.provision().await.0.expect_err("a refusal");
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.to_string().contains(said), "{failure}");
        assert_eq!(failure.retry_after.is_some(), status == 429);
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_or_not_trusted_is_told_apart() {
    let mut service = Service::start([]);
    let (_, stranger) = tls();
    let trust = std::mem::replace(&mut service.trust, stranger);
    let failure = service.provision().await.0.expect_err("no trust");
    assert_eq!(failure.kind, FailureKind::Untrusted, "{failure}");
    service.trust = trust;

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    service.options.host = format!("localhost:{closed}");
    let failure = service.provision().await.0.expect_err("nobody there");
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    assert!(failure.what.contains(&format!("nothing listens on localhost:{closed}")), "{failure}");

    service.options.host = "nowhere.invalid".to_owned();
    let failure = service.provision().await.0.expect_err("no such name");
    assert_eq!(failure.kind, FailureKind::Unresolved, "{failure}");
}

#[test]
fn hosts_are_given_bare_or_as_urls() {
    for (text, host, port) in [
        ("global.azure-devices-provisioning.net", "global.azure-devices-provisioning.net", 443),
        ("https://localhost:8443/", "localhost", 8443),
        ("127.0.0.1:1", "127.0.0.1", 1),
    ] {
        assert_eq!(endpoint(text), Ok((host.to_owned(), port)), "{text}");
    }
    for bad in ["", "http://h", "https://", "a b", "h:x"] {
        assert!(endpoint(bad).is_err(), "{bad:?}");
    }
}
