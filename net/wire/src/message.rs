//! What a message is, and the `message!` table from which its struct, decoding and encoding come.
//!
//! # The table
//!
//! Every file of [`crate::messages`] lists the structs of one API, each field as a row in wire order:
//!
//! ```text
//! message! {
//!     /// One partition that is asked for.
//!     struct FetchPartition {
//!         partition: i32 => since(0);
//!         current_leader_epoch: i32 = -1 => since(9).ignorable();
//!         replica_directory_id: Uuid => since(17).ignorable().tag(0);
//!     }
//! }
//! ```
//!
//! A row is `name: type = default => versions`:
//!
//! - the **name** is the schema's, in snake_case;
//! - the **type** is one of those in [`crate::primitives`], `Uuid`, `ErrorCode`, `Records<'a>`, another struct of the
//!   table, a `Vec` of these, or an `Option` where null is allowed in some version. A struct that borrows has `<'a>`;
//! - the **default** is what a version without the field decodes to; left out it is the type's own (zero, false, empty,
//!   null). The schema's default of a nullable string or array is empty unless it says null: write `Some("")` for that;
//! - the **versions** that have the field are `since(9)` or `between(0, 12)`; `.nullable_since(9)` or
//!   `.nullable_between(1, 3)` where it may be null; `.tag(0)` makes it a tagged field (KIP-482); `.ignorable()` lets a
//!   version without it drop a value silently, which is an [`EncodeError::UnsupportedField`] otherwise.
//!
//! The macro makes of it the struct (all fields public, `Debug, Clone, PartialEq, Default`), its wire form in every
//! version ([`ReadField`], [`WriteField`]), and the table as data ([`WriteField::KIND`]), which
//! a test compares with Kafka's schemas. The rows are constants, so the version checks of a field without conditions
//! cost nothing.
//!
//! # Adding an API
//!
//! 1. A file in `messages/` with its request and response, copied row by row from Kafka's
//!    `clients/src/main/resources/common/message/*.json`, and its `mod` line.
//! 2. A row in [`crate::api_key`]. From it come the `ApiKey`, the traits below, and all tests over every message.
//! 3. Its rows of `src/tests/kafka_schemas.txt`, which `schema.rs` beside it explains.

use crate::api_key::ApiKey;
use crate::error::{DecodeError, DecodeErrorReason, EncodeError};
use crate::field::{Context, ReadField, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

/// A request or response of an API.
pub trait Message: WriteField {
    /// The API.
    const API_KEY: ApiKey;

    /// Appends the message in the wire form of `version`.
    ///
    /// # Errors
    /// When `version` is not served, or a field has a value that `version` cannot express.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let api_key = Self::API_KEY;
        if !api_key.versions().contains(&version) {
            return Err(EncodeError::UnsupportedVersion { api_key, version });
        }
        self.write(w, context(api_key, version))
    }
}

/// A request or response that can be decoded from bytes that live for `'de`.
pub trait Decode<'de>: Message + ReadField<'de> {
    /// Reads the message in the wire form of `version`, leaving what follows it unread.
    ///
    /// # Errors
    /// When `version` is not served, or the bytes are not such a message.
    fn decode(r: &mut Reader<'de>, version: i16) -> Result<Self, DecodeError> {
        let api_key = Self::API_KEY;
        if !api_key.versions().contains(&version) {
            return Err(r.error(DecodeErrorReason::UnsupportedVersion { api_key, version }));
        }
        Self::read(r, context(api_key, version))
    }

    /// Reads a message that fills the rest of `r`, as every request and response does its frame.
    ///
    /// # Errors
    /// As `decode`, and when bytes are left over.
    fn decode_to_end(r: &mut Reader<'de>, version: i16) -> Result<Self, DecodeError> {
        let message = Self::decode(r, version)?;
        r.finish()?;
        Ok(message)
    }
}

impl<'de, T: Message + ReadField<'de>> Decode<'de> for T {}

fn context(api_key: ApiKey, version: i16) -> Context {
    Context { version, flexible: api_key.is_flexible(version), nullable: false }
}

/// The request of an API.
pub trait Request: Message {
    /// The response of the same API.
    type Response<'a>: Decode<'a>;
}

