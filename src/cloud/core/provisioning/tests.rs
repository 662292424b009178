//! Stories of the provisioning service, without sockets.

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::enrolment::Show;
use super::service::Expecting;
use super::*;
use crate::cloud::core::auth::Refusal;
use crate::cloud::core::changes::Record;
use crate::cloud::core::registry::{Address, Authentication, Identity, Precondition};
use crate::cloud::core::testing::settings;
use crate::cloud::core::x509::{PeerCertificate, X509Refusal};
use crate::cloud::core::{Core, Settings};
use crate::device::{Millis, Now};
use crate::wire::SharedKey;
use crate::wire::sas::Token;

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
const SE: i64 = 1_893_456_000;

fn key(text: &str) -> SharedKey {
    SharedKey::from_base64(text).expect("a key")
}

fn now(millis: u64) -> Now {
    Now { at: Millis(millis), wall: Timestamp::from_second(SE).expect("a moment") }
}

fn core() -> Core {
    let settings = Settings { retry_after: 3, ..settings() };
    let mut core = Core::new(settings, [5; 32]);
    core.changes.begin();
    core
}

fn attest(core: &Core, secret: &SharedKey, resource: &str, id: &str) -> Result<Attested, Refusal> {
    let token = Token::sign(secret, resource, SE, Some("registration"));
    let scope = resource.split('/').next().unwrap_or_default();
    let id = id.parse().expect("an id");
    core.authorize_registration(now(0), Presenting { scope, id: &id, token: token.reveal(), peer: None })
}

fn by_key(core: &Core, secret: &SharedKey, id: &str) -> Result<Attested, Refusal> {
    attest(core, secret, &format!("0ne00ABCDEF/registrations/{id}"), id)
}

fn by_certificate(core: &Core, peer: &PeerCertificate, id: &str) -> Result<Attested, Refusal> {
    let id = id.parse().expect("an id");
    let presenting = Presenting { scope: "0ne00ABCDEF", id: &id, token: "", peer: Some(peer) };
    core.authorize_registration(now(0), presenting)
}

fn put(core: &mut Core, kind: Kind, id: &str, body: Value) -> Result<Enrolment, Fault> {
    let name = EnrolmentName::of(kind, id);
    let there = core.enrolment(&name).is_ok();
    let expecting = if there { Expecting::Something(Precondition::Any) } else { Expecting::Nothing };
    let body = serde_json::from_value(body).expect("a body");
    core.write_enrolment(now(0), kind, id, body, &expecting).cloned()
}

fn register(core: &mut Core, device: &Attested, body: &Value) -> Registration {
    let body = body.to_string();
    let operation = core.register(now(0), device, body.as_bytes()).expect("begun").operation.clone();
    core.operation(now(0), &device.id, &operation, &mut Vec::new()).expect("an answer")
}

fn in_hub<'a>(core: &'a Core, device: &str) -> Option<&'a Identity> {
    core.identity(&Address::device(device.parse().expect("an id"))).ok()
}

fn substatus(registration: &Registration) -> Option<Substatus> {
    match registration.status {
        Status::Assigned { substatus, .. } => Some(substatus),
        _ => None,
    }
}

#[test]
fn a_derived_key_registers_and_every_other_is_told_apart() {
    let core = core();
    let derived = key("8NqVUuWeBcXZXvMjEs8QcaTAvskXQ6V5RDXFBEtwYQ0=");
    let resource = "0ne00ABCDEF/registrations/sensor-01";
    for id in ["sensor-01", "SENSOR-01"] {
        let attested = attest(&core, &derived, resource, id).expect("allowed");
        assert_eq!((attested.enrolment, attested.expiry), (EnrolmentName::group("envsim"), SE));
    }
    assert_eq!(attest(&core, &key(K1), resource, "sensor-01"), Err(Refusal::GroupKey));
    assert_eq!(attest(&core, &key(K2), resource, "sensor-01"), Err(Refusal::WrongSignature));
    assert_eq!(attest(&core, &derived, resource, "sensor-02"), Err(Refusal::WrongSignature));
    let other = "0ne00ABCDEF/registrations/other";
    assert!(matches!(attest(&core, &derived, other, "sensor-01"), Err(Refusal::WrongResource { .. })));
    let other = "0neWRONG/registrations/sensor-01";
    assert!(matches!(attest(&core, &derived, other, "sensor-01"), Err(Refusal::WrongIdScope { .. })));
}

