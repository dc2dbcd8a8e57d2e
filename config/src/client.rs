//! Keys that producer, consumer and admin client have in common.

use crate::def::Def;
use crate::def::Type::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use crate::valid::Valid;

#[rustfmt::skip]
pub(crate) const KEYS: &[Def] = &[
    Def::new("client.dns.lookup", String).default("use_all_dns_ips").one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])
        .doc("Whether a host name's addresses are tried one after another, or first resolved to canonical names."),
    Def::new("config.providers", List).default("").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Names of plug-ins that resolve variables in configuration values."),
    Def::new("metadata.max.age.ms", Long).default("300000").at_least(0).low()
        .doc("After this long metadata is fetched again even if nothing seems to have changed."),
    Def::new("metadata.recovery.rebootstrap.trigger.ms", Long).default("300000").at_least(0).low()
        .doc("How long metadata may be unobtainable before a client starts again from its bootstrap servers."),
    Def::new("metadata.recovery.strategy", String).default("rebootstrap").valid(Valid::OneOfIgnoreCase(&["REBOOTSTRAP", "NONE"])).low()
        .doc("What a client does when no known broker can be reached: start again from the bootstrap servers, or fail."),
    Def::new("metric.reporters", List).default("org.apache.kafka.common.metrics.JmxReporter").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Classes that metrics are reported to."),
    Def::new("metrics.num.samples", Int).default("2").at_least(1).low()
        .doc("How many samples a metric is computed from."),
    Def::new("metrics.recording.level", String).default("INFO").one_of(&["INFO", "DEBUG", "TRACE"]).low()
        .doc("The most detailed level at which metrics are recorded."),
    Def::new("metrics.sample.window.ms", Long).default("30000").at_least(0).low()
        .doc("The time that one sample of a metric covers."),
    Def::new("reconnect.backoff.max.ms", Long).default("1000").at_least(0).low()
        .doc("The longest wait before connecting again to a broker that keeps failing."),
    Def::new("reconnect.backoff.ms", Long).default("50").at_least(0).low()
        .doc("The wait before connecting again to a broker; it grows with every failure."),
    Def::new("request.timeout.ms", Int).default("30000").at_least(0)
        .doc("How long to wait for the answer to a request before it counts as failed."),
    Def::new("retry.backoff.max.ms", Long).default("1000").at_least(0).low()
        .doc("The longest wait before a request that keeps failing is sent again."),
    Def::new("retry.backoff.ms", Long).default("100").at_least(0).low()
        .doc("The wait before a failed request is sent again; it grows with every failure."),
    Def::new("sasl.client.callback.handler.class", Class)
        .doc("Class that supplies a client's credentials."),
    Def::new("sasl.jaas.config", Password)
        .doc("Login module and credentials, as one line of a JAAS file."),
    Def::new("sasl.kerberos.kinit.cmd", String).default("/usr/bin/kinit").low()
        .doc("Path of kinit."),
    Def::new("sasl.kerberos.min.time.before.relogin", Long).default("60000").low()
        .doc("The least time between attempts to renew a ticket."),
    Def::new("sasl.kerberos.service.name", String)
        .doc("The service name that brokers run under in Kerberos."),
    Def::new("sasl.kerberos.ticket.renew.jitter", Double).default("0.05").low()
        .doc("Share of the renewal time that is varied at random."),
    Def::new("sasl.kerberos.ticket.renew.window.factor", Double).default("0.8").low()
        .doc("Share of a ticket's life after which it is renewed."),
    Def::new("sasl.login.callback.handler.class", Class)
        .doc("Class that supplies credentials for a login."),
    Def::new("sasl.login.class", Class)
        .doc("Class that performs a login."),
    Def::new("sasl.login.connect.timeout.ms", Int).low()
        .doc("How long connecting to the identity provider may take."),
    Def::new("sasl.login.read.timeout.ms", Int).low()
        .doc("How long an answer of the identity provider may take."),
    Def::new("sasl.login.refresh.buffer.seconds", Short).default("300").between(0, 3600).low()
        .doc("How long before its end a credential is refreshed at the latest."),
    Def::new("sasl.login.refresh.min.period.seconds", Short).default("60").between(0, 900).low()
        .doc("The least time between two refreshes of a credential."),
    Def::new("sasl.login.refresh.window.factor", Double).default("0.8").between_real(0.5, 1.0).low()
        .doc("Share of a credential's life after which it is refreshed."),
    Def::new("sasl.login.refresh.window.jitter", Double).default("0.05").between_real(0.0, 0.25).low()
        .doc("Share of a credential's life by which the refresh is varied at random."),
    Def::new("sasl.login.retry.backoff.max.ms", Long).default("10000").low()
        .doc("The longest wait between login attempts."),
    Def::new("sasl.login.retry.backoff.ms", Long).default("100").low()
        .doc("The first wait between login attempts; it grows with every failure."),
    Def::new("sasl.mechanism", String).default("GSSAPI")
        .doc("The mechanism that a client authenticates with."),
    Def::new("sasl.oauthbearer.assertion.algorithm", String).default("RS256").valid(Valid::OneOfIgnoreCase(&["ES256", "RS256"]))
        .doc("How the assertion for the identity provider is signed."),
    Def::new("sasl.oauthbearer.assertion.claim.aud", String)
        .doc("The audience named in the assertion."),
    Def::new("sasl.oauthbearer.assertion.claim.exp.seconds", Int).default("300").between(0, 86_400).low()
        .doc("How long an assertion is valid from now."),
    Def::new("sasl.oauthbearer.assertion.claim.iss", String)
        .doc("The issuer named in the assertion."),
    Def::new("sasl.oauthbearer.assertion.claim.jti.include", Boolean).default("false")
        .doc("Whether each assertion carries an identifier of its own."),
    Def::new("sasl.oauthbearer.assertion.claim.nbf.seconds", Int).default("60").between(0, 3600).low()
        .doc("How far back an assertion's validity begins."),
    Def::new("sasl.oauthbearer.assertion.claim.sub", String)
        .doc("The subject named in the assertion."),
    Def::new("sasl.oauthbearer.assertion.file", String)
        .doc("File with a ready-made assertion."),
    Def::new("sasl.oauthbearer.assertion.private.key.file", String)
        .doc("PEM file with the key that signs assertions."),
    Def::new("sasl.oauthbearer.assertion.private.key.passphrase", Password)
        .doc("Passphrase of that key."),
    Def::new("sasl.oauthbearer.assertion.template.file", String)
        .doc("File with headers and claims that each assertion gets."),
    Def::new("sasl.oauthbearer.client.credentials.client.id", String)
        .doc("The client's identifier at the identity provider."),
    Def::new("sasl.oauthbearer.client.credentials.client.secret", Password)
        .doc("The client's secret at the identity provider."),
    Def::new("sasl.oauthbearer.clock.skew.seconds", Int).default("30").low()
        .doc("By how much the provider's clock and the broker's may differ."),
    Def::new("sasl.oauthbearer.expected.audience", List).default("").valid(Valid::Items { may_be_empty: true }).high()
        .doc("Audiences of which a token must name one."),
    Def::new("sasl.oauthbearer.expected.issuer", String).high()
        .doc("The issuer that a token must name."),
    Def::new("sasl.oauthbearer.header.urlencode", Boolean).default("false").low()
        .doc("Whether identifier and secret are URL-encoded in the header of a token request."),
    Def::new("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long).default("3600000").low()
        .doc("How often the provider's keys are fetched again."),
    Def::new("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long).default("10000").low()
        .doc("The longest wait between attempts to fetch the keys."),
    Def::new("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long).default("100").low()
        .doc("The first wait between attempts to fetch the keys."),
    Def::new("sasl.oauthbearer.jwks.endpoint.url", String)
        .doc("Where the provider's keys are found."),
    Def::new("sasl.oauthbearer.jwt.retriever.class", Class).default("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever")
        .doc("Class that obtains tokens."),
    Def::new("sasl.oauthbearer.jwt.validator.class", Class).default("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator")
        .doc("Class that checks tokens."),
    Def::new("sasl.oauthbearer.scope", String)
        .doc("The scope asked for with a token."),
    Def::new("sasl.oauthbearer.scope.claim.name", String).default("scope").low()
        .doc("The claim in which a token carries its scope."),
    Def::new("sasl.oauthbearer.sub.claim.name", String).default("sub").low()
        .doc("The claim in which a token carries its subject."),
    Def::new("sasl.oauthbearer.token.endpoint.url", String)
        .doc("Where tokens are obtained."),
    Def::new("security.protocol", String).default("PLAINTEXT").valid(Valid::OneOfIgnoreCase(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"]))
        .doc("How brokers are talked to: in the clear or by TLS, with SASL or without."),
    Def::new("security.providers", String).low()
        .doc("Classes that provide security algorithms."),
    Def::new("send.buffer.bytes", Int).default("131072").at_least(-1)
        .doc("Size of the TCP send buffer; -1 leaves it to the operating system."),
    Def::new("socket.connection.setup.timeout.max.ms", Long).default("30000")
        .doc("The longest time that setting up a connection may take after repeated failures."),
    Def::new("socket.connection.setup.timeout.ms", Long).default("10000")
        .doc("How long setting up a connection may take; it grows with every failure."),
    Def::new("ssl.cipher.suites", List).default("").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Cipher suites to allow; empty for the usual ones."),
    Def::new("ssl.enabled.protocols", List).default("TLSv1.2,TLSv1.3").valid(Valid::Items { may_be_empty: true })
        .doc("The TLS versions to allow."),
    Def::new("ssl.endpoint.identification.algorithm", String).default("https").low()
        .doc("How the server's name is compared with its certificate; empty for not at all."),
    Def::new("ssl.engine.factory.class", Class).low()
        .doc("Class that makes TLS engines."),
    Def::new("ssl.key.password", Password).high()
        .doc("Password of the private key."),
    Def::new("ssl.keymanager.algorithm", String).default("SunX509").low()
        .doc("Algorithm of Java's key manager."),
    Def::new("ssl.keystore.certificate.chain", Password).high()
        .doc("The own certificate chain in PEM."),
    Def::new("ssl.keystore.key", Password).high()
        .doc("The own private key in PEM."),
    Def::new("ssl.keystore.location", String).high()
        .doc("File with the own key and certificates."),
    Def::new("ssl.keystore.password", Password).high()
        .doc("Password of that file."),
    Def::new("ssl.keystore.type", String).default("JKS")
        .doc("Format of that file."),
    Def::new("ssl.protocol", String).default("TLSv1.3")
        .doc("The TLS version to prefer."),
    Def::new("ssl.provider", String)
        .doc("Java's security provider for TLS."),
    Def::new("ssl.secure.random.implementation", String).low()
        .doc("Java's source of random numbers for TLS."),
    Def::new("ssl.trustmanager.algorithm", String).default("PKIX").low()
        .doc("Algorithm of Java's trust manager."),
    Def::new("ssl.truststore.certificates", Password).high()
        .doc("The certificates to trust, in PEM."),
    Def::new("ssl.truststore.location", String).high()
        .doc("File with the certificates to trust."),
    Def::new("ssl.truststore.password", Password).high()
        .doc("Password of that file."),
    Def::new("ssl.truststore.type", String).default("JKS")
        .doc("Format of that file."),
];
