//! Queries. IoT Hub REST, "Query - Get Twins"; pages by `x-ms-continuation`.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Call;
use super::reply::{json as respond, set};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::query::{MAX_PAGE, Query};

const CONTINUATION: &str = "x-ms-continuation";
const ITEM_TYPE: &str = "x-ms-item-type";

/// How many items a page may have, as the request's header says.
pub(super) fn page_size(call: &Call) -> Result<usize, Fault> {
    let Some(text) = call.header("x-ms-max-item-count") else { return Ok(MAX_PAGE) };
    match text.parse() {
        // Python sends -1 for "as you like".
        Ok(-1) => Ok(MAX_PAGE),
        Ok(number @ 1_i64..) => Ok(usize::try_from(number).unwrap_or(MAX_PAGE).min(MAX_PAGE)),
        _ => Err(Fault::bad_request(format!("`x-ms-max-item-count` is `{text}`, it has to be 1 or more"))),
    }
}

/// Where the page before ended. A continuation holds for the request it was given for, whose
/// words are `of`.
pub(super) fn skipped(call: &Call, of: &str) -> Result<usize, Fault> {
    let Some(text) = call.header(CONTINUATION).filter(|text| !text.is_empty()) else { return Ok(0) };
    let refused = || Fault::bad_request("the continuation is not one that this query was given");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let text = String::from_utf8(bytes).map_err(|_| refused())?;
    let (place, mark) = text.split_once('.').ok_or_else(refused)?;
    if mark != mark_of(of) {
        return Err(refused());
    }
    place.parse().map_err(|_| refused())
}

/// Puts in the head what the items are, and where the next page begins, when there is one.
pub(super) fn paged(
    mut response: Response<Body>,
    kind: &str,
    next: Option<usize>,
    of: &str,
) -> Response<Body> {
    set(&mut response, ITEM_TYPE, kind);
    if let Some(next) = next {
        let text = URL_SAFE_NO_PAD.encode(format!("{next}.{}", mark_of(of)));
        set(&mut response, CONTINUATION, &text);
    }
    response
}

/// A few characters that tell requests apart.
fn mark_of(request: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(request.as_bytes())[..6])
}

pub(super) fn run(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let body = call.object()?;
    let Some(text) = body.get("query").and_then(Value::as_str) else {
        return Err(Fault::bad_request("the body has no text `query`"));
    };
    let query = Query::parse(text)
        .map_err(|error| Fault::bad_request(format!("the query cannot be run: {error}")))?;
    let (skip, most) = (skipped(call, text)?, page_size(call)?);
    let page = call.shared.look(|core, _| core.find(&query, skip, most));
    let response = respond(200, &Value::Array(page.items));
    Ok(paged(response, page.item_type.as_str(), page.next, text))
}
