//! The files that name clusters: the nearest `.ottla.yaml` upwards, and `config.yaml` of the user.
//!
//! ```yaml
//! current: local
//! contexts:
//!   local:
//!     bootstrap-servers: localhost:9092
//!   production:
//!     command-config: production.properties   # from this file's folder
//!     properties: {client.id: me}
//!     protected: true
//! ```
//!
//! Always: of two contexts of a name the nearer one holds, and so for `current`. What is not known is refused: a typing mistake
//! in `protected` must not go unseen.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ottla_config::yaml;

use crate::meant::meant;
use crate::options;
use crate::stop::Failure;

/// The name of the file beside what it is for.
pub(crate) const NEAR: &str = ".ottla.yaml";

/// What a file says of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The file that names it.
    pub(crate) file: PathBuf,
    pub(crate) bootstrap_servers: Option<String>,
    /// A properties file, already looked up from the folder of `file`.
    pub(crate) command_config: Option<PathBuf>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) is_protected: bool,
    pub(crate) about: Option<String>,
}

/// All files together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contexts {
    pub(crate) named: BTreeMap<String, Named>,
    /// The context that is meant where nobody says another, and the file that says so.
    pub(crate) current: Option<(String, PathBuf)>,
}

impl Contexts {
    /// Reads the files there are; that there are none is no error.
    pub(crate) fn load() -> Result<Self, Failure> {
        let near = std::env::current_dir().ok().and_then(|dir| nearest(&dir));
        let mut all = Self::default();
        for path in [near, user_file()].into_iter().flatten() {
            match options::read_small(&path) {
                Ok(bytes) => all.add(&path, &bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, &error.to_string())),
            }
        }
        Ok(all)
    }

    fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8"))?;
        let pairs = yaml::parse(text).map_err(|error| unreadable(path, &error.to_string()))?;
        let mut named = BTreeMap::new();
        for (key, value) in pairs {
            match key.split_once('.') {
                None if key == "current" => {
                    self.current
                        .get_or_insert_with(|| (value, path.to_path_buf()));
                }
                Some(("contexts", rest)) => {
                    let (name, key) = rest.split_once('.').unwrap_or((rest, ""));
                    check_name(name).map_err(|reason| unreadable(path, &reason))?;
                    let context = named.entry(name.to_owned()).or_insert_with(|| Named {
                        file: path.to_path_buf(),
                        ..Named::default()
                    });
                    context.set(key, value).map_err(|reason| {
                        unreadable(path, &format!("contexts.{rest}: {reason}"))
                    })?;
                }
                _ => return Err(unreadable(path, &format!("{key} is not known here"))),
            }
        }
        for (name, context) in named {
            self.named.entry(name).or_insert(context);
        }
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Result<&Named, Failure> {
        self.named.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let hint = match names.is_empty() {
                true => format!(
                    "No context is named yet; {NEAR} or {} names them, `ottla help context` shows how.",
                    user_file().unwrap_or_else(|| PathBuf::from("config.yaml")).display()
                ),
                false => format!("There are: {}.", names.join(", ")),
            };
            let hint = match meant(name, names.iter().copied()) {
                Some(nearest) => format!("Did you mean '{nearest}'? {hint}"),
                None => hint,
            };
            Failure::new(format!("There is no context '{name}'.")).hint(hint)
        })
    }
}

impl Named {
    fn set(&mut self, key: &str, value: String) -> Result<(), String> {
        match key {
            "bootstrap-servers" => self.bootstrap_servers = Some(value),
            "command-config" => {
                let folder = self.file.parent().unwrap_or(Path::new("."));
                self.command_config = Some(folder.join(at_home(&value)));
            }
            "about" => self.about = Some(value),
            "protected" => {
                self.is_protected = value
                    .parse()
                    .map_err(|_| format!("'{value}' is neither true nor false"))?;
            }
            _ => match key.strip_prefix("properties.") {
                Some(property) => self.properties.push((property.to_owned(), value)),
                None => {
                    return Err(
                        "known are bootstrap-servers, command-config, properties, protected and about"
                            .to_owned(),
                    );
                }
            },
        }
        Ok(())
    }

