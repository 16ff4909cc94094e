//! Matrices, columns, rows and views of `faer`.
use faer::{Col, ColMut, ColRef, Mat, MatMut, MatRef, Row, RowMut, RowRef, Shape, Stride};

use super::matrix::{Grid, GridMut, Rows};
use super::{Element, Flatten, FlattenMut, Visitor, VisitorMut, with_parts};

/// Strides of any length, extents of any type: what all views become.
type View<'a, T> = MatRef<'a, T, usize, usize, isize, isize>;
type ViewMut<'a, T> = MatMut<'a, T, usize, usize, isize, isize>;

impl<T: Element> Grid for View<'_, T> {
    type Item = T;
    fn extents(&self) -> (usize, usize) {
        (self.nrows(), self.ncols())
    }
    fn item(&self, row: usize, column: usize) -> &T {
        &self[(row, column)]
    }
}

impl<T: Element> Grid for ViewMut<'_, T> {
    type Item = T;
    fn extents(&self) -> (usize, usize) {
        (self.nrows(), self.ncols())
    }
    fn item(&self, row: usize, column: usize) -> &T {
        &self[(row, column)]
    }
}

impl<T: Element> GridMut for ViewMut<'_, T> {
    fn item_mut(&mut self, row: usize, column: usize) -> &mut T {
        &mut self[(row, column)]
    }
}

fn show<T: Element>(axes: &[usize], view: View<'_, T>, visitor: &mut dyn Visitor) {
    visitor.block(&with_parts::<T>(axes), &Rows(view));
}

fn show_mut<T: Element>(axes: &[usize], view: ViewMut<'_, T>, visitor: &mut dyn VisitorMut) {
    visitor.block(&with_parts::<T>(axes), &mut Rows(view));
}

/// What a type shows: the axes it has, and how it is seen as a matrix.
macro_rules! shown {
    ($([$($generics:tt)*] $type:ty, $this:ident => $axes:expr, $view:expr;)*) => {$(
        impl<$($generics)*> Flatten for $type {
            fn flatten(&self, visitor: &mut dyn Visitor) {
                let $this = self.as_ref();
                show(&$axes, $view, visitor);
            }
        }
    )*};
}

macro_rules! shown_mut {
    ($([$($generics:tt)*] $type:ty, $this:ident => $axes:expr, $view:expr;)*) => {$(
        impl<$($generics)*> FlattenMut for $type {
            fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
                let $this = self.as_mut();
                let axes = $axes;
                show_mut(&axes, $view, visitor);
            }
        }
    )*};
}

shown! {
    [T: Element, R: Shape, C: Shape] Mat<T, R, C>,
        m => [m.nrows().unbound(), m.ncols().unbound()], m.as_dyn().as_dyn_stride();
    [T: Element, R: Shape, C: Shape, X: Stride, Y: Stride] MatRef<'_, T, R, C, X, Y>,
        m => [m.nrows().unbound(), m.ncols().unbound()], m.as_dyn().as_dyn_stride();
    [T: Element, R: Shape, C: Shape, X: Stride, Y: Stride] MatMut<'_, T, R, C, X, Y>,
        m => [m.nrows().unbound(), m.ncols().unbound()], m.as_dyn().as_dyn_stride();
    [T: Element, R: Shape] Col<T, R>,
        c => [c.nrows().unbound()], c.as_mat().as_dyn().as_dyn_stride();
    [T: Element, R: Shape, X: Stride] ColRef<'_, T, R, X>,
        c => [c.nrows().unbound()], c.as_mat().as_dyn().as_dyn_stride();
    [T: Element, R: Shape, X: Stride] ColMut<'_, T, R, X>,
        c => [c.nrows().unbound()], c.as_mat().as_dyn().as_dyn_stride();
    [T: Element, C: Shape] Row<T, C>,
        r => [r.ncols().unbound()], r.as_mat().as_dyn().as_dyn_stride();
    [T: Element, C: Shape, X: Stride] RowRef<'_, T, C, X>,
        r => [r.ncols().unbound()], r.as_mat().as_dyn().as_dyn_stride();
    [T: Element, C: Shape, X: Stride] RowMut<'_, T, C, X>,
        r => [r.ncols().unbound()], r.as_mat().as_dyn().as_dyn_stride();
}

shown_mut! {
    [T: Element, R: Shape, C: Shape] Mat<T, R, C>,
        m => [m.nrows().unbound(), m.ncols().unbound()], m.as_dyn_mut().as_dyn_stride_mut();
    [T: Element, R: Shape, C: Shape, X: Stride, Y: Stride] MatMut<'_, T, R, C, X, Y>,
        m => [m.nrows().unbound(), m.ncols().unbound()], m.as_dyn_mut().as_dyn_stride_mut();
    [T: Element, R: Shape] Col<T, R>,
        c => [c.nrows().unbound()], c.as_mat_mut().as_dyn_mut().as_dyn_stride_mut();
    [T: Element, R: Shape, X: Stride] ColMut<'_, T, R, X>,
        c => [c.nrows().unbound()], c.as_mat_mut().as_dyn_mut().as_dyn_stride_mut();
    [T: Element, C: Shape] Row<T, C>,
        r => [r.ncols().unbound()], r.as_mat_mut().as_dyn_mut().as_dyn_stride_mut();
    [T: Element, C: Shape, X: Stride] RowMut<'_, T, C, X>,
        r => [r.ncols().unbound()], r.as_mat_mut().as_dyn_mut().as_dyn_stride_mut();
}
