//! Named blocks of scalars inside the user's own types.
//!
//! [`Flatten`] walks a value and shows each block of scalars with its path and shape;
//! [`FlattenMut`] does the same with write access, which is what a perturbation needs. Both are
//! implemented here for scalars, `ndarray` arrays of any dimension and memory layout, `Vec`,
//! arrays, slices, tuples, `Option`, `Box` and string-keyed maps, and derived for structs by
//! `#[derive(Flatten)]`. With the features of these names, also for the matrices, vectors and
//! views of `nalgebra` and `faer`, static and dynamic, and for `num_complex::Complex`, alone or in
//! any of these.
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use ndarray::{ArrayBase, Data, DataMut, Dimension};

#[cfg(feature = "num-complex")]
mod complex;
#[cfg(feature = "faer")]
mod faer;
#[cfg(any(feature = "faer", feature = "nalgebra"))]
mod matrix;
#[cfg(feature = "nalgebra")]
mod nalgebra;

/// A real number that a parameter, a gradient or an output is made of.
///
/// Everything between the user's functions is carried in `f64`; the type's own precision
/// enters through [`Scalar::ROUNDOFF`] and through what [`Scalar::from_f64`] rounds away.
pub trait Scalar: Copy + 'static {
    /// Unit roundoff, half the distance from 1 to the next larger number.
    const ROUNDOFF: f64;
    /// The value, exactly.
    fn to_f64(self) -> f64;
    /// The nearest representable value. A tape scalar becomes a new independent variable.
    fn from_f64(value: f64) -> Self;
    /// Where the value stands on the thread's tape, for tape scalars that depend on a variable.
    fn tape_id(self) -> Option<u32> {
        None
    }
}

impl Scalar for f64 {
    const ROUNDOFF: f64 = f64::EPSILON / 2.0;
    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline]
    fn from_f64(value: f64) -> f64 {
        value
    }
}

impl Scalar for f32 {
    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;
    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}

/// What an array is made of: a real number, or a complex one, which is two.
pub trait Element: Copy + 'static {
    /// The real number.
    type Real: Scalar;
    /// How many of them there are: 1, or 2 for a complex number, its real part first.
    const PARTS: usize;
    /// Part number `part`.
    fn part(self, part: usize) -> Self::Real;
    /// Replaces part number `part`.
    fn set_part(&mut self, part: usize, value: Self::Real);
    /// No part differs from zero.
    fn zero() -> Self;
}

impl<T: Scalar> Element for T {
    type Real = T;
    const PARTS: usize = 1;
    fn part(self, _: usize) -> T {
        self
    }
    fn set_part(&mut self, _: usize, value: T) {
        *self = value;
    }
    fn zero() -> T {
        T::from_f64(0.0)
    }
}

/// Part number `part` of an element, in `f64`.
fn get_part<T: Element>(element: &T, part: usize) -> f64 {
    element.part(part).to_f64()
}

/// Stores `value`, rounded to the scalar type, as part number `part` of an element.
fn set_part<T: Element>(element: &mut T, part: usize, value: f64) {
    element.set_part(part, T::Real::from_f64(value));
}

/// Appends all parts of the elements.
fn append<'a, T: Element>(elements: impl Iterator<Item = &'a T>, out: &mut Vec<f64>) {
    if T::PARTS == 1 {
        // What most forwards wait for: no check for room at each number.
        return out.extend(elements.map(|element| get_part(element, 0)));
    }
    for element in elements {
        for part in 0..T::PARTS {
            out.push(get_part(element, part));
        }
    }
}

/// Stores `values`, as many as the elements have parts.
fn store<'a, T: Element>(elements: impl Iterator<Item = &'a mut T>, values: &[f64]) {
    if T::PARTS == 1 {
        return elements.zip(values).for_each(|(element, &value)| set_part(element, 0, value));
    }
    for (element, values) in elements.zip(values.chunks(T::PARTS)) {
        for (part, &value) in values.iter().enumerate() {
            set_part(element, part, value);
        }
    }
}

/// The shape of a block of elements: that of the array, and one axis more for parts.
fn with_parts<T: Element>(shape: &[usize]) -> Cow<'_, [usize]> {
    match T::PARTS {
        1 => Cow::Borrowed(shape),
        parts => Cow::Owned([shape, &[parts]].concat()),
    }
}

