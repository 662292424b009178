//! Where a reader of events wants to begin: the filters that Event Hubs' SDKs write.

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With the event after this number. Offsets are the same numbers here.
    After(u64),
    /// With what comes from now on.
    Latest,
    /// With the events later than so many milliseconds after 1970.
    Since(i64),
}

/// Why a filter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the filter `{0}` is not one of a partition's: \
     write `amqp.annotation.x-opt-offset`, `-sequence-number` or `-enqueued-time`, `>` or `>=`, and a value"
)]
pub(super) struct BadSelector(String);

impl Start {
    /// Reads a selector such as `amqp.annotation.x-opt-offset > '-1'`.
    pub(super) fn parse(text: &str) -> Result<Self, BadSelector> {
        Self::read(text).ok_or_else(|| BadSelector(text.chars().take(200).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('>')?;
        let (inclusive, rest) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest));
        let value = rest.trim();
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        let name = name.trim().strip_prefix("amqp.annotation.x-opt-")?;
        let is_latest = value == "@latest";
        let number: Option<i64> = value.parse().ok();
        match name {
            "offset" | "sequence-number" if is_latest => Some(Self::Latest),
            "offset" | "sequence-number" => {
                let after = number?.saturating_sub(i64::from(inclusive));
                Some(Self::After(u64::try_from(after).unwrap_or(0)))
            }
            "enqueued-time" | "enqueuedtimeutc" => {
                Some(Self::Since(number?.saturating_sub(i64::from(inclusive))))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_sdks_are_read() {
        for (text, start) in [
            ("amqp.annotation.x-opt-offset > '-1'", Start::After(0)),
            ("amqp.annotation.x-opt-offset > '@latest'", Start::Latest),
            ("amqp.annotation.x-opt-offset >= '7'", Start::After(6)),
            ("amqp.annotation.x-opt-sequence-number > '41'", Start::After(41)),
            ("amqp.annotation.x-opt-sequence-number >= '0'", Start::After(0)),
            ("amqp.annotation.x-opt-enqueued-time > '1893456000000'", Start::Since(1_893_456_000_000)),
            ("amqp.annotation.x-opt-enqueuedtimeutc > 1893456000000", Start::Since(1_893_456_000_000)),
        ] {
            assert_eq!(Start::parse(text), Ok(start), "{text}");
        }
    }

    #[test]
    fn other_filters_are_refused() {
        for text in
            ["", "x", "amqp.annotation.x-opt-offset > 'x'", "amqp.annotation.colour > '1'", "a > b > c"]
        {
            assert!(Start::parse(text).is_err(), "{text}");
        }
    }
}
