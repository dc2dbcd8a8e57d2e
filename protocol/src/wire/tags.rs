//! Tagged fields that this build does not know: kept in order, so that they can be written back.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::{Sizer, Writer, uvarint_size};

/// Unknown tagged fields of one struct (KIP-482). Nearly always empty, hence one word wide.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::box_collection,
    reason = "8 bytes in every struct of every message, where a Vec has 24"
)]
pub struct UnknownTags(Option<Box<Vec<(u32, Bytes)>>>);

impl UnknownTags {
    pub(crate) fn push(&mut self, tag: u32, value: Bytes) {
        self.0.get_or_insert_default().push((tag, value));
    }

    /// The fields in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &(u32, Bytes)> {
        self.0.iter().flat_map(|tags| tags.iter())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> u32 {
        self.0
            .as_ref()
            .map_or(0, |tags| u32::try_from(tags.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn measure(&self, sizer: &mut Sizer) {
        for (tag, value) in self.iter() {
            let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
            sizer.add(uvarint_size(*tag) + uvarint_size(length) + value.len());
        }
    }

    /// Writes those in a range of tags: known and unknown tags go out in one ascending order.
    pub(crate) fn encode_range(&self, w: &mut Writer, range: RangeInclusive<u32>) {
        for (tag, value) in self.iter().filter(|(tag, _)| range.contains(tag)) {
            w.tag(*tag, value.len());
            w.raw(value);
        }
    }
}