/// One block of scalars, read in logical (row-major) order whatever its memory layout.
pub trait Scalars {
    /// Number of scalars.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Scalar `i`, in `f64`.
    fn get(&self, i: usize) -> f64;
    /// Appends all scalars, in order.
    fn append_to(&self, out: &mut Vec<f64>);
    /// Shows all scalars, in order, one piece after another: the number of a piece's first
    /// scalar, and the values.
    fn in_pieces(&self, visit: &mut dyn FnMut(usize, &[f64])) {
        for i in 0..self.len() {
            visit(i, &[self.get(i)]);
        }
    }
    /// Unit roundoff of the scalar type.
    fn roundoff(&self) -> f64;
    /// The tape position of scalar `i`, for tape scalars.
    fn tape_id(&self, i: usize) -> Option<u32>;
    /// A plain sequence without a shape of its own (`Vec`, slice, array, scalar), which may
    /// stand for a block of any shape with as many scalars.
    fn is_flat(&self) -> bool;
    /// The scalars are the parts of complex numbers: the last axis of the block has two, the real
    /// part and the imaginary one.
    fn is_complex(&self) -> bool {
        false
    }
}

/// One block of scalars that can be written to.
pub trait ScalarsMut: Scalars {
    /// Stores `value`, rounded to the scalar type, as scalar `i`.
    fn set(&mut self, i: usize, value: f64);
    /// Stores `values`, as many as there are scalars.
    fn set_all(&mut self, values: &[f64]);
    /// Stores what `source` makes for a range of the scalars. It is asked for one piece after
    /// another: the number of the piece's first scalar, and the place for its values.
    fn set_range(&mut self, range: Range<usize>, source: &mut dyn FnMut(usize, &mut [f64])) {
        for i in range {
            let mut value = [0.0];
            source(i, &mut value);
            self.set(i, value[0]);
        }
    }
}

/// Room for `count` more. Doubling would leave half of a large vector empty for good.
fn make_room(values: &mut Vec<f64>, count: usize) {
    if values.capacity() - values.len() < count {
        values.reserve_exact(count.max(values.len() / 8));
    }
}

/// [`Scalars::in_pieces`] for all elements, in order.
fn show_pieces<'a, T: Element>(
    elements: impl Iterator<Item = &'a T>,
    visit: &mut dyn FnMut(usize, &[f64]),
) {
    let mut piece = [0.0; PIECE];
    let (mut start, mut used) = (0, 0);
    for element in elements {
        for part in 0..T::PARTS {
            piece[used] = get_part(element, part);
            used += 1;
        }
        if used == PIECE {
            visit(start, &piece);
            start += used;
            used = 0;
        }
    }
    if used > 0 {
        visit(start, &piece[..used]);
    }
}

/// Scalars that are handed over at a time: whole elements, of one part or of two.
const PIECE: usize = 128;

/// The elements that have their scalars in a range, if only in part.
fn elements_of<T: Element>(range: &Range<usize>) -> Range<usize> {
    range.start / T::PARTS..range.end.div_ceil(T::PARTS)
}

/// [`ScalarsMut::set_range`] for the elements that have scalars in the range, in order.
fn store_pieces<'a, T: Element>(
    elements: impl Iterator<Item = &'a mut T>,
    range: Range<usize>,
    source: &mut dyn FnMut(usize, &mut [f64]),
) {
    let mut piece = [0.0; PIECE];
    let (mut start, mut used) = (range.start, PIECE);
    // The range may begin or end within an element.
    let mut first = range.start % T::PARTS;
    let mut left = range.len();
    for element in elements {
        for part in first..T::PARTS.min(first + left) {
            if used == PIECE {
                let count = PIECE.min(range.end - start);
                source(start, &mut piece[..count]);
                start += count;
                used = 0;
            }
            set_part(element, part, piece[used]);
            used += 1;
            left -= 1;
        }
        first = 0;
    }
}

