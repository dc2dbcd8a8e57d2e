//! Async Kafka client library.
