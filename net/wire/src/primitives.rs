//! Wire forms of the protocol's basic types: integers, strings, bytes, arrays, and their null and compact (KIP-482) forms.
//! Source: "Protocol Primitive Types" of the Kafka protocol guide.

use crate::error::{DecodeError, DecodeErrorReason, EncodeError};
use crate::field::{Context, Kind, ReadField, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

/// Greatest length of a string in bytes; compact strings have it too, as in Kafka.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;

macro_rules! fixed_size {
    ($($type:ty, $name:literal;)+) => {$(
        impl<'de> ReadField<'de> for $type {
            fn read(r: &mut Reader<'de>, _: Context) -> Result<Self, DecodeError> {
                Ok(<$type>::from_be_bytes(r.take_array()?))
            }

            fn size_min(_: Context) -> usize {
                size_of::<$type>()
            }
        }

        impl WriteField for $type {
            const KIND: Kind = Kind::Primitive($name);

            fn write(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
                w.put_slice(&self.to_be_bytes());
                Ok(())
            }
        }
    )+};
}

fixed_size! {
    i8, "int8";
    i16, "int16";
    i32, "int32";
    i64, "int64";
    f64, "float64";
}

impl<'de> ReadField<'de> for bool {
    fn read(r: &mut Reader<'de>, _: Context) -> Result<Self, DecodeError> {
        // The protocol guide: any non-zero value is true.
        Ok(r.take_array::<1>()? != [0])
    }

    fn size_min(_: Context) -> usize {
        1
    }
}

impl WriteField for bool {
    const KIND: Kind = Kind::Primitive("bool");

    fn write(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
        w.put_slice(&[u8::from(*self)]);
        Ok(())
    }
}

/// How a length is written in versions that are not flexible; the flexible form is one for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthWidth {
    /// Strings: 16 bits.
    Short,
    /// Bytes, records and arrays: 32 bits.
    Long,
}

impl LengthWidth {
    fn size_min(self, flexible: bool) -> usize {
        match self {
            _ if flexible => 1,
            LengthWidth::Short => 2,
            LengthWidth::Long => 4,
        }
    }

    /// Reads a length, None for null.
    fn read(self, r: &mut Reader<'_>, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            // KIP-482: the length plus one, zero being null.
            return Ok((r.unsigned_varint()? as usize).checked_sub(1));
        }
        let length = match self {
            LengthWidth::Short => i32::from(i16::from_be_bytes(r.take_array()?)),
            LengthWidth::Long => i32::from_be_bytes(r.take_array()?),
        };
        match length {
            -1 => Ok(None),
            0.. => Ok(Some(length as usize)),
            _ => Err(r.error(DecodeErrorReason::NegativeLength(length))),
        }
    }

    /// Writes a length, None for null.
    fn write(
        self,
        w: &mut Writer,
        flexible: bool,
        length: Option<usize>,
    ) -> Result<(), EncodeError> {
        let max = match self {
            LengthWidth::Short => STRING_BYTES_MAX,
            LengthWidth::Long => i32::MAX as usize,
        };
        if let Some(length) = length.filter(|&length| length > max) {
            return Err(EncodeError::TooLong { length, max });
        }
        let length = length.map_or(-1, |length| length as i32);
        match self {
            _ if flexible => w.put_unsigned_varint(length.wrapping_add(1) as u32),
            LengthWidth::Short => w.put_slice(&(length as i16).to_be_bytes()),
            LengthWidth::Long => w.put_slice(&length.to_be_bytes()),
        }
        Ok(())
    }
}

/// A type whose wire form is a length and that many bytes or elements. `T` of it is never null, `Option<T>` may be.
pub(crate) trait LengthPrefixed {
    const WIDTH: LengthWidth;
    const KIND: Kind;

    fn length(&self) -> usize;
    fn write_body(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError>;
}

/// Decoding half of [`LengthPrefixed`]: the length is read already.
pub(crate) trait ReadBody<'de>: LengthPrefixed + Sized {
    fn read_body(r: &mut Reader<'de>, length: usize, context: Context)
    -> Result<Self, DecodeError>;
}

impl<'de, T: ReadBody<'de>> ReadField<'de> for T {
    fn read(r: &mut Reader<'de>, context: Context) -> Result<Self, DecodeError> {
        match T::WIDTH.read(r, context.flexible)? {
            Some(length) => T::read_body(r, length, context),
            None => Err(r.error(DecodeErrorReason::UnexpectedNull)),
        }
    }