/// One step from a value to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A named field, or the number of a tuple's.
    Field(&'a str),
    /// A dictionary's key.
    Key(&'a str),
    /// An element of a sequence.
    Index(usize),
}

/// Sees the blocks of a value, each between the steps that lead to it.
pub trait Visitor {
    /// One step down.
    fn enter(&mut self, step: Step<'_>);
    /// Back up from the last step.
    fn leave(&mut self);
    /// A block of the given shape; `[]` for a scalar.
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars);
}

/// Sees the blocks of a value with write access.
pub trait VisitorMut {
    /// One step down.
    fn enter(&mut self, step: Step<'_>);
    /// Back up from the last step.
    fn leave(&mut self);
    /// A block of the given shape; `[]` for a scalar.
    fn block(&mut self, shape: &[usize], scalars: &mut dyn ScalarsMut);
    /// The one entry that is to be shown of a dictionary entered now, where no other matters: a
    /// hash map then need not put its keys in order.
    fn only_key(&self) -> Option<&str> {
        None
    }
}

/// A value made of named blocks of scalars: parameters, gradients, outputs.
///
/// Derive it for structs with `#[derive(Flatten)]`: fields are steps named after themselves,
/// `#[flatten(skip)]` leaves a field out, `#[flatten(rename = "..")]` names it otherwise.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be flattened into named scalars",
    label = "neither an array, a scalar, nor made of them",
    note = "derive it for your own struct: `#[cfg_attr(test, derive(gradcheck_runtime::Flatten))]`",
    note = "a field that is no parameter is left out by `#[flatten(skip)]`",
    note = "types of nalgebra, faer and num-complex: a feature of that name of gradcheck-runtime"
)]
pub trait Flatten {
    /// Shows every block to `visitor`, always in the same order.
    fn flatten(&self, visitor: &mut dyn Visitor);
    /// A sequence of these. Scalars form one block; anything else one element after another.
    fn flatten_slice(items: &[Self], visitor: &mut dyn Visitor)
    where
        Self: Sized,
    {
        for (i, item) in items.iter().enumerate() {
            visitor.enter(Step::Index(i));
            item.flatten(visitor);
            visitor.leave();
        }
    }
}

/// A value whose scalars can be perturbed: parameters and buffers.
#[diagnostic::on_unimplemented(
    message = "the scalars of `{Self}` cannot be perturbed",
    label = "neither an owned array, a scalar, nor made of them",
    note = "derive `Flatten` for your own struct: `#[cfg_attr(test, derive(gradcheck_runtime::Flatten))]`",
    note = "a field that is no parameter is left out by `#[flatten(skip)]`",
    note = "types of nalgebra, faer and num-complex: a feature of that name of gradcheck-runtime"
)]
pub trait FlattenMut: Flatten {
    /// Shows every block to `visitor`, in the order of [`Flatten::flatten`].
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut);
    /// A sequence of these, in the order of [`Flatten::flatten_slice`].
    fn flatten_slice_mut(items: &mut [Self], visitor: &mut dyn VisitorMut)
    where
        Self: Sized,
    {
        for (i, item) in items.iter_mut().enumerate() {
            visitor.enter(Step::Index(i));
            item.flatten_mut(visitor);
            visitor.leave();
        }
    }
}

/// Scalars that lie one after another.
pub(crate) struct Flat<B, T>(B, PhantomData<T>);

impl<B, T> Flat<B, T> {
    pub(crate) fn new(scalars: B) -> Self {
        Flat(scalars, PhantomData)
    }
}

impl<T: Element, B: AsRef<[T]>> Scalars for Flat<B, T> {
    fn len(&self) -> usize {
        self.0.as_ref().len() * T::PARTS
    }
    fn get(&self, i: usize) -> f64 {
        get_part(&self.0.as_ref()[i / T::PARTS], i % T::PARTS)
    }
    fn append_to(&self, out: &mut Vec<f64>) {
        make_room(out, Scalars::len(self));
        append(self.0.as_ref().iter(), out);
    }
    fn in_pieces(&self, visit: &mut dyn FnMut(usize, &[f64])) {
        show_pieces(self.0.as_ref().iter(), visit);
    }
    fn roundoff(&self) -> f64 {
        T::Real::ROUNDOFF
    }
    fn tape_id(&self, i: usize) -> Option<u32> {
        self.0.as_ref()[i / T::PARTS].part(i % T::PARTS).tape_id()
    }
    fn is_flat(&self) -> bool {
        true
    }
    fn is_complex(&self) -> bool {
        T::PARTS == 2
    }
}

impl<T: Element, B: AsRef<[T]> + AsMut<[T]>> ScalarsMut for Flat<B, T> {
    fn set(&mut self, i: usize, value: f64) {
        set_part(&mut self.0.as_mut()[i / T::PARTS], i % T::PARTS, value);
    }
    fn set_all(&mut self, values: &[f64]) {
        store(self.0.as_mut().iter_mut(), values);
    }
    fn set_range(&mut self, range: Range<usize>, source: &mut dyn FnMut(usize, &mut [f64])) {
        let elements = elements_of::<T>(&range);
        store_pieces(self.0.as_mut()[elements].iter_mut(), range, source);
    }
}

