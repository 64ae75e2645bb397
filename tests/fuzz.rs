//! Bodies of the fuzzers: each takes any bytes and panics if the code under it breaks a promise. There is
//! one body for each target; proptest feeds it in the test command, libFuzzer by hand (`tests/fuzz`).

pub mod decode;
pub mod jute;
mod message;
pub mod model_disk;
pub mod step;

/// Takes choices and numbers off the front of some bytes; zeroes when they are used up.
pub struct Draw<'a>(&'a [u8]);

impl<'a> Draw<'a> {
    /// All choices lie in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left to choose by.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One byte's worth of choice: below `limit`.
    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit.max(1)
    }

    fn is_one_in(&mut self, count: u8) -> bool {
        self.below(count) == 1
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Some bytes, as many as the next byte says.
    fn some(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Any number: most often a small one, now and then one at the edge.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=199 => u64::from(small % 16),
            200..=219 => u64::MAX - u64::from(self.below(3)),
            220..=229 => (1 << 63) - 1 + u64::from(self.below(3)),
            _ => self
                .take(8)
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    /// A number that is `near`, most often, or any.
    fn near(&mut self, near: u64) -> u64 {
        match self.byte() {
            0..=99 => near,
            100..=149 => near.saturating_add(1),
            150..=189 => near.saturating_sub(1),
            190..=209 => near.saturating_add(u64::from(self.below(6))),
            210..=229 => near.saturating_sub(u64::from(self.below(6))),
            _ => self.number(),
        }
    }
}
