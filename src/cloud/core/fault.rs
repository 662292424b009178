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
    /// How long was waited for, in seconds, when that is what went wrong.
    pub waited: Option<u64>,
    /// What the client is told to wait, in seconds, when it is told here and not by a setting.
    pub retry_after: Option<u64>,
}

impl Fault {
    fn new(status: u16, code: u32, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, name, message: message.into(), waited: None, retry_after: None }
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

    /// There is no such individual enrolment.
    pub fn unknown_enrolment(id: &str) -> Self {
        Self::new(404, 404_201, "EnrollmentNotFound", format!("there is no individual enrolment `{id}`"))
    }

    /// There is no such operation of a registration.
    pub fn unknown_operation(message: impl Into<String>) -> Self {
        Self::new(404, 404_203, "AsyncOperationNotFound", message)
    }

    /// There is no such enrolment group.
    pub fn unknown_group(id: &str) -> Self {
        Self::new(404, 404_204, "EnrollmentGroupNotFound", format!("there is no enrolment group `{id}`"))
    }

    /// The enrolment is there already.
    pub fn enrolment_exists(of: impl fmt::Display) -> Self {
        Self::new(
            409,
            409_201,
            "EnrollmentAlreadyExists",
            format!("{of} is there already; to change it, send its etag or * in If-Match"),
        )
    }

    /// There is no such certificate authority.
    pub fn unknown_authority(name: &str) -> Self {
        let message = format!("there is no certificate authority `{name}` in this hub");
        Self::new(404, 404_000, "CertificateNotFound", message)
    }

    /// There is no such firmware image.
    pub fn unknown_firmware(name: &str) -> Self {
        let message = format!("there is no firmware image `{name}`; GET /envsim/firmware lists them");
        Self::new(404, 404_000, "FirmwareNotFound", message)
    }

    /// There is nothing at a path.
    pub fn unknown_path(message: impl Into<String>) -> Self {
        Self::new(404, 404_000, "NotFound", message)
    }

    /// There is something at a path, and it is not for this method.
    pub fn wrong_method(message: impl Into<String>) -> Self {
        Self::new(405, 405_000, "MethodNotAllowed", message)
    }

    /// There is no such registration.
    pub fn unknown_registration(message: impl Into<String>) -> Self {
        Self::new(404, 404_202, "DeviceRegistrationNotFound", message)
    }

    /// The device was not connected, or took no commands, for so many seconds. In Azure's words,
    /// which programs are known to compare.
    pub fn not_online(waited: u64) -> Self {
        let fault = Self::new(404, 404_103, "DeviceNotOnline", "Timed out waiting for device to connect.");
        Self { waited: Some(waited), ..fault }
    }

    /// The device did not answer for so many seconds. In Azure's words.
    pub fn no_answer(waited: u64) -> Self {
        let words = "Timed out waiting for the response from device.";
        Self { waited: Some(waited), ..Self::new(504, 504_101, "GatewayTimeout", words) }
    }

    /// The cloud is about to stop.
    pub fn stopping() -> Self {
        Self::new(503, 503_001, "ServiceUnavailable", "the local cloud is being stopped")
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

    /// As many cloud-to-device messages wait as may.
    pub fn queue_full(device: &str, most: usize) -> Self {
        Self::new(
            403,
            403_004,
            "DeviceMaximumQueueDepthExceeded",
            format!(
                "{most} messages wait for the device `{device}` already, the most that a queue holds; let the \
                 device take some, or purge the queue"
            ),
        )
    }

    /// A message would expire too late, or has.
    pub fn bad_expiry(message: impl Into<String>) -> Self {
        Self::new(403, 403_009, "InvalidMessageExpiryTime", message)
    }

    /// What is settled was held too long, or has been settled.
    pub fn lock_lost(message: impl Into<String>) -> Self {
        Self::new(412, 412_002, "DeviceMessageLockLost", message)
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

    /// Too many at once, and when to try again.
    pub fn busy(message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::throttled(message) }
    }

    /// The day's messages are used up.
    pub fn quota_exceeded(message: impl Into<String>) -> Self {
        Self::new(403, 403_002, "IotHubQuotaExceeded", message)
    }

    /// Not now, though there is nothing wrong with the request.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, 503_001, "ServiceUnavailable", message)
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
