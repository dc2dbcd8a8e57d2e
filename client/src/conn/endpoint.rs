//! An address as users write it: `host:port`, `[v6]:port`, optionally with a `PROTOCOL://` before it.
//!
//! Owns: parsing of `bootstrap.servers`. Not here: name resolution, which happens when connecting.

use std::fmt;

/// Where a broker is said to listen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no address: {reason}")]
pub struct BadEndpoint {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Endpoint {
    /// An endpoint from its parts, as metadata carries it.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Reads one address. The reference accepts a listener prefix (`PLAINTEXT://`) here, so we do.
    pub fn parse(text: &str) -> Result<Self, BadEndpoint> {
        let bad = |reason| BadEndpoint {
            text: text.to_owned(),
            reason,
        };
        let trimmed = text.trim();
        let address = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
        let (host, port) = address
            .rsplit_once(':')
            .ok_or(bad("the port is missing (host:port)"))?;
        let port: u16 = port
            .parse()
            .map_err(|_| bad("the port is no number from 1 to 65535"))?;
        if port == 0 {
            return Err(bad("port 0 can't be connected to"));
        }
        let host = match host.strip_prefix('[') {
            Some(inner) => inner
                .strip_suffix(']')
                .ok_or(bad("the closing ] is missing"))?,
            None if host.contains(':') => return Err(bad("an IPv6 address needs brackets")),
            None => host,
        };
        if host.is_empty() {
            return Err(bad("the host is missing (host:port)"));
        }
        let known = |c: char| c.is_ascii_alphanumeric() || "-._%:".contains(c);
        if !host.chars().all(known) {
            return Err(bad("the host has characters that no host name has"));
        }
        Ok(Self::new(host, port))
    }

    /// Reads a comma list; empty items are skipped, as the reference does.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, BadEndpoint> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(Self::parse)
            .collect()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_users_write() {
        let cases = [
            ("localhost:9092", "localhost:9092"),
            (" broker-1.example.com:1 ", "broker-1.example.com:1"),
            ("PLAINTEXT://127.0.0.1:9092", "127.0.0.1:9092"),
            ("[::1]:9092", "[::1]:9092"),
            ("[fe80::1%eth0]:65535", "[fe80::1%eth0]:65535"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Endpoint::parse(text).unwrap().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        let cases = [
            ("localhost", "port is missing"),
            ("localhost:", "no number"),
            ("localhost:65536", "no number"),
            ("localhost:-1", "no number"),
            ("localhost:0", "port 0"),
            (":9092", "host is missing"),
            ("::1:9092", "needs brackets"),
            ("[::1:9092", "closing ]"),
            ("a b:9092", "characters"),
            ("a/b:9092", "characters"),
        ];
        for (text, reason) in cases {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn empty_items_of_a_list_are_skipped() {
        let list = Endpoint::parse_list("a:1,, b:2 ,").unwrap();
        assert_eq!(list, [Endpoint::new("a", 1), Endpoint::new("b", 2)]);
        assert_eq!(Endpoint::parse_list(" , ").unwrap(), []);
    }
}
