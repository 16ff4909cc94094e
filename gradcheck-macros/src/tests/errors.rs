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
        "#[gradcheck(x in y)] fn no_body(x: f64)",
        "#[gradcheck] this is no item at all",
    ] {
        let (args, item) = attribute_and_item(source);
        let output = crate::attribute(args, item.clone()).to_string();
        assert!(output.starts_with(&item.to_string()), "{output}");
        assert!(output.contains("compile_error"), "{output}");
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
fn methods_are_found_among_anything_else() {
    let (args, item) = attribute_and_item(
        "#[gradcheck]
         impl<const N: usize> Layer<{ N }> for Dense where [(); { N }]: Sized {
             #![allow(unused)]
             const X: [u8; 1] = { [0] };
             made! { fn not_this() {} }
             #[cfg_attr(feature = \"f\", inline, gradcheck(x in s(), forward = x))]
             pub(crate) const unsafe fn f(x: f64) -> f64 { x }
             type Y = f64;
         }",
    );
    let (kept, _) = crate::ast::read(args.clone(), item.clone());
    let left = kept.to_string();
    assert!(!left.contains("gradcheck") && left.contains("inline"), "{left}");
    let before = item.to_string().replace(", gradcheck (x in s () , forward = x)", "");
    let spaceless = |text: &str| text.replace([' ', '\n'], "");
    assert_eq!(spaceless(&left), spaceless(&before).replace(",gradcheck(xins(),forward=x)", ""));
    let said = messages(&crate::attribute(args, item));
    assert_eq!(said.len(), 1, "only that it is unsafe: {said:?}");
}

#[test]
fn enums_and_unions_cannot_be_flattened() {
    for source in ["enum E { A }", "union U { a: f64 }"] {
        let output = derive(source.parse().expect("tokens"), When::Always);
        assert_eq!(messages(&output).len(), 1, "{output}");
    }
}

#[test]
fn a_field_that_is_flattened_needs_a_name() {
    let output = derive("struct S { _: f64, w: f64 }".parse().expect("tokens"), When::Always);
    let said = messages(&output);
    assert_eq!(said, ["a field that is flattened needs a name; `_` is none"], "{output}");
    let skipped = "struct S { #[flatten(skip)] _: f64, w: f64 }";
    let output = derive(skipped.parse().expect("tokens"), When::Always);
    assert_eq!(messages(&output), Vec::<String>::new(), "{output}");
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
