//! What a connection may do: the tokens it has shown, over SASL or later.

use std::sync::{Arc, Mutex, PoisonError};

use fe2o3_amqp::acceptor::sasl_acceptor::{SaslAcceptor, SaslServerFrame};
use fe2o3_amqp::types::definitions::{AmqpError, Error};
use fe2o3_amqp::types::primitives::{Array, Symbol};
use fe2o3_amqp::types::sasl::{SaslCode, SaslInit, SaslOutcome, SaslResponse};

use crate::cloud::core::auth::{Grant, Right};
use crate::cloud::shared::Shared;

/// Tokens kept for one connection; the oldest go first.
const MOST: usize = 32;
/// As Azure offers them. uamqp takes the first, which says that a token will be put.
const MECHANISMS: [&str; 3] = ["MSSBCBS", "PLAIN", "ANONYMOUS"];
/// What stands between a policy's name and the hub's in a user name.
const USER: &str = "@sas.root.";

/// The tokens of one connection.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) shared: Arc<Shared>,
    grants: Arc<Mutex<Vec<Grant>>>,
}

impl Access {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), grants: Arc::default() }
    }

    /// Takes a token, or says why not.
    pub(super) fn show(&self, token: &str) -> Result<Grant, String> {
        let grant = self
            .shared
            .look(|core, now| core.authorize_connection(now, token, Right::ServiceConnect))
            .map_err(|refusal| refusal.to_string())?;
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|old| !grant.renews(old));
        if grants.len() >= MOST {
            grants.remove(0);
        }
        grants.push(grant.clone());
        Ok(grant)
    }

    /// Whether any good token has been shown.
    pub(super) fn is_known(&self) -> bool {
        !self.grants.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether a token for this path has been shown and has not run out.
    pub(super) fn check(&self, resource: &str) -> Result<(), Error> {
        let wall = self.shared.now().wall;
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let mut covering = grants.iter().filter(|grant| grant.covers(resource)).peekable();
        let why = if covering.peek().is_none() {
            format!("no token for `{resource}` has been shown on this connection: put one to `$cbs` first")
        } else if covering.all(|grant| grant.is_expired(wall)) {
            format!("the token for `{resource}` has run out: put a new one to `$cbs`")
        } else {
            return Ok(());
        };
        tracing::warn!("AMQP: {why}");
        Err(Error::new(AmqpError::UnauthorizedAccess, why, None))
    }

    /// SASL PLAIN: `{policy}@sas.root.{hub}` with a token. RFC 4616, section 2.
    fn plain(&self, response: &[u8]) -> Result<(), String> {
        let mut parts = response.split(|byte| *byte == 0).skip(1);
        let text = |part: Option<&[u8]>| part.and_then(|part| String::from_utf8(part.to_vec()).ok());
        let (Some(user), Some(token), None) = (text(parts.next()), text(parts.next()), parts.next()) else {
            return Err("the response is not a user name and a password".to_owned());
        };
        let Some((policy, _)) = user.split_once(USER) else {
            return Err(format!("the user name `{user}` is not `{{policy}}{USER}{{hub}}`"));
        };
        let grant = self.show(&token)?;
        if grant.policy == policy {
            return Ok(());
        }
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Err(format!("the token is of the policy `{}`, the user name of `{policy}`", grant.policy))
    }
}

impl SaslAcceptor for Access {
    fn mechanisms(&self) -> Array<Symbol> {
        Array::from(MECHANISMS.map(Symbol::from).to_vec())
    }

    fn on_init(&mut self, init: SaslInit) -> SaslServerFrame {
        let done = match init.mechanism.as_str() {
            // It may do nothing before it has put a token.
            "MSSBCBS" | "ANONYMOUS" => Ok(()),
            "PLAIN" => self.plain(&init.initial_response.unwrap_or_default()),
            other => Err(format!("there is no mechanism `{other}`")),
        };
        let code = match done {
            Ok(()) => SaslCode::Ok,
            Err(why) => {
                tracing::warn!("an AMQP client is refused: {why}");
                SaslCode::Auth
            }
        };
        SaslServerFrame::Outcome(SaslOutcome { code, additional_data: None })
    }

    fn on_response(&mut self, _: SaslResponse) -> SaslServerFrame {
        // Nothing was asked.
        SaslServerFrame::Outcome(SaslOutcome { code: SaslCode::Sys, additional_data: None })
    }
}
