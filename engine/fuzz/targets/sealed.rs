//! A sealed recording: as it was written it is a history, and no changed byte goes unnoticed.

#![no_main]

use _native::fuzzing::{read_jsonl, Order, Trouble};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::choices::Choices;
use momus_fuzz::reading::assert_consistent;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let (place, change) = (
        u16::from_le_bytes([choices.byte(), choices.byte()]),
        choices.byte(),
    );
    let (mut text, events) = recording(&mut choices);
    let read = read_jsonl(text.as_slice(), Order::Dense).expect("what was written is read");
    assert_consistent(&read.columns);
    assert!(read.checksummed && read.seals.closed && !read.torn);
    assert_eq!(read.columns.len(), events);
    if change != 0 {
        let place = usize::from(place) % text.len();
        text[place] ^= change;
        match read_jsonl(text.as_slice(), Order::Dense) {
            Err(Trouble::Flawed(_)) => {}
            Err(Trouble::Io(error)) => panic!("bytes are always there: {error}"),
            Ok(_) => panic!("byte {place} changed by {change:#x} went unnoticed"),
        }
    }
});

/// A header, events, and checksum lines in between and at the end.
fn recording(choices: &mut Choices) -> (Vec<u8>, usize) {
    let mut text =
        b"{\"momus\":\"history\",\"version\":1,\"checksums\":true,\"meta\":{}}\n".to_vec();
    let mut events = 0;
    let mut open = [false; 4];
    while !choices.is_empty() && events < 64 {
        let choice = choices.byte();
        let process = usize::from(choice) % open.len();
        let kind = if open[process] {
            ["ok", "fail", "info"][usize::from(choice >> 4) % 3]
        } else {
            "invoke"
        };
        open[process] = !open[process];
        let value = ["null", "7", "\"{\\\"checksum\\\":\"", "[1,2]"][usize::from(choice >> 2) % 4];
        let line = format!(
            "{{\"index\":{events},\"time\":{events},\"process\":{process},\"type\":\"{kind}\",\"f\":\"f\",\"value\":{value}}}\n"
        );
        text.extend_from_slice(line.as_bytes());
        events += 1;
        if choice > 240 {
            seal(&mut text, events, "");
        }
    }
    seal(&mut text, events, ",\"closed\":true");
    (text, events)
}

fn seal(text: &mut Vec<u8>, events: usize, closed: &str) {
    let crc = crc32fast::hash(text);
    let line = format!("{{\"checksum\":\"crc32:{crc:08x}\",\"events\":{events}{closed}}}\n");
    text.extend_from_slice(line.as_bytes());
}
