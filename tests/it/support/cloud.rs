//! A local cloud in a process of its own.

use envsim::wire::SharedKey;
use serde_json::Value;

use super::{Outcome, Program, Sandbox};

/// `envsim cloud`, ready.
pub struct CloudProcess {
    // Before its folder, which cannot go while somebody writes there.
    process: Program,
    /// Where it lives; `envsim hub` finds it there without options.
    pub sandbox: Sandbox,
    /// Its ready line.
    pub ready: Value,
}

impl CloudProcess {
    /// One on free ports.
    pub fn start() -> Self {
        Self::with(&["--mqtt-port", "0", "--https-port", "0"])
    }

    /// One with these options.
    pub fn with(options: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let args: Vec<_> = ["cloud", "--format", "json"].iter().chain(options).copied().collect();
        let process = sandbox.start(&args);
        Self::of(sandbox, process)
    }

    /// One that has been started in its own way.
    pub fn of(sandbox: Sandbox, mut process: Program) -> Self {
        let ready = process.line("ready line", |line| serde_json::from_str(line).ok());
        Self { process, sandbox, ready }
    }

    /// A text of the ready line.
    pub fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.ready))
    }

    /// The device's own key, as the holder of the group's key makes it.
    pub fn key(&self, device: &str) -> String {
        let group = SharedKey::from_base64(self.text("groupKey")).expect("a group key");
        group.derive(device).reveal()
    }

    /// A connection string straight to the hub. The device must be in the registry.
    pub fn connection_string(&self, device: &str) -> String {
        let (hub, port) = (self.text("hub"), &self.ready["mqttPort"]);
        format!("HostName={hub}:{port};DeviceId={device};SharedAccessKey={}", self.key(device))
    }

    /// The options that lead a device through this cloud's provisioning, without a key.
    pub fn provisioning<'a>(&'a self, device: &'a str) -> Vec<&'a str> {
        let mut options = vec!["--provisioning-host", self.text("provisioningEndpoint")];
        options.extend(["--id-scope", self.text("idScope"), "--ca", self.text("caFile")]);
        options.extend(["--device-id", device]);
        options
    }

    /// A device on this cloud, headless with JSON, by the group key.
    pub fn run(&self, device: &str, options: &[&str]) -> Program {
        let mut args = vec!["run", "--headless", "--format", "json", "--group-key", self.text("groupKey")];
        args.extend(self.provisioning(device));
        args.extend(options);
        self.sandbox.start(&args)
    }

    /// `envsim hub` with these arguments, to its end.
    pub fn hub(&self, args: &[&str]) -> Outcome {
        self.hub_start(args).end()
    }

    /// `envsim hub` with these arguments, started.
    pub fn hub_start(&self, args: &[&str]) -> Program {
        let args: Vec<_> = ["hub"].iter().chain(args).copied().collect();
        self.sandbox.start(&args)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&self) {
        self.process.signal("KILL");
    }

    /// Ends it with a signal.
    pub fn stop(self, signal: &str) -> Outcome {
        self.process.signal(signal);
        self.process.end()
    }
}
