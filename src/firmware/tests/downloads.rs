//! Downloads, and everything that goes wrong with them.

use std::fs;

use super::super::Limits;
use super::super::draft::sha256;
use super::super::store::{DOWNLOAD, STATE};
use super::server::{Reply, Served, Server, bytes, image};
use super::{Bench, folder, names, quick};
use crate::device::{ImageNews, ImageOrder};

const MIB: usize = 1024 * 1024;

pub(super) fn fetched(run: u64, bytes: &[u8]) -> ImageNews {
    ImageNews::Fetched { run, size: bytes.len() as u64, sha256: sha256(bytes) }
}

fn asked(path: &str, sent: usize) -> Served {
    Served { path: path.to_owned(), sent, ..Served::default() }
}

pub(super) fn asked_on(path: &str, from: usize, validator: &str, sent: usize) -> Served {
    Served {
        range: Some(format!("bytes={from}-")),
        if_range: Some(validator.to_owned()),
        ..asked(path, sent)
    }
}

#[tokio::test]
async fn an_image_is_fetched_checked_installed_and_confirmed() {
    let (folder, content) = (folder(), bytes(MIB + 7));
    let server = Server::start([Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.order(ImageOrder::Inspect);
    assert_eq!(bench.next().await, ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false });
    bench.fetch(7, &server.uri("image"), Some(&sha256(&content).to_uppercase()));
    let total = Some(content.len() as u64);
    assert_eq!(bench.next().await, ImageNews::Progress { run: 7, received: 0, total });
    assert_eq!(bench.outcome().await, (vec![], fetched(7, &content)));
    bench.order(ImageOrder::Install { run: 7, version: "2.0.0".to_owned() });
    assert_eq!(bench.next().await, ImageNews::Placed { run: 7 });
    bench.order(ImageOrder::Inspect);
    assert_eq!(bench.next().await, ImageNews::Installed { version: "2.0.0".to_owned(), on_trial: true });
    bench.order(ImageOrder::Confirm { run: 7 });
    assert_eq!(bench.next().await, ImageNews::Confirmed { run: 7 });
    bench.order(ImageOrder::RollBack { run: 8 });
    assert_eq!(bench.next().await, ImageNews::RolledBack { run: 8, version: "2.0.0".to_owned() });
    assert_eq!(fs::read(folder.path().join("image-a.bin")).expect("an image"), *content);
    bench.end().await;
}

#[tokio::test]
async fn a_download_that_is_broken_off_goes_on_where_it_stopped() {
    let (folder, content) = (folder(), bytes(MIB));
    let server = Server::start([
        Reply::Image(image(&content).cut(300_000)),
        Reply::Image(image(&content).cut(0)),
        Reply::Image(image(&content).cut(500_000)),
        Reply::Image(image(&content)),
    ])
    .await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), Some(&sha256(&content)));
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(news, fetched(1, &content));
    assert_eq!(interruptions.len(), 3, "{interruptions:?}");
    assert!(interruptions[0].starts_with("the connection was lost ("), "{interruptions:?}");
    assert!(interruptions[0].ends_with("; trying again in 1 ms"), "{interruptions:?}");
    let expected = [
        asked("/image", 300_000),
        asked_on("/image", 300_000, "\"one\"", 0),
        asked_on("/image", 300_000, "\"one\"", 500_000),
        asked_on("/image", 800_000, "\"one\"", MIB - 800_000),
    ];
    assert_eq!(server.served(), expected, "no byte is sent twice");
    bench.end().await;
}

#[tokio::test]
async fn an_image_that_has_changed_meanwhile_is_fetched_from_its_beginning() {
    let (folder, old, new) = (folder(), bytes(MIB), bytes(MIB / 2));
    let server = Server::start([
        Reply::Image(image(&old).cut(300_000)),
        Reply::Image(image(&new).known_by("ETag: \"two\"").cut(100_000)),
        Reply::Image(image(&new).known_by("ETag: \"two\"")),
    ])
    .await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!((interruptions.len(), news), (2, fetched(1, &new)));
    let expected = [
        asked("/image", 300_000),
        asked_on("/image", 300_000, "\"one\"", 100_000),
        asked_on("/image", 100_000, "\"two\"", MIB / 2 - 100_000),
    ];
    assert_eq!(server.served(), expected);
    bench.end().await;
}

#[tokio::test]
async fn an_image_is_known_by_its_date_and_without_either_is_fetched_from_its_beginning() {
    let content = bytes(1000);
    let date = "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT";
    for (known_by, second) in [
        (date, asked_on("/image", 400, "Fri, 20 Nov 2026 10:00:00 GMT", 600)),
        ("", asked("/image", 1000)),
        ("ETag: W/\"weak\"", asked("/image", 1000)),
    ] {
        let folder = folder();
        let whole = image(&content).known_by(known_by);
        let server = Server::start([Reply::Image(whole.clone().cut(400)), Reply::Image(whole)]).await;
        let mut bench = Bench::new(folder.path(), quick());
        bench.fetch(1, &server.uri("image"), None);
        assert_eq!(bench.outcome().await.1, fetched(1, &content));
        assert_eq!(server.served(), [asked("/image", 400), second]);
        bench.end().await;
    }
}

