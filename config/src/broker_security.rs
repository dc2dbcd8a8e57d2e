//! Broker keys of TLS and SASL.

use crate::def::Def;
use crate::def::Type::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use crate::valid::Valid;

#[rustfmt::skip]
pub(crate) const KEYS: &[Def] = &[
    Def::new("sasl.client.callback.handler.class", Class)
        .doc("Class that supplies a client's credentials."),
    Def::new("sasl.enabled.mechanisms", List).default("GSSAPI").valid(Valid::Items { may_be_empty: true }).per_broker()
        .doc("The mechanisms that the broker offers."),
    Def::new("sasl.jaas.config", Password).per_broker()
        .doc("Login module and credentials, as one line of a JAAS file."),
    Def::new("sasl.kerberos.kinit.cmd", String).default("/usr/bin/kinit").per_broker()
        .doc("Path of kinit."),
    Def::new("sasl.kerberos.min.time.before.relogin", Long).default("60000").per_broker()
        .doc("The least time between attempts to renew a ticket."),
    Def::new("sasl.kerberos.principal.to.local.rules", List).default("DEFAULT").valid(Valid::Items { may_be_empty: true }).per_broker()
        .doc("Rules that turn a Kerberos principal into a short name."),
    Def::new("sasl.kerberos.service.name", String).per_broker()
        .doc("The service name that brokers run under in Kerberos."),
    Def::new("sasl.kerberos.ticket.renew.jitter", Double).default("0.05").per_broker()
        .doc("Share of the renewal time that is varied at random."),
    Def::new("sasl.kerberos.ticket.renew.window.factor", Double).default("0.8").per_broker()
        .doc("Share of a ticket's life after which it is renewed."),
    Def::new("sasl.login.callback.handler.class", Class)
        .doc("Class that supplies credentials for a login."),
    Def::new("sasl.login.class", Class)
        .doc("Class that performs a login."),
    Def::new("sasl.login.connect.timeout.ms", Int).low()
        .doc("How long connecting to the identity provider may take."),
    Def::new("sasl.login.read.timeout.ms", Int).low()
        .doc("How long an answer of the identity provider may take."),
    Def::new("sasl.login.refresh.buffer.seconds", Short).default("300").per_broker()
        .doc("How long before its end a credential is refreshed at the latest."),
    Def::new("sasl.login.refresh.min.period.seconds", Short).default("60").per_broker()
        .doc("The least time between two refreshes of a credential."),
    Def::new("sasl.login.refresh.window.factor", Double).default("0.8").per_broker()
        .doc("Share of a credential's life after which it is refreshed."),
    Def::new("sasl.login.refresh.window.jitter", Double).default("0.05").per_broker()
        .doc("Share of a credential's life by which the refresh is varied at random."),
    Def::new("sasl.login.retry.backoff.max.ms", Long).default("10000").low()
        .doc("The longest wait between login attempts."),
    Def::new("sasl.login.retry.backoff.ms", Long).default("100").low()
        .doc("The first wait between login attempts; it grows with every failure."),
    Def::new("sasl.mechanism.controller.protocol", String).default("GSSAPI").high()
        .doc("The mechanism used towards controllers."),
    Def::new("sasl.mechanism.inter.broker.protocol", String).default("GSSAPI").per_broker()
        .doc("The mechanism used between brokers."),
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
    Def::new("sasl.server.callback.handler.class", Class)
        .doc("Class that checks credentials on the broker."),
    Def::new("sasl.server.max.receive.size", Int).default("524288")
        .doc("The largest message accepted before a client is authenticated."),
    Def::new("ssl.allow.dn.changes", Boolean).default("false").low()
        .doc("Whether a new certificate may have another distinguished name."),
    Def::new("ssl.allow.san.changes", Boolean).default("false").low()
        .doc("Whether a new certificate may have other alternative names."),
    Def::new("ssl.cipher.suites", List).default("").valid(Valid::Items { may_be_empty: true }).per_broker()
        .doc("Cipher suites to allow; empty for the usual ones."),
    Def::new("ssl.client.auth", String).default("none").one_of(&["required", "requested", "none"]).per_broker()
        .doc("Whether clients must, may or need not show a certificate."),
    Def::new("ssl.enabled.protocols", List).default("TLSv1.2,TLSv1.3").valid(Valid::Items { may_be_empty: true }).per_broker()
        .doc("The TLS versions to allow."),
    Def::new("ssl.endpoint.identification.algorithm", String).default("https").low().per_broker()
        .doc("How the server's name is compared with its certificate; empty for not at all."),
    Def::new("ssl.engine.factory.class", Class).low().per_broker()
        .doc("Class that makes TLS engines."),
    Def::new("ssl.key.password", Password).per_broker()
        .doc("Password of the private key."),
    Def::new("ssl.keymanager.algorithm", String).default("SunX509").per_broker()
        .doc("Algorithm of Java's key manager."),
    Def::new("ssl.keystore.certificate.chain", Password).per_broker()
        .doc("The own certificate chain in PEM."),
    Def::new("ssl.keystore.key", Password).per_broker()
        .doc("The own private key in PEM."),
    Def::new("ssl.keystore.location", String).per_broker()
        .doc("File with the own key and certificates."),
    Def::new("ssl.keystore.password", Password).per_broker()
        .doc("Password of that file."),
    Def::new("ssl.keystore.type", String).default("JKS").per_broker()
        .doc("Format of that file."),
    Def::new("ssl.principal.mapping.rules", String).default("DEFAULT").low()
        .doc("Rules that turn the name in a client's certificate into a principal."),
    Def::new("ssl.protocol", String).default("TLSv1.3").per_broker()
        .doc("The TLS version to prefer."),
    Def::new("ssl.provider", String).per_broker()
        .doc("Java's security provider for TLS."),
    Def::new("ssl.secure.random.implementation", String).low().per_broker()
        .doc("Java's source of random numbers for TLS."),
    Def::new("ssl.trustmanager.algorithm", String).default("PKIX").per_broker()
        .doc("Algorithm of Java's trust manager."),
    Def::new("ssl.truststore.certificates", Password).per_broker()
        .doc("The certificates to trust, in PEM."),
    Def::new("ssl.truststore.location", String).per_broker()
        .doc("File with the certificates to trust."),
    Def::new("ssl.truststore.password", Password).per_broker()
        .doc("Password of that file."),
    Def::new("ssl.truststore.type", String).default("JKS").per_broker()
        .doc("Format of that file."),
];
