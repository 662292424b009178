//! What a `firmwareUpdate` request asks for, and words for one that asks for nothing possible.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use crate::device::harmful::is_harmful;
pub(super) use crate::device::image::LONGEST_VERSION;
use crate::device::{ImageOrder, ImageUri, Reply};

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
    pub(super) uri: ImageUri,
    /// The digest that it must have, in lower case.
    pub(super) sha256: Option<String>,
}

impl Request {
    /// Reads a request that keeps the model's schema; the error is the answer to it.
    pub(super) fn read(request: &Value) -> Result<Self, Reply> {
        let refused = |why: String| Reply::refused(400, why);
        let text = |name: &str| request[name].as_str();
        let uri = text("fwPackageUri").map(bare).filter(|uri| !uri.is_empty()).ok_or_else(|| {
            refused("fwPackageUri is empty: give the address of an image, or any name to pretend".to_owned())
        })?;
        let version = text("version").map(version).transpose().map_err(refused)?;
        let sha256 = text("sha256").map(sha256).transpose().map_err(refused)?;
        let image = match scheme(&uri).as_deref() {
            Some("http" | "https" | "file") => {
                check_address(&uri).map_err(refused)?;
                Some(Image { uri: ImageUri::new(uri), sha256 })
            }
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
    /// beginning of its digest when there is no such name. Never anything else of the address, where
    /// passwords and signatures stand.
    pub(super) fn version(&self, sha256: &str) -> String {
        let file = Url::parse(self.uri.reveal()).ok().and_then(|url| {
            let segment = url.path_segments()?.next_back()?;
            percent_decode_str(segment).decode_utf8().ok().map(String::from)
        });
        // Some stores of files encode a whole path, and some whole addresses, into one segment.
        let file = file.as_deref().and_then(|file| file.split('?').next()?.rsplit(['/', '\\']).next());
        version(stem(file.unwrap_or_default())).unwrap_or_else(|_| sha256.chars().take(12).collect())
    }
}

/// A file's name without an ending that tells what kind of file it is. In `firmware-1.10` none does.
fn stem(file: &str) -> &str {
    /// Those that are not only letters.
    const KINDS: &[&str] = &["7z", "bz2", "lz4", "s19", "s28", "s37", "uf2"];
    let Some((stem, ending)) = file.rsplit_once('.') else { return file };
    let is_word = !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_word && !KINDS.contains(&ending.to_ascii_lowercase().as_str()) {
        return file;
    }
    stem.strip_suffix(".tar").unwrap_or(stem)
}

/// An address without what clients take no notice of (URL standard, "URL parsing"): control characters and
/// blanks around it, tabs and line ends in it.
fn bare(uri: &str) -> String {
    let uri = uri.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    uri.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect()
}

/// The scheme of a URI in lower case, when the text is one.
///
/// RFC 3986, 3.1, would read `test.com:8080/x` as of the scheme `test.com`; what is followed by a
/// port is a host for people, so it counts as one here, unless it is a scheme that can be followed.
fn scheme(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let scheme = scheme.to_ascii_lowercase();
    let is_followed = ["http", "https", "file"].contains(&scheme.as_str());
    let is_host = rest.starts_with(|c: char| c.is_ascii_digit()) && !is_followed;
    (is_scheme && !is_host).then_some(scheme)
}

/// Whether an address of an image is one, as far as it can be told without following it.
fn check_address(uri: &str) -> Result<(), String> {
    let url = Url::parse(uri).map_err(|error| {
        format!("fwPackageUri is not an address ({error}): write https://host/image or file:///path/to/image")
    })?;
    let is_whole = uri.split_once(':').is_some_and(|(_, path)| path.starts_with(['/', '\\']));
    if url.scheme() == "file" && (url.host_str().is_some() || !is_whole) {
        return Err("fwPackageUri is not a file of this machine: write file:///path/to/image".to_owned());
    }
    Ok(())
}

fn version(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=LONGEST_VERSION).contains(&length) || text.chars().any(is_harmful) {
        return Err(format!(
            "version takes 1 to {LONGEST_VERSION} characters, none of them a control character or an unseen one"
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
        for uri in [
            "https://host/x",
            "http://host/x",
            "file:///x",
            "HTTPS://host/x",
            "https://secureurl",
            "http:127.0.0.1:9000/x",
            "\u{1}http://host/x",
            "ht\ttp://host/x",
        ] {
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
        for (uri, why) in [
            ("http://", "empty host"),
            ("http://host:99999/x", "invalid port number"),
            ("file:image.bin", "write file:///path/to/image"),
            ("file://127.0.0.1/image.bin", "write file:///path/to/image"),
        ] {
            let said = is_image(uri).expect_err(uri);
            assert!(said.starts_with("fwPackageUri ") && said.contains(why), "{said}");
        }
        assert!(is_image(" ").expect_err("empty").starts_with("fwPackageUri is empty"));
        assert!(is_image("\u{1}").expect_err("empty").starts_with("fwPackageUri is empty"));
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
        for wrong in ["", "  ", "1.0\n2", "1.0\u{202e}2", "1.0\u{200b}", &"9".repeat(65)] {
            assert!(with("version", wrong).expect_err(wrong).starts_with("version takes 1 to 64 characters"));
        }
        let said = read(json!({"fwPackageUri": "test.com", "sha256": DIGEST})).expect_err("a name");
        assert!(said.starts_with("sha256 needs an image"), "{said}");
    }

    #[test]
    fn an_image_without_a_version_is_called_by_its_file_or_its_digest() {
        let called = |uri: &str| Image { uri: ImageUri::new(uri), sha256: None }.version("0123456789abcdef");
        for (uri, version) in [
            ("https://host/a/sample-1.1.0.bin?sig=secret", "sample-1.1.0"),
            ("file:///tmp/image", "image"),
            ("https://host/firmware-1.10", "firmware-1.10"),
            ("https://host/2.0", "2.0"),
            ("https://host/fw-1.1.0.tar.gz", "fw-1.1.0"),
            ("https://host/fw-2.UF2", "fw-2"),
            ("https://host/sensor%20image%201.0.bin", "sensor image 1.0"),
            ("https://host/o/images%2Fsample-1.1.0.bin?alt=media", "sample-1.1.0"),
            ("https://host/a.bin%3Fsig=SECRET", "a"),
            (r"http:\\u:SECRET@127.0.0.1:9000\ok", "ok"),
            ("http:u:SECRET@host/ok.bin", "ok"),
        ] {
            assert_eq!(called(uri), version, "{uri}");
        }
        for uri in [
            "https://host",
            "https://host/",
            "https://me:pass@host",
            "http:u:SECRET@host",
            "https://host?x=a/b",
            "https://host/%E2%80%AE1.0.bin",
            "https://host/%FF.bin",
        ] {
            assert_eq!(called(uri), "0123456789ab", "{uri}");
        }
    }
}
