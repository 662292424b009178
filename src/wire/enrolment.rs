//! Bodies of the provisioning service's enrolment side, as back ends use it.
//!
//! DPS REST, service data plane, api-version 2021-10-01. Individual enrolments and groups share
//! nearly all members, so they share a type; which of them each has, the core knows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of the policy with all rights, which every provisioning service has from the start.
pub const OWNER_POLICY: &str = "provisioningserviceowner";

/// The header that continues a list: in an answer when there is more, in the request for it.
pub const CONTINUATION: &str = "x-ms-continuation";
/// The header that says how many items a page takes.
pub const PAGE_SIZE: &str = "x-ms-max-item-count";
/// The header that says what a page holds.
pub const ITEM_TYPE: &str = "x-ms-item-type";

/// An individual enrolment or an enrolment group.
///
/// Members that nobody knows are refused: a misspelt one would be a promise that is not kept.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolmentBody {
    /// The name of an individual enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_id: Option<String>,
    /// The name of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment_group_id: Option<String>,
    /// The device's name in the hub, when it is another than the registration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// How devices prove who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationBody>,
    /// What the device is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<CapabilitiesBody>,
    /// The hub, in the older way of naming one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iot_hub_host_name: Option<String>,
    /// The hubs to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iot_hubs: Option<Vec<String>>,
    /// How to choose: `hashed`, `geoLatency`, `static` or `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_policy: Option<String>,
    /// The function that chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_allocation_definition: Option<Value>,
    /// The twin of a new device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_twin: Option<InitialTwinBody>,
    /// `enabled` or `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_status: Option<String>,
    /// What happens when a device registers again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reprovision_policy: Option<ReprovisionBody>,
    /// What the operator notes about the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional_device_information: Option<Value>,
    /// How the device's registration stands. Only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<Value>,
    /// Changes with every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// RFC 3339. Only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_date_time_utc: Option<String>,
    /// RFC 3339. Only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_date_time_utc: Option<String>,
}

/// How devices prove who they are: one of the three, as `type` says.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttestationBody {
    /// `symmetricKey`, `x509` or `tpm`.
    #[serde(rename = "type")]
    pub kind: String,
    /// By a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symmetric_key: Option<SymmetricKeyBody>,
    /// By a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509: Option<X509Body>,
    /// By a TPM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<Value>,
}

/// The two keys of an enrolment, in base64.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymmetricKeyBody {
    /// The first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<String>,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_key: Option<String>,
}

/// The certificates of an enrolment: one of the three.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct X509Body {
    /// A device's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<CertificatesBody>,
    /// Those that sign devices' certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_certificates: Option<CertificatesBody>,
    /// Authorities that the service knows by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_references: Option<ReferencesBody>,
}

/// Two certificates, so that one can be changed without an interruption.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CertificatesBody {
    /// The first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<CertificateBody>,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<CertificateBody>,
}

/// A certificate, and what is in it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CertificateBody {
    /// PEM, or DER in base64. Written, and not read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Read, and ignored when written, but for telling which certificate is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<CertificateInfo>,
}

/// What is in a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateInfo {
    /// Whose it is.
    pub subject_name: String,
    /// Upper-case hexadecimal.
    pub sha1_thumbprint: String,
    /// Upper-case hexadecimal.
    pub sha256_thumbprint: String,
    /// Who signed it.
    pub issuer_name: String,
    /// RFC 3339.
    pub not_before_utc: String,
    /// RFC 3339.
    pub not_after_utc: String,
    /// Upper-case hexadecimal.
    pub serial_number: String,
    /// 3, nearly always.
    pub version: u32,
}

/// Names of authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencesBody {
    /// The first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<String>,
}

/// What a device is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapabilitiesBody {
    /// Whether it is an IoT Edge device.
    #[serde(default)]
    pub iot_edge: bool,
}

/// The twin of a new device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InitialTwinBody {
    /// Its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// Its properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<InitialPropertiesBody>,
}

/// The properties of a new device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InitialPropertiesBody {
    /// What the operator wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Map<String, Value>>,
}

/// What happens when a device registers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReprovisionBody {
    /// Whether its hub is chosen again.
    #[serde(default = "yes")]
    pub update_hub_assignment: bool,
    /// Whether its twin stays, or begins anew.
    #[serde(default = "yes")]
    pub migrate_device_data: bool,
}

fn yes() -> bool {
    true
}

impl Default for ReprovisionBody {
    fn default() -> Self {
        Self { update_hub_assignment: true, migrate_device_data: true }
    }
}

/// Many changes in one request.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkBody {
    /// `create`, `update`, `updateIfMatchETag` or `delete`.
    pub mode: String,
    /// Individual enrolments.
    #[serde(default)]
    pub enrollments: Vec<EnrolmentBody>,
    /// Enrolment groups, of newer clients.
    #[serde(default)]
    pub enrollment_groups: Vec<EnrolmentBody>,
}

/// What became of many changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkOutcome {
    /// Whether every one was made.
    pub is_successful: bool,
    /// Those that were not.
    pub errors: Vec<BulkError>,
}

/// Why one of many changes was not made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkError {
    /// Of which individual enrolment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_id: Option<String>,
    /// Of which group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrollment_group_id: Option<String>,
    /// As a number.
    pub error_code: u32,
    /// In words.
    pub error_status: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_documented_enrolment_is_read_and_written_back() {
        let text = json!({
            "registrationId": "sensor-01", "deviceId": "thermo-01",
            "attestation": {"type": "symmetricKey",
                "symmetricKey": {"primaryKey": "cHJpbWFyeQ==", "secondaryKey": "c2Vjb25kYXJ5"}},
            "capabilities": {"iotEdge": true}, "iotHubHostName": "contoso-hub.azure-devices.net",
            "allocationPolicy": "static",
            "initialTwin": {"tags": {"floor": 1}, "properties": {"desired": {"fan": "on"}}},
            "provisioningStatus": "enabled",
            "reprovisionPolicy": {"updateHubAssignment": true, "migrateDeviceData": false}
        });
        let body: EnrolmentBody = serde_json::from_value(text.clone()).expect("an enrolment");
        assert_eq!(serde_json::to_value(&body).expect("JSON"), text);
    }

    #[test]
    fn nulls_are_as_good_as_nothing_and_a_misspelt_member_is_named() {
        let body: EnrolmentBody = serde_json::from_value(json!({
            "registrationId": "s", "deviceId": null, "attestation": {"type": "symmetricKey", "symmetricKey": null},
            "iotHubs": null, "reprovisionPolicy": null
        }))
        .expect("an enrolment");
        assert_eq!(body.registration_id.as_deref(), Some("s"));
        let wrong = serde_json::from_value::<EnrolmentBody>(json!({"reprovisonPolicy": {}}));
        assert!(wrong.is_err_and(|error| error.to_string().contains("`reprovisonPolicy`")));
    }
}
