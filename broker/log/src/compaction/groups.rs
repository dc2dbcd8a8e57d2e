//! Which segments in a row become one: as many as fit, so that cleaned segments don't stay small for ever.

use std::collections::VecDeque;

use super::source::SourceSegment;

/// What one segment may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits {
    pub(super) segment_bytes: u64,
    pub(super) index_bytes: u64,
}

/// A segment with the lengths of its index files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) segment: SourceSegment,
    pub(super) offset_index_bytes: u64,
    pub(super) time_index_bytes: u64,
}

pub(super) fn group(
    segments: impl IntoIterator<Item = Measured>,
    limits: GroupLimits,
) -> VecDeque<Vec<SourceSegment>> {
    let mut groups = VecDeque::new();
    let mut sum: Option<Measured> = None;
    for next in segments {
        let joined = sum.and_then(|sum| join(sum, next, limits));
        match (joined, groups.back_mut()) {
            (Some(joined), Some(group)) => {
                sum = Some(joined);
                Vec::push(group, next.segment);
            }
            _ => {
                sum = Some(next);
                groups.push_back(vec![next.segment]);
            }
        }
    }
    groups
}

/// The two as one, if that is no more than one may be.
fn join(sum: Measured, next: Measured, limits: GroupLimits) -> Option<Measured> {
    let size = sum.segment.size + next.segment.size;
    let offset_index_bytes = sum.offset_index_bytes + next.offset_index_bytes;
    let time_index_bytes = sum.time_index_bytes + next.time_index_bytes;
    let last_offset = next.segment.end.0 - 1;
    // An empty segment's range is no obstacle, else one would be left every 2³¹ offsets.
    let range_fits = next.segment.size == 0
        || last_offset.saturating_sub(sum.segment.base.0) <= i64::from(i32::MAX);
    let fits = size <= limits.segment_bytes
        && offset_index_bytes <= limits.index_bytes
        && time_index_bytes <= limits.index_bytes
        && range_fits;
    fits.then_some(Measured {
        segment: SourceSegment {
            base: sum.segment.base,
            size,
            end: next.segment.end,
        },
        offset_index_bytes,
        time_index_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::types::Offset;

    const LIMITS: GroupLimits = GroupLimits {
        segment_bytes: 1000,
        index_bytes: 100,
    };

    fn segment(base: i64, end: i64, size: u64, index: u64) -> Measured {
        Measured {
            segment: SourceSegment {
                base: Offset(base),
                size,
                end: Offset(end),
            },
            offset_index_bytes: index,
            time_index_bytes: index / 2,
        }
    }

    fn bases(segments: &[Measured]) -> Vec<Vec<i64>> {
        let groups = group(segments.iter().copied(), LIMITS);
        groups
            .iter()
            .map(|g| g.iter().map(|s| s.base.0).collect())
            .collect()
    }

    #[test]
    fn segments_are_joined_up_to_the_size_of_one() {
        let all = [
            segment(0, 10, 400, 8),
            segment(10, 20, 600, 8),
            segment(20, 30, 1, 8),
            segment(30, 40, 5000, 8),
            segment(40, 50, 10, 8),
        ];
        assert_eq!(bases(&all), [vec![0, 10], vec![20], vec![30], vec![40]]);
    }

    #[test]
    fn an_index_holds_no_more_than_it_may() {
        let all = [
            segment(0, 10, 1, 60),
            segment(10, 20, 1, 40),
            segment(20, 30, 1, 8),
        ];
        assert_eq!(bases(&all), [vec![0, 10], vec![20]]);
    }

    #[test]
    fn offsets_of_a_segment_stay_within_31_bits() {
        let far = i64::from(i32::MAX);
        let all = [segment(0, 10, 1, 0), segment(10, far + 1, 1, 0)];
        assert_eq!(bases(&all), [vec![0, 10]]);
        let all = [segment(0, 10, 1, 0), segment(10, far + 2, 1, 0)];
        assert_eq!(bases(&all), [vec![0], vec![10]]);
        // Empty ones vanish into what is before them.
        let all = [segment(0, 10, 1, 0), segment(10, 9 * far, 0, 0)];
        assert_eq!(bases(&all), [vec![0, 10]]);
    }

    #[test]
    fn a_log_that_fits_is_one_group() {
        assert_eq!(bases(&[]), Vec::<Vec<i64>>::new());
        assert_eq!(bases(&[segment(5, 9, 0, 0)]), [vec![5]]);
    }
}
