//! Addresses of nodes, as clients attach links to them.

use crate::cloud::core::capture::PARTITIONS;

/// The name of the Event Hubs compatible endpoint, `EntityPath` in its connection string.
pub(in crate::cloud) const EVENT_HUB: &str = "iothub-ehub";
/// What a link is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Tokens: claims-based security.
    Cbs,
    /// Messages for devices.
    DeviceBound,
    /// What became of them.
    Feedback,
    /// Telemetry and events: a partition, for a consumer group.
    Events {
        /// Which partition.
        partition: u8,
        /// Who reads.
        group: String,
    },
    /// Facts about the endpoint.
    Management,
    /// The hub's own name for the endpoint: the rest of it, to be sent to the endpoint with.
    BuiltIn(String),
}

/// Why there is no such node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoNode {
    /// Nothing of the name.
    #[error(
        "there is nothing at `{0}`: the local cloud has /messages/devicebound, \
         /messages/servicebound/feedback and /{EVENT_HUB}/ConsumerGroups/{{group}}/Partitions/{{number}}"
    )]
    Unknown(String),
    /// Azure has it.
    #[error("envsim's local cloud does not support {0}")]
    Unsupported(&'static str),
    /// No such partition.
    #[error("there is no partition `{0}`: they go from 0 to {last}", last = PARTITIONS - 1)]
    Partition(String),
}

impl Node {
    /// Reads an address: a path, or a URL with a host that does not matter.
    pub(super) fn parse(address: &str) -> Result<Self, NoNode> {
        let path = address
            .split_once("://")
            .map_or(address, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let path = path.trim_matches('/');
        let lower = path.to_ascii_lowercase();
        let segments: Vec<_> = lower.split('/').collect();
        let name = EVENT_HUB;
        match segments.as_slice() {
            ["$cbs"] => Ok(Self::Cbs),
            ["messages", "devicebound"] => Ok(Self::DeviceBound),
            ["messages", "servicebound", "feedback"] => Ok(Self::Feedback),
            ["messages", "servicebound", "filenotifications"] => {
                Err(NoNode::Unsupported("notifications of file uploads"))
            }
            ["messages", "events", rest @ ..] => {
                let skip = path.split('/').skip(segments.len() - rest.len());
                Ok(Self::BuiltIn(skip.collect::<Vec<_>>().join("/")))
            }
            ["$management"] => Ok(Self::Management),
            [own, "$management"] if *own == name => Ok(Self::Management),
            [own, "consumergroups", group, "partitions", partition] if *own == name => {
                let number = partition.parse().ok().filter(|number| *number < PARTITIONS);
                let partition = number.ok_or_else(|| NoNode::Partition((*partition).to_owned()))?;
                Ok(Self::Events { partition, group: (*group).to_owned() })
            }
            [own] if *own == name => Err(NoNode::Unsupported("sending events past devices")),
            [own, "partitions" | "publishers", ..] if *own == name => {
                Err(NoNode::Unsupported("sending events past devices"))
            }
            _ => Err(NoNode::Unknown(path.to_owned())),
        }
    }

    /// The path that a token has to cover; none when no token is needed.
    pub(super) fn resource(&self) -> Option<String> {
        match self {
            Self::Cbs => None,
            Self::DeviceBound => Some("/messages/devicebound".to_owned()),
            Self::Feedback => Some("/messages/servicebound/feedback".to_owned()),
            Self::Events { partition, group } => {
                Some(format!("/{EVENT_HUB}/consumergroups/{group}/partitions/{partition}"))
            }
            Self::Management => Some(format!("/{EVENT_HUB}/$management")),
            Self::BuiltIn(_) => Some("/messages/events".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_paths_and_as_urls() {
        let events = |partition| Node::Events { partition, group: "$default".to_owned() };
        for (address, node) in [
            ("$cbs", Node::Cbs),
            ("amqps://127.0.0.1/messages/devicebound", Node::DeviceBound),
            ("/messages/devicebound", Node::DeviceBound),
            ("/messages/serviceBound/feedback", Node::Feedback),
            ("$management", Node::Management),
            ("amqps://h:5671/iothub-ehub/ConsumerGroups/$Default/Partitions/3", events(3)),
            ("iothub-ehub/ConsumerGroups/$default/Partitions/0/", events(0)),
            (
                "amqps://h/messages/events/ConsumerGroups/$Default/Partitions/0",
                Node::BuiltIn("ConsumerGroups/$Default/Partitions/0".to_owned()),
            ),
            ("amqps://h/messages/events/$management", Node::BuiltIn("$management".to_owned())),
        ] {
            assert_eq!(Node::parse(address), Ok(node), "{address}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for (address, why) in [
            ("iothub-ehub/ConsumerGroups/$Default/Partitions/4", "no partition `4`"),
            ("/messages/servicebound/filenotifications", "file uploads"),
            ("other/ConsumerGroups/$Default/Partitions/0", "nothing at `other/"),
            ("amqps://h", "nothing at ``"),
            ("iothub-ehub", "past devices"),
        ] {
            let refused = Node::parse(address).expect_err(address).to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
