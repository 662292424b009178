//! What is run: the files of cases, the SDK each is for, and what each needs.
//!
//! The cases of a file are those that it declares itself, so that no list can fall behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};

use super::clouds::{self, Clouds, port_443};
use super::environment::{
    Language, PYTHON_DEVICE, PYTHON_EVENTS, PYTHON_SERVICE, node_modules, node_version, python, scripts,
};
use super::snippets::SNIPPETS;
use super::{edge_filter, firmware, operator, reboot, script, tutorial};

use Language::{Node, Python};

/// What a file's SDKs know no other port than.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// 8883, or any that they are told.
    Any,
    /// 443.
    Https,
}

/// The cases of one concept.
struct File {
    path: &'static str,
    language: Language,
    /// The package that the promise is made for; of Node without its version, which is pinned
    /// elsewhere.
    sdk: &'static str,
    ports: Ports,
    /// The options of the cloud that each of its cases has for itself; none for the shared one.
    options: &'static [&'static str],
}

const fn file(language: Language, path: &'static str, sdk: &'static str, ports: Ports) -> File {
    File { path, language, sdk, ports, options: &[] }
}

/// In the order of the table at the end.
const FILES: &[File] = &[
    file(Python, "device_mqtt.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "device_aio.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "device_twin.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "device_methods.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "device_messages.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "device_links.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "websocket.py", PYTHON_DEVICE, Ports::Https),
    file(Python, "module.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "routes.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "edge.py", PYTHON_DEVICE, Ports::Https),
    file(Python, "seats.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "x509.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "provisioning.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "provisioning_websocket.py", PYTHON_DEVICE, Ports::Https),
    file(Python, "faults.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "restart.py", PYTHON_DEVICE, Ports::Any),
    file(Python, "registry.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "modules.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "twins.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "methods.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "moves.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "query.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "jobs.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "configurations.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "firmware.py", PYTHON_SERVICE, Ports::Any),
    file(Python, "unsupported.py", PYTHON_SERVICE, Ports::Https),
    file(Python, "amqp.py", PYTHON_SERVICE, Ports::Any),
    // Clouds of their own: events are kept for a while only, and other cases send many.
    File { options: &["--device", "reader"], ..file(Python, "event_hub.py", PYTHON_EVENTS, Ports::Any) },
    file(Node, "device_mqtt.js", "azure-iot-device-mqtt", Ports::Any),
    file(Node, "device_websocket.js", "azure-iot-device-mqtt", Ports::Https),
    file(Node, "provisioning_mqtt.js", "azure-iot-provisioning-device-mqtt", Ports::Any),
    file(Node, "provisioning_http.js", "azure-iot-provisioning-device-http", Ports::Https),
    file(Node, "provisioning_websocket.js", "azure-iot-provisioning-device-mqtt", Ports::Https),
    File { options: &["--sku", "F1"], ..file(Node, "small_hub.js", "azure-iothub", Ports::Https) },
    file(Node, "registry.js", "azure-iothub", Ports::Https),
    file(Node, "twins.js", "azure-iothub", Ports::Https),
    file(Node, "methods.js", "azure-iothub", Ports::Https),
    file(Node, "jobs.js", "azure-iothub", Ports::Https),
    file(Node, "configurations.js", "azure-iothub", Ports::Https),
    file(Node, "amqp.js", "azure-iothub", Ports::Https),
    file(Node, "enrollments.js", "azure-iot-provisioning-service", Ports::Https),
];

impl File {
    /// The SDK and its version, for people.
    fn sdk(&self) -> String {
        match self.language {
            Python => self.sdk.replace("==", " "),
            Node => format!("{} {}", self.sdk, node_version(self.sdk)),
        }
    }

    /// The names of its cases, as the file declares them: `@case` above a function in Python,
    /// `cases.name = ` in Node.
    fn cases(&self) -> Vec<String> {
        let path = scripts(self.language).join(self.path);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<_> = text.lines().collect();
        let name =
            |text: &str| text.split(|it: char| !it.is_alphanumeric() && it != '_').next().map(str::to_owned);
        match self.language {
            Python => lines
                .windows(2)
                .filter(|pair| pair[0] == "@case")
                .filter_map(|pair| name(pair[1].trim_start_matches("async ").strip_prefix("def ")?))
                .collect(),
            Node => lines.iter().filter_map(|line| name(line.strip_prefix("cases.")?)).collect(),
        }
    }

    fn run(&self, case: &str, clouds: &Clouds) -> Result<(), Failed> {
        if self.options.is_empty() {
            return script::run(self.language, self.path, case, &clouds.shared());
        }
        let cloud = clouds::own(self.options);
        script::run(self.language, self.path, case, &cloud.ready)
    }

    /// Why its cases cannot run here.
    fn missing(&self) -> Option<String> {
        let sdk = match self.language {
            Python => python().err(),
            Node => node_modules().err(),
        };
        let port = if self.ports == Ports::Https { port_443().err() } else { None };
        sdk.map(str::to_owned).or(port)
    }
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// And why.
    NotRun(String),
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    pub name: String,
    pub sdk: String,
    /// None for what was not chosen.
    pub result: Option<(Verdict, Duration)>,
}

/// Every case, and how those that were run went.
#[derive(Clone)]
pub struct Suite {
    clouds: Arc<Clouds>,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Suite {
    pub fn new() -> Self {
        Self { clouds: Arc::default(), lines: Arc::default() }
    }

    /// Every case, to be run.
    pub fn trials(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for file in FILES {
            let title = file.path.replace(['.'], "_");
            let title = title.trim_end_matches("_py").trim_end_matches("_js");
            let language = if file.language == Python { "python" } else { "node" };
            for case in file.cases() {
                let clouds = Arc::clone(&self.clouds);
                let name = format!("{language}::{title}::{case}");
                trials.push(self.trial(
                    name,
                    file.sdk(),
                    || file.missing(),
                    move || file.run(&case, &clouds),
                ));
            }
        }
        let of_004 = tutorial::STORIES.iter().map(|(name, story)| ("tutorial", name, PYTHON_DEVICE, story));
        let of_000 = reboot::STORIES.iter().map(|(name, sdk, story)| ("reboot", name, *sdk, story));
        let of_001 = firmware::STORIES.iter().map(|(name, sdk, story)| ("firmware", name, *sdk, story));
        let of_003 =
            edge_filter::STORIES.iter().map(|(name, story)| ("edge_filter", name, PYTHON_DEVICE, story));
        let of_hub = operator::STORIES.iter().map(|(name, story)| ("operator", name, PYTHON_DEVICE, story));
        for (group, name, sdk, story) in of_004.chain(of_000).chain(of_001).chain(of_003).chain(of_hub) {
            let missing = || python().err().map(str::to_owned);
            trials.push(self.trial(
                format!("python::{group}::{name}"),
                sdk.replace("==", " "),
                missing,
                move || {
                    let python = python()?;
                    story(python);
                    Ok(())
                },
            ));
        }
        for snippet in SNIPPETS {
            let name = format!("snippets::{}", snippet.case);
            trials.push(self.trial(name, snippet.sdk(), || snippet.missing(), || snippet.run()));
        }
        trials
    }

    fn trial(
        &self,
        name: String,
        sdk: String,
        missing: impl FnOnce() -> Option<String> + Send + 'static,
        run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
    ) -> Trial {
        let lines = Arc::clone(&self.lines);
        let place = {
            let mut lines = self.lock();
            lines.push(Line { name: name.clone(), sdk, result: None });
            lines.len() - 1
        };
        Trial::ignorable_test(name, move || {
            let start = Instant::now();
            let outcome = match missing() {
                Some(why) if std::env::var("CI").as_deref() == Ok("true") => {
                    Err(format!("CI must run this, and cannot: {why}").into())
                }
                Some(why) => Ok(Completion::ignored_with(format!("not run: {why}"))),
                None => std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
                    .unwrap_or_else(|panic| Err(words(&*panic).into()))
                    .map(|()| Completion::Completed),
            };
            let verdict = match &outcome {
                Ok(Completion::Completed) => Verdict::Passed,
                Ok(Completion::Ignored { reason }) => Verdict::NotRun(reason.clone().unwrap_or_default()),
                Err(_) => Verdict::Failed,
            };
            lines.lock().unwrap_or_else(PoisonError::into_inner)[place].result =
                Some((verdict, start.elapsed()));
            outcome
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table so far, in the order of the suite.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().clone()
    }

    /// Ends what still runs for it.
    pub fn end(&self) {
        self.clouds.end();
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
