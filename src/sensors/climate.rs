//! Temperature and humidity of one room: when it gets warmer, the air gets drier.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::Walk;

/// Two walks that a common weather moves in opposite directions.
#[derive(Debug)]
pub struct Climate {
    rng: ChaCha8Rng,
    weather: f64,
    /// Temperature.
    pub temperature: Walk,
    /// Relative humidity.
    pub humidity: Walk,
}

impl Climate {
    /// A climate of these two walks; the same seed gives the same values.
    pub fn new(seed: u64, temperature: Walk, humidity: Walk) -> Self {
        let mut climate = Self { rng: ChaCha8Rng::seed_from_u64(seed), weather: 0.0, temperature, humidity };
        // A first message that holds exactly the set points would look switched off.
        for _ in 0..25 {
            climate.step();
        }
        climate
    }

    /// The next reading.
    pub fn step(&mut self) {
        // Weather lingers: each step keeps most of the last.
        self.weather = 0.9 * self.weather + self.rng.random_range(-0.35..0.35);
        self.temperature.step(&mut self.rng, self.weather);
        self.humidity.step(&mut self.rng, -self.weather);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warmer_air_is_drier() {
        let mut climate = Climate::new(3, Walk::new(1.0, 75.0, 22.0, 0.1), Walk::new(30.0, 99.0, 55.0, 0.1));
        let samples: Vec<_> = (0..2_000)
            .map(|_| {
                climate.step();
                (climate.temperature.value(), climate.humidity.value())
            })
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "two thousand")]
        let count = samples.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| samples.iter().map(pick).sum::<f64>() / count;
        let (t, h) = (mean(|s| s.0), mean(|s| s.1));
        let covariance: f64 = samples.iter().map(|s| (s.0 - t) * (s.1 - h)).sum();
        let spread = |pick: fn(&(f64, f64)) -> f64, m: f64| {
            samples.iter().map(|s| (pick(s) - m).powi(2)).sum::<f64>().sqrt()
        };
        let correlation = covariance / (spread(|s| s.0, t) * spread(|s| s.1, h));
        assert!(correlation < -0.4, "{correlation}");
    }
}
