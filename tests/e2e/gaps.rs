//! The ledger of gaps tells the truth about APIs: what the broker does not offer is named there as not offered, and
//! nothing else is.

use std::collections::BTreeSet;

use crate::server::Server;

const LEDGER: &str = include_str!("../../docs/gaps.md");

#[test]
fn apis_that_are_not_offered_are_those_that_the_ledger_names() {
    let server = Server::start();
    let listed = server.tool("broker-api-versions");
    let unsupported: BTreeSet<&str> = listed
        .lines()
        .filter(|line| line.contains("UNSUPPORTED"))
        .filter_map(|line| line.trim().split('(').next())
        .collect();
    let named: BTreeSet<&str> = LEDGER
        .lines()
        .filter(|line| line.contains("| not offered |"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(unsupported, named);
}
