//! Text as a slice of the frame it came in.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

/// UTF-8 text that shares its bytes: cloning and decoding never copy them.
///
/// Always: the bytes are valid UTF-8; every constructor has checked or had a `str`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrBytes(Bytes);

impl StrBytes {
    /// The empty text, without an allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// The empty text, for whoever wants a reference.
    #[must_use]
    pub fn empty() -> &'static Self {
        static EMPTY: StrBytes = StrBytes::new();
        &EMPTY
    }

    /// Text that lives as long as the program, without an allocation.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Takes the bytes as they are where they are UTF-8, and a copy with U+FFFD in the bad places where not:
    /// the reference decodes so.
    pub(crate) fn from_wire(bytes: Bytes) -> Self {
        // The first is cheaper for short texts, and nearly all are ASCII.
        if bytes.is_ascii() || std::str::from_utf8(&bytes).is_ok() {
            return Self(bytes);
        }
        Self(Bytes::from(String::from_utf8_lossy(&bytes).into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked by every constructor")
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text in an allocation of its own, so that keeping it does not keep the frame it came in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

/// As `str` hashes, so that a map with these keys can be asked with a `&str`.
impl Hash for StrBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Deref for StrBytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for StrBytes {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for StrBytes {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for StrBytes {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for StrBytes {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&String> for StrBytes {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq<str> for StrBytes {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for StrBytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for StrBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for StrBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::StrBytes;

    #[test]
    fn a_map_is_asked_with_plain_text() {
        let map = HashMap::from([(StrBytes::from("topic"), 1)]);
        assert_eq!(map.get("topic"), Some(&1));
    }
}
