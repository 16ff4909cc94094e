//! Errors that need no compiler to be seen; `tests/ui` shows where they point.
use super::{attribute_and_item, expanded, messages, same};
use crate::flatten::{When, derive};
use crate::tokens::nearest;

#[test]
fn every_problem_is_said_at_once() {
    let said = messages(&expanded(
        "#[gradcheck(dims(n), x in normal(3), forward = cost(&x), tolerance = 1, tolerance = 2, shards = 0, self in s())]
         fn f(x: &[f64], y: f64) -> Vec<f64> { vec![] }",
    ));
    for part in [
        "range of `n` is missing",
        "`tolerance` is given twice",
        "from 1 to 1000",
        "takes no `self`",
        "nothing binds the argument `y`",
    ] {
        assert_eq!(said.iter().filter(|m| m.contains(part)).count(), 1, "{part}: {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
}

#[test]
fn a_right_attribute_says_nothing() {
    let said = messages(&expanded(
        "#[gradcheck(x in normal(3), forward = cost)] fn f(x: &[f64]) -> Vec<f64> { vec![] }",
    ));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn the_item_stands_beside_errors() {
    for source in [
        "#[gradcheck(nonsense)] pub fn f<T: Copy>(x: &T) -> T where T: Clone { *x }",
        "#[gradcheck] struct S { x: f64 }",
        "#[gradcheck(x in y)] fn broken(",
        "#[gradcheck] this is no item at all",
    ] {
        let Some((head, _)) = source.split_once("fn broken(") else {
            let (args, item) = attribute_and_item(source);
            let output = crate::attribute(args, item.clone());
            assert!(output.to_string().starts_with(&item.to_string()), "{output}");
            assert!(output.to_string().contains("compile_error"), "{output}");
            continue;
        };
        assert!(head.contains("gradcheck"));
    }
}

#[test]
fn ignore_is_passed_on_and_everything_else_kept() {
    let (args, item) = attribute_and_item(
        "#[gradcheck(x in normal(3), forward = cost)]
         #[inline]
         #[ignore = \"slow\"]
         #[cfg_attr(test, should_panic)]
         /// Documented.
         fn f(x: &[f64]) -> Vec<f64> { vec![] }",
    );
    let (kept, _) = crate::ast::read(args.clone(), item.clone());
    let expected = "#[inline] /// Documented.\nfn f(x: &[f64]) -> Vec<f64> { vec![] }";
    assert!(same(&kept, &expected.parse().expect("tokens")), "{kept}");
    let output = crate::attribute(args, item).to_string();
    assert_eq!(output.matches("ignore = \"slow\"").count(), 2, "{output}");
    assert_eq!(output.matches("should_panic").count(), 2, "{output}");
}

#[test]
fn enums_and_unions_cannot_be_flattened() {
    for source in ["enum E { A }", "union U { a: f64 }"] {
        let output = derive(source.parse().expect("tokens"), When::Always);
        assert_eq!(messages(&output).len(), 1, "{output}");
    }
}

#[test]
fn misspelt_words_find_their_neighbours() {
    let words = ["forward", "gradient", "cotangent", "tangent", "tolerance", "types", "train"];
    for (misspelt, meant) in [
        ("forwrd", Some("forward")),
        ("foward", Some("forward")),
        ("graident", Some("gradient")),
        ("cotan", Some("cotangent")),
        ("tolerence", Some("tolerance")),
        ("type", Some("types")),
        ("weights", None),
        ("x", None),
    ] {
        assert_eq!(nearest(misspelt, words), meant, "{misspelt}");
    }
}
