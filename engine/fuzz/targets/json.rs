//! Canonical JSON: what is accepted is JSON to another parser, too, keeps its meaning, and
//! is its own canonical form.

#![no_main]

use _native::fuzzing::canonical;
use libfuzzer_sys::fuzz_target;
use momus_fuzz::reading::assert_canonical;
use serde_json::Value;

fuzz_target!(|raw: &[u8]| {
    let mut text = Vec::new();
    let accepted = canonical(raw, &mut text);
    let other: Result<Value, _> = serde_json::from_slice(raw);
    match accepted {
        Ok(()) => {
            assert_canonical(&text);
            let meant = other.unwrap_or_else(|error| panic!("{error}"));
            let kept: Value = serde_json::from_slice(&text).expect("canonical JSON is JSON");
            assert!(same(&meant, &kept), "{meant} became {kept}");
        }
        // What only the other accepts is a matter of limits, of duplicate keys, of size.
        Err(what) => assert!(!what.is_empty()),
    }
});

/// Equal, where numbers are equal that are the same float or the same integer.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a.as_str() == b.as_str() || a.as_f64().is_some() && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let twin = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(twin)
        }
        _ => a == b,
    }
}