/// Flattening of scalar types. One impl each: a blanket impl for every [`Scalar`] would
/// stand in the way of `&T` and `Box<T>`.
macro_rules! flatten_scalars {
    ($($scalar:ty),*) => {$(
        impl $crate::flatten::Flatten for $scalar {
            fn flatten(&self, visitor: &mut dyn $crate::flatten::Visitor) {
                visitor.block(&[], &$crate::flatten::Flat::new(std::slice::from_ref(self)));
            }
            fn flatten_slice(items: &[$scalar], visitor: &mut dyn $crate::flatten::Visitor) {
                visitor.block(&[items.len()], &$crate::flatten::Flat::new(items));
            }
        }
        impl $crate::flatten::FlattenMut for $scalar {
            fn flatten_mut(&mut self, visitor: &mut dyn $crate::flatten::VisitorMut) {
                visitor.block(&[], &mut $crate::flatten::Flat::new(std::slice::from_mut(self)));
            }
            fn flatten_slice_mut(
                items: &mut [$scalar],
                visitor: &mut dyn $crate::flatten::VisitorMut,
            ) {
                visitor.block(&[items.len()], &mut $crate::flatten::Flat::new(items));
            }
        }
    )*};
}
pub(crate) use flatten_scalars;

flatten_scalars!(f32, f64);

/// The index along each axis of scalar `i` in logical order.
fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (index, &extent) in index.iter_mut().zip(shape).rev() {
        *index = i % extent;
        i /= extent;
    }
    index
}

impl<T, S, D> Scalars for ArrayBase<S, D>
where
    T: Element,
    S: Data<Elem = T>,
    D: Dimension,
{
    fn len(&self) -> usize {
        ArrayBase::len(self) * T::PARTS
    }
    fn get(&self, i: usize) -> f64 {
        get_part(&at(self, i / T::PARTS), i % T::PARTS)
    }
    fn append_to(&self, out: &mut Vec<f64>) {
        make_room(out, Scalars::len(self));
        match self.as_slice() {
            Some(slice) => append(slice.iter(), out),
            None => append(self.iter(), out),
        }
    }
    fn in_pieces(&self, visit: &mut dyn FnMut(usize, &[f64])) {
        match self.as_slice() {
            Some(slice) => show_pieces(slice.iter(), visit),
            None => show_pieces(self.iter(), visit),
        }
    }
    fn roundoff(&self) -> f64 {
        T::Real::ROUNDOFF
    }
    fn tape_id(&self, i: usize) -> Option<u32> {
        at(self, i / T::PARTS).part(i % T::PARTS).tape_id()
    }
    fn is_flat(&self) -> bool {
        false
    }
    fn is_complex(&self) -> bool {
        T::PARTS == 2
    }
}

/// Element `i` in logical order.
fn at<T: Copy, D: Dimension>(array: &ArrayBase<impl Data<Elem = T>, D>, i: usize) -> T {
    match array.as_slice() {
        Some(slice) => slice[i],
        None => array.view().into_dyn()[&*unravel(i, array.shape())],
    }
}

impl<T, S, D> ScalarsMut for ArrayBase<S, D>
where
    T: Element,
    S: DataMut<Elem = T>,
    D: Dimension,
{
    fn set(&mut self, i: usize, value: f64) {
        let (i, part) = (i / T::PARTS, i % T::PARTS);
        match self.as_slice_mut() {
            Some(slice) => set_part(&mut slice[i], part, value),
            None => {
                let index = unravel(i, self.shape());
                set_part(&mut self.view_mut().into_dyn()[&*index], part, value);
            }
        }
    }
    fn set_all(&mut self, values: &[f64]) {
        match self.as_slice_mut() {
            Some(slice) => store(slice.iter_mut(), values),
            None => store(self.iter_mut(), values),
        }
    }
    fn set_range(&mut self, range: Range<usize>, source: &mut dyn FnMut(usize, &mut [f64])) {
        let elements = elements_of::<T>(&range);
        match self.as_slice_mut() {
            Some(slice) => store_pieces(slice[elements].iter_mut(), range, source),
            None => {
                let elements = self.iter_mut().skip(elements.start).take(elements.len());
                store_pieces(elements, range, source);
            }
        }
    }
}

impl<T: Element, S: Data<Elem = T>, D: Dimension> Flatten for ArrayBase<S, D> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        visitor.block(&with_parts::<T>(self.shape()), self);
    }
}

impl<T: Element, S: DataMut<Elem = T>, D: Dimension> FlattenMut for ArrayBase<S, D> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        // A dimension of its own, which most of them hold without an allocation.
        let shape = self.raw_dim();
        visitor.block(&with_parts::<T>(shape.slice()), self);
    }
}