#[test]
fn another_scope_is_served_to_whoever_signs_for_it() {
    let mut core = core();
    let derived = key("8NqVUuWeBcXZXvMjEs8QcaTAvskXQ6V5RDXFBEtwYQ0=");
    let resource = "0ne00ABCDEF2/registrations/sensor-01";
    assert!(matches!(attest(&core, &derived, resource, "sensor-01"), Err(Refusal::WrongIdScope { .. })));
    core.set_more_scopes(2);
    let names: Vec<_> = core.other_scopes().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["0ne00ABCDEF2", "0ne00ABCDEF3"]);
    let attested = attest(&core, &derived, resource, "sensor-01").expect("allowed");
    assert_eq!(attested.enrolment, EnrolmentName::group("envsim"), "the same enrolments");
    assert!(attest(&core, &derived, "0ne00ABCDEF/registrations/sensor-01", "sensor-01").is_ok());
    // A token for one scope is none for another.
    let token = Token::sign(&derived, resource, SE, Some("registration"));
    let id = "sensor-01".parse().expect("an id");
    for scope in ["0ne00ABCDEF", "0ne00ABCDEF3"] {
        let presenting = Presenting { scope, id: &id, token: token.reveal(), peer: None };
        let refusal = core.authorize_registration(now(0), presenting);
        assert!(matches!(refusal, Err(Refusal::WrongResource { .. })), "{scope}: {refusal:?}");
    }
    let refused = |core: &Core| {
        attest(core, &derived, "0neWRONG/registrations/sensor-01", "sensor-01").expect_err("refused")
    };
    let said = refused(&core).to_string();
    assert!(
        said.ends_with("is not this service's, which has `0ne00ABCDEF`, `0ne00ABCDEF2`, `0ne00ABCDEF3`"),
        "{said}"
    );
    core.set_more_scopes(20);
    let said = refused(&core).to_string();
    assert!(said.ends_with("`0ne00ABCDEF5` and 16 more"), "{said}");
    core.set_more_scopes(0);
    let said = refused(&core).to_string();
    assert!(said.ends_with("is not this service's, which is `0ne00ABCDEF`"), "{said}");
    assert!(matches!(attest(&core, &derived, resource, "sensor-01"), Err(Refusal::WrongIdScope { .. })));
}

#[test]
fn a_group_s_second_key_derives_and_its_name_may_be_in_capitals() {
    let mut core = core();
    let keys = json!({"primaryKey": K2, "secondaryKey": "MDEyMzQ1Njc4OWFiY2RlZg=="});
    put(
        &mut core,
        Kind::Group,
        "Floor1",
        json!({"attestation": {"type": "symmetricKey", "symmetricKey": keys}}),
    )
    .expect("made");
    // Published vector: K2 and `Sensor-01`, as presented.
    let derived = key("oYkIZoLqhwwI7+jE0rIQMkhn4Au62RI9CyR10346kWU=");
    let attested = by_key(&core, &derived, "Sensor-01").expect("allowed");
    assert_eq!(attested.enrolment, EnrolmentName::group("floor1"));
    let second = key("MDEyMzQ1Njc4OWFiY2RlZg==").derive("sensor-01");
    by_key(&core, &second, "Sensor-01").expect("the lower-case form, and the second key");
}

