//! Generic functions.
#![allow(unused_variables)]
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss)]
fn not_fixed<T: From<f64>>(x: f64) -> T {
    x.into()
}

#[gradcheck(types(F = [f32]), x in normal(3), forward = loss)]
fn not_generic(x: f64) -> f64 {
    x
}

#[gradcheck(types(F = f32, G = [], H), x in normal(3), forward = loss)]
fn misshapen<F, G, H>(x: F, g: G, h: H) -> f64 {
    0.0
}

#[gradcheck(types(F = [f32], F = [f64]), x in normal::<F, _>(3), forward = loss)]
fn twice<F>(x: F) -> F {
    x
}

#[gradcheck(types(F = [f32]), exact = F, x in normal::<F, _>(3), forward = loss)]
fn exact_too<F>(x: F) -> F {
    x
}

#[gradcheck(exact = F, x in normal::<f64, _>(3), forward = loss)]
fn exact_unnamed(x: f64) -> f64 {
    x
}

#[gradcheck(exact = F, x in normal::<F, _>(3), out(g = x))]
fn exact_without_forward(x: &[f64], g: &mut [f64]) -> f64 {
    0.0
}

#[gradcheck(exact = F, x in uniform::<F, _>(3, F::from(0.1).unwrap()..F::one()), forward = loss)]
fn exact_unwrapped(x: &[f64]) -> Vec<f64> {
    x.to_vec()
}

fn main() {}
