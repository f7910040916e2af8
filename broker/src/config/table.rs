//! The macro behind the two settings tables: a row gives a setting's field, type, name, check, default and meaning, and
//! the struct, its parser, `DescribeConfigs` and `start --list-settings` all derive from it.

use super::value::Type;

/// What is known of a setting without its value.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name of it, or ours with the prefix `ringlane.`.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// Its type.
    pub kind: Type,
    /// Whether it can be changed while the broker runs.
    pub dynamic: bool,
}

/// `settings! { Name(argument: Type); dynamic|fixed field: Type = default, "name", check, "meaning"; … }`
macro_rules! settings {
    (
        $(#[$doc:meta])*
        $name:ident ($($argument:ident: $argument_type:ty)?);
        $($when:ident $field:ident: $type:ty = $default:expr, $key:literal, $check:expr, $meaning:literal;)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(#[doc = $meaning] pub $field: $type,)+
        }

        impl $name {
            /// Every setting, in the order of the table.
            pub const SETTINGS: &'static [$crate::config::table::Setting] = &[
                $($crate::config::table::Setting {
                    name: $key,
                    doc: $meaning,
                    kind: <$type as $crate::config::value::Value>::TYPE,
                    dynamic: $crate::config::table::is_dynamic(stringify!($when)),
                },)+
            ];

            /// Every setting at its default.
            pub fn defaults($($argument: $argument_type)?) -> Self {
                Self { $($field: $default,)+ }
            }

            /// Sets `key` to what `text` means.
            ///
            /// # Errors
            /// `None` when there is no such setting, else what is allowed.
            pub fn set(&mut self, key: &str, text: &str) -> Result<(), Option<String>> {
                match key {
                    $($key => {
                        let value = <$type as $crate::config::value::Value>::parse(text)?;
                        ($check)(&value)?;
                        self.$field = value;
                        Ok(())
                    })+
                    _ => Err(None),
                }
            }

            /// The text of `key`'s value.
            pub fn show(&self, key: &str) -> Option<String> {
                match key {
                    $($key => Some($crate::config::value::Value::show(&self.$field)),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use settings;

/// Whether a row's first word says that the setting can be changed while the broker runs.
pub(crate) const fn is_dynamic(word: &str) -> bool {
    matches!(word.as_bytes(), b"dynamic")
}
