//! Firmware updates by the real program: its processes, its folders, and servers of images that fail.

mod server;

use std::path::Path;

use envsim::cloud::core::firmware::Sample;
use serde_json::{Value, json};

use self::server::{Behaviour, ImageServer};
use super::support::{CloudProcess, Key, Outcome, Program, Sandbox, Screen};

const DEVICE: &str = "sensor-01";
const SMALL: &str = "b2656174cb35e83468fac534a3b99f13aa6e1b8e329f31042fbd83979e936b8b";
const LARGE: &str = "bf299bc1b43a016864b664e7ff5f709ba9a9f41e19d364c548c5e3437e3ed606";

/// A cloud, and a device of it that is ready to be updated.
struct Bench {
    // Before the cloud, in whose folder it lives.
    device: Program,
    cloud: CloudProcess,
}

impl Bench {
    fn new(options: &[&str]) -> Self {
        let cloud = CloudProcess::start();
        let device = device(&cloud, options);
        Self { device, cloud }
    }

    /// Asks for an update, and waits for this status of it.
    fn update(&self, request: &Value, status: &str) -> Outcome {
        let wait = format!("firmwareStatus={status}");
        let payload = request.to_string();
        self.cloud.hub(&["invoke", DEVICE, "firmwareUpdate", "--payload", &payload, "--wait-for", &wait])
    }

    fn reported(&self) -> Value {
        let twin = self.cloud.hub(&["twin", "show", DEVICE, "--format", "json"]).expect(0).json();
        twin["properties"]["reported"].clone()
    }

    /// The reason of the failure that is reported, which has left the delivered version.
    #[track_caller]
    fn failure(&self, phase: &str) -> String {
        let reported = self.reported();
        assert_eq!(reported["firmwareStatus"], "failed", "{reported}");
        assert_eq!(reported["firmwareVersion"], "1.0.0", "{reported}");
        assert_eq!(reported["firmwareError"]["phase"], phase, "{reported}");
        reported["firmwareError"]["reason"].as_str().expect("a reason").to_owned()
    }

    fn sample(&self, name: &str) -> String {
        format!("https://localhost:{}/envsim/firmware/{name}", self.cloud.ready["httpsPort"])
    }
}

/// A device that has said which firmware it has.
fn device(cloud: &CloudProcess, options: &[&str]) -> Program {
    let mut all = vec!["--profile", "firmware"];
    all.extend(options);
    let mut device = cloud.run(DEVICE, &all);
    reporting(&mut device, "firmwareVersion", Value::is_string);
    device
}

/// Waits until the device reports this.
fn reporting(device: &mut Program, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let told = device.event_where("reporting", |event| event["patch"].get(name).is_some_and(&wanted));
    told["patch"].clone()
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_image_of_the_local_cloud_is_installed_and_stays() {
    let options = ["--time-scale", "30", "--firmware-dir", "images"];
    let mut bench = Bench::new(&options);
    let request =
        json!({"fwPackageUri": bench.sample("sample-1.1.0.bin"), "sha256": SMALL, "version": "1.1.0"});
    bench.update(&request, "completed").expect(0);
    let reported = bench.reported();
    assert_eq!(reported["firmwareVersion"], "1.1.0");
    assert_eq!(
        reported["downloadProgress"],
        json!({"received": 1_048_576, "total": 1_048_576, "percent": 100})
    );
    bench.device.signal("TERM");
    bench.device.end().expect(0);
    let folder = bench.cloud.sandbox.folder().join("images").join(DEVICE);
    assert_eq!(names(&folder), ["image-a.bin", "lock", "state.json"]);
    // The next run of the device has it still, and so has the cloud's twin of it.
    bench.device = bench.cloud.run(DEVICE, &[&["--profile", "firmware"][..], &options].concat());
    reporting(&mut bench.device, "firmwareVersion", |version| version == "1.1.0");
}

#[test]
fn who_waits_for_an_update_is_told_at_once_that_it_has_failed_and_why() {
    let bench = Bench::new(&["--time-scale", "30"]);
    let request = json!({"fwPackageUri": bench.sample("sample-1.1.0.bin"), "sha256": LARGE}).to_string();
    let outcome = bench.cloud.hub(&[
        "invoke",
        DEVICE,
        "firmwareUpdate",
        "--payload",
        &request,
        "--wait-for",
        "firmwareStatus=completed",
        "--unless",
        "firmwareError",
        "--timeout",
        "5m",
    ]);
    let Outcome { out, err: said, .. } = outcome.expect(1);
    assert!(
        said.contains("firmwareStatus=completed will not come: the device reported firmwareError"),
        "{said}"
    );
    assert!(out.contains(SMALL) && out.contains(LARGE), "{out}");
}

#[test]
fn the_image_in_the_readme_is_one_that_the_local_cloud_has() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("a README");
    let request: Value = readme
        .split("--payload '")
        .filter_map(|text| serde_json::from_str(text.split_once('\'')?.0).ok())
        .find(|payload: &Value| payload["sha256"].is_string())
        .expect("a request for an image");
    let uri = request["fwPackageUri"].as_str().expect("a URI");
    let name = uri.strip_prefix("https://localhost:8443/envsim/firmware/").expect("the local cloud's");
    let sample = Sample::named(name).expect("an image");
    assert_eq!((&request["version"], &request["sha256"]), (&json!(sample.version), &json!(sample.sha256)));
}

