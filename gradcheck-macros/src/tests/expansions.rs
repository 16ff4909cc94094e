//! One snapshot for each form: what a reader of the macro wants to see first.
use super::{expanded, messages, pretty};
use crate::flatten::{When, derive};

/// The expansion without the user's item, which it begins with.
macro_rules! snapshot {
    ($name:ident, $source:expr) => {
        #[test]
        fn $name() {
            let tokens = expanded($source);
            assert_eq!(messages(&tokens), Vec::<String>::new());
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(stringify!($name), pretty(tokens));
            });
        }
    };
}

snapshot! { block, "
    #[gradcheck(
        dims(n in 1..=5, m in n..=7),
        params in init(&[n, 1]),
        x in normal([n, m]),
        forward = {
            let (al, caches) = propagate(&x, &params);
            cost(&al)
        },
        tolerance = 1e-6,
        method = Method::Exhaustive,
    )]
    pub fn backward(al: &Array2<f64>, caches: &[Cache]) -> Grads { todo!() }
" }

snapshot! { path_and_ranges, "
    #[gradcheck(theta in -3.0..3.0, i in 0..5, y: u8 in 0..2, forward = loss, wrt = theta)]
    fn slope(theta: f64, i: usize, y: u8) -> f64 { theta }
" }

snapshot! { typed_closure, "
    #[gradcheck(w in normal(3), forward = |w: &Array1<f64>| w.dot(w))]
    fn gradient(w: &Array1<f64>) -> Array1<f64> { 2.0 * w }
" }

snapshot! { untyped_closure, "
    #[gradcheck(w in normal(3), k in 0.0..1.0, forward = |w, k| k * w.dot(w))]
    fn gradient(w: &Array1<f64>, k: f64) -> Array1<f64> { 2.0 * k * w }
" }

snapshot! { fused, "
    #[gradcheck(x in normal(3), (a, b) in pair(), train(steps = 3..=5, update = sgd(0.1)))]
    fn value_and_gradient(x: &Array1<f64>, a: f64, _b: f64) -> Result<(f64, Array1<f64>), Error> { todo!() }
" }

snapshot! { fused_into_buffer, "
    #[gradcheck(x in vec(3), out(g = x))]
    fn objective(x: &[f64], g: Option<&mut [f64]>) -> f64 { 0.0 }
" }

snapshot! { cotangent, "
    #[gradcheck(
        x in normal(3),
        h in normal(3),
        wrt = (x, h),
        forward = { let (y, c, cache) = step(&x, &h); (y, c) },
        cotangent = (dy, dc),
    )]
    fn backward(dy: &Array1<f64>, dc: &Array1<f64>, cache: &mut Cache, y: Array1<f64>) -> (Array1<f64>, Array1<f64>) { todo!() }
" }

snapshot! { tangent, "
    #[gradcheck(x in normal(3), w in normal(3), wrt = (x, w), forward = &x * &w, tangent = (dx, dw))]
    fn jvp(x: &Array1<f64>, w: &Array1<f64>, dx: &Array1<f64>, dw: &Array1<f64>) -> Array1<f64> { todo!() }
" }

snapshot! { buffers, "
    #[gradcheck(
        x in vec::<f32>(3),
        w in normal([3, 3]),
        forward = { let mut y = vec![0.0; 3]; forward(&mut y, &x, &w); y },
        cotangent = dy,
        out(dw = w, dx += x),
        train(update = |w, x, g| todo!()),
    )]
    fn backward(dx: &mut [f32], dw: &mut Array2<f32>, dy: &[f32], x: ArrayView1<f32>, w: &Array2<f32>) -> Result<(), Error> { Ok(()) }
" }

snapshot! { exact, "
    #[gradcheck(
        exact = F,
        x in normal::<F, _>(3),
        k in 0.0..1.0,
        forward = |x, k| cost(x, k),
        train(steps = 1..=9, learning_rate = 0.1),
    )]
    fn gradient(x: &Array1<f64>, k: f64) -> Array1<f64> { x.clone() }
" }

snapshot! { types, "
    #[gradcheck(types(T = [f32, Vec<f64>], N = [3]), x in arrays::<T, N>(), forward = cost(&x), shards = 2)]
    fn gradient<'a, T: Float, const N: usize>(x: &'a [T; N]) -> [T; N] { todo!() }
" }

snapshot! { relative_runtime, "
    #[gradcheck(types(T = [f32]), x in normal::<T, _>(3), forward = cost, crate = self::facade)]
    fn gradient<T>(x: &Array1<T>) -> Array1<T> { todo!() }
" }

snapshot! { gradient_expression, "
    #[gradcheck(
        x in normal(3),
        forward = { let x = &x * 2.0; x.dot(&x) },
        gradient = 2.0 * square(&x),
    )]
    fn square(x: &Array1<f64>) -> Array1<f64> { 2.0 * x }
" }

snapshot! { names, "
    #[gradcheck(r#in in normal(3), _k in 0..3, forward = cost, name = \"other\", ignore, allow_zero(b, layers[0].bias, \"W1\"), crate = ::facade::gradcheck_runtime)]
    #[cfg(feature = \"slow\")]
    #[should_panic(expected = \"sign\")]
    #[inline]
    pub(crate) fn r#match(_in: &Array1<f64>, _k: usize) -> Array1<f64> { todo!() }
" }

snapshot! { methods, "
    #[gradcheck]
    #[cfg(feature = \"dense\")]
    impl<'a> Layer for LSTMCell<'a> {
        /// Stays.
        #[inline]
        #[cfg_attr(test, gradcheck_runtime::gradcheck(
            self in normal(3).prop_map(|w| Self::new(w)),
            x in normal(3),
            wrt = (x, self.weight),
            forward = { assert!(self.ready, \"{}\", self.weight); self.forward(&x) },
            gradient = { let dx = self.backward(&x); (dx, self.grad.clone()) },
        ))]
        fn backward(&mut self, x: &Array1<f64>) -> Array1<f64> { todo!() }
        #[gradcheck(self in cell(), x in normal(3), wrt = x, forward = Self::forward)]
        fn call(&mut self, x: &Array1<f64>) -> Array1<f64> { todo!() }
        #[gradcheck(x in normal(3), forward = self::helper(&x))]
        fn associated(x: &Array1<f64>) -> Array1<f64> { todo!() }
        fn untouched(&self) {}
    }
" }

snapshot! { generic_impl, "
    #[gradcheck]
    impl<T: Float> Dense<T> {
        #[gradcheck(types(T = [f32]), self in dense::<T>(), x in normal(3), wrt = x, forward = self.forward(&x))]
        pub fn consume(self, x: Array1<T>) -> Array1<T> { todo!() }
    }
" }

/// A derived struct, pretty-printed.
fn derived(source: &str, when: When) -> String {
    pretty(derive(source.parse().expect("tokens"), when))
}

#[test]
fn flatten_named() {
    let source = r#"
        #[flatten(crate = my::runtime)]
        pub struct Layer<'a, T: Float, const N: usize> where T: Debug {
            pub weight: Array2<T>,
            r#type: [f64; N],
            #[flatten(rename = "b")]
            bias: &'a T,
            #[flatten(skip)]
            activation: fn(T) -> T,
            below: Option<Box<Layer<'a, T, N>>>,
        }
    "#;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("flatten_named", derived(source, When::Testing));
    });
}

#[test]
fn flatten_tuple_and_unit() {
    let tuple =
        derived("struct Pair(f64, #[flatten(rename = \"second\")] Array1<f64>);", When::Always);
    let unit = derived("struct Nothing;", When::Always);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("flatten_tuple_and_unit", format!("{tuple}\n{unit}"));
    });
}

