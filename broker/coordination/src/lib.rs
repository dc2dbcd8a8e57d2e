//! Every decision of the broker, without IO.
