//! Numbers as people read them, and as files of the kernel hold them.

/// `1536 KiB`, `64 MiB`: in the largest unit that leaves a whole number, or two digits before the point.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        let one = 1_u64 << shift;
        if bytes >= one && bytes.is_multiple_of(one) {
            return format!("{} {unit}", bytes >> shift);
        }
        if bytes >= 10 * one {
            return format!("{:.1} {unit}", bytes as f64 / one as f64);
        }
    }
    format!("{bytes} bytes")
}

/// The number that a text begins with, up to a blank; `None` where there is none.
pub(crate) fn first(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let shown = [0, 1500, 65_536, 1 << 20, (1 << 20) + 512, 24 << 30, u64::MAX].map(bytes);
        let wanted =
            ["0 bytes", "1500 bytes", "64 KiB", "1 MiB", "1024.5 KiB", "24 GiB", "16777216.0 TiB"];
        assert_eq!(shown, wanted);
        assert_eq!((first("12 kB"), first(""), first("x 1")), (Some(12), None, None));
    }
}
