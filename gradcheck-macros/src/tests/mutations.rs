//! Attributes and items with tokens dropped, doubled, swapped and replaced: nothing may panic,
//! and the item must come back.
use std::time::{Duration, Instant};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::attribute_and_item;

const SOURCES: [&str; 6] = [
    "#[gradcheck(dims(n in 1..=5, m in n..=7), x: Array1<f64> in normal([n, m]), forward = { let (y, c) = f(&x)?; y }, cotangent = dy, wrt = (x, x.w[0]), allow_zero(x, a.b[0]))]
     pub fn backward<'a, T: Float>(dy: &'a [T], c: &mut Cache) -> Result<Vec<T>, Error> where T: Copy { todo!() }",
    "#[gradcheck(types(T = [f32, Vec<f64>], N = [3]), (x, y) in pairs::<T, N>(), forward = |x, y: &T| x * y, out(g = x, h += y), shards = 3, name = other)]
     fn gradient<T, const N: usize>(x: &T, y: T, g: &mut [T], h: Option<&mut T>) -> Option<T> { todo!() }",
    "#[gradcheck(exact = F, x in normal::<F, _>(3), k in 0.0..1.0, forward = cost, train(steps = 1..=9, learning_rate = 0.1), tolerance = 1e-9, seed = 1, method = Method::Auto, crate = ::a::b)]
     #[ignore] async fn gradient(x: ArrayView1<f64>, mut k: f64, _: [f64; 2]) -> Array1<f64> { x }",
    "#[gradcheck(x in normal(3), w in normal(3), tangent = (dx, dw), wrt = (x, w), forward = a.b(x), gradient = { return 3; }, train(update = sgd(0.1)), ignore = \"slow\", should_panic(expected = \"x\"))]
     unsafe extern \"C\" fn jvp(x: &f64, dx: f64) {}",
    "#[gradcheck]
     #[cfg(test)]
     impl<'a, T: Float> Layer<T> for &'a Dense<T> {
         const X: [u8; 2] = { [0; 2] };
         #[cfg_attr(test, inline, gradcheck_runtime::gradcheck(self in Just(Self { x }), wrt = self.w, forward = self.f(Self::g())))]
         fn backward(self: &mut Self, x: Array1<T>) -> Array1<T> { todo!() }
         #[gradcheck(x in 0.0..1.0, forward = x)] fn f(x: f64) -> f64 { x }
         type Y = f64;
     }",
    "#[gradcheck(x in normal(3))] trait Layer { fn backward(&self, x: &f64) -> f64; }",
];

/// A stream of numbers that is the same at every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn count(tokens: &TokenStream) -> usize {
    let inside = |token| match token {
        TokenTree::Group(group) => 1 + count(&group.stream()),
        _ => 1,
    };
    tokens.clone().into_iter().map(inside).sum()
}

/// The tokens with the one at `at`, counted through groups, changed.
fn mutate(tokens: TokenStream, at: &mut usize, kind: usize, other: &TokenTree) -> TokenStream {
    let mut output: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let here = *at == 0;
        *at = at.wrapping_sub(1);
        match token {
            token if here => match kind {
                0 => {}
                1 => output.extend([token.clone(), token]),
                2 => output.push(other.clone()),
                3 => output.extend([other.clone(), token]),
                4 => {
                    let before = output.pop();
                    output.push(token);
                    output.extend(before);
                }
                _ => output.push(Group::new(Delimiter::None, token.into()).into()),
            },
            TokenTree::Group(group) => {
                let inside = mutate(group.stream(), at, kind, other);
                output.push(Group::new(group.delimiter(), inside).into());
            }
            token => output.push(token),
        }
    }
    output.into_iter().collect()
}

/// The tokens in order, groups opened.
fn words(tokens: &TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => {
                words.push(format!("{:?}", group.delimiter()));
                words.extend(self::words(&group.stream()));
                words.push("end".to_owned());
            }
            token => words.push(token.to_string()),
        }
    }
    words
}

#[test]
fn nothing_panics_and_the_item_comes_back() {
    let strange: TokenStream =
        "self in = , : ; x 0 \"s\" 'a .. ? | & # () [] {} dims out train r#in Self crate += wrt _ <"
            .parse()
            .expect("tokens");
    let strange: Vec<TokenTree> = strange.into_iter().collect();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let begun = Instant::now();
    let mut runs = 0;
    while runs < 300 || (runs < 6000 && begun.elapsed() < Duration::from_millis(700)) {
        for source in SOURCES {
            let (mut args, mut item) = attribute_and_item(source);
            let of_item = args.is_empty() || numbers.below(4) == 0;
            for _ in 0..=numbers.below(3) {
                let target = if of_item { &mut item } else { &mut args };
                let mut at = numbers.below(count(target));
                let (kind, other) = (numbers.below(6), numbers.below(strange.len()));
                *target = mutate(target.clone(), &mut at, kind, &strange[other]);
            }
            let output = crate::attribute(args.clone(), item.clone());
            // methods lose their attributes, and functions `#[ignore]`: compare the rest
            let (kept, _) = crate::ast::read(args, item.clone());
            assert_eq!(
                words(&output)[..words(&kept).len()],
                words(&kept)[..],
                "the item is not handed on: {item}"
            );
            if !source.contains("impl") && !source.contains("ignore") {
                assert_eq!(words(&kept), words(&item), "the item is changed");
            }
            runs += 1;
        }
    }
}

#[test]
fn derived_structs_of_any_tokens() {
    let source = "#[flatten(crate = a::b)] pub struct S<'a, T: X = f64, const N: usize>(#[flatten(skip)] T, #[flatten(rename = \"y\")] &'a [T; N]) where T: Copy;";
    let tokens: TokenStream = source.parse().expect("tokens");
    let mut numbers = Numbers(7);
    for _ in 0..500 {
        let mut at = numbers.below(count(&tokens));
        let other =
            TokenTree::from(proc_macro2::Ident::new("enum", proc_macro2::Span::call_site()));
        let changed = mutate(tokens.clone(), &mut at, numbers.below(6), &other);
        crate::flatten::derive(changed, crate::flatten::When::Always);
    }
}
