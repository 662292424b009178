//! The images that the local cloud has, downloaded as a device does.

use super::{Bench, folder, quick};
use crate::cloud::{CloudOptions, LocalCloud, PortChoice};
use crate::device::ImageNews;
use crate::trust::Trust;

#[tokio::test]
async fn an_image_of_the_local_cloud_is_downloaded_with_its_authority_trusted() {
    let any = PortChoice::Exactly(0);
    let options = CloudOptions { mqtt_port: any, https_port: any, ..CloudOptions::default() };
    let cloud = LocalCloud::start(options).await.expect("a cloud");
    let trust = Trust::only(cloud.ca_pem(), "the cloud's").expect("trust");
    let folder = folder();
    let mut bench = Bench::trusting(folder.path(), quick(), trust);
    let uri = format!("https://localhost:{}/envsim/firmware/sample-1.1.0.bin", cloud.https_port());
    let sha256 = "b2656174cb35e83468fac534a3b99f13aa6e1b8e329f31042fbd83979e936b8b";
    for run in [1, 2] {
        // The second time it is here, and the cloud says that nothing is missing.
        bench.fetch(run, &uri, Some(sha256));
        let fetched = ImageNews::Fetched { run, size: 1024 * 1024, sha256: sha256.to_owned() };
        assert_eq!(bench.outcome().await, (vec![], fetched));
    }
    bench.end().await;
    cloud.stop().await;
}
