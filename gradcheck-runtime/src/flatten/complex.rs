//! Complex numbers: two real ones, `z.re` and `z.im`.
use num_complex::Complex;

use super::{Element, Flat, Flatten, FlattenMut, Scalar, Visitor, VisitorMut};

impl<T: Scalar> Element for Complex<T> {
    type Real = T;
    const PARTS: usize = 2;
    fn part(self, part: usize) -> T {
        [self.re, self.im][part]
    }
    fn set_part(&mut self, part: usize, value: T) {
        match part {
            0 => self.re = value,
            _ => self.im = value,
        }
    }
    fn zero() -> Self {
        Complex { re: T::from_f64(0.0), im: T::from_f64(0.0) }
    }
}

impl<T: Scalar> Flatten for Complex<T> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        visitor.block(&[2], &Flat::new(std::slice::from_ref(self)));
    }
    fn flatten_slice(items: &[Self], visitor: &mut dyn Visitor) {
        visitor.block(&[items.len(), 2], &Flat::new(items));
    }
}

impl<T: Scalar> FlattenMut for Complex<T> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        visitor.block(&[2], &mut Flat::new(std::slice::from_mut(self)));
    }
    fn flatten_slice_mut(items: &mut [Self], visitor: &mut dyn VisitorMut) {
        visitor.block(&[items.len(), 2], &mut Flat::new(items));
    }
}
