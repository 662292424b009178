//! Orders that come while others are carried out.

use super::server::{Reply, Server, bytes, image};
use super::{Bench, folder, names, quick};
use crate::device::{ImageNews, ImageOrder};

#[tokio::test]
async fn going_back_ends_a_download_and_forgets_it() {
    let (folder, content) = (folder(), bytes(1 << 20));
    let server = Server::start([Reply::Image(image(&content).hang(600_000))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    bench.first_bytes().await;
    bench.order(ImageOrder::Inspect);
    bench.order(ImageOrder::RollBack { run: 1 });
    let installed = ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false };
    assert_eq!(bench.outcome().await, (vec![], installed));
    let back = ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() };
    assert_eq!(bench.next().await, back, "and nothing is told of the download");
    assert_eq!(names(folder.path()), ["lock", "state.json"]);
    bench.end().await;
}

#[tokio::test]
async fn a_pause_ends_a_download_which_goes_on_where_it_stopped() {
    let (folder, content) = (folder(), bytes(1 << 20));
    let server =
        Server::start([Reply::Image(image(&content).hang(600_000)), Reply::Image(image(&content))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    while bench.first_bytes().await < 600_000 {}
    bench.order(ImageOrder::Pause { run: 1 });
    bench.fetch(1, &server.uri("image"), None);
    // A pause without a download is no news.
    bench.order(ImageOrder::Inspect);
    let (interruptions, news) = bench.outcome().await;
    assert_eq!(interruptions, ["the device is switched off; it goes on when the device is back"]);
    assert!(matches!(news, ImageNews::Fetched { run: 1, .. }), "{news:?}");
    assert!(matches!(bench.next().await, ImageNews::Installed { .. }));
    bench.order(ImageOrder::Pause { run: 1 });
    bench.order(ImageOrder::Install { run: 1, version: "2".to_owned() });
    assert_eq!(bench.next().await, ImageNews::Placed { run: 1 });
    assert_eq!(server.served()[1].range.as_deref(), Some("bytes=600000-"));
    bench.end().await;
}

#[tokio::test]
async fn the_task_ends_with_its_handle_in_the_middle_of_a_download() {
    let (folder, content) = (folder(), bytes(1 << 20));
    let server = Server::start([Reply::Image(image(&content).hang(600_000))]).await;
    let mut bench = Bench::new(folder.path(), quick());
    bench.fetch(1, &server.uri("image"), None);
    bench.first_bytes().await;
    let Bench { handle, mut tasks, .. } = bench;
    drop(handle);
    let ended = tokio::time::timeout(super::PATIENCE, tasks.join_next()).await.expect("in time");
    assert!(ended.is_some_and(|ended| ended.is_ok()));
    assert!(super::Store::open(folder.path()).is_ok(), "the folder is free again");
}

#[tokio::test]
async fn more_orders_than_can_wait_are_not_taken() {
    let folder = folder();
    let bench = Bench::new(folder.path(), quick());
    // The task has not run yet: there is one thread, and nothing has been waited for.
    for _ in 0..16 {
        bench.order(ImageOrder::Inspect);
    }
    assert!(bench.handle.send(ImageOrder::Inspect).is_err());
    bench.end().await;
}
