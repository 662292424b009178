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
