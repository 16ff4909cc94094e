//! Ties a draw to the type of the parameter it is passed as, where the two are one.
//!
//! A range or an untyped closure leaves a draw's type open, and the parameter's type decides it.
//! But a parameter may also take what a draw only coerces to: a slice of a `Vec`, a view of an
//! array. Method look-up by dereferencing tries the cases in turn and asks nothing in the last.
use std::marker::PhantomData;
use std::ops::Deref;

use ndarray::{Array, ArrayView, ArrayViewMut, Dimension};

/// The draw and the parameter have one type.
#[derive(Debug)]
pub struct Same<T: ?Sized, U: ?Sized>(Slice<T, U>);
/// The draw is a `Vec`, the parameter a slice.
#[derive(Debug)]
pub struct Slice<T: ?Sized, U: ?Sized>(View<T, U>);
/// The draw is an array, the parameter a view.
#[derive(Debug)]
pub struct View<T: ?Sized, U: ?Sized>(Other, PhantomData<(PhantomData<T>, PhantomData<U>)>);
/// Anything else.
#[derive(Debug)]
pub struct Other;

/// Ties `T`, the draw's type, to `U`, the parameter's.
pub fn like<U: ?Sized, T: ?Sized>(_: &T) -> Same<T, U> {
    Same(Slice(View(Other, PhantomData)))
}

impl<T: ?Sized> Same<T, T> {
    /// The types are equal.
    pub fn pin(&self) {}
}

impl<T> Slice<Vec<T>, [T]> {
    /// The elements' types are equal.
    pub fn pin(&self) {}
}

impl<A, D: Dimension> View<Array<A, D>, ArrayView<'_, A, D>> {
    /// The elements' types and the dimensions are equal.
    pub fn pin(&self) {}
}

impl Other {
    /// Nothing is asked.
    pub fn pin(&self) {}
}

impl<T: ?Sized, U: ?Sized> Deref for Same<T, U> {
    type Target = Slice<T, U>;
    fn deref(&self) -> &Slice<T, U> {
        &self.0
    }
}

impl<T: ?Sized, U: ?Sized> Deref for Slice<T, U> {
    type Target = View<T, U>;
    fn deref(&self) -> &View<T, U> {
        &self.0
    }
}

impl<T: ?Sized, U: ?Sized> Deref for View<T, U> {
    type Target = Other;
    fn deref(&self) -> &Other {
        &self.0
    }
}

/// A mutable view of a buffer.
pub fn view_mut<A, D: Dimension>(array: &mut Array<A, D>) -> ArrayViewMut<'_, A, D> {
    array.view_mut()
}
