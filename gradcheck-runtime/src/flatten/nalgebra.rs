//! Matrices, vectors, points and views of `nalgebra`.
//!
//! A matrix with a column (or a row) by its type is a vector, and its block has one axis: `v[2]`.
//! All others have two, `m[row, column]`, though memory runs down the columns.
use nalgebra::allocator::Allocator;
use nalgebra::{DefaultAllocator, Dim, DimName, Matrix, OPoint, RawStorage, RawStorageMut};

use super::matrix::{Grid, GridMut, Rows};
use super::{Element, Flatten, FlattenMut, Visitor, VisitorMut, with_parts};

impl<T, R, C, S> Grid for &Matrix<T, R, C, S>
where
    T: Element,
    R: Dim,
    C: Dim,
    S: RawStorage<T, R, C>,
{
    type Item = T;
    fn extents(&self) -> (usize, usize) {
        self.shape()
    }
    fn item(&self, row: usize, column: usize) -> &T {
        &self[(row, column)]
    }
}

impl<T, R, C, S> Grid for &mut Matrix<T, R, C, S>
where
    T: Element,
    R: Dim,
    C: Dim,
    S: RawStorage<T, R, C>,
{
    type Item = T;
    fn extents(&self) -> (usize, usize) {
        self.shape()
    }
    fn item(&self, row: usize, column: usize) -> &T {
        &self[(row, column)]
    }
}

impl<T, R, C, S> GridMut for &mut Matrix<T, R, C, S>
where
    T: Element,
    R: Dim,
    C: Dim,
    S: RawStorageMut<T, R, C>,
{
    fn item_mut(&mut self, row: usize, column: usize) -> &mut T {
        &mut self[(row, column)]
    }
}

/// The axes that the type leaves open, or that are not of extent 1.
fn axes<R: Dim, C: Dim>((rows, columns): (usize, usize)) -> Vec<usize> {
    match (R::try_to_usize(), C::try_to_usize()) {
        (_, Some(1)) => vec![rows],
        (Some(1), _) => vec![columns],
        _ => vec![rows, columns],
    }
}

impl<T, R, C, S> Flatten for Matrix<T, R, C, S>
where
    T: Element,
    R: Dim,
    C: Dim,
    S: RawStorage<T, R, C>,
{
    fn flatten(&self, visitor: &mut dyn Visitor) {
        visitor.block(&with_parts::<T>(&axes::<R, C>(self.shape())), &Rows(self));
    }
}

impl<T, R, C, S> FlattenMut for Matrix<T, R, C, S>
where
    T: Element,
    R: Dim,
    C: Dim,
    S: RawStorageMut<T, R, C>,
{
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        visitor.block(&with_parts::<T>(&axes::<R, C>(self.shape())), &mut Rows(self));
    }
}

impl<T, D> Flatten for OPoint<T, D>
where
    T: Element + nalgebra::Scalar,
    D: DimName,
    DefaultAllocator: Allocator<D>,
{
    fn flatten(&self, visitor: &mut dyn Visitor) {
        self.coords.flatten(visitor);
    }
}

impl<T, D> FlattenMut for OPoint<T, D>
where
    T: Element + nalgebra::Scalar,
    D: DimName,
    DefaultAllocator: Allocator<D>,
{
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.coords.flatten_mut(visitor);
    }
}
