//! What stands below the help of verbs: command lines to copy. A test reads every one of them.

/// Of `device create`.
pub const DEVICE_CREATE: &str = "Examples:
  envsim hub device create sensor-02 --save-connection-string sensor-02.txt
  envsim hub device create edge-01 --edge --or-show
  envsim hub device create sensor-03 --x509-ca

With --or-show a device that is there stays as it is; what is not as asked for is told.";

/// Of `device show`.
pub const DEVICE_SHOW: &str = "Examples:
  envsim hub device show sensor-02
  envsim hub device show sensor-02 --save-connection-string sensor-02.txt --force";

/// Of `device list`.
pub const DEVICE_LIST: &str = "Examples:
  envsim hub device list
  envsim hub device list --top 20 --format json

A hub that is busy is waited for, as long as it asks for.";

/// Of `device delete`.
pub const DEVICE_DELETE: &str = "Example:
  envsim hub device delete sensor-02";

/// Of `module create`.
pub const MODULE_CREATE: &str = "Examples:
  envsim hub module create sensor-02 meter --save-connection-string meter.txt
  envsim hub module create sensor-02 meter --or-show

With --or-show a module that is there stays as it is; what is not as asked for is told.";

/// Of `module show`.
pub const MODULE_SHOW: &str = "Example:
  envsim hub module show sensor-02 meter";

/// Of `module list`.
pub const MODULE_LIST: &str = "Example:
  envsim hub module list sensor-02";

/// Of `module delete`.
pub const MODULE_DELETE: &str = "Example:
  envsim hub module delete sensor-02 meter";

/// Of `twin show`.
pub const TWIN_SHOW: &str = "Examples:
  envsim hub twin show env-sensor-01
  envsim hub twin show sensor-02 --module meter --format json";

/// Of `twin update`.
pub const TWIN_UPDATE: &str = "Examples:
  envsim hub twin update env-sensor-01 --desired '{\"brightness\": 80}'
  envsim hub twin update env-sensor-01 --tags '{\"floor\": 2, \"room\": null}'
  envsim hub twin update sensor-02 changes.json

