//! Where images are: `http:`, `https:` or `file:`.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

use super::draft::sha256;
use crate::device::discreet::Shown;

/// Where an image is. Shown without what may be secret, also by its `Debug`: a user's name and password,
/// and the query, where signatures of storage services stand.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Web(Url),
    File { path: PathBuf, url: Url },
}

impl Address {
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        let wanted = "http:, https: and file: are possible";
        let url = Url::parse(uri).map_err(|error| format!("the address is not a URI ({error}); {wanted}"))?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Web(url)),
            // On Windows one with a host would be a file of that host, and asking for it would hand
            // this user's credentials to whoever answers there.
            "file" => match url.to_file_path() {
                Ok(path) if url.host_str().is_none() => Ok(Self::File { path, url }),
                _ => Err(format!(
                    "the address {} is not a file of this machine; write file:///path/to/image",
                    Shown(&url)
                )),
            },
            other => Err(format!("an address that begins with {other}: cannot be followed; {wanted}")),
        }
    }

    /// Tells addresses apart without keeping what may be secret.
    pub(super) fn digest(&self) -> String {
        match self {
            Self::Web(url) | Self::File { url, .. } => sha256(url.as_str().as_bytes()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) | Self::File { url, .. } => Shown(url).fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The way from redirect to redirect.
pub(super) struct Way(Vec<Url>);

impl Way {
    /// As many as browsers and clients are told to expect at most (WHATWG Fetch allows 20, RFC 9110,
    /// 15.4, only asks for a limit).
    const LONGEST: usize = 10;

    pub(super) fn new(mut start: Url) -> Self {
        start.set_fragment(None);
        Self(vec![start])
    }

    /// Goes on to where a redirect points, as seen from the last address.
    pub(super) fn follow(&mut self, location: &str) -> Result<Url, String> {
        let from = self.0.last().ok_or("there is no beginning")?;
        let mut to = from
            .join(location)
            .map_err(|error| format!("{} redirects to what is no address ({error})", Shown(from)))?;
        to.set_fragment(None);
        match (from.scheme(), to.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => {
                return Err(format!(
                    "{} redirects to {}, which is not encrypted; from https: only https: is followed, give an \
                     address that stays with it",
                    Shown(from),
                    Shown(&to)
                ));
            }
            _ => {
                return Err(format!(
                    "{} redirects to an address that begins with {}:, which is not followed",
                    Shown(from),
                    to.scheme()
                ));
            }
        }
        if self.0.contains(&to) {
            let first = self.0.iter().position(|url| *url == to).unwrap_or_default();
            let mut names: Vec<_> = self.0[first..].iter().map(|url| Shown(url).to_string()).collect();
            names.push(Shown(&to).to_string());
            return Err(format!("it redirects in a circle: {}; mend the server", names.join(" → ")));
        }
        if self.0.len() > Self::LONGEST {
            return Err(format!(
                "it redirects more than {} times, lastly to {}; give the address at the end",
                Self::LONGEST,
                Shown(&to)
            ));
        }
        self.0.push(to.clone());
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let shown = |text: &str| Address::parse(text).expect(text).to_string();
        assert_eq!(shown("https://me:pass@host:8443/a/b?sig=abc#x"), "https://…@host:8443/a/b?…");
        let address = Address::parse("https://me:SECRET@host/?sig=SECRET").expect("an address");
        assert_eq!(format!("{address:?}"), "Address(https://…@host/?…)");
        assert_eq!(shown("file:///C:/tmp/image.bin"), "file:///C:/tmp/image.bin");
    }

    #[test]
    fn other_addresses_are_refused_by_name() {
        let said = |text: &str| Address::parse(text).expect_err(text);
        assert!(said("image.bin").starts_with("the address is not a URI (relative URL without a base)"));
        assert!(said("ftp://host/x").starts_with("an address that begins with ftp: cannot be followed"));
        assert!(said("file://elsewhere/x").contains("is not a file of this machine"));
    }

    #[test]
    fn redirects_are_followed_ten_times_and_never_in_a_circle_or_out_of_encryption() {
        let mut way = Way::new(url("http://a/0"));
        assert_eq!(way.follow("/1").as_ref().map(Url::as_str), Ok("http://a/1"));
        assert_eq!(way.follow("https://b/x?k=1").as_ref().map(Url::as_str), Ok("https://b/x?k=1"));
        let said = way.follow("http://a/2").expect_err("refused");
        assert!(said.starts_with("https://b/x?… redirects to http://a/2, which is not encrypted"), "{said}");
        let said = way.follow("file:///etc/passwd").expect_err("refused");
        assert!(said.contains("begins with file:, which is not followed"), "{said}");

        let mut way = Way::new(url("http://a/0"));
        way.follow("/1").expect("followed");
        way.follow("/2").expect("followed");
        let said = way.follow("/1").expect_err("a circle");
        assert_eq!(said, "it redirects in a circle: http://a/1 → http://a/2 → http://a/1; mend the server");

        let mut way = Way::new(url("http://a/0"));
        for n in 1..=10 {
            way.follow(&format!("/{n}")).expect("followed");
        }
        assert!(way.follow("/11").expect_err("too many").starts_with("it redirects more than 10 times"));
    }
}
