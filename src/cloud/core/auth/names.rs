//! The names of a hub: clients may reach it by several, and tokens have to be for one of them.

use super::Refusal;

/// The names a hub answers to. Ports do not count: SDKs differ in whether they keep them.
#[derive(Debug, Clone)]
pub struct HubNames {
    /// The name it gives out.
    pub own: String,
    /// Others it takes as well.
    pub aliases: Vec<String>,
}

impl HubNames {
    /// Whether `host`, with or without a port, is this hub.
    pub fn includes(&self, host: &str) -> bool {
        let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let bare = bare.map_or(host, |(name, _)| name);
        std::iter::once(&self.own).chain(&self.aliases).any(|name| name.eq_ignore_ascii_case(bare))
    }

    /// The refusal of a host that is not this hub.
    pub fn check(&self, host: &str) -> Result<(), Refusal> {
        if self.includes(host) {
            return Ok(());
        }
        Err(Refusal::WrongHub { presented: host.to_owned(), own: self.own.clone() })
    }
}
