//! The tagged fields at the end of every flexible struct (KIP-482): a count, then tag, size and value of each.

use crate::error::{DecodeError, EncodeError};
use crate::field::{Context, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

/// Reads the tagged fields. `read_known` gets each tag with a reader over exactly its value and says whether it knows
/// the tag: an unknown one is skipped, a known one must use up its bytes.
pub fn read<'de>(
    r: &mut Reader<'de>,
    mut read_known: impl FnMut(u32, &mut Reader<'de>) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    // Each takes at least two bytes of input, so a false count ends in an error soon, and allocates nothing.
    for _ in 0..r.unsigned_varint()? {
        let tag = r.unsigned_varint()?;
        let size = r.unsigned_varint()?;
        r.within(size as usize, |value| read_known(tag, value))?;
    }
    Ok(())
}

/// Skips all tagged fields.
pub fn skip(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    read(r, |_, _| Ok(false))
}

/// Appends one tagged field. Its size stands before it and is not known yet, hence the writer of its own; tagged fields
/// are small and rare.
pub(crate) fn write(
    w: &mut Writer,
    tag: u32,
    value: &impl WriteField,
    context: Context,
) -> Result<(), EncodeError> {
    let mut value_writer = Writer::new();
    value.write(&mut value_writer, context)?;
    w.put_unsigned_varint(tag);
    w.put_unsigned_varint(value_writer.len() as u32);
    value_writer.finish().into_iter().for_each(|part| w.put_shared(part));
    Ok(())
}
