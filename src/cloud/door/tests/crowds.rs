//! Clients that are silent, slow, or speak something else, and those beside them.

use super::*;

/// How many sockets say nothing; each is two open files of this process.
const SILENT: usize = 1_000;

#[tokio::test]
async fn a_thousand_silent_connections_do_not_keep_others_out() {
    // Fewer places than connections, so that the silent have to make room.
    for newcomers in [Limits::default().newcomers, 300] {
        let limits = Limits { newcomers, grace: Duration::from_millis(50), ..Limits::default() };
        let cloud = cloud(limits).await;
        let connector = client(&cloud, BOTH, None);
        let mut silent = Vec::new();
        for number in 0..SILENT {
            let port = if number % 2 == 0 { cloud.mqtt_port() } else { cloud.https_port() };
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
            if number % 4 < 2 {
                // Half of them begin what they do not finish.
                let _ = socket.write_all(&[0x16, 3, 1, 2, 0, 1]).await;
            }
            silent.push(socket);
        }
        let mut wire = timeout(PATIENCE, open(&connector, cloud.mqtt_port())).await.expect("let in");
        say(&mut wire, &connect(&cloud)).await;
        assert_eq!(hear(&mut wire, 4).await, [0x20, 2, 0, 0]);
        let mut wire = timeout(PATIENCE, open(&connector, cloud.https_port())).await.expect("let in");
        say(&mut wire, b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
        assert!(hear_end(&mut wire).await.starts_with("HTTP/1.1 200 "));
        cloud.stop().await;
    }
}

#[tokio::test]
async fn slow_and_malformed_requests_end_and_others_are_served() {
    let short = Duration::from_millis(200);
    let cloud = cloud(Limits { head: short, body: short, ..Limits::default() }).await;
    let connector = client(&cloud, BOTH, None);
    let long = format!("GET /health HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let large = format!(
        "PUT /devices/d HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    for (request, status) in [
        ("GET /health HTTP/1.1\r\nHost", None),
        ("", None),
        ("PUT /devices/d HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{", Some("408")),
        ("nonsense\r\n\r\n", Some("400")),
        (&long, Some("431")),
        (&large, Some("413")),
        (
            "GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            Some("200"),
        ),
    ] {
        let mut wire = open(&connector, cloud.https_port()).await;
        // What is too long may be refused before it has been written to its end.
        let _ = wire.write_all(request.as_bytes()).await;
        let _ = wire.flush().await;
        let heard = hear_end(&mut wire).await;
        let start = heard.split(' ').nth(1);
        assert!(status.is_none() && start.is_none_or(|status| status == "408") || start == status, "{heard}");
        if status == Some("200") {
            assert_eq!(
                heard.matches("{\"status\":\"ok\"}").count(),
                2,
                "both are answered, in order: {heard}"
            );
        }
    }
    cloud.stop().await;
}

#[tokio::test]
async fn plain_text_on_a_port_of_tls_is_answered_or_closed() {
    let cloud = cloud(Limits::default()).await;
    for port in [cloud.mqtt_port(), cloud.https_port()] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("written");
        let mut heard = String::new();
        let _ = timeout(PATIENCE, socket.read_to_string(&mut heard)).await.expect("in time");
        assert!(heard.starts_with("HTTP/1.1 400 ") && heard.contains("https://"), "{heard}");
        let (lines, body) = heard.split_once("\r\n\r\n").expect("a body");
        assert!(lines.contains(&format!("Content-Length: {}\r\n", body.len())), "{heard}");

        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        socket.write_all(&connect(&cloud)).await.expect("written");
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, socket.read_to_end(&mut heard)).await.expect("in time");
        assert_eq!(heard, b"");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn what_a_client_sends_together_with_connect_is_answered() {
    let cloud = cloud(Limits::default()).await;
    let mut wire = open(&client(&cloud, BOTH, None), cloud.mqtt_port()).await;
    say(&mut wire, &[connect(&cloud), b"\xc0\x00".to_vec()].concat()).await;
    assert_eq!(hear(&mut wire, 6).await, [0x20, 2, 0, 0, 0xd0, 0]);
    cloud.stop().await;
}