/// The expansion of an attribute on `fn gradient(w: &Array1<f64>, ..) -> ..`, its spaces single.
fn said(arguments: &str, signature: &str) -> String {
    let source =
        format!("#[gradcheck(w in normal(3), {arguments})] fn gradient{signature} {{ todo!() }}");
    super::expanded(&source).to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_runtime_above_the_module_is_further_up_inside() {
    let text = said("forward = cost, crate = super::facade", "(w: &Array1<f64>) -> Array1<f64>");
    assert!(text.contains("super :: super :: facade :: __private :: Kind :: RandomInit"), "{text}");
    assert!(!text.contains("super :: super :: super"), "{text}");
}

#[test]
fn only_a_call_that_may_fail_is_unwrapped() {
    let plain = "(w: &Array1<f64>, g: &mut Array1<f64>)";
    let fallible = "(w: &Array1<f64>, g: &mut Array1<f64>) -> Result<(), Error>";
    let unwraps =
        |arguments: &str, signature: &str| said(arguments, signature).contains("__p . unwrap");
    assert!(!unwraps("forward = cost, out(g = w)", plain));
    assert!(unwraps("forward = cost, out(g = w)", fallible));
    assert!(!unwraps(
        "forward = cost, out(g = w), gradient = { gradient(&w, &mut g).unwrap() }",
        fallible
    ));
}
