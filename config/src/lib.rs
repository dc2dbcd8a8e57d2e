//! What can be configured: every key with its type, default, bounds and prose.