macro_rules! reading {
    ($($(#[$note:meta])* [$($generics:tt)*] $type:ty;)*) => {$(
        $(#[$note])*
        impl<$($generics)*> Flatten for $type {
            fn flatten(&self, visitor: &mut dyn Visitor) {
                (**self).flatten(visitor);
            }
        }
    )*};
}

reading! {
    [T: Flatten + ?Sized] &T;
    [T: Flatten + ?Sized] &mut T;
    [T: Flatten + ?Sized] Box<T>;
    [T: Flatten + ?Sized] Rc<T>;
    [T: Flatten + ?Sized] Arc<T>;
    [T: Flatten + ToOwned + ?Sized] Cow<'_, T>;
}

impl<T: FlattenMut + ?Sized> FlattenMut for &mut T {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        (**self).flatten_mut(visitor);
    }
}

impl<T: FlattenMut + ?Sized> FlattenMut for Box<T> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        (**self).flatten_mut(visitor);
    }
}

macro_rules! sequences {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<T: Flatten, $($generics)*> Flatten for $type {
            fn flatten(&self, visitor: &mut dyn Visitor) {
                T::flatten_slice(self, visitor);
            }
        }
        impl<T: FlattenMut, $($generics)*> FlattenMut for $type {
            fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
                T::flatten_slice_mut(self, visitor);
            }
        }
    )*};
}

sequences! {
    [] Vec<T>;
    [] [T];
    [const N: usize] [T; N];
}

impl<T: Flatten> Flatten for Option<T> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        if let Some(value) = self {
            value.flatten(visitor);
        }
    }
}

impl<T: FlattenMut> FlattenMut for Option<T> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        if let Some(value) = self {
            value.flatten_mut(visitor);
        }
    }
}

impl<K: AsRef<str>, T: Flatten> Flatten for BTreeMap<K, T> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        for (key, value) in self {
            visitor.enter(Step::Key(key.as_ref()));
            value.flatten(visitor);
            visitor.leave();
        }
    }
}

/// The one entry of a dictionary that the visitor asks for.
fn one_entry<'a, K: AsRef<str> + 'a, T: FlattenMut + 'a>(
    mut entries: impl Iterator<Item = (&'a K, &'a mut T)>,
    visitor: &mut dyn VisitorMut,
) {
    let found = match visitor.only_key() {
        Some(only) => entries.find(|(key, _)| key.as_ref() == only),
        None => None,
    };
    if let Some((key, value)) = found {
        visitor.enter(Step::Key(key.as_ref()));
        value.flatten_mut(visitor);
        visitor.leave();
    }
}

impl<K: AsRef<str>, T: FlattenMut> FlattenMut for BTreeMap<K, T> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        if visitor.only_key().is_some() {
            return one_entry(self.iter_mut(), visitor);
        }
        for (key, value) in self {
            visitor.enter(Step::Key(key.as_ref()));
            value.flatten_mut(visitor);
            visitor.leave();
        }
    }
}

/// Keys in the order of their text: a hash map has no order of its own to rely on.
impl<K: AsRef<str>, T: Flatten, S: BuildHasher> Flatten for HashMap<K, T, S> {
    fn flatten(&self, visitor: &mut dyn Visitor) {
        let mut entries: Vec<(&K, &T)> = self.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        for (key, value) in entries {
            visitor.enter(Step::Key(key.as_ref()));
            value.flatten(visitor);
            visitor.leave();
        }
    }
}

impl<K: AsRef<str>, T: FlattenMut, S: BuildHasher> FlattenMut for HashMap<K, T, S> {
    fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
        if visitor.only_key().is_some() {
            return one_entry(self.iter_mut(), visitor);
        }
        let mut entries: Vec<(&K, &mut T)> = self.iter_mut().collect();
        entries.sort_unstable_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        for (key, value) in entries {
            visitor.enter(Step::Key(key.as_ref()));
            value.flatten_mut(visitor);
            visitor.leave();
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $number:tt),*);)*) => {$(
        impl<$($name: Flatten),*> Flatten for ($($name,)*) {
            #[allow(unused_variables)]
            fn flatten(&self, visitor: &mut dyn Visitor) {
                $(
                    visitor.enter(Step::Field(stringify!($number)));
                    self.$number.flatten(visitor);
                    visitor.leave();
                )*
            }
        }
        impl<$($name: FlattenMut),*> FlattenMut for ($($name,)*) {
            #[allow(unused_variables)]
            fn flatten_mut(&mut self, visitor: &mut dyn VisitorMut) {
                $(
                    visitor.enter(Step::Field(stringify!($number)));
                    self.$number.flatten_mut(visitor);
                    visitor.leave();
                )*
            }
        }
    )*};
}

tuples! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
}

#[cfg(test)]
mod tests;