#[test]
fn an_individual_enrolment_beats_a_group_and_its_keys_are_made_and_kept() {
    let mut core = core();
    let body = json!({"deviceId": "thermo", "attestation": {"type": "symmetricKey",
        "symmetricKey": {"primaryKey": "", "secondaryKey": null}},
        "initialTwin": {"tags": {"floor": 1}, "properties": {"desired": {"fan": "on"}}},
        "capabilities": {"iotEdge": true}});
    let made = put(&mut core, Kind::Individual, "s", body.clone()).expect("made");
    let mechanism::Attestation::Keys(keys) = &made.attestation else { panic!("{made:?}") };
    assert_eq!(by_key(&core, &key(K1).derive("s"), "s"), Err(Refusal::WrongSignature));
    let device = by_key(&core, &keys.secondary, "s").expect("allowed");
    let again = put(&mut core, Kind::Individual, "S", body).expect("changed");
    assert_eq!((&again.attestation, again.id.as_str()), (&made.attestation, "s"));
    assert_ne!(again.etag, made.etag);

    let registration = register(&mut core, &device, &json!({"payload": {"modelId": "dtmi:x;1"}}));
    assert_eq!(substatus(&registration), Some(Substatus::InitialAssignment));
    let identity = in_hub(&core, "thermo").expect("in the hub");
    assert!(identity.edge && identity.authentication == Authentication::Sas(keys.clone()));
    assert_eq!(
        (identity.twin.tags["floor"].clone(), identity.twin.desired.value["fan"].clone()),
        (json!(1), json!("on"))
    );
    assert_eq!(identity.model_id.as_deref(), Some("dtmi:x;1"));
}

