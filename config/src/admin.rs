//! The admin client's own keys; the rest is in `client`.

use std::sync::LazyLock;

use crate::client;
use crate::def::Type::{Boolean, Int, List, Long, String};
use crate::def::{Def, Table};
use crate::valid::Valid;

/// Every admin key.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::join("admin", &[OWN, client::KEYS]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("bootstrap.controllers", List).default("").valid(Valid::Items { may_be_empty: true }).high()
        .doc("Addresses, as host:port, of controllers to talk to instead of brokers."),
    Def::new("bootstrap.servers", List).default("").valid(Valid::Items { may_be_empty: true }).high()
        .doc("Addresses, as host:port, through which the cluster is found."),
    Def::new("client.id", String).default("")
        .doc("A name that the client gives with each request, shown in logs, metrics and quotas."),
    Def::new("connections.max.idle.ms", Long).default("300000")
        .doc("After this long without traffic a connection is closed."),
    Def::new("default.api.timeout.ms", Int).default("60000").at_least(0)
        .doc("How long an operation may take that names no time itself."),
    Def::new("enable.metrics.push", Boolean).default("false").low()
        .doc("Whether the client sends its metrics to a cluster that asks for them."),
    Def::new("receive.buffer.bytes", Int).default("65536").at_least(-1)
        .doc("Size of the TCP receive buffer; -1 leaves it to the operating system."),
    Def::new("retries", Int).default("2147483647").between(0, 2_147_483_647).low()
        .doc("How often a failed request is sent again within its time."),
];
