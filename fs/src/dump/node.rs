//! What a dump says: values with names, in order; the same for people and for programs.

use std::fmt::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value of a dump. It serializes as JSON would show it; `Display` shows it to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A number.
    Number(i128),
    /// Words, or bytes in hexadecimal.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Many of the same.
    List(Vec<Node>),
    /// Named values.
    Map(Map),
}

/// Named values, in the order in which they were put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<(&'static str, Node)>);

impl Map {
    /// Without a value.
    pub fn new() -> Map {
        Map::default()
    }

    /// With one value more.
    #[must_use]
    pub fn put(mut self, name: &'static str, value: impl Into<Node>) -> Map {
        self.0.push((name, value.into()));
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(have, _)| *have == name).map(|(_, value)| value)
    }
}

impl Node {
    /// A value below, by its name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Map(map) => map.get(name),
            _ => None,
        }
    }

    /// The list, where it is one.
    pub fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(list) => Some(list),
            _ => None,
        }
    }

    /// Bytes in hexadecimal.
    pub fn hex(bytes: &[u8]) -> Node {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            write!(text, "{byte:02x}").expect("a string takes all");
        }
        Node::Text(text)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Node::Number(number) => writeln!(f, " {number}"),
            Node::Text(text) => writeln!(f, " {text}"),
            Node::Flag(flag) => writeln!(f, " {}", if *flag { "yes" } else { "no" }),
            Node::List(list) if list.is_empty() => writeln!(f, " none"),
            Node::List(list) => {
                writeln!(f)?;
                list.iter().try_for_each(|value| value.show_item(f, depth))
            }
            Node::Map(map) => {
                writeln!(f)?;
                map.show(f, depth)
            }
        }
    }

    /// One item of a list: a map of plain values takes one line.
    fn show_item(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:1$}-", "", depth * 2)?;
        let Node::Map(map) = self else { return self.show(f, depth + 1) };
        let flat = |value: &Node| !matches!(value, Node::List(_) | Node::Map(_));
        if !map.0.iter().all(|(_, value)| flat(value)) {
            return self.show(f, depth + 1);
        }
        for (name, value) in &map.0 {
            match value {
                Node::Number(number) => write!(f, " {name} {number}")?,
                Node::Text(text) => write!(f, " {name} {text}")?,
                _ => write!(f, " {name} {}", value == &Node::Flag(true))?,
            }
        }
        writeln!(f)
    }
}

impl Map {
    fn show(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| {
            write!(f, "{:1$}{name}:", "", depth * 2)?;
            value.show(f, depth + 1)
        })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Map(map) => map.show(f, 0),
            Node::List(list) => list.iter().try_for_each(|value| value.show_item(f, 0)),
            other => other.show(f, 0),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Number(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_u64(u64::try_from(*number).unwrap_or(u64::MAX)),
            },
            Node::Text(text) => serializer.serialize_str(text),
            Node::Flag(flag) => serializer.serialize_bool(*flag),
            Node::List(list) => list.serialize(serializer),
            Node::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Node {
        Node::Flag(flag)
    }
}

impl From<Vec<Node>> for Node {
    fn from(list: Vec<Node>) -> Node {
        Node::List(list)
    }
}

impl From<Map> for Node {
    fn from(map: Map) -> Node {
        Node::Map(map)
    }
}

/// Every kind of number of a table on disk, and our own.
macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Node {
            fn from(number: $kind) -> Node {
                Node::Number(i128::from(number))
            }
        })*
    };
}

numbers!(u8, u16, u32, u64, i64);

/// The same for the types of tables on disk.
macro_rules! disk_numbers {
    ($($kind:ident),*) => {
        $(impl From<zerocopy::little_endian::$kind> for Node {
            fn from(number: zerocopy::little_endian::$kind) -> Node {
                Node::Number(i128::from(number.get()))
            }
        })*
    };
}

disk_numbers!(U16, U32, U64, I64);
