//! Certificates of clients, and sessions of TLS that are resumed.

use super::*;

#[tokio::test]
async fn a_client_certificate_is_seen_at_both_doors_and_after_resumption() {
    let cloud = cloud(Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let connector = client(&cloud, &[version], Some("d"));
        for resumed in [false, true] {
            // Without a token nothing but the certificate is left to be spoken of.
            let scope = cloud.id_scope();
            let request = format!(
                "PUT /{scope}/registrations/d/register?api-version=2021-06-01 HTTP/1.1\r\nHost: h\r\n\
                 Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            let mut wire = open(&connector, cloud.https_port()).await;
            say(&mut wire, request.as_bytes()).await;
            let heard = hear_end(&mut wire).await;
            assert!(heard.contains("the client's certificate"), "{heard}");
            let kind = wire.get_ref().1.handshake_kind();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed, "{version:?}");
        }
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_resumed_session_keeps_its_client_certificate_and_one_without_has_none() {
    let authority = crate::cloud::cert::Authority::make().expect("made");
    let server =
        crate::cloud::cert::Certificates::make(&authority, Ipv4Addr::LOCALHOST.into(), None).expect("made");
    let acceptor = tokio_rustls::TlsAcceptor::from(server.server);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem.as_bytes()).expect("PEM")).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "sensor-01");
    let certificate = params.self_signed(&key).expect("a certificate");
    for version in [&TLS12, &TLS13] {
        let builder = || {
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[version])
                .expect("versions")
                .with_root_certificates(roots.clone())
        };
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let with = builder().with_client_auth_cert(vec![certificate.der().clone()], pkcs8).expect("a client");
        let (with, without) = (Arc::new(with), Arc::new(builder().with_no_client_auth()));
        for (config, resumed, wanted) in
            [(&with, false, Some("sensor-01")), (&with, true, Some("sensor-01")), (&without, false, None)]
        {
            let (near, far) = tokio::io::duplex(16 * 1024);
            let connector = TlsConnector::from(Arc::clone(config));
            let name = ServerName::try_from("localhost").expect("a name");
            let server = async {
                let mut stream = acceptor.accept(far).await.expect("TLS");
                // A byte each way, so that the tickets have arrived.
                stream.write_all(b"x").await.expect("written");
                stream.flush().await.expect("flushed");
                stream
            };
            let client = async {
                let mut stream = connector.connect(name, near).await.expect("TLS");
                stream.read_u8().await.expect("a byte");
                stream
            };
            let (server, client) = tokio::join!(server, client);
            let kind = client.get_ref().1.handshake_kind();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed);
            let chain = server.get_ref().1.peer_certificates();
            let peer = chain
                .map(|chain| crate::cloud::core::x509::PeerCertificate::from_chain(chain).expect("readable"));
            let name = peer.as_ref().map(|peer| peer.subject_common_name().expect("a name"));
            assert_eq!(name, wanted, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_seen_over_mqtt_and_over_websocket() {
    let cloud = cloud(Limits::default()).await;
    let connector = client(&cloud, BOTH, Some("d"));
    let mut wire = open(&connector, cloud.mqtt_port()).await;
    say(&mut wire, &connect(&cloud)).await;
    assert_eq!(hear(&mut wire, 4).await, [0x20, 2, 0, 0], "a token goes before a certificate");
    let mut wire = open(&connector, cloud.https_port()).await;
    say(&mut wire, upgrade("/$iothub/websocket", "mqtt").as_bytes()).await;
    hear_until(&mut wire, |heard| heard.ends_with(b"\r\n\r\n")).await;
    say(&mut wire, &frame(0x82, &connect(&cloud))).await;
    assert_eq!(hear(&mut wire, 6).await, [0x82, 4, 0x20, 2, 0, 0]);
    cloud.stop().await;
}
