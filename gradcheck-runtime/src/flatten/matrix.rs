//! Matrices of other libraries: read by row and column, whatever their memory layout.
use super::{Element, Scalar as _, Scalars, ScalarsMut, get_part, set_part};

/// A matrix that can be read.
pub(super) trait Grid {
    /// What it is made of.
    type Item: Element;
    /// Rows and columns.
    fn extents(&self) -> (usize, usize);
    /// The element in this row and column.
    fn item(&self, row: usize, column: usize) -> &Self::Item;
}

/// A matrix that can be written.
pub(super) trait GridMut: Grid {
    /// The element in this row and column.
    fn item_mut(&mut self, row: usize, column: usize) -> &mut Self::Item;
}

/// A matrix as a block of scalars.
pub(super) struct Rows<G>(pub(super) G);

impl<G: Grid> Rows<G> {
    /// Row, column and part of scalar `i`.
    fn place(&self, i: usize) -> (usize, usize, usize) {
        let (element, part) = (i / G::Item::PARTS, i % G::Item::PARTS);
        let columns = self.0.extents().1;
        (element / columns, element % columns, part)
    }

    /// Every row, column and part, in order.
    fn places(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<G> {
        let (rows, columns) = self.0.extents();
        (0..rows).flat_map(move |row| {
            (0..columns)
                .flat_map(move |column| (0..G::Item::PARTS).map(move |part| (row, column, part)))
        })
    }
}

impl<G: Grid> Scalars for Rows<G> {
    fn len(&self) -> usize {
        let (rows, columns) = self.0.extents();
        rows * columns * G::Item::PARTS
    }
    fn get(&self, i: usize) -> f64 {
        let (row, column, part) = self.place(i);
        get_part(self.0.item(row, column), part)
    }
    fn append_to(&self, out: &mut Vec<f64>) {
        out.reserve(self.len());
        for (row, column, part) in self.places() {
            out.push(get_part(self.0.item(row, column), part));
        }
    }
    fn roundoff(&self) -> f64 {
        <G::Item as Element>::Real::ROUNDOFF
    }
    fn tape_id(&self, i: usize) -> Option<u32> {
        let (row, column, part) = self.place(i);
        self.0.item(row, column).part(part).tape_id()
    }
    fn is_flat(&self) -> bool {
        false
    }
    fn is_complex(&self) -> bool {
        G::Item::PARTS == 2
    }
}

impl<G: GridMut> ScalarsMut for Rows<G> {
    fn set(&mut self, i: usize, value: f64) {
        let (row, column, part) = self.place(i);
        set_part(self.0.item_mut(row, column), part, value);
    }
    fn set_all(&mut self, values: &[f64]) {
        for ((row, column, part), &value) in self.places().zip(values) {
            set_part(self.0.item_mut(row, column), part, value);
        }
    }
}
