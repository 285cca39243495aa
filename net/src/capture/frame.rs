//! Owns the frame of a record, the one of the binary log.
//! Promises to find the next whole record in whatever lies around it.
//! Refuses a length beyond the limit, so that damage cannot ask for memory.

/// What begins each frame.
pub(super) const MARKER: [u8; 4] = [0x9e, b'E', b'V', b'\n'];
/// Bytes of the longest record: the longest message of the network fits.
pub(super) const MAX_RECORD: usize = 5 * 1024 * 1024;
/// Marker, length and checksum.
pub(super) const HEADER: usize = 12;

/// Puts a record into its frame. It is no longer than [`MAX_RECORD`].
pub(super) fn encode(record: &[u8], into: &mut Vec<u8>) {
    let length = (record.len() as u32).to_le_bytes();
    into.extend_from_slice(&MARKER);
    into.extend_from_slice(&length);
    into.extend_from_slice(&checksum(length, record).to_le_bytes());
    into.extend_from_slice(record);
}

/// What stands at the front of some bytes.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Front<'a> {
    /// A frame with this record.
    Record(&'a [u8]),
    /// The beginning of one: it has so many bytes in all, as far as is known.
    Begun(usize),
    /// No frame begins in the first so many bytes, at least one.
    Nothing(usize),
}

/// Looks at the front of some bytes.
pub(super) fn front(bytes: &[u8]) -> Front<'_> {
    let place = bytes.iter().position(|byte| *byte == MARKER[0]);
    match place {
        None => return Front::Nothing(bytes.len().max(1)),
        Some(0) => (),
        Some(place) => return Front::Nothing(place),
    }
    let seen = bytes.len().min(MARKER.len());
    if bytes[..seen] != MARKER[..seen] {
        return Front::Nothing(1);
    }
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Front::Begun(HEADER);
    };
    let [_, _, _, _, l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let length_bytes = [l0, l1, l2, l3];
    let length = u32::from_le_bytes(length_bytes) as usize;
    if length > MAX_RECORD {
        return Front::Nothing(1);
    }
    let Some(record) = rest.get(..length) else {
        return Front::Begun(HEADER + length);
    };
    match checksum(length_bytes, record) == u32::from_le_bytes([c0, c1, c2, c3]) {
        true => Front::Record(record),
        false => Front::Nothing(1),
    }
}

fn checksum(length: [u8; 4], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(record);
    hasher.finalize()
}