#[tokio::test]
async fn another_run_of_the_program_goes_on_with_what_the_last_one_has_kept() {
    let (folder, content) = (folder(), bytes(MIB));
    let server =
        Server::start([Reply::Image(image(&content).hang(400_000)), Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image?sig=x"), None);
    while bench.first_bytes().await < 400_000 {}
    bench.end().await;
    let mut bench = Bench::new(folder.path(), quick());
    let from = server.uri("image?…");
    for told in [true, false] {
        bench.order(ImageOrder::Inspect);
        assert!(matches!(bench.next().await, ImageNews::Installed { .. }));
        if told {
            let cut_short = ImageNews::CutShort { from: from.clone(), received: 400_000 };
            assert_eq!(bench.next().await, cut_short, "once");
        }
    }
    bench.fetch(1, &server.uri("image?sig=x"), None);
    assert_eq!(bench.outcome().await, (vec![], fetched(1, &content)));
    assert_eq!(server.served()[1], asked_on("/image?sig=x", 400_000, "\"one\"", MIB - 400_000));
    // What is here whole is asked for once more, and nothing of it is sent.
    bench.fetch(2, &server.uri("image?sig=x"), None);
    assert_eq!(bench.outcome().await, (vec![], fetched(2, &content)));
    assert_eq!(server.served()[2], asked_on("/image?sig=x", MIB, "\"one\"", 0));
    bench.end().await;
}

/// Killed: not one byte is saved on the way out, so what counts was saved while the server was silent.
#[tokio::test]
async fn a_crash_in_a_silence_costs_nothing_of_what_came_before_it() {
    let (folder, crashed, content) = (folder(), self::folder(), bytes(MIB));
    let server =
        Server::start([Reply::Image(image(&content).hang(400_000)), Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let is_saved = || {
        let state = fs::read_to_string(folder.path().join(STATE)).expect("a state");
        state.contains("\"received\": 400000")
    };
    while !is_saved() {
        // Told every second, also when nothing comes.
        bench.first_bytes().await;
    }
    for name in [STATE, DOWNLOAD] {
        fs::copy(folder.path().join(name), crashed.path().join(name)).expect("copied");
    }
    bench.end().await;
    let mut bench = Bench::new(crashed.path(), quick());
    bench.fetch(1, &server.uri("image"), Some(&sha256(&content)));
    assert_eq!(bench.outcome().await, (vec![], fetched(1, &content)));
    assert_eq!(server.served()[1], asked_on("/image", 400_000, "\"one\"", MIB - 400_000));
    bench.end().await;
}

#[tokio::test]
async fn an_image_with_the_wrong_digest_is_removed() {
    let (folder, content, other) = (folder(), bytes(1000), sha256(b"other"));
    let server = Server::start([Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), Some(&other));
    let said = bench.failure().await;
    let expected = format!(
        "{} is not the image that was asked for: its SHA-256 is {}, and not {other}; check the digest and the \
         address, the image has been removed",
        server.uri("image"),
        sha256(&content)
    );
    assert_eq!(said, expected);
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.order(ImageOrder::Install { run: 1, version: "2".to_owned() });
    assert!(bench.failure().await.starts_with("cannot install `2`: no image has been fetched"));
    bench.fetch(2, &server.uri("image"), Some("abc"));
    assert!(bench.failure().await.contains("write 64 hexadecimal digits"));
    bench.end().await;
}

#[tokio::test]
async fn what_one_update_has_fetched_is_not_installed_by_another() {
    let (folder, content) = (folder(), bytes(1000));
    let server = Server::start([Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    assert_eq!(bench.outcome().await.1, fetched(1, &content));
    bench.fetch(2, "image", None);
    assert!(bench.failure().await.starts_with("cannot download the image: the address is not a URI"));
    for run in [1, 2] {
        bench.order(ImageOrder::Install { run, version: "2.0.0".to_owned() });
        assert!(bench.failure().await.starts_with("cannot install `2.0.0`: no image has been fetched"));
    }
    bench.end().await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_part_removed() {
    let (folder, content) = (folder(), bytes(MIB));
    let server = Server::start([Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), Limits { room: Some(600_000), ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let said = bench.failure().await;
    assert!(
        said.contains("cannot write the image to ") && said.contains(": the disk is full; free"),
        "{said}"
    );
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn an_image_that_is_too_large_is_refused_by_its_announced_and_by_its_real_size() {
    let (folder, content) = (folder(), bytes(1000));
    let endless = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(200_000));
    let server = Server::start([Reply::Image(image(&content)), Reply::Head(endless)]).await;
    let mut bench = Bench::new(folder.path(), Limits { largest: 999, ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    assert!(bench.failure().await.contains("it has 1000 bytes or more, and no image may have more than 999"));
    bench.fetch(2, &server.uri("image"), None);
    assert!(bench.failure().await.contains("and no image may have more than 999"));
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn redirects_are_followed_and_a_circle_is_named() {
    let (folder, content) = (folder(), bytes(1000));
    let to = |path: &str| {
        Reply::Head(format!("HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n"))
    };
    let server = Server::start([to("/b"), to("c"), Reply::Image(image(&content)), to("/e"), to("/d")]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("a"), None);
    assert_eq!(bench.outcome().await, (vec![], fetched(1, &content)));
    let paths: Vec<_> = server.served().into_iter().map(|served| served.path).collect();
    assert_eq!(paths, ["/a", "/b", "/c"]);
    bench.fetch(2, &server.uri("d"), None);
    let said = bench.failure().await;
    let circle = ["d", "e", "d"].map(|path| server.uri(path)).join(" → ");
    assert!(said.ends_with(&format!(": it redirects in a circle: {circle}; mend the server")), "{said}");
    bench.end().await;
}

#[tokio::test]
async fn what_a_server_refuses_is_told_in_words_and_not_tried_again() {
    let folder = folder();
    let refusals = [404, 403, 501].map(|status| {
        Reply::Head(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    });
    let server = Server::start(refusals).await;
    let mut bench = Bench::new(folder.path(), quick());
    for words in
        ["404: there is no such image", "403: the server does not allow it", "501 (Not Implemented); check"]
    {
        bench.fetch(1, &server.uri("image"), None);
        let (interruptions, news) = bench.outcome().await;
        assert!(interruptions.is_empty(), "{interruptions:?}");
        assert!(matches!(&news, ImageNews::Failed { reason, .. } if reason.contains(words)), "{news:?}");
    }
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_asked_again() {
    let (folder, content) = (folder(), bytes(1000));
    let busy = "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 0\r\n\r\n";
    let server = Server::start([Reply::Head(busy.to_owned()), Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(interruptions, ["the server answers 503: the server is not ready; trying again in 1 ms"]);
    assert_eq!(news, fetched(1, &content));
    bench.end().await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_at_once() {
    let folder = folder();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &format!("http://127.0.0.1:{port}/image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert!(interruptions.is_empty(), "{interruptions:?}");
    let words =
        format!("cannot download http://127.0.0.1:{port}/image: nothing listens on 127.0.0.1:{port}; check");
    assert!(matches!(&news, ImageNews::Failed { reason, .. } if reason.starts_with(&words)), "{news:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_file_is_copied_and_what_is_none_is_refused() {
    let (folder, content) = (folder(), bytes(MIB));
    let images = super::folder();
    let path = images.path().join("image.bin");
    fs::write(&path, &*content).expect("written");
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &format!("file://{}", path.display()), Some(&sha256(&content)));
    assert_eq!(bench.outcome().await, (vec![], fetched(1, &content)));
    assert!(path.exists());
    for (place, words) in [
        (images.path().display().to_string(), "it is a folder, and not a file"),
        ("/dev/zero".to_owned(), "it is a device or a pipe, and not a file"),
        (images.path().join("none").display().to_string(), "; check the address for typing errors"),
    ] {
        if cfg!(windows) && place.starts_with("/dev") {
            continue;
        }
        bench.fetch(2, &format!("file://{place}"), None);
        let said = bench.failure().await;
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn an_encrypted_download_needs_a_trusted_server_and_stays_encrypted() {
    let (folder, content) = (folder(), bytes(MIB));
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://localhost/image\r\nContent-Length: 0\r\n\r\n";
    let replies = [
        Reply::Image(image(&content).cut(400_000)),
        Reply::Image(image(&content)),
        Reply::Head(elsewhere.to_owned()),
    ];
    let (server, trust) = Server::secured(replies).await;
    let uri = format!("https://localhost:{}/image", server.port);

    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &uri, None);
    let said = bench.failure().await;
    assert!(
        said.contains("signed by an authority that is not trusted here; if it is the local cloud"),
        "{said}"
    );
    bench.end().await;

    let mut bench = Bench::trusting(folder.path(), quick(), trust);
    bench.fetch(1, &uri, Some(&sha256(&content)));
    let (interruptions, news) = bench.outcome().await;
    assert_eq!((interruptions.len(), news), (1, fetched(1, &content)));
    assert_eq!(server.served()[1], asked_on("/image", 400_000, "\"one\"", MIB - 400_000));
    bench.fetch(2, &uri, None);
    let said = bench.failure().await;
    let words =
        format!("{uri} redirects to http://localhost/image, which is not encrypted; from https: only");
    assert!(said.contains(&words), "{said}");
    bench.end().await;
}
