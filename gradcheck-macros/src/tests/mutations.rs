//! Attributes and items with tokens dropped, doubled, swapped, replaced, and taken from one
//! another: nothing may panic, the item must come back, something must stand beside it, what is
//! accepted must be items, and what is refused must be refused at the user's own tokens.
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use super::parts;

const SOURCES: [&str; 11] = [
    "#[gradcheck(dims(n in 1..=5, m in n..=7), x: Array1<f64> in normal([n, m]), forward = { let (y, mut c) = f(&x); y }, cotangent = dy, wrt = (x, x.w[0]), allow_zero(x, a.b[0]))]
     pub fn backward<'a, T: Float>(dy: &'a [T], c: &mut Cache) -> Result<Vec<T>, Error> where T: Copy { todo!() }",
    "#[gradcheck(types(T = [f32, Vec<f64>], N = [3]), (x, y) in pairs::<T, N>(), forward = |x, y: &T| x * y, out(g = x, h += y), shards = 3, name = other)]
     fn gradient<T, const N: usize>(x: &T, y: T, g: &mut [T], h: Option<&mut T>) -> Option<T> { todo!() }",
    "#[gradcheck(exact = F, x in normal::<F, _>(3), k in 0.0..1.0, forward = cost, train(steps = 1..=9, learning_rate = 0.1), tolerance = 1e-9, seed = 1, method = Method::Auto, crate = ::a::b)]
     #[ignore] pub(in a::b) fn gradient(x: ArrayView1<f64>, mut k: f64) -> Array1<f64> { x }",
    "#[gradcheck(x in normal(3), w in normal(3), tangent = (dx, dw), wrt = (x, w), forward = a.b(x), gradient = { || return 3; dx }, ignore = \"slow\", should_panic(expected = \"x\"))]
     extern \"C\" fn jvp(x: &f64, dx: f64) {}",
    "#[gradcheck]
     #[cfg(test)]
     impl<'a, T: Float> Layer<T> for &'a Dense<T> {
         const X: [u8; 2] = { [0; 2] };
         #[cfg_attr(test, inline, gradcheck_runtime::gradcheck(types(T = [f64]), self in Just(Self { x }), x in y(), wrt = self.w, forward = self.f(Self::g())))]
         fn backward(self: &mut Self, x: Array1<T>) -> Array1<T> { todo!() }
         #[gradcheck(x in 0.0..1.0, forward = x)] fn f(x: f64) -> f64 { x }
         type Y = f64;
     }",
    "#[gradcheck(x in normal(3))] trait Layer { fn backward(&self, x: &f64) -> f64; }",
    "#[gradcheck(dims(n in 1..=5, h in 1..=6, m in 1..=7), params in init(&[n, h, 1]), x in normal([n, m]), y in labels([1, m]),
        forward = { let (al, caches) = forward_propagation(&x, &params); compute_cost(&al, &y) }, timeout = Duration::from_secs(9), epsilon = 1e-6, cases = 3)]
     pub fn backward(al: &Array2<f64>, y: &Array2<f64>, caches: &[Cache]) -> Grads { todo!() }",
    "#[gradcheck(p in [-2.0..2.0, -1.0..3.0], (_c, c) in s(), forward = |p: &_, _| -> f64 { f(p[0], |x| x) }, wrt = (p[0], c), out(g = p[0], h += c))]
     #[cfg(feature = \"a\")] #[should_panic] const fn f(p: [f64; 2], mut g: Option<&mut f64>, h: ArrayViewMut1<'_, f64>, _c: (f64, f64)) -> Result<(), E> { todo!() }",
    "#[gradcheck(x in normal(n()), y: _ in m(), z in _n(), r#type in Just(&0.0 as *const f64), forward = path::to::<f64>::cost, gradient = match x { _ if true => loop { break grad(&x); }, ref y => y.0.clone() }, tolerance = if cfg!(a) { 1.0 } else { 2.0 })]
     fn f(x: impl Fn(&f64) -> f64, y: &dyn Fn(), z: &mut [&'static [f64]], r#type: *const f64) -> impl Sized + use<> { x }",
    "#[gradcheck] impl Dense { #[gradcheck(self in layer(), x in vec(3), wrt = (self.a.0, self.layers[0].bias, x), forward = Self::forward(&self, &x), cotangent = (dh, dc))]
     fn f(self: Box<Self>, dh: f64, dc: f64) -> (f64, f64, f64) { todo!() } }",
    "#[gradcheck]
     impl Dense<f64, 3> {
        #[gradcheck(layer in layer(), x in -1.0..=1.0, wrt = x, train(update = sgd(0.1)), out(dx += x), forward = layer.forward(&x), types(T = [f64, (f32, f32), [u8; 2], &'static str, ()], B = [true, { 3 > 2 }]))]
        #[cfg_attr(all(test, b), ignore, gradcheck(x in 0.0..1.0, name = other, types(T = [f64]), out(dx = x), forward = { struct S; impl S { fn f(self) {} } let layer = S; x }))]
        pub(super) fn f<T, const B: bool>(layer: &Self, x: f64, dx: &mut f64) where Self: Sized { macro_rules! m { ($self:ident) => { $self } } }
        fn g(&self) -> f64 { self.0 }
     }",
];

