//! A hub that is away while something is watched: what passes by itself, for how long it is waited
//! for, and how that is told.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::tell::{clean, note, time_of_day};
use super::which::{Hub, explained, say};
use crate::cli::cloud_args::OutputFormat;
use crate::device::time::Spoken;
use crate::operator::OperatorError;
use crate::trust::Fault;

/// For how long the hub may be away before the watch ends.
const PATIENCE: Duration = Duration::from_secs(300);
/// The shortest pause before a busy hub is asked again.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// Whether the hub is away, since when, and what was told of it.
#[derive(Debug)]
pub struct Outage {
    format: OutputFormat,
    zone: TimeZone,
    /// Since when, and the reason that was told last.
    lasts: Option<(Instant, String)>,
}

impl Outage {
    /// None yet.
    pub fn none(format: OutputFormat, zone: &TimeZone) -> Self {
        Self { format, zone: zone.clone(), lasts: None }
    }

    /// A request failed. The watch ends with the reason when that does not pass by itself, or has
    /// lasted too long. A local cloud that was started anew is spoken to from now on.
    pub fn failed(&mut self, hub: &mut Hub, why: OperatorError) -> anyhow::Result<()> {
        if hub.find_again() {
            return self.lost(&format!("the local cloud {} was started anew", hub.client.host()));
        }
        let is_short = self.lasts.as_ref().is_none_or(|(since, _)| since.elapsed() < PATIENCE);
        if is_short && passes(&why, hub.is_found()) {
            return self.lost(&why.to_string());
        }
        Ok(explained(Err(why))?)
    }

    /// Tells that the hub is away, unless the same has been told already.
    pub fn lost(&mut self, why: &str) -> anyhow::Result<()> {
        let Some(since) = self.news(why, Instant::now()) else { return Ok(()) };
        self.lasts = Some((since, why.to_owned()));
        let at = Timestamp::now();
        let told = match self.format {
            OutputFormat::Json => json!({"event": "lost", "time": at.to_string(), "why": why}).to_string(),
            OutputFormat::Text => format!("{}  {}; trying again", time_of_day(at, &self.zone), clean(why)),
        };
        say(&told).map(drop)
    }

    /// Since when the hub is away, when this reason is news.
    fn news(&self, why: &str, now: Instant) -> Option<Instant> {
        match &self.lasts {
            None => Some(now),
            Some((since, told)) => (told != why).then_some(*since),
        }
    }

    /// The hub answers. Tells so when it had been away.
    pub fn over(&mut self) -> anyhow::Result<()> {
        let Some((since, _)) = self.lasts.take() else { return Ok(()) };
        let at = Timestamp::now();
        let told = match self.format {
            OutputFormat::Json => json!({"event": "back", "time": at.to_string()}).to_string(),
            OutputFormat::Text => format!(
                "{}  the hub answers again, after {}",
                time_of_day(at, &self.zone),
                Spoken(since.elapsed())
            ),
        };
        say(&told).map(drop)
    }
}

/// Asks until the hub is not too busy to answer, with the pauses that it wants. Answers its refusal when
/// it is busy for longer than one waits for a hub.
pub async fn unhurried<T>(
    mut ask: impl AsyncFnMut() -> Result<T, OperatorError>,
) -> Result<T, OperatorError> {
    let mut waited = Duration::ZERO;
    loop {
        let why = match ask().await {
            Err(why @ OperatorError::Throttled { .. }) => why,
            outcome => return outcome,
        };
        let pause = match &why {
            OperatorError::Throttled { wait: Some(wait), .. } => (*wait).max(LEAST_PAUSE),
            _ => LEAST_PAUSE,
        };
        if waited + pause > PATIENCE {
            return Err(why);
        }
        if waited.is_zero() {
            note(&format!("{why}; going on in {}", Spoken(pause)));
        }
        tokio::time::sleep(pause).await;
        waited += pause;
    }
}

/// What goes by itself: a hub that restarts, a network that is gone for a while. A certificate that
/// is not taken stays as it is, except of a local cloud that `is_found`: one that was started anew has
/// another, and leaves a moment later where it is found.
pub fn passes(why: &OperatorError, is_found: bool) -> bool {
    match why {
        OperatorError::Unreachable { fault, .. } => is_found || !is_of_certificate(fault),
        OperatorError::Throttled { .. } | OperatorError::Broken { .. } => true,
        _ => false,
    }
}

fn is_of_certificate(fault: &Fault) -> bool {
    matches!(fault, Fault::Untrusted | Fault::WrongName(_) | Fault::NotValidNow | Fault::BadCertificate(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(fault: Fault) -> OperatorError {
        OperatorError::Unreachable { host: "h".to_owned(), port: 443, fault }
    }

    #[test]
    fn a_certificate_that_is_not_taken_passes_only_where_a_new_cloud_can_be_found() {
        for fault in [
            Fault::Untrusted,
            Fault::WrongName(Vec::new()),
            Fault::NotValidNow,
            Fault::BadCertificate("x".into()),
        ] {
            let why = unreachable(fault);
            assert_eq!((passes(&why, false), passes(&why, true)), (false, true), "{why}");
        }
        assert!(passes(&unreachable(Fault::Refused), false));
        assert!(!passes(&OperatorError::NotAHub("h".to_owned()), true));
    }

    /// How long, and how often, a hub is asked that is busy so many times.
    async fn asked(busy: u32, wait: Option<u64>) -> (Result<(), OperatorError>, Duration, u32) {
        let began = tokio::time::Instant::now();
        let mut times = 0;
        let outcome = unhurried(async || {
            times += 1;
            let wait = wait.map(Duration::from_secs);
            let refusal = OperatorError::Throttled { host: "h".to_owned(), said: "busy".to_owned(), wait };
            if times > busy { Ok(()) } else { Err(refusal) }
        })
        .await;
        (outcome, began.elapsed(), times)
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_hub_is_asked_again_when_it_wants_and_not_for_ever() {
        let (outcome, after, times) = asked(3, Some(10)).await;
        assert_eq!((outcome, after.as_secs(), times), (Ok(()), 30, 4));
        let (outcome, after, times) = asked(2, Some(0)).await;
        assert_eq!((outcome, after.as_secs(), times), (Ok(()), 2, 3));
        let (outcome, after, times) = asked(1000, None).await;
        assert_eq!((outcome.is_err(), after, times), (true, PATIENCE, 301));
        let (outcome, after, _) = asked(1, Some(86_400)).await;
        assert_eq!((outcome.is_err(), after.as_secs()), (true, 0));
    }

    #[test]
    fn another_reason_is_news_and_does_not_begin_anew() {
        let mut outage = Outage::none(OutputFormat::Json, &TimeZone::UTC);
        let (began, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        assert_eq!(outage.news("nothing listens", began), Some(began));
        outage.lasts = Some((began, "nothing listens".to_owned()));
        assert_eq!(outage.news("nothing listens", later), None);
        assert_eq!(outage.news("not trusted", later), Some(began));
    }
}
