//! The `#[gradcheck]` attribute and `#[derive(Flatten)]`.
//!
//! This crate is the half of the project that a production function touches; the other half,
//! `gradcheck-runtime`, does the work, documents both and is a dev-dependency:
//!
//! ```toml
//! [dependencies]
//! gradcheck-macros = "0.1"
//! [dev-dependencies]
//! gradcheck-runtime = "0.1"
//! ```
//!
//! The first page of `gradcheck-runtime` has an example of every form and option, and its
//! module `guide` says what to do when a check fails. [`macro@gradcheck`] lists the arguments.
//!
//! Everything generated is `#[cfg(test)]`. The runtime turns on the feature `expand`; without
//! it this crate has no dependencies, and hands every item back as it came.
use proc_macro::TokenStream;

#[cfg(feature = "expand")]
mod ast;
#[cfg(feature = "expand")]
mod attr;
#[cfg(feature = "expand")]
mod expand;
#[cfg(feature = "expand")]
mod flatten;
#[cfg(feature = "expand")]
mod tokens;
#[cfg(feature = "expand")]
mod types;
#[cfg(feature = "expand")]
mod valid;

#[cfg(all(test, feature = "expand"))]
mod tests;

/// Checks the function's gradient in generated tests.
///
/// ```
/// use gradcheck_macros::gradcheck;
///
/// fn loss(w: &[f64]) -> f64 {
///     w.iter().map(|w| w * w).sum()
/// }
///
/// #[gradcheck(dims(n in 1..=5), w in vec(n), forward = loss)]
/// fn gradient(w: &[f64]) -> Vec<f64> {
///     w.iter().map(|w| 2.0 * w).collect()
/// }
/// ```
///
/// generates `gradcheck_gradient::random_init` and `gradcheck_gradient::after_training`.
/// A method needs a second, bare attribute on its impl block:
///
/// ```
/// # use gradcheck_macros::gradcheck;
/// struct Scale(f64);
///
/// #[gradcheck]
/// impl Scale {
///     fn forward(&self, x: f64) -> f64 {
///         self.0 * x * x
///     }
///
///     #[gradcheck(self in (0.5..2.0).prop_map(Scale), x in -1.0..1.0, wrt = x, forward = self.forward(x))]
///     fn backward(&self, x: f64) -> f64 {
///         2.0 * self.0 * x
///     }
/// }
/// ```
///
/// | argument | meaning |
/// | --- | --- |
/// | `dims(n in 1..=5, ..)` | sizes, `usize` |
/// | `x in STRATEGY`, `x: TYPE in STRATEGY`, `(x, y) in STRATEGY`, `self in STRATEGY` | drawn values |
/// | `wrt = x`, `wrt = (x, self.w)` | what the gradient is taken with respect to; else the targets of `out`, or the first draw |
/// | `forward = ..` | a path or closure called with the function's own arguments, or an expression over the draws |
/// | `gradient = EXPR` | how the gradient is had, when a plain call is not it |
/// | `cotangent = PATTERN`, `tangent = PATTERN` | a vector-Jacobian or Jacobian-vector product |
/// | `out(g = x, h += y)` | arguments that the gradient is written to, or added to |
/// | `train(steps = RANGE, learning_rate = LR)`, `train(steps = RANGE, update = EXPR)` | how trained states are reached |
/// | `exact = F` | the forward is generic over its scalar `F` |
/// | `types(T = [f32, f64])` | one set of tests for each |
/// | `allow_zero(b, self.gamma)` | blocks whose gradient may be zero everywhere |
/// | `tolerance`, `epsilon`, `cases`, `seed`, `method`, `timeout`, `shards`, `name`, `crate`, `ignore`, `should_panic` | settings |
///
/// The guide stands with `gradcheck-runtime`. The item itself is always handed on as it came.
#[proc_macro_attribute]
pub fn gradcheck(args: TokenStream, item: TokenStream) -> TokenStream {
    #[cfg(feature = "expand")]
    return attribute(args.into(), item.into()).into();
    #[cfg(not(feature = "expand"))]
    return without_runtime(args, item);
}

/// Names the scalars of a struct, field by field, for tests: the impls are `#[cfg(test)]`.
///
/// `#[flatten(skip)]` leaves a field out, `#[flatten(rename = "..")]` names it otherwise, and
/// `#[flatten(crate = path)]` on the struct says where `gradcheck_runtime` is found.
#[proc_macro_derive(Flatten, attributes(flatten))]
pub fn derive_flatten(item: TokenStream) -> TokenStream {
    #[cfg(feature = "expand")]
    return flatten::derive(item.into(), flatten::When::Testing).into();
    #[cfg(not(feature = "expand"))]
    return item.into_iter().take(0).collect();
}

/// `Flatten` in every build; what `gradcheck_runtime::Flatten` is.
#[doc(hidden)]
#[proc_macro_derive(FlattenAlways, attributes(flatten))]
pub fn derive_flatten_always(item: TokenStream) -> TokenStream {
    #[cfg(feature = "expand")]
    return flatten::derive(item.into(), flatten::When::Always).into();
    #[cfg(not(feature = "expand"))]
    return item.into_iter().take(0).collect();
}

/// The item as it came, and beside it the tests, or what is wrong with the attribute.
#[cfg(feature = "expand")]
fn attribute(
    args: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let (mut output, item) = ast::read(args, item);
    let mut errors = tokens::Errors::default();
    for spec in item.specs(&mut errors) {
        if let Some(check) = valid::check(&spec, &mut errors) {
            output.extend(expand::driver_and_tests(&check));
        }
    }
    output.extend(errors.into_compile_errors());
    output
}

/// Hands the item back, and says in a test build what is missing. An empty attribute stands on
/// an impl block, whose methods say it themselves.
#[cfg(not(feature = "expand"))]
fn without_runtime(args: TokenStream, mut item: TokenStream) -> TokenStream {
    const MISSING: &str = "#[cfg(test)] ::core::compile_error!(\
        \"`#[gradcheck]` generates tests that run on gradcheck-runtime: \
        add `gradcheck-runtime` to [dev-dependencies]\");";
    if !args.is_empty() {
        item.extend(MISSING.parse::<TokenStream>());
    }
    item
}
