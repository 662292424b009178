//! Why the cloud refuses a request: Azure's number and name for it, and words a person can use.

use std::fmt;

/// A refusal, in the numbers and names of "Understand IoT Hub errors" and of the DPS REST
/// reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Like an HTTP status.
    pub status: u16,
    /// Azure's number, which begins with the status.
    pub code: u32,
    /// Azure's name for the number.
    pub name: &'static str,
    /// What was attempted, on what, and why it is refused.
    pub message: String,
}

impl Fault {
    fn new(status: u16, code: u32, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, name, message: message.into() }
    }

    /// The request means nothing to the cloud.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, 400_004, "ArgumentInvalid", message)
    }

    /// The body is not what it should be.
    pub fn undeserializable(message: impl Into<String>) -> Self {
        Self::new(400, 400_012, "DeserializationError", message)
    }

    /// The credentials do not allow it.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, 401_002, "IotHubUnauthorizedAccess", message)
    }

    /// There is no such device.
    pub fn unknown_device(device: &str) -> Self {
        Self::new(404, 404_001, "DeviceNotFound", format!("there is no device `{device}` in this hub"))
    }

    /// There is no such module on a device.
    pub fn unknown_module(device: &str, module: &str) -> Self {
        Self::new(
            404,
            404_010,
            "ModuleNotFound",
            format!("there is no module `{module}` on the device `{device}` in this hub"),
        )
    }

    /// There is no such certificate authority.
    pub fn unknown_authority(name: &str) -> Self {
        let message = format!("there is no certificate authority `{name}` in this hub");
        Self::new(404, 404_000, "CertificateNotFound", message)
    }

    /// There is no such registration or operation.
    pub fn unknown_registration(message: impl Into<String>) -> Self {
        Self::new(404, 404_202, "DeviceRegistrationNotFound", message)
    }

    /// The device is not connected, or takes no commands.
    pub fn not_online(message: impl Into<String>) -> Self {
        Self::new(404, 404_103, "DeviceNotOnline", message)
    }

    /// The device did not answer in time.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self::new(504, 504_101, "GatewayTimeout", message)
    }

    /// What the device answered cannot be passed on.
    pub fn bad_answer(message: impl Into<String>) -> Self {
        Self::new(502, 502_000, "BadDeviceResponse", message)
    }

    /// The device is there already.
    pub fn exists(device: &str) -> Self {
        Self::new(
            409,
            409_001,
            "DeviceAlreadyExists",
            format!("there is a device `{device}` already; to change it, send If-Match"),
        )
    }

    /// The module is there already.
    pub fn module_exists(device: &str, module: &str) -> Self {
        Self::new(
            409,
            409_301,
            "ModuleAlreadyExistsOnDevice",
            format!(
                "there is a module `{module}` on the device `{device}` already; to change it, send If-Match"
            ),
        )
    }

    /// The device has as many modules as a device can have.
    pub fn too_many_modules(device: &str, most: usize) -> Self {
        Self::new(
            413,
            413_003,
            "TooManyModulesOnDevice",
            format!("the device `{device}` has {most} modules already, the most that a device has"),
        )
    }

    /// There is no such scheduled job.
    pub fn unknown_job(job: &str) -> Self {
        Self::new(404, 404_002, "JobNotFound", format!("there is no scheduled job `{job}` in this hub"))
    }

    /// The job is there already.
    pub fn job_exists(job: &str) -> Self {
        Self::new(
            409,
            409_104,
            "JobAlreadyExists",
            format!("there is a job `{job}` already, running or finished; choose another id"),
        )
    }

    /// As many jobs wait or run as a hub takes.
    pub fn too_many_jobs(most: usize) -> Self {
        Self::new(
            429,
            429_004,
            "ThrottlingMaxActiveJobCountExceeded",
            format!("{most} jobs wait or run already; wait until one has finished, or cancel one"),
        )
    }

    /// There is no such configuration.
    pub fn unknown_configuration(id: &str) -> Self {
        Self::new(
            404,
            404_301,
            "ConfigurationNotFound",
            format!("there is no configuration `{id}` in this hub"),
        )
    }

    /// The configuration is there already.
    pub fn configuration_exists(id: &str) -> Self {
        Self::new(
            409,
            409_401,
            "ConfigurationAlreadyExists",
            format!("there is a configuration `{id}` already; to change it, send If-Match"),
        )
    }

    /// Somebody else changed it in between.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(412, 412_001, "PreconditionFailed", message)
    }

    /// Too large.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, 413_001, "MessageTooLarge", message)
    }

    /// Too many at once.
    pub fn throttled(message: impl Into<String>) -> Self {
        Self::new(429, 429_001, "ThrottlingException", message)
    }

    /// Something Azure has and this cloud has not.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(501, 501_000, "NotSupported", message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
