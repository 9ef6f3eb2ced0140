//! The optional first line of momus JSONL.

use super::flaw::Complaint;
use super::json;
use super::scan::members;

const VERSION: &[u8] = b"1";

/// The optional first line: `{"momus":"history","version":1,"checksums":true,"meta":{...}}`.
#[derive(Debug)]
pub struct Header {
    pub checksums: bool,
    pub meta: Vec<u8>,
}

/// The header that is this line, or `None` if it is an event.
pub fn header(line: &[u8], start: usize) -> Result<Option<Header>, Complaint> {
    let (mut marked, mut version) = (false, None);
    let mut header = Header {
        checksums: false,
        meta: b"{}".to_vec(),
    };
    let mut fields = 0;
    members(line, start, |name, raw| {
        fields += 1;
        match name {
            b"momus" => marked = raw == b"\"history\"",
            b"version" => version = Some(raw.to_vec()),
            b"checksums" => header.checksums = raw == b"true",
            b"meta" => {
                header.meta.clear();
                json::canonical(raw, &mut header.meta)?;
                if header.meta[0] != b'{' {
                    return Err("the header's \"meta\" must be an object".to_string());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if !marked {
        return Ok(None);
    }
    if version.as_deref() != Some(VERSION) {
        return Err("a header of another version than 1; read it with a newer momus".to_string());
    }
    if fields > 4 {
        return Err("a header with unknown fields; put your own under \"meta\"".to_string());
    }
    Ok(Some(header))
}