const STRUCTS: [&str; 3] = [
    "#[flatten(crate = a::b)] pub struct S<'a, T: X = f64, const N: usize>(#[flatten(skip)] T, #[flatten(rename = \"y\")] &'a [T; N]) where T: Copy;",
    "#[derive(Debug)] struct Net { #[flatten(rename = \"w\")] r#type: Vec<(f64, Self)>, #[flatten(skip)] n: usize, pub(crate) layers: [Option<Box<Layer<'static>>>; 2] }",
    "#[flatten] enum E { A(f64), B { x: u8 } = 3, C }",
];

const STRANGE: &str = "self in = , : ; x 0 \"s\" 'a .. ? | & # () [] {} dims out train r#in Self crate += wrt _ < \
    > -> => :: ! $ @ ..= 1e-7 b'x' r\"raw\" c\"s\" 1_f32 -1 impl fn unsafe async const mut ref dyn where for \
    forward gradient cotangent tangent exact types allow_zero shards name ignore update \u{e9} \"\" timeout";

/// Lines above the sources: what is parsed anywhere else stands above this line.
const ABOVE: usize = 100;

/// The tokens of a text of the user's.
fn users(source: &str) -> TokenStream {
    format!("{}{source}", "\n".repeat(ABOVE)).parse().expect("tokens")
}

fn is_users(span: Span) -> bool {
    span.start().line > ABOVE
}

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

fn group(delimiter: Delimiter, inside: TokenStream, span: Span) -> TokenTree {
    let mut group = Group::new(delimiter, inside);
    group.set_span(span);
    group.into()
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
                5 => {
                    let span = token.span();
                    output.push(group(Delimiter::None, token.into(), span));
                }
                6 => {
                    let span = token.span();
                    output.push(group(Delimiter::Parenthesis, token.into(), span));
                }
                7 => match token {
                    TokenTree::Group(group) => output.extend(group.stream()),
                    token => output.push(token),
                },
                // nothing of this group comes after it
                _ => return output.into_iter().chain([token]).collect(),
            },
            TokenTree::Group(inner) => {
                let inside = mutate(inner.stream(), at, kind, other);
                output.push(group(inner.delimiter(), inside, inner.span()));
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

/// The tokens one by one, groups with all that is inside.
fn pieces(tokens: &TokenStream, into: &mut Vec<TokenTree>) {
    for token in tokens.clone() {
        if let TokenTree::Group(group) = &token {
            pieces(&group.stream(), into);
        }
        into.push(token);
    }
}

/// Whether `kept` is `item` without some attributes of functions.
fn is_without_attributes(kept: &[String], item: &[String]) -> bool {
    let same = kept.iter().zip(item).take_while(|(kept, item)| kept == item).count();
    if same == item.len() {
        return same == kept.len();
    }
    // The first that is missing may begin with words that are equal to what follows it.
    (0..=same).rev().any(|at| {
        attribute_of_ours(&item[at..])
            .is_some_and(|length| is_without_attributes(&kept[at..], &item[at + length..]))
    })
}

/// The number of words of the attribute that the words begin with, if it is one that may go.
fn attribute_of_ours(words: &[String]) -> Option<usize> {
    if words.len() < 2 || words[0] != "#" || words[1] != "Bracket" {
        return None;
    }
    let mut depth = 0;
    let end = words.iter().position(|word| {
        match word.as_str() {
            "Bracket" | "Parenthesis" | "Brace" | "None" => depth += 1,
            "end" => depth -= 1,
            _ => return false,
        }
        depth == 0
    })?;
    let ours = ["gradcheck", "ignore", "should_panic"];
    words[..end].iter().any(|word| ours.contains(&word.as_str())).then_some(end + 1)
}

/// Whether an attribute that is handed on in part stands in the item: its words change.
fn is_split(item: &[String]) -> bool {
    item.iter().any(|word| word == "cfg_attr")
}

/// The errors among top-level tokens, each with the spans of its two ends.
fn errors(tokens: TokenStream) -> Vec<(String, [Span; 2])> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let error = |window: &[TokenTree]| match window {
        [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Group(group)]
            if *word == "compile_error" =>
        {
            Some((group.stream().to_string(), [word.span(), group.span()]))
        }
        _ => None,
    };
    tokens.windows(3).filter_map(error).collect()
}

/// What came of a number of mutants.
#[derive(Debug, Default)]
struct Tally {
    mutants: usize,
    accepted: usize,
    errors: usize,
    /// Errors at the attribute as a whole.
    at_attribute: usize,
}

