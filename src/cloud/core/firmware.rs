//! Firmware to try updates with: images whose every byte follows from a seed, so none is stored.

/// An image.
#[derive(Debug, PartialEq, Eq)]
pub struct Sample {
    /// What its file is called.
    pub name: &'static str,
    /// The version that it is.
    pub version: &'static str,
    /// Bytes.
    pub size: u64,
    /// Its SHA-256, 64 hexadecimal digits in lower case.
    pub sha256: &'static str,
    seed: u64,
}

const MIB: u64 = 1024 * 1024;

/// Every image that there is.
pub const SAMPLES: &[Sample] = &[
    Sample {
        name: "sample-1.1.0.bin",
        version: "1.1.0",
        size: MIB,
        sha256: "b2656174cb35e83468fac534a3b99f13aa6e1b8e329f31042fbd83979e936b8b",
        seed: 0x0110,
    },
    Sample {
        name: "sample-1.2.0.bin",
        version: "1.2.0",
        size: 8 * MIB,
        sha256: "1d28573b4c4958e1bd1058d43550cb93b69d698098c18491b53ad92f680e204a",
        seed: 0x0120,
    },
    Sample {
        name: "sample-2.0.0.bin",
        version: "2.0.0",
        size: 64 * MIB,
        sha256: "bf299bc1b43a016864b664e7ff5f709ba9a9f41e19d364c548c5e3437e3ed606",
        seed: 0x0200,
    },
];

impl Sample {
    /// The image of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SAMPLES.iter().find(|sample| sample.name == name)
    }

    /// The bytes from `offset` on, at most `length` of them.
    pub fn bytes(&self, offset: u64, length: usize) -> Vec<u8> {
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        // Words, from the one that the first byte is in.
        let skipped = usize::try_from(offset % 8).unwrap_or_default();
        let mut bytes: Vec<u8> =
            (offset / 8..).take((skipped + length).div_ceil(8)).flat_map(|word| self.word(word)).collect();
        bytes.drain(..skipped);
        bytes.truncate(length);
        bytes
    }

    /// One word of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
    /// 2014), which can be had without those before it.
    fn word(&self, index: u64) -> [u8; 8] {
        let mut z = self.seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_images_are_those_that_the_list_promises() {
        for sample in SAMPLES {
            let mut hasher = Sha256::new();
            for offset in (0..sample.size).step_by(1 << 20) {
                hasher.update(sample.bytes(offset, 1 << 20));
            }
            let mut digest = String::new();
            for byte in hasher.finalize() {
                write!(digest, "{byte:02x}").expect("written");
            }
            assert_eq!(digest, sample.sha256, "{}", sample.name);
        }
    }

    #[test]
    fn a_part_is_the_same_as_in_the_whole() {
        let sample = &SAMPLES[0];
        let whole = sample.bytes(0, 100);
        for (from, length) in [(0, 100), (1, 7), (7, 2), (8, 8), (13, 40), (99, 1)] {
            assert_eq!(sample.bytes(from as u64, length), whole[from..from + length], "{from} {length}");
        }
        assert_eq!(sample.bytes(sample.size - 3, 100).len(), 3);
        assert!(sample.bytes(sample.size, 100).is_empty());
        assert!(sample.bytes(u64::MAX, 100).is_empty());
    }

    #[test]
    fn words_are_those_of_the_generator() {
        // The first word of the seed 1234567, as other implementations of it have it in their tests.
        let sample = Sample { name: "", version: "", size: 8, sha256: "", seed: 1_234_567 };
        assert_eq!(u64::from_le_bytes(sample.word(0)), 6_457_827_717_110_365_317);
    }
}
