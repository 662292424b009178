use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

use super::*;
use crate::cloud::core::auth::Refusal;
use crate::cloud::core::identities::{Proof, Spec};
use crate::cloud::core::registry::{Address, Authentication, Thumbprints};
use crate::cloud::core::testing::core;
use crate::device::{Millis, Now};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// 2026-01-01; certificates here are good from a day before to a day after.
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

fn wall() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

fn moment(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(second).expect("a time")
}

fn named(name: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "tests");
    if let Some(name) = name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.not_before = moment(NOW - DAY);
    params.not_after = moment(NOW + DAY);
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = named(Some(name));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(name: &str) -> Issuer {
    CertifiedIssuer::self_signed(ca(name), KeyPair::generate().expect("a key")).expect("an authority")
}

fn leaf(params: CertificateParams, issuer: &Issuer) -> PeerCertificate {
    let key = KeyPair::generate().expect("a key");
    let made = params.signed_by(&key, issuer).expect("a certificate");
    PeerCertificate::from_chain(&[made.der().clone()]).expect("readable")
}

fn of(issuer: &Issuer) -> CertificateDer<'static> {
    authority(issuer.pem().as_bytes()).expect("PEM")
}

#[test]
fn a_certificate_from_a_registered_authority_is_good_and_names_its_device() {
    let root = root("root");
    let peer = leaf(named(Some("sensor-01")), &root);
    assert_eq!(peer.subject_common_name(), Ok("sensor-01"));
    assert_eq!(peer.is_issued_by(&[of(&root)], wall()), Ok(()));
    assert_eq!(authority(&of(&root)), Ok(of(&root)), "DER is read as well as PEM");
    let mut params = named(Some("d"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(leaf(params, &root).is_issued_by(&[of(&root)], wall()), Err(X509Refusal::Purpose));
}

#[test]
fn a_certificate_is_good_in_its_time_only() {
    let root = root("root");
    let peer = leaf(named(Some("d")), &root);
    let at = |second| Timestamp::from_second(second).expect("a time");
    let roots = [of(&root)];
    let (from, until) = (at(NOW - DAY), at(NOW + DAY));
    assert_eq!(peer.is_issued_by(&roots, from), Ok(()));
    assert_eq!(peer.is_issued_by(&roots, until), Ok(()));
    assert_eq!(peer.is_issued_by(&roots, at(NOW - DAY - 1)), Err(X509Refusal::NotYetValid(from)));
    assert_eq!(peer.is_issued_by(&roots, at(NOW + DAY + 1)), Err(X509Refusal::Expired(until)));
    let mut long = named(Some("d"));
    long.not_after = moment(NOW + 9 * DAY);
    let peer = leaf(long, &root);
    assert_eq!(peer.is_issued_by(&roots, at(NOW + 2 * DAY)), Err(X509Refusal::NoAuthority));
}

#[test]
fn another_authority_none_or_one_of_the_same_name_does_not_vouch() {
    let ours = root("ours");
    let peer = leaf(named(Some("d")), &ours);
    let unknown = X509Refusal::UnknownIssuer("O=tests, CN=ours".to_owned());
    assert_eq!(peer.is_issued_by(&[of(&root("theirs"))], wall()), Err(unknown));
    assert_eq!(peer.is_issued_by(&[], wall()), Err(X509Refusal::NoAuthority));
    let refused = peer.is_issued_by(&[of(&root("ours"))], wall());
    assert!(
        matches!(refused, Err(X509Refusal::BadSignature(_) | X509Refusal::UnknownIssuer(_))),
        "{refused:?}"
    );
}

#[test]
fn a_self_signed_certificate_is_told_from_one_of_an_unknown_authority() {
    let key = KeyPair::generate().expect("a key");
    let made = named(Some("d")).self_signed(&key).expect("a certificate");
    let peer = PeerCertificate::from_chain(&[made.der().clone()]).expect("readable");
    let refused = peer.is_issued_by(&[of(&root("root"))], wall());
    assert_eq!(refused, Err(X509Refusal::SelfSigned("O=tests, CN=d".to_owned())));
    assert_eq!(peer.is_valid_at(wall()), Ok(()), "by thumbprint it is as good as any");
}

#[test]
fn a_certificate_without_a_common_name_names_nobody() {
    let peer = leaf(named(None), &root("root"));
    assert_eq!(peer.subject_common_name(), Err(X509Refusal::NoCommonName));
}

#[test]
fn an_intermediate_leads_to_the_root_when_it_is_sent_along() {
    let root = root("root");
    let middle = |until| {
        let mut params = ca("middle");
        params.not_after = moment(until);
        CertifiedIssuer::signed_by(params, KeyPair::generate().expect("a key"), &root).expect("an authority")
    };
    let good = middle(NOW + DAY);
    let alone = leaf(named(Some("d")), &good);
    let chain = |issuer: &Issuer| {
        let leaf = leaf(named(Some("d")), issuer);
        PeerCertificate::from_chain(&[leaf.end_entity, of(issuer)]).expect("readable")
    };
    let roots = [of(&root)];
    assert_eq!(chain(&good).is_issued_by(&roots, wall()), Ok(()));
    let unknown = X509Refusal::UnknownIssuer("O=tests, CN=middle".to_owned());
    assert_eq!(alone.is_issued_by(&roots, wall()), Err(unknown));
    assert_eq!(alone.is_issued_by(&[of(&good)], wall()), Ok(()), "an intermediate may be registered itself");
    let old = chain(&middle(NOW - 1)).is_issued_by(&roots, wall());
    assert_eq!(old, Err(X509Refusal::Expired(Timestamp::from_second(NOW - 1).expect("a time"))));
}

#[test]
fn thumbprints_are_digests_of_the_der_however_they_are_written() {
    assert_eq!(hex(&Sha1::digest(b"abc")), "A9993E364706816ABA3E25717850C26C9CD0D89D");
    let peer = leaf(named(Some("d")), &root("root"));
    let (short, long) = (peer.sha1_thumbprint(), peer.sha256_thumbprint());
    assert_eq!((short.len(), long.len()), (40, 64));
    assert!(peer.has_thumbprint(&long.to_lowercase()) && !peer.has_thumbprint(""));
    let spaced: Vec<_> = short.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two)).collect();
    assert!(peer.has_thumbprint(&spaced.join(":")));
    assert!(!peer.has_thumbprint(&short[1..]));
}

