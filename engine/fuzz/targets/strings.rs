//! A string with get, put and append, small enough for brute force on the strings themselves.

#![no_main]

use _native::fuzzing::{search_key, Class, ClassKey, Outcome, Strings, Texts};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::brute::{assert_certificate, assert_legal, is_linearizable};
use momus_fuzz::choices::Choices;
use momus_fuzz::drawn::draw;
use momus_fuzz::limits::limits;

/// Among them are ways to put one string together from others.
const TEXTS: [&str; 7] = ["", "a", "b", "aa", "ab", "aab", "aaba"];

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut classes: Vec<ClassKey> = Vec::new();
    let drawn = draw(&mut choices, 8, 5, |choices, completed| {
        let (f, text) = (
            choices.below(3) as i32,
            choices.below(TEXTS.len() as u32) as i32,
        );
        let (argument, result) = if f == 0 { (-1, text) } else { (text, text) };
        let result = if completed { result } else { -1 };
        classes.push(ClassKey {
            f,
            argument,
            result,
            completed,
            process: -1,
        });
        classes.len() as Class - 1
    });
    let known = |state: &String, class: Class| {
        let ClassKey {
            f,
            argument,
            result,
            completed,
            ..
        } = classes[class as usize];
        match f {
            0 => (!completed || TEXTS[result as usize] == state).then(|| state.clone()),
            1 => Some(TEXTS[argument as usize].to_string()),
            _ => Some(state.clone() + TEXTS[argument as usize]),
        }
    };
    let expected = is_linearizable(&drawn.rows, String::new(), known);

    let quoted: Vec<String> = TEXTS.iter().map(|text| format!("\"{text}\"")).collect();
    let mut offsets = vec![0];
    offsets.extend(quoted.iter().scan(0, |end, text| {
        *end += text.len() as i64;
        Some(*end)
    }));
    let data = quoted.concat();
    let texts = Texts::new(data.as_bytes(), &offsets).expect("the offsets fit");
    let names = ["get", "put", "append"].map(String::from);
    let mut model = Strings::compile(&classes, &names, &texts, "\"\"").expect("all are known");
    let budget = limits(Some(1_000_000), None);
    match search_key(&drawn.key, 0, &mut model, &budget) {
        Outcome::Valid { order } => {
            assert!(expected, "says valid: {drawn:?} {classes:?}");
            assert_certificate(&order, &drawn.rows, String::new(), known);
        }
        Outcome::Invalid(violation) => {
            assert!(!expected, "says invalid: {drawn:?} {classes:?}");
            assert_legal(&violation.prefix, &drawn.rows, String::new(), known);
        }
        Outcome::Unknown(open) => panic!("gave up: {:?}", open.exhausted),
    }
});
