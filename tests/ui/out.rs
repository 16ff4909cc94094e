//! Buffers that gradients are written to.
#![allow(unused_variables)]
use gradcheck_macros::gradcheck;

#[gradcheck(x in vec(3), y in vec(3), forward = loss(&x, &y), wrt = x, out(g = y, h = z))]
fn targets(x: &[f64], y: &[f64], g: &mut [f64], h: &mut [f64]) {}

#[gradcheck(x in vec(3), forward = loss, out(g = z))]
fn not_drawn(x: &[f64], g: &mut [f64]) {}

#[gradcheck(x in vec(3), y in vec(3), forward = loss, wrt = (x, y), out(gradx = x))]
fn missing(x: &[f64], y: &[f64], grad_x: &mut [f64]) {}

#[gradcheck(x in vec(3), forward = loss, out(g = x, h += x, g = x))]
fn twice(x: &[f64], g: &mut [f64], h: &mut [f64]) {}

#[gradcheck(x in vec(3), forward = loss, out(g = x))]
fn shared(x: &[f64], g: &[f64]) {}

#[gradcheck(x in vec(3), forward = loss, out(g, 3 = x))]
fn misshapen(x: &[f64], g: &mut [f64]) {}

#[gradcheck(x in vec(3), forward = loss)]
fn forgotten(x: &[f64]) {}

#[gradcheck(x in vec(3))]
fn no_pair(x: &[f64]) -> f64 {
    0.0
}

fn main() {}
