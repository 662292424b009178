//! The client id and user name of an MQTT CONNECT, to a hub and to a provisioning service.
//!
//! IoT Hub, "Communicate with your IoT hub by using the MQTT protocol"; DPS, "Communicate with
//! DPS by using the MQTT protocol". Identifiers stand raw in them, values of the query are
//! percent-encoded.

use super::percent;

/// The api-version that our device announces to a hub: the first that takes a model id.
pub const HUB_API_VERSION: &str = "2021-04-12";

/// The api-version of provisioning over MQTT, which every official SDK announces.
pub const DPS_API_VERSION: &str = "2019-03-31";

/// What our device calls itself.
pub const CLIENT_TYPE: &str = concat!("envsim/", env!("CARGO_PKG_VERSION"));

/// The client id of a device or module.
pub fn client_id(device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => format!("{device}/{module}"),
        None => device.to_owned(),
    }
}

/// The user name of a device or module at a hub.
pub fn hub_user_name(host: &str, device: &str, module: Option<&str>, model_id: Option<&str>) -> String {
    let client = client_id(device, module);
    let product = percent::encode(CLIENT_TYPE);
    let model = model_id.map(|id| format!("&model-id={}", percent::encode(id))).unwrap_or_default();
    format!("{host}/{client}/?api-version={HUB_API_VERSION}&DeviceClientType={product}{model}")
}

/// The user name of a device at a provisioning service.
pub fn dps_user_name(scope: &str, registration: &str) -> String {
    let product = percent::encode(CLIENT_TYPE);
    format!("{scope}/registrations/{registration}/api-version={DPS_API_VERSION}&ClientVersion={product}")
}

/// Who connects, as read from a user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserName {
    /// A device or module, to a hub.
    Hub {
        /// The hub's name as the client knows it.
        host: String,
        /// The device.
        device: String,
        /// The module on it.
        module: Option<String>,
        /// The model announced.
        model_id: Option<String>,
    },
    /// A device, to a provisioning service.
    Dps {
        /// The service's ID scope.
        scope: String,
        /// The registration id.
        registration: String,
    },
}

/// Why a user name cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Not the number of segments of any known form.
    #[error(
        "the user name is neither `{{host}}/{{device}}/?api-version=…` nor `{{scope}}/registrations/{{id}}/api-version=…`"
    )]
    Form,
    /// The query lacks the version.
    #[error("the user name has no api-version")]
    Version,
}

impl UserName {
    /// Reads the user name of every official SDK: the query with or without `?`, its members in
    /// any order, unknown ones ignored, any version that is not empty.
    pub fn parse(text: &str) -> Result<Self, UserNameError> {
        let segments: Vec<_> = text.split('/').collect();
        let (head, query) = match segments.as_slice() {
            [head @ .., query] if (2..=3).contains(&head.len()) => (head, *query),
            _ => return Err(UserNameError::Form),
        };
        if head.iter().any(|segment| segment.is_empty()) {
            return Err(UserNameError::Form);
        }
        let value = |wanted: &str| {
            query.trim_start_matches('?').split('&').find_map(|member| {
                let (name, value) = member.split_once('=')?;
                (name == wanted && !value.is_empty()).then(|| percent::decode(value))?
            })
        };
        if value("api-version").is_none() {
            return Err(UserNameError::Version);
        }
        Ok(match head {
            // A hub's device may be called `registrations`, but its query begins with `?` then.
            [scope, "registrations", registration] => {
                Self::Dps { scope: (*scope).to_owned(), registration: (*registration).to_owned() }
            }
            [host, device, rest @ ..] => Self::Hub {
                host: (*host).to_owned(),
                device: (*device).to_owned(),
                module: rest.first().map(|module| (*module).to_owned()),
                model_id: value("model-id").map(std::borrow::Cow::into_owned),
            },
            _ => return Err(UserNameError::Form),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_user_name_follows_the_documentation() {
        let name =
            hub_user_name("myhub.azure-devices.net", "dev-01", None, Some("dtmi:com:contoso:EnvSensor;1"));
        assert_eq!(
            name,
            format!(
                "myhub.azure-devices.net/dev-01/?api-version=2021-04-12&DeviceClientType=envsim%2F{}\
                 &model-id=dtmi%3Acom%3Acontoso%3AEnvSensor%3B1",
                env!("CARGO_PKG_VERSION")
            )
        );
        assert!(hub_user_name("h", "d", Some("m"), None).starts_with("h/d/m/?api-version="));
    }

    #[track_caller]
    fn hub(text: &str) -> (String, String, Option<String>, Option<String>) {
        match UserName::parse(text) {
            Ok(UserName::Hub { host, device, module, model_id }) => (host, device, module, model_id),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_user_names_of_official_sdks_are_read() {
        let (host, device, module, model) = hub(
            "myhub.azure-devices.net/dev-01/?api-version=2019-10-01&DeviceClientType=azure-iot-device-iothub-py%2F2.14.0%28x%29",
        );
        assert_eq!(
            (host.as_str(), device.as_str(), module, model),
            ("myhub.azure-devices.net", "dev-01", None, None)
        );
        let (_, device, module, _) = hub("h/edge-01/filter/?api-version=2019-10-01&DeviceClientType=x");
        assert_eq!((device.as_str(), module.as_deref()), ("edge-01", Some("filter")));
        let (_, _, _, model) = hub(
            "h/dev-01/?api-version=2020-09-30&DeviceClientType=x&model-id=dtmi%3Acom%3Acontoso%3AEnvSensor%3B1",
        );
        assert_eq!(model.as_deref(), Some("dtmi:com:contoso:EnvSensor;1"));
        let (_, device, ..) = hub("h/a+b#c$d/api-version=2021-04-12");
        assert_eq!(device, "a+b#c$d");
    }

    #[test]
    fn a_provisioning_user_name_is_told_apart() {
        assert_eq!(
            UserName::parse(
                "0ne00ABCDEF/registrations/sensor-01/api-version=2019-03-31&ClientVersion=azure-iot-device-provisioning-py%2F2.14.0"
            ),
            Ok(UserName::Dps { scope: "0ne00ABCDEF".to_owned(), registration: "sensor-01".to_owned() })
        );
    }

    #[test]
    fn bad_user_names_say_why() {
        for text in ["", "h", "h/d", "/d/?api-version=1", "h//?api-version=1", "a/b/c/d/?api-version=1"] {
            assert_eq!(UserName::parse(text), Err(UserNameError::Form), "{text}");
        }
        for text in ["h/d/", "h/d/?api-version=", "h/d/?x=1"] {
            assert_eq!(UserName::parse(text), Err(UserNameError::Version), "{text}");
        }
    }
}
