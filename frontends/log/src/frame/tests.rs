use super::*;

/// Numbers that are the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.roll(256) as u8).collect()
    }
}

fn records(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let record = |piece: &Piece| match piece {
        Piece::Record(record) => Some(record.clone()),
        Piece::Skipped(_) => None,
    };
    pieces.iter().filter_map(record).collect()
}

fn skipped(pieces: &[Piece]) -> u64 {
    let count = |piece: &Piece| match piece {
        Piece::Record(_) => 0,
        Piece::Skipped(count) => *count,
    };
    pieces.iter().map(count).sum()
}

/// Pushes a stream in pieces of this size.
fn decode(stream: &[u8], step: usize) -> Vec<Piece> {
    let mut decoder = Decoder::new();
    let mut pieces = Vec::new();
    for chunk in stream.chunks(step) {
        decoder.push(chunk);
        while let Some(piece) = decoder.next_piece() {
            pieces.push(piece);
        }
    }
    while let Some(piece) = decoder.next_at_end() {
        pieces.push(piece);
    }
    pieces
}

#[test]
fn whole_records_come_back_however_the_stream_is_cut() {
    let mut stream = Vec::new();
    let wanted: Vec<Vec<u8>> = vec![b"one".to_vec(), Vec::new(), MARKER.to_vec(), vec![7; 5000]];
    for record in &wanted {
        encode(record, &mut stream);
    }
    for step in [1, 2, 3, 5, 11, 4096, stream.len()] {
        let pieces = decode(&stream, step);
        assert_eq!(records(&pieces), wanted, "{step}");
        assert_eq!(skipped(&pieces), 0);
    }
}

#[test]
fn garbage_and_torn_records_cost_no_whole_one() {
    let mut dice = Dice(7);
    for round in 0..300 {
        let mut stream = Vec::new();
        let mut wanted = Vec::new();
        for _ in 0..dice.roll(12) + 1 {
            match dice.roll(6) {
                0 => stream.extend(dice.bytes(40)),
                1 => {
                    let mut torn = Vec::new();
                    encode(&dice.bytes(60), &mut torn);
                    torn.truncate(1 + dice.roll(70) as usize);
                    stream.extend(torn);
                }
                // A marker, and a length that cannot be.
                2 => stream.extend([&MARKER[..], &[0xff; 4]].concat()),
                _ => {
                    let length = dice.roll(90);
                    let record = dice.bytes(length);
                    encode(&record, &mut stream);
                    wanted.push(record);
                }
            }
        }
        let step = 1 + dice.roll(50) as usize;
        let pieces = decode(&stream, step);
        assert_eq!(records(&pieces), wanted, "round {round}");
        let whole: usize = wanted.iter().map(|record| record.len() + HEADER).sum();
        assert_eq!(skipped(&pieces) as usize + whole, stream.len());
    }
}

#[test]
fn a_bit_that_flips_costs_one_record() {
    let mut stream = Vec::new();
    let wanted: Vec<Vec<u8>> = (0..5u8).map(|byte| vec![byte; 30]).collect();
    for record in &wanted {
        encode(record, &mut stream);
    }
    for place in 0..stream.len() {
        let mut damaged = stream.clone();
        damaged[place] ^= 0x10;
        assert_eq!(records(&decode(&damaged, 64)).len(), 4, "byte {place}");
    }
}

#[test]
fn a_length_beyond_the_limit_asks_for_no_memory() {
    let mut decoder = Decoder::new();
    decoder.push(&MARKER);
    decoder.push(&(MAX_RECORD_BYTES as u32 + 1).to_le_bytes());
    decoder.push(&[0; 4]);
    assert!(decoder.next_piece().is_none());
    assert_eq!(decoder.waiting(), 0);
}

#[test]
fn a_torn_frame_shows_by_what_comes_after() {
    let mut torn = Vec::new();
    encode(&[5; 1000], &mut torn);
    torn.truncate(100);
    let mut decoder = Decoder::new();
    decoder.push(&torn);
    assert!(decoder.next_piece().is_none());
    assert!(!decoder.is_torn());
    let mut next = Vec::new();
    encode(b"next", &mut next);
    decoder.push(&next);
    assert!(decoder.next_piece().is_none());
    assert!(decoder.is_torn());
    decoder.give_up_front();
    assert_eq!(decoder.next_piece(), Some(Piece::Skipped(100)));
    assert_eq!(decoder.next_piece(), Some(Piece::Record(b"next".to_vec())));
}
