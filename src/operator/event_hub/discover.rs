//! Where a hub's events are, asked of the hub itself. IoT Hub, "Read device-to-cloud messages from
//! the built-in endpoint".

use std::sync::Arc;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{Error, LinkError};
use fe2o3_amqp::types::messaging::Body;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use rustls::ClientConfig;

use super::peer_of;
use crate::operator::OperatorError;
use crate::operator::amqp::{End, close, open, token};
use crate::wire::ConnectionString;
use crate::wire::amqp::hub_user;
use crate::wire::connection_string::Who;
use crate::wire::event_hub::{self, EventHub};

/// Asks the hub where its events are. It attaches the link, and detaches it with the place.
pub(super) async fn discover(
    hub: &ConnectionString,
    port: u16,
    config: &Arc<ClientConfig>,
) -> Result<EventHub, OperatorError> {
    let Who::Service(policy) = &hub.who else { return Err(OperatorError::NotService) };
    let host = &hub.hub.name;
    let peer = peer_of(host, port);
    let asking = async {
        let token = token(&hub.hub.to_string(), policy, &hub.key);
        let profile =
            SaslProfile::Plain { username: hub_user(policy, host), password: token.reveal().to_owned() };
        let (connection, mut session) = open(&peer, config, profile).await?;
        let attached = Receiver::builder()
            .name("envsim-redirect")
            .source(event_hub::built_in_address(host))
            .verify_incoming_source(false)
            .attach(&mut session)
            .await;
        let end: End = match attached {
            Ok(mut link) => match link.recv::<Body<Value>>().await {
                Ok(_) => {
                    return Err(peer.trouble("it gave a message where it should say where its events are"));
                }
                Err(error) => error.into(),
            },
            Err(error) => error.into(),
        };
        close(connection).await;
        match &end {
            End::Sent(error) if error.condition == LinkError::Redirect.into() => {
                let (host, port, name) = place_of(error)
                    .ok_or_else(|| peer.trouble("it does not say in a known form where its events are"))?;
                Ok(EventHub { host, port, name, policy: policy.clone(), key: hub.key.clone() })
            }
            _ => Err(peer.ended(end)),
        }
    };
    peer.in_time(asking).await
}

/// What a redirect says: the address, and the host by itself where it differs.
fn place_of(error: &Error) -> Option<(String, u16, String)> {
    let info = error.info.as_deref()?;
    let text = |name: &str| match info.get(&Symbol::from(name))? {
        Value::String(text) => Some(text.clone()),
        Value::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        _ => None,
    };
    let (host, port, name) = event_hub::redirected(&text("address")?)?;
    Some((text("hostname").filter(|host| !host.is_empty()).unwrap_or(host), port, name))
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::definitions::Fields;

    use super::*;

    fn redirect(members: &[(&str, &str)]) -> Error {
        let mut info = Fields::new();
        for (name, value) in members {
            info.insert(Symbol::from(*name), Value::String((*value).to_owned()));
        }
        Error::new(LinkError::Redirect, "elsewhere".to_owned(), info)
    }

    #[test]
    fn a_redirect_says_where_events_are() {
        let namespace = "ihsuprod-contoso.servicebus.windows.net";
        let address = format!("amqps://{namespace}:5671/iothub-ehub-contoso-1/$management");
        let place = Some((namespace.to_owned(), 5671, "iothub-ehub-contoso-1".to_owned()));
        let members = [("hostname", namespace), ("network-host", "10.0.0.1"), ("address", address.as_str())];
        assert_eq!(place_of(&redirect(&members)), place);
        assert_eq!(place_of(&redirect(&members[2..])), place);
        assert_eq!(place_of(&redirect(&members[..2])), None);
    }
}
