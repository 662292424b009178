//! Certificates for devices that show one instead of a token.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// How many names this process has given.
static NAMES: AtomicU32 = AtomicU32::new(0);

/// Writes `self.pem`, which signs itself, and `authority.pem`, which signs `signed.pem`, each with
/// its `.key`; both devices' certificates carry the name that is returned, which nobody else has.
pub fn write(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let name = format!("x509-{:x}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed));
    let keep = |file: &str, certificate: &str, key: &KeyPair| {
        std::fs::write(folder.join(format!("{file}.pem")), certificate)?;
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem())
    };

    let key = KeyPair::generate()?;
    keep("self", &named(&name).self_signed(&key)?.pem(), &key)?;

    let mut params = named(&format!("{name} authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    keep("authority", &authority.pem(), authority.key())?;

    let key = KeyPair::generate()?;
    let signed = named(&name).signed_by(&key, &authority)?.pem();
    // With its chain, as devices are given it.
    keep("signed", &format!("{signed}{}", authority.pem()), &key)?;
    Ok(name)
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
