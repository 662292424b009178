//! Starting and stopping.

use super::*;

#[tokio::test]
async fn a_taken_port_is_an_error_or_another_port() {
    let cloud = cloud().await;
    let taken = cloud.mqtt_port();
    let start = |mqtt_port| {
        LocalCloud::start(CloudOptions {
            mqtt_port,
            https_port: PortChoice::Exactly(0),
            ..CloudOptions::default()
        })
    };
    let error = start(PortChoice::Exactly(taken)).await.expect_err("taken");
    assert!(matches!(error, CloudError::Bind { .. }));
    assert!(error.to_string().contains("--mqtt-port"), "{error}");
    let other = start(PortChoice::Preferred(taken)).await.expect("another port");
    assert_ne!(other.mqtt_port(), taken);
    other.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn stopping_ends_open_connections_in_time() {
    let cloud = cloud().await;
    let mut device = online(&cloud).await;
    let bound = cloud.mqtt_port();
    timeout(Duration::from_secs(3), cloud.stop()).await.expect("stopped in time");
    device.hear_end().await;
    assert!(std::net::TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), bound)).is_ok());
}
