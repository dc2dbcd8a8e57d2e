//! The schema notation: see `protocol/schema/README.md`.

use anyhow::{Context, Result, bail, ensure};

/// An inclusive range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) min: i16,
    pub(super) max: i16,
}

impl Versions {
    const NONE: Self = Self {
        min: i16::MAX,
        max: -1,
    };

    fn parse(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(min) = text.strip_suffix('+') {
            return Ok(Self {
                min: min.parse()?,
                max: i16::MAX,
            });
        }
        match text.split_once('-') {
            Some((min, max)) => Ok(Self {
                min: min.parse()?,
                max: max.parse()?,
            }),
            None => Ok(Self {
                min: text.parse()?,
                max: text.parse()?,
            }),
        }
    }

    pub(super) fn covers(self, other: Self) -> bool {
        self.min <= other.min && self.max >= other.max
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> Self {
        if let Some(element) = text.strip_prefix("[]") {
            return Self::Array(Box::new(Self::parse(element)));
        }
        match text {
            "bool" => Self::Bool,
            "int8" => Self::I8,
            "int16" => Self::I16,
            "uint16" => Self::U16,
            "int32" => Self::I32,
            "uint32" => Self::U32,
            "int64" => Self::I64,
            "float64" => Self::F64,
            "uuid" => Self::Uuid,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            name => Self::Struct(name.to_owned()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    /// As in the schema: the JSON name is this with a small first letter.
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) versions: Versions,
    /// Versions in which null is allowed.
    pub(super) nullable: Option<Versions>,
    pub(super) tag: Option<u32>,
    pub(super) default: Option<String>,
    /// Keeps the classic encoding in flexible versions.
    pub(super) inflexible: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Struct {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) key: Option<i16>,
    pub(super) versions: Versions,
    pub(super) flexible: Versions,
    /// The message itself first.
    pub(super) structs: Vec<Struct>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::new();
    // Indentation and index of the struct that a line of that indentation belongs to.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let context = || format!("line {}: {line}", number + 1);
        if indent == 0 {
            top_level(content, &mut messages).with_context(context)?;
            let message = messages.last().context("a message first")?;
            open = vec![(2, message.structs.len() - 1)];
            continue;
        }
        let message = messages.last_mut().with_context(context)?;
        open.retain(|(depth, _)| *depth <= indent);
        let (depth, owner) = *open.last().with_context(context)?;
        ensure!(depth == indent, "bad indentation, {}", context());
        let field = parse_field(content).with_context(context)?;
        if let Some(name) = struct_name(&field.kind) {
            if !message.structs.iter().any(|known| known.name == name) {
                message.structs.push(Struct {
                    name: name.to_owned(),
                    fields: Vec::new(),
                });
            }
            let index = message
                .structs
                .iter()
                .position(|known| known.name == name)
                .context("just there")?;
            open.push((indent + 2, index));
        }
        message.structs[owner].fields.push(field);
    }
    Ok(messages)
}

fn struct_name(kind: &Type) -> Option<&str> {
    match kind {
        Type::Struct(name) => Some(name),
        Type::Array(element) => struct_name(element),
        _ => None,
    }
}

fn top_level(content: &str, messages: &mut Vec<Message>) -> Result<()> {
    let words: Vec<&str> = content.split_whitespace().collect();
    if words[0] == "struct" {
        let name = words.get(1).context("struct needs a name")?;
        let message = messages.last_mut().context("struct before a message")?;
        // A field above has already named it: move it to the end, where the coming fields go.
        let known = message.structs.iter().position(|known| known.name == *name);
        let found = known.map_or(
            Struct {
                name: (*name).to_owned(),
                fields: Vec::new(),
            },
            |at| message.structs.remove(at),
        );
        message.structs.push(found);
        return Ok(());
    }
    let value = |key: &str| {
        words
            .iter()
            .position(|word| *word == key)
            .and_then(|at| words.get(at + 1))
            .copied()
    };
    let name = words.get(1).context("a message needs a name")?;
    messages.push(Message {
        kind: words[0].to_owned(),
        name: (*name).to_owned(),
        key: value("key").map(str::parse).transpose()?,
        versions: Versions::parse(value("versions").context("versions")?)?,
        flexible: Versions::parse(value("flexible").context("flexible")?)?,
        structs: vec![Struct {
            name: (*name).to_owned(),
            fields: Vec::new(),
        }],
    });
    Ok(())
}

fn parse_field(content: &str) -> Result<Field> {
    let (name, rest) = content
        .split_once(": ")
        .context("a field is `Name: type versions`")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [kind, versions, more @ ..] = words.as_slice() else {
        bail!("type and versions")
    };
    let versions = Versions::parse(versions)?;
    let (kind, nullable) = match kind.split_once('?') {
        Some((kind, "")) => (kind, Some(versions)),
        Some((kind, from)) => (kind, Some(Versions::parse(from)?)),
        None => (*kind, None),
    };
    let mut field = Field {
        name: name.to_owned(),
        kind: Type::parse(kind),
        versions,
        nullable,
        tag: None,
        default: None,
        inflexible: false,
    };
    let mut words = more.iter();
    while let Some(word) = words.next() {
        match *word {
            "tag" => field.tag = Some(words.next().context("tag number")?.parse()?),
            "=" => field.default = Some((*words.next().context("default")?).to_owned()),
            "inflexible" => field.inflexible = true,
            "ignorable" => {}
            other => bail!("unknown word {other}"),
        }
    }
    Ok(field)
}