#[test]
fn the_device_with_the_cloud_inside_trusts_it_for_downloads() {
    let sandbox = Sandbox::new();
    let profiles = ["--profile", "environment,firmware", "--time-scale", "30"];
    let mut device = sandbox.start(&[&["run", "--headless", "--format", "json"][..], &profiles].concat());
    let port = device.event("cloud-ready")["httpsPort"].clone();
    reporting(&mut device, "firmwareVersion", |version| version == "1.0.0");
    let uri = format!("https://localhost:{port}/envsim/firmware/sample-1.1.0.bin");
    let payload = json!({"fwPackageUri": uri, "sha256": SMALL}).to_string();
    let wait = ["--payload", &payload, "--wait-for", "firmwareStatus=completed"];
    sandbox.run(&[&["hub", "invoke", "env-sensor-01", "firmwareUpdate"][..], &wait].concat()).expect(0);
    // Nobody has said what it is called, so it is called as its file is.
    reporting(&mut device, "firmwareVersion", |version| version == "sample-1.1.0");
}

#[test]
fn a_wrong_digest_fails_and_the_old_version_stays() {
    let bench = Bench::new(&["--firmware-dir", "images"]);
    let request = json!({"fwPackageUri": bench.sample("sample-1.1.0.bin"), "sha256": LARGE});
    bench.update(&request, "failed").expect(0);
    let reason = bench.failure("downloading");
    assert!(reason.contains("is not the image that was asked for"), "{reason}");
    assert!(reason.contains(SMALL) && reason.contains(LARGE), "{reason}");
    let folder = bench.cloud.sandbox.folder().join("images").join(DEVICE);
    assert_eq!(names(&folder), ["lock", "state.json"], "nothing of it is left");
}

