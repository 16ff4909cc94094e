//! Deterministic numbers from hashes: no state, the same on every platform.

/// A well-mixed 64-bit hash (the finaliser of splitmix64: Steele, Lea and Flood, 2014).
#[inline]
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A hash of a seed and an index.
#[inline]
pub(crate) fn hash(seed: u64, index: u64) -> u64 {
    mix(mix(seed) ^ index)
}

/// A hash of a text (FNV-1a, then mixed).
pub(crate) fn hash_text(seed: u64, text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash(seed, fnv)
}

/// Uniform in [0, 1), 53 bits.
pub(crate) fn unit(seed: u64, index: u64) -> f64 {
    (hash(seed, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Random sign and a magnitude in [0.5, 1.5). With plain signs two equal errors cancel along
/// half of all directions.
#[inline]
pub(crate) fn signed_magnitude(seed: u64, index: u64) -> f64 {
    let bits = hash(seed, index);
    let magnitude = 0.5 + (bits >> 11) as f64 / (1_u64 << 53) as f64;
    if bits & 1 == 0 { magnitude } else { -magnitude }
}
