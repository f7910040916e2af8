//! Standard input as records, a line each.

use ringlane_reactor::Reactor;

use super::Sink;
use crate::cli::failure::Failure;

/// How much is read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// A longer line is no record that a broker takes, and would take all memory.
const LINE_BYTES_MAX: usize = 256 << 20;

/// Puts each line into `sink`, without its newline; the last may lack one.
pub(super) async fn produce(
    reactor: &Reactor,
    sink: &Sink<'_>,
    separator: Option<&[u8]>,
) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("cannot read standard input: {error}"));
    let stdin = reactor.disk().stdin().map_err(failed)?;
    let mut number = 0;
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let chunk = stdin.read_at(vec![0; CHUNK_BYTES], 0).await.map_err(failed)?;
        if chunk.is_empty() {
            break;
        }
        let mut rest = &chunk[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            number += 1;
            put(sink, &pending, separator, number).await?;
            pending.clear();
        }
        pending.extend_from_slice(rest);
        if pending.len() > LINE_BYTES_MAX {
            let sentence = format!(
                "line {} has more than {LINE_BYTES_MAX} bytes: no record may be that long; use --file for whole files",
                number + 1
            );
            return Err(Failure::Failed(sentence));
        }
    }
    if !pending.is_empty() {
        put(sink, &pending, separator, number + 1).await?;
    }
    Ok(())
}

async fn put(
    sink: &Sink<'_>,
    line: &[u8],
    separator: Option<&[u8]>,
    number: u64,
) -> Result<(), Failure> {
    let Some(separator) = separator else { return sink.put(None, line).await };
    let Some((key, value)) = split(line, separator) else {
        let separator = String::from_utf8_lossy(separator);
        return Err(Failure::Failed(format!(
            "line {number} has no key: the separator {separator:?} is not in it (--key-separator)"
        )));
    };
    sink.put(Some(key), value).await
}

/// What stands before and behind the first `separator`.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if separator.is_empty() {
        return None;
    }
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        assert_eq!(split(b"k::v::w", b"::"), Some((&b"k"[..], &b"v::w"[..])));
        assert_eq!(split(b"::v", b"::"), Some((&b""[..], &b"v"[..])));
        assert_eq!(split(b"k:v", b"::"), None);
        assert_eq!(split(b"k", b""), None);
    }
}
