//! The paths that are this cloud's own, below `/envsim`: which there are, with which methods, and which
//! parameters they take. Azure has none of them, so that nothing here is refused by a feature's name.

use axum::http::Uri;

use crate::cloud::core::fault::Fault;
use crate::wire::percent;
use crate::wire::service::API_VERSION_PARAMETER;

/// A path without its first segment, in which `*` is any name; its methods; its parameters.
type Row = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

const PATHS: &[Row] = &[
    (&["faults"], &["GET", "PUT", "DELETE"], &[]),
    (&["connections", "drop"], &["POST"], &["device"]),
    (&["quota"], &["GET"], &[]),
    (&["events"], &["GET"], &["device", "after"]),
    (&["edge", "*"], &["GET"], &[]),
    (&["devices", "*", "messages"], &["POST"], &[]),
    (&["firmware"], &["GET"], &[]),
    (&["firmware", "*"], &["GET", "HEAD"], &[]),
    (&["certificates"], &["GET"], &[]),
    (&["certificates", "*"], &["GET", "PUT", "DELETE"], &[]),
];

/// Refuses what none of these paths is for.
pub(super) fn check(method: &str, uri: &Uri, segments: &[&str]) -> Result<(), Fault> {
    let ["envsim", rest @ ..] = segments else { return Ok(()) };
    let is_it = |path: &[&str]| {
        path.len() == rest.len()
            && path.iter().zip(rest).all(|(known, given)| *known == "*" || known == given)
    };
    let path = uri.path();
    let Some((_, methods, parameters)) = PATHS.iter().find(|(path, ..)| is_it(path)) else {
        let known: Vec<_> = PATHS.iter().map(|(path, ..)| format!("/envsim/{}", path.join("/"))).collect();
        return Err(Fault::unknown_path(format!("there is no {path} here; there is {}", known.join(", "))));
    };
    if !methods.contains(&method) {
        let known = methods.join(", ");
        return Err(Fault::wrong_method(format!("{path} is not for {method}; it is for {known}")));
    }
    let given = uri.query().unwrap_or_default().split('&').filter(|member| !member.is_empty());
    for member in given {
        let name = member.split_once('=').map_or(member, |(name, _)| name);
        let name = percent::decode(name).unwrap_or(name.into());
        if name != API_VERSION_PARAMETER && !parameters.contains(&name.as_ref()) {
            let known = match parameters {
                [] => "it takes none".to_owned(),
                known => format!("it takes `{}`", known.join("`, `")),
            };
            let problem = format!("{method} {path} has no parameter `{name}`; {known}");
            return Err(Fault::bad_request(problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_paths_methods_and_parameters_are_told_apart() {
        for (line, refused) in [
            ("GET /envsim/events", None),
            ("GET /envsim/events?device=d&after=4&api-version=2021-04-12", None),
            ("GET /envsim/firmware/x.bin", None),
            ("HEAD /envsim/firmware/x.bin", None),
            ("GET /devices/d?anything=1", None),
            ("GET /envsim", Some((404, "there is no /envsim here; there is /envsim/faults"))),
            ("GET /envsim/fault", Some((404, "there is no /envsim/fault here"))),
            ("GET /envsim/events/more", Some((404, "there is no /envsim/events/more here"))),
            ("POST /envsim/faults", Some((405, "is not for POST; it is for GET, PUT, DELETE"))),
            (
                "GET /envsim/events?devices=d",
                Some((400, "no parameter `devices`; it takes `device`, `after`")),
            ),
            ("GET /envsim/quota?a%26b", Some((400, "has no parameter `a&b`; it takes none"))),
        ] {
            let (method, uri) = line.split_once(' ').expect("a method");
            let uri: Uri = uri.parse().expect("an address");
            let segments: Vec<_> = uri.path().trim_start_matches('/').split('/').collect();
            let outcome = check(method, &uri, &segments).map_err(|fault| (fault.status, fault.message));
            match (refused, &outcome) {
                (None, Ok(())) => {}
                (Some((status, words)), Err((found, said))) => {
                    assert!(*found == status && said.contains(words), "{line}: {found} {said}");
                }
                _ => panic!("{line}: {outcome:?}"),
            }
        }
    }
}
