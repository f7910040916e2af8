//! What a field of a message is: the versions that have it, where null is allowed, its tag; and the two traits by which
//! the `message!` table reads and writes it.

use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::Writer;

/// Versions from `min` to `max`, both included, as in Kafka's schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// First version.
    pub min: i16,
    /// Last version; `i16::MAX` for "and all later".
    pub max: i16,
}

impl Versions {
    /// Whether `version` is one of them.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// The row of one field, built by [`since`] or [`between`] and the methods here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Versions that have the field.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Option<Versions>,
    /// Its tag, if it is a tagged field (KIP-482); the tagged fields of a struct are listed in the order of their tags.
    pub tag: Option<u32>,
    /// Whether a value is silently dropped by a version that does not have the field; else that is an error.
    pub ignorable: bool,
}

/// A field that versions from `min` on have.
#[must_use]
pub const fn since(min: i16) -> FieldSpec {
    between(min, i16::MAX)
}

/// A field that versions from `min` to `max`, both included, have.
#[must_use]
pub const fn between(min: i16, max: i16) -> FieldSpec {
    FieldSpec { versions: Versions { min, max }, nullable: None, tag: None, ignorable: false }
}

impl FieldSpec {
    /// Null is allowed in versions from `min` on.
    #[must_use]
    pub const fn nullable_since(self, min: i16) -> FieldSpec {
        self.nullable_between(min, i16::MAX)
    }

    /// Null is allowed in versions from `min` to `max`, both included.
    #[must_use]
    pub const fn nullable_between(mut self, min: i16, max: i16) -> FieldSpec {
        self.nullable = Some(Versions { min, max });
        self
    }

    /// The field is written behind the others with this tag, unless it has its default (KIP-482).
    #[must_use]
    pub const fn tag(mut self, tag: u32) -> FieldSpec {
        self.tag = Some(tag);
        self
    }

    /// A version that does not have the field drops its value silently.
    #[must_use]
    pub const fn ignorable(mut self) -> FieldSpec {
        self.ignorable = true;
        self
    }

    /// Where the field stands in `version`.
    #[must_use]
    pub(crate) const fn place(self, version: i16) -> Place {
        match self.tag {
            _ if !self.versions.contains(version) => Place::Absent,
            None => Place::Body,
            Some(tag) => Place::Tagged(tag),
        }
    }

    /// The context of the field inside a struct with context `outer`.
    #[must_use]
    pub(crate) const fn context(self, outer: Context) -> Context {
        let nullable = match self.nullable {
            Some(versions) => versions.contains(outer.version),
            None => false,
        };
        Context { nullable, ..outer }
    }
}

/// Where a field stands in one version of its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Body,
    Tagged(u32),
    Absent,
}

/// What the wire form of a value depends on besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Version of the message.
    pub version: i16,
    /// Whether that version has compact lengths and tagged fields (KIP-482).
    pub flexible: bool,
    /// Whether this value may be null.
    pub nullable: bool,
}

/// A value with a wire form, decoded from bytes that live for `'de`.
pub trait ReadField<'de>: Sized {
    /// Reads the value from the front of `r`.
    fn read(r: &mut Reader<'de>, context: Context) -> Result<Self, DecodeError>;

    /// The fewest bytes that any value of the type takes: bounds how many elements an array can really have.
    fn size_min(context: Context) -> usize;
}

/// A value with a wire form.
pub trait WriteField {
    /// The type as Kafka's schemas name it.
    const KIND: Kind;

    /// Appends the value to `w`.
    fn write(&self, w: &mut Writer, context: Context) -> Result<(), EncodeError>;
}

/// The wire type of a field; with [`Field`], a message's table as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A type that has no parts, by its name in Kafka's schemas (`int32`, `string`, `records`, ...).
    Primitive(&'static str),
    /// An array.
    Array(&'static Kind),
    /// A nested struct.
    Struct {
        /// Its name, as in Kafka's schema.
        name: &'static str,
        /// Its fields in wire order.
        fields: &'static [Field],
    },
}

/// One field of a struct, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in snake_case.
    pub name: &'static str,
    /// Its wire type; whether it may be null says `spec`.
    pub kind: Kind,
    /// The source text of its default, empty for the type's own (zero, false, empty, null).
    pub default: &'static str,
    /// Its row.
    pub spec: FieldSpec,
}