    /// What a client is configured with: the properties file, and on top of it the properties.
    pub(crate) fn client_properties(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut all = match &self.command_config {
            Some(path) => options::read_properties(&path.to_string_lossy())?,
            None => Vec::new(),
        };
        for (key, value) in &self.properties {
            options::set(&mut all, key, value.clone());
        }
        Ok(all)
    }

    /// Where its brokers are, from itself or from its properties.
    pub(crate) fn servers(&self) -> Result<Option<String>, Failure> {
        if let Some(servers) = &self.bootstrap_servers {
            return Ok(Some(servers.clone()));
        }
        let properties = self.client_properties()?.into_iter();
        let mut servers = properties.filter(|(key, _)| key == "bootstrap.servers");
        Ok(servers.next().map(|(_, value)| value))
    }
}

/// Dots would be taken for levels of the file.
fn check_name(name: &str) -> Result<(), String> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(usual) {
        true => Ok(()),
        false => Err(format!(
            "'{name}' is no name of a context: letters, digits, - and _ make one"
        )),
    }
}

fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// The file in this folder or in one above it.
fn nearest(folder: &Path) -> Option<PathBuf> {
    let mut files = folder.ancestors().map(|folder| folder.join(NEAR));
    files.find(|file| file.is_file())
}

/// `$XDG_CONFIG_HOME/ottla/config.yaml`, else `~/.config/ottla/config.yaml`.
pub(crate) fn user_file() -> Option<PathBuf> {
    let absolute = |key| {
        std::env::var_os(key)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Some(config?.join("ottla/config.yaml"))
}

fn unreadable(path: &Path, reason: &str) -> Failure {
    let path = path.display();
    Failure::new(format!("Cannot use the contexts of {path}: {reason}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[&str]) -> Result<Contexts, String> {
        let mut all = Contexts::default();
        for (index, text) in files.iter().enumerate() {
            let path = PathBuf::from(format!("/{index}/config.yaml"));
            all.add(&path, text.as_bytes())
                .map_err(|failure| failure.message)?;
        }
        Ok(all)
    }

    #[test]
    fn the_nearer_file_holds_and_the_other_adds() {
        let near = "current: a\ncontexts:\n  a: {bootstrap-servers: [h:1, i:2], protected: true}\n";
        let far = "current: b\ncontexts:\n  a: {bootstrap-servers: x:9}\n  b: {command-config: b.properties, properties: {client.id: me}}\n";
        let all = read(&[near, far]).unwrap();
        assert_eq!(
            all.current.as_ref().map(|(name, _)| name.as_str()),
            Some("a")
        );
        let (a, b) = (all.find("a").unwrap(), all.find("b").unwrap());
        assert_eq!(a.bootstrap_servers.as_deref(), Some("h:1,i:2"));
        assert!(a.is_protected && !b.is_protected);
        assert_eq!(
            b.command_config.as_deref(),
            Some(Path::new("/1/b.properties"))
        );
        assert_eq!(b.properties, [("client.id".to_owned(), "me".to_owned())]);
        assert!(
            all.find("c")
                .is_err_and(|failure| failure.hints == ["There are: a, b."])
        );
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        for (text, reason) in [
            ("currant: a\n", "currant is not known here"),
            (
                "contexts: {a: {protect: true}}\n",
                "contexts.a.protect: known are",
            ),
            (
                "contexts: {a: {protected: yes please}}\n",
                "'yes please' is neither true nor false",
            ),
            (
                "contexts: {a b: {protected: true}}\n",
                "'a b' is no name of a context",
            ),
            ("contexts: [\n", "Cannot use the contexts of /0/config.yaml"),
        ] {
            let said = read(&[text]).unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }
}
