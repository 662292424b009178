//! Servers that are gone, silent, or slow, and how long a download puts up with them.

use std::fs;
use std::time::Duration;

use super::super::Limits;
use super::super::store::DOWNLOAD;
use super::downloads::{asked_on, fetched};
use super::server::{Reply, Server, bytes, image};
use super::{Bench, folder, quick};
use crate::device::{ImageNews, ImageOrder};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_server_that_is_gone_for_good_is_given_up_and_what_came_is_kept() {
    let (folder, content) = (folder(), bytes(1000));
    let server =
        Server::start([Reply::Image(image(&content).cut(400)), Reply::Image(image(&content).cut(0))]).await;
    let mut bench = Bench::new(folder.path(), Limits { tries: 3, ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(interruptions.len(), 2 + 1 - 1, "{interruptions:?}");
    let ImageNews::Failed { run: 1, reason } = news else { panic!("{news:?}") };
    assert!(
        reason.starts_with(&format!("cannot download {}: the connection", server.uri("image"))),
        "{reason}"
    );
    assert!(
        reason.ends_with("the 3rd time; ask again to go on behind the 400 bytes that are here"),
        "{reason}"
    );
    bench.order(ImageOrder::RollBack { run: 1 });
    assert!(matches!(bench.next().await, ImageNews::RolledBack { .. }));
    assert_eq!(fs::metadata(folder.path().join(DOWNLOAD)).expect("kept").len(), 400);
    bench.order(ImageOrder::Inspect);
    assert!(matches!(bench.next().await, ImageNews::Installed { .. }));
    bench.order(ImageOrder::Confirm { run: 1 });
    assert!(matches!(bench.next().await, ImageNews::Failed { .. }), "it has failed and was not cut short");
    bench.end().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_counts_as_lost() {
    let (folder, content) = (folder(), bytes(1000));
    let server =
        Server::start([Reply::Image(image(&content).hang(400)), Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), Limits { stall: Duration::from_millis(200), ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(news, fetched(1, &content));
    let said = format!("{} has sent nothing for 200 ms; trying again in 1 ms", server.uri("image"));
    assert_eq!(interruptions[0], said);
    assert_eq!(server.served().last(), Some(&asked_on("/image", 400, "\"one\"", 600)));
    bench.end().await;
}

#[tokio::test]
async fn a_server_that_trickles_is_no_better_than_one_that_is_silent() {
    let (folder, content) = (folder(), bytes(MIB));
    let drip = || Reply::Image(image(&content).drip(400_000));
    let server = Server::start([drip(), drip(), drip()]).await;
    let limits = Limits { stall: Duration::from_millis(200), least: 10_000, tries: 3, ..quick() };
    let mut bench = Bench::new(folder.path(), limits);
    bench.fetch(1, &server.uri("image"), None);
    // The first two bring enough, and then too little; the third is at the end of the image.
    let (interruptions, news) = bench.outcome().await;
    for said in &interruptions {
        assert!(said.contains(" has sent only ") && said.contains(" bytes in 200 ms; trying"), "{said}");
    }
    assert_eq!((interruptions.len() > 1, news), (true, fetched(1, &content)));

    let server = Server::start([Reply::Image(image(&content).drip(0))]).await;
    bench.fetch(2, &server.uri("other"), None);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(interruptions.len(), 2, "what trickles is no progress: {interruptions:?}");
    let ImageNews::Failed { run: 2, reason } = news else { panic!("{news:?}") };
    assert!(reason.contains(" bytes in 200 ms, the 3rd time; ask again to go on behind the "), "{reason}");
    bench.end().await;
}

#[tokio::test]
async fn no_download_takes_for_ever() {
    let (folder, content) = (folder(), bytes(MIB));
    let server = Server::start([Reply::Image(image(&content).drip(400_000))]).await;
    let mut bench = Bench::new(folder.path(), Limits { longest: Duration::from_millis(300), ..quick() });
    bench.fetch(1, &server.uri("image"), None);
    let reason = bench.failure().await;
    assert!(
        reason.contains(": it has taken 300 ms, the 1st time; ask again to go on behind the "),
        "{reason}"
    );
    // Also not one whose pauses would.
    let pause = Duration::from_secs(60);
    let server = Server::start([Reply::Head("HTTP/1.1 503 No\r\n\r\n".to_owned())]).await;
    bench.end().await;
    let limits = Limits { longest: Duration::from_millis(300), pause, longest_pause: pause, ..quick() };
    let mut bench = Bench::new(folder.path(), limits);
    bench.fetch(2, &server.uri("image"), None);
    let reason = bench.failure().await;
    assert!(reason.contains(": it has taken 300 ms, the 2nd time; check that"), "{reason}");
    bench.end().await;
}
