//! A large image takes no more memory than a small one. Measured in a process of its own, because the
//! other tests of this one take memory too.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Bench, folder, quick};
use crate::device::ImageNews;

const SIZE: u64 = 64 * 1024 * 1024;
/// What may be added: pieces on their way, buffers of sockets and TLS, threads for the disk's work. An
/// image that was held would be 64 MiB.
const GROWTH: u64 = 24 * 1024;

#[test]
fn a_large_image_takes_bounded_memory() {
    let program = std::env::current_exe().expect("this program");
    let name = "firmware::tests::large::measured_alone";
    let done = Command::new(program).args(["--exact", name, "--ignored", "--nocapture"]).output();
    let done = done.expect("it ran");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

/// The most memory this process has ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Sends as much as is asked for in the path, from one small piece.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.expect("a request");
            let line = String::from_utf8_lossy(&head[..read]).into_owned();
            let length: u64 = line
                .strip_prefix("GET /")
                .and_then(|rest| rest.split(' ').next()?.parse().ok())
                .expect("a length");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("sent");
            let piece = vec![7_u8; 64 * 1024];
            for _ in 0..length / piece.len() as u64 {
                stream.write_all(&piece).await.expect("sent");
            }
        }
    });
    port
}

#[tokio::test]
#[ignore = "run by the test above, alone in its process"]
async fn measured_alone() {
    let folder = folder();
    let port = server().await;
    let mut bench = Bench::new(folder.path(), quick());
    // Once small, so that what every download needs is there before.
    bench.fetch(1, &format!("http://127.0.0.1:{port}/1048576"), None);
    assert!(matches!(bench.outcome().await.1, ImageNews::Fetched { size: 1_048_576, .. }));
    let before = peak();
    bench.fetch(2, &format!("http://127.0.0.1:{port}/{SIZE}"), None);
    let (began, mut told) = (Instant::now(), 0);
    let news = loop {
        match bench.next().await {
            ImageNews::Progress { .. } => told += 1,
            news => break news,
        }
    };
    assert!(matches!(news, ImageNews::Fetched { size: SIZE, .. }), "{news:?}");
    // However long it took, progress was told ten times a second at most, and at its beginning.
    assert!(told <= began.elapsed().as_millis() / 100 + 2, "{told} in {:?}", began.elapsed());
    let growth = peak() - before;
    println!("the peak grew by {growth} KiB");
    assert!(growth < GROWTH, "the peak grew by {growth} KiB");
    bench.end().await;
}
