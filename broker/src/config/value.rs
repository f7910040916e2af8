//! The types of settings: how each is read from text, shown as text, and named in answers to clients.

use ringlane_batch::TimestampType;

/// The type of a setting, as DescribeConfigs v1+ numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// `true` or `false`.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A 32-bit number.
    Int = 3,
    /// A 64-bit number.
    Long = 5,
    /// A number with a fraction.
    Double = 6,
    /// Values separated by commas.
    List = 7,
}

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// Its name towards clients.
    const TYPE: Type;

    /// The value that `text` means, or what is allowed instead.
    ///
    /// # Errors
    /// A clause that completes "the value of KEY …".
    fn parse(text: &str) -> Result<Self, String>;

    /// The text that means this value.
    fn show(&self) -> String;
}

macro_rules! number {
    ($type:ty, $name:expr) => {
        impl Value for $type {
            const TYPE: Type = $name;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| {
                    format!("must be a whole number from {} to {}", <$type>::MIN, <$type>::MAX)
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    };
}

number!(i16, Type::Int);
number!(i32, Type::Int);
number!(i64, Type::Long);

impl Value for bool {
    const TYPE: Type = Type::Boolean;

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".into()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for TimestampType {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "CreateTime" => Ok(Self::CreateTime),
            "LogAppendTime" => Ok(Self::LogAppendTime),
            _ => Err("must be CreateTime or LogAppendTime".into()),
        }
    }

    fn show(&self) -> String {
        let text = match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        };
        text.to_owned()
    }
}

impl Value for f64 {
    const TYPE: Type = Type::Double;

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number: &f64| !number.is_nan());
        number.ok_or_else(|| "must be a number".into())
    }

    fn show(&self) -> String {
        // As Java writes it: 0.5, 1.7976931348623157E308.
        format!("{self:?}").replace('e', "E")
    }
}

/// Where a broker listens, or says that it listens: `NAME://host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name, e.g. `PLAINTEXT`.
    pub name: String,
    /// A name or an address; empty for all interfaces.
    pub host: String,
    /// 0 in `listeners` for any free port.
    pub port: u16,
}

/// A comma-separated list of endpoints.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoints(pub Vec<Endpoint>);

impl Value for Endpoints {
    const TYPE: Type = Type::List;

    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(parse_endpoint).collect::<Result<_, _>>().map(Self)
    }

    fn show(&self) -> String {
        let show = |Endpoint { name, host, port }: &Endpoint| format!("{name}://{host}:{port}");
        self.0.iter().map(show).collect::<Vec<_>>().join(",")
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let form = || format!("must be a list of NAME://host:port, and {text:?} is not of that form");
    let (name, address) = text.split_once("://").ok_or_else(form)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = port.parse().map_err(|_| form())?;
    Ok(Endpoint { name: name.to_ascii_uppercase(), host, port })
}

/// Limits a number: a check for the rows of a settings table.
pub(crate) fn within<T: PartialOrd + std::fmt::Display>(
    least: T,
    most: T,
) -> impl Fn(&T) -> Result<(), String> {
    move |value| {
        if (&least..=&most).contains(&value) {
            return Ok(());
        }
        Err(format!("must be from {least} to {most}"))
    }
}

/// Any value of the type will do: a check for the rows of a settings table.
pub(crate) fn any<T>(_: &T) -> Result<(), String> {
    Ok(())
}

/// More than nothing: a check for the rows of a settings table.
pub(crate) fn above_zero(value: &f64) -> Result<(), String> {
    if *value > 0.0 { Ok(()) } else { Err("must be above 0".into()) }
}

/// At least one element: a check for the rows of a settings table.
pub(crate) fn not_empty(value: &str) -> Result<(), String> {
    if value.is_empty() { Err("must not be empty".into()) } else { Ok(()) }
}
