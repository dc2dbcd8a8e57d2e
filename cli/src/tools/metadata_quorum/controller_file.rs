//! A controller as its own file of properties describes it, for adding it to the quorum.

use std::path::Path;

use ottla_client::admin::QuorumEndpoint;
use ottla_protocol::wire::Uuid;

use crate::options;
use crate::stop::Failure;

pub(super) struct Controller {
    pub(super) id: i32,
    pub(super) directory_id: Uuid,
    pub(super) endpoints: Vec<QuorumEndpoint>,
}

type Properties = [(String, String)];

impl Controller {
    pub(super) fn of_properties(properties: &Properties) -> Result<Self, Failure> {
        let id = node_id(properties)?;
        let directory_id = directory_id(metadata_directory(properties)?)?;
        let endpoints = endpoints(properties)?;
        Ok(Self {
            id,
            directory_id,
            endpoints,
        })
    }
}

fn value<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    let found = properties.iter().find(|(present, _)| present == key);
    found.map(|(_, value)| value.as_str())
}

/// That the file is one of a controller is in doubt.
fn doubt(what: &str) -> Failure {
    Failure::new(format!(
        "{what}. Is this a valid controller configuration file?"
    ))
}

fn node_id(properties: &Properties) -> Result<i32, Failure> {
    let text = value(properties, "node.id");
    let text = text.ok_or_else(|| doubt("node.id not found in configuration file"))?;
    let wrong = || Failure::new(format!("For input string: \"{text}\""));
    let id: i32 = text.trim().parse().map_err(|_| wrong())?;
    if id < 0 {
        return Err(doubt("node.id was negative in configuration file"));
    }
    let roles = value(properties, "process.roles").unwrap_or_default();
    if !roles.contains("controller") {
        return Err(doubt(
            "process.roles did not contain 'controller' in configuration file",
        ));
    }
    Ok(id)
}

fn metadata_directory(properties: &Properties) -> Result<&str, Failure> {
    let of_logs = || value(properties, "log.dirs")?.trim().split(',').next();
    let found = value(properties, "metadata.log.dir").or_else(of_logs);
    found.ok_or_else(|| doubt("Neither metadata.log.dir nor log.dirs were found"))
}

fn directory_id(directory: &str) -> Result<Uuid, Failure> {
    let path = Path::new(directory).join("meta.properties");
    let unreadable = || Failure::new(format!("Unable to read meta.properties from {directory}"));
    let path = path.to_str().ok_or_else(unreadable)?;
    let properties = options::read_properties(path).map_err(|failure| Failure {
        hints: failure.hints,
        ..unreadable()
    })?;
    let id = value(&properties, "directory.id").and_then(Uuid::parse);
    id.ok_or_else(|| Failure::new(format!("No directory id found in {directory}")))
}

/// Of each controller listener: where it is advertised, else where it listens.
fn endpoints(properties: &Properties) -> Result<Vec<QuorumEndpoint>, Failure> {
    let names = value(properties, "controller.listener.names");
    let names = names.ok_or_else(|| doubt("controller.listener.names was not found"))?;
    let listed = |key| value(properties, key).unwrap_or_default().split(',');
    let known: Vec<QuorumEndpoint> = listed("advertised.listeners")
        .chain(listed("listeners"))
        .filter_map(endpoint)
        .collect();
    let find = |name: &str| {
        let name = name.trim().to_uppercase();
        let found = known.iter().find(|endpoint| endpoint.name == name).cloned();
        let missing = || {
            Failure::new(format!(
                "Cannot find information about controller listener name: {name}"
            ))
        };
        found.ok_or_else(missing)
    };
    names.split(',').map(find).collect()
}

/// `NAME://HOST:PORT`
fn endpoint(text: &str) -> Option<QuorumEndpoint> {
    let (name, address) = text.trim().split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.trim_matches(['[', ']']) {
        "" => "localhost",
        host => host,
    };
    Some(QuorumEndpoint {
        name: name.to_uppercase(),
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str, with_directory: bool) -> Result<Controller, String> {
        let dir = tempfile::tempdir().unwrap();
        let meta = if with_directory {
            "version=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n"
        } else {
            "version=1\n"
        };
        std::fs::write(dir.path().join("meta.properties"), meta).unwrap();
        let lines = lines.replace("DIR", dir.path().to_str().unwrap());
        let properties = ottla_config::properties::parse(&lines).unwrap();
        Controller::of_properties(&properties)
            .map_err(|failure| failure.message.replace(dir.path().to_str().unwrap(), "DIR"))
    }

    const GOOD: &str = "node.id=4\nprocess.roles=controller\nlog.dirs=DIR,/other\ncontroller.listener.names=CONTROLLER\n\
                        listeners=CONTROLLER://:9093,PLAINTEXT://a:1\n";

    #[test]
    fn a_controllers_file_says_who_and_where_it_is() {
        let controller = read(GOOD, true).unwrap();
        assert_eq!(controller.id, 4);
        assert_eq!(
            controller.directory_id.to_string(),
            "AAAAAAAAAAAAAAAAAAAAAQ"
        );
        let texts = |controller: &Controller| -> Vec<String> {
            controller
                .endpoints
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(texts(&controller), ["CONTROLLER://localhost:9093"]);
        let advertised = format!("{GOOD}advertised.listeners=controller://[::1]:5\n");
        assert_eq!(
            texts(&read(&advertised, true).unwrap()),
            ["CONTROLLER://[::1]:5"]
        );
    }

    #[test]
    fn what_is_no_controllers_file_is_refused_in_the_references_words() {
        let valid = "Is this a valid controller configuration file?";
        for (text, with_directory, words) in [
            (
                "",
                true,
                format!("node.id not found in configuration file. {valid}"),
            ),
            (
                "node.id=-1",
                true,
                format!("node.id was negative in configuration file. {valid}"),
            ),
            (
                "node.id=1\nprocess.roles=broker",
                true,
                format!(
                    "process.roles did not contain 'controller' in configuration file. {valid}"
                ),
            ),
            (
                "node.id=1\nprocess.roles=controller",
                true,
                format!("Neither metadata.log.dir nor log.dirs were found. {valid}"),
            ),
            (
                "node.id=1\nprocess.roles=controller\nlog.dirs=/nowhere",
                true,
                "Unable to read meta.properties from /nowhere".to_owned(),
            ),
            (GOOD, false, "No directory id found in DIR".to_owned()),
            (
                "node.id=1\nprocess.roles=controller\nlog.dirs=DIR",
                true,
                format!("controller.listener.names was not found. {valid}"),
            ),
            (
                "node.id=1\nprocess.roles=controller\nlog.dirs=DIR\ncontroller.listener.names=X",
                true,
                "Cannot find information about controller listener name: X".to_owned(),
            ),
        ] {
            assert_eq!(read(text, with_directory).err(), Some(words), "{text}");
        }
    }
}
