//! Asking a hub with its query language, page by page.
//!
//! IoT Hub, "Understand the IoT Hub query language". In Azure the answers lag behind by seconds.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Client, OperatorError};
use crate::wire::service::{CONTINUATION, ITEM_TYPE, MAX_ITEMS, QUERY_PATH};

/// A page of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its items.
    pub items: Vec<Value>,
    /// What they are: `Twin`, `Raw`, and so on; empty when the hub does not say.
    pub kind: String,
    /// What leads to the next page, when there is one.
    pub next: Option<String>,
}

impl Client {
    /// A page of at most `most` items, the first or the one that `from` leads to.
    pub async fn query(&self, query: &str, most: u16, from: Option<&str>) -> Result<Page, OperatorError> {
        let mut request = self
            .request(Method::POST, QUERY_PATH)?
            .header(MAX_ITEMS, most.to_string())
            .json(&json!({ "query": query }));
        if let Some(from) = from {
            request = request.header(CONTINUATION, from);
        }
        let (headers, body) = self.answer(request, "the query", None).await?;
        let text = |name: &str| text(&headers, name);
        Ok(Page {
            items: serde_json::from_slice(&body)
                .map_err(|_| OperatorError::NotAHub(self.host().to_owned()))?,
            kind: text(ITEM_TYPE).unwrap_or_default(),
            next: text(CONTINUATION),
        })
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
