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

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::flatten::{Scalars, ScalarsMut};

    fn shown(scalars: &dyn Scalars) -> Vec<f64> {
        let mut all = Vec::new();
        scalars.append_to(&mut all);
        let mut pieces = Vec::new();
        scalars.in_pieces(&mut |first, piece| {
            assert_eq!(first, pieces.len());
            pieces.extend_from_slice(piece);
        });
        assert_eq!(pieces, all);
        let one_by_one: Vec<f64> = (0..scalars.len()).map(|i| scalars.get(i)).collect();
        assert_eq!(one_by_one, all);
        all
    }

    /// Parts come and go in pieces as they do one by one, and a range may begin and end within
    /// a number.
    #[test]
    fn a_range_of_parts_is_set_and_no_other() {
        let number = |(i, j): (usize, usize)| Complex::new((20 * i + j) as f64, -1.0);
        let mut rows = Array2::from_shape_fn((17, 20), number);
        let mut columns = rows.t().as_standard_layout().into_owned().reversed_axes();
        let mut flat: Vec<Complex<f64>> = rows.iter().copied().collect();
        let before = shown(&rows);
        for range in [0..680, 1..679, 3..8, 5..6, 128..512, 127..385, 7..7] {
            let mut source = |first: usize, piece: &mut [f64]| {
                (first..).zip(piece).for_each(|(i, value)| *value = 0.5 + i as f64);
            };
            let mut wanted = before.clone();
            range.clone().for_each(|i| wanted[i] = 0.5 + i as f64);
            let mut flat = Flat::new(&mut flat[..]);
            let all: [&mut dyn ScalarsMut; 3] = [&mut rows, &mut columns, &mut flat];
            for scalars in all {
                scalars.set_range(range.clone(), &mut source);
                assert_eq!(shown(&*scalars), wanted, "{range:?}");
                scalars.set_all(&before);
            }
        }
    }
}
