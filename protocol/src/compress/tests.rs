use super::*;

const PACKED: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

fn pack(codec: Compression, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec.compress(None, input, &mut out).unwrap();
    out
}

fn bounded(bytes_max: u64) -> InflateLimits {
    InflateLimits {
        bytes_max,
        ..InflateLimits::STRICT
    }
}

/// Bytes that no codec can shorten much, the same at every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_was_packed_comes_out_again_at_every_level() {
    for input in [Vec::new(), b"x".to_vec(), noise(100_000), vec![7; 300_000]] {
        for codec in Compression::ALL {
            for level in [None, Some(i32::MIN), Some(1), Some(9), Some(i32::MAX)] {
                // The slowest levels only on small inputs; they allocate hundreds of megabytes.
                if level == Some(i32::MAX) && input.len() > 1 {
                    continue;
                }
                let mut packed = Vec::new();
                codec.compress(level, &input, &mut packed).unwrap();
                assert_eq!(
                    codec.inflate(&packed, InflateLimits::STRICT).unwrap(),
                    input,
                    "{codec}"
                );
            }
        }
    }
}

#[test]
fn names_and_ids_are_kafkas() {
    for (id, codec) in Compression::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(codec.id()), id);
        assert_eq!(Compression::from_id(codec.id()), Some(codec));
        assert_eq!(codec.name().parse::<Compression>().unwrap(), codec);
    }
    assert_eq!(Compression::from_id(5), None);
    assert!("brotli".parse::<Compression>().is_err());
}

