//! The last samples of one telemetry field, for charts.

use std::collections::VecDeque;

use crate::device::{Field, Millis};

/// How many samples are kept: twenty minutes at one every two seconds.
const CAPACITY: usize = 600;

/// A bounded series of samples, oldest first.
#[derive(Debug, Clone)]
pub struct Series {
    /// What is sampled.
    pub field: &'static Field,
    samples: VecDeque<(Millis, f64)>,
}

impl Series {
    /// An empty series.
    pub fn new(field: &'static Field) -> Self {
        Self { field, samples: VecDeque::new() }
    }

    /// Adds a sample; the oldest goes when there are too many.
    pub fn add(&mut self, at: Millis, value: f64) {
        if self.samples.len() == CAPACITY {
            self.samples.pop_front();
        }
        self.samples.push_back((at, value));
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = (Millis, f64)> + ExactSizeIterator {
        self.samples.iter().copied()
    }

    /// The newest sample.
    pub fn last(&self) -> Option<(Millis, f64)> {
        self.samples.back().copied()
    }
}