#[test]
fn registering_again_keeps_the_twin_or_resets_it_as_the_policy_says() {
    let mut core = core();
    let body = |migrate: bool| {
        json!({"attestation": {"type": "symmetricKey", "symmetricKey": {"primaryKey": K2, "secondaryKey": K1}},
            "initialTwin": {"properties": {"desired": {"fan": "on"}}},
            "reprovisionPolicy": {"updateHubAssignment": true, "migrateDeviceData": migrate}})
    };
    put(&mut core, Kind::Individual, "s", body(true)).expect("made");
    let device = by_key(&core, &key(K2), "s").expect("allowed");
    register(&mut core, &device, &json!({}));
    let address = Address::device("s".parse().expect("an id"));
    core.report(now(0), &address, br#"{"a":1}"#, None, &mut Vec::new()).expect("reported");
    let kept = register(&mut core, &device, &json!({}));
    assert_eq!(substatus(&kept), Some(Substatus::ReprovisionedToInitialAssignment));
    assert_eq!(in_hub(&core, "s").expect("there").twin.reported.value.get("a"), Some(&json!(1)));
    put(&mut core, Kind::Individual, "s", body(false)).expect("changed");
    let reset = register(&mut core, &device, &json!({}));
    assert_eq!(substatus(&reset), Some(Substatus::DeviceDataReset));
    assert_eq!(in_hub(&core, "s").expect("there").twin.reported.value.get("a"), None);
    // What was deleted from the hub comes back with the next registration.
    core.delete(&address, &Precondition::Any, &mut Vec::new()).expect("deleted");
    assert_eq!(substatus(&register(&mut core, &device, &json!({}))), Some(Substatus::InitialAssignment));
}

#[test]
fn a_disabled_enrolment_and_an_unknown_hub_end_in_words() {
    let mut core = core();
    let keys = json!({"type": "symmetricKey", "symmetricKey": {"primaryKey": K2, "secondaryKey": K1}});
    put(&mut core, Kind::Individual, "s", json!({"attestation": keys, "provisioningStatus": "disabled"}))
        .expect("made");
    let device = by_key(&core, &key(K2), "s").expect("allowed");
    assert_eq!(register(&mut core, &device, &json!({})).status, Status::Disabled);
    put(
        &mut core,
        Kind::Individual,
        "s",
        json!({"attestation": keys, "iotHubHostName": "other.azure-devices.net"}),
    )
    .expect("changed");
    let failed = register(&mut core, &device, &json!({}));
    assert!(
        matches!(&failed.status, Status::Failed { code: 400_208, message } if message.contains("other.azure"))
    );
    assert!(in_hub(&core, "s").is_none());
    let wrong = json!({"attestation": keys, "initialTwin": {"tags": {"bad.key": 1}}});
    put(&mut core, Kind::Individual, "s", wrong).expect("changed");
    assert!(matches!(register(&mut core, &device, &json!({})).status, Status::Failed { code: 400_209, .. }));
}

#[test]
fn a_device_is_told_to_wait_as_often_and_as_long_as_the_settings_say() {
    let mut core = core();
    core.settings.assigning_for = 500;
    let device = by_key(&core, &key(K1).derive("s"), "s").expect("allowed");
    let operation = core.register(now(0), &device, b"").expect("begun").operation.clone();
    let mut ask =
        |at| core.operation(now(at), &device.id, &operation, &mut Vec::new()).expect("known").status;
    assert_eq!(ask(0), Status::Assigning);
    assert_eq!(ask(499), Status::Assigning);
    assert!(matches!(ask(500), Status::Assigned { .. }));
}

#[test]
fn what_azure_has_and_this_cloud_has_not_is_refused_by_name() {
    let mut core = core();
    let mut said = |body: Value| {
        let fault = put(&mut core, Kind::Individual, "s", body).expect_err("refused");
        (fault.status, fault.message)
    };
    let keys = json!({"type": "symmetricKey"});
    let (status, message) = said(json!({"attestation": {"type": "tpm", "tpm": {"endorsementKey": "x"}}}));
    assert!(status == 501 && message.contains("TPM"), "{message}");
    let (status, message) = said(json!({"attestation": keys, "allocationPolicy": "custom"}));
    assert!(status == 501 && message.contains("custom"), "{message}");
    let (status, message) =
        said(json!({"attestation": {"type": "x509", "x509": {"caReferences": {"primary": "root"}}}}));
    assert!(status == 400 && message.contains("`root`"), "{message}");
    let (status, message) = said(json!({"attestation": keys, "registrationId": "other"}));
    assert!(status == 400 && message.contains("`other`"), "{message}");
}

#[test]
fn etags_and_existence_are_checked_and_changes_noted() {
    let mut core = core();
    let body = || serde_json::from_value(json!({"attestation": {"type": "symmetricKey"}})).expect("a body");
    let name = EnrolmentName::individual("s");
    let write = |core: &mut Core, expecting: Expecting| {
        core.write_enrolment(now(0), Kind::Individual, "s", body(), &expecting)
            .map(|made| made.etag.clone())
            .map_err(|fault| fault.code)
    };
    let stale = |etag: &str| Expecting::Something(Precondition::Etag(etag.to_owned()));
    assert_eq!(write(&mut core, Expecting::Something(Precondition::Any)), Err(404_201));
    let etag = write(&mut core, Expecting::Nothing).expect("made");
    assert_eq!(write(&mut core, Expecting::Nothing), Err(409_201));
    assert!(write(&mut core, stale(&etag)).is_ok());
    assert_eq!(write(&mut core, stale(&etag)), Err(412_001));
    assert_eq!(Vec::from_iter(core.changes.take()), [Record::Enrolment("s".to_owned())]);
    core.delete_enrolment(&name, &Precondition::Any).expect("deleted");
    assert_eq!(core.enrolment(&name).map_err(|fault| fault.code), Err(404_201));
    let unknown = core.enrolment(&EnrolmentName::group("x")).map_err(|fault| fault.code);
    assert_eq!(unknown, Err(404_204));
}

#[test]
fn deleting_an_enrolment_takes_its_registrations_and_leaves_the_device() {
    let mut core = core();
    let device = by_key(&core, &key(K1).derive("s"), "s").expect("allowed");
    register(&mut core, &device, &json!({}));
    core.delete_enrolment(&EnrolmentName::group("envsim"), &Precondition::Any).expect("deleted");
    assert!(core.registration("s").is_err() && in_hub(&core, "s").is_some());
    assert_eq!(by_key(&core, &key(K1).derive("s"), "s"), Err(Refusal::WrongSignature));
    assert_eq!(core.register(now(0), &device, b"").map_err(|fault| fault.code), Err(404_204));
}

#[test]
fn records_come_back_as_they_were() {
    let mut core = core();
    let (_, own) = certificate("s", None);
    let x509 = json!({"type": "x509", "x509": {"clientCertificates": {"primary": {"certificate": own}}}});
    let body = json!({"attestation": x509, "allocationPolicy": "static", "iotHubs": ["localhost"]});
    put(&mut core, Kind::Individual, "s", body).expect("made");
    let device = by_key(&core, &key(K1).derive("g"), "g").expect("allowed");
    let registration = register(&mut core, &device, &json!({"payload": {"a": 1}}));
    assert_eq!(Registration::from_record(&registration.record()), Ok(registration.clone()));
    let names = [EnrolmentName::individual("s"), EnrolmentName::group("envsim")];
    for name in &names {
        let enrolment = core.enrolment(name).expect("there");
        let back = Enrolment::from_record(enrolment.record()).expect("readable");
        assert!(back.body(Show::Everything) == enrolment.body(Show::Everything), "{name}");
    }
    assert!(Enrolment::from_record(json!({"registrationId": "s"})).is_err());
    assert!(Registration::from_record(&json!({})).is_err());
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = OffsetDateTime::from_unix_timestamp(SE - 86_400).expect("a time");
    params.not_after = OffsetDateTime::from_unix_timestamp(SE + 86_400).expect("a time");
    params
}

fn root(name: &str) -> Issuer {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate as a client shows it, and as PEM.
fn certificate(name: &str, issuer: Option<&Issuer>) -> (PeerCertificate, String) {
    let key = KeyPair::generate().expect("a key");
    let made = match issuer {
        Some(issuer) => params(name).signed_by(&key, issuer),
        None => params(name).self_signed(&key),
    }
    .expect("a certificate");
    let der: CertificateDer<'static> = made.der().clone();
    (PeerCertificate::from_chain(&[der]).expect("readable"), made.pem())
}

#[test]
fn a_certificate_registers_by_its_thumbprint_and_its_name() {
    let mut core = core();
    let (peer, pem) = certificate("s", None);
    let x509 = json!({"type": "x509", "x509": {"clientCertificates": {"secondary": {"certificate": pem}}}});
    let made = put(&mut core, Kind::Individual, "s", json!({"attestation": x509})).expect("made");
    let device = by_certificate(&core, &peer, "s").expect("allowed");
    assert!(matches!(by_certificate(&core, &peer, "t"), Err(Refusal::WrongCommonName { .. })));
    let (other, _) = certificate("s", None);
    assert!(matches!(by_certificate(&core, &other, "s"), Err(Refusal::WrongThumbprint { .. })));
    assert!(matches!(by_key(&core, &key(K1).derive("s"), "s"), Err(Refusal::NeedsCertificate(_))));
    register(&mut core, &device, &json!({}));
    let address = Address::device("s".parse().expect("an id"));
    assert_eq!(core.authorize_certificate(now(0), "localhost", &address, &peer), Ok(()));
    // What is read has no certificate in it, and may be written back all the same.
    let read = serde_json::to_value(made.body(Show::Public)).expect("JSON");
    assert!(read["attestation"]["x509"]["clientCertificates"]["secondary"]["certificate"].is_null());
    let back = put(&mut core, Kind::Individual, "s", read).expect("written back");
    assert_eq!(back.attestation, made.attestation);
}

#[test]
fn a_group_takes_what_its_authority_or_a_registered_one_has_issued() {
    let mut core = core();
    let (ours, named, foreign) = (root("ours"), root("named"), root("foreign"));
    let group = |x509: Value| json!({"attestation": {"type": "x509", "x509": x509}});
    put(
        &mut core,
        Kind::Group,
        "a",
        group(json!({"signingCertificates": {"primary": {"certificate": ours.pem()}}})),
    )
    .expect("made");
    core.put_authority("root", named.pem().as_bytes()).expect("registered");
    put(&mut core, Kind::Group, "b", group(json!({"caReferences": {"primary": "root"}}))).expect("made");
    let by = |issuer: &Issuer| by_certificate(&core, &certificate("s", Some(issuer)).0, "s");
    assert_eq!(by(&ours).map(|device| device.enrolment), Ok(EnrolmentName::group("a")));
    assert_eq!(by(&named).map(|device| device.enrolment), Ok(EnrolmentName::group("b")));
    assert!(matches!(by(&foreign), Err(Refusal::Certificate(X509Refusal::UnknownIssuer(_)))));
}
