//! Primitive encodings: the reader and the writer that all generated code uses.
//!
//! Always: a read checks what is left before it takes or allocates anything. Odd input that the reference accepts
//! (overlong varints, any negative length as null, text that is not UTF-8) is accepted here too, so that no client
//! that works there is refused here.

mod reader;
mod strings;
mod tags;
mod uuid;
mod writer;

pub use reader::{DecodeError, Problem, Reader};
pub use strings::StrBytes;
pub use tags::UnknownTags;
pub use uuid::Uuid;
pub use writer::{Chunk, Records, Sizer, Writer, uvarint_size};
