//! What the program costs, measured from outside on the real binary: how soon it is there, what
//! it burns at rest, how much memory it holds.
//!
//! `cargo bench --bench budget` prints one row a figure: minimum, median, maximum. The processor
//! and memory figures read `/proc`, so they are there on Linux only.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envsim::wire::SharedKey;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_envsim");
const RUNS: usize = 15;
const IDLE: Duration = Duration::from_secs(20);

fn main() {
    println!("{:<64}{:>10}{:>10}{:>10}", "", "min", "median", "max");
    row("process start to first frame, ms", repeat(first_frame));
    row("`envsim cloud`: process start to first TLS handshake, ms", repeat(first_handshake));
    row("process start to first acknowledged telemetry, local cloud inside, ms", repeat(first_acknowledged));
    let cloud = Cloud::start();
    row("the same on a connection string, without DPS, ms", repeat(|| direct_acknowledged(&cloud)));
    let (resident, _, _) = at_rest(Headless::start(&cloud).child.id(), Duration::from_secs(5));
    row("one headless device, resident memory, MiB", vec![resident]);
    let screen = Screen::open();
    let (resident, cpu, wakes) = at_rest(screen.pid, IDLE);
    row("screen with the cloud inside, resident memory, MiB", vec![resident]);
    row("the same at rest, telemetry every 2 s: % of a core", vec![cpu]);
    row("the same: wake-ups a second, all threads", vec![wakes]);
}

fn repeat(measure: impl Fn() -> f64) -> Vec<f64> {
    // The first run reads the binary from disk; it is not what is asked about.
    measure();
    (0..RUNS).map(|_| measure()).collect()
}

fn row(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!("{what:<64}{min:>10.2}{median:>10.2}{max:>10.2}");
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// A program on a pseudo-terminal of 120 by 40.
struct Screen {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    pid: u32,
    _drain: std::thread::JoinHandle<()>,
    first_frame: Duration,
}

impl Screen {
    fn open() -> Self {
        let began = Instant::now();
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(BINARY);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).expect("the program");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("its output");
        let mut seen = Vec::new();
        let mut chunk = vec![0; 65_536];
        while !String::from_utf8_lossy(&seen).contains("Telemetry") {
            let count = output.read(&mut chunk).expect("its output");
            assert!(count > 0, "the program ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..count]);
        }
        let first_frame = began.elapsed();
        let master = pair.master;
        let drain = std::thread::spawn(move || {
            let _master = master;
            while output.read(&mut chunk).is_ok_and(|count| count > 0) {}
        });
        Self { pid: child.process_id().expect("a process"), child, _drain: drain, first_frame }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_frame() -> f64 {
    Screen::open().first_frame.as_secs_f64() * 1_000.0
}

/// A local cloud on free ports with one device.
struct Cloud {
    child: Child,
    ready: Value,
}

impl Cloud {
    fn start() -> Self {
        let mut child = Command::new(BINARY)
            .args([
                "cloud",
                "--format",
                "json",
                "--mqtt-port",
                "0",
                "--https-port",
                "0",
                "--device",
                "bench-01",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the cloud");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its ready line");
        Self { child, ready: serde_json::from_str(&line).expect("JSON") }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().expect(name)
    }

    fn connection_string(&self) -> String {
        let group = SharedKey::from_base64(self.text("groupKey")).expect("a key");
        let (hub, port) = (self.text("hub"), &self.ready["mqttPort"]);
        let host = if hub.contains(':') { hub.to_owned() } else { format!("{hub}:{port}") };
        format!("HostName={host};DeviceId=bench-01;SharedAccessKey={}", group.derive("bench-01").reveal())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_handshake() -> f64 {
    let began = Instant::now();
    let cloud = Cloud::start();
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(cloud.text("caFile")).expect("the authority");
    roots.add(authority).expect("the authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).expect("TLS");
    let port = u16::try_from(cloud.ready["mqttPort"].as_u64().expect("a port")).expect("a port");
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).expect("a handshake");
    }
    millis(began)
}

/// A device without a screen.
struct Headless {
    child: Child,
    _output: BufReader<ChildStdout>,
    acknowledged: Duration,
}

impl Headless {
    fn run(command: &mut Command) -> Self {
        let began = Instant::now();
        let mut child = command
            .args(["--headless", "--format", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.contains(r#""event":"acknowledged""#) {
            line.clear();
            assert!(output.read_line(&mut line).expect("a line") > 0, "it ended before an acknowledgement");
        }
        Self { child, _output: output, acknowledged: began.elapsed() }
    }

    fn start(cloud: &Cloud) -> Self {
        Self::run(
            Command::new(BINARY)
                .arg("run")
                .env("IOTHUB_DEVICE_CONNECTION_STRING", cloud.connection_string())
                .env("ENVSIM_CA", cloud.text("caFile")),
        )
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_acknowledged() -> f64 {
    Headless::run(&mut Command::new(BINARY)).acknowledged.as_secs_f64() * 1_000.0
}

fn direct_acknowledged(cloud: &Cloud) -> f64 {
    Headless::start(cloud).acknowledged.as_secs_f64() * 1_000.0
}

/// Resident memory in MiB, processor use in per cent of a core, and voluntary wake-ups a second.
fn at_rest(pid: u32, span: Duration) -> (f64, f64, f64) {
    // What belongs to the start is over by then.
    std::thread::sleep(Duration::from_secs(3));
    let (cpu, wakes) = (processor_ticks(pid), wake_ups(pid));
    let began = Instant::now();
    std::thread::sleep(span);
    let seconds = began.elapsed().as_secs_f64();
    // Linux counts processor time in hundredths of a second for everybody.
    let percent = (processor_ticks(pid) - cpu) / seconds;
    (resident(pid), percent, (wake_ups(pid) - wakes) / seconds)
}

fn processor_ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let tick = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    tick(11) + tick(12)
}

fn status(path: &std::path::Path, name: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

fn wake_ups(pid: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.map(|task| status(&task.path().join("status"), "voluntary_ctxt_switches:")).sum()
}

fn resident(pid: u32) -> f64 {
    status(std::path::Path::new(&format!("/proc/{pid}/status")), "VmRSS:") / 1_024.0
}