A file has the form of a twin: {\"tags\": {}, \"properties\": {\"desired\": {}}}.";

/// Of `twin replace`.
pub const TWIN_REPLACE: &str = "Examples:
  envsim hub twin replace env-sensor-01 --desired '{\"brightness\": 80}'
  envsim hub twin replace env-sensor-01 --tags '{}'
  envsim hub twin replace sensor-02 twin.json";

/// Of `twin watch`.
pub const TWIN_WATCH: &str = "Examples:
  envsim hub twin watch env-sensor-01
  envsim hub twin watch env-sensor-01 --count 1 --for 1m --format json

A hub that is away is waited for, for five minutes at most. The watch ends with 1 when the twin is
deleted. What happens between two reads of the twin is told as one change.";

/// Of `invoke`.
pub const INVOKE: &str = "Examples:
  envsim hub invoke env-sensor-01 blink --payload 5
  envsim hub invoke env-sensor-01 rundiagnostics --wait-for rundiagnostics --timeout 1m
  envsim hub invoke env-sensor-01 firmwareUpdate --payload-file update.json \\
    --wait-for firmwareStatus=completed --unless firmwareError

The twin is read twice a second, ten times of the local cloud: a value that stands shorter than that
may be missed. Each step has the time at which the hub took it.";

/// Of `send`.
pub const SEND: &str = "Examples:
  envsim hub send env-sensor-01 '{\"on\": true}' --property level=3 --ack full
  envsim hub send env-sensor-01 --body-file message.json --content-type application/json

A hub in Azure takes messages over AMQP only, on port 5671, and the policy needs the right `service
connect`. It is waited for until the hub says that it has the message. This has been tried against
envsim's local cloud only, never against Azure.";

/// Of `monitor`.
pub const MONITOR: &str = "Examples:
  envsim hub monitor
  envsim hub monitor --device env-sensor-01 --count 3 --format json
  envsim hub monitor --property alert=high --for 10m
  envsim hub monitor --event-hub-connection-string-file endpoint.txt

A local cloud that is away is waited for, for five minutes at most.

A hub in Azure is read over AMQP, on port 5671, by way of the Event Hub-compatible endpoint that it
names. The policy needs the right `service connect`. This has been tried against envsim's local cloud
only, never against Azure.";

/// Of `deploy`.
pub const DEPLOY: &str = r#"Examples:
  envsim hub deploy edge-01 deployment.json
  envsim hub deploy edge-01 --show

A deployment:
  {"modulesContent": {
    "$edgeAgent": {"properties.desired": {"schemaVersion": "1.0", "modules": {
      "sensor": {"type": "docker", "status": "running", "settings": {"image": "sensor:1.0"}},
      "filter": {"type": "docker", "status": "running", "settings": {"image": "filter:1.0"}}}}},
    "$edgeHub": {"properties.desired": {"schemaVersion": "1.0", "routes": {
      "in": "FROM /messages/modules/sensor/* INTO BrokeredEndpoint(\"/modules/filter/inputs/in\")",
      "up": "FROM /messages/modules/filter/outputs/out INTO $upstream"}}},
    "filter": {"properties.desired": {"TemperatureThreshold": 25}}}}"#;

/// Of `query`.
pub const QUERY: &str = "Examples:
  envsim hub query \"SELECT deviceId, status FROM devices WHERE capabilities.iotEdge = true\"
  envsim hub query \"SELECT properties.reported.firmwareVersion AS version, COUNT() AS devices
                    FROM devices GROUP BY properties.reported.firmwareVersion\"
  envsim hub query \"SELECT * FROM devices.modules WHERE moduleId = 'meter'\" --format json

From devices, devices.modules or devices.jobs. In Azure the results lag behind by some seconds. A hub
that is busy is waited for, as long as it asks for.";

/// Of `faults show`.
pub const FAULTS_SHOW: &str = "Example:
  envsim hub faults show";

/// Of `faults clear`.
pub const FAULTS_CLEAR: &str = "Example:
  envsim hub faults clear";

/// Of `faults set`.
pub const FAULTS_SET: &str = r#"Members, times in milliseconds:
  latency     answers come so much later
  dropEvery   all connections are dropped, again and again
  tokenLife   a connection ends after this time, as if its token had run out
  refuse      {"returnCode": 3, "times": 2, "device": "d"}: connections are refused
  dpsBusy     {"times": 2, "retryAfter": 3}: DPS answers 429, and how many seconds to wait
  elsewhere   {"hub": "HOST:PORT", "device": "d"}: DPS sends the device there, it is refused here
Without times it is always, without device it is all of them.

Example:
  envsim hub faults set '{"latency": 500, "refuse": {"times": 3}}'"#;

/// Of `drop`.
pub const DROP: &str = "Examples:
  envsim hub drop env-sensor-01
  envsim hub drop";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};
    use serde_json::Value;

    use super::DEPLOY;
    use crate::cli::args::Cli;

    /// Every verb by its words, with what stands below its help.
    fn verbs(command: &Command, words: &str, found: &mut Vec<(String, String)>) {
        for verb in command.get_subcommands() {
            verbs(verb, &format!("{words} {}", verb.get_name()), found);
        }
        if !command.has_subcommands() {
            let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            found.push((words.to_owned(), below));
        }
    }

    /// A command line's words: what stands in quotes is one.
    fn split(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                _ => words.last_mut().expect("a word").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_verb_has_examples_that_are_command_lines() {
        let command = Cli::command();
        let mut found = Vec::new();
        verbs(command.find_subcommand("hub").expect("the hub"), "envsim hub", &mut found);
        assert!(found.len() > 15, "{found:?}");
        for (words, below) in found {
            let below = below.replace("\\\n", "").replace("\n                    ", " ");
            let lines: Vec<_> = below.lines().filter(|line| line.starts_with("  envsim ")).collect();
            assert!(!lines.is_empty(), "{words} has no example");
            for line in lines {
                assert!(line.trim_start().starts_with(&words), "{line:?} is no example of {words}");
                let read = Cli::command().try_get_matches_from(split(line));
                assert!(read.is_ok(), "{line}: {read:?}");
            }
        }
    }

    #[test]
    fn the_deployment_can_be_copied() {
        let (_, text) = DEPLOY.split_once("A deployment:\n").expect("a deployment");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "a line is broken in the help");
        let deployment: Value = serde_json::from_str(text).expect("JSON");
        let routes = &deployment["modulesContent"]["$edgeHub"]["properties.desired"]["routes"];
        assert!(routes["in"].is_string() && routes["up"].is_string(), "{routes}");
    }
}