#[test]
fn what_is_no_certificate_is_refused() {
    for bytes in
        [b"".as_slice(), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &[0x30; 9]]
    {
        assert!(matches!(authority(bytes), Err(X509Refusal::Unreadable(_))), "{bytes:?}");
    }
    assert!(matches!(PeerCertificate::from_chain(&[]), Err(X509Refusal::Unreadable(_))));
}

/// What the hub makes of a certificate, by how the identity is to prove who it is.
fn checked(
    peer: &PeerCertificate,
    name: &str,
    how: Authentication,
    roots: &[&Issuer],
) -> Result<(), Refusal> {
    let now = Now { at: Millis(0), wall: wall() };
    let mut core = core();
    for (number, root) in roots.iter().enumerate() {
        core.put_authority(&format!("root-{number}"), root.pem().as_bytes()).expect("registered");
    }
    let address = Address::device(name.parse().expect("an id"));
    core.create(now, Spec { proof: Proof::Given(how), ..Spec::plain(address.clone()) }).expect("created");
    core.authorize_certificate(now, "localhost", &address, peer)
}

#[test]
fn a_hub_takes_a_registered_thumbprint_and_no_other() {
    let own = leaf(named(Some("whoever")), &root("root"));
    let registered = |primary: &str, secondary: &str| {
        let print = |text: &str| Some(text.to_owned());
        Authentication::SelfSigned(Thumbprints { primary: print(primary), secondary: print(secondary) })
    };
    let (sha1, sha256, other) = (own.sha1_thumbprint(), own.sha256_thumbprint(), "0".repeat(40));
    assert_eq!(checked(&own, "d", registered(&other, &sha1), &[]), Ok(()));
    assert_eq!(checked(&own, "d", registered(&sha256, &other), &[]), Ok(()));
    assert_eq!(
        checked(&own, "d", registered(&other, &other), &[]),
        Err(Refusal::WrongThumbprint { presented: sha1.clone() })
    );
    let mut late = named(Some("d"));
    late.not_after = moment(NOW - 1);
    let late = leaf(late, &root("root"));
    assert!(matches!(
        checked(&late, "d", registered(&late.sha1_thumbprint(), &other), &[]),
        Err(Refusal::Certificate(X509Refusal::Expired(_)))
    ));
}

#[test]
fn a_hub_takes_a_registered_authority_s_certificate_for_the_name_in_it() {
    let (root, stranger) = (root("root"), root("stranger"));
    let by = || Authentication::CertificateAuthority;
    let peer = leaf(named(Some("d")), &root);
    assert_eq!(checked(&peer, "d", by(), &[&stranger, &root]), Ok(()));
    assert!(matches!(checked(&peer, "e", by(), &[&root]), Err(Refusal::WrongCommonName { .. })));
    assert!(matches!(checked(&peer, "d", by(), &[&stranger]), Err(Refusal::Certificate(_))));
    assert_eq!(checked(&peer, "d", by(), &[]), Err(Refusal::Certificate(X509Refusal::NoAuthority)));
    assert!(matches!(
        checked(&peer, "d", Authentication::None, &[&root]),
        Err(Refusal::NoCertificate { kind: "none", .. })
    ));
}
