//! The one hash for digests: 64 bits, fixed for ever, the same on every target. It finds replicas that
//! differ; it does not withstand somebody who looks for collisions.

const A: u64 = 0xA076_1D64_78BD_642F;
const B: u64 = 0xE703_7ED1_A0B4_28DB;
const C: u64 = 0x8EBC_6AF0_9C88_C6E3;

/// Hash of some bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> u64 {
    let mut state = mix(bytes.len() as u64 ^ A, B);
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        let (low, high) = chunk.split_at(8);
        state = mix(word(low) ^ A, word(high) ^ state);
    }
    let (low, high) = chunks.remainder().split_at(chunks.remainder().len().min(8));
    state = mix(word(low) ^ B, word(high) ^ state);
    mix(state ^ C, A)
}

/// Hash of some numbers.
#[must_use]
pub fn of_words(words: &[u64]) -> u64 {
    let mut state = mix(words.len() as u64 ^ C, B);
    for &word in words {
        state = mix(word ^ A, state ^ B);
    }
    mix(state ^ C, A)
}

/// Both halves of the product, folded (as in wyhash).
const fn mix(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    product as u64 ^ (product >> 64) as u64
}

/// Up to eight bytes as a number, missing ones as zero.
fn word(bytes: &[u8]) -> u64 {
    if let Some(&whole) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(whole);
    }
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fixed_for_ever() {
        let text: [u8; 40] = core::array::from_fn(|i| i as u8);
        let all: [u64; 5] = [0, 1, 8, 17, 40].map(|len| of_bytes(&text[..len]));
        let golden: [u64; 5] = [
            5_828_689_926_391_974_893,
            2_545_240_659_507_766_158,
            15_578_566_034_491_919_958,
            15_267_029_474_862_205_175,
            17_993_098_300_304_860_825,
        ];
        assert_eq!(all, golden);
        assert_eq!(of_words(&[1, 2]), 4_757_873_494_029_568_227);
    }
}