/// The default of a field: the one given, else that of its type.
macro_rules! default_or {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

/// Turns a table of fields into structs with a wire form; the module's documentation teaches it.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        struct $name:ident $(<$lt:lifetime>)? {
            $(
                $(#[$field_meta:meta])*
                $field:ident : $type:ty $(= $default:expr)? => $spec:expr;
            )+
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name $(<$lt>)? {
            $(
                $(#[$field_meta])*
                #[doc = concat!("Versions: `", stringify!($spec), "`.")]
                pub $field: $type,
            )+
        }

        impl $(<$lt>)? Default for $name $(<$lt>)? {
            fn default() -> Self {
                $name { $($field: default_or!($($default)?),)+ }
            }
        }

        // One constant a field, named like it.
        #[expect(non_upper_case_globals, reason = "named like the field whose row it is")]
        impl $(<$lt>)? $name $(<$lt>)? {
            $(const $field: $crate::field::FieldSpec = {
                use $crate::field::*;
                $spec
            };)+
        }

        impl<$($lt,)? 'de> $crate::field::ReadField<'de> for $name $(<$lt>)?
        where
            $('de: $lt)?
        {
            fn read(
                r: &mut $crate::reader::Reader<'de>,
                context: $crate::field::Context,
            ) -> Result<Self, $crate::error::DecodeError> {
                use $crate::field::{Place, ReadField};
                let mut value = Self::default();
                $(
                    if Self::$field.place(context.version) == Place::Body {
                        value.$field = ReadField::read(r, Self::$field.context(context))
                            .map_err(|error| error.in_field(stringify!($field)))?;
                    }
                )+
                if context.flexible {
                    $crate::tagged::read(r, |tag, r| {
                        $(
                            if Self::$field.place(context.version) == Place::Tagged(tag) {
                                value.$field = ReadField::read(r, Self::$field.context(context))
                                    .map_err(|error| error.in_field(stringify!($field)))?;
                                return Ok(true);
                            }
                        )+
                        let _unknown = (tag, r);
                        Ok(false)
                    })?;
                }
                Ok(value)
            }

            fn size_min(context: $crate::field::Context) -> usize {
                use $crate::field::{Place, ReadField};
                let mut size = usize::from(context.flexible);
                $(
                    if Self::$field.place(context.version) == Place::Body {
                        size += <$type as ReadField<'_>>::size_min(context);
                    }
                )+
                size
            }
        }

        impl $(<$lt>)? $crate::field::WriteField for $name $(<$lt>)? {
            const KIND: $crate::field::Kind = $crate::field::Kind::Struct {
                name: stringify!($name),
                fields: &[$($crate::field::Field {
                    name: stringify!($field),
                    kind: <$type as $crate::field::WriteField>::KIND,
                    default: stringify!($($default)?),
                    spec: Self::$field,
                }),+],
            };

            fn write(
                &self,
                w: &mut $crate::writer::Writer,
                context: $crate::field::Context,
            ) -> Result<(), $crate::error::EncodeError> {
                use $crate::error::EncodeError;
                use $crate::field::Place;
                let version = context.version;
                let default = Self::default();
                let mut tagged_count = 0;
                $(
                    match Self::$field.place(version) {
                        Place::Body => self.$field
                            .write(w, Self::$field.context(context))
                            .map_err(|error| error.in_field(stringify!($field)))?,
                        Place::Tagged(_) => {
                            tagged_count += u32::from(self.$field != default.$field);
                        }
                        Place::Absent => {
                            if !Self::$field.ignorable && self.$field != default.$field {
                                let field = stringify!($field);
                                return Err(EncodeError::UnsupportedField { field, version });
                            }
                        }
                    }
                )+
                if context.flexible {
                    w.put_unsigned_varint(tagged_count);
                    $(
                        if let Place::Tagged(tag) = Self::$field.place(version)
                            && self.$field != default.$field
                        {
                            let context = Self::$field.context(context);
                            $crate::tagged::write(w, tag, &self.$field, context)
                                .map_err(|error| error.in_field(stringify!($field)))?;
                        }
                    )+
                }
                Ok(())
            }
        }

        impl<$($lt,)? 'de> $crate::field::ReadField<'de> for Option<$name $(<$lt>)?>
        where
            $('de: $lt)?
        {
            fn read(
                r: &mut $crate::reader::Reader<'de>,
                context: $crate::field::Context,
            ) -> Result<Self, $crate::error::DecodeError> {
                $crate::primitives::read_nullable_struct(r, context)
            }

            fn size_min(_: $crate::field::Context) -> usize {
                $crate::primitives::NULL_STRUCT_BYTES
            }
        }

        impl $(<$lt>)? $crate::field::WriteField for Option<$name $(<$lt>)?> {
            const KIND: $crate::field::Kind = <$name as $crate::field::WriteField>::KIND;

            fn write(
                &self,
                w: &mut $crate::writer::Writer,
                context: $crate::field::Context,
            ) -> Result<(), $crate::error::EncodeError> {
                $crate::primitives::write_nullable_struct(self.as_ref(), w, context)
            }
        }

        #[cfg(test)]
        impl $(<$lt>)? $crate::tests::generate::Generate for $name $(<$lt>)? {
            fn generate(
                g: &mut $crate::tests::generate::Generator,
                context: $crate::field::Context,
            ) -> Self {
                use $crate::field::Place;
                let mut value = Self::default();
                $(
                    if Self::$field.place(context.version) != Place::Absent {
                        value.$field = $crate::tests::generate::Generate::generate(
                            g, Self::$field.context(context),
                        );
                    }
                )+
                value
            }
        }
    )+};
}