#[test]
fn a_payload_cut_anywhere_is_damaged_or_shorter_but_never_whole() {
    let input = noise(3000);
    for codec in PACKED {
        let packed = pack(codec, &input);
        for cut in 0..packed.len() {
            match codec.inflate(&packed[..cut], InflateLimits::STRICT) {
                Err(CompressError::Damaged { .. }) => {}
                Ok(out) => assert!(out.len() < input.len(), "{codec} cut at {cut}"),
                Err(other) => panic!("{codec} cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn bombs_stop_at_the_bound() {
    let zeros = vec![0; 8 << 20];
    for codec in PACKED {
        let bomb = pack(codec, &zeros);
        assert!(
            codec.inflate(&bomb, bounded(zeros.len() as u64)).is_ok(),
            "{codec}"
        );
        let error = codec.inflate(&bomb, bounded(1 << 20)).unwrap_err();
        assert!(
            matches!(
                error,
                CompressError::TooLarge {
                    bytes_max: 1_048_576,
                    ..
                }
            ),
            "{codec}: {error}"
        );
    }
}

#[test]
fn a_stream_of_many_gzip_members_is_one_and_garbage_after_it_is_ignored() {
    let mut packed = pack(Compression::Gzip, b"one ");
    packed.extend(pack(Compression::Gzip, b""));
    packed.extend(pack(Compression::Gzip, b"two"));
    packed.extend([1, 2, 3]);
    assert_eq!(
        Compression::Gzip
            .inflate(&packed, InflateLimits::STRICT)
            .unwrap(),
        b"one two"
    );
}

#[test]
fn snappy_is_read_framed_bare_and_in_two_streams() {
    let bare = snap::raw::Encoder::new().compress_vec(b"bare").unwrap();
    assert_eq!(
        Compression::Snappy
            .inflate(&bare, InflateLimits::STRICT)
            .unwrap(),
        b"bare"
    );

    let mut twice = pack(Compression::Snappy, b"one ");
    twice.extend(pack(Compression::Snappy, b"two"));
    twice.extend([0, 0, 0]);
    assert_eq!(
        Compression::Snappy
            .inflate(&twice, InflateLimits::STRICT)
            .unwrap(),
        b"one two"
    );
}

#[test]
fn snappy_lengths_that_lie_are_refused_before_allocating() {
    // A bare block that announces 4 GiB, and framed ones with lengths of 2^31 - 1 and -1.
    let announced = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let mut long = pack(Compression::Snappy, b"");
    long.extend(i32::MAX.to_be_bytes());
    let mut negative = pack(Compression::Snappy, b"");
    negative.extend((-1_i32).to_be_bytes());
    for payload in [&announced[..], &long, &negative] {
        let error = Compression::Snappy
            .inflate(payload, InflateLimits::STRICT)
            .unwrap_err();
        assert!(matches!(error, CompressError::Damaged { .. }), "{error}");
    }
}

#[test]
fn zstd_windows_above_the_bound_are_refused() {
    // A frame header that asks for a window of 2 GiB (RFC 8878, window descriptor 0xa8), then an empty last block.
    let window = |descriptor: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor, 1, 0, 0];
    for descriptor in [0xa8, 0x70] {
        let error = Compression::Zstd
            .inflate(&window(descriptor), InflateLimits::STRICT)
            .unwrap_err();
        assert!(matches!(error, CompressError::Damaged { .. }), "{error}");
    }
    assert!(
        Compression::Zstd
            .inflate(&window(0x68), InflateLimits::STRICT)
            .unwrap()
            .is_empty()
    );
    assert!(
        Compression::Zstd
            .inflate(&window(0x70), InflateLimits::LENIENT)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn lz4_frames_that_java_cannot_read_are_refused() {
    let packed = pack(Compression::Lz4, b"hello");
    let with_flags = |flags: u8| {
        let mut frame = packed.clone();
        frame[4] = flags;
        frame
    };
    let dependent = with_flags(packed[4] & !0b0010_0000);
    let legacy = [0x02, 0x21, 0x4c, 0x18, 0, 0, 0, 0].to_vec();
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].to_vec();
    for frame in [dependent, with_flags(packed[4] | 1), legacy, skippable] {
        let error = Compression::Lz4
            .inflate(&frame, InflateLimits::STRICT)
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, CompressError::Damaged { .. }), "{error}");
    }
}

/// A frame as other clients' libraries can be told to write it.
fn lz4_frame(info: lz4_flex::frame::FrameInfo, input: &[u8]) -> Vec<u8> {
    use std::io::Write;

    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lz4_frames_with_checksums_and_blocks_of_all_sizes_are_read_in_pieces_of_any_size() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};

    let mut input = noise(150_000);
    input.extend(vec![7; 200_000]);
    for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
        for checked in [false, true] {
            let info = FrameInfo::new()
                .block_mode(BlockMode::Independent)
                .block_size(size)
                .block_checksums(checked)
                .content_checksum(checked)
                .content_size(checked.then_some(input.len() as u64));
            let frame = lz4_frame(info, &input);
            for piece in [1000, 64 << 10, 1 << 20] {
                let inflater = Compression::Lz4.inflater(&frame, InflateLimits::STRICT);
                let (mut inflater, mut out) = (inflater.unwrap(), Vec::new());
                let mut buffer = vec![0; piece];
                loop {
                    match inflater.read(&mut buffer).unwrap() {
                        0 => break,
                        n => out.extend_from_slice(&buffer[..n]),
                    }
                }
                assert!(out == input, "{size:?}, {checked}, {piece}");
            }
        }
    }
}

#[test]
fn whatever_byte_of_a_checked_lz4_frame_is_wrong_or_missing_it_is_refused() {
    use lz4_flex::frame::{BlockMode, FrameInfo};

    let info = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_checksums(true)
        .content_checksum(true)
        .content_size(Some(600));
    let input = [noise(300), vec![7; 300]].concat();
    let frame = lz4_frame(info, &input);
    let inflate = |frame: &[u8]| Compression::Lz4.inflate(frame, InflateLimits::STRICT);
    assert_eq!(inflate(&frame).unwrap(), input);
    for at in 0..frame.len() {
        assert!(inflate(&frame[..at]).is_err(), "cut at {at}");
        let mut wrong = frame.clone();
        wrong[at] ^= 0x10;
        assert!(inflate(&wrong).is_err(), "wrong at {at}");
    }
}

#[test]
fn an_lz4_block_longer_than_its_frame_allows_is_refused() {
    let block = lz4_flex::block::compress(&vec![0; 65 << 10]);
    let mut frame = pack(Compression::Lz4, b"");
    frame.truncate(7);
    frame.extend((block.len() as u32).to_le_bytes());
    frame.extend(block);
    frame.extend([0; 4]);
    let error = Compression::Lz4.inflate(&frame, InflateLimits::STRICT);
    assert!(matches!(error, Err(CompressError::Damaged { .. })));
}