#[test]
fn a_download_goes_on_where_it_stopped_when_the_server_is_back() {
    let mut bench = Bench::new(&["--time-scale", "30"]);
    let image: Vec<u8> = (0..1_048_576_u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
    let server = ImageServer::start(image.clone(), Behaviour::StopAfter(700_000), 0);
    let (uri, port) = (server.uri(), server.port());
    let payload = json!({"fwPackageUri": uri, "version": "2"}).to_string();
    bench.cloud.hub(&["invoke", DEVICE, "firmwareUpdate", "--payload", &payload]).expect(0);
    bench.device.event_where("note", |note| {
        note["text"].as_str().is_some_and(|text| text.starts_with("the download was interrupted"))
    });
    assert_eq!(server.end(), [None]);
    let server = ImageServer::start(image, Behaviour::Serve, port);
    reporting(&mut bench.device, "firmwareStatus", |status| status == "completed");
    let ranges = server.end();
    assert!(matches!(ranges[..], [Some(from)] if from > 0), "{ranges:?}");
    let waited = bench.cloud.hub(&["twin", "show", DEVICE, "--format", "json"]).expect(0).json();
    assert_eq!(waited["properties"]["reported"]["firmwareVersion"], "2");
}

#[test]
fn a_device_killed_during_a_download_says_so_and_goes_on_where_it_stopped() {
    let options = ["--firmware-dir", "images", "--time-scale", "30"];
    let mut bench = Bench::new(&options);
    let image: Vec<u8> = (0..1_048_576_u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
    let server = ImageServer::start(image.clone(), Behaviour::HangAfter(700_000), 0);
    let port = server.port();
    let request = json!({"fwPackageUri": server.uri(), "version": "2"});
    let payload = request.to_string();
    bench.cloud.hub(&["invoke", DEVICE, "firmwareUpdate", "--payload", &payload]).expect(0);
    // The report after the first: five seconds later, and all is saved two seconds after it came.
    reporting(&mut bench.device, "downloadProgress", |progress| progress["received"] == 700_000);
    let folder = bench.cloud.sandbox.folder().join("images").join(DEVICE);
    let is_saved = || {
        std::fs::read_to_string(folder.join("state.json"))
            .is_ok_and(|state| state.contains("\"received\": 700000"))
    };
    while !is_saved() {
        reporting(&mut bench.device, "downloadProgress", |_| true);
    }
    bench.device.signal("KILL");
    assert_eq!(server.end(), [None]);
    assert_eq!(bench.device.end().code, None);
    bench.device = bench.cloud.run(DEVICE, &[&["--profile", "firmware"][..], &options].concat());
    let told = reporting(&mut bench.device, "firmwareStatus", |status| status == "failed");
    assert_eq!(told["firmwareError"]["phase"], "downloading");
    let reason = told["firmwareError"]["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("the device was switched off during the download of http://127.0.0.1:")
            && reason.ends_with("; ask for it again to go on behind the 700000 bytes that are here"),
        "{reason}"
    );
    let server = ImageServer::start(image, Behaviour::Serve, port);
    bench.update(&request, "completed").expect(0);
    assert_eq!(server.end(), [Some(700_000)]);
    assert_eq!(bench.reported()["firmwareVersion"], "2");
}

#[test]
fn a_device_killed_between_apply_and_confirm_goes_back_and_says_so() {
    let folder = ["--firmware-dir", "images"];
    let mut bench = Bench::new(&folder);
    let request = json!({"fwPackageUri": bench.sample("sample-1.1.0.bin"), "version": "1.1.0"});
    // The restart takes fifteen seconds, which is when it is killed.
    bench.update(&request, "applying").expect(0);
    bench.device.signal("KILL");
    assert_eq!(bench.device.end().code, None);
    let options = [&["--profile", "firmware"][..], &folder].concat();
    bench.device = bench.cloud.run(DEVICE, &options);
    reporting(&mut bench.device, "firmwareStatus", |status| status == "standBy");
    let told = reporting(&mut bench.device, "firmwareStatus", |status| status == "failed");
    assert_eq!(told["firmwareVersion"], "1.0.0");
    assert_eq!(told["firmwareError"]["phase"], "confirming");
    assert_eq!(
        told["firmwareError"]["reason"],
        "the device was switched off after 1.1.0 had been applied and before it was confirmed"
    );
    // And once more, now undisturbed.
    bench.device.signal("TERM");
    bench.device.end().expect(0);
    bench.device = device(&bench.cloud, &["--firmware-dir", "images", "--time-scale", "30"]);
    bench.update(&request, "completed").expect(0);
    assert_eq!(bench.reported()["firmwareVersion"], "1.1.0");
}

#[test]
fn a_redirect_is_followed_and_a_circle_of_them_is_not() {
    let bench = Bench::new(&["--time-scale", "30"]);
    let server = ImageServer::start(b"firmware".to_vec(), Behaviour::Serve, 0);
    let request = json!({"fwPackageUri": format!("{}?circle", server.uri())});
    bench.update(&request, "failed").expect(0);
    let reason = bench.failure("downloading");
    assert!(
        reason.contains("it redirects in a circle: ") && reason.ends_with("; mend the server"),
        "{reason}"
    );
    let request = json!({"fwPackageUri": format!("{}?elsewhere", server.uri()), "version": "3"});
    bench.update(&request, "completed").expect(0);
    let reported = bench.reported();
    assert_eq!(reported["firmwareVersion"], "3");
    assert!(reported.get("firmwareError").is_none(), "the last failure is over: {reported}");
}

/// Stands for a full disk, which needs rights that tests do not have: a process that may write no
/// larger files.
#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_the_reason() {
    let cloud = CloudProcess::start();
    let folder = cloud.sandbox.folder().join("images").display().to_string();
    let mut args = vec!["run", "--headless", "--format", "json", "--group-key", cloud.text("groupKey")];
    args.extend(cloud.provisioning(DEVICE));
    args.extend(["--profile", "firmware", "--firmware-dir", &folder]);
    // A signal that is ignored stays so in what is started: then writing fails instead of killing.
    let limited = ["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"", super::support::BINARY];
    let mut device =
        Program::start(cloud.sandbox.other(Path::new("/bin/sh"), &[&limited[..], &args].concat()));
    reporting(&mut device, "firmwareVersion", |version| version == "1.0.0");
    let bench = Bench { device, cloud };
    let request = json!({"fwPackageUri": bench.sample("sample-1.2.0.bin")});
    bench.update(&request, "failed").expect(0);
    let reason = bench.failure("downloading");
    assert!(reason.contains("cannot write the image to"), "{reason}");
    assert!(reason.contains("choose another folder with --firmware-dir"), "{reason}");
}

/// The most memory a process has ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The image is 64 MiB. What may be added is what its own test of the folder allows: pieces on their
/// way, buffers of sockets and TLS, threads for the disk's work.
#[cfg(target_os = "linux")]
#[test]
fn a_large_image_takes_bounded_memory_in_the_whole_process() {
    const GROWTH: u64 = 24 * 1024;
    let mut bench = Bench::new(&["--time-scale", "30"]);
    // Once small, so that what every update needs is there before.
    let request = json!({"fwPackageUri": bench.sample("sample-1.1.0.bin"), "sha256": SMALL});
    bench.update(&request, "completed").expect(0);
    reporting(&mut bench.device, "firmwareVersion", |version| version == "sample-1.1.0");
    let before = peak(bench.device.id());
    let request = json!({"fwPackageUri": bench.sample("sample-2.0.0.bin"), "sha256": LARGE, "version": "2"});
    let payload = request.to_string();
    bench.cloud.hub(&["invoke", DEVICE, "firmwareUpdate", "--payload", &payload]).expect(0);
    let told = reporting(&mut bench.device, "downloadComplete", Value::is_string);
    assert_eq!(told["downloadProgress"]["received"], 64 * 1024 * 1024);
    reporting(&mut bench.device, "firmwareVersion", |version| version == "2");
    let growth = peak(bench.device.id()) - before;
    println!("the peak grew by {growth} KiB");
    assert!(growth < GROWTH, "the peak grew by {growth} KiB");
}

/// What is left of folders for images that go with a run.
fn left_over(sandbox: &Sandbox) -> Vec<String> {
    names(sandbox.folder()).into_iter().filter(|name| name.starts_with("envsim-firmware-")).collect()
}

#[test]
fn a_run_without_a_folder_leaves_none_behind_however_it_ends() {
    let sandbox = Sandbox::new();
    let profiles = ["run", "--headless", "--format", "json", "--device-id", "a,b"];
    let start = |profiles_and_limits: &[&str]| sandbox.start(&[&profiles[..], profiles_and_limits].concat());
    for signal in ["TERM", "INT", "HUP"] {
        let mut device = start(&["--profile", "firmware"]);
        reporting(&mut device, "firmwareVersion", Value::is_string);
        assert_eq!(left_over(&sandbox).len(), 2, "one for each device");
        device.signal(signal);
        device.end();
        assert_eq!(left_over(&sandbox), [""; 0], "{signal}");
    }
    for limit in [["--for", "1s"], ["--count", "1"]] {
        start(&[&["--profile", "environment,firmware", "--interval", "50ms"], &limit[..]].concat())
            .end()
            .expect(0);
        assert_eq!(left_over(&sandbox), [""; 0], "{limit:?}");
    }
}

#[test]
fn what_a_killed_run_has_left_goes_with_the_next_start() {
    let sandbox = Sandbox::new();
    let start = || {
        let mut device = sandbox.start(&["run", "--headless", "--format", "json", "--profile", "firmware"]);
        reporting(&mut device, "firmwareVersion", Value::is_string);
        device
    };
    let killed = start();
    killed.signal("KILL");
    killed.end();
    let of_the_dead = left_over(&sandbox);
    assert_eq!(of_the_dead.len(), 1);
    let alive = start();
    let of_the_living = left_over(&sandbox);
    assert_eq!(of_the_living.len(), 1);
    assert_ne!(of_the_living, of_the_dead);
    let second = start();
    let of_both = left_over(&sandbox);
    assert!(of_both.len() == 2 && of_both.contains(&of_the_living[0]), "{of_both:?} {of_the_living:?}");
    for device in [second, alive] {
        device.signal("TERM");
        device.end().expect(0);
    }
    assert_eq!(left_over(&sandbox), [""; 0]);
}

#[test]
fn a_folder_that_another_device_holds_is_a_configuration_error() {
    let bench = Bench::new(&["--firmware-dir", "images"]);
    let second = bench.cloud.run(DEVICE, &["--profile", "firmware", "--firmware-dir", "images"]);
    let said = second.end().expect(2).err;
    assert!(said.contains("is in use by another envsim (process "), "{said}");
    assert!(said.contains("choose another folder with --firmware-dir"), "{said}");
    // A profile without firmware needs no folder, and minds none in a file that others share.
    let config = bench.cloud.sandbox.write("envsim.toml", "firmware-dir = 'images'\n");
    let config = config.to_string_lossy().into_owned();
    let other = bench.cloud.run("other", &["--config", &config, "--count", "1", "--interval", "50ms"]);
    other.end().expect(0);
    assert_eq!(names(&bench.cloud.sandbox.folder().join("images")), [DEVICE]);
}

#[test]
fn a_file_that_cannot_be_a_folder_is_a_configuration_error() {
    let sandbox = Sandbox::new();
    sandbox.write("images", "a file");
    let args = ["run", "--headless", "--profile", "firmware", "--firmware-dir", "images"];
    let outcome = sandbox.run(&args).expect(2);
    assert!(outcome.err.contains("cannot make the firmware folder"), "{}", outcome.all());
    assert!(outcome.err.contains("choose another folder with --firmware-dir"), "{}", outcome.all());
    let config = sandbox.write("envsim.toml", "profile = 'firmware'\nfirmware-dir = 'images'\n");
    let outcome = sandbox.run(&["run", "--headless", "--config", &config.to_string_lossy()]).expect(2);
    assert!(outcome.err.contains("cannot make the firmware folder"), "{}", outcome.all());
}

/// The example that the operator's form begins with is the tutorial's, which is pretended.
#[test]
fn an_update_is_seen_on_the_screen_from_its_first_step_to_its_end() {
    let args = ["run", "--profile", "firmware", "--time-scale", "5"];
    let mut screen = Screen::open(120, 40, &args);
    screen.wait_for("● online");
    screen.keys("5");
    screen.wait_for("▸ invoke firmwareUpdate");
    screen.press(Key::Enter);
    screen.wait_for("test.com");
    screen.press(Key::Enter);
    screen.wait_for("2/3 downloading, ");
    screen.wait_for("firmware update completed");
    screen.keys("q");
    assert_eq!(screen.end().0, 0);
}
