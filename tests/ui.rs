//! What the compiler says to a user: every error at the user's token, with the way out, and all
//! of a function's errors at once. `TRYBUILD=overwrite cargo test --test ui` renews the texts.
#[test]
fn errors() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
