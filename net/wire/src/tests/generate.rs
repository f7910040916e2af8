//! Random values of every type in a message, in the form that one version can carry.

use bytes::Bytes;

use crate::field::Context;
use crate::{ErrorCode, Records, Uuid};

/// A seeded source of random values (SplitMix64), so that a failing case names the seed that replays it.
pub(crate) struct Generator {
    state: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One element of `choices`.
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A type with random values.
pub(crate) trait Generate {
    fn generate(g: &mut Generator, context: Context) -> Self;
}

macro_rules! generate_integers {
    ($($type:ident),+) => {$(
        impl Generate for $type {
            fn generate(g: &mut Generator, _: Context) -> Self {
                let random = g.next() as $type;
                g.pick(&[0, 1, -1, $type::MIN, $type::MAX, random, random, random])
            }
        }
    )+};
}

generate_integers!(i8, i16, i32, i64);

impl Generate for bool {
    fn generate(g: &mut Generator, _: Context) -> Self {
        g.below(2) == 1
    }
}

impl Generate for ErrorCode {
    fn generate(g: &mut Generator, context: Context) -> Self {
        ErrorCode(i16::generate(g, context))
    }
}

impl Generate for Uuid {
    fn generate(g: &mut Generator, _: Context) -> Self {
        match g.below(4) {
            0 => Uuid::ZERO,
            _ => Uuid((u128::from(g.next()) << 64 | u128::from(g.next())).to_be_bytes()),
        }
    }
}

/// 300 bytes, so that its compact length takes two.
const LONG: &str = match std::str::from_utf8(&[b'x'; 300]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

impl Generate for &str {
    fn generate(g: &mut Generator, _: Context) -> Self {
        g.pick(&["", "a", "orders", "grün-日本", "consumer-1-6f0d", LONG])
    }
}

static BYTES: [u8; 4096] = {
    let mut bytes = [0; 4096];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = (i * 31 + i / 256) as u8;
        i += 1;
    }
    bytes
};

impl Generate for &[u8] {
    fn generate(g: &mut Generator, _: Context) -> Self {
        let length = g.pick(&[0, 1, 7, 130, 1500]);
        &BYTES[g.below(BYTES.len() - length)..][..length]
    }
}

impl Generate for Records<'_> {
    fn generate(g: &mut Generator, context: Context) -> Self {
        match g.below(3) {
            0 => Records::Borrowed(<&[u8]>::generate(g, context)),
            _ => (0..g.below(4))
                .map(|_| Bytes::from_static(<&[u8]>::generate(g, context)))
                .collect::<Vec<_>>()
                .into(),
        }
    }
}

impl<T: Generate> Generate for Option<T> {
    fn generate(g: &mut Generator, context: Context) -> Self {
        (!context.nullable || g.below(4) != 0).then(|| T::generate(g, context))
    }
}

impl<T: Generate> Generate for Vec<T> {
    fn generate(g: &mut Generator, context: Context) -> Self {
        let context = Context { nullable: false, ..context };
        (0..g.pick(&[0, 1, 1, 2, 3])).map(|_| T::generate(g, context)).collect()
    }
}