    fn size_min(context: Context) -> usize {
        T::WIDTH.size_min(context.flexible)
    }
}

impl<'de, T: ReadBody<'de>> ReadField<'de> for Option<T> {
    fn read(r: &mut Reader<'de>, context: Context) -> Result<Self, DecodeError> {
        match T::WIDTH.read(r, context.flexible)? {
            Some(length) => T::read_body(r, length, context).map(Some),
            None if context.nullable => Ok(None),
            None => Err(r.error(DecodeErrorReason::UnexpectedNull)),
        }
    }

    fn size_min(context: Context) -> usize {
        T::WIDTH.size_min(context.flexible)
    }
}

impl<T: LengthPrefixed> WriteField for T {
    const KIND: Kind = <T as LengthPrefixed>::KIND;

    fn write(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError> {
        T::WIDTH.write(w, context.flexible, Some(self.length()))?;
        self.write_body(w, context)
    }
}

impl<T: LengthPrefixed> WriteField for Option<T> {
    const KIND: Kind = <T as LengthPrefixed>::KIND;

    fn write(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError> {
        match self {
            Some(value) => value.write(w, context),
            None if context.nullable => T::WIDTH.write(w, context.flexible, None),
            None => Err(EncodeError::UnexpectedNull { field: "", version: context.version }),
        }
    }
}

/// Bytes of a struct that is null.
pub(crate) const NULL_STRUCT_BYTES: usize = 1;

/// A struct that may be null: a byte before it, negative for null.
pub(crate) fn read_nullable_struct<'de, T: ReadField<'de>>(
    r: &mut Reader<'de>,
    context: Context,
) -> Result<Option<T>, DecodeError> {
    match i8::read(r, context)? {
        0.. => T::read(r, context).map(Some),
        _ if context.nullable => Ok(None),
        _ => Err(r.error(DecodeErrorReason::UnexpectedNull)),
    }
}

/// The other direction of [`read_nullable_struct`].
pub(crate) fn write_nullable_struct<T: WriteField>(
    value: Option<&T>,
    w: &mut Writer,
    context: Context,
) -> Result<(), EncodeError> {
    match value {
        Some(value) => {
            1i8.write(w, context)?;
            value.write(w, context)
        }
        None if context.nullable => (-1i8).write(w, context),
        None => Err(EncodeError::UnexpectedNull { field: "", version: context.version }),
    }
}

impl LengthPrefixed for &str {
    const WIDTH: LengthWidth = LengthWidth::Short;
    const KIND: Kind = Kind::Primitive("string");

    fn length(&self) -> usize {
        self.len()
    }

    fn write_body(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
        w.put_slice(self.as_bytes());
        Ok(())
    }
}

impl<'a, 'de: 'a> ReadBody<'de> for &'a str {
    fn read_body(r: &mut Reader<'de>, length: usize, _: Context) -> Result<Self, DecodeError> {
        if length > STRING_BYTES_MAX {
            return Err(r.error(DecodeErrorReason::StringTooLong(length)));
        }
        let invalid = r.error(DecodeErrorReason::InvalidUtf8);
        std::str::from_utf8(r.take(length)?).map_err(|_| invalid)
    }
}

impl LengthPrefixed for &[u8] {
    const WIDTH: LengthWidth = LengthWidth::Long;
    const KIND: Kind = Kind::Primitive("bytes");

    fn length(&self) -> usize {
        self.len()
    }

    fn write_body(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
        w.put_slice(self);
        Ok(())
    }
}

impl<'a, 'de: 'a> ReadBody<'de> for &'a [u8] {
    fn read_body(r: &mut Reader<'de>, length: usize, _: Context) -> Result<Self, DecodeError> {
        r.take(length)
    }
}

impl<T: WriteField> LengthPrefixed for Vec<T> {
    const WIDTH: LengthWidth = LengthWidth::Long;
    const KIND: Kind = Kind::Array(&T::KIND);

    fn length(&self) -> usize {
        self.len()
    }

    fn write_body(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError> {
        let context = Context { nullable: false, ..context };
        self.iter().try_for_each(|element| element.write(w, context))
    }
}

impl<'de, T: ReadField<'de> + WriteField> ReadBody<'de> for Vec<T> {
    fn read_body(
        r: &mut Reader<'de>,
        length: usize,
        context: Context,
    ) -> Result<Self, DecodeError> {
        let context = Context { nullable: false, ..context };
        let mut elements = r.array(length, T::size_min(context))?;
        for _ in 0..length {
            elements.push(T::read(r, context)?);
        }
        Ok(elements)
    }
}
