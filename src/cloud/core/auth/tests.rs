use super::*;

use crate::wire::SharedKey;
use crate::wire::sas::{CLOCK_SKEW, Token};

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
const SE: i64 = 1_893_456_000;

fn key(text: &str) -> SharedKey {
    SharedKey::from_base64(text).expect("a key")
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a moment")
}

fn names(own: &str) -> HubNames {
    HubNames { own: own.to_owned(), aliases: vec!["127.0.0.1".to_owned()] }
}

fn policies() -> Vec<Policy> {
    vec![
        Policy { name: "iothubowner", rights: DEFAULT_POLICIES[0].1, key: key(K2) },
        Policy { name: "service", rights: DEFAULT_POLICIES[1].1, key: key(K1) },
    ]
}

#[test]
fn published_service_tokens_are_taken() {
    let v5 = "SharedAccessSignature sr=contoso-hub.azure-devices.net&sig=Cy6ypbaSM0tszWcVTW%2ByJkU7KhIR5CTz2JQQh7MorrE%3D&se=1893456000&skn=iothubowner";
    let hub = names("contoso-hub.azure-devices.net");
    assert_eq!(service(v5, "/twins/d", Right::RegistryWrite, &hub, &policies(), wall(SE)), Ok(()));
    let v6 = "SharedAccessSignature sr=localhost%3A8443&sig=S82VeJ/uWysBysKErSrOWOc6EliEdc5yeDssWsNAbec%3D&se=1893456000&skn=service";
    let hub = names("localhost");
    assert_eq!(service(v6, "/twins/d", Right::ServiceConnect, &hub, &policies(), wall(SE)), Ok(()));
    assert_eq!(
        service(v6, "/devices/d", Right::RegistryRead, &hub, &policies(), wall(SE)),
        Err(Refusal::Right { policy: "service".to_owned(), right: Right::RegistryRead })
    );
    assert_eq!(
        service(v6, "/twins/d", Right::ServiceConnect, &names("other"), &policies(), wall(SE)),
        Err(Refusal::WrongHub { presented: "localhost:8443".to_owned(), own: "other".to_owned() })
    );
    assert_eq!(
        service(v6, "/twins/d", Right::ServiceConnect, &hub, &policies(), wall(SE + 301)),
        Err(Refusal::Expired { ago: 301 })
    );
}

#[test]
fn a_service_token_needs_a_policy_that_exists() {
    let sign = |policy| Token::sign(&key(K1), "localhost", SE, policy);
    let check = |token: &Token| {
        service(token.reveal(), "/x", Right::ServiceConnect, &names("localhost"), &policies(), wall(0))
    };
    assert_eq!(check(&sign(Some("nobody"))), Err(Refusal::UnknownPolicy("nobody".to_owned())));
    assert_eq!(check(&sign(None)), Err(Refusal::UnknownPolicy(String::new())));
    assert_eq!(check(&sign(Some("iothubowner"))), Err(Refusal::WrongSignature));
}

#[test]
fn a_hub_answers_to_its_names_with_any_port() {
    let hub = names("localhost");
    for host in ["localhost", "LOCALHOST", "localhost:8883", "127.0.0.1", "127.0.0.1:1"] {
        assert!(hub.includes(host), "{host}");
    }
    for host in ["", "local", "localhost:x", "contoso.azure-devices.net"] {
        assert!(!hub.includes(host), "{host}");
    }
}

#[test]
fn no_token_and_nonsense_read_differently() {
    let said = |token: &str| {
        service(token, "/x", Right::ServiceConnect, &names("h"), &policies(), wall(0))
            .expect_err("refused")
            .to_string()
    };
    assert!(said("").starts_with("no token was sent"));
    assert_eq!(said("Basic x"), "the token is not `SharedAccessSignature` and its fields");
    assert!(said("Bearer x").starts_with("the token is a bearer token of Microsoft Entra ID, which is not"));
}

#[test]
fn a_grant_is_for_what_its_token_says_whichever_way_it_is_signed() {
    let names = HubNames { own: "hub".to_owned(), aliases: Vec::new() };
    let key = SharedKey::from_bytes(vec![7; 32]).expect("a key");
    let written = SharedKey::from_bytes(key.reveal().into_bytes()).expect("a key");
    let rights: &[Right] = &[Right::ServiceConnect];
    let policies = [Policy { name: "service", rights, key: key.clone() }];
    let wall = Timestamp::from_second(1_893_456_000).expect("a moment");
    let expiry = wall.as_second() + 60;
    let sign = |key, resource| Token::sign(key, resource, expiry, Some("service"));
    let check = |token: Token, right| grant(token.reveal(), right, &names, &policies, wall);
    for (token, covered, not_covered) in [
        (sign(&key, "hub:8443"), "/messages/devicebound", None),
        (sign(&key, "https://HUB"), "/messages/devicebound", None),
        (sign(&written, "sb://hub/Name"), "/name/ConsumerGroups/$Default", Some("/names")),
    ] {
        let grant = check(token, Right::ServiceConnect).expect("a grant");
        assert!(grant.covers(covered) && !grant.is_expired(wall));
        assert!(not_covered.is_none_or(|path| !grant.covers(path)));
        assert!(grant.is_expired(Timestamp::from_second(expiry + CLOCK_SKEW + 1).expect("a moment")));
    }
    let refused = |token, right| check(token, right).expect_err("a refusal");
    let other = SharedKey::from_bytes(vec![8; 32]).expect("a key");
    assert_eq!(refused(sign(&other, "hub"), Right::ServiceConnect), Refusal::WrongSignature);
    assert!(matches!(refused(sign(&key, "other"), Right::ServiceConnect), Refusal::WrongHub { .. }));
    assert!(matches!(refused(sign(&written, "hub"), Right::RegistryRead), Refusal::Right { .. }));
}