impl Tally {
    /// Generated items, or errors at the user's tokens.
    fn judge(&mut self, item: &TokenStream, added: TokenStream) {
        self.mutants += 1;
        assert!(!added.is_empty(), "neither a test nor an error");
        let errors = errors(added.clone());
        for (message, spans) in &errors {
            self.errors += 1;
            if spans.iter().copied().all(is_users) {
                continue;
            }
            // The end of the attribute is the attribute; an item cut short never gets here.
            let whole = spans.iter().all(|span| span.byte_range().is_empty());
            let broken = || syn::parse2::<syn::Item>(item.clone()).is_err();
            let ends = message.contains("unexpected end of input");
            assert!(whole && (ends || broken()), "not at the user's tokens: {message} {spans:?}");
            self.at_attribute += 1;
        }
        if errors.is_empty() {
            self.accepted += 1;
            if let Err(error) = syn::parse2::<syn::File>(added.clone()) {
                panic!("what is added does not parse: {error}");
            }
        }
    }

    fn attribute(&mut self, args: &TokenStream, original: &TokenStream) {
        let item = original;
        let output = crate::attribute(args.clone(), item.clone());
        // methods lose their attributes, and functions `#[ignore]`: compare the rest
        let (kept, _) = crate::ast::read(args.clone(), item.clone());
        let added = output.clone().into_iter().skip(kept.clone().into_iter().count()).collect();
        let (kept, item) = (words(&kept), words(item));
        assert_eq!(words(&output)[..kept.len()], kept[..], "the item is not handed on");
        assert!(is_split(&item) || is_without_attributes(&kept, &item), "the item is changed");
        self.judge(original, added);
    }

    fn derive(&mut self, item: &TokenStream) {
        self.judge(item, crate::flatten::derive(item.clone(), crate::flatten::When::Always));
    }
}

/// Up to so many mutants that the source map is emptied.
const AT_ONCE: usize = 2000;

/// `number` mutants of the sources, every one of which must survive.
fn mutants(seed: u64, number: usize) -> Tally {
    let mut numbers = Numbers(seed);
    let mut tally = Tally::default();
    while tally.mutants < number {
        // Each text that is parsed stays in a table, which would grow without end.
        proc_macro2::extra::invalidate_current_thread_spans();
        let sources = SOURCES.map(|source| parts(users(source)));
        let structs = STRUCTS.map(users);
        let mut pool = Vec::new();
        pieces(&users(STRANGE), &mut pool);
        for (args, item) in &sources {
            pieces(args, &mut pool);
            pieces(item, &mut pool);
        }
        for _ in 0..AT_ONCE.min(number - tally.mutants) {
            if numbers.below(8) == 0 {
                let mut item = structs[numbers.below(structs.len())].clone();
                change(&mut item, &mut numbers, &pool);
                judged(|| item.clone(), || tally.derive(&item));
                continue;
            }
            let (mut args, mut item) = sources[numbers.below(sources.len())].clone();
            if numbers.below(16) == 0 {
                item = sources[numbers.below(sources.len())].1.clone();
            }
            for _ in 0..=numbers.below(4) {
                let of_item = args.is_empty() || numbers.below(4) == 0;
                change(if of_item { &mut item } else { &mut args }, &mut numbers, &pool);
            }
            let shown = || quote::quote!(#[gradcheck(#args)] #item);
            judged(shown, || tally.attribute(&args, &item));
        }
    }
    tally
}

fn change(target: &mut TokenStream, numbers: &mut Numbers, pool: &[TokenTree]) {
    let mut at = numbers.below(count(target));
    let (kind, other) = (numbers.below(9), numbers.below(pool.len()));
    *target = mutate(target.clone(), &mut at, kind, &pool[other]);
}

/// Shows the mutant that did not survive.
fn judged(mutant: impl Fn() -> TokenStream, judge: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(judge)) {
        eprintln!("the mutant: {}", mutant());
        resume_unwind(payload);
    }
}

#[test]
fn sources_are_accepted_unless_wrong_on_purpose() {
    let accepted = SOURCES.map(|source| {
        let (args, item) = parts(users(source));
        let mut tally = Tally::default();
        tally.attribute(&args, &item);
        tally.accepted
    });
    // the trait
    assert_eq!(accepted, [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn some_thousand_mutants() {
    let tally = mutants(0x9e37_79b9_7f4a_7c15, 4000);
    assert!(tally.accepted > 100 && tally.errors > 1000, "{tally:?}");
}

#[test]
#[ignore = "minutes: run it with --release"]
fn a_million_mutants() {
    for part in 1..=10 {
        let tally = mutants(part * 0x0123_4567_89ab_cdef, 100_000);
        println!("{part} of 10: {tally:?}");
    }
}

/// An argument in braces is not the body: the method, its attribute and what follows are whole.
#[test]
fn braces_in_a_signature_are_no_body() {
    let added = |result: &str| {
        let item = users(&format!(
            "impl Layer {{ #[gradcheck(x in vec(3), forward = f(&x))] \
             fn backward(x: Vec<f64>) -> Grid<f64, {{ N + 1 }}> {result} const A: bool = 1 < 2; }}"
        ));
        crate::attribute(TokenStream::new(), item)
    };
    assert!(errors(added("{ todo!() }")).is_empty());
    assert!(syn::parse2::<syn::File>(added("{ todo!() }")).is_ok());
    let [(message, spans)] = &errors(added(";"))[..] else { panic!("one error") };
    assert!(message.contains("body") && spans.iter().copied().all(is_users), "{message}");
}
