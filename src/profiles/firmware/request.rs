//! What a `firmwareUpdate` request asks for, and words for one that asks for nothing possible.

use serde_json::Value;

pub(super) use crate::device::image::LONGEST_VERSION;
use crate::device::{ImageOrder, Reply};

/// The longest address of an image.
pub(super) const LONGEST_URI: usize = 2048;

/// A checked request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Where the image is; `None` when the address is only a name, and the update is pretended.
    pub(super) image: Option<Image>,
    /// What the image is called from now on, when the request says so.
    pub(super) version: Option<String>,
}

/// An image that is somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its address, as it was given.
    pub(super) uri: String,
    /// The digest that it must have, in lower case.
    pub(super) sha256: Option<String>,
}

impl Request {
    /// Reads a request that keeps the model's schema; the error is the answer to it.
    pub(super) fn read(request: &Value) -> Result<Self, Reply> {
        let refused = |why: String| Reply::refused(400, why);
        let text = |name: &str| request[name].as_str();
        let uri = text("fwPackageUri").map(str::trim).filter(|uri| !uri.is_empty()).ok_or_else(|| {
            refused("fwPackageUri is empty: give the address of an image, or any name to pretend".to_owned())
        })?;
        let version = text("version").map(version).transpose().map_err(refused)?;
        let sha256 = text("sha256").map(sha256).transpose().map_err(refused)?;
        let image = match scheme(uri).as_deref() {
            Some("http" | "https" | "file") => Some(Image { uri: uri.to_owned(), sha256 }),
            Some(other) => {
                return Err(refused(format!(
                    "fwPackageUri begins with `{other}:`, which cannot be followed: http:, https: and file: can, \
                     and a name without any of them is only pretended"
                )));
            }
            None if sha256.is_some() => {
                return Err(refused(
                    "sha256 needs an image whose digest can be checked, and fwPackageUri is only a name: begin it \
                     with http:, https: or file:, or leave sha256 out"
                        .to_owned(),
                ));
            }
            None => None,
        };
        Ok(Self { image, version })
    }
}

impl Image {
    /// Has it fetched, from its beginning or from where that was paused.
    pub(super) fn order(&self, run: u64) -> ImageOrder {
        ImageOrder::Fetch { run, uri: self.uri.clone(), sha256: self.sha256.clone() }
    }

    /// What the image is called when nobody says so: its file's name without the ending, and the
    /// beginning of its digest when there is no such name. Never the query, where signatures stand.
    pub(super) fn version(&self, sha256: &str) -> String {
        let path = self.uri.split(['?', '#']).next().unwrap_or_default();
        let path =
            path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |it| it.1));
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        version(stem).unwrap_or_else(|_| sha256.chars().take(12).collect())
    }
}

/// The scheme of a URI in lower case, when the text is one.
///
/// RFC 3986, 3.1, would read `test.com:8080/x` as of the scheme `test.com`; what is followed by a
/// port is a host for people, so it counts as one here.
fn scheme(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme || rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(scheme.to_ascii_lowercase())
}

fn version(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=LONGEST_VERSION).contains(&length) || text.chars().any(char::is_control) {
        return Err(format!(
            "version takes 1 to {LONGEST_VERSION} characters, none of them a control character"
        ));
    }
    Ok(text.to_owned())
}

fn sha256(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let length = text.chars().count();
        return Err(format!(
            "sha256 takes 64 hexadecimal digits, as `sha256sum` prints them, not these {length} characters"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIGEST: &str = "B2656174cb35e83468fac534a3b99f13aa6e1b8e329f31042fbd83979e936b8b";

    fn read(request: Value) -> Result<Request, String> {
        Request::read(&request).map_err(|reply| {
            assert_eq!(reply.status, 400);
            reply.payload["error"].as_str().expect("a reason").to_owned()
        })
    }

    #[test]
    fn an_address_with_a_scheme_is_an_image_and_one_without_is_only_a_name() {
        let is_image = |uri: &str| read(json!({ "fwPackageUri": uri })).map(|read| read.image.is_some());
        for uri in ["https://host/x", "http://host/x", "file:///x", "HTTPS://host/x", "https://secureurl"] {
            assert_eq!(is_image(uri), Ok(true), "{uri}");
        }
        // `test.com` is what the tutorial's back end sends.
        for uri in ["test.com", "test.com/x.bin", "test.com:8080/x.bin", "image 2", "//host/x", "ümlaut:x"] {
            assert_eq!(is_image(uri), Ok(false), "{uri}");
        }
        for (uri, scheme) in [("ftp://host/x", "ftp"), ("urn:image", "urn"), ("data:,x", "data")] {
            let said = is_image(uri).expect_err(uri);
            assert!(said.starts_with(&format!("fwPackageUri begins with `{scheme}:`")), "{said}");
        }
        assert!(is_image(" ").expect_err("empty").starts_with("fwPackageUri is empty"));
    }

    #[test]
    fn digest_and_version_are_checked() {
        let with = |name: &str, text: &str| {
            read(json!({ "fwPackageUri": "https://host/x", name: text })).map(|read| {
                (
                    read.image.and_then(|image| image.sha256).unwrap_or_default(),
                    read.version.unwrap_or_default(),
                )
            })
        };
        assert_eq!(with("sha256", DIGEST), Ok((DIGEST.to_ascii_lowercase(), String::new())));
        assert_eq!(with("version", " 1.1.0 "), Ok((String::new(), "1.1.0".to_owned())));
        for wrong in ["", "abc", &DIGEST[1..], &DIGEST.replace('B', "g")] {
            assert!(
                with("sha256", wrong).expect_err(wrong).starts_with("sha256 takes 64 hexadecimal digits")
            );
        }
        for wrong in ["", "  ", "1.0\n2", &"9".repeat(65)] {
            assert!(with("version", wrong).expect_err(wrong).starts_with("version takes 1 to 64 characters"));
        }
        let said = read(json!({"fwPackageUri": "test.com", "sha256": DIGEST})).expect_err("a name");
        assert!(said.starts_with("sha256 needs an image"), "{said}");
    }

    #[test]
    fn an_image_without_a_version_is_called_by_its_file_or_its_digest() {
        let called = |uri: &str| Image { uri: uri.to_owned(), sha256: None }.version("0123456789abcdef");
        assert_eq!(called("https://host/a/sample-1.1.0.bin?sig=secret"), "sample-1.1.0");
        assert_eq!(called("file:///tmp/image"), "image");
        for uri in ["https://host", "https://host/", "https://me:pass@host", "https://host?x=a/b"] {
            assert_eq!(called(uri), "0123456789ab", "{uri}");
        }
    }
}
