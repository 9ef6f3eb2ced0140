//! Any object of the engine against brute force over its own specification.

use crate::brute::{assert_certificate, assert_legal, is_linearizable};
use crate::choices::Choices;
use crate::drawn::{draw, Drawn};
use crate::limits::{in_stages, limits};
use _native::fuzzing::{
    by_monitor, intervals, search_key, Class, ClassKey, Finding, Interned, Misfit, Monitored,
    Object, Outcome, Source, Texts,
};

/// Names and values that an object's operations are drawn from.
pub struct Vocabulary {
    pub names: Vec<&'static str>,
    /// Canonical JSON texts; codes are their places.
    pub values: Vec<String>,
    pub initial: &'static str,
    /// Whether it counts which process does something.
    pub by_process: bool,
    /// Draws the codes of name, argument and result; -1 is null.
    pub operation: fn(&mut Choices) -> (i32, i32, i32),
}

/// Draws a history, judges it in every way that there is, and compares.
pub fn agree<O: Monitored>(
    choices: &mut Choices,
    words: &Vocabulary,
    compile: impl Fn(&Source) -> Result<O, Misfit>,
) {
    let mut classes: Vec<ClassKey> = Vec::new();
    let (stage, written) = (1 + u64::from(choices.byte() % 8), choices.byte() % 2 == 1);
    let drawn = draw(choices, 8, 5, |choices, completed| {
        let (f, argument, result) = (words.operation)(choices);
        let result = if completed { result } else { -1 };
        let process = if words.by_process {
            choices.below(3) as i32
        } else {
            -1
        };
        let class = ClassKey {
            f,
            argument,
            result,
            completed,
            process,
        };
        let known = classes.iter().position(|known| *known == class);
        known.unwrap_or_else(|| {
            classes.push(class);
            classes.len() - 1
        }) as Class
    });
    let names: Vec<String> = words.names.iter().map(ToString::to_string).collect();
    let mut offsets = vec![0];
    offsets.extend(words.values.iter().scan(0, |end, text| {
        *end += text.len() as i64;
        Some(*end)
    }));
    let data = words.values.concat();
    let values = Texts::new(data.as_bytes(), &offsets).expect("the offsets fit");
    let source = Source {
        classes: &classes,
        names: &names,
        values: &values,
        initial: words.initial,
    };
    let Ok(object) = compile(&source) else {
        return;
    };
    let expected = is_linearizable(&drawn.rows, object.initial(), |s, c| step(&object, s, c));
    let agree = |outcome: &Outcome, who: &str| {
        assert_right(outcome, expected, &object, &drawn, who, &classes);
    };
    let mut model = Interned::new(object.clone());
    let budget = limits(Some(1_000_000), None);
    agree(&search_key(&drawn.key, 0, &mut model, &budget), "search");
    agree(
        &in_stages(&drawn.key, 0, &mut model, stage, written),
        "search in stages",
    );
    // A finding that does not stand up would cost time only, since the general search would
    // decide; but monitors are to say no more than they know.
    let finding = object.judge(&intervals(&drawn.key));
    let outcome = by_monitor(&drawn.key, &mut model, &budget);
    if let Some(outcome) = &outcome {
        agree(outcome, O::ALGORITHM);
    } else {
        assert_eq!(
            finding,
            Finding::Unfit,
            "it stands up: {drawn:?} {classes:?}"
        );
    }
}

fn step<O: Object>(object: &O, state: &O::State, class: Class) -> Option<O::State> {
    let mut next = state.clone();
    let legal = object.apply(&mut next, class);
    if legal && object.read_only(class) {
        assert!(next == *state, "what is read-only changes nothing");
    }
    legal.then_some(next)
}

fn assert_right<O: Object>(
    outcome: &Outcome,
    expected: bool,
    object: &O,
    drawn: &Drawn,
    who: &str,
    classes: &[ClassKey],
) {
    let known = |state: &O::State, class: Class| step(object, state, class);
    match outcome {
        Outcome::Valid { order } => {
            assert!(expected, "{who} says valid: {drawn:?} {classes:?}");
            assert_certificate(order, &drawn.rows, object.initial(), known);
        }
        Outcome::Invalid(violation) => {
            assert!(!expected, "{who} says invalid: {drawn:?} {classes:?}");
            assert_legal(&violation.prefix, &drawn.rows, object.initial(), known);
        }
        Outcome::Unknown(open) => panic!("{who} gave up: {:?}", open.exhausted),
    }
}
