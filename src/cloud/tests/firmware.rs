//! Firmware images, as a device downloads them.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::cloud::core::firmware::SAMPLES;

/// What is answered: the head, and every byte behind it.
async fn got(cloud: &LocalCloud, line: &str, more: &str) -> (String, Vec<u8>) {
    let mut wire = Wire::open(cloud, cloud.https_port()).await;
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
    wire.say(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, wire.0.read_to_end(&mut answer)).await.expect("an answer in time");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).expect("text").to_ascii_lowercase(), body)
}

#[tokio::test]
async fn images_are_listed_and_are_what_the_list_says_without_a_token() {
    let cloud = cloud().await;
    let (head, list) = got(&cloud, "GET /envsim/firmware", "").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let list: Value = serde_json::from_slice(&list).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(SAMPLES.len()));
    let sample = &list[0];
    assert_eq!((&sample["name"], &sample["version"]), (&json!("sample-1.1.0.bin"), &json!("1.1.0")));
    let line = format!("GET {}", sample["path"].as_str().expect("a path"));
    let (head, image) = got(&cloud, &line, "").await;
    assert!(
        head.contains("content-length: 1048576\r\n") && head.contains("accept-ranges: bytes\r\n"),
        "{head}"
    );
    assert_eq!(json!(image.len()), sample["size"]);
    let digest: Vec<String> = Sha256::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(json!(digest.concat()), sample["sha256"]);
    cloud.stop().await;
}

#[tokio::test]
async fn a_part_of_an_image_is_sent_when_it_is_still_the_same() {
    let cloud = cloud().await;
    let line = "GET /envsim/firmware/sample-2.0.0.bin";
    let size = 64 * 1024 * 1024;
    let sample = &SAMPLES[2];
    let (head, body) = got(&cloud, "HEAD /envsim/firmware/sample-2.0.0.bin", "Range: bytes=0-0\r\n").await;
    assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");
    assert!(head.contains(&format!("content-length: {size}\r\n")), "{head}");
    let etag = head.split_once("etag: ").and_then(|(_, rest)| rest.split_once("\r\n")).expect("an etag").0;

    let more = format!("Range: bytes={}-\r\nIf-Range: {etag}\r\n", size - 100_000);
    let (head, body) = got(&cloud, line, &more).await;
    assert!(head.starts_with("http/1.1 206 "), "{head}");
    let range = format!("content-range: bytes {}-{}/{size}\r\n", size - 100_000, size - 1);
    assert!(head.contains(&range) && head.contains("content-length: 100000\r\n"), "{head}");
    assert_eq!(body, sample.bytes(sample.size - 100_000, 100_000));

    let more = format!("Range: bytes={size}-\r\nIf-Range: {etag}\r\n");
    let (head, body) = got(&cloud, line, &more).await;
    assert!(head.starts_with("http/1.1 416 ") && body.is_empty(), "{head}");
    assert!(head.contains(&format!("content-range: bytes */{size}\r\n")), "{head}");

    let small = "GET /envsim/firmware/sample-1.1.0.bin";
    let (head, body) = got(&cloud, small, &format!("Range: bytes=10-\r\nIf-Range: {etag}\r\n")).await;
    assert!(head.starts_with("http/1.1 200 ") && body.len() == 1024 * 1024, "{head}");
    cloud.stop().await;
}

#[tokio::test]
async fn an_image_that_is_not_there_and_other_methods_are_refused() {
    let cloud = cloud().await;
    let (head, body) = got(&cloud, "GET /envsim/firmware/none.bin", "").await;
    let body = String::from_utf8(body).expect("text");
    assert!(
        head.starts_with("http/1.1 404 ") && body.contains("there is no firmware image `none.bin`"),
        "{body}"
    );
    let (head, _) = got(&cloud, "DELETE /envsim/firmware/sample-1.1.0.bin", "").await;
    assert!(!head.starts_with("http/1.1 2"), "{head}");
    cloud.stop().await;
}
