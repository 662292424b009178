//! The programs that the README shows, run as it says: unchanged, after `. ./cloud.env`.

use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use super::certificates;
use super::clouds::{own_address, port_443};
use super::environment::{PYTHON_DEVICE, PYTHON_SERVICE, node_modules, node_version, python};
use super::support::{BINARY, Outcome, Program, Sandbox};

/// A program of `assets/snippets`.
pub struct Snippet {
    /// The name of its case.
    pub case: &'static str,
    file: &'static str,
    runs_on: RunsOn,
    /// What it has to print.
    prints: &'static [&'static str],
}

/// What runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunsOn {
    /// A package of Python.
    Python(&'static str),
    /// A package of Node, on any port.
    Node(&'static str),
    /// A package of Node that knows no port but 443.
    Node443(&'static str),
    /// curl, with a token that a Python SDK has signed.
    Shell,
}

use RunsOn::{Node, Node443, Python, Shell};

/// Each with the SDK that it is for.
pub const SNIPPETS: &[Snippet] = &[
    Snippet {
        case: "a_python_device_registers_and_sends",
        file: "python_device.py",
        runs_on: Python(PYTHON_DEVICE),
        prints: &["'$version': 1"],
    },
    Snippet {
        case: "a_python_device_connects_to_a_hub_with_a_name_from_azure",
        file: "python_gateway.py",
        runs_on: Python(PYTHON_DEVICE),
        prints: &["connected True"],
    },
    Snippet {
        case: "a_python_back_end_makes_a_device_and_changes_its_twin",
        file: "python_service.py",
        runs_on: Python(PYTHON_SERVICE),
        prints: &["[('made-by-py', 2)]", ";DeviceId=made-by-py;SharedAccessKey="],
    },
    Snippet {
        case: "a_node_device_registers_and_sends",
        file: "node_device.js",
        runs_on: Node("azure-iot-device-mqtt"),
        prints: &["sensor-js has sent to 127."],
    },
    Snippet {
        case: "a_node_back_end_makes_a_device_and_changes_its_twin",
        file: "node_service.js",
        runs_on: Node443("azure-iothub"),
        prints: &["made-by-js"],
    },
    Snippet {
        case: "a_node_back_end_makes_an_enrolment",
        file: "node_enrolments.js",
        runs_on: Node443("azure-iot-provisioning-service"),
        prints: &["one is enabled"],
    },
    Snippet {
        case: "curl_speaks_with_everything_under_envsim",
        file: "envsim.sh",
        runs_on: Shell,
        prints: &[
            r#"{"latency":100,"#,
            r#"{"dropped":0}"#,
            r#"["mine"]"#,
            r#""certificate":"MII"#,
            r#""messageId":""#,
            r#""source":"#,
        ],
    },
];

impl Snippet {
    /// The SDK and its version, for people.
    pub fn sdk(&self) -> String {
        match self.runs_on {
            Python(package) => package.replace("==", " "),
            Node(package) | Node443(package) => format!("{package} {}", node_version(package)),
            Shell => "curl".to_owned(),
        }
    }

    /// Why it cannot run here.
    pub fn missing(&self) -> Option<String> {
        let sdk = match self.runs_on {
            Python(_) | Shell => python().err(),
            Node(_) | Node443(_) => node_modules().err(),
        };
        let port = matches!(self.runs_on, Node443(_)).then(port_443).and_then(Result::err);
        sdk.map(str::to_owned).or(port)
    }

    /// Runs it against a cloud of its own.
    pub fn run(&self) -> Result<(), Failed> {
        let address = own_address();
        let hub = if self.file == "python_gateway.py" { "my-hub.azure-devices.net" } else { &address };
        let (sandbox, _cloud) = cloud(&address, hub)?;
        certificates::write(sandbox.folder()).map_err(|error| error.to_string())?;
        let file = folder().join(self.file);
        let file = file.display();
        let line = match self.runs_on {
            Python(_) => format!("exec '{}' '{file}'", python()?.display()),
            Node(_) | Node443(_) => format!("exec node '{file}'"),
            // The device is there for the events that the last line reads, and finds its way by the
            // same variables.
            Shell => {
                let (python, token) = (python()?.display(), folder().join("service_token.py"));
                let device = format!("'{BINARY}' run --headless --device-id sensor-01 --count 1");
                format!("{device} && TOKEN=$('{python}' '{}') && . '{file}'", token.display())
            }
        };
        let mut command = sandbox.other(Path::new("sh"), &["-c", &format!(". ./cloud.env; {line}")]);
        command.env("NODE_PATH", node_modules().unwrap_or(Path::new("")));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("GATEWAY", &address);
        let outcome = Program::start(command).end();
        self.check(&outcome)
    }

    fn check(&self, outcome: &Outcome) -> Result<(), Failed> {
        // The stream of events goes on until curl's own limit of time, its error 28, ends it.
        let codes: &[i32] = if self.runs_on == Shell { &[0, 28] } else { &[0] };
        if !outcome.code.is_some_and(|code| codes.contains(&code)) {
            return Err(format!("it ended with {:?}\n{}", outcome.code, outcome.all()).into());
        }
        match self.prints.iter().find(|wanted| !outcome.out.contains(*wanted)) {
            Some(wanted) => Err(format!("it does not print `{wanted}`\n{}", outcome.all()).into()),
            None => Ok(()),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/snippets")
}

/// A cloud with this address and name that has written its variables to `cloud.env`, and the folder where that is.
fn cloud(address: &str, hub: &str) -> Result<(Sandbox, Program), Failed> {
    let https = if port_443().is_ok() { "443" } else { "8443" };
    let sandbox = Sandbox::new();
    let at = ["--bind", address, "--hostname", hub, "--https-port", https];
    let mut cloud = sandbox.start(&[&["cloud", "--device", "sensor-01", "--env"], &at[..]].concat());
    let mut lines = Vec::new();
    cloud.line("last variable", |line| {
        lines.push(line.to_owned());
        line.starts_with("export NODE_EXTRA_CA_CERTS=").then_some(())
    });
    std::fs::write(sandbox.folder().join("cloud.env"), lines.join("\n"))?;
    Ok((sandbox, cloud))
}
