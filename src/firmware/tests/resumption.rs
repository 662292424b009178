//! What servers say of the rest of an image, and what is made of servers that contradict themselves.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::super::Limits;
use super::super::store::DOWNLOAD;
use super::downloads::{asked_on, fetched};
use super::server::{Reply, Server, image};
use super::{Bench, folder, names, quick};
use crate::device::ImageNews;

/// An image that can stand in a head's text.
fn letters(first: u8) -> Arc<Vec<u8>> {
    Arc::new((0..1000_u32).map(|at| first + u8::try_from(at % 26).expect("a letter")).collect())
}

/// A head, and what comes behind it until the connection is closed.
fn answer(status: &str, headers: &[&str], body: &[u8]) -> Reply {
    let headers = headers.join("\r\n");
    let body = String::from_utf8(body.to_vec()).expect("letters");
    Reply::Head(format!("HTTP/1.1 {status}\r\n{headers}\r\nConnection: close\r\n\r\n{body}"))
}

/// The first 400 bytes of 1000, and then nothing.
fn broken_off(content: &[u8]) -> Reply {
    answer("200 OK", &["ETag: \"one\"", "Content-Length: 1000"], &content[..400])
}

#[tokio::test]
async fn a_rest_of_another_image_is_not_put_behind_the_first_part() {
    let (old, new) = (letters(b'A'), letters(b'a'));
    for headers in [
        ["ETag: \"two\"", "Content-Range: bytes 400-999/1000"],
        ["Content-Length: 600", "Content-Range: bytes 400-999/1400"],
    ] {
        let folder = folder();
        let rest = answer("206 Partial Content", &headers, &new[400..]);
        let server =
            Server::start([broken_off(&old), rest, Reply::Image(image(&new).known_by("ETag: \"two\""))])
                .await;
        let mut bench = Bench::new(folder.path(), quick());
        bench.fetch(1, &server.uri("image"), None);
        assert_eq!(bench.outcome().await.1, fetched(1, &new), "{headers:?}");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_part_of_the_rest_is_no_end_also_in_another_run_of_the_program() {
    let (folder, content) = (folder(), letters(b'a'));
    let piece = answer("206 Partial Content", &["Content-Range: bytes 400-499/*"], &content[400..500]);
    let server =
        Server::start([Reply::Image(image(&content).hang(400)), piece, Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    while bench.first_bytes().await < 400 {}
    bench.end().await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(news, fetched(1, &content));
    assert_eq!(interruptions, ["the server has ended after 500 of 1000 bytes; trying again in 1 ms"]);
    assert_eq!(server.served().last(), Some(&asked_on("/image", 500, "\"one\"", 500)));
    bench.end().await;
}

#[tokio::test]
async fn an_image_of_unknown_size_is_asked_for_until_nothing_is_behind_it() {
    let (folder, content) = (folder(), letters(b'a'));
    let first = [b"190\r\n", &content[..400], b"\r\n"].concat();
    let server = Server::start([
        answer("200 OK", &["ETag: \"one\"", "Transfer-Encoding: chunked"], &first),
        answer("206 Partial Content", &["Content-Range: bytes 400-699/*"], &content[400..700]),
        answer("206 Partial Content", &["Content-Range: bytes 700-999/*"], &content[700..]),
        answer("416 No", &["Content-Range: bytes */1000"], b""),
    ])
    .await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!((interruptions.len(), news), (1, fetched(1, &content)));
    assert_eq!(server.served().len(), 4);
    bench.end().await;
}

#[tokio::test]
async fn more_than_was_announced_is_not_taken() {
    let (folder, content) = (folder(), letters(b'a'));
    let rest = answer("206 Partial Content", &["Content-Range: bytes 400-999/1000"], &content.repeat(200));
    let server = Server::start([broken_off(&content), rest]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let said = bench.failure().await;
    assert!(said.contains("more comes than the 1000 bytes that were announced"), "{said}");
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn an_image_that_is_empty_is_none() {
    let folder = folder();
    let server = Server::start([answer("200 OK", &["Content-Length: 0"], b"")]).await;
    let mut bench = Bench::new(folder.path(), quick());
    let nothing = folder.path().join("nothing.bin");
    fs::write(&nothing, "").expect("written");
    let file = |path: &std::path::Path| format!("file://{}", path.display());
    // The last is the very file that a download is written to.
    for uri in [server.uri("image"), file(&nothing), file(&folder.path().join(DOWNLOAD))] {
        bench.fetch(1, &uri, None);
        let said = bench.failure().await;
        assert!(
            said.starts_with("cannot download ") && said.contains(": the image is empty; check"),
            "{said}"
        );
        assert!(!folder.path().join(DOWNLOAD).exists());
    }
    bench.end().await;
}

#[tokio::test]
async fn nothing_is_promised_of_a_part_that_cannot_be_gone_on_from() {
    let (folder, content) = (folder(), letters(b'a'));
    let server = Server::start([Reply::Image(image(&content).known_by("").cut(400))]).await;
    let mut bench = Bench::new(folder.path(), Limits { tries: 2, ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let said = bench.failure().await;
    assert!(said.ends_with("the 2nd time; check that the server is running, and ask again"), "{said}");
    bench.end().await;
}

#[tokio::test]
async fn a_server_that_fails_once_or_refuses_the_rest_costs_nothing_of_the_first_part() {
    let (folder, content) = (folder(), letters(b'a'));
    let server = Server::start([
        Reply::Image(image(&content).cut(400)),
        answer("500 No", &["Content-Length: 0"], b""),
        answer("403 No", &["Content-Length: 0"], b""),
        Reply::Image(image(&content)),
    ])
    .await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    let failing = "the server answers 500: the server has failed; look into its log; trying again in ";
    assert!(interruptions.len() == 2 && interruptions[1].starts_with(failing), "{interruptions:?}");
    let ImageNews::Failed { reason, .. } = news else { panic!("{news:?}") };
    assert!(reason.contains(": the server answers 403: "), "{reason}");
    assert!(reason.ends_with("; ask again to go on behind the 400 bytes that are here"), "{reason}");
    bench.fetch(2, &server.uri("image"), None);
    assert_eq!(bench.outcome().await, (vec![], fetched(2, &content)));
    assert_eq!(server.served()[3], asked_on("/image", 400, "\"one\"", 600));
    bench.end().await;
}

#[tokio::test]
async fn what_does_not_speak_http_is_told_so_and_not_tried_again() {
    let folder = folder();
    let server = Server::start([
        Reply::Head("garbage\r\n\r\n".to_owned()),
        answer("200 OK", &["Content-Length: 42999999999999999999999"], b""),
        answer("200 OK", &[&format!("X: {}", "x".repeat(1 << 20))], b""),
    ])
    .await;
    let mut bench = Bench::new(folder.path(), quick());
    for run in 1..=3 {
        bench.fetch(run, &server.uri("image"), None);
        let (interruptions, news) = bench.outcome().await;
        assert!(interruptions.is_empty(), "{interruptions:?}");
        let ImageNews::Failed { reason, .. } = news else { panic!("{news:?}") };
        assert!(reason.contains(" does not answer as HTTP wants it ("), "{reason}");
        assert!(reason.ends_with("); check the address and the port"), "{reason}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_server_that_will_not_be_ready_in_time_is_not_waited_for() {
    let folder = folder();
    let server = Server::start([answer("503 No", &["Retry-After: 86400"], b"")]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert!(interruptions.is_empty(), "{interruptions:?}");
    let ImageNews::Failed { reason, .. } = news else { panic!("{news:?}") };
    let words = "503: the server is not ready; it says to come back in 24 h 00 min, which is too long: ask again then";
    assert!(reason.ends_with(words), "{reason}");
    bench.end().await;
}

#[tokio::test]
async fn how_far_a_download_came_is_told_before_it_fails() {
    let (folder, content) = (folder(), letters(b'a'));
    let server = Server::start([Reply::Image(image(&content).cut(400))]).await;
    let mut bench = Bench::new(folder.path(), Limits { tries: 1, ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let mut last = bench.next().await;
    loop {
        match bench.next().await {
            ImageNews::Failed { .. } => break,
            news => last = news,
        }
    }
    assert_eq!(last, ImageNews::Progress { run: 1, received: 400, total: Some(1000) });
    bench.end().await;
}

#[tokio::test]
async fn a_file_may_not_take_for_ever_either() {
    let folder = folder();
    let path = folder.path().join("image.bin");
    fs::write(&path, &*letters(b'a')).expect("written");
    let mut bench = Bench::new(folder.path(), Limits { longest: Duration::ZERO, ..quick() });
    bench.fetch(1, &format!("file://{}", path.display()), None);
    assert!(bench.failure().await.contains(": it has taken "));
    bench.end().await;
}
